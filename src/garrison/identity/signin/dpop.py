"""A client's proof that it holds the key which its tokens are bound to: DPoP, RFC 9449. Pure: time is an argument.

Only ES256 is taken, with a public key in the header, as the AWS CLI and SDKs send it; every check of section 4.3 is made here but
two: that a proof comes once (its ``unique`` is for the caller to keep), and ``ath``, which the token endpoint has no use for.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

MAX_CHARACTERS = 4096
MAX_JTI = 256
SECONDS = 300
"""How old a proof may be, and how far ahead: the difference that AWS's signatures bear, too."""
_ENCODED = re.compile(r"[A-Za-z0-9_-]+")


class BadProofError(ValueError):
    """A proof that proves nothing; the message says why, and holds nothing of it."""


class Proof(NamedTuple):
    """A proof that holds."""

    thumbprint: bytes
    """SHA-256 of the key (RFC 7638): what tokens are bound to."""
    unique: bytes
    """SHA-256 of its key and ``jti``: two proofs with the same one are the same proof."""
    until: float
    """Until then it must be remembered, seconds since the epoch."""


def verify(text: str, *, method: str, is_own: Callable[[str], bool], now: float) -> Proof:
    """The proof in a DPoP header. ``is_own`` says whether ``htu`` is the address that was asked. Raises BadProofError."""
    if len(text) > MAX_CHARACTERS:
        raise BadProofError("is too long")
    parts = text.split(".")
    if len(parts) != 3 or not all(map(_ENCODED.fullmatch, parts)):
        raise BadProofError("is no JWT")
    header, claims = _document(parts[0]), _document(parts[1])
    if header.get("typ") != "dpop+jwt" or header.get("alg") != "ES256" or "crit" in header:
        raise BadProofError("is not of type dpop+jwt with ES256")
    thumbprint = _check_signature(header.get("jwk"), f"{parts[0]}.{parts[1]}".encode(), _decoded(parts[2]))
    if claims.get("htm") != method:
        raise BadProofError("is for another method")
    htu = claims.get("htu")
    if not isinstance(htu, str) or not is_own(htu):
        raise BadProofError("is for another address")
    issued = claims.get("iat")
    # Compared, not subtracted: a number may have more digits than a float can hold.
    if isinstance(issued, bool) or not isinstance(issued, int | float) or not now - SECONDS <= issued <= now + SECONDS:
        raise BadProofError("is not of this time")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise BadProofError("has no jti")
    return Proof(thumbprint, hashlib.sha256(thumbprint + jti.encode("utf-8", "replace")).digest(), issued + SECONDS + 1)


def thumbprint_of(x: str, y: str) -> bytes:
    """The SHA-256 thumbprint of a P-256 key by its encoded coordinates (RFC 7638)."""
    text = json.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def encoded(data: bytes) -> str:
    """Base64url without padding (RFC 7515)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _check_signature(jwk: object, signed: bytes, signature: bytes) -> bytes:
    """The thumbprint of the key that made the signature."""
    if not isinstance(jwk, dict) or jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or "d" in jwk:
        raise BadProofError("has no public key of P-256")
    x, y = jwk.get("x"), jwk.get("y")
    if not isinstance(x, str) or not isinstance(y, str):
        raise BadProofError("has no public key of P-256")
    coordinates = _decoded(x), _decoded(y)
    if [len(each) for each in coordinates] != [32, 32] or len(signature) != 64:
        raise BadProofError("has a key or a signature of another length")
    try:
        at_x, at_y = map(int.from_bytes, coordinates)
        key = EllipticCurvePublicNumbers(at_x, at_y, SECP256R1()).public_key()
        rs = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        key.verify(rs, signed, ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise BadProofError("has a signature that is not of its key") from error
    # Of the coordinates as they are, not as they were spelt: a key has one thumbprint.
    return thumbprint_of(*map(encoded, coordinates))


def _document(part: str) -> Mapping[str, Any]:
    try:
        found = json.loads(_decoded(part), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BadProofError("is no JWT") from error
    if not isinstance(found, dict):
        raise BadProofError("is no JWT")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names occur once each: two readers must not read two different things."""
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a name occurs twice"
        raise ValueError(msg)
    return found


def _decoded(part: str) -> bytes:
    if not _ENCODED.fullmatch(part) or len(part) % 4 == 1:
        raise BadProofError("is no base64url")
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
