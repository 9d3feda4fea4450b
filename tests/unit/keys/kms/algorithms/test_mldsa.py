"""NIST's ACVP vectors and Project Wycheproof's, through the code that Sign and Verify run."""

from __future__ import annotations

from hashlib import shake_256

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa as library

from garrison.keys.kms.algorithms import mldsa
from garrison.keys.kms.algorithms.base import EXTERNAL_MU, RAW, Refused
from tests.support.published import acvp, wycheproof

ID = "00" * 32
PUBLIC: dict[str, type[mldsa.Public]] = {
    "44": library.MLDSA44PublicKey,
    "65": library.MLDSA65PublicKey,
    "87": library.MLDSA87PublicKey,
}


def accepted(public: mldsa.Public, kind: str, message: bytes, signature: bytes) -> bool:
    try:
        mldsa.verify(public, kind, message, signature)
    except Refused:
        return False
    return True


def mu_of(public: bytes, message: bytes) -> bytes:
    """FIPS 204, algorithm 7, line 6: the representative of an M' that is given."""
    return shake_256(shake_256(public).digest(64) + message).digest(64)


def pure(context: bytes, message: bytes) -> bytes:
    """FIPS 204, algorithm 2, line 10: M' of ML-DSA's pure version."""
    return b"\0" + bytes([len(context)]) + context + message


def test_key_generation():
    count = 0
    for group, test in acvp("ML-DSA-keyGen-FIPS204"):
        key = mldsa.MlDsaKey(group["parameterSet"].replace("-", "_"), ID, bytes.fromhex(test["seed"]))
        assert key.public().hex().upper().endswith(test["pk"])
        count += 1
    assert count == 9


@pytest.mark.parametrize("name", ["ML-DSA-sigVer-FIPS204", "ML-DSA-sigGen-FIPS204"])
def test_verification(name: str):
    """Contexts are not KMS's, so those of the vectors go into mu, which is what EXTERNAL_MU is for."""
    seen = set()
    for group, test in acvp(name):
        raw = bytes.fromhex(test["pk"])
        public = PUBLIC[group["parameterSet"][-2:]].from_public_bytes(raw)
        if "mu" in test:
            mu = bytes.fromhex(test["mu"])
        elif group["signatureInterface"] == "external":
            mu = mu_of(raw, pure(bytes.fromhex(test["context"]), bytes.fromhex(test["message"])))
        else:
            mu = mu_of(raw, bytes.fromhex(test["message"]))
        valid = test.get("testPassed", True)
        seen.add(valid)
        assert accepted(public, EXTERNAL_MU, mu, bytes.fromhex(test["signature"])) is valid, test["tcId"]
    assert seen == ({True} if "sigGen" in name else {True, False})


@pytest.mark.parametrize("size", ["44", "65", "87"])
def test_signatures(size: str):
    seen = set()
    for group, test in wycheproof(f"Signature/mldsa_{size}_verify_test"):
        try:
            public = PUBLIC[size].from_public_bytes(bytes.fromhex(group["publicKey"]))
        except ValueError:
            assert test["result"] == "invalid"
            continue
        message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
        context = bytes.fromhex(test.get("ctx", ""))
        valid = test["result"] == "valid"
        seen.add(valid)
        if len(context) < 256:
            mu = mu_of(bytes.fromhex(group["publicKey"]), pure(context, message))
            assert accepted(public, EXTERNAL_MU, mu, signature) is valid, test["tcId"]
        assert accepted(public, RAW, message, signature) is (valid and not context), test["tcId"]
    assert seen == {True, False}


@pytest.mark.parametrize("size", ["44", "65", "87"])
def test_signing(size: str):
    """Ours are hedged, so they are not the published ones; the published ones are accepted, by RAW and by mu, and so are ours."""
    count = 0
    for group, test in wycheproof(f"Signature/mldsa_{size}_sign_seed_test"):
        if test["result"] != "valid" or "msg" not in test or test.get("ctx"):
            continue
        key = mldsa.MlDsaKey(f"ML_DSA_{size}", ID, bytes.fromhex(group["privateSeed"]))
        assert key.public().hex().endswith(group["publicKey"])
        message, mu, published = (bytes.fromhex(test[name]) for name in ("msg", "mu", "sig"))
        for signature in (published, key.sign("ML_DSA_SHAKE_256", RAW, message), key.sign("ML_DSA_SHAKE_256", EXTERNAL_MU, mu)):
            key.verify("ML_DSA_SHAKE_256", RAW, message, signature)
            key.verify("ML_DSA_SHAKE_256", EXTERNAL_MU, mu, signature)
        count += 1
    assert count > 5


@pytest.mark.parametrize(
    ("spec", "public", "signature"), [("ML_DSA_44", 1334, 2420), ("ML_DSA_65", 1974, 3309), ("ML_DSA_87", 2614, 4627)]
)
def test_sizes(spec: str, public: int, signature: int):  # FIPS 204, table 2, and 22 bytes of DER
    key = mldsa.MlDsaKey(spec, ID, bytes(range(32)))
    assert len(key.public()) == public
    assert len(key.sign("ML_DSA_SHAKE_256", RAW, b"x")) == signature
    assert key.sign("ML_DSA_SHAKE_256", RAW, b"x") != key.sign("ML_DSA_SHAKE_256", RAW, b"x")
