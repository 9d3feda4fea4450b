"""The key by which a command line of ours is known to the token endpoint: DPoP (RFC 9449), ES256."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class ProofKey:
    """A P-256 key that makes proofs."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> Self:
        """A new key."""
        return cls(generate_private_key(SECP256R1()))

    @classmethod
    def from_pem(cls, text: str) -> Self:
        """A key that was kept. Raises ValueError where it is none of P-256."""
        key = load_pem_private_key(text.encode(), None)
        if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != SECP256R1.name:
            msg = "no key of P-256"
            raise ValueError(msg)
        return cls(key)

    def pem(self) -> str:
        """The key, to be kept where its owner alone reads it."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def proof(self, method: str, address: str, *, now: float, unique: str) -> str:
        """The DPoP header of one request. ``unique`` may come once."""
        numbers = self._key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "x": _encoded(numbers.x.to_bytes(32)), "y": _encoded(numbers.y.to_bytes(32))}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
        claims = {"htm": method, "htu": address, "iat": int(now), "jti": unique}
        signed = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(32) + s.to_bytes(32))}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
