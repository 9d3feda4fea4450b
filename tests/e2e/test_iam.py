"""IAM through boto3 against a real server: what crosses the wire, and that what is written decides what follows.

Expected texts: AWS's answers as publicly recorded (IAM, 2023 to 2026).
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.clients import boto, temporary
from tests.support.server import Server

ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUST_EC2 = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def allow(*actions: str, resource: object = "*", **more: object) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(*principals: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refusal(call: Any, **members: Any) -> tuple[int, str, str]:
    """Status, code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.fixture
def iam(server: Server) -> Any:
    return boto(server, "iam")


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def user(iam: Any, name: str) -> str:
    iam.create_user(UserName=name)
    return name


@pytest.fixture
def arn(server: Server, user: str) -> str:
    return f"arn:aws:iam::{server.account_id}:user/{user}"


@pytest.fixture
def theirs(server: Server, iam: Any, user: str) -> Any:
    """IAM as the user calls it."""
    return boto(server, "iam", temporary(iam.create_access_key(UserName=user)))


def test_a_users_life(server: Server, iam: Any, name: str):
    made = iam.create_user(UserName=name, Path="/a/b/", Tags=[{"Key": "Team", "Value": "red + blue"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{server.account_id}:user/a/b/{name}"
    assert iam.get_user(UserName=name)["User"] == made
    assert iam.list_user_tags(UserName=name)["Tags"] == [{"Key": "Team", "Value": "red + blue"}]
    iam.update_user(UserName=name, NewUserName=f"{name}-2")
    assert refusal(iam.get_user, UserName=name) == (404, "NoSuchEntity", f"The user with name {name} cannot be found.")
    assert refusal(iam.create_user, UserName=f"{name}-2".upper()) == (
        409, "EntityAlreadyExists", f"User with name {name.upper()}-2 already exists.",
    )  # fmt: skip
    iam.delete_user(UserName=f"{name}-2")


def test_every_page_of_a_list(iam: Any, name: str):
    names = sorted(f"{name}-{number}" for number in range(5))
    for each in names:
        iam.create_user(UserName=each, Path=f"/{name}/")
    pages = iam.get_paginator("list_users").paginate(PathPrefix=f"/{name}/", PaginationConfig={"PageSize": 2})
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    first = iam.list_users(PathPrefix=f"/{name}/", MaxItems=2)
    assert refusal(iam.list_users, Marker=first["Marker"])[:2] == (400, "ValidationError")


def test_documents_come_back_as_they_were_put(iam: Any, user: str, name: str):
    document = allow("s3:*", Condition={"StringLike": {"s3:prefix": ["ü/%20+&<>", "a b"]}})
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document)
    assert iam.get_user_policy(UserName=user, PolicyName="p")["PolicyDocument"] == json.loads(document)
    policy = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    version = iam.get_policy_version(PolicyArn=policy, VersionId="v1")["PolicyVersion"]
    assert (version["Document"], version["IsDefaultVersion"]) == (json.loads(document), True)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST_EC2))["Role"]
    assert role["AssumeRolePolicyDocument"] == TRUST_EC2
    assert iam.get_role(RoleName=name)["Role"]["RoleLastUsed"] == {}


def test_a_malformed_policy_is_refused_with_the_reason(iam: Any, user: str):
    assert refusal(iam.put_user_policy, UserName=user, PolicyName="p", PolicyDocument="{") == (
        400, "MalformedPolicyDocument", "Syntax errors in policy.",
    )  # fmt: skip
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == []


@pytest.mark.parametrize(
    ("operation", "members", "resource"),
    [
        ("get_user", {}, "user {user}"),
        ("list_access_keys", {}, "user {user}"),
        ("list_users", {}, "arn:aws:iam::{account}:user/"),
        ("list_roles", {}, "arn:aws:iam::{account}:role/"),
        ("list_groups", {"PathPrefix": "/x/"}, "arn:aws:iam::{account}:group/x/"),
        ("list_policies", {}, "policy path /"),
        ("create_user", {"UserName": "new"}, "arn:aws:iam::{account}:user/new"),
        ("create_role", {"RoleName": "new", "AssumeRolePolicyDocument": "{}"}, "arn:aws:iam::{account}:role/new"),
        ("create_policy", {"PolicyName": "new", "PolicyDocument": "{}"}, "policy new"),
        ("get_policy", {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}, "policy arn:aws:iam::aws:policy/ReadOnlyAccess"),
        ("get_role", {"RoleName": "nobody"}, "role nobody"),
        ("attach_role_policy", {"RoleName": "r", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}, "role r"),
        ("add_user_to_group", {"GroupName": "g", "UserName": "u"}, "group g"),
        ("list_account_aliases", {}, "*"),
        ("get_account_authorization_details", {}, "*"),
    ],
)
def test_how_a_denial_names_what_it_denies(
    server: Server, theirs: Any, user: str, arn: str, operation: str, members: dict[str, str], resource: str
):
    named = resource.format(user=user, account=server.account_id)
    action = f"iam:{''.join(word.title() for word in operation.split('_'))}"
    assert refusal(getattr(theirs, operation), **members) == (
        403,
        "AccessDenied",
        f"User: {arn} is not authorized to perform: {action} on resource: {named} because no identity-based policy allows the {action} action",
    )


def test_what_is_attached_decides_at_once(iam: Any, theirs: Any, user: str, name: str):
    def may() -> bool:
        try:
            theirs.list_users(MaxItems=1)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"  # noqa: PT017 - the other outcome is an answer
            return False
        return True

    assert not may()
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=allow("iam:ListUsers"))
    assert may()
    iam.delete_user_policy(UserName=user, PolicyName="p")
    assert not may()
    iam.create_group(GroupName=name)
    iam.put_group_policy(GroupName=name, PolicyName="p", PolicyDocument=allow("iam:List*"))
    iam.add_user_to_group(GroupName=name, UserName=user)
    assert may()
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    assert not may()
    iam.delete_user_permissions_boundary(UserName=user)
    assert may()
    iam.remove_user_from_group(GroupName=name, UserName=user)
    assert not may()
    policy = iam.create_policy(PolicyName=name, PolicyDocument=allow("s3:*"))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=user, PolicyArn=policy)
    assert not may()
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=allow("iam:ListUsers"), SetAsDefault=True)
    assert may()
    iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
    assert not may()
    iam.attach_user_policy(UserName=user, PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    assert may()


def test_tags_decide(iam: Any, theirs: Any, user: str, name: str):
    condition = {"StringEquals": {"iam:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=allow("iam:GetUser", Condition=condition))
    iam.create_user(UserName=f"{name}-x", Tags=[{"Key": "team", "Value": "red"}])
    iam.tag_user(UserName=user, Tags=[{"Key": "team", "Value": "blue"}])
    assert refusal(theirs.get_user, UserName=f"{name}-x")[1] == "AccessDenied"
    iam.tag_user(UserName=user, Tags=[{"Key": "team", "Value": "red"}])
    assert theirs.get_user(UserName=f"{name}-x")["User"]["UserName"] == f"{name}-x"
    iam.untag_user(UserName=f"{name}-x", TagKeys=["team"])
    assert refusal(theirs.get_user, UserName=f"{name}-x")[1] == "AccessDenied"


def test_what_a_request_asks_for_decides(server: Server, iam: Any, theirs: Any, user: str, name: str):
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.put_user_policy(
        UserName=user,
        PolicyName="p",
        PolicyDocument=allow(
            "iam:CreateUser", "iam:PutUserPolicy", Condition={"StringEquals": {"iam:PermissionsBoundary": boundary}}
        ),
    )
    assert refusal(theirs.create_user, UserName=f"{name}-x")[1] == "AccessDenied"
    theirs.create_user(UserName=f"{name}-x", PermissionsBoundary=boundary)
    theirs.put_user_policy(UserName=f"{name}-x", PolicyName="p", PolicyDocument=json.dumps(ALLOW_ALL))
    assert (
        refusal(theirs.put_user_policy, UserName=user, PolicyName="p", PolicyDocument=json.dumps(ALLOW_ALL))[1] == "AccessDenied"
    )


def test_a_key_that_is_switched_off_signs_no_more(iam: Any, server: Server, user: str):
    key = temporary(iam.create_access_key(UserName=user))
    sts = boto(server, "sts", key)
    assert sts.get_caller_identity()["Arn"].endswith(f"/{user}")
    iam.update_access_key(UserName=user, AccessKeyId=key.access_key_id, Status="Inactive")
    assert refusal(sts.get_caller_identity)[:2] == (403, "InvalidClientTokenId")
    iam.update_access_key(UserName=user, AccessKeyId=key.access_key_id, Status="Active")
    assert sts.get_caller_identity()
    iam.update_user(UserName=user, NewUserName=f"{user}-renamed")
    assert sts.get_caller_identity()["Arn"].endswith(f"/{user}-renamed")
    iam.delete_access_key(UserName=f"{user}-renamed", AccessKeyId=key.access_key_id)
    assert refusal(sts.get_caller_identity)[:2] == (403, "InvalidClientTokenId")


def test_a_user_made_again_is_not_trusted(server: Server, iam: Any, theirs: Any, user: str, arn: str, name: str):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(arn))
    role = f"arn:aws:iam::{server.account_id}:role/{name}"
    key = temporary(iam.create_access_key(UserName=user))
    assert boto(server, "sts", key).assume_role(RoleArn=role, RoleSessionName="me")
    old = iam.get_user(UserName=user)["User"]["UserId"]
    for each in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=each["AccessKeyId"])
    iam.delete_user(UserName=user)
    iam.create_user(UserName=user)
    again = temporary(iam.create_access_key(UserName=user))
    assert refusal(boto(server, "sts", again).assume_role, RoleArn=role, RoleSessionName="me")[1] == "AccessDenied"
    shown = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": [old]}


def test_the_simulator_agrees_with_the_server(iam: Any, theirs: Any, user: str, arn: str):
    iam.put_user_policy(
        UserName=user, PolicyName="p", PolicyDocument=allow("iam:GetUser", resource="arn:aws:iam::*:user/${aws:username}")
    )
    result = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["iam:GetUser", "iam:DeleteUser"], ResourceArns=[arn]
    )["EvaluationResults"]
    assert [each["EvalDecision"] for each in result] == ["allowed", "implicitDeny"]
    assert result[0]["MatchedStatements"][0]["SourcePolicyId"] == f"user_{user}_p"
    assert result[0]["EvalDecisionDetails"] == {}
    assert theirs.get_user()["User"]["Arn"] == arn
    assert refusal(theirs.delete_user, UserName=user)[1] == "AccessDenied"
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=arn)["ContextKeyNames"]
    assert keys == ["aws:username"]


def test_everything_in_the_account(iam: Any, user: str, name: str):
    iam.attach_user_policy(UserName=user, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    pages = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 10})
    found: dict[str, list[Any]] = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    for page in pages:
        for part, entries in found.items():
            entries.extend(page[part])
    (mine,) = [each for each in found["UserDetailList"] if each["UserName"] == user]
    assert mine["AttachedManagedPolicies"] == [
        {"PolicyName": "AmazonS3FullAccess", "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}
    ]
    (policy,) = [each for each in found["Policies"] if each["PolicyName"] == "AmazonS3FullAccess"]
    assert policy["PolicyVersionList"][0]["Document"]["Version"] == "2012-10-17"


def test_all_of_awss_policies_are_listed(iam: Any):
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 1000})
    assert len([policy for page in pages for policy in page["Policies"]]) > 1500
    assert refusal(iam.delete_policy, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")[:2] == (403, "AccessDenied")


def test_a_services_own_role(iam: Any):
    role = iam.create_service_linked_role(AWSServiceName="elasticbeanstalk.amazonaws.com")["Role"]["RoleName"]
    assert refusal(iam.delete_role, RoleName=role) == (
        400,
        "UnmodifiableEntity",
        f"Cannot perform the operation on the protected role '{role}' - this role is only modifiable by AWS",
    )
    assert refusal(iam.create_service_linked_role, AWSServiceName="elasticbeanstalk.amazonaws.com")[:2] == (400, "InvalidInput")
    task = iam.delete_service_linked_role(RoleName=role)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"


def test_the_roots_own_keys(server: Server):
    iam = boto(server, "iam", server.credentials.root)
    user = iam.get_user()["User"]
    assert (user["Arn"], user["UserId"]) == (f"arn:aws:iam::{server.account_id}:root", server.account_id)
    assert server.credentials.root.access_key_id in {key["AccessKeyId"] for key in iam.list_access_keys()["AccessKeyMetadata"]}
    key = temporary(iam.create_access_key())
    assert boto(server, "sts", key).get_caller_identity()["Arn"] == f"arn:aws:iam::{server.account_id}:root"
    assert refusal(iam.create_access_key) == (409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    iam.delete_access_key(AccessKeyId=key.access_key_id)


def test_the_account(iam: Any, name: str):
    iam.create_account_alias(AccountAlias=name)
    assert iam.list_account_aliases()["AccountAliases"] == [name]
    iam.delete_account_alias(AccountAlias=name)
    iam.update_account_password_policy(MinimumPasswordLength=10, MaxPasswordAge=60)
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 10,
        "RequireSymbols": False,
        "RequireNumbers": False,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": True,
        "MaxPasswordAge": 60,
    }
    iam.delete_account_password_policy()
    assert len(iam.get_account_summary()["SummaryMap"]) == 34


def test_state_outlives_the_server(new_server: Any):
    server = new_server().start()
    iam = boto(server, "iam")
    iam.create_user(UserName="kept", Tags=[{"Key": "a", "Value": "b"}])
    key = temporary(iam.create_access_key(UserName="kept"))
    server.kill()
    server.start()
    assert boto(server, "sts", key).get_caller_identity()["Arn"].endswith(":user/kept")
    assert boto(server, "iam").list_user_tags(UserName="kept")["Tags"] == [{"Key": "a", "Value": "b"}]
