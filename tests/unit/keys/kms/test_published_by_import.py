"""Published private keys, imported as a customer imports them, and published answers of the operations.

``test_published.py`` has all vectors; these show that nothing between the request and the key alters them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from garrison.core.errors import CommonError, ServiceError
from garrison.keys.kms.algorithms import ecc, mac, mlkem
from tests.support import rfc
from tests.support.importing import wrapped
from tests.support.kms import Kms, root
from tests.support.published import Vector, wycheproof

PKCS8 = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def imported(kms: Kms, spec: str, usage: str, material: bytes) -> Callable[..., Any]:
    """An imported key, as something to ask: an operation, the error by which it may refuse, and its members.

    Answers None where it refuses.
    """
    key = kms.new_key(origin="EXTERNAL", key_spec=spec, key_usage=usage)
    kms(root(), "ImportKeyMaterial", **wrapped(kms, key, material, "RSA_AES_KEY_WRAP_SHA_256"))

    def ask(operation: str, refusal: str, **members: Any) -> Any:
        try:
            return kms(root(), operation, key_id=key.key_id, **members)
        except (ServiceError, CommonError) as error:
            if type(error).__name__ != refusal:
                raise
            return None

    return ask


def most_asked(tests: Iterable[Vector], name: str) -> tuple[str, list[dict[str, Any]]]:
    """The private key that most tests of a file have, and these tests."""
    found = list(tests)
    key = Counter(test[name] for _, test in found).most_common(1)[0][0]
    return key, [test for _, test in found if test[name] == key]


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_macs(kms: Kms, bits: int):
    file = f"Mac/hmac_sha{bits}_test"
    key, altered = most_asked(wycheproof(file, keySize=bits, tagSize=bits), "key")
    good = [
        test for _, test in wycheproof(file, keySize=bits) if test["key"] != key and test["result"] == "valid" and test["msg"]
    ]
    algorithm = {"mac_algorithm": f"HMAC_SHA_{bits}"}
    ask = imported(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC", bytes.fromhex(key))
    asked = 0
    for test in altered:
        message, tag = bytes.fromhex(test["msg"]), bytes.fromhex(test["tag"])
        if message:  # the model has no empty ones
            valid = ask("VerifyMac", "KMSInvalidMacException", message=message, mac=tag, **algorithm)
            assert (valid is not None) is (test["result"] == "valid"), test["tcId"]
            asked += 1
    assert asked > 20
    for test in good[:3]:
        ask = imported(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC", bytes.fromhex(test["key"]))
        made = ask("GenerateMac", "", message=bytes.fromhex(test["msg"]), **algorithm).mac
        assert len(made) == mac.ALGORITHMS[f"HMAC_SHA_{bits}"][1]
        assert made.hex().startswith(test["tag"]), test["tcId"]


def test_rsa_signatures(kms: Kms):
    group, _ = next(wycheproof("Signature/rsa_pkcs1_2048_sig_gen_test", sha="SHA-256"))
    ask = imported(kms, "RSA_2048", "SIGN_VERIFY", bytes.fromhex(group["privateKeyPkcs8"]))
    count = 0
    for found, test in wycheproof("Signature/rsa_pkcs1_2048_sig_gen_test", privateKeyPkcs8=group["privateKeyPkcs8"]):
        algorithm = f"RSASSA_PKCS1_V1_5_SHA_{found['sha'].removeprefix('SHA-')}"
        if test["msg"] and found["sha"] in {"SHA-256", "SHA-384", "SHA-512"}:
            members = {"message": bytes.fromhex(test["msg"]), "signing_algorithm": algorithm}
            assert ask("Sign", "", **members).signature.hex() == test["sig"]
            assert ask("Verify", "", signature=bytes.fromhex(test["sig"]), **members).signature_valid
            count += 1
    assert count > 3


@pytest.mark.parametrize("hashing", ["sha1", "sha256"])
def test_rsa_encryption(kms: Kms, hashing: str):
    file = f"Cipher/rsa_oaep_2048_{hashing}_mgf1{hashing}_test"
    group, _ = next(wycheproof(file))
    ask = imported(kms, "RSA_2048", "ENCRYPT_DECRYPT", bytes.fromhex(group["privateKeyPkcs8"]))
    seen = set()
    for _, test in wycheproof(file, privateKeyPkcs8=group["privateKeyPkcs8"]):
        members = {
            "ciphertext_blob": bytes.fromhex(test["ct"]),
            "encryption_algorithm": f"RSAES_OAEP_{hashing.upper().replace('SHA', 'SHA_')}",
        }
        answer = ask("Decrypt", "InvalidCiphertextException", **members)
        valid = test["result"] == "valid" and not test["label"]
        seen.add(valid)
        assert (answer.plaintext.hex() if answer else None) == (test["msg"] if valid else None), test["tcId"]
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("spec", "curve"), [("ECC_NIST_P256", "secp256r1"), ("ECC_NIST_P384", "secp384r1"), ("ECC_NIST_P521", "secp521r1")]
)
def test_agreement(kms: Kms, spec: str, curve: str):
    for result in ("valid", "invalid"):
        found = ((group, test) for group, test in wycheproof(f"Protocol/ecdh_{curve}_test") if test["result"] == result)
        scalar, tests = most_asked(found, "private")
        private = ec.derive_private_key(int(scalar, 16), ecc.CURVES[spec])
        ask = imported(kms, spec, "KEY_AGREEMENT", private.private_bytes(*PKCS8))
        for test in tests:
            members = {"public_key": bytes.fromhex(test["public"]), "key_agreement_algorithm": "ECDH"}
            answer = ask("DeriveSharedSecret", "WordlessValidationError", **members)
            secret = answer.shared_secret.hex() if answer else None
            assert secret == (test["shared"] if result == "valid" else None), test["tcId"]
        assert len(tests) > 3


@pytest.mark.parametrize("case", [case for case in rfc.ED25519 if case.message], ids=lambda case: case.name)
def test_ed25519(kms: Kms, case: rfc.Edwards):
    """The RFC's message of Ed25519ph has not the 64 bytes that the API asks of a digest: its signature is none of Ed25519's."""
    ask = imported(kms, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY", bytes.fromhex("302e020100300506032b657004220420" + case.seed))
    assert ask("GetPublicKey", "").public_key.hex().endswith(case.public)
    members = {"message": bytes.fromhex(case.message), "signing_algorithm": "ED25519_SHA_512", "message_type": "RAW"}
    if not case.prehashed:
        assert ask("Sign", "", **members).signature.hex() == case.signature
        assert ask("Verify", "", signature=bytes.fromhex(case.signature), **members).signature_valid
    else:
        assert ask("Verify", "KMSInvalidSignatureException", signature=bytes.fromhex(case.signature), **members) is None


@pytest.mark.parametrize(
    ("size", "kind"), [("44", mldsa.MLDSA44PrivateKey), ("65", mldsa.MLDSA65PrivateKey), ("87", mldsa.MLDSA87PrivateKey)]
)
def test_ml_dsa(kms: Kms, size: str, kind: type[mldsa.MLDSA44PrivateKey]):
    file = f"Signature/mldsa_{size}_sign_seed_test"
    group, _ = next(wycheproof(file))
    ask = imported(
        kms, f"ML_DSA_{size}", "SIGN_VERIFY", kind.from_seed_bytes(bytes.fromhex(group["privateSeed"])).private_bytes(*PKCS8)
    )
    assert ask("GetPublicKey", "").public_key.hex().endswith(group["publicKey"])
    count = 0
    for _, test in wycheproof(file, privateSeed=group["privateSeed"]):
        if test["result"] != "valid" or not test.get("msg") or test.get("ctx"):
            continue
        signature = bytes.fromhex(test["sig"])
        for message_type, message in (("RAW", test["msg"]), ("EXTERNAL_MU", test["mu"])):
            members = {"message": bytes.fromhex(message), "message_type": message_type, "signing_algorithm": "ML_DSA_SHAKE_256"}
            assert ask("Verify", "", signature=signature, **members).signature_valid
            bad = signature[:-1] + bytes([signature[-1] ^ 1])
            assert ask("Verify", "KMSInvalidSignatureException", signature=bad, **members) is None
        count += 1
    assert count > 0


@pytest.mark.parametrize("size", ["512", "768", "1024"])
def test_ml_kem(kms: Kms, size: str):
    spec = f"ML_KEM_{size}"
    seed, tests = most_asked(
        ((group, test) for group, test in wycheproof(f"Protocol/mlkem_{size}_test") if len(test["seed"]) == 128), "seed"
    )
    ask = imported(kms, spec, "ENCAPSULATE_DECAPSULATE", mlkem.pkcs8(spec, bytes.fromhex(seed)))
    for test in tests:
        members = {"shared_secret_ciphertext_blob": bytes.fromhex(test["c"]), "encapsulation_algorithm": "ML_KEM"}
        answer = ask("Decapsulate", "InvalidCiphertextException", **members)
        assert (answer.shared_secret.hex() if answer else None) == (test["K"] if test["result"] == "valid" else None), test[
            "tcId"
        ]
    assert len(tests) > 3
