"""The public keys of an OpenID Connect issuer, as its JWKS gives them. Pure.

Only RSA and elliptic-curve keys that sign are taken, and of them only their public members: what else a document holds (secret
keys, certificates, links) is never looked at, so that no key can be anything but a verifier of RS and ES signatures.
Sources: RFC 7517; RFC 7518, section 3.3 (RSA of 2048 bits or more); STS API Reference, AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

ALGORITHMS: Final[Mapping[str, str]] = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
}
"""The algorithms that AWS takes, and the keys that each is of."""
MAX_KEYS = 100
_RSA_BITS = range(2048, 8193)
_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
_ENCODED = re.compile(r"[A-Za-z0-9_-]+")


class BadKeysError(ValueError):
    """A document that is no key set."""


class PublicKey(NamedTuple):
    """One key of a set."""

    kid: str | None
    algorithm: str | None
    """The only one that it is for, where it says so."""
    family: str
    """``RSA``, or the curve."""
    key: RSAKey | ECKey


class Keys:
    """A key set."""

    def __init__(self, keys: Sequence[PublicKey]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def fitting(self, kid: str | None, algorithm: str) -> tuple[PublicKey, ...]:
        """The keys that a header may mean. Without ``kid`` it means the only key of its kind, or none."""
        family = ALGORITHMS.get(algorithm)
        found = [key for key in self._keys if key.family == family and key.algorithm in {None, algorithm}]
        if kid is None:
            return tuple(found) if len(found) == 1 else ()
        return tuple(key for key in found if key.kid == kid)


def read_keys(document: bytes) -> Keys:
    """The keys of a JWKS that can verify a token; others are passed over (RFC 7517, section 5). Raises BadKeysError."""
    try:
        listed = json.loads(document)["keys"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise BadKeysError("no JSON Web Key Set") from error
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise BadKeysError("no JSON Web Key Set")
    found = [key for each in listed if isinstance(each, dict) and (key := _read(each)) is not None]
    if not found:
        raise BadKeysError("no key that can verify a token")
    return Keys(found)


def _read(jwk: Mapping[str, Any]) -> PublicKey | None:
    kind, kid, algorithm = jwk.get("kty"), jwk.get("kid"), jwk.get("alg")
    if not isinstance(kind, str) or kind not in _MEMBERS or not _signs(jwk):
        return None
    if (kid is not None and not isinstance(kid, str)) or (algorithm is not None and algorithm not in ALGORITHMS):
        return None
    public = {name: jwk.get(name) for name in _MEMBERS[kind]}
    if not all(isinstance(value, str) and _readable(name, value) for name, value in public.items()):
        return None
    if kind == "RSA" and _bits(str(public["n"])) not in _RSA_BITS:
        return None
    from joserfc.errors import JoseError  # noqa: PLC0415 - loading it costs a twentieth of a start
    from joserfc.jwk import ECKey, RSAKey  # noqa: PLC0415 - the same

    try:
        key: RSAKey | ECKey = RSAKey.import_key(public) if kind == "RSA" else ECKey.import_key(public)  # type: ignore[arg-type] # checked: strings
        family = _family(key)
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    return None if family is None else PublicKey(kid, algorithm, family, key)


def _readable(name: str, value: str) -> bool:
    return name in {"kty", "crv"} or (len(value) <= 2048 and len(value) % 4 != 1 and _ENCODED.fullmatch(value) is not None)


def _bits(encoded: str) -> int:
    """How long a number is."""
    return int.from_bytes(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))).bit_length()


def _signs(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops")
    return jwk.get("use") in {None, "sig"} and (operations is None or (isinstance(operations, list) and "verify" in operations))


def _family(key: RSAKey | ECKey) -> str | None:
    public = key.as_dict()
    if public["kty"] == "RSA":
        return "RSA" if key.public_key.public_numbers().e >= 3 else None  # type: ignore[union-attr] # of an RSA key
    curve = str(public["crv"])
    return curve if curve in ALGORITHMS.values() else None
