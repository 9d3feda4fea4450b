"""Ways to get authorized without the right, each tried against a real server."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import raw
from tests.support.attacks import (
    FORM,
    allow,
    deny,
    new_role,
    policy,
    query_body,
    refused,
    second_account,
    send,
    signed,
    trust,
    unique,
)
from tests.support.clients import boto, new_user, temporary
from tests.support.server import AccessKey, Server

WHO = query_body("sts", "GetCallerIdentity")
INVALID_TOKEN = ("InvalidClientTokenId", "The security token included in the request is invalid.", 403)


@pytest.fixture(scope="module")
def other(server: Server) -> tuple[str, AccessKey, AccessKey]:
    return second_account(server)


def whoami(server: Server, key: AccessKey) -> raw.Answer:
    return send(server, signed(server, key, "sts", body=WHO, headers=FORM))


# Credentials that do not belong together


def test_a_secret_is_good_for_its_own_key_alone(server: Server, other: tuple[str, AccessKey, AccessKey]):
    admin, root, foreign = server.credentials.admin, server.credentials.root, other[1]
    for one in (admin, root, foreign):
        for two in (admin, root, foreign):
            answer = whoami(server, AccessKey(one.access_key_id, two.secret_access_key))
            assert (answer.status == 200) == (one is two)
            if one is not two:
                assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body


def test_a_token_is_good_for_its_own_key_alone_also_across_accounts(server: Server, other: tuple[str, AccessKey, AccessKey]):
    mine = temporary(boto(server, "sts").get_session_token())
    theirs = temporary(boto(server, "sts", other[1]).get_session_token())
    federated = temporary(boto(server, "sts").get_federation_token(Name="bob", Policy=json.dumps(policy(allow("*")))))
    for one in (mine, theirs, federated):
        for two in (mine, theirs, federated):
            if one is not two:
                swapped = AccessKey(one.access_key_id, one.secret_access_key, two.session_token)
                assert refused(boto(server, "sts", swapped).get_caller_identity) == INVALID_TOKEN
                crossed = AccessKey(one.access_key_id, two.secret_access_key, one.session_token)
                assert refused(boto(server, "sts", crossed).get_caller_identity)[0] == "SignatureDoesNotMatch"
    for key in (server.credentials.admin, server.credentials.root, other[1]):
        long_term = AccessKey(key.access_key_id, key.secret_access_key, mine.session_token)
        assert refused(boto(server, "sts", long_term).get_caller_identity) == INVALID_TOKEN


@pytest.mark.parametrize(
    "key_id", ["test", "123456789012", "AKIAIOSFODNN7EXAMPLE", "root", "admin", "ASIAIOSFODNN7EXAMPLE", "%", "*", "AKIA'--"]
)
def test_there_is_no_key_that_opens_without_a_secret(server: Server, key_id: str):
    answer = whoami(server, AccessKey(key_id, "test"))
    assert (answer.status, b"<Code>InvalidClientTokenId</Code>" in answer.body) == (403, True), answer.body
    answer = whoami(server, AccessKey(key_id, "test", "a token"))
    assert (answer.status, b"<Code>InvalidClientTokenId</Code>" in answer.body) == (403, True), answer.body


def test_key_ids_know_case(server: Server):
    admin = server.credentials.admin
    answer = whoami(server, AccessKey(admin.access_key_id.lower(), admin.secret_access_key))
    assert b"<Code>InvalidClientTokenId</Code>" in answer.body


# Credentials whose owner is gone


def delete_user(server: Server, name: str) -> None:
    iam = boto(server, "iam")
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    for inline in iam.list_user_policies(UserName=name)["PolicyNames"]:
        iam.delete_user_policy(UserName=name, PolicyName=inline)
    iam.delete_user(UserName=name)


def test_a_deleted_users_credentials_are_gone_also_when_the_name_comes_back(server: Server):
    name = unique("ghost")
    everything = policy(allow("*"))
    key = new_user(server, name, everything)
    sts = boto(server, "sts", key)
    session = temporary(sts.get_session_token())
    federated = temporary(sts.get_federation_token(Name="guest", Policy=json.dumps(everything)))
    for each in (key, session, federated):
        boto(server, "kms", each).list_keys()
    delete_user(server, name)
    for create in (True, False):
        for each in (key, session, federated):
            assert refused(boto(server, "sts", each).get_caller_identity) == INVALID_TOKEN
            assert refused(boto(server, "kms", each).list_keys)[0] == "UnrecognizedClientException"
        if create:
            new_user(server, name, everything)


def test_a_deleted_roles_sessions_are_gone_also_when_the_name_comes_back(server: Server):
    trusted = trust(f"arn:aws:iam::{server.account_id}:root")
    role = new_role(server, trusted, policy(allow("*")))
    iam = boto(server, "iam")
    sts = boto(server, "sts", new_user(server, unique("user"), policy(allow("sts:AssumeRole"))))
    session = temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1"))
    chained = temporary(boto(server, "sts", session).assume_role(RoleArn=role["Arn"], RoleSessionName="s2"))
    iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="p0")
    iam.delete_role(RoleName=role["RoleName"])
    iam.create_role(RoleName=role["RoleName"], AssumeRolePolicyDocument=json.dumps(trusted))
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="p0", PolicyDocument=json.dumps(policy(allow("*"))))
    for each in (session, chained):
        assert refused(boto(server, "sts", each).get_caller_identity) == INVALID_TOKEN


def test_a_key_policy_does_not_trust_whoever_takes_a_name(server: Server):
    """A key policy that names a user names that very user, not the next one of the same name."""
    name = unique("named")
    key = new_user(server, name)
    kms = boto(server, "kms")
    arn = f"arn:aws:iam::{server.account_id}:user/{name}"
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{server.account_id}:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Encrypt", "Resource": "*"},
    ]
    key_id = kms.create_key(Policy=json.dumps(policy(*statements)))["KeyMetadata"]["KeyId"]
    boto(server, "kms", key).encrypt(KeyId=key_id, Plaintext=b"x")
    delete_user(server, name)
    impostor = new_user(server, name)
    assert refused(boto(server, "kms", impostor).encrypt, KeyId=key_id, Plaintext=b"x")[0] == "AccessDeniedException"


def test_an_inactive_key_signs_nothing(server: Server):
    name = unique("off")
    key = new_user(server, name)
    boto(server, "sts", key).get_caller_identity()
    iam = boto(server, "iam")
    iam.update_access_key(UserName=name, AccessKeyId=key.access_key_id, Status="Inactive")
    assert refused(boto(server, "sts", key).get_caller_identity) == INVALID_TOKEN
    iam.update_access_key(UserName=name, AccessKeyId=key.access_key_id, Status="Active")
    boto(server, "sts", key).get_caller_identity()


# One call made into another


def test_a_signature_for_one_service_reaches_no_other(server: Server):
    admin = server.credentials.admin
    made = unique("confused")
    create = query_body("iam", "CreateUser", UserName=made)
    for service in ("sts", "kms", "s3", "ec2", "cloudtrail"):
        answer = send(server, signed(server, admin, service, body=create, headers=FORM))
        assert answer.status in {400, 403, 404, 405, 501}, (service, answer)
    target = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.CreateKey"}
    for service in ("sts", "iam", "s3", "ec2", "cloudtrail"):
        answer = send(server, signed(server, admin, service, body=b"{}", headers=target))
        assert answer.status in {400, 403, 404, 405}, (service, answer)
        assert b"KeyMetadata" not in answer.body
    # Two ways at once: the target says KMS, the form says IAM.
    both = {**FORM, "X-Amz-Target": "TrentService.ListKeys"}
    for service in ("iam", "kms"):
        answer = send(server, signed(server, admin, service, body=create, headers=both))
        assert answer.status in {400, 403}, (service, answer)
    assert made not in {user["UserName"] for user in boto(server, "iam").list_users()["Users"]}


@pytest.mark.parametrize("extra", ["&Action=DeleteUser", "&Action=ListUsers&Version=2010-05-08"])
def test_nothing_can_be_added_to_a_presigned_url(server: Server, extra: str):
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = signed(server, server.credentials.admin, "sts", method="GET", path=path, presigned=60)
    assert send(server, request).status == 200
    answer = send(server, request, query=extra)
    assert (answer.status, b"<Code>SignatureDoesNotMatch</Code>" in answer.body) == (403, True)


def test_a_presigned_url_is_for_one_method_host_and_body(server: Server):
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = signed(server, server.credentials.admin, "sts", method="GET", path=path, presigned=60)
    changed = (
        send(server, request, method="POST"),
        send(server, request, method="DELETE"),
        send(server, request, host="sts.example.com"),
        send(server, request, host=f"LOCALHOST:{server.port}"),
        send(server, request, body=query_body("iam", "ListUsers")),
        send(server, request, method="POST", body=query_body("sts", "GetSessionToken"), headers=FORM),
    )
    for answer in changed:
        assert (answer.status, b"<Code>SignatureDoesNotMatch</Code>" in answer.body) == (403, True), answer.body


def test_a_signed_request_is_for_one_host_method_and_path(server: Server):
    request = signed(server, server.credentials.admin, "sts", body=WHO, headers=FORM)
    assert send(server, request).status == 200
    for answer in (send(server, request, host="sts.amazonaws.com"), send(server, request, method="PUT")):
        assert b"SignatureDoesNotMatch" in answer.body, answer.body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Amz-Target", "TrentService.ListKeys"),
        ("X-Amz-Foo", "a"),
        ("X-Amz-Region-Set", "*"),
        ("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
    ],
)
def test_no_amz_header_can_be_added_to_a_signed_request(server: Server, name: str, value: str):
    other_body = query_body("sts", "GetSessionToken")
    request = signed(server, server.credentials.admin, "sts", body=WHO, headers=FORM)
    answer = send(server, request, headers={name: value}, body=other_body if "Sha256" in name else None)
    assert answer.status in {400, 403}, answer.body


def test_operations_are_called_by_their_exact_names(server: Server):
    """A policy that denies iam:CreateUser must not be got round by another spelling of the action."""
    for action in ("createuser", "CREATEUSER", "CreateUser ", " CreateUser", "CreateUser\0", "\uff23reateUser"):
        body = query_body("iam", action, UserName=unique("spelled"))
        answer = send(server, signed(server, server.credentials.admin, "iam", body=body, headers=FORM))
        assert (answer.status, b"<Code>InvalidAction</Code>" in answer.body) == (400, True), (action, answer.body)
    for target in ("TrentService.createkey", "trentservice.CreateKey", "X.TrentService.CreateKey", "TrentService.CreateKey "):
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        answer = send(server, signed(server, server.credentials.admin, "kms", body=b"{}", headers=headers))
        assert answer.status == 400 or target.endswith(" "), (target, answer.body)


# Names


def test_a_deny_holds_whatever_the_case_of_the_name_in_the_request(server: Server):
    """IAM finds names regardless of case; policies compare ARNs with case. The ARN decided on is the true one."""
    name = unique("Bob")
    new_user(server, name)
    arn = f"arn:aws:iam::{server.account_id}:user/{name}"
    iam = boto(server, "iam", new_user(server, unique("clerk"), policy(allow("iam:*"), deny("iam:*", resource=arn))))
    for spelling in (name, name.lower(), name.upper(), name.swapcase()):
        for call in (iam.get_user, iam.create_access_key, iam.delete_user, iam.list_access_keys):
            assert refused(call, UserName=spelling)[0] == "AccessDenied", spelling
    role = new_role(server, trust(f"arn:aws:iam::{server.account_id}:root"))
    clerk = boto(server, "iam", new_user(server, unique("clerk"), policy(allow("iam:*"), deny("iam:*", resource=role["Arn"]))))
    for spelling in (role["RoleName"], role["RoleName"].upper()):
        assert refused(clerk.delete_role, RoleName=spelling)[0] == "AccessDenied"
    group = unique("Group")
    boto(server, "iam").create_group(GroupName=group)
    group_arn = f"arn:aws:iam::{server.account_id}:group/{group}"
    clerk = boto(server, "iam", new_user(server, unique("clerk"), policy(allow("iam:*"), deny("iam:*", resource=group_arn))))
    assert refused(clerk.delete_group, GroupName=group.upper())[0] == "AccessDenied"


def test_a_role_is_assumed_by_its_exact_arn(server: Server):
    role = new_role(server, trust(f"arn:aws:iam::{server.account_id}:root"), Path="/deep/")
    user = new_user(server, unique("user"), policy(allow("sts:AssumeRole"), deny("sts:AssumeRole", resource=role["Arn"])))
    sts = boto(server, "sts", user)
    account, name = server.account_id, role["RoleName"]
    for arn in (
        role["Arn"],
        role["Arn"].upper(),
        f"arn:aws:iam::{account}:role/deep/{name.upper()}",
        f"arn:aws:iam::{account}:role/{name}",
        f"arn:aws:iam::{account}:role/deep//{name}",
        f"arn:aws:iam::{account}:role/deep/../deep/{name}",
        f"arn:aws-cn:iam::{account}:role/deep/{name}",
        f"arn:aws:iam:us-east-1:{account}:role/deep/{name}",
        f"arn:aws:iam:::role/deep/{name}",
        f"arn:aws:iam::{account}:role/deep/{name}\n",
        f"arn:aws:iam::{account}:user/deep/{name}",
    ):
        code, _, status = refused(sts.assume_role, RoleArn=arn, RoleSessionName="s1")
        assert (code, status) in {("AccessDenied", 403), ("ValidationError", 400)}, arn


def test_a_role_that_does_not_exist_is_refused_to_all_alike(server: Server, other: tuple[str, AccessKey, AccessKey]):
    for account in (server.account_id, other[0], "", "000000000000", "aws"):
        arn = f"arn:aws:iam::{account}:role/absent"
        for key in (server.credentials.root, server.credentials.admin, other[2]):
            code, _, status = refused(boto(server, "sts", key).assume_role, RoleArn=arn, RoleSessionName="s1")
            assert (code, status) in {("AccessDenied", 403), ("ValidationError", 400)}, (arn, code)


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "a*",
        "?",
        "${aws:username}",
        "../admin",
        "a/b",
        "a:b",
        "ü",
        "\u212aate",
        "admin\u0000",
        "\uff41dmin",
        " admin",
        "a\nb",
    ],
)
def test_names_that_would_mean_something_else_elsewhere_are_refused(server: Server, name: str):
    iam = boto(server, "iam")
    assert refused(iam.create_user, UserName=name)[0::2] == ("ValidationError", 400)
    assert refused(iam.create_group, GroupName=name)[0::2] == ("ValidationError", 400)
    trusted = json.dumps(trust(server.account_id))
    assert refused(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trusted)[0::2] == ("ValidationError", 400)
    assert refused(boto(server, "sts").get_federation_token, Name=name)[0::2] == ("ValidationError", 400)
    role = f"arn:aws:iam::{server.account_id}:role/x"
    assert refused(boto(server, "sts").assume_role, RoleArn=role, RoleSessionName=name)[0::2] == ("ValidationError", 400)


@pytest.mark.parametrize("value", ["*", "?*", "a*", "${aws:username}"])
def test_a_wildcard_in_a_variables_value_is_no_wildcard(server: Server, value: str):
    """IAM User Guide, "Policy variables": what is put in stands for itself."""
    kms = boto(server, "kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    name = unique("tagged")
    document = policy(
        allow("kms:Encrypt", resource=f"arn:aws:kms:*:{server.account_id}:key/${{aws:PrincipalTag/scope}}"),
        allow("kms:DescribeKey", Condition={"StringLike": {"aws:ResourceTag/owner": "${aws:PrincipalTag/scope}"}}),
    )
    tagged = new_user(server, name, document)
    try:
        boto(server, "iam").tag_user(UserName=name, Tags=[{"Key": "scope", "Value": value}])
    except boto(server, "iam").exceptions.ClientError:
        pass  # IAM takes no such value; a session tag may carry what AWS allows there
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "owner", "TagValue": "somebody"}])
    mine = boto(server, "kms", tagged)
    assert refused(mine.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    assert refused(mine.describe_key, KeyId=key)[0] == "AccessDeniedException"


def test_a_header_is_no_wildcard_either(server: Server):
    """aws:UserAgent and aws:Referer are the client's to choose, so that they must not match as patterns."""
    document = policy(allow("iam:ListUsers", Condition={"StringLike": {"aws:PrincipalTag/team": "${aws:UserAgent}"}}))
    key = new_user(server, unique("agent"), document)
    request = signed(server, key, "iam", body=query_body("iam", "ListUsers"), headers={**FORM, "User-Agent": "*"})
    assert send(server, request).status == 403


def test_a_condition_key_of_the_request_replaces_no_global_one(server: Server):
    """The names in an encryption context and in tags are the caller's; they stay behind their prefix."""
    document = policy(
        allow("kms:Encrypt", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}),
        allow("kms:CreateKey", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}),
    )
    key_id = boto(server, "kms").create_key()["KeyMetadata"]["KeyId"]
    mine = boto(server, "kms", new_user(server, unique("spoof"), document))
    for name in ("aws:PrincipalTag/team", "/../aws:PrincipalTag/team", "aws:principaltag/team", ""):
        code = refused(mine.encrypt, KeyId=key_id, Plaintext=b"x", EncryptionContext={name: "blue"})[0]
        assert code in {"AccessDeniedException", "ValidationException"}
        code = refused(mine.create_key, Tags=[{"TagKey": name, "TagValue": "blue"}])[0]
        assert code in {"AccessDeniedException", "ValidationException", "TagException"}


# Across accounts


def test_another_accounts_things_are_out_of_reach(server: Server, other: tuple[str, AccessKey, AccessKey]):
    account, admin, root = other
    theirs = boto(server, "iam", admin)
    name = unique("theirs")
    theirs.create_user(UserName=name)
    key = temporary(theirs.create_access_key(UserName=name))
    arn = theirs.create_policy(PolicyName=unique("p"), PolicyDocument=json.dumps(policy(allow("*"))))["Policy"]["Arn"]
    role = theirs.create_role(RoleName=unique("r"), AssumeRolePolicyDocument=json.dumps(trust(account)))["Role"]
    kms_key = boto(server, "kms", admin).create_key()["KeyMetadata"]["Arn"]
    blob = boto(server, "kms", admin).encrypt(KeyId=kms_key, Plaintext=b"x")["CiphertextBlob"]
    mine = new_user(server, unique("mine"), policy(allow("*")))
    for caller in (server.credentials.admin, server.credentials.root, mine):
        iam, kms = boto(server, "iam", caller), boto(server, "kms", caller)
        own = unique("own")
        boto(server, "iam").create_user(UserName=own)
        assert refused(iam.get_user, UserName=name)[0] == "NoSuchEntity"
        assert refused(iam.get_policy, PolicyArn=arn)[0] in {"NoSuchEntity", "AccessDenied"}
        assert refused(iam.attach_user_policy, UserName=own, PolicyArn=arn)[0] in {
            "NoSuchEntity",
            "AccessDenied",
            "ValidationError",
        }
        assert refused(iam.put_user_permissions_boundary, UserName=own, PermissionsBoundary=arn)[0] in {
            "NoSuchEntity",
            "InvalidInput",
        }
        assert refused(iam.delete_policy, PolicyArn=arn)[0] in {"NoSuchEntity", "AccessDenied"}
        assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument="{}")[0] in {"NoSuchEntity", "AccessDenied"}
        assert refused(iam.get_access_key_last_used, AccessKeyId=key.access_key_id)[0] == "AccessDenied"
        assert refused(iam.simulate_principal_policy, PolicySourceArn=role["Arn"], ActionNames=["iam:GetUser"])[0] in {
            "InvalidInput",
            "NoSuchEntity",
            "ValidationError",
        }
        assert refused(kms.describe_key, KeyId=kms_key)[0] == "AccessDeniedException"
        assert refused(kms.encrypt, KeyId=kms_key, Plaintext=b"x")[0] == "AccessDeniedException"
        assert refused(kms.decrypt, CiphertextBlob=blob)[0] == "AccessDeniedException"
        assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=kms_key)[0] == "AccessDeniedException"
        # By its bare id it is a key of the caller's account, and there is none.
        assert refused(kms.describe_key, KeyId=kms_key.rpartition("/")[2])[0] == "NotFoundException"
        code = refused(boto(server, "sts", caller).assume_role, RoleArn=role["Arn"], RoleSessionName="s1")[0]
        assert code == "AccessDenied"
    assert refused(boto(server, "iam", root).get_user, UserName="absent")[0] == "NoSuchEntity"


def test_what_was_sealed_for_one_account_or_list_opens_for_no_other(server: Server, other: tuple[str, AccessKey, AccessKey]):
    nobody = boto(server, "ec2", new_user(server, unique("user")))
    sealed = refused(nobody.describe_instances)[1].partition("Encoded authorization failure message: ")[2]
    assert boto(server, "sts").decode_authorization_message(EncodedMessage=sealed)
    foreign = boto(server, "sts", other[1]).decode_authorization_message
    assert refused(foreign, EncodedMessage=sealed)[0] == "InvalidAuthorizationMessageException"
    iam = boto(server, "iam")
    for _ in range(2):
        iam.create_user(UserName=unique("page"))
    marker = iam.list_users(MaxItems=1)["Marker"]
    assert iam.list_users(MaxItems=1, Marker=marker)
    assert refused(iam.list_users, Marker=marker, PathPrefix="/other/")[0] == "ValidationError"
    assert refused(iam.list_roles, Marker=marker)[0] == "ValidationError"
    assert refused(iam.list_groups, Marker=marker)[0] == "ValidationError"
    assert refused(boto(server, "iam", other[1]).list_users, Marker=marker)[0] == "ValidationError"
    # One sealed thing is not another: a page marker or a denial is no session token.
    admin = server.credentials.admin
    for token in (marker, sealed):
        assert (
            refused(boto(server, "sts", AccessKey(admin.access_key_id, admin.secret_access_key, token)).get_caller_identity)
            == INVALID_TOKEN
        )


# Responses


@pytest.mark.parametrize(
    "mark", ["\r\nX-Injected: yes", "%0d%0aX-Injected: yes", "\nX-Injected: yes", "\u560d\u560aX-Injected: yes"]
)
def test_nothing_of_a_request_becomes_a_header_of_the_answer(server: Server, mark: str):
    admin = server.credentials.admin
    form = query_body("iam", "GetUser", UserName="a" + mark)
    bad_action = query_body("iam", "Get" + mark, UserName="a")
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.DescribeKey"}
    answers = [
        send(server, signed(server, admin, "iam", body=form, headers=FORM)),
        send(server, signed(server, admin, "iam", body=bad_action, headers=FORM)),
        send(server, signed(server, admin, "kms", body=json.dumps({"KeyId": mark}).encode(), headers=headers)),
        send(server, signed(server, admin, "s3", method="GET", path="/bucket/" + quote(mark))),
        raw.exchange(server, f"GET /{quote(mark)}?{quote(mark)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()),
    ]
    for answer in answers:
        assert b"injected" not in answer.head.lower(), answer.head
        assert 400 <= answer.status <= 501


# Caches


def test_one_sessions_policies_are_not_anothers(server: Server):
    """Sessions of one role share a cache, but not their session policies, tags or names."""
    role = new_role(
        server,
        trust(f"arn:aws:iam::{server.account_id}:root", "sts:AssumeRole", "sts:TagSession"),
        policy(
            allow("iam:ListUsers", "iam:ListRoles"),
            allow("iam:ListGroups", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}),
        ),
    )
    sts = boto(server, "sts", new_user(server, unique("user"), policy(allow("sts:*"))))

    def session(**more: Any) -> Any:
        return boto(server, "iam", temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="same", **more)))

    whole = session()
    narrow = session(Policy=json.dumps(policy(allow("iam:ListUsers"))))
    narrower = session(Policy=json.dumps(policy(allow("iam:ListRoles"))))
    blue, red = (session(Tags=[{"Key": "team", "Value": team}]) for team in ("blue", "red"))
    for _ in range(2):
        whole.list_users()
        whole.list_roles()
        narrow.list_users()
        assert refused(narrow.list_roles)[0] == "AccessDenied"
        narrower.list_roles()
        assert refused(narrower.list_users)[0] == "AccessDenied"
        blue.list_groups()
        assert refused(red.list_groups)[0] == "AccessDenied"
        assert refused(whole.list_groups)[0] == "AccessDenied"


def test_a_session_ends_when_it_says(server: Server):
    """The shortest session of AWS is 15 minutes; a signature that claims a later hour is refused before that."""
    session = temporary(boto(server, "sts").get_session_token(DurationSeconds=900))
    request = signed(server, session, "sts", body=WHO, headers=FORM)
    assert send(server, request).status == 200
    late = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 1200))
    answer = send(server, request, headers={"X-Amz-Date": late})
    assert answer.status in {400, 403}


# What the caller says of itself


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP"]
)
def test_the_callers_address_is_that_of_its_connection(server: Server, name: str):
    """aws:SourceIp decides; a header that anybody can write does not."""
    inside = allow("iam:ListUsers", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    key = new_user(server, unique("outside"), policy(inside))
    value = "for=10.1.2.3" if name == "Forwarded" else "10.1.2.3"
    request = signed(server, key, "iam", body=query_body("iam", "ListUsers"), headers={**FORM, name: value})
    assert send(server, request).status == 403


def test_plain_http_is_never_taken_for_tls(server: Server):
    """aws:SecureTransport is a fact of the connection."""
    secure = allow("iam:ListUsers", Condition={"Bool": {"aws:SecureTransport": "true"}})
    key = new_user(server, unique("plain"), policy(secure))
    for name, value in (
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Ssl", "on"),
        ("Forwarded", "proto=https"),
        ("Front-End-Https", "on"),
    ):
        request = signed(server, key, "iam", body=query_body("iam", "ListUsers"), headers={**FORM, name: value})
        assert send(server, request).status == 403
