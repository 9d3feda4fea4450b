"""Temporary credentials through boto3: who gets them, what they may do, when they end."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.clients import boto, new_user, temporary
from tests.support.server import AccessKey, Server

ALLOW_ASSUME = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def refused(call: Any, **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def new_role(server: Server, trust: dict[str, Any], *policies: dict[str, Any], **options: Any) -> dict[str, Any]:
    iam = boto(server, "iam")
    name = unique("role")
    made: dict[str, Any] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **options)["Role"]
    for number, policy in enumerate(policies):
        iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
    return made


def trust_in(principal: str, *actions: str, **condition: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": list(actions or ("sts:AssumeRole",)),
    }
    if condition:
        statement["Condition"] = condition["Condition"]
    return {"Version": "2012-10-17", "Statement": [statement]}


def allow(*actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


def root_of(server: Server) -> str:
    return f"arn:aws:iam::{server.account_id}:root"


def test_caller_identity_names_each_kind_of_principal(server: Server) -> None:
    account = server.account_id
    root = boto(server, "sts", server.credentials.root).get_caller_identity()
    assert (root["Arn"], root["UserId"], root["Account"]) == (f"arn:aws:iam::{account}:root", account, account)
    name = unique("user")
    user = boto(server, "sts", new_user(server, name)).get_caller_identity()
    assert user["Arn"] == f"arn:aws:iam::{account}:user/{name}"
    assert user["UserId"].startswith("AIDA")


def test_caller_identity_cannot_be_denied(server: Server) -> None:
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    assert boto(server, "sts", new_user(server, unique("user"), deny)).get_caller_identity()["Account"] == server.account_id


def test_assume_role_needs_trust_and_permission(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server)), allow("iam:ListUsers"))
    without = new_user(server, unique("user"))
    code, message, status = refused(boto(server, "sts", without).assume_role, RoleArn=role["Arn"], RoleSessionName="s1")
    assert (code, status) == ("AccessDenied", 403)
    assert f"is not authorized to perform: sts:AssumeRole on resource: {role['Arn']}" in message

    allowed = new_user(server, unique("user"), ALLOW_ASSUME)
    answer = boto(server, "sts", allowed).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{server.account_id}:assumed-role/{role['RoleName']}/s1"
    assert answer["AssumedRoleUser"]["AssumedRoleId"] == f"{role['RoleId']}:s1"
    key = temporary(answer)
    assert key.access_key_id.startswith("ASIA")
    assert boto(server, "sts", key).get_caller_identity()["UserId"] == f"{role['RoleId']}:s1"
    assert boto(server, "iam", key).list_users()["Users"]
    assert refused(boto(server, "iam", key).list_roles)[0] == "AccessDenied"


def test_a_trust_policy_that_names_the_user_is_enough(server: Server) -> None:
    name = unique("user")
    key = new_user(server, name)
    role = new_role(server, trust_in(f"arn:aws:iam::{server.account_id}:user/{name}"))
    assert boto(server, "sts", key).assume_role(RoleArn=role["Arn"], RoleSessionName="direct")["Credentials"]


def test_a_recreated_user_is_not_the_one_that_was_trusted(server: Server) -> None:
    name = unique("user")
    new_user(server, name)
    role = new_role(server, trust_in(f"arn:aws:iam::{server.account_id}:user/{name}"))
    iam = boto(server, "iam")
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)
    again = new_user(server, name)
    assert refused(boto(server, "sts", again).assume_role, RoleArn=role["Arn"], RoleSessionName="direct")[0] == "AccessDenied"


def test_a_role_that_does_not_exist_looks_like_one_that_trusts_nobody(server: Server) -> None:
    arn = f"arn:aws:iam::{server.account_id}:role/no-such-role"
    code, message, status = refused(boto(server, "sts").assume_role, RoleArn=arn, RoleSessionName="x1")
    assert (code, status) == ("AccessDenied", 403)
    assert f"not authorized to perform: sts:AssumeRole on resource: {arn}" in message


def test_external_id(server: Server) -> None:
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": "secret-handshake"}}}
    role = new_role(server, trust_in(root_of(server), **condition))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    assert refused(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1")[0] == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1", ExternalId="Secret-handshake")[0] == "AccessDenied"
    assert sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", ExternalId="secret-handshake")["Credentials"]


def test_root_may_not_assume_roles(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server)))
    code, message, _ = refused(
        boto(server, "sts", server.credentials.root).assume_role, RoleArn=role["Arn"], RoleSessionName="s1"
    )
    assert (code, message) == ("AccessDenied", "Roles may not be assumed by root accounts.")


def test_session_policies_only_take_away(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server)), allow("iam:ListUsers", "iam:ListRoles"))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    answer = sts.assume_role(
        RoleArn=role["Arn"], RoleSessionName="s1", Policy=json.dumps(allow("iam:ListUsers", "iam:ListGroups"))
    )
    assert 1 <= answer["PackedPolicySize"] <= 100
    iam = boto(server, "iam", temporary(answer))
    iam.list_users()
    code, message, _ = refused(iam.list_roles)
    assert code == "AccessDenied"
    assert message.endswith("because no session policy allows the iam:ListRoles action")
    assert refused(iam.list_groups)[1].endswith("because no identity-based policy allows the iam:ListGroups action")


def test_session_policies_by_arn(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server)), allow("iam:*"))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    read_only = [{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}]
    iam = boto(server, "iam", temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", PolicyArns=read_only)))
    iam.list_users()
    assert refused(iam.create_user, UserName=unique("no"))[0] == "AccessDenied"


def test_malformed_session_policy(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server)))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    code, _, status = refused(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1", Policy='{"Version":"2012-10-17"}')
    assert (code, status) == ("MalformedPolicyDocument", 400)


def test_durations(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server)), allow("sts:AssumeRole"), MaxSessionDuration=7200)
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    too_long = refused(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1", DurationSeconds=7201)
    assert too_long == ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400)
    first = temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", DurationSeconds=7200))
    other = new_role(server, trust_in(role["Arn"]), MaxSessionDuration=7200)
    chained = boto(server, "sts", first)
    code, message, _ = refused(chained.assume_role, RoleArn=other["Arn"], RoleSessionName="s2", DurationSeconds=3601)
    assert code == "ValidationError"
    assert message == "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    assert chained.assume_role(RoleArn=other["Arn"], RoleSessionName="s2", DurationSeconds=3600)["Credentials"]


def test_session_tags(server: Server) -> None:
    trust = trust_in(root_of(server), "sts:AssumeRole", "sts:TagSession")
    tagged = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iam:ListUsers",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue"}},
            }
        ],
    }
    role = new_role(server, trust, tagged, allow("sts:*"), Tags=[{"Key": "Team", "Value": "red"}])
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    plain = temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1"))
    assert refused(boto(server, "iam", plain).list_users)[0] == "AccessDenied"
    blue = [{"Key": "team", "Value": "blue"}]
    key = temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Tags=blue, TransitiveTagKeys=["team"]))
    boto(server, "iam", key).list_users()
    # The role's own trust policy admits its sessions, and the tag goes along.
    again = boto(server, "sts", key)
    second = temporary(again.assume_role(RoleArn=role["Arn"], RoleSessionName="s2"))
    boto(server, "iam", second).list_users()
    assert refused(again.assume_role, RoleArn=role["Arn"], RoleSessionName="s2", Tags=[{"Key": "TEAM", "Value": "green"}])[
        :2
    ] == (
        "InvalidParameterValue",
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    )


def test_tagging_a_session_is_a_permission_of_its_own(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server)))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    code, message, _ = refused(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1", Tags=[{"Key": "a", "Value": "b"}])
    assert code == "AccessDenied"
    assert "sts:TagSession" in message


def test_tag_errors_in_recorded_words(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server), "sts:AssumeRole", "sts:TagSession"))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    common = {"RoleArn": role["Arn"], "RoleSessionName": "s1"}
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert refused(sts.assume_role, **common, Tags=twice) == (
        "InvalidParameterValue",
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        400,
    )
    assert refused(sts.assume_role, **common, Tags=[{"Key": "a", "Value": "1"}], TransitiveTagKeys=["b"]) == (
        "InvalidParameterValue",
        "The specified transitive tag key must be included in the requested tags.",
        400,
    )


def test_source_identity_goes_along_and_cannot_change(server: Server) -> None:
    trust = trust_in(root_of(server), "sts:AssumeRole", "sts:SetSourceIdentity")
    role = new_role(server, trust, allow("sts:*"))
    plain = new_role(server, trust_in(root_of(server)))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    answer = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", SourceIdentity="alice")
    assert answer["SourceIdentity"] == "alice"
    chained = boto(server, "sts", temporary(answer))
    assert chained.assume_role(RoleArn=role["Arn"], RoleSessionName="s2")["SourceIdentity"] == "alice"
    assert refused(chained.assume_role, RoleArn=role["Arn"], RoleSessionName="s2", SourceIdentity="mallory")[0] == "AccessDenied"
    assert "sts:SetSourceIdentity" in refused(chained.assume_role, RoleArn=plain["Arn"], RoleSessionName="s2")[1]


def test_deleting_the_role_ends_its_sessions(server: Server) -> None:
    role = new_role(server, trust_in(root_of(server)))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    session = boto(server, "sts", temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")))
    session.get_caller_identity()
    boto(server, "iam").delete_role(RoleName=role["RoleName"])
    assert refused(session.get_caller_identity)[0] == "InvalidClientTokenId"


def test_sessions_are_revoked_by_issue_time(server: Server) -> None:
    """IAM User Guide, "Revoke IAM role temporary security credentials": a deny on aws:TokenIssueTime."""
    role = new_role(server, trust_in(root_of(server)), allow("iam:ListUsers"))
    sts = boto(server, "sts", new_user(server, unique("user"), ALLOW_ASSUME))
    session = boto(server, "iam", temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")))
    session.list_users()
    revoke = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2099-01-01T00:00:00Z"}},
            }
        ],
    }
    boto(server, "iam").put_role_policy(RoleName=role["RoleName"], PolicyName="revoke", PolicyDocument=json.dumps(revoke))
    code, message, _ = refused(session.list_users)
    assert code == "AccessDenied"
    assert "with an explicit deny in an identity-based policy" in message


def test_session_token_carries_the_users_own_permissions(server: Server) -> None:
    key = new_user(server, unique("user"), allow("kms:ListKeys", "iam:ListUsers"))
    answer = boto(server, "sts", key).get_session_token(DurationSeconds=900)
    session = temporary(answer)
    assert boto(server, "sts", session).get_caller_identity()["Arn"] == boto(server, "sts", key).get_caller_identity()["Arn"]
    boto(server, "kms", session).list_keys()
    # Without MFA these credentials call no IAM operation (IAM User Guide, "Compare AWS STS credentials").
    assert refused(boto(server, "iam", session).list_users)[0] == "InvalidClientTokenId"
    assert refused(boto(server, "sts", session).get_session_token)[:2] == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )


@pytest.mark.parametrize("code", ["000000", "123456"])
def test_an_mfa_code_is_never_taken_on_trust(server: Server, code: str) -> None:
    sts = boto(server, "sts", new_user(server, unique("user")))
    serial = f"arn:aws:iam::{server.account_id}:mfa/nobody"
    found, message, status = refused(sts.get_session_token, SerialNumber=serial, TokenCode=code)
    assert (found, status) == ("AccessDenied", 403)
    assert message.startswith("MultiFactorAuthentication failed")


def test_federation_token_is_the_intersection(server: Server) -> None:
    key = new_user(server, unique("user"), allow("sts:GetFederationToken", "kms:ListKeys", "kms:ListAliases"))
    sts = boto(server, "sts", key)
    nothing = temporary(sts.get_federation_token(Name="bob"))
    assert refused(boto(server, "kms", nothing).list_keys)[0] == "AccessDeniedException"
    answer = sts.get_federation_token(Name="bob", Policy=json.dumps(allow("kms:ListKeys", "kms:CreateKey")))
    assert answer["FederatedUser"]["Arn"] == f"arn:aws:sts::{server.account_id}:federated-user/bob"
    kms = boto(server, "kms", temporary(answer))
    kms.list_keys()
    assert refused(kms.list_aliases)[0] == "AccessDeniedException"
    assert refused(kms.create_key)[0] == "AccessDeniedException"
    assert refused(boto(server, "iam", temporary(answer)).list_users)[0] == "InvalidClientTokenId"


def test_tokens_are_bound_to_their_key_and_cannot_be_altered(server: Server) -> None:
    sts = boto(server, "sts", new_user(server, unique("user")))
    one, two = temporary(sts.get_session_token()), temporary(sts.get_session_token())
    assert one.session_token is not None
    swapped = AccessKey(one.access_key_id, one.secret_access_key, two.session_token)
    missing = AccessKey(one.access_key_id, one.secret_access_key)
    flipped = one.session_token[:40] + ("A" if one.session_token[40] != "A" else "B") + one.session_token[41:]
    altered = AccessKey(one.access_key_id, one.secret_access_key, flipped)
    long_term = AccessKey(server.credentials.admin.access_key_id, server.credentials.admin.secret_access_key, one.session_token)
    for key in (swapped, missing, altered, long_term):
        code, message, status = refused(boto(server, "sts", key).get_caller_identity)
        assert (code, message, status) == ("InvalidClientTokenId", "The security token included in the request is invalid.", 403)


def test_access_key_info_reads_the_account_off_the_id(server: Server) -> None:
    sts = boto(server, "sts")
    assert sts.get_access_key_info(AccessKeyId=server.credentials.root.access_key_id)["Account"] == server.account_id
    # An id of AWS's own, published with its account (Tal Be'ery, "A short note on AWS KEY ID", 2023).
    assert sts.get_access_key_info(AccessKeyId="ASIAQNZGKIQY56JQ7WML")["Account"] == "029608264753"


def test_a_denial_of_ec2_can_be_decoded(server: Server) -> None:
    key = new_user(server, unique("user"))
    code, message, status = refused(boto(server, "ec2", key).describe_instances)
    assert (code, status) == ("UnauthorizedOperation", 403)
    assert message.startswith("You are not authorized to perform this operation.")
    encoded = message.partition("Encoded authorization failure message: ")[2]
    assert refused(boto(server, "sts", key).decode_authorization_message, EncodedMessage=encoded)[0] == "AccessDenied"
    decoded = json.loads(boto(server, "sts").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert decoded["allowed"] is False
    assert decoded["explicitDeny"] is False
    assert decoded["context"]["action"] == "ec2:DescribeInstances"
    tampered = encoded[:-6] + ("AAAAAA" if not encoded.endswith("AAAAAA") else "BBBBBB")
    assert (
        refused(boto(server, "sts").decode_authorization_message, EncodedMessage=tampered)[0]
        == "InvalidAuthorizationMessageException"
    )


def test_what_is_not_built_says_so_to_those_who_may_and_nothing_to_others(server: Server) -> None:
    assert refused(boto(server, "ec2").describe_instances)[0::2] == ("NotImplemented", 501)
    stranger = new_user(server, unique("user"))
    assert refused(boto(server, "wafv2", stranger).list_web_acls, Scope="REGIONAL")[0] == "AccessDeniedException"
