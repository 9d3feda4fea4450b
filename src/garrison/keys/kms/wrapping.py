"""How key material travels: the wrapping key, its token, and what comes out.

The token holds the wrapping key's private half, sealed and bound to the KMS key, so that nothing is stored for imports that never
happen. Sources: KMS Developer Guide, "Importing key material", "Select a wrapping algorithm", "Encrypt the key material";
RFC 8017 (RSAES-OAEP), RFC 5649 (AES key wrap with padding), RFC 9881 and RFC 9935 (private keys of ML-DSA and ML-KEM).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from garrison.core.ports import Sealer
from garrison.keys.kms.algorithms import mldsa, mlkem

HOURS = 24
"""How long a wrapping key and its token are good."""
SPECS: Final[Mapping[str, int]] = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
"""Wrapping key specs: bits of the modulus."""
_SHA1, _SHA256 = OAEP(MGF1(SHA1()), SHA1(), None), OAEP(MGF1(SHA256()), SHA256(), None)  # noqa: S303 - KMS offers it
DIRECT: Final = {"RSAES_OAEP_SHA_1": _SHA1, "RSAES_OAEP_SHA_256": _SHA256}
TWICE: Final = {"RSA_AES_KEY_WRAP_SHA_1": _SHA1, "RSA_AES_KEY_WRAP_SHA_256": _SHA256}
_PURPOSE = "kms-import-token"
_AES_KEYS = frozenset({16, 24, 32})


class Unwrappable(ValueError):  # noqa: N818 - what the bytes are, not what went wrong
    """What does not come out of its wrapping. Why is told to nobody."""


class Unfit(ValueError):  # noqa: N818 - the same
    """Material that is not of the key's spec. The message says how, and no byte of it."""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """What an import token holds."""

    region: str
    key_id: str
    algorithm: str
    expires_at: float
    private: bytes
    """The wrapping key: PKCS #8, DER."""


def seal(sealer: Sealer, token: Token) -> bytes:
    """The token as it is given out."""
    return sealer.seal(_PURPOSE, msgspec.msgpack.encode(token))


def unseal(sealer: Sealer, raw: bytes) -> Token:
    """The token that :func:`seal` gave. Raises ValueError."""
    return msgspec.msgpack.decode(sealer.unseal(_PURPOSE, raw), type=Token)


def unwrap(token: Token, wrapped: bytes) -> bytes:
    """The material. Raises Unwrappable."""
    private = load_der_private_key(token.private, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise Unwrappable
    size = private.key_size // 8
    try:
        if token.algorithm in DIRECT:
            return private.decrypt(wrapped, DIRECT[token.algorithm])
        key = private.decrypt(wrapped[:size], TWICE[token.algorithm])
        if len(key) not in _AES_KEYS:
            raise Unwrappable
        return aes_key_unwrap_with_padding(key, wrapped[size:])
    except (ValueError, InvalidUnwrap):
        raise Unwrappable from None


def fits(algorithm: str, wrapping_spec: str, spec: str) -> bool:
    """Whether material of a key spec can come under a wrapping. Source: API Reference, "GetParametersForImport"."""
    if algorithm in TWICE:
        return True
    if algorithm not in DIRECT or spec.startswith("RSA_"):
        return False
    return not (spec == "ECC_NIST_P521" and wrapping_spec == "RSA_2048")


# What comes out


_MAC_BYTES: Final = {"HMAC_224": (28, 64), "HMAC_256": (32, 64), "HMAC_384": (48, 128), "HMAC_512": (64, 128)}
"""From the length of the hash to that of its block (RFC 2104, 3)."""
_CURVES: Final = {
    "ECC_NIST_P256": "secp256r1",
    "ECC_NIST_P384": "secp384r1",
    "ECC_NIST_P521": "secp521r1",
    "ECC_SECG_P256K1": "secp256k1",
}


def canonical(spec: str, material: bytes) -> bytes:
    """Material as a key of the spec keeps it; the same key in another encoding becomes the same bytes. Raises Unfit.

    Every spec is known: "all KMS key types" take material from outside (API Reference, "GetParametersForImport").
    """
    if spec == "SYMMETRIC_DEFAULT":
        return _sized(material, 32, 32)
    if spec in _MAC_BYTES:
        return _sized(material, *_MAC_BYTES[spec])
    if spec in _SEEDS:
        return _seed(spec, material)
    try:
        private = load_der_private_key(material, None)
    except Exception as error:  # any parser's error: the bytes are a stranger's
        msg = "it is not a private key in PKCS #8"
        raise Unfit(msg) from error
    if not _IS[spec](private):
        msg = f"it is not a private key of {spec}"
        raise Unfit(msg)
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _seed(spec: str, material: bytes) -> bytes:
    try:
        return _SEEDS[spec](spec, material)
    except Exception as error:  # the same
        msg = f"it is not the seed of a private key of {spec} in PKCS #8"
        raise Unfit(msg) from error


def _sized(material: bytes, least: int, most: int) -> bytes:
    if not least <= len(material) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        msg = f"it must have {wanted} bytes"
        raise Unfit(msg)
    return material


def _rsa_of(bits: int) -> Callable[[object], bool]:
    def check(found: object) -> bool:
        return isinstance(found, rsa.RSAPrivateKey) and found.key_size == bits and found.public_key().public_numbers().e == 65537

    return check


def _curve_of(name: str) -> Callable[[object], bool]:
    return lambda found: isinstance(found, ec.EllipticCurvePrivateKey) and found.curve.name == name


_IS: Final[Mapping[str, Callable[[object], bool]]] = {
    **{spec: _rsa_of(bits) for spec, bits in SPECS.items()},
    **{spec: _curve_of(name) for spec, name in _CURVES.items()},
    "ECC_NIST_EDWARDS25519": lambda found: isinstance(found, Ed25519PrivateKey),
}
_SEEDS: Final[Mapping[str, Callable[[str, bytes], bytes]]] = {
    **dict.fromkeys(mldsa.PRIVATE, mldsa.seed_of),
    **dict.fromkeys(mlkem.CIPHERTEXT_BYTES, mlkem.seed_of),
}
"""Keys that are kept as their seeds, which come in PKCS #8 (RFC 9881, RFC 9935)."""
