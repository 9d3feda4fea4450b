"""Project Wycheproof and NIST's CAVP, through the code that Sign, Verify and DeriveSharedSecret run."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_der_public_key

from garrison.keys.kms.algorithms import ecc
from garrison.keys.kms.algorithms.base import DIGEST, RAW, Refused
from tests.support.published import cavp, wycheproof

ID = "00" * 32
SPECS = {"secp256r1": "ECC_NIST_P256", "secp384r1": "ECC_NIST_P384", "secp521r1": "ECC_NIST_P521", "secp256k1": "ECC_SECG_P256K1"}


def accepted(public: ec.EllipticCurvePublicKey, algorithm: str, kind: str, message: bytes, signature: bytes) -> bool:
    try:
        ecc.verify(public, algorithm, kind, message, signature)
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("file", "algorithm"),
    [
        ("ecdsa_secp256r1_sha256_test", "ECDSA_SHA_256"),
        ("ecdsa_secp384r1_sha384_test", "ECDSA_SHA_384"),
        ("ecdsa_secp521r1_sha512_test", "ECDSA_SHA_512"),
        ("ecdsa_secp256k1_sha256_test", "ECDSA_SHA_256"),
    ],
)
def test_signatures(file: str, algorithm: str):
    seen = set()
    for group, test in wycheproof(f"Signature/{file}"):
        public = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert isinstance(public, ec.EllipticCurvePublicKey)
        message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
        digest = hashlib.new(group["sha"].replace("-", ""), message).digest()
        seen.add(test["result"])
        assert accepted(public, algorithm, RAW, message, signature) is (test["result"] == "valid"), (file, test["tcId"])
        assert accepted(public, algorithm, DIGEST, digest, signature) is (test["result"] == "valid"), (file, test["tcId"])
    assert seen == {"valid", "invalid"}


def private(curve: str, scalar: str) -> ecc.EccKey | None:
    """A vector's private key as material; None where it is none of the curve."""
    try:
        key = ec.derive_private_key(int(scalar, 16), ecc.CURVES[SPECS[curve]])
    except ValueError:
        return None
    return ecc.EccKey(ID, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize("curve", SPECS)
def test_agreement(curve: str):
    """What is acceptable may be refused; what is accepted must give the published secret."""
    agreed = refused = 0
    for _, test in wycheproof(f"Protocol/ecdh_{curve}_test"):
        key = private(curve, test["private"])
        if key is None:
            assert test["result"] != "valid", test["tcId"]
            continue
        try:
            secret = key.agree(bytes.fromhex(test["public"]))
        except Refused:
            assert test["result"] != "valid", (test["tcId"], test["comment"])
            refused += 1
            continue
        assert test["result"] != "invalid", (test["tcId"], test["comment"])
        assert secret.hex() == test["shared"], test["tcId"]
        agreed += 1
    assert agreed > 100
    assert refused > 20


def test_a_key_of_another_kind_is_no_peer():
    key = ecc.EccKey(ID, ecc.make("ECC_NIST_P256"))
    other = ecc.EccKey(ID, ecc.make("ECC_NIST_P384"))
    for peer in (b"", b"0", other.public(), bytes.fromhex("302a300506032b6570032100" + "11" * 32)):
        with pytest.raises(Refused):
            key.agree(peer)


@pytest.mark.parametrize("spec", ecc.CURVES)
def test_made_keys_agree_and_sign(spec: str):
    one, two = ecc.EccKey(ID, ecc.make(spec)), ecc.EccKey(ID, ecc.make(spec))
    assert one.agree(two.public()) == two.agree(one.public())
    signature = one.sign("ECDSA_SHA_384", RAW, b"x")
    one.verify("ECDSA_SHA_384", DIGEST, hashlib.sha384(b"x").digest(), signature)
    with pytest.raises(Refused):
        two.verify("ECDSA_SHA_384", RAW, b"x", signature)


CAVP = {"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1"}


@pytest.mark.parametrize(
    ("section", "algorithm"),
    [("P-256,SHA-256", "ECDSA_SHA_256"), ("P-384,SHA-384", "ECDSA_SHA_384"), ("P-521,SHA-512", "ECDSA_SHA_512")],
)
def test_signatures_of_nist(section: str, algorithm: str):
    seen = []
    for found, test in cavp("Signature/ECDSA/SigVer.rsp", "Result"):
        if found == section:
            curve = ecc.CURVES[SPECS[CAVP[section.split(",", maxsplit=1)[0]]]]
            public = ec.EllipticCurvePublicNumbers(int(test["Qx"], 16), int(test["Qy"], 16), curve).public_key()
            signature = encode_dss_signature(int(test["R"], 16), int(test["S"], 16))
            seen.append(test["Result"][0])
            assert accepted(public, algorithm, RAW, bytes.fromhex(test["Msg"]), signature) is (test["Result"][0] == "P"), test
    assert {*seen} == {"P", "F"}
    assert len(seen) == 15


@pytest.mark.parametrize("section", CAVP)
def test_agreement_of_nist(section: str):
    count = 0
    for found, test in cavp("Protocol/KAS_ECC_CDH_PrimitiveTest.txt", "ZIUT"):
        if found == section:
            key = private(CAVP[section], test["dIUT"])
            assert key is not None
            numbers = ec.EllipticCurvePublicNumbers(
                int(test["QCAVSx"], 16), int(test["QCAVSy"], 16), ecc.CURVES[SPECS[CAVP[section]]]
            )
            peer = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            assert key.agree(peer).hex() == test["ZIUT"]
            count += 1
    assert count == 25
