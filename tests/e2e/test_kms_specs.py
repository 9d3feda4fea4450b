"""Keys of every spec as boto3 sees them: what KMS makes is checked outside, with the public key alone, and the other way round."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey, MLKEM1024PublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key, load_der_public_key

from garrison.core.model import load_model
from tests.support.clients import boto
from tests.support.server import Server

HASHES: dict[str, HashAlgorithm] = {
    "_1": SHA1(),  # noqa: S303 - one of the algorithms KMS offers
    "256": SHA256(),
    "384": SHA384(),
    "512": SHA512(),
}
MESSAGE = b"a message"
PAIRS = [name for name in load_model("kms").shape("DataKeyPairSpec").enum if name != "SM2"]


@pytest.fixture
def kms(server: Server) -> Any:
    return boto(server, "kms")


def new(kms: Any, spec: str, usage: str) -> dict[str, Any]:
    metadata: dict[str, Any] = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    return metadata


def public_key(kms: Any, key: dict[str, Any]) -> Any:
    answer = kms.get_public_key(KeyId=key["KeyId"])
    assert (answer["KeyId"], answer["KeySpec"], answer["KeyUsage"]) == (key["Arn"], key["KeySpec"], key["KeyUsage"])
    return load_der_public_key(answer["PublicKey"])


def refused(call: Any, **members: Any) -> tuple[str, str, int]:
    """Code, message and status of a call that fails."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def check(public: Any, algorithm: str, message: bytes, signature: bytes) -> None:
    """Verify outside. Raises InvalidSignature."""
    if isinstance(public, rsa.RSAPublicKey):
        hashing = HASHES[algorithm[-3:]]
        scheme = padding.PSS(padding.MGF1(hashing), hashing.digest_size) if "PSS" in algorithm else padding.PKCS1v15()
        public.verify(signature, message, scheme, hashing)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, message, ec.ECDSA(HASHES[algorithm[-3:]]))
    else:
        assert isinstance(public, Ed25519PublicKey | mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey)
        public.verify(signature, message)


@pytest.mark.parametrize(
    "spec",
    [
        "RSA_2048",
        "RSA_3072",
        "RSA_4096",
        "ECC_NIST_P256",
        "ECC_NIST_P384",
        "ECC_NIST_P521",
        "ECC_SECG_P256K1",
        "ECC_NIST_EDWARDS25519",
        "ML_DSA_44",
        "ML_DSA_65",
        "ML_DSA_87",
    ],
)
def test_signatures(kms: Any, spec: str):
    key = new(kms, spec, "SIGN_VERIFY")
    public = public_key(kms, key)
    for algorithm in key["SigningAlgorithms"]:
        prehashed = algorithm == "ED25519_PH_SHA_512"
        message = hashlib.sha512(MESSAGE).digest() if prehashed else MESSAGE
        members = {
            "KeyId": key["KeyId"],
            "SigningAlgorithm": algorithm,
            "Message": message,
            "MessageType": "DIGEST" if prehashed else "RAW",
        }
        made = kms.sign(**members)
        assert (made["KeyId"], made["SigningAlgorithm"]) == (key["Arn"], algorithm)
        answer = kms.verify(**members, Signature=made["Signature"])
        assert (answer["KeyId"], answer["SignatureValid"], answer["SigningAlgorithm"]) == (key["Arn"], True, algorithm)
        if not prehashed:
            check(public, algorithm, message, made["Signature"])
        bent = bytes([made["Signature"][0] ^ 1]) + made["Signature"][1:]
        assert refused(kms.verify, **members, Signature=bent) == ("KMSInvalidSignatureException", "", 400)


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_encryption(kms: Any, spec: str):
    key = new(kms, spec, "ENCRYPT_DECRYPT")
    public = public_key(kms, key)
    for algorithm in key["EncryptionAlgorithms"]:
        hashing = HASHES["_1" if algorithm.endswith("_1") else "256"]
        outside = public.encrypt(b"from outside", padding.OAEP(padding.MGF1(hashing), hashing, None))
        inside = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"from inside", EncryptionAlgorithm=algorithm)
        assert inside["EncryptionAlgorithm"] == algorithm
        for blob, text in ((outside, b"from outside"), (inside["CiphertextBlob"], b"from inside")):
            back = kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
            assert (back["Plaintext"], back["EncryptionAlgorithm"], back["KeyId"]) == (text, algorithm, key["Arn"])
            assert "KeyMaterialId" not in back


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_macs(kms: Any, bits: int):
    key = new(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
    assert key["MacAlgorithms"] == [f"HMAC_SHA_{bits}"]
    members = {"KeyId": key["KeyId"], "Message": MESSAGE, "MacAlgorithm": f"HMAC_SHA_{bits}"}
    mac = kms.generate_mac(**members)["Mac"]
    assert len(mac) == bits // 8
    assert kms.verify_mac(**members, Mac=mac)["MacValid"] is True
    assert refused(kms.verify_mac, **members, Mac=mac[:-1]) == ("KMSInvalidMacException", "", 400)
    assert refused(kms.get_public_key, KeyId=key["KeyId"])[0] == "UnsupportedOperationException"


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_agreement(kms: Any, spec: str):
    key = new(kms, spec, "KEY_AGREEMENT")
    theirs = public_key(kms, key)
    mine = ec.generate_private_key(theirs.curve)
    sent = mine.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    answer = kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=sent)
    assert answer["SharedSecret"] == mine.exchange(ec.ECDH(), theirs)
    assert (answer["KeyOrigin"], answer["KeyAgreementAlgorithm"]) == ("AWS_KMS", "ECDH")
    code, message, status = refused(kms.derive_shared_secret, KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=b"x")
    assert (code, message, status) == ("ValidationException", "", 400)


@pytest.mark.parametrize("spec", ["ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"])
def test_encapsulation(kms: Any, spec: str):
    key = new(kms, spec, "ENCAPSULATE_DECAPSULATE")
    assert key["EncapsulationAlgorithms"] == ["ML_KEM"]
    members = {"KeyId": key["KeyId"], "EncapsulationAlgorithm": "ML_KEM"}
    made = kms.encapsulate(**members)
    back = kms.decapsulate(**members, SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"])
    assert back["SharedSecret"] == made["SharedSecret"]
    if spec != "ML_KEM_512":
        public = public_key(kms, key)
        assert isinstance(public, MLKEM768PublicKey | MLKEM1024PublicKey)
        secret, blob = public.encapsulate()
        assert kms.decapsulate(**members, SharedSecretCiphertextBlob=blob)["SharedSecret"] == secret


@pytest.mark.parametrize("spec", PAIRS)
def test_data_key_pairs(kms: Any, spec: str):
    key = kms.create_key()["KeyMetadata"]
    members = {"KeyId": key["KeyId"], "KeyPairSpec": spec, "EncryptionContext": {"a": "b"}}
    made = kms.generate_data_key_pair(**members)
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    if spec != "ML_KEM_512":
        private: Any = load_der_private_key(made["PrivateKeyPlaintext"], None)
        assert private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == made["PublicKey"]
    bare = kms.generate_data_key_pair_without_plaintext(**members)
    assert "PrivateKeyPlaintext" not in bare
    assert bare["PublicKey"] != made["PublicKey"]
    private = kms.decrypt(CiphertextBlob=bare["PrivateKeyCiphertextBlob"], EncryptionContext={"a": "b"})["Plaintext"]
    assert len(private) - len(made["PrivateKeyPlaintext"]) in range(-8, 9)


def test_many_slow_keys_at_once(kms: Any, server: Server):
    """Each is another key, and other calls are answered meanwhile."""
    with ThreadPoolExecutor(5) as threads:
        slow = [threads.submit(new, kms, "RSA_2048", "SIGN_VERIFY") for _ in range(4)]
        pairs = [
            threads.submit(kms.generate_data_key_pair, KeyId=kms.create_key()["KeyMetadata"]["KeyId"], KeyPairSpec="RSA_2048")
        ]
        while not all(one.done() for one in slow):
            assert len(kms.generate_random(NumberOfBytes=8)["Plaintext"]) == 8
        found = {kms.get_public_key(KeyId=one.result()["KeyId"])["PublicKey"] for one in slow} | {
            one.result()["PublicKey"] for one in pairs
        }
    assert len(found) == 5


def test_refusals_over_the_wire(kms: Any):
    key = new(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    members = {"KeyId": key["KeyId"], "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    assert refused(kms.sign, **{**members, "MessageType": "DIGEST"}) == (
        "ValidationException",
        "Digest is invalid length for algorithm ECDSA_SHA_256.",
        400,
    )
    assert refused(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == (
        "InvalidKeyUsageException",
        f"{key['Arn']} key usage is SIGN_VERIFY which is not valid for Encrypt.",
        400,
    )
    code, message, _ = refused(kms.sign, **{**members, "Message": b"x" * 4097})
    assert code == "ValidationException"
    assert "Member must have length less than or equal to 4096" in message
    assert refused(kms.create_key, KeySpec="RSA_2048", KeyUsage="KEY_AGREEMENT")[:2] == (
        "ValidationException",
        "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048",
    )
    assert refused(kms.create_key, KeySpec="SM2", KeyUsage="SIGN_VERIFY")[0] == "UnsupportedOperationException"
    assert refused(kms.generate_mac, KeyId=key["KeyId"], Message=MESSAGE, MacAlgorithm="INVALID")[1] == (
        "1 validation error detected: Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: "
        "Member must satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]"
    )
