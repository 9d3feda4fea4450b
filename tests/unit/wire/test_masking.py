from __future__ import annotations

from garrison.api import iam, kms, sts
from garrison.core.model import load_model
from garrison.wire.codec import codec
from garrison.wire.masking import HIDDEN
from tests.support.documents import SECRET, everything


def test_names_are_lower_camel_and_blobs_are_left_out():
    used = codec("kms")
    operation = used.model.operation("Encrypt")
    assert operation
    request = kms.EncryptRequest(key_id="alias/a", plaintext=b"secret", encryption_context={"Team": "red"}, dry_run=False)
    assert used.masked(operation, request) == {"keyId": "alias/a", "encryptionContext": {"Team": "red"}, "dryRun": False}


def test_secrets_are_hidden():
    used = codec("iam")
    operation = used.model.operation("CreateLoginProfile")
    assert operation
    shown = used.masked(
        operation, iam.CreateLoginProfileRequest(user_name="u", password="hunter2!", password_reset_required=True)
    )
    assert shown == {"userName": "u", "password": HIDDEN, "passwordResetRequired": True}


def test_answers_hide_their_secrets_too():
    used = codec("iam")
    operation = used.model.operation("CreateAccessKey")
    assert operation
    key = iam.AccessKey(
        user_name="u", access_key_id="AKIAIOSFODNN7EXAMPLE", status="Active", secret_access_key="wJalr", create_date=0.0
    )
    shown = used.masked_response(operation, iam.CreateAccessKeyResponse(access_key=key))
    assert shown == {
        "accessKey": {
            "userName": "u", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "status": "Active", "secretAccessKey": HIDDEN,
            "createDate": "1970-01-01T00:00:00Z",
        }
    }  # fmt: skip


def test_credentials_are_hidden():
    used = codec("sts")
    operation = used.model.operation("AssumeRole")
    assert operation
    credentials = sts.Credentials(
        access_key_id="ASIAIOSFODNN7EXAMPLE", secret_access_key="s3cr3t", session_token="t0k3n", expiration=1.0
    )
    shown = used.masked_response(operation, sts.AssumeRoleResponse(credentials=credentials))
    assert "s3cr3t" not in str(shown)


def test_lists_of_structures():
    used = codec("iam")
    operation = used.model.operation("TagUser")
    assert operation
    shown = used.masked(operation, iam.TagUserRequest(user_name="u", tags=[iam.Tag(key="a", value="b")]))
    assert shown == {"userName": "u", "tags": [{"key": "a", "value": "b"}]}


def test_nothing_shows_nothing():
    used = codec("sts")
    operation = used.model.operation("GetCallerIdentity")
    assert operation
    assert used.masked(operation, None) == {}


def test_no_blob_and_no_sensitive_member_of_any_operation_is_shown():
    for service in ("cloudtrail", "iam", "kms", "sts"):
        used = codec(service)
        for name in used.model.operation_names:
            operation = load_model(service).operation(name)
            assert operation
            for member in (operation.input, operation.output):
                assert member is None or SECRET not in str(used._masking.of(member)(everything(member.shape)))
