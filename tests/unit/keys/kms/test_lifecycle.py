from __future__ import annotations

import json
import re
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from tests.support.kms import ACCOUNT, NOW, OTHER, REGION, Kms, allow, key_policy, root, root_statement, user

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_create_key_answers_the_metadata_that_aws_documents(kms: Kms):
    made = kms.new_key(description="first")
    assert UUID.fullmatch(made.key_id)
    assert made.arn == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{made.key_id}"
    assert re.fullmatch("[0-9a-f]{64}", made.current_key_material_id or "")
    assert made == api.KeyMetadata(
        aws_account_id=ACCOUNT,
        key_id=made.key_id,
        arn=made.arn,
        creation_date=NOW,
        enabled=True,
        description="first",
        key_usage="ENCRYPT_DECRYPT",
        key_state="Enabled",
        origin="AWS_KMS",
        key_manager="CUSTOMER",
        customer_master_key_spec="SYMMETRIC_DEFAULT",
        key_spec="SYMMETRIC_DEFAULT",
        encryption_algorithms=["SYMMETRIC_DEFAULT"],
        multi_region=False,
        current_key_material_id=made.current_key_material_id,
    )


def test_create_key_writes_a_configuration_item_without_material(kms: Kms):
    made = kms.new_key(description="first", tags=[api.Tag(tag_key="team", tag_value="a")])
    (item,) = kms.items
    assert (item.type, item.id, item.arn, item.account, item.region) == ("AWS::KMS::Key", made.key_id, made.arn, ACCOUNT, REGION)
    assert item.tags == {"team": "a"}
    assert item.configuration["KeyState"] == "Enabled"
    assert "AWSAccountId" in item.configuration
    assert not item.deleted


def test_two_keys_have_nothing_in_common(kms: Kms):
    one, two = kms.new_key(), kms.new_key()
    assert one.key_id != two.key_id
    assert one.current_key_material_id != two.current_key_material_id


def test_a_user_without_permission_makes_no_key(kms: Kms):
    with pytest.raises(CommonError) as caught:
        kms(user("eve"), "CreateKey")
    assert caught.value.kind == "access_denied"
    assert caught.value.message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/eve is not authorized to perform: kms:CreateKey on resource: *"
        " because no identity-based policy allows the kms:CreateKey action"
    )


@pytest.mark.parametrize(
    ("condition", "members", "allowed"),
    [
        ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}, {}, True),
        ({"StringEquals": {"kms:KeySpec": "RSA_2048"}}, {}, False),
        ({"StringEquals": {"kms:KeyUsage": "ENCRYPT_DECRYPT"}}, {}, True),
        ({"StringEquals": {"kms:KeyOrigin": "AWS_KMS"}}, {}, True),
        ({"Bool": {"kms:MultiRegion": "false"}}, {}, True),
        ({"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "false"}}, {}, True),
        ({"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "false"}}, {"bypass_policy_lockout_safety_check": True}, False),
        ({"StringEquals": {"aws:RequestTag/team": "a"}}, {"tags": [api.Tag(tag_key="team", tag_value="a")]}, True),
        ({"StringEquals": {"aws:RequestTag/team": "a"}}, {"tags": [api.Tag(tag_key="team", tag_value="b")]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, {"tags": [api.Tag(tag_key="x", tag_value="b")]}, False),
        ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, {}, True),
        ({"StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}}, {}, False),
    ],
)
def test_conditions_on_create_key(kms: Kms, condition, members, allowed):  # noqa: ANN001 - a table
    caller = user("a", allow("kms:CreateKey", Condition=condition), allow("kms:TagResource"))
    if allowed:
        assert kms(caller, "CreateKey", **members).key_metadata.enabled
    else:
        with pytest.raises(CommonError, match="kms:CreateKey"):
            kms(caller, "CreateKey", **members)


def test_tags_at_creation_need_the_permission_to_tag(kms: Kms):
    caller = user("a", allow("kms:CreateKey"))
    kms(caller, "CreateKey")
    with pytest.raises(CommonError, match="is not authorized to perform: kms:TagResource"):
        kms(caller, "CreateKey", tags=[api.Tag(tag_key="team", tag_value="a")])


@pytest.mark.parametrize(
    ("members", "code", "text"),
    [
        ({"key_spec": "SM2"}, "UnsupportedOperationException", "Garrison does not support KeySpec SM2 yet."),
        ({"customer_master_key_spec": "SM2"}, "UnsupportedOperationException", "KeySpec SM2"),
    ],
)
def test_what_is_not_built_is_refused_and_says_so(kms: Kms, members: dict[str, Any], code: str, text: str):
    with pytest.raises(api.UnsupportedOperationException, match=text) as caught:
        kms(root(), "CreateKey", **members)
    assert caught.value.code == code


def test_a_usage_of_another_kind_of_key_is_refused(kms: Kms):
    # Recorded on AWS for KEY_AGREEMENT with RSA_2048.
    with pytest.raises(CommonError, match=r"^KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT$"):
        kms(root(), "CreateKey", key_usage="SIGN_VERIFY")


def test_old_and_new_name_of_the_spec_exclude_each_other(kms: Kms):
    with pytest.raises(CommonError, match=r"^You cannot specify KeySpec and CustomerMasterKeySpec in the same request"):
        kms(root(), "CreateKey", key_spec="SYMMETRIC_DEFAULT", customer_master_key_spec="SYMMETRIC_DEFAULT")


def test_a_failed_creation_leaves_nothing(kms: Kms):
    with pytest.raises(api.TagException):
        kms(root(), "CreateKey", tags=[api.Tag(tag_key=f"k{at}", tag_value="") for at in range(51)])
    assert kms(root(), "ListKeys").keys == []
    assert kms.store.reading().one("SELECT COUNT(*) FROM kms_material") == (0,)


@pytest.mark.parametrize(
    "form",
    ["{id}", "arn:aws:kms:eu-central-1:111122223333:key/{id}", "alias/one", "arn:aws:kms:eu-central-1:111122223333:alias/one"],
)
def test_describe_key_by_every_form_of_its_id(kms: Kms, form: str):
    made = kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=made.key_id)
    assert kms(root(), "DescribeKey", key_id=form.format(id=made.key_id)).key_metadata == made


ABSENT = "12345678-1234-1234-1234-123456789012"


@pytest.mark.parametrize(
    ("key_id", "text"),
    [
        ("fake-key-id", "Invalid keyId 'fake-key-id'"),
        ("134f2428cec14b25a1ae9048164dba47", "Invalid keyId '134f2428cec14b25a1ae9048164dba47'"),
        ("mrk-fake-key-id", "Invalid keyId 'mrk-fake-key-id'"),
        (ABSENT, f"Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/{ABSENT}' does not exist"),
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{ABSENT}", f"Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/{ABSENT}' does not exist"),
        ("mrk-" + "a" * 32, f"Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/mrk-{'a' * 32}' does not exist"),
        (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{ABSENT}", "Invalid arn us-east-1"),
        ("alias/none", f"Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found."),
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/none", f"Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found."),
    ],
)
def test_a_key_that_is_not_there_in_aws_recorded_words(kms: Kms, key_id: str, text: str):
    with pytest.raises(api.NotFoundException) as caught:
        kms(root(), "DescribeKey", key_id=key_id)
    assert caught.value.message == text


@pytest.mark.parametrize(
    "key_id", ["arn:", "arn:aws:kms", f"arn:aws:s3:{REGION}:{ACCOUNT}:key/{ABSENT}", "arn:aws:kms:::key", "\0", "é" * 300]
)
def test_what_names_nothing_at_all_is_not_found(kms: Kms, key_id: str):
    with pytest.raises(api.NotFoundException, match=r"^Invalid "):
        kms(root(), "DescribeKey", key_id=key_id)


@pytest.mark.parametrize("key_id", ["fake-key-id", ABSENT, "alias/none", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{ABSENT}"])
def test_who_may_nothing_does_not_hear_whether_a_key_exists(kms: Kms, key_id: str):
    with pytest.raises(CommonError, match="is not authorized to perform: kms:DescribeKey"):
        kms(user("eve"), "DescribeKey", key_id=key_id)


def test_keys_of_another_account_look_alike_whether_they_exist_or_not(kms: Kms):
    theirs = kms.new_key(root(OTHER)).arn
    absent = f"arn:aws:kms:{REGION}:{OTHER}:key/{ABSENT}"
    for key_id in (theirs, absent, f"arn:aws:kms:{REGION}:{OTHER}:alias/x", f"arn:aws:kms:us-east-1:{OTHER}:key/{ABSENT}"):
        for operation in ("DescribeKey", "GetKeyRotationStatus"):
            with pytest.raises(CommonError) as caught:
                kms(root(), operation, key_id=key_id)
            assert caught.value.message == (
                f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: kms:{operation} on this resource because the resource"
                " does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
            )


def test_an_explicit_deny_in_another_accounts_key_policy_is_not_told(kms: Kms):
    policy = key_policy(
        root_statement(OTHER),
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "kms:DescribeKey",
            "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}},
        },
    )
    theirs = kms.new_key(root(OTHER), policy=policy).arn
    with pytest.raises(CommonError, match="because the resource does not exist in this Region"):
        kms(root(), "DescribeKey", key_id=theirs)


def test_another_account_reaches_a_key_by_arn_where_its_policy_says_so(kms: Kms):
    share = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": ["kms:DescribeKey", "kms:TagResource"]}
    theirs = kms.new_key(root(OTHER), policy=key_policy(root_statement(OTHER), share))
    friend = user("friend", allow("kms:*"))
    assert kms(friend, "DescribeKey", key_id=theirs.arn).key_metadata == theirs
    # By its bare id the key would be one of the caller's own account.
    with pytest.raises(api.NotFoundException, match=rf"{ACCOUNT}:key/{theirs.key_id}' does not exist"):
        kms(friend, "DescribeKey", key_id=theirs.key_id)
    # TagResource does not work across accounts, whatever the key policy says (API reference: "Cross-account use: No").
    with pytest.raises(CommonError, match="because the resource does not exist in this Region"):
        kms(friend, "TagResource", key_id=theirs.arn, tags=[api.Tag(tag_key="a", tag_value="b")])
    with pytest.raises(CommonError, match="is not authorized to perform: kms:DescribeKey"):
        kms(user("stranger"), "DescribeKey", key_id=theirs.arn)


def test_a_key_lives_in_its_region(kms: Kms):
    made = kms.new_key()
    with pytest.raises(api.NotFoundException, match="us-east-1"):
        kms(root(), "DescribeKey", region="us-east-1", key_id=made.key_id)
    assert kms(root(), "ListKeys", region="us-east-1").keys == []


def test_list_keys_in_pages(kms: Kms):
    made = sorted(kms.new_key().key_id for _ in range(5))
    kms.new_key(root(OTHER))
    found, marker = [], None
    while True:
        page = kms(root(), "ListKeys", limit=2, marker=marker)
        found += [entry.key_id for entry in page.keys]
        assert all(entry.key_arn == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{entry.key_id}" for entry in page.keys)
        if not page.truncated:
            break
        marker = page.next_marker
    assert found == made
    assert page.next_marker is None


def test_a_marker_of_another_list_is_refused(kms: Kms):
    for _ in range(3):
        kms.new_key()
    marker = kms(root(), "ListKeys", limit=1).next_marker
    for caller, operation, region in [
        (root(OTHER), "ListKeys", REGION),
        (root(), "ListAliases", REGION),
        (root(), "ListKeys", "us-east-1"),
    ]:
        with pytest.raises(api.InvalidMarkerException):
            kms(caller, operation, region=region, marker=marker)
    for wrong in ("x", marker + "A", marker[1:], "é", " "):
        with pytest.raises(api.InvalidMarkerException):
            kms(root(), "ListKeys", marker=wrong)


def test_no_account_shares_keys_so_that_list_is_empty(kms: Kms):
    kms.new_key()
    assert kms(root(), "ListKeys", resource_owners=["OTHER_ACCOUNTS_VIA_RAM"]).keys == []
    assert len(kms(root(), "ListKeys", resource_owners=["OTHER_ACCOUNTS_VIA_RAM", "SELF"]).keys) == 1


def test_disable_and_enable(kms: Kms):
    key = kms.new_key()
    blob = kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x").ciphertext_blob
    kms(root(), "DisableKey", key_id=key.key_id)
    kms(root(), "DisableKey", key_id=key.arn)  # once more is no error
    metadata = kms(root(), "DescribeKey", key_id=key.key_id).key_metadata
    assert (metadata.key_state, metadata.enabled) == ("Disabled", False)
    for operation, members in [
        ("Encrypt", {"key_id": key.key_id, "plaintext": b"x"}),
        ("Decrypt", {"ciphertext_blob": blob}),
        ("GenerateDataKey", {"key_id": key.key_id, "key_spec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"key_id": key.key_id, "key_spec": "AES_256"}),
        ("ReEncrypt", {"ciphertext_blob": blob, "destination_key_id": key.key_id}),
    ]:
        with pytest.raises(api.DisabledException) as caught:
            kms(root(), operation, **members)
        assert caught.value.message == f"{key.arn} is disabled."
    kms(root(), "EnableKey", key_id=key.key_id)
    assert kms(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"x"
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.key_state == "Enabled"


def test_update_key_description(kms: Kms):
    key = kms.new_key(description="old")
    kms(root(), "UpdateKeyDescription", key_id=key.key_id, description="new")
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.description == "new"
    assert kms.items == []
    kms(root(), "UpdateKeyDescription", key_id=key.key_id, description="")
    assert [item.configuration["Description"] for item in kms.items] == [""]


@pytest.mark.parametrize(
    "operation", ["EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion", "GetKeyPolicy", "ListResourceTags"]
)
def test_operations_that_take_no_alias(kms: Kms, operation: str):
    key = kms.new_key()
    kms(root(), "CreateAlias", alias_name="alias/one", target_key_id=key.key_id)
    with pytest.raises(api.NotFoundException, match=r"^Invalid keyId 'alias/one'$"):
        kms(root(), operation, key_id="alias/one")


def test_get_key_rotation_status_says_that_nothing_rotates(kms: Kms):
    key = kms.new_key()
    answer = kms(root(), "GetKeyRotationStatus", key_id=key.key_id)
    assert answer == api.GetKeyRotationStatusResponse(key_id=key.arn, key_rotation_enabled=False)


def test_a_grant_token_is_never_one_of_ours(kms: Kms):
    key = kms.new_key()
    with pytest.raises(api.InvalidGrantTokenException):
        kms(root(), "DescribeKey", key_id=key.key_id, grant_tokens=["token"])
    with pytest.raises(api.InvalidGrantTokenException):
        kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x", grant_tokens=["token"])


def test_the_default_policy_is_the_documented_one(kms: Kms):
    key = kms.new_key()
    answer = kms(root(), "GetKeyPolicy", key_id=key.key_id)
    assert answer.policy_name == "default"
    assert json.loads(answer.policy) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
