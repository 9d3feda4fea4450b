"""GetScopedCredentials: the same session with less; nothing widens it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.case_files import allow, deny, policy
from tests.support.house import ACCOUNT, House
from tests.support.server import AccessKey

ROLE = f"arn:aws:iam::{ACCOUNT}:role/work"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/work/me"
READ = json.dumps(policy(allow(["iam:List*", "sts:*"])))


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    iam = made.client("iam")
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    trust = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": actions})
    iam.create_role(RoleName="work", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="work", PolicyName="p", PolicyDocument=json.dumps(policy(allow("*"))))
    yield made
    made.close()


def key_of(answer: Any) -> AccessKey:
    made = answer["Credentials"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def session(house: House, **more: Any) -> AccessKey:
    return key_of(house.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me", **more))


def scoped(house: House, key: AccessKey, text: str | None = READ, **more: Any) -> Any:
    given = {**more, **({"Policy": text} if text is not None else {})}
    return house.client("sts", key).get_scoped_credentials(**given)


def denied(error: pytest.ExceptionInfo[ClientError]) -> str:
    assert error.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
    return str(error.value.response["Error"]["Message"])


def test_the_session_stays_who_it_is(house: House):
    answer = scoped(house, session(house, SourceIdentity="ann"))
    assert answer["SessionInfo"]["Arn"] == SESSION
    assert answer["SessionInfo"]["ScopedSessionId"].endswith(":me")
    assert (answer["ScopedPoliciesCount"], answer["SourceIdentity"]) == (1, "ann")
    caller = house.client("sts", key_of(answer)).get_caller_identity()
    assert (caller["Arn"], caller["UserId"]) == (SESSION, answer["SessionInfo"]["ScopedSessionId"])


def test_it_may_do_what_both_allow(house: House):
    key = key_of(scoped(house, session(house)))
    iam = house.client("iam", key)
    iam.list_users()
    with pytest.raises(ClientError) as caught:
        iam.create_user(UserName="x")
    assert "because no session policy allows the iam:CreateUser action" in denied(caught)


def test_a_policy_that_allows_more_gives_no_more(house: House):
    narrow = key_of(scoped(house, session(house)))
    wide = key_of(scoped(house, narrow, json.dumps(policy(allow("*")))))
    house.client("iam", wide).list_users()
    with pytest.raises(ClientError) as caught:
        house.client("iam", wide).create_user(UserName="x")
    denied(caught)


def test_a_deny_in_a_scope_denies(house: House):
    key = key_of(scoped(house, session(house), json.dumps(policy(allow("*"), deny("iam:ListUsers")))))
    house.client("iam", key).list_roles()
    with pytest.raises(ClientError) as caught:
        house.client("iam", key).list_users()
    assert "with an explicit deny in a session policy" in denied(caught)


def test_what_a_resource_allows_the_session_directly_is_scoped_too(house: House):
    """A key policy that names the session is no way around: the scope bounds all that the session may do."""
    everything = {
        "Sid": "Own",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    direct = {"Sid": "Direct", "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:DescribeKey", "Resource": "*"}
    kms = house.client("kms")
    made = kms.create_key(Policy=json.dumps(policy(everything, direct)))["KeyMetadata"]["KeyId"]
    kms.create_grant(KeyId=made, GranteePrincipal=SESSION, Operations=["GenerateDataKey"])
    key = session(house)
    house.client("kms", key).describe_key(KeyId=made)
    house.client("kms", key).generate_data_key(KeyId=made, KeySpec="AES_256")
    less = house.client("kms", key_of(scoped(house, key)))
    with pytest.raises(ClientError) as caught:
        less.describe_key(KeyId=made)
    denied(caught)
    with pytest.raises(ClientError) as caught:
        less.generate_data_key(KeyId=made, KeySpec="AES_256")
    denied(caught)


def test_three_layers_and_no_fourth(house: House):
    key = session(house)
    for layer in (1, 2, 3):
        answer = scoped(house, key)
        assert answer["ScopedPoliciesCount"] == layer
        key = key_of(answer)
    with pytest.raises(ClientError) as caught:
        scoped(house, key)
    denied(caught)
    shorter = scoped(house, key, None, DurationSeconds=60)
    assert shorter["ScopedPoliciesCount"] == 3


def test_it_never_lives_longer(house: House):
    answer = house.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me", DurationSeconds=900)
    key, ends = key_of(answer), answer["Credentials"]["Expiration"]
    assert scoped(house, key)["Credentials"]["Expiration"] == ends
    shorter = scoped(house, key, None, DurationSeconds=60)
    assert shorter["Credentials"]["Expiration"] < ends
    for who, seconds in ((key, 901), (key_of(shorter), 61), (key, 129_600)):
        with pytest.raises(ClientError) as caught:
            scoped(house, who, None, DurationSeconds=seconds)
        assert caught.value.response["Error"]["Code"] == "InsufficientSessionLifetime"


def test_it_is_revoked_with_its_session(house: House):
    """Its issue time is the session's: a deny on aws:TokenIssueTime reaches what came of the session later."""
    key = key_of(scoped(house, session(house)))
    house.client("iam", key).list_users()
    revoke = policy(allow("*"), deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": "2100-01-01T00:00:00Z"}}))
    house.client("iam").put_role_policy(RoleName="work", PolicyName="p", PolicyDocument=json.dumps(revoke))
    with pytest.raises(ClientError) as caught:
        house.client("iam", key).list_users()
    denied(caught)


def test_session_policies_and_tags_are_carried(house: House):
    tags = [{"Key": "team", "Value": "blue"}]
    limited = session(house, Policy=json.dumps(policy(allow(["iam:ListUsers", "sts:*"]))), Tags=tags)
    blue = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    key = key_of(scoped(house, limited, json.dumps(policy(allow("iam:*", Condition=blue)))))
    house.client("iam", key).list_users()
    with pytest.raises(ClientError) as caught:
        house.client("iam", key).list_roles()
    denied(caught)


def test_a_users_own_session_can_be_scoped(house: House):
    """GetSessionToken first, as the API reference says: long-term credentials cannot be."""
    with pytest.raises(ClientError) as caught:
        scoped(house, house.admin)
    denied(caught)
    key = key_of(house.client("sts").get_session_token())
    less = key_of(scoped(house, key, json.dumps(policy(allow("kms:ListKeys")))))
    house.client("kms", less).list_keys()
    with pytest.raises(ClientError) as caught:
        house.client("kms", less).list_aliases()
    denied(caught)


def test_a_federated_session_can_be_scoped(house: House):
    key = key_of(house.client("sts").get_federation_token(Name="guest", Policy=json.dumps(policy(allow(["kms:List*", "sts:*"])))))
    less = key_of(scoped(house, key, json.dumps(policy(allow("kms:ListKeys")))))
    house.client("kms", less).list_keys()
    with pytest.raises(ClientError) as caught:
        house.client("kms", less).list_aliases()
    denied(caught)


def test_it_needs_its_permission(house: House):
    key = session(house, Policy=json.dumps(policy(allow("iam:*"))))
    with pytest.raises(ClientError) as caught:
        scoped(house, key)
    assert "sts:GetScopedCredentials" in denied(caught)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"text": None}, "ValidationError"),
        ({"text": "{"}, "MalformedPolicyDocument"),
        ({"text": json.dumps(policy({**allow("iam:*"), "Principal": "*"}))}, "MalformedPolicyDocument"),
        ({"text": " " * 2049}, "ValidationError"),
        ({"DurationSeconds": 0}, "ValidationError"),
        ({"DurationSeconds": 129_601}, "ValidationError"),
        ({"ScopedSessionDescription": "x" * 257}, "ValidationError"),
        ({"MinimumSessionTokenSize": 5000}, "ValidationError"),
    ],
)
def test_bad_input(house: House, members: dict[str, Any], code: str):
    key = session(house)
    client = house.client("sts", key)
    client._serializer = client._serializer._serializer  # what botocore itself would refuse is sent
    with pytest.raises(ClientError) as caught:
        scoped(house, key, **members)
    assert caught.value.response["Error"]["Code"] == code


def test_a_scope_is_in_the_trail_and_its_secret_is_not(house: House):
    key = session(house)
    answer = scoped(house, key, ScopedSessionDescription="for the report")
    record = json.loads(house.events(answer["ResponseMetadata"]["RequestId"])[0].record)
    assert record["requestParameters"]["scopedSessionDescription"] == "for the report"
    everything = "".join(left.record + left.decision for left in house.events())
    assert answer["Credentials"]["SecretAccessKey"] not in everything
    assert answer["Credentials"]["SessionToken"] not in everything
