"""The canonical request: the one spelling of a request that both sides sign.

Source: IAM User Guide, "Create a signed AWS API request", steps 1 and 2; S3 API Reference, "Signature calculations for the
Authorization header". Text is Latin-1 for the wire's bytes, as in :class:`garrison.core.http.Request`; every function here
raises UnicodeEncodeError on a character that no byte of a request could have been.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~]*").fullmatch
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9\-._~/]*").fullmatch
_RESERVED: Final = r"%(?![46][1-9A-F]|[57][0-9A]|3[0-9]|2[DE]|5F|7E)[0-9A-F]{2}"
"""An escape that decoding and encoding leave alone: capitals, and not of a character that needs none."""
_DONE: Final = re.compile(rf"(?:[A-Za-z0-9\-._~]|{_RESERVED})*").fullmatch
_DONE_PATH: Final = re.compile(rf"(?:[A-Za-z0-9\-._~/]|(?!%2F){_RESERVED})*").fullmatch
_WHITE: Final = " \t\r\n\f\v"
_BLANKS: Final = re.compile(r"[ \t\r\n\f\v]+")
_TO_FOLD: Final = re.compile(r"[\t\r\n\f\v]|  ").search


def canonical_path(path: str, *, s3: bool) -> str:
    """The path as signed. S3: each segment encoded once. Others: dot segments resolved and the wire's form encoded again."""
    if s3:
        return (path or "/") if _DONE_PATH(path) else quote_from_bytes(unquote_to_bytes(path.encode("latin-1")), safe="/-._~")
    if not path or "//" in path or "/." in path:
        path = _resolve(path)
    return path if _PLAIN_PATH(path) else quote_from_bytes(path.encode("latin-1"), safe="/-._~")


def canonical_query(query: str, without: frozenset[str] = frozenset()) -> str:
    """The parameters encoded anew and sorted by name, then value; duplicates kept, those named in ``without`` left out.

    A ``+`` is a space here, as in the forms that a query string comes from: whoever reads parameters must read it so too.
    """
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            name = _encode(name)
            if name not in without:
                pairs.append((name, _encode(value)))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def sort_headers(headers: Sequence[tuple[str, str]], signed: tuple[str, ...]) -> tuple[dict[str, str | None], list[str]]:
    """The canonical values of the signed headers (None: signed but not sent), and the ``x-amz-`` headers left unsigned.

    A header sent twice is its values joined by a comma in the wire's order; blanks around a value are dropped and runs of
    blanks inside are one space.
    """
    values: dict[str, str | None] = dict.fromkeys(signed)
    unsigned = []
    for name, value in headers:
        if name in values:
            before = values[name]
            trimmed = _trim(value)
            values[name] = trimmed if before is None else f"{before},{trimmed}"
        elif name.startswith("x-amz-"):
            unsigned.append(name)
    return values, unsigned


def canonical_request(
    method: str, path: str, query: str, values: Mapping[str, str | None], signed: tuple[str, ...], payload: str
) -> str:
    """The canonical request of parts that are canonical already. ``signed`` is sorted and has no duplicates."""
    lines = "".join([f"{name}:{values[name]}\n" for name in signed])
    return f"{method}\n{path}\n{query}\n{lines}\n{';'.join(signed)}\n{payload}"


def string_to_sign(algorithm: str, stamp: str, scope: str, request: str) -> str:
    """The text that is signed, from a canonical request."""
    return f"{algorithm}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode('latin-1')).hexdigest()}"


def _resolve(path: str) -> str:
    """Remove empty and dot segments; a trailing slash stays."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    return f"/{'/'.join(kept)}/" if kept and path.endswith("/") else f"/{'/'.join(kept)}"


def _encode(text: str) -> str:
    if _PLAIN(text) or _DONE(text):
        return text
    return quote_from_bytes(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe="-._~")


def _trim(value: str) -> str:
    value = value.strip(_WHITE)
    return _BLANKS.sub(" ", value) if _TO_FOLD(value) else value
