"""Project Wycheproof and NIST's CAVP, through the code that Sign, Verify, Encrypt and Decrypt run."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from garrison.keys.kms.algorithms import rsa
from garrison.keys.kms.algorithms.base import DIGEST, RAW, Refused
from tests.support.published import cavp, wycheproof

ID = "00" * 32
HASHES: dict[str, HashAlgorithm] = {"SHA-256": SHA256(), "SHA-384": SHA384(), "SHA-512": SHA512()}


def digest(name: str, message: bytes) -> bytes:
    hashing = Hash(HASHES[name])
    hashing.update(message)
    return hashing.finalize()


def accepted(public: RSAPublicKey, algorithm: str, kind: str, message: bytes, signature: bytes) -> bool:
    try:
        rsa.verify(public, algorithm, kind, message, signature)
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("file", "algorithm"),
    [
        *(
            (f"rsa_signature_{bits}_sha{length}_test", f"RSASSA_PKCS1_V1_5_SHA_{length}")
            for bits, length in [
                (2048, 256),
                (2048, 384),
                (2048, 512),
                (3072, 256),
                (3072, 384),
                (3072, 512),
                (4096, 256),
                (4096, 384),
                (4096, 512),
            ]
        ),
        ("rsa_pss_2048_sha256_mgf1_32_test", "RSASSA_PSS_SHA_256"),
        ("rsa_pss_2048_sha384_mgf1_48_test", "RSASSA_PSS_SHA_384"),
        ("rsa_pss_3072_sha256_mgf1_32_test", "RSASSA_PSS_SHA_256"),
        ("rsa_pss_4096_sha256_mgf1_32_test", "RSASSA_PSS_SHA_256"),
        ("rsa_pss_4096_sha384_mgf1_48_test", "RSASSA_PSS_SHA_384"),
        ("rsa_pss_4096_sha512_mgf1_64_test", "RSASSA_PSS_SHA_512"),
    ],
)
def test_signatures(file: str, algorithm: str):
    seen = set()
    for group, test in wycheproof(f"Signature/{file}"):
        public = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert isinstance(public, RSAPublicKey)
        message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
        seen.add(test["result"])
        for kind, what in ((RAW, message), (DIGEST, digest(group["sha"], message))):
            found = accepted(public, algorithm, kind, what, signature)
            # The one acceptable signature of each file lacks a NULL, which RFC 8017 allows to be refused.
            assert found is (test["result"] == "valid"), (file, test["tcId"], test["comment"])
    assert {"valid", "invalid"} <= seen


@pytest.mark.parametrize(
    ("file", "length", "algorithm"),
    [
        ("rsa_pss_2048_sha256_mgf1_0_test", 0, "RSASSA_PSS_SHA_256"),
        ("rsa_pss_4096_sha512_mgf1_32_test", 32, "RSASSA_PSS_SHA_512"),
        ("rsa_pss_2048_sha256_mgf1sha1_20_test", 20, "RSASSA_PSS_SHA_256"),
    ],
)
def test_a_salt_of_another_length_or_another_mask_is_refused(file: str, length: int, algorithm: str):
    tests = [one for one in wycheproof(f"Signature/{file}", sLen=length) if one[1]["result"] == "valid"]
    assert tests
    for group, test in tests:
        public = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert isinstance(public, RSAPublicKey)
        assert not accepted(public, algorithm, RAW, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])), test["tcId"]


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_pkcs1_signatures_are_the_published_ones(bits: int):
    count = 0
    for group, test in wycheproof(f"Signature/rsa_pkcs1_{bits}_sig_gen_test"):
        algorithm = f"RSASSA_PKCS1_V1_5_SHA_{group['sha'].removeprefix('SHA-')}"
        if algorithm in rsa.SIGNATURES:
            key = rsa.RsaKey(ID, bytes.fromhex(group["privateKeyPkcs8"]))
            message = bytes.fromhex(test["msg"])
            assert key.sign(algorithm, RAW, message).hex() == test["sig"]
            assert key.sign(algorithm, DIGEST, digest(group["sha"], message)).hex() == test["sig"]
            count += 1
    assert count > 5


@pytest.mark.parametrize(
    ("file", "algorithm"),
    [
        ("rsa_oaep_2048_sha1_mgf1sha1_test", "RSAES_OAEP_SHA_1"),
        ("rsa_oaep_2048_sha256_mgf1sha256_test", "RSAES_OAEP_SHA_256"),
        ("rsa_oaep_3072_sha256_mgf1sha256_test", "RSAES_OAEP_SHA_256"),
        ("rsa_oaep_4096_sha256_mgf1sha256_test", "RSAES_OAEP_SHA_256"),
        ("rsa_oaep_2048_sha256_mgf1sha1_test", None),
        ("rsa_oaep_misc_test", "any"),
    ],
)
def test_encryption(file: str, algorithm: str | None):
    """KMS has no labels, and one hash for digest and mask: every other ciphertext is none of ours."""
    seen = set()
    for group, test in wycheproof(f"Cipher/{file}"):
        if group["keySize"] not in {2048, 3072, 4096}:
            continue
        key = rsa.RsaKey(ID, bytes.fromhex(group["privateKeyPkcs8"]))
        named = f"RSAES_OAEP_{group['sha'].replace('-', '_')}"
        ours = named in rsa.ENCRYPTIONS and group["sha"] == group["mgfSha"] and not test["label"]
        assert algorithm in {"any", None} or named == algorithm
        valid = ours and test["result"] == "valid"
        seen.add(valid)
        tried = named if named in rsa.ENCRYPTIONS else "RSAES_OAEP_SHA_256"
        if valid:
            assert key.decrypt(tried, bytes.fromhex(test["ct"])).hex() == test["msg"], test["tcId"]
        else:
            with pytest.raises(Refused):
                key.decrypt(tried, bytes.fromhex(test["ct"]))
    assert seen == ({False} if algorithm is None else {True, False})


@pytest.mark.parametrize(
    ("bits", "sha1", "sha256"),
    [(2048, 214, 190), (3072, 342, 318), (4096, 470, 446)],  # KMS API Reference, "Encrypt"
)
def test_the_most_that_oaep_takes(bits: int, sha1: int, sha256: int):
    assert rsa.most_plaintext("RSAES_OAEP_SHA_1", bits) == sha1
    assert rsa.most_plaintext("RSAES_OAEP_SHA_256", bits) == sha256
    key = rsa.RsaKey(ID, rsa.make(2048)) if bits == 2048 else None
    if key is not None:
        for algorithm, most in (("RSAES_OAEP_SHA_1", sha1), ("RSAES_OAEP_SHA_256", sha256)):
            assert key.decrypt(algorithm, key.encrypt(algorithm, b"\1" * most)) == b"\1" * most
            with pytest.raises(ValueError, match="Encryption"):
                key.encrypt(algorithm, b"\1" * (most + 1))


def test_material_of_another_kind_is_no_rsa_key():
    other = bytes.fromhex("302e020100300506032b657004220420" + "11" * 32)  # RFC 8410's form of an Ed25519 key
    with pytest.raises(TypeError):
        rsa.RsaKey(ID, other).public()


@pytest.mark.parametrize(
    ("file", "scheme"),
    [("Signature/PKCS1-v1.5/SigVer15_186-3.rsp", "PKCS1_V1_5"), ("Signature/PKCS1-PSS/SigVerPSS_186-3.rsp", "PSS")],
)
def test_signatures_of_nist(file: str, scheme: str):
    seen = []
    for section, test in cavp(file, "Result"):
        algorithm = f"RSASSA_{scheme}_{test['SHAAlg'].replace('SHA', 'SHA_')}"
        if section in {"mod = 2048", "mod = 3072"} and algorithm in rsa.SIGNATURES:
            public = RSAPublicNumbers(int(test["e"], 16), int(test["n"], 16)).public_key()
            valid = test["Result"][0] == "P" and salt_of(test) in {None, rsa.SIGNATURES[algorithm][1].digest_size}
            seen.append(valid)
            assert accepted(public, algorithm, RAW, octets(test["Msg"]), octets(test["S"])) is valid, test["S"]
    assert min(seen.count(True), seen.count(False)) >= 9


def octets(text: str) -> bytes:
    """Bytes of a value; some in these files lack their first zero."""
    return bytes.fromhex(text.zfill(len(text) + len(text) % 2))


def salt_of(test: dict[str, str]) -> int | None:
    """Bytes of the salt; None where there is none."""
    return len(test["SaltVal"]) // 2 if "SaltVal" in test else None
