"""Page tokens: opaque, signed, and bound to what was asked.

A token says where the next page begins. It carries a MAC over that position and over the *scope* (service, operation, account,
Region and every filter of the call), so that a token that was made up, altered or taken from another list is refused
instead of answering a page of something else.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable

Mac = Callable[[bytes], bytes]
"""HMAC-SHA-256 under a key kept for page tokens: ``partial(sealer.mac, "page")``."""

_TAG = 16
"""Bytes of the MAC that a token carries: 128 bits."""


def page_token(mac: Mac, scope: str, position: str) -> str:
    """A token for the page that begins after ``position``, good for ``scope`` alone. Base64url, no padding."""
    place = position.encode()
    return urlsafe_b64encode(_tag(mac, scope, place) + place).rstrip(b"=").decode()


def read_token(mac: Mac, scope: str, token: str) -> str:
    """The position in a token. Raises ValueError where it is not one that :func:`page_token` made for this scope."""
    msg = "not a token of this list"
    try:
        raw = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
    except (NotBase64, UnicodeEncodeError) as error:
        raise ValueError(msg) from error
    tag, place = raw[:_TAG], raw[_TAG:]
    # The text is compared too: base64 has several spellings of one value, and only ours is a token.
    expected = _tag(mac, scope, place)
    if not hmac.compare_digest(tag, expected) or urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        raise ValueError(msg)
    return place.decode()


def _tag(mac: Mac, scope: str, place: bytes) -> bytes:
    """The length of the scope goes in front, so that no scope and position can be read as another pair."""
    name = scope.encode()
    return mac(len(name).to_bytes(4) + name + place)[:_TAG]
