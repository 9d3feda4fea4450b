"""Scalars of documents as text and back: times, numbers, booleans, blobs."""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from garrison.core.constraints import INTEGERS, TIMES
from garrison.wire.protocols.base import refuse

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}\Z")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?\Z")
_ISO = re.compile(
    r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}(?:T[0-9]{2}:?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,9})?)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?\Z",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def parse_integer(text: str, kind: str = "integer") -> int:
    """An integer of a model type. Raises CommonError("malformed") for other text or a number out of the type's range."""
    if not _INTEGER.match(text):
        refuse(f"Unable to parse '{text[:100]}' as {kind}")
    value = int(text)
    low, high = INTEGERS[kind]
    if not low <= value <= high:
        refuse(f"Unable to parse '{text[:100]}' as {kind}")
    return value


def parse_float(text: str) -> float:
    """A float; NaN, Infinity and -Infinity are spelled so. Raises CommonError("malformed")."""
    if text in _WORDS:
        return _WORDS[text]
    if not _DECIMAL.match(text):
        refuse(f"Unable to parse '{text[:100]}' as double")
    return float(text)


def parse_boolean(text: str) -> bool:
    """``true`` or ``false`` in any case, ``1`` or ``0`` (XML Schema 1.1, part 2, 3.3.2). Raises CommonError("malformed")."""
    folded = text.lower()
    if folded in {"true", "1"}:
        return True
    if folded in {"false", "0"}:
        return False
    return refuse("boolean must follow xsd1.1 definition")


def parse_blob(text: str) -> bytes:
    """The bytes of strict Base64 (RFC 4648, section 4, with padding). Raises CommonError("malformed")."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        refuse("Unable to parse a blob: it is not Base64")


def parse_timestamp(text: str, form: str = "iso8601") -> float:
    """Seconds since 1970 of a time in ``iso8601``, ``rfc822`` or ``unixTimestamp`` form. Raises CommonError("malformed").

    Clients disagree about the form, and AWS takes any that it can tell apart: so does this.
    """
    if form != "rfc822" and _ISO.match(text):
        return _iso(text)
    if _DECIMAL.match(text):
        return in_time(float(text))
    try:
        return parsedate_to_datetime(text).astimezone(UTC).timestamp() if len(text) < 64 else _iso(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return _iso(text)


def _iso(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.upper()) if len(text) < 64 else None
        if moment is not None:
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        pass
    return refuse(f"Unable to parse '{text[:100]}' as timestamp")


def in_time(seconds: float) -> float:
    """The seconds themselves. Raises CommonError("malformed") outside the years 1 to 9999."""
    if not TIMES[0] <= seconds <= TIMES[1]:
        refuse("Timestamp is out of range")
    return seconds


def format_timestamp(seconds: float, form: str = "iso8601") -> str:
    """A time as ``2020-01-31T23:59:59Z`` (milliseconds where there are any), as an HTTP date, or as epoch seconds."""
    if form == "unixTimestamp":
        return format_number(seconds)
    if form == "rfc822":
        return formatdate(seconds, usegmt=True)
    millis = round(seconds * 1000)
    text = _whole_seconds(millis // 1000)
    return f"{text}.{millis % 1000:03d}Z" if millis % 1000 else f"{text}Z"


@lru_cache(maxsize=1024)
def _whole_seconds(seconds: int) -> str:
    """Kept: what is made now ends at few different times, and each stands in the answer and in its event."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}"


def format_number(value: float) -> str:
    """An integer without a point, a float as Python's shortest form; the words that :func:`parse_float` knows."""
    if isinstance(value, int):
        return str(int(value))
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def escape(text: str) -> str:
    """Text for an XML element. What XML 1.0 cannot hold at all becomes U+FFFD; a carriage return keeps its value."""
    if not _SPECIAL.search(text):
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("\r", "&#13;")
    return _FORBIDDEN.sub("\ufffd", text)
