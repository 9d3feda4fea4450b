"""Keys that sign tokens for others to verify, and the signing: JSON Web Tokens in RS256 and ES384.

Private keys come and go sealed: nothing outside this room ever holds one. Sources: RFC 7515 (JWS, compact serialization), RFC
7518 (RS256: 3.3; ES384: 3.4, the signature is R and S side by side), RFC 7517 (JWK) and RFC 7638 (its thumbprint).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from garrison.core.ports import NewTokenKey, Sealer

ALGORITHMS: Final = ("RS256", "ES384")
PURPOSE: Final = "web-token-key"
"""What private keys are sealed for."""
_BITS: Final = 2048
"""RFC 7518, 3.3: a key of 2048 bits or larger must be used with RS256."""
_COORDINATE: Final = 48
"""Bytes of a number on P-384."""
_PRIVATE = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class TokenKeys:
    """Makes keys and signs with them: ``ports.TokenKeys``."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def make(self, algorithm: str, account: str) -> NewTokenKey:
        """A new key pair; an RSA one takes its time. Raises ValueError on an algorithm that is not in :data:`ALGORITHMS`."""
        if algorithm not in ALGORITHMS:
            msg = f"no tokens are signed with {algorithm}"
            raise ValueError(msg)
        private: _PRIVATE = _rsa() if algorithm == "RS256" else ec.generate_private_key(ec.SECP384R1())
        jwk = _jwk(private, algorithm)
        der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return NewTokenKey(jwk["kid"], self._sealer.seal(PURPOSE, der, f"{account}/{jwk['kid']}".encode()), json.dumps(jwk))

    def sign(self, account: str, key_id: str, sealed: bytes, algorithm: str, claims: Mapping[str, Any]) -> str:
        """The token. Raises ValueError where the sealed key is not this one of this account, or no key for this algorithm."""
        private = _opened(self._sealer.unseal(PURPOSE, sealed, f"{account}/{key_id}".encode()))
        header = {"alg": algorithm, "kid": key_id, "typ": "JWT"}
        signed = f"{_encoded(_json(header))}.{_encoded(_json(claims))}"
        return f"{signed}.{_encoded(_signature(private, algorithm, signed.encode()))}"


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, _BITS)


def _signature(private: _PRIVATE, algorithm: str, message: bytes) -> bytes:
    if algorithm == "RS256" and isinstance(private, rsa.RSAPrivateKey):
        return private.sign(message, PKCS1v15(), SHA256())
    if algorithm == "ES384" and isinstance(private, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(SHA384())))
        return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)
    msg = f"this is no key for {algorithm}"
    raise ValueError(msg)


@lru_cache(maxsize=64)
def _opened(der: bytes) -> _PRIVATE:
    """A private key, ready to sign. It is not proven again to be one: it was made here, and its seal says so."""
    private = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        msg = "no key that signs tokens"
        raise TypeError(msg)
    return private


def _jwk(private: _PRIVATE, algorithm: str) -> dict[str, str]:
    """The public half (RFC 7518, 6.2.1 and 6.3.1), named by its thumbprint."""
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = private.public_key().public_numbers()
        members = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    else:
        point = private.public_key().public_numbers()
        members = {
            "crv": "P-384",
            "kty": "EC",
            "x": _encoded(point.x.to_bytes(_COORDINATE)),
            "y": _encoded(point.y.to_bytes(_COORDINATE)),
        }
    return {**members, "use": "sig", "alg": algorithm, "kid": thumbprint(members)}


def thumbprint(members: Mapping[str, str]) -> str:
    """Of a JWK's required members (RFC 7638, 3): SHA-256 over their JSON, sorted by name and without white space."""
    return _encoded(sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8))


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
