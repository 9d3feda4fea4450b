"""Values of condition keys: instants, numbers and addresses, from text.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators"; dates in the W3C profile of ISO 8601 or as epoch
seconds, years as far as IAM takes them.
"""

from __future__ import annotations

import base64
import binascii
import re
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_LONGEST = 64
"""Characters, more than any number, date or address needs: what is remembered stays small."""
_EPOCH_END = 2**63
_YEARS = range(-292_275_054, 292_278_994)
_MAPPED = 96
"""Bits before the IPv4 address in ``::ffff:0:0/96``."""
_DATE = re.compile(
    r"(?P<year>-?\d{1,9})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?"
    r"(?:[tT](?:(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,9}))?)?)?)?"
    r"(?:(?P<zulu>[zZ])|(?P<sign>[+-])(?P<zone_hour>\d{2})(?::?(?P<zone_minute>\d{2}))?)?)?",
    re.ASCII,
)
_EPOCH = re.compile(r"\d{1,19}(?:\.\d{1,9})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LIMITS = {"month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}
_LIMITS |= {"zone_hour": (0, 23), "zone_minute": (0, 59)}


def parse_number(text: str) -> Decimal | None:
    """A decimal number, or None."""
    if len(text) > _LONGEST or _NUMBER.fullmatch(text) is None:
        return None
    return Decimal(text)


def parse_instant(text: str) -> Decimal | None:
    """Seconds since the epoch, or None where the text is neither a date nor epoch seconds."""
    return _parse_instant(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _parse_instant(text: str) -> Decimal | None:
    if _EPOCH.fullmatch(text) is not None:
        seconds = Decimal(text)
        return seconds if seconds < _EPOCH_END else None
    found = _DATE.fullmatch(text)
    if found is None or int(found["year"]) not in _YEARS:
        return None
    fields = {name: _field(found[name], low) for name, (low, _) in _LIMITS.items()}
    if any(not low <= fields[name] <= high for name, (low, high) in _LIMITS.items()):
        return None
    days = _days(int(found["year"]), fields["month"], fields["day"])
    zone = (fields["zone_hour"] * 60 + fields["zone_minute"]) * 60
    shift = zone if found["sign"] == "-" else -zone
    whole = days * 86400 + fields["hour"] * 3600 + fields["minute"] * 60 + fields["second"] + shift
    return Decimal(whole) + Decimal(f"0.{found['fraction'] or 0}")


def _field(text: str | None, absent: int) -> int:
    return int(text) if text is not None else absent


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar; years begin in March, so that the leap day is the last."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def parse_network(text: str) -> Network | None:
    """A CIDR block or a bare address (``/32``, ``/128``), or None. IPv4 in IPv6's mapped form is taken as IPv4."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((int(mapped), network.prefixlen - _MAPPED))
    return network


def parse_address(text: str) -> Address | None:
    """One address, or None."""
    return _parse_address(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _parse_address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_binary(text: str) -> bytes | None:
    """The bytes of a base64 text, or None."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def parse_boolean(text: str) -> bool | None:
    """``true`` or ``false`` in any case, else None."""
    return {"true": True, "false": False}.get(text.lower())
