"""Sign and Verify: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding
from cryptography.hazmat.primitives.asymmetric import rsa as library
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.core.operation import REGISTRY
from garrison.keys.kms.specs import SPECS
from tests.support.kms import OTHER, Caller, Kms, allow, key_policy, root, root_statement, user

SIGNING = [(spec.name, algorithm) for spec in SPECS.values() for algorithm in spec.algorithms.get("SIGN_VERIFY", ())]
HASHES: dict[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
NOTHING: dict[str, Any] = {}
MESSAGE = b"pay 100 to alice"


def new(kms: Kms, spec: str, usage: str = "SIGN_VERIFY") -> api.KeyMetadata:
    return kms.new_key(key_spec=spec, key_usage=usage)


def kind_of(algorithm: str) -> str:
    return "DIGEST" if algorithm == "ED25519_PH_SHA_512" else "RAW"


def message_of(algorithm: str) -> bytes:
    return hashlib.sha512(MESSAGE).digest() if algorithm == "ED25519_PH_SHA_512" else MESSAGE


def sign(kms: Kms, key: api.KeyMetadata, algorithm: str, caller: Caller | None = None, **members: Any) -> bytes:
    members = {"message": message_of(algorithm), "message_type": kind_of(algorithm), **members}
    answer = kms(caller or root(), "Sign", key_id=key.arn, signing_algorithm=algorithm, **members)
    assert (answer.key_id, answer.signing_algorithm) == (key.arn, algorithm)
    signature: bytes = answer.signature
    return signature


def check(public: bytes, algorithm: str, signature: bytes) -> None:
    """Verify outside, with what GetPublicKey gave and nothing else. Raises InvalidSignature."""
    key = load_der_public_key(public)
    if isinstance(key, library.RSAPublicKey):
        hashing = HASHES[algorithm[-3:]]
        scheme = padding.PSS(padding.MGF1(hashing), hashing.digest_size) if "PSS" in algorithm else padding.PKCS1v15()
        key.verify(signature, MESSAGE, scheme, hashing)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, MESSAGE, ec.ECDSA(HASHES[algorithm[-3:]]))
    else:
        assert isinstance(key, Ed25519PublicKey | mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey)
        key.verify(signature, MESSAGE)


@pytest.mark.parametrize(("spec", "algorithm"), SIGNING)
def test_there_and_back(kms: Kms, spec: str, algorithm: str):
    key = new(kms, spec)
    signature = sign(kms, key, algorithm)
    members: dict[str, Any] = {"message_type": kind_of(algorithm), "signing_algorithm": algorithm, "signature": signature}
    answer = kms(root(), "Verify", key_id=key.key_id, message=message_of(algorithm), **members)
    assert answer == api.VerifyResponse(key_id=key.arn, signature_valid=True, signing_algorithm=algorithm)
    other = message_of(algorithm)[:-1] + b"?"
    with pytest.raises(api.KMSInvalidSignatureException, match=r"^$"):
        kms(root(), "Verify", key_id=key.key_id, message=other, **members)
    public = kms(root(), "GetPublicKey", key_id=key.key_id).public_key
    if algorithm != "ED25519_PH_SHA_512":
        check(public, algorithm, signature)
        with pytest.raises(InvalidSignature):
            check(public, algorithm, signature[:-1] + bytes([signature[-1] ^ 1]))


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [(spec, name) for spec, name in SIGNING if "ED25519" not in name and "ML_DSA" not in name and spec != "RSA_4096"],
)
def test_a_message_and_its_digest_are_one(kms: Kms, spec: str, algorithm: str):
    key = new(kms, spec)
    digest = hashlib.new(f"sha{algorithm[-3:]}", MESSAGE).digest()
    signature, more = b"", NOTHING
    for one, two in (("RAW", "DIGEST"), ("DIGEST", "RAW")):
        texts = {"RAW": MESSAGE, "DIGEST": digest}
        signature = sign(kms, key, algorithm, message=texts[one], message_type=one)
        kms(
            root(),
            "Verify",
            key_id=key.key_id,
            message=texts[two],
            message_type=two,
            signing_algorithm=algorithm,
            signature=signature,
        )
    for bad in (digest[:-1], digest + b"\0", MESSAGE):
        for operation, more in (("Sign", NOTHING), ("Verify", {"signature": signature})):
            with pytest.raises(CommonError) as caught:
                kms(root(), operation, key_id=key.key_id, message=bad, message_type="DIGEST", signing_algorithm=algorithm, **more)
            assert caught.value.message == f"Digest is invalid length for algorithm {algorithm}."  # recorded on AWS


@pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"])
def test_external_mu(kms: Kms, spec: str):
    key = new(kms, spec)
    public = kms(root(), "GetPublicKey", key_id=key.key_id).public_key[22:]
    # FIPS 204, algorithm 2 and algorithm 7, line 6, with an empty context.
    mu = hashlib.shake_256(hashlib.shake_256(public).digest(64) + b"\0\0" + MESSAGE).digest(64)
    signature = sign(kms, key, "ML_DSA_SHAKE_256", message=mu, message_type="EXTERNAL_MU")
    for kind, message in (("RAW", MESSAGE), ("EXTERNAL_MU", mu)):
        kms(
            root(),
            "Verify",
            key_id=key.key_id,
            message=message,
            message_type=kind,
            signing_algorithm="ML_DSA_SHAKE_256",
            signature=signature,
        )
    for bad in (mu[:-1], mu + b"\0"):
        with pytest.raises(CommonError, match=r"^External Mu is invalid length for algorithm ML_DSA_SHAKE_256\.$"):
            sign(kms, key, "ML_DSA_SHAKE_256", message=bad, message_type="EXTERNAL_MU")


# Measured on AWS (public reports), but for EXTERNAL_MU, which follows the same form.
@pytest.mark.parametrize(
    ("spec", "algorithm", "kind", "text"),
    [
        ("ML_DSA_44", "ML_DSA_SHAKE_256", "DIGEST", "Message type DIGEST is incompatible with key spec ML_DSA_44."),
        (
            "ECC_NIST_EDWARDS25519",
            "ED25519_SHA_512",
            "DIGEST",
            "Message type DIGEST is incompatible with algorithm ED25519_SHA_512.",
        ),
        (
            "ECC_NIST_EDWARDS25519",
            "ED25519_PH_SHA_512",
            "RAW",
            "Message type RAW is incompatible with algorithm ED25519_PH_SHA_512.",
        ),
        (
            "ECC_NIST_P256",
            "ECDSA_SHA_256",
            "EXTERNAL_MU",
            "Message type EXTERNAL_MU is incompatible with key spec ECC_NIST_P256.",
        ),
    ],
)
def test_message_types(kms: Kms, spec: str, algorithm: str, kind: str, text: str):
    key = new(kms, spec)
    for operation, more in (("Sign", NOTHING), ("Verify", {"signature": b"s"})):
        with pytest.raises(CommonError) as caught:
            kms(root(), operation, key_id=key.key_id, message=bytes(64), message_type=kind, signing_algorithm=algorithm, **more)
        assert (caught.value.kind, caught.value.message) == ("validation", text)


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
def test_keys_of_another_kind(kms: Kms, operation: str):
    more: dict[str, Any] = {"signature": b"s"} if operation == "Verify" else {}
    for key in (kms.new_key(), new(kms, "HMAC_256", "GENERATE_VERIFY_MAC"), new(kms, "ECC_NIST_P256", "KEY_AGREEMENT")):
        text = f"^{key.arn} key usage is {key.key_usage} which is not valid for {operation}.$"
        with pytest.raises(api.InvalidKeyUsageException, match=text):
            kms(root(), operation, key_id=key.key_id, message=b"m", signing_algorithm="ECDSA_SHA_256", **more)
    key = new(kms, "ECC_NIST_P256")
    for algorithm in ("ECDSA_SHA_384", "RSASSA_PSS_SHA_256", "SM2DSA", "ED25519_SHA_512", "ML_DSA_SHAKE_256"):
        with pytest.raises(
            api.InvalidKeyUsageException, match=f"^Algorithm {algorithm} is incompatible with key spec ECC_NIST_P256.$"
        ):
            kms(root(), operation, key_id=key.key_id, message=b"m", signing_algorithm=algorithm, **more)


def test_signatures_of_another_key_or_algorithm(kms: Kms):
    one, two = new(kms, "RSA_2048"), new(kms, "RSA_2048")
    signature = sign(kms, one, "RSASSA_PSS_SHA_256")
    for key, algorithm, bad in (
        (two, "RSASSA_PSS_SHA_256", signature),
        (one, "RSASSA_PKCS1_V1_5_SHA_256", signature),
        (one, "RSASSA_PSS_SHA_384", signature),
        (one, "RSASSA_PSS_SHA_256", signature + b"\0"),
        (one, "RSASSA_PSS_SHA_256", signature[:-1]),
        (one, "RSASSA_PSS_SHA_256", b"\0"),
    ):
        with pytest.raises(api.KMSInvalidSignatureException, match=r"^$"):
            kms(root(), "Verify", key_id=key.key_id, message=MESSAGE, signing_algorithm=algorithm, signature=bad)


def test_dry_run(kms: Kms):
    key = new(kms, "ECC_NIST_P256")
    signature = sign(kms, key, "ECDSA_SHA_256")
    members: dict[str, Any] = {"key_id": key.key_id, "message": MESSAGE, "signing_algorithm": "ECDSA_SHA_256", "dry_run": True}
    with pytest.raises(api.DryRunOperationException, match="DryRun option is set"):
        kms(root(), "Sign", **members)
    with pytest.raises(api.DryRunOperationException):
        kms(root(), "Verify", **members, signature=signature)
    with pytest.raises(api.KMSInvalidSignatureException):
        kms(root(), "Verify", **{**members, "message": b"other"}, signature=signature)


def test_condition_keys(kms: Kms):
    key = new(kms, "RSA_2048")
    kms(root(), "CreateAlias", alias_name="alias/signer", target_key_id=key.key_id)
    conditions = {"kms:SigningAlgorithm": "RSASSA_PSS_SHA_256", "kms:MessageType": "RAW", "kms:RequestAlias": "alias/signer"}
    alice = user("alice", allow("kms:Sign", Condition={"StringEquals": conditions}))
    members: dict[str, Any] = {"message": hashlib.sha256(MESSAGE).digest()}
    good = {"key_id": "alias/signer", "signing_algorithm": "RSASSA_PSS_SHA_256"}
    kms(alice, "Sign", **good, **members)
    for changed in ({"signing_algorithm": "RSASSA_PSS_SHA_384"}, {"message_type": "DIGEST"}, {"key_id": key.key_id}):
        with pytest.raises(CommonError) as caught:
            kms(alice, "Sign", **{**good, **changed}, **members)
        assert caught.value.kind == "access_denied"


def test_another_account(kms: Kms):
    stranger = user("bob", allow("kms:*"), account=OTHER)
    key = new(kms, "ECC_NIST_P256")
    with pytest.raises(CommonError) as caught:
        sign(kms, key, "ECDSA_SHA_256", stranger)
    assert caught.value.kind == "access_denied"
    shared = {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": ["kms:Verify", "kms:GetPublicKey"]}
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=key_policy(root_statement(), shared))
    signature = sign(kms, key, "ECDSA_SHA_256")
    kms(stranger, "Verify", key_id=key.arn, message=MESSAGE, signing_algorithm="ECDSA_SHA_256", signature=signature)
    kms(stranger, "GetPublicKey", key_id=key.arn)
    with pytest.raises(CommonError):
        sign(kms, key, "ECDSA_SHA_256", stranger)


def test_the_trail_has_no_message():
    audit = REGISTRY["kms", "verify"].audit_request
    assert audit is not None
    request = api.VerifyRequest(key_id="k", message=b"m", signature=b"s", signing_algorithm="ECDSA_SHA_256")
    assert audit(request) == {"keyId": "k", "messageType": "RAW", "signingAlgorithm": "ECDSA_SHA_256"}
