from __future__ import annotations

from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.core.operation import REGISTRY
from tests.support.kms import ACCOUNT, OTHER, REGION, Calls, Kms, allow, key_policy, role_session, root, root_statement, user

CONTEXT = {"app": "billing", "tenant": "42"}
STRANGER = (
    "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy"
    " explicitly denies access"
)


@pytest.fixture
def key(kms: Kms) -> api.KeyMetadata:
    return kms.new_key()


def encrypted(kms: Kms, key: api.KeyMetadata, plaintext: bytes = b"secret", **members: Any) -> bytes:
    blob: bytes = kms(root(), "Encrypt", key_id=key.key_id, plaintext=plaintext, **members).ciphertext_blob
    return blob


# Encrypt, Decrypt


def test_there_and_back(kms: Kms, key: api.KeyMetadata):
    answer = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"secret", encryption_context=CONTEXT)
    assert (answer.key_id, answer.encryption_algorithm) == (key.arn, "SYMMETRIC_DEFAULT")
    assert b"secret" not in answer.ciphertext_blob
    back = kms(root(), "Decrypt", ciphertext_blob=answer.ciphertext_blob, encryption_context=dict(reversed(CONTEXT.items())))
    assert back == api.DecryptResponse(
        key_id=key.arn,
        plaintext=b"secret",
        encryption_algorithm="SYMMETRIC_DEFAULT",
        key_material_id=key.current_key_material_id,
    )


@pytest.mark.parametrize("size", [1, 4096])
def test_bounds_of_the_plaintext(kms: Kms, key: api.KeyMetadata, size: int):
    assert kms(root(), "Decrypt", ciphertext_blob=encrypted(kms, key, bytes(size))).plaintext == bytes(size)


def test_encrypting_twice_gives_two_ciphertexts(kms: Kms, key: api.KeyMetadata):
    assert encrypted(kms, key) != encrypted(kms, key)


@pytest.mark.parametrize(
    "other",
    [
        None,
        {},
        {"app": "billing"},
        {**CONTEXT, "more": ""},
        {"app": "BILLING", "tenant": "42"},
        {"App": "billing", "tenant": "42"},
    ],
)
def test_another_context_is_invalid_ciphertext_without_a_word(kms: Kms, key: api.KeyMetadata, other: dict[str, str] | None):
    blob = encrypted(kms, key, encryption_context=CONTEXT)
    with pytest.raises(api.InvalidCiphertextException) as caught:
        kms(root(), "Decrypt", ciphertext_blob=blob, encryption_context=other)
    assert caught.value.message == ""


def test_an_altered_ciphertext_is_invalid_without_a_word(kms: Kms, key: api.KeyMetadata):
    blob = encrypted(kms, key)
    for position in (*range(33, len(blob)), 0):
        altered = bytearray(blob)
        altered[position] ^= 1
        with pytest.raises(api.InvalidCiphertextException) as caught:
            kms(root(), "Decrypt", ciphertext_blob=bytes(altered))
        assert caught.value.message == ""


@pytest.mark.parametrize("blob", [b"x", b"\x01" * 77, bytes(6144), b"AQICAHjROnjSmKd/rUcfZS+nVV"])
def test_what_is_no_ciphertext_is_invalid_for_everybody(kms: Kms, blob: bytes):
    for caller in (root(), user("eve")):
        with pytest.raises(api.InvalidCiphertextException):
            kms(caller, "Decrypt", ciphertext_blob=blob)


def test_ciphertexts_of_keys_that_are_not_here_all_look_alike(kms: Kms, key: api.KeyMetadata):
    unknown = bytearray(encrypted(kms, key))
    unknown[20] ^= 1  # another key's material
    foreign = kms(root(OTHER), "Encrypt", key_id=kms.new_key(root(OTHER)).key_id, plaintext=b"x").ciphertext_blob
    elsewhere = kms(root(), "CreateKey", region="us-east-1").key_metadata
    distant = kms(root(), "Encrypt", region="us-east-1", key_id=elsewhere.key_id, plaintext=b"x").ciphertext_blob
    for blob in (bytes(unknown), foreign, distant):
        with pytest.raises(CommonError) as caught:
            kms(root(), "Decrypt", ciphertext_blob=blob)
        assert caught.value.kind == "access_denied"
        assert caught.value.message == (
            f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: kms:Decrypt"
            f" on the resource associated with this ciphertext {STRANGER}"
        )


def test_a_denial_does_not_name_the_key_of_a_ciphertext(kms: Kms, key: api.KeyMetadata):
    with pytest.raises(CommonError) as caught:
        kms(user("eve"), "Decrypt", ciphertext_blob=encrypted(kms, key))
    assert caught.value.message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/eve is not authorized to perform: kms:Decrypt"
        " on the resource associated with this ciphertext because no identity-based policy allows the kms:Decrypt action"
    )


def test_a_denial_names_the_key_that_the_caller_named(kms: Kms, key: api.KeyMetadata):
    calls: Calls = [
        ("Decrypt", {"ciphertext_blob": encrypted(kms, key), "key_id": key.key_id}),
        ("Encrypt", {"plaintext": b"x", "key_id": key.key_id}),
        ("GenerateDataKey", {"key_spec": "AES_256", "key_id": key.key_id}),
    ]
    for operation, members in calls:
        with pytest.raises(CommonError) as caught:
            kms(user("eve"), operation, **members)
        assert caught.value.message == (
            f"User: arn:aws:iam::{ACCOUNT}:user/eve is not authorized to perform: kms:{operation} on resource: {key.arn}"
            f" because no identity-based policy allows the kms:{operation} action"
        )


@pytest.mark.parametrize("form", ["{id}", "{arn}", "alias/one", "arn:aws:kms:eu-central-1:111122223333:alias/one"])
def test_decrypt_with_the_key_named(kms: Kms, key: api.KeyMetadata, form: str):
    kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=key.key_id)
    key_id = form.format(id=key.key_id, arn=key.arn)
    assert kms(root(), "Decrypt", ciphertext_blob=encrypted(kms, key), key_id=key_id).plaintext == b"secret"
    assert kms(root(), "Encrypt", plaintext=b"x", key_id=key_id).key_id == key.arn


def test_decrypt_with_another_key_named(kms: Kms, key: api.KeyMetadata):
    with pytest.raises(api.IncorrectKeyException) as caught:
        kms(root(), "Decrypt", ciphertext_blob=encrypted(kms, key), key_id=kms.new_key().key_id)
    assert caught.value.message == "The key ID in the request does not identify a CMK that can perform this operation."


def test_a_named_key_is_authorized_before_the_ciphertext_is_looked_at(kms: Kms, key: api.KeyMetadata):
    with pytest.raises(CommonError, match="not authorized to perform: kms:Decrypt on resource"):
        kms(user("eve"), "Decrypt", ciphertext_blob=b"nonsense", key_id=key.key_id)
    with pytest.raises(api.InvalidCiphertextException):
        kms(root(), "Decrypt", ciphertext_blob=b"nonsense", key_id=key.key_id)


def test_decrypt_needs_a_ciphertext(kms: Kms, key: api.KeyMetadata):
    text = "^1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null$"
    for key_id in (None, key.key_id):
        with pytest.raises(CommonError, match=text):
            kms(root(), "Decrypt", key_id=key_id)


def test_another_algorithm_is_refused(kms: Kms, key: api.KeyMetadata):
    text = "^Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.$"
    with pytest.raises(api.InvalidKeyUsageException, match=text):
        kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x", encryption_algorithm="RSAES_OAEP_SHA_256")
    with pytest.raises(api.InvalidKeyUsageException, match=text):
        kms(root(), "Decrypt", ciphertext_blob=encrypted(kms, key), encryption_algorithm="RSAES_OAEP_SHA_256")


# ReEncrypt


def test_re_encrypt_moves_to_another_key_and_context(kms: Kms, key: api.KeyMetadata):
    other = kms.new_key()
    blob = encrypted(kms, key, encryption_context=CONTEXT)
    answer = kms(
        root(),
        "ReEncrypt",
        ciphertext_blob=blob,
        source_encryption_context=CONTEXT,
        destination_key_id=other.key_id,
        destination_encryption_context={"to": "b"},
    )
    assert (answer.source_key_id, answer.key_id) == (key.arn, other.arn)
    assert (answer.source_key_material_id, answer.destination_key_material_id) == (
        key.current_key_material_id,
        other.current_key_material_id,
    )
    assert (answer.source_encryption_algorithm, answer.destination_encryption_algorithm) == (
        "SYMMETRIC_DEFAULT",
        "SYMMETRIC_DEFAULT",
    )
    back = kms(root(), "Decrypt", ciphertext_blob=answer.ciphertext_blob, encryption_context={"to": "b"})
    assert (back.plaintext, back.key_id) == (b"secret", other.arn)


def test_re_encrypt_needs_from_on_the_source_and_to_on_the_destination(kms: Kms, key: api.KeyMetadata):
    other = kms.new_key()
    blob = encrypted(kms, key)
    members: dict[str, Any] = {"ciphertext_blob": blob, "destination_key_id": other.key_id}
    from_key, to_key = allow("kms:ReEncryptFrom", resource=str(key.arn)), allow("kms:ReEncryptTo", resource=str(other.arn))
    kms(user("a", from_key, to_key), "ReEncrypt", **members)
    with pytest.raises(CommonError, match=rf"kms:ReEncryptTo on resource: {other.arn} because"):
        kms(user("a", from_key), "ReEncrypt", **members)
    with pytest.raises(CommonError, match="kms:ReEncryptFrom on the resource associated with this ciphertext because"):
        kms(user("a", to_key), "ReEncrypt", **members)
    with pytest.raises(CommonError, match=rf"kms:ReEncryptFrom on resource: {key.arn} because"):
        kms(user("a", to_key, allow("kms:Decrypt", "kms:Encrypt")), "ReEncrypt", source_key_id=key.arn, **members)


def test_re_encrypt_on_the_same_key_can_be_a_condition(kms: Kms, key: api.KeyMetadata):
    other = kms.new_key()
    same = user("a", allow("kms:ReEncrypt*", Condition={"Bool": {"kms:ReEncryptOnSameKey": "true"}}))
    blob = encrypted(kms, key)
    kms(same, "ReEncrypt", ciphertext_blob=blob, destination_key_id=key.key_id)
    with pytest.raises(CommonError, match="ReEncryptFrom"):
        kms(same, "ReEncrypt", ciphertext_blob=blob, destination_key_id=other.key_id)


def test_re_encrypt_refuses_what_decrypt_and_encrypt_refuse(kms: Kms, key: api.KeyMetadata):
    other = kms.new_key()
    blob = encrypted(kms, key)
    with pytest.raises(api.InvalidCiphertextException):
        kms(root(), "ReEncrypt", ciphertext_blob=blob, source_encryption_context=CONTEXT, destination_key_id=other.key_id)
    with pytest.raises(api.IncorrectKeyException):
        kms(root(), "ReEncrypt", ciphertext_blob=blob, source_key_id=other.key_id, destination_key_id=other.key_id)
    with pytest.raises(api.NotFoundException, match="alias/none is not found"):
        kms(root(), "ReEncrypt", ciphertext_blob=blob, destination_key_id="alias/none")
    kms(root(), "DisableKey", key_id=other.key_id)
    with pytest.raises(api.DisabledException, match=str(other.arn)):
        kms(root(), "ReEncrypt", ciphertext_blob=blob, destination_key_id=other.key_id)
    with pytest.raises(CommonError, match="ciphertextBlob"):
        kms(root(), "ReEncrypt", destination_key_id=other.key_id)


# Data keys, random bytes


@pytest.mark.parametrize(
    ("members", "size"),
    [
        ({"key_spec": "AES_128"}, 16),
        ({"key_spec": "AES_256"}, 32),
        ({"number_of_bytes": 1}, 1),
        ({"number_of_bytes": 1024}, 1024),
    ],
)
def test_generate_data_key(kms: Kms, key: api.KeyMetadata, members: dict[str, Any], size: int):
    answer = kms(root(), "GenerateDataKey", key_id=key.key_id, encryption_context=CONTEXT, **members)
    assert (answer.key_id, answer.key_material_id) == (key.arn, key.current_key_material_id)
    assert len(answer.plaintext) == size
    back = kms(root(), "Decrypt", ciphertext_blob=answer.ciphertext_blob, encryption_context=CONTEXT)
    assert back.plaintext == answer.plaintext
    bare = kms(root(), "GenerateDataKeyWithoutPlaintext", key_id=key.key_id, encryption_context=CONTEXT, **members)
    assert (bare.key_id, bare.key_material_id) == (key.arn, key.current_key_material_id)
    assert len(kms(root(), "Decrypt", ciphertext_blob=bare.ciphertext_blob, encryption_context=CONTEXT).plaintext) == size
    assert not hasattr(bare, "plaintext")


def test_two_data_keys_differ(kms: Kms, key: api.KeyMetadata):
    one, two = (kms(root(), "GenerateDataKey", key_id=key.key_id, key_spec="AES_256").plaintext for _ in range(2))
    assert one != two


@pytest.mark.parametrize("operation", ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"])
@pytest.mark.parametrize("members", [{}, {"key_spec": "AES_256", "number_of_bytes": 32}])
def test_a_data_key_has_one_length(kms: Kms, key: api.KeyMetadata, operation: str, members: dict[str, Any]):
    with pytest.raises(CommonError, match=r"^Please specify either number of bytes or key spec.$"):
        kms(root(), operation, key_id=key.key_id, **members)


def test_generate_random(kms: Kms):
    for size in (1, 32, 1024):
        assert len(kms(root(), "GenerateRandom", number_of_bytes=size).plaintext) == size
    one, two = (kms(root(), "GenerateRandom", number_of_bytes=32).plaintext for _ in range(2))
    assert one != two
    with pytest.raises(CommonError, match="numberOfBytes"):
        kms(root(), "GenerateRandom")
    with pytest.raises(
        CommonError, match=r"not authorized to perform: kms:GenerateRandom on resource: \* because no identity-based policy"
    ):
        kms(user("eve"), "GenerateRandom", number_of_bytes=1)


# DryRun


def test_a_dry_run_of_what_would_succeed(kms: Kms, key: api.KeyMetadata):
    blob = encrypted(kms, key)
    ignore = {"dry_run_modifiers": ["IGNORE_CIPHERTEXT"]}
    calls: Calls = [
        ("Encrypt", {"key_id": key.key_id, "plaintext": b"x"}),
        ("Decrypt", {"ciphertext_blob": blob}),
        ("Decrypt", {"key_id": key.key_id, **ignore}),
        ("ReEncrypt", {"ciphertext_blob": blob, "destination_key_id": key.key_id}),
        ("ReEncrypt", {"source_key_id": key.key_id, "destination_key_id": key.key_id, **ignore}),
        ("GenerateDataKey", {"key_id": key.key_id, "key_spec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"key_id": key.key_id, "key_spec": "AES_256"}),
    ]
    for operation, members in calls:
        with pytest.raises(api.DryRunOperationException) as caught:
            kms(root(), operation, dry_run=True, **members)
        assert caught.value.message == "The request would have succeeded, but the DryRun option is set."


def test_a_dry_run_of_what_would_fail(kms: Kms, key: api.KeyMetadata):
    with pytest.raises(CommonError, match="not authorized"):
        kms(user("eve"), "Encrypt", key_id=key.key_id, plaintext=b"x", dry_run=True)
    with pytest.raises(api.InvalidCiphertextException):
        kms(root(), "Decrypt", ciphertext_blob=encrypted(kms, key), encryption_context={"a": "b"}, dry_run=True)
    kms(root(), "DisableKey", key_id=key.key_id)
    with pytest.raises(api.DisabledException):
        kms(root(), "GenerateDataKey", key_id=key.key_id, key_spec="AES_256", dry_run=True)
    with pytest.raises(CommonError, match="ciphertextBlob"):  # without a key there is nothing to authorize
        kms(root(), "Decrypt", dry_run=True, dry_run_modifiers=["IGNORE_CIPHERTEXT"])


# Conditions


@pytest.mark.parametrize(
    ("condition", "members", "allowed"),
    [
        ({"StringEquals": {"kms:EncryptionContext:app": "billing"}}, {"encryption_context": CONTEXT}, True),
        ({"StringEquals": {"kms:EncryptionContext:app": "other"}}, {"encryption_context": CONTEXT}, False),
        ({"StringEquals": {"kms:EncryptionContext:app": "billing"}}, {}, False),
        (
            {"StringEquals": {"kms:EncryptionContext:app": "billing"}},
            {"encryption_context": {"app": "other", "APP": "billing"}},
            False,
        ),
        ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["app", "tenant"]}}, {"encryption_context": CONTEXT}, True),
        ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["app"]}}, {"encryption_context": CONTEXT}, False),
        ({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "tenant"}}, {"encryption_context": CONTEXT}, True),
        ({"Null": {"kms:EncryptionContextKeys": "false"}}, {}, False),
        ({"StringEquals": {"kms:RequestAlias": "alias/one"}}, {"key_id": "alias/one"}, True),
        ({"StringEquals": {"kms:RequestAlias": "alias/one"}}, {"key_id": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/one"}, True),
        ({"StringEquals": {"kms:RequestAlias": "alias/one"}}, {}, False),
        ({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/one"}}, {}, True),
        ({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/two"}}, {}, False),
        ({"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}, {}, True),
        ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyUsage": "ENCRYPT_DECRYPT"}}, {}, True),
        ({"StringEquals": {"kms:KeyOrigin": "EXTERNAL"}}, {}, False),
        ({"Bool": {"kms:MultiRegion": "true"}}, {}, False),
        ({"StringEquals": {"aws:ResourceTag/team": "a"}}, {}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "b"}}, {}, False),
        ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, {}, True),
        ({"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}, {}, False),
        ({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}, {}, True),
    ],
)
def test_conditions_on_encrypt(kms: Kms, condition: dict[str, Any], members: dict[str, Any], allowed: bool):
    key = kms.new_key(tags=[api.Tag(tag_key="team", tag_value="a")])
    kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=key.key_id)
    caller = user("a", allow("kms:Encrypt", Condition=condition))
    call = {"key_id": key.key_id, "plaintext": b"x", **members}
    if allowed:
        kms(caller, "Encrypt", **call)
    else:
        with pytest.raises(CommonError, match="kms:Encrypt"):
            kms(caller, "Encrypt", **call)


def test_decrypt_can_be_bound_to_a_context(kms: Kms, key: api.KeyMetadata):
    blob = encrypted(kms, key, encryption_context=CONTEXT)
    bound = user("a", allow("kms:Decrypt", Condition={"StringEquals": {"kms:EncryptionContext:tenant": "42"}}))
    assert kms(bound, "Decrypt", ciphertext_blob=blob, encryption_context=CONTEXT).plaintext == b"secret"
    with pytest.raises(CommonError, match="kms:Decrypt"):
        kms(bound, "Decrypt", ciphertext_blob=encrypted(kms, key))


# Who decides


def test_a_key_policy_that_does_not_name_the_account_leaves_identity_policies_without_effect(kms: Kms):
    arn = kms.person("user", "keeper")
    key = kms.new_key(user("keeper", allow("kms:*")), policy=key_policy({"Principal": {"AWS": arn}, "Action": "kms:*"}))
    everything = user("a", allow("*"))
    with pytest.raises(CommonError) as caught:
        kms(everything, "Encrypt", key_id=key.key_id, plaintext=b"x")
    assert caught.value.message.endswith("because no resource-based policy allows the kms:Encrypt action")
    with pytest.raises(CommonError):
        kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x")
    kms(user("keeper"), "Encrypt", key_id=key.key_id, plaintext=b"x")


def test_a_key_policy_grants_without_any_identity_policy(kms: Kms):
    arn = kms.person("role", "worker")
    key = kms.new_key(policy=key_policy(root_statement(), {"Principal": {"AWS": arn}, "Action": ["kms:Encrypt"]}))
    worker = role_session("worker")
    kms(worker, "Encrypt", key_id=key.key_id, plaintext=b"x")
    with pytest.raises(CommonError, match="kms:GenerateDataKey"):
        kms(worker, "GenerateDataKey", key_id=key.key_id, key_spec="AES_256")


def test_an_identity_deny_beats_a_key_policy_grant(kms: Kms):
    arn = kms.person("user", "a")
    key = kms.new_key(policy=key_policy(root_statement(), {"Principal": {"AWS": arn}, "Action": "kms:*"}))
    with pytest.raises(CommonError, match="with an explicit deny in an identity-based policy"):
        kms(user("a", allow("kms:Encrypt", effect="Deny")), "Encrypt", key_id=key.key_id, plaintext=b"x")


def test_a_shared_key_works_across_accounts_where_both_sides_allow_it(kms: Kms):
    share = {
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
    }
    theirs = kms.new_key(root(OTHER), policy=key_policy(root_statement(OTHER), share))
    friend = user("friend", allow("kms:*", resource=str(theirs.arn)))
    blob = kms(friend, "Encrypt", key_id=theirs.arn, plaintext=b"x").ciphertext_blob
    assert kms(friend, "Decrypt", ciphertext_blob=blob).key_id == theirs.arn
    kms(friend, "GenerateDataKey", key_id=theirs.arn, key_spec="AES_256")
    kms(friend, "ReEncrypt", ciphertext_blob=blob, destination_key_id=theirs.arn)
    with pytest.raises(CommonError) as caught:
        kms(user("stranger"), "Decrypt", ciphertext_blob=blob)
    assert caught.value.message.endswith(f"kms:Decrypt on the resource associated with this ciphertext {STRANGER}")
    kms(root(OTHER), "CreateAlias", alias_name="alias/shared", target_key_id=theirs.key_id)
    assert kms(friend, "Encrypt", key_id=f"arn:aws:kms:{REGION}:{OTHER}:alias/shared", plaintext=b"x").key_id == theirs.arn


def test_the_audit_trail_gets_no_bytes(kms: Kms):
    requests = {
        "encrypt": api.EncryptRequest(key_id="k", plaintext=b"secret", encryption_context=CONTEXT),
        "decrypt": api.DecryptRequest(ciphertext_blob=b"secret", key_id="k"),
        "reencrypt": api.ReEncryptRequest(ciphertext_blob=b"secret", destination_key_id="k"),
        "generatedatakey": api.GenerateDataKeyRequest(key_id="k", number_of_bytes=5),
        "generatedatakeywithoutplaintext": api.GenerateDataKeyWithoutPlaintextRequest(key_id="k", key_spec="AES_256"),
    }
    for name, request in requests.items():
        declaration = REGISTRY["kms", name]
        assert declaration.read
        assert not declaration.audit_response
        assert declaration.audit_request is not None
        kept = declaration.audit_request(request)
        assert "secret" not in str(kept)
        assert "k" in kept.values()
    encrypt = REGISTRY["kms", "encrypt"].audit_request
    assert encrypt is not None
    assert encrypt(requests["encrypt"]) == {
        "keyId": "k",
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "encryptionContext": CONTEXT,
    }
