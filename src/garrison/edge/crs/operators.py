"""Operators of SecRules over one value. Source: the operators of ModSecurity's reference manual."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from garrison.edge.inspect.detect import libinjection, sql, xss

LONGEST: Final = 65536
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _number(text: bytes) -> int:
    """The number that a text begins with, 0 where it begins with none: as ModSecurity reads it."""
    found = re.match(rb"\s*([+-]?\d{1,18})", text)
    return int(found[1]) if found else 0


def _within(value: bytes, argument: bytes) -> bool:
    return value in argument


@lru_cache(maxsize=64)
def _bytes_of(argument: bytes) -> bytes:
    """The bytes of ``validateByteRange``: ``9,10,32-126``. Raises ValueError."""
    found = bytearray()
    for part in argument.split(b","):
        low, _, high = part.strip().partition(b"-")
        found.extend(range(int(low), int(high or low) + 1))
    return bytes(found)


def _outside(value: bytes, argument: bytes) -> bool:
    return bool(value.translate(None, _bytes_of(argument)))


def _not_utf8(value: bytes, _argument: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _address(value: bytes, argument: bytes) -> bool:
    try:
        found = ipaddress.ip_address(value.decode("latin-1"))
    except ValueError:
        return False
    return any(found in network for network in _networks(argument) if network.version == found.version)


@lru_cache(maxsize=64)
def _networks(argument: bytes) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(each.strip().decode(), strict=False) for each in argument.split(b",") if each.strip()]


def _sqli(value: bytes, _argument: bytes) -> bool:
    value = value[:LONGEST]
    if libinjection.available():
        return libinjection.sqli(value) is not None
    return sql.detect(value, high=True) is not None


def _xss(value: bytes, _argument: bytes) -> bool:
    value = value[:LONGEST]
    return libinjection.xss(value) if libinjection.available() else xss.detect(value) is not None


SIMPLE: Final[dict[str, Callable[[bytes, bytes], bool]]] = {
    "contains": lambda value, argument: argument in value,
    "beginswith": bytes.startswith,
    "endswith": bytes.endswith,
    "streq": bytes.__eq__,
    "within": _within,
    "eq": lambda value, argument: _number(value) == _number(argument),
    "ge": lambda value, argument: _number(value) >= _number(argument),
    "gt": lambda value, argument: _number(value) > _number(argument),
    "le": lambda value, argument: _number(value) <= _number(argument),
    "lt": lambda value, argument: _number(value) < _number(argument),
    "detectsqli": _sqli,
    "detectxss": _xss,
    "validatebyterange": _outside,
    "validateurlencoding": lambda value, _: _BAD_ESCAPE.search(value) is not None,
    "validateutf8encoding": _not_utf8,
    "ipmatch": _address,
    "unconditionalmatch": lambda _value, _argument: True,
    "nomatch": lambda _value, _argument: False,
}
"""Operators that need neither patterns nor captures."""
