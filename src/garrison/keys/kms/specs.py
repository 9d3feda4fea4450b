"""Every key spec: its usages, its algorithms, and how its material is made and opened. One table.

Source: KMS Developer Guide, "Key spec reference"; KMS API Reference, "CreateKey", KeySpec and KeyUsage. The algorithms stand in
the order in which DescribeKey lists them. ``SM2`` is not in it (docs/adr/0012).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from garrison.core.ids import Random
from garrison.keys.kms.algorithms import ecc, edwards, mac, mldsa, mlkem, rsa
from garrison.keys.kms.algorithms.base import Secret
from garrison.keys.kms.ciphertext import MATERIAL_BYTES, Material

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"
ENCRYPT: Final = "ENCRYPT_DECRYPT"
SIGN: Final = "SIGN_VERIFY"
MAC: Final = "GENERATE_VERIFY_MAC"
AGREE: Final = "KEY_AGREEMENT"
ENCAPSULATE: Final = "ENCAPSULATE_DECAPSULATE"


@dataclass(frozen=True, slots=True)
class Spec:
    """A kind of key."""

    name: str
    algorithms: Mapping[str, tuple[str, ...]]
    """By usage, which are all the usages that keys of this spec may have."""
    make: Callable[[Random], bytes]
    """New material, as it is sealed: PKCS #8 (RSA, curves), a seed (ML-DSA, ML-KEM) or the secret itself."""
    load: Callable[[str, bytes], Secret]
    """Material from its id and what :attr:`make` gave."""
    bits: int = 0
    """Of an RSA modulus."""
    held: int = 256
    """Bytes that material takes in memory once it was used, most of it the library's (``bench/kms.py``)."""
    pkcs8: Callable[[bytes], bytes] | None = None
    """A data key pair's private key from what :attr:`make` gave; None where there are no data key pairs of this spec."""

    @property
    def slow(self) -> bool:
        """True where making a key takes longer than an event loop may be held up."""
        return self.bits > 0

    @property
    def symmetric(self) -> bool:
        """Whether it is the one whose ciphertexts name their key and may have an encryption context."""
        return self.name == SYMMETRIC


def _same(private: bytes) -> bytes:
    return private


def _random(length: int) -> Callable[[Random], bytes]:
    return lambda random: random(length)


def _rsa(bits: int) -> Spec:
    return Spec(
        f"RSA_{bits}",
        {ENCRYPT: tuple(rsa.ENCRYPTIONS), SIGN: tuple(rsa.SIGNATURES)},
        lambda _: rsa.make(bits),
        rsa.RsaKey,
        bits=bits,
        held=(6 + bits * 3 // 1024) * 1024,
        pkcs8=_same,
    )


def _ecc(name: str, algorithm: str, *, agrees: bool = True) -> Spec:
    algorithms = {SIGN: (algorithm,), AGREE: ("ECDH",)} if agrees else {SIGN: (algorithm,)}
    return Spec(name, algorithms, lambda _: ecc.make(name), ecc.EccKey, held=4096, pkcs8=_same)


def _mac(bits: int) -> Spec:
    algorithm = f"HMAC_SHA_{bits}"
    return Spec(f"HMAC_{bits}", {MAC: (algorithm,)}, _random(mac.ALGORITHMS[algorithm][1]), mac.MacKey)


_MLDSA_HELD: Final = {"ML_DSA_44": 27 * 1024, "ML_DSA_65": 39 * 1024, "ML_DSA_87": 51 * 1024}
_MLKEM_HELD: Final = {"ML_KEM_512": 1024, "ML_KEM_768": 8 * 1024, "ML_KEM_1024": 13 * 1024}


def _mldsa(name: str) -> Spec:
    return Spec(
        name, {SIGN: ("ML_DSA_SHAKE_256",)}, _random(mldsa.SEED_BYTES), partial(mldsa.MlDsaKey, name), held=_MLDSA_HELD[name]
    )


def _mlkem(name: str) -> Spec:
    return Spec(
        name,
        {ENCAPSULATE: ("ML_KEM",)},
        _random(mlkem.SEED_BYTES),
        partial(mlkem.MlKemKey, name),
        held=_MLKEM_HELD[name],
        pkcs8=partial(mlkem.pkcs8, name),
    )


SPECS: Final[Mapping[str, Spec]] = {
    spec.name: spec
    for spec in (
        Spec(SYMMETRIC, {ENCRYPT: (SYMMETRIC,)}, _random(MATERIAL_BYTES), Material),
        *(_rsa(bits) for bits in (2048, 3072, 4096)),
        _ecc("ECC_NIST_P256", "ECDSA_SHA_256"),
        _ecc("ECC_NIST_P384", "ECDSA_SHA_384"),
        _ecc("ECC_NIST_P521", "ECDSA_SHA_512"),
        _ecc("ECC_SECG_P256K1", "ECDSA_SHA_256", agrees=False),
        Spec(
            "ECC_NIST_EDWARDS25519",
            {SIGN: (edwards.PURE, edwards.PREHASHED)},
            lambda _: edwards.make(),
            edwards.EdwardsKey,
            held=512,
            pkcs8=_same,
        ),
        *(_mac(bits) for bits in (224, 256, 384, 512)),
        *(_mldsa(name) for name in mldsa.PRIVATE),
        *(_mlkem(name) for name in mlkem.CIPHERTEXT_BYTES),
    )
}

_MEMBERS: Final = {
    ENCRYPT: "encryption_algorithms",
    SIGN: "signing_algorithms",
    MAC: "mac_algorithms",
    AGREE: "key_agreement_algorithms",
    ENCAPSULATE: "encapsulation_algorithms",
}


def algorithms(spec: str, usage: str) -> dict[str, Any]:
    """The algorithms of a key as KeyMetadata and GetPublicKey have them: under the member of the key's usage."""
    return {_MEMBERS[usage]: list(SPECS[spec].algorithms[usage])}
