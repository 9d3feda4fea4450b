"""Requests with a Recipient: who attests decides in policies, and nobody else reads the answer."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from garrison.api import kms as api
from garrison.core.context import ADDITIONAL
from garrison.core.errors import CommonError
from tests.support.kms import NOW, Kms, allow, key_policy, root, root_statement, user
from tests.support.nitro import Hypervisor, opened, public_der, recipient_key

OAEP = "RSAES_OAEP_SHA_256"
IMAGE = "01" * 48
"""Register 0 of the test's documents."""


@pytest.fixture(scope="module")
def hypervisor() -> Hypervisor:
    return Hypervisor(NOW)


@pytest.fixture
def attesting(kms: Kms, hypervisor: Hypervisor) -> Kms:
    kms.attestation_roots = hypervisor.roots
    return kms


@pytest.fixture
def recipient(hypervisor: Hypervisor) -> api.RecipientInfo:
    return api.RecipientInfo(key_encryption_algorithm=OAEP, attestation_document=hypervisor.document())


def test_every_operation_that_has_a_recipient_is_tested_here():
    having = {name for name, (request, _) in api.OPERATIONS.items() if "recipient" in getattr(request, "__struct_fields__", ())}
    assert having == {"Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"}


def test_decrypt(attesting: Kms, recipient: api.RecipientInfo):
    key = attesting.new_key()
    blob = attesting(root(), "Encrypt", key_id=key.key_id, plaintext=b"secret").ciphertext_blob
    answer = attesting(root(), "Decrypt", ciphertext_blob=blob, recipient=recipient)
    assert answer.plaintext is None
    assert opened(answer.ciphertext_for_recipient, recipient_key()) == b"secret"
    assert attesting(root(), "Decrypt", ciphertext_blob=blob).ciphertext_for_recipient is None


def test_generate_data_key(attesting: Kms, recipient: api.RecipientInfo):
    key = attesting.new_key()
    answer = attesting(root(), "GenerateDataKey", key_id=key.key_id, key_spec="AES_256", recipient=recipient)
    assert answer.plaintext is None
    again = attesting(root(), "Decrypt", ciphertext_blob=answer.ciphertext_blob)
    assert opened(answer.ciphertext_for_recipient, recipient_key()) == again.plaintext
    assert len(again.plaintext) == 32


def test_generate_data_key_pair(attesting: Kms, recipient: api.RecipientInfo):
    key = attesting.new_key()
    answer = attesting(root(), "GenerateDataKeyPair", key_id=key.key_id, key_pair_spec="ECC_NIST_P256", recipient=recipient)
    assert answer.private_key_plaintext is None
    private = opened(answer.ciphertext_for_recipient, recipient_key())
    assert attesting(root(), "Decrypt", ciphertext_blob=answer.private_key_ciphertext_blob).plaintext == private
    loaded = load_der_private_key(private, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    assert public_der(loaded) == answer.public_key


def test_generate_random(attesting: Kms, recipient: api.RecipientInfo):
    answer = attesting(root(), "GenerateRandom", number_of_bytes=48, recipient=recipient)
    assert answer.plaintext is None
    assert len(opened(answer.ciphertext_for_recipient, recipient_key())) == 48


def test_derive_shared_secret(attesting: Kms, recipient: api.RecipientInfo):
    key = attesting.new_key(key_spec="ECC_NIST_P384", key_usage="KEY_AGREEMENT")
    peer = ec.generate_private_key(ec.SECP384R1())
    members: dict[str, Any] = {"key_id": key.key_id, "key_agreement_algorithm": "ECDH", "public_key": public_der(peer)}
    answer = attesting(root(), "DeriveSharedSecret", recipient=recipient, **members)
    assert answer.shared_secret is None
    assert (
        opened(answer.ciphertext_for_recipient, recipient_key())
        == attesting(root(), "DeriveSharedSecret", **members).shared_secret
    )


def attested_policy(**condition: Any) -> str:
    statement = {"Principal": {"AWS": "arn:aws:iam::111122223333:user/enclave"}, "Action": "kms:Decrypt", "Condition": condition}
    return key_policy({**root_statement(), "Action": ["kms:Encrypt", "kms:PutKeyPolicy", "kms:CreateKey"]}, statement)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": IMAGE}}, True),
        ({"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": "02" * 48}}, False),
        ({"StringEquals": {"kms:RecipientAttestation:PCR0": IMAGE}}, True),
        ({"StringEquals": {"kms:RecipientAttestation:PCR4": "05" * 48}}, True),
        ({"StringEquals": {"kms:RecipientAttestation:PCR4": "04" * 48}}, False),
        ({"StringEquals": {"kms:RecipientAttestation:PCR31": "00" * 48}}, False),
        ({"StringEquals": {"kms:RecipientAttestation:NitroTPMPCR4": "05" * 48}}, False),
    ],
    ids=str,
)
def test_policies_decide_by_the_document(condition: Any, allowed: bool, attesting: Kms, recipient: api.RecipientInfo):
    attesting.person("user", "enclave")
    key = attesting.new_key(policy=attested_policy(**condition), bypass_policy_lockout_safety_check=True)
    blob = attesting(root(), "Encrypt", key_id=key.key_id, plaintext=b"secret").ciphertext_blob
    enclave = user("enclave")
    if allowed:
        answer = attesting(enclave, "Decrypt", ciphertext_blob=blob, recipient=recipient)
        assert opened(answer.ciphertext_for_recipient, recipient_key()) == b"secret"
    else:
        with pytest.raises(CommonError) as caught:
            attesting(enclave, "Decrypt", ciphertext_blob=blob, recipient=recipient)
        assert caught.value.kind == "access_denied"
    with pytest.raises(CommonError) as caught:
        attesting(enclave, "Decrypt", ciphertext_blob=blob)  # without a document: never
    assert caught.value.kind == "access_denied"


def test_a_tpm_is_no_enclave(attesting: Kms, hypervisor: Hypervisor):
    blob = hypervisor.document(pcrs=None, nitrotpm_pcrs={index: bytes([index]) * 48 for index in range(24)})
    recipient = api.RecipientInfo(key_encryption_algorithm=OAEP, attestation_document=blob)
    for condition, allowed in (
        ({"kms:RecipientAttestation:NitroTPMPCR7": "07" * 48}, True),
        ({"kms:RecipientAttestation:PCR7": "07" * 48}, False),
        ({"kms:RecipientAttestation:ImageSha384": "00" * 48}, False),
    ):
        caller = user("instance", allow("kms:GenerateRandom", Condition={"StringEquals": condition}))
        if allowed:
            assert attesting(caller, "GenerateRandom", number_of_bytes=8, recipient=recipient).plaintext is None
        else:
            with pytest.raises(CommonError, match="not authorized"):
                attesting(caller, "GenerateRandom", number_of_bytes=8, recipient=recipient)
    assert attesting.scratch[ADDITIONAL]["recipient"]["attestationDocumentNitroTPMPCR16"] == "10" * 48


def test_a_document_that_is_not_believed(attesting: Kms, hypervisor: Hypervisor):
    key = attesting.new_key()
    blob = attesting(root(), "Encrypt", key_id=key.key_id, plaintext=b"secret").ciphertext_blob
    stranger = Hypervisor(NOW)
    for document in (b"x", stranger.document(), hypervisor.document(timestamp=int((NOW - 3600) * 1000))):
        recipient = api.RecipientInfo(key_encryption_algorithm=OAEP, attestation_document=document)
        with pytest.raises(CommonError, match=r"^The attestation document in the request is not valid: ") as caught:
            attesting(root(), "Decrypt", ciphertext_blob=blob, recipient=recipient)
        assert caught.value.kind == "validation"


def test_without_other_roots_only_aws_s_own_counts(kms: Kms, recipient: api.RecipientInfo):
    with pytest.raises(CommonError, match="no chain of valid certificates"):
        kms(root(), "GenerateRandom", number_of_bytes=8, recipient=recipient)


def test_half_a_recipient(attesting: Kms, hypervisor: Hypervisor):
    for members, named in (
        ({"key_encryption_algorithm": OAEP}, "recipient.attestationDocument"),
        ({"attestation_document": hypervisor.document()}, "recipient.keyEncryptionAlgorithm"),
    ):
        with pytest.raises(CommonError, match=f"Value null at '{named}'"):
            attesting(root(), "GenerateRandom", number_of_bytes=8, recipient=api.RecipientInfo(**members))


def test_what_the_event_shows(attesting: Kms, recipient: api.RecipientInfo):
    attesting(root(), "GenerateRandom", number_of_bytes=8, recipient=recipient)
    assert attesting.scratch[ADDITIONAL] == {
        "recipient": {
            "attestationDocumentModuleId": "i-0123456789abcdef0-enc0123456789abcdef",
            "attestationDocumentEnclaveImageDigest": IMAGE,
            **{f"attestationDocumentEnclavePCR{index}": bytes([index + 1] * 48).hex() for index in (1, 2, 3, 4, 8)},
        }
    }


def test_a_dry_run_seals_nothing(attesting: Kms, recipient: api.RecipientInfo):
    key = attesting.new_key()
    with pytest.raises(api.DryRunOperationException):
        attesting(root(), "GenerateDataKey", key_id=key.key_id, key_spec="AES_256", recipient=recipient, dry_run=True)
