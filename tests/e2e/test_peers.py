"""What other servers of the AWS protocols get wrong: each test fails on the fault that its docstring names."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from garrison.core.principal import Principal
from garrison.policy import PolicyInputs, PolicyKind, PolicySet, Request, authorize, compile_policy
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
from tests.support.server import AccessKey, Server, ServerError
from tests.support.signing import at

JSON = {"Content-Type": "application/x-amz-json-1.1"}
WHO = query_body("sts", "GetCallerIdentity")
LIST = query_body("iam", "ListUsers")


def root_of(server: Server) -> str:
    return f"arn:aws:iam::{server.account_id}:root"


def form(server: Server, key: AccessKey, service: str, body: bytes) -> raw.Answer:
    return send(server, signed(server, key, service, body=body, headers=FORM))


def json_call(server: Server, key: AccessKey, operation: str, body: bytes = b"{}") -> raw.Answer:
    headers = {**JSON, "X-Amz-Target": f"TrentService.{operation}"}
    return send(server, signed(server, key, "kms", body=body, headers=headers))


# Signatures


def test_a_wrong_secret_is_refused_in_each_protocol(server: Server):
    """Fault: signatures are not verified, so that any secret opens."""
    bad = AccessKey(server.credentials.admin.access_key_id, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    query, json_, s3 = (
        form(server, bad, "iam", LIST),
        json_call(server, bad, "ListKeys"),
        send(server, signed(server, bad, "s3", method="GET", headers={"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"})),
    )
    assert (query.status, b"<Code>SignatureDoesNotMatch</Code>" in query.body) == (403, True)
    assert (json_.status, json.loads(json_.body)["__type"]) == (400, "InvalidSignatureException")
    assert (s3.status, b"<Code>SignatureDoesNotMatch</Code>" in s3.body) == (403, True), s3.body
    ec2 = form(server, bad, "ec2", query_body("ec2", "DescribeInstances"))
    assert (ec2.status, b"<Code>AuthFailure</Code>" in ec2.body) == (401, True)


@pytest.mark.parametrize(
    "key_id", ["test", "testing", "000000000000", "123456789012", "mock_access_key", "AKIATEST", "LSIAQAAAAAAVNCBMPNSG"]
)
def test_no_access_key_id_opens_by_itself(server: Server, key_id: str):
    """Fault: keys that pass whatever the secret: `test`, twelve digits, anything that starts with `test`."""
    answers = [form(server, AccessKey(key_id, secret), "sts", WHO) for secret in ("test", key_id)]
    assert {(answer.status, b"<Code>InvalidClientTokenId</Code>" in answer.body) for answer in answers} == {(403, True)}


def test_a_request_without_authorization_does_nothing(server: Server):
    """Fault: requests without an Authorization header are let through."""
    named = unique("unsigned")
    create = query_body("iam", "CreateUser", UserName=named)

    def unsigned(body: bytes, *headers: bytes) -> raw.Answer:
        head = b"\r\n".join(
            [b"POST / HTTP/1.1", b"Host: x", *headers, b"Content-Length: %d" % len(body), b"Connection: close", b"", b""]
        )
        return raw.exchange(server, head + body, half_close=False)

    query = unsigned(create, b"Content-Type: application/x-www-form-urlencoded")
    assert (query.status, b"<Code>MissingAuthenticationToken</Code>" in query.body) == (403, True)
    empty = unsigned(create, b"Content-Type: application/x-www-form-urlencoded", b"Authorization: ")
    assert empty.status in {400, 403}
    basic = unsigned(create, b"Content-Type: application/x-www-form-urlencoded", b"Authorization: Basic dGVzdDp0ZXN0")
    assert basic.status in {400, 403}
    json_ = unsigned(b"{}", b"Content-Type: application/x-amz-json-1.1", b"X-Amz-Target: TrentService.CreateKey")
    assert (json_.status, json.loads(json_.body)["__type"]) == (400, "MissingAuthenticationTokenException")
    assert named not in {user["UserName"] for user in boto(server, "iam").list_users()["Users"]}


def test_presigned_urls_are_verified(server: Server):
    """Fault: presigned URLs skip verification: a made-up signature, another operation or an old date passes."""
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    good = signed(server, server.credentials.admin, "sts", method="GET", path=path, presigned=60)
    assert send(server, good).status == 200
    url = str(good.url)
    for old, new in (
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("GetCallerIdentity", "GetSessionToken"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
    ):
        changed = signed(server, server.credentials.admin, "sts", method="GET", path=path, presigned=60)
        changed.url = url.replace(old, new)
        answer = send(server, changed)
        assert (answer.status, b"<Code>SignatureDoesNotMatch</Code>" in answer.body) == (403, True), answer.body
    with at(datetime.now(UTC) - timedelta(minutes=10)):
        old_one = signed(server, server.credentials.admin, "kms", method="GET", path="/", presigned=60)
    answer = send(server, old_one)
    assert (answer.status, b"expired" in answer.body) == (400, True) or answer.status == 403, answer.body
    with at(datetime.now(UTC) - timedelta(minutes=2)):
        s3 = signed(server, server.credentials.admin, "s3", method="GET", path="/bucket/key", presigned=60)
    answer = send(server, s3)
    assert (answer.status, b"<Code>AccessDenied</Code>" in answer.body) == (403, True), answer.body


def test_post_forms_are_not_let_through(server: Server):
    """Fault: POST forms of S3 skip verification."""
    boundary = "frontier"
    fields = {
        "key": "a",
        "policy": "e30=",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "test/20261125/us-east-1/s3/aws4_request",
        "x-amz-date": "20261125T000000Z",
        "x-amz-signature": "0" * 64,
        "file": "x",
    }
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    body = f"{parts}--{boundary}--\r\n".encode()
    head = f"POST /bucket HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    answer = raw.exchange(server, head.encode() + body, half_close=False)
    assert 400 <= answer.status < 500, answer.body


def test_an_unknown_key_has_each_services_own_code(server: Server):
    """Fault: one code for all protocols. AWS: InvalidClientTokenId 403, UnrecognizedClientException 400, InvalidAccessKeyId 403, AuthFailure 401."""
    nobody = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    for service, body in (("iam", LIST), ("sts", WHO)):
        answer = form(server, nobody, service, body)
        assert (answer.status, b"<Code>InvalidClientTokenId</Code>" in answer.body) == (403, True)
        assert b"The security token included in the request is invalid." in answer.body
    answer = json_call(server, nobody, "ListKeys")
    assert (answer.status, json.loads(answer.body)["__type"]) == (400, "UnrecognizedClientException")
    answer = send(server, signed(server, nobody, "s3", method="GET", headers={"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}))
    assert (answer.status, b"<Code>InvalidAccessKeyId</Code>" in answer.body) == (403, True)
    answer = form(server, nobody, "ec2", query_body("ec2", "DescribeInstances"))
    assert (answer.status, b"<Code>AuthFailure</Code>" in answer.body) == (401, True)


@pytest.mark.parametrize("minutes", [-14, 14, -16, 16])
def test_clocks_of_sts_iam_and_s3_may_be_off_by_fifteen_minutes(server: Server, minutes: int):
    """Fault: no clock is checked, or one window for all."""
    admin = server.credentials.admin
    with at(datetime.now(UTC) + timedelta(minutes=minutes)):
        requests = {
            "sts": signed(server, admin, "sts", body=WHO, headers=FORM),
            "iam": signed(server, admin, "iam", body=LIST, headers=FORM),
            "s3": signed(server, admin, "s3", method="GET", headers={"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}),
        }
    for service, request in requests.items():
        answer = send(server, request)
        late = (
            b"RequestTimeTooSkewed" in answer.body
            or b"Signature expired" in answer.body
            or b"Signature not yet current" in answer.body
        )
        assert late == (abs(minutes) > 15), (service, answer.body)
        assert (answer.status == 403) == (abs(minutes) > 15), (service, answer.body)


@pytest.mark.parametrize("minutes", [-4, 4, -6, 6])
def test_the_clock_of_kms_may_be_off_by_five_minutes(server: Server, minutes: int):
    """Fault: fifteen minutes everywhere."""
    with at(datetime.now(UTC) + timedelta(minutes=minutes)):
        headers = {**JSON, "X-Amz-Target": "TrentService.ListKeys"}
        request = signed(server, server.credentials.admin, "kms", body=b"{}", headers=headers)
    answer = send(server, request)
    assert (answer.status == 200) == (abs(minutes) < 5), answer.body
    if abs(minutes) > 5:
        assert json.loads(answer.body)["__type"] == "InvalidSignatureException"


# Enforcement


def test_a_new_user_may_do_nothing_of_any_service(server: Server):
    """Fault: enforcement is off by default, and unmapped actions and whole services are let through."""
    key = new_user(server, unique("nobody"))
    denied = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
    calls: list[Callable[[], Any]] = [
        lambda: refused(boto(server, "iam", key).list_users),
        lambda: refused(boto(server, "iam", key).create_user, UserName="x"),
        lambda: refused(boto(server, "kms", key).list_keys),
        lambda: refused(boto(server, "kms", key).create_key),
        lambda: refused(boto(server, "cloudtrail", key).lookup_events),
        lambda: refused(boto(server, "ec2", key).describe_instances),
        lambda: refused(boto(server, "wafv2", key).list_web_acls, Scope="REGIONAL"),
        lambda: refused(boto(server, "organizations", key).list_accounts),
        lambda: refused(boto(server, "rds", key).describe_db_instances),
        lambda: refused(boto(server, "s3", key).list_buckets),
        lambda: refused(boto(server, "config", key).describe_config_rules),
    ]
    for number, call in enumerate(calls):
        code, message, status = call()
        assert code in denied, (number, code, message)
        assert status in {400, 403}


@pytest.mark.parametrize(
    "name", ["GARRISON_ENFORCE_IAM", "GARRISON_IAM", "ENFORCE_IAM", "GARRISON_WORKER", "GARRISON_SKIP_SIGNATURE"]
)
def test_a_misspelt_setting_stops_the_start(new_server: Callable[..., Server], name: str):
    """Fault: a misspelt flag leaves enforcement off in silence. Here nothing turns it off, and what is not known is an error."""
    if not name.startswith("GARRISON_"):
        server = new_server(environment={name: "0"}).start()
        assert refused(boto(server, "iam", new_user(server, "nobody")).list_users)[0] == "AccessDenied"
        return
    with pytest.raises(ServerError, match=name):
        new_server(environment={name: "0"}).start()


def test_access_denied_in_the_words_of_aws(server: Server):
    """Fault: a text of the server's own, or none."""
    name = unique("nobody")
    iam = boto(server, "iam", new_user(server, name))
    arn = f"arn:aws:iam::{server.account_id}:user/{name}"
    listed = f"User: {arn} is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::{server.account_id}:user/"
    assert refused(iam.list_users) == (
        "AccessDenied",
        f"{listed} because no identity-based policy allows the iam:ListUsers action",
        403,
    )
    boto(server, "iam").put_user_policy(UserName=name, PolicyName="d", PolicyDocument=json.dumps(policy(deny("*"))))
    code, message, status = refused(iam.list_users)
    assert (code, status) == ("AccessDenied", 403)
    assert message.startswith(f"{listed} with an explicit deny in an identity-based policy")


# The policy language


def may(server: Server, *statements: dict[str, Any]) -> Callable[[str], bool]:
    """Whether a new user with these statements may get the user of that name."""
    iam = boto(server, "iam", new_user(server, unique("user"), policy(*statements)))

    def ask(name: str) -> bool:
        code = ""
        try:
            iam.get_user(UserName=name)
        except iam.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
        assert code in {"", "NoSuchEntity", "AccessDenied"}
        return code != "AccessDenied"

    return ask


def user_arn(server: Server, name: str) -> str:
    return f"arn:aws:iam::{server.account_id}:user/{name}"


def test_not_resource_and_not_action(server: Server):
    """Fault: NotResource is ignored, so that the statement speaks of everything or of nothing."""
    ask = may(server, {"Effect": "Allow", "Action": "iam:GetUser", "NotResource": user_arn(server, "vault*")})
    assert [ask("garden"), ask("vault"), ask("vault-2")] == [True, False, False]
    ask = may(server, allow("iam:GetUser"), {"Effect": "Deny", "Action": "*", "NotResource": user_arn(server, "garden")})
    assert [ask("garden"), ask("vault")] == [True, False]
    ask = may(server, {"Effect": "Allow", "NotAction": ["iam:GetUser"], "Resource": "*"})
    assert not ask("garden")


def test_a_condition_that_does_not_hold_makes_no_deny_of_an_allow(server: Server):
    """Fault: a non-matching Condition on an Allow is turned into a deny."""
    off = allow("iam:GetUser", Condition={"StringEquals": {"aws:PrincipalTag/team": "nobody"}})
    assert may(server, off, allow("iam:GetUser"))("garden")
    assert not may(server, off)("garden")
    never = deny("iam:GetUser", Condition={"StringEquals": {"aws:PrincipalTag/team": "nobody"}})
    assert may(server, allow("iam:GetUser"), never)("garden")


def test_variables_are_expanded(server: Server):
    """Fault: ${aws:username} stays as it is written, or becomes a wildcard."""
    name = unique("self")
    key = new_user(server, name, policy(allow("iam:GetUser", resource=user_arn(server, "${aws:username}"))))
    iam = boto(server, "iam", key)
    assert iam.get_user(UserName=name)["User"]["UserName"] == name
    assert refused(iam.get_user, UserName="admin")[0] == "AccessDenied"
    assert refused(iam.get_user, UserName=name + "x")[0] == "AccessDenied"


@pytest.mark.parametrize(
    "statement",
    [
        allow("iam:GetUser", Condition={"StringSoundsLike": {"aws:username": "a"}}),
        allow("iam:GetUser", Condition={"StringEqualsIfExist": {"aws:username": "a"}}),
        allow("iam:GetUser", Condition={"ForSomeValues:StringEquals": {"aws:username": "a"}}),
        allow("iam:GetUser", Condition={"IpAddress": {"aws:SourceIp": "300.1.1.1/8"}}),
        allow("iam:GetUser", Condition={"DateLessThan": {"aws:CurrentTime": "tomorrow"}}),
        {"Effect": "Permit", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*"},
        {"Effect": "Allow", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Conditions": {}},
        {"Effect": "Allow", "Action": "listusers", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "everything"},
    ],
    ids=range(13),
)
def test_a_policy_that_aws_refuses_is_refused_when_it_is_put(server: Server, statement: dict[str, Any]):
    """Fault: unknown operators are accepted, and malformed policies are skipped with a warning when they should decide."""
    iam = boto(server, "iam")
    name = unique("user")
    iam.create_user(UserName=name)
    code, message, status = refused(
        iam.put_user_policy, UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy(statement))
    )
    assert (code, status) == ("MalformedPolicyDocument", 400), message
    assert message
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == []


def test_addresses_of_the_caller(server: Server):
    """Fault: IpAddress is not evaluated, or knows IPv4 alone."""
    for block, wanted in (
        ("127.0.0.0/8", True),
        ("10.0.0.0/8", False),
        ("::1/128", False),
        ("2001:db8::/32", False),
        ("0.0.0.0/0", True),
    ):
        ask = may(server, allow("iam:GetUser", Condition={"IpAddress": {"aws:SourceIp": block}}))
        assert ask("garden") is wanted, block
    assert not may(server, allow("iam:GetUser"), deny("*", Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))("garden")


class OverIPv6(Server):
    """A server on ``::1``."""

    @property
    def endpoint(self) -> str:
        return f"http://[::1]:{self.port}"


@pytest.fixture
def over_ipv6(tmp_path: Any) -> Iterator[Server]:
    with OverIPv6(tmp_path / "six", options=("--host", "::1")) as running:
        yield running


def test_addresses_of_ipv6(over_ipv6: Server):
    """Fault: IPv4 only."""
    for block, wanted in (
        ("::1/128", True),
        ("0:0:0:0:0:0:0:1", True),
        ("::/0", True),
        ("2001:db8::/32", False),
        ("127.0.0.0/8", False),
    ):
        ask = may(over_ipv6, allow("iam:GetUser", Condition={"IpAddress": {"aws:SourceIp": block}}))
        assert ask("garden") is wanted, block


# What is missing elsewhere


def test_boundaries_limit(server: Server):
    """Fault: permissions boundaries are stored and never evaluated."""
    name = unique("bound")
    iam = boto(server, "iam")
    key = new_user(server, name, policy(allow("iam:*", "kms:*")))
    boundary = iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=json.dumps(policy(allow("kms:*"))))["Policy"][
        "Arn"
    ]
    boto(server, "iam", key).list_users()
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=boundary)
    code, message, _ = refused(boto(server, "iam", key).list_users)
    assert (code, message.endswith("because no permissions boundary allows the iam:ListUsers action")) == ("AccessDenied", True)
    boto(server, "kms", key).list_keys()


@pytest.mark.parametrize("kind", ["scp", "rcp"])
def test_control_policies_limit(kind: PolicyKind):
    """Fault: SCPs and RCPs are not evaluated. They are managed with Organizations; the engine decides with them already."""
    user = Principal(kind="user", account="111111111111", arn="arn:aws:iam::111111111111:user/a", id="AIDAEXAMPLE", name="a")
    more = {"Principal": "*"} if kind == "rcp" else {}
    everything = compile_policy(json.dumps(policy(allow("*"))), "identity", id="all")

    def decided(*statements: dict[str, Any]) -> tuple[bool, str]:
        level = PolicySet([compile_policy(json.dumps(policy({**one, **more})), kind, id="control") for one in statements])
        inputs = PolicyInputs(identity=PolicySet([everything]), scps=(level,) if kind == "scp" else ())
        request = Request("s3:GetObject", "arn:aws:s3:::b/k", user.account, user, {})
        found = authorize(request, inputs, rcps=(level,) if kind == "rcp" else ())
        return found.allowed, found.decided_by

    assert decided(allow("*"))[0]
    assert decided(allow("*"), deny("s3:*")) == (False, kind)
    if kind == "scp":
        assert decided(allow("ec2:*")) == (False, kind)


def test_session_policies_limit(server: Server):
    """Fault: session policies are ignored."""
    role = new_role(server, trust(root_of(server)), policy(allow("iam:*")))
    sts = boto(server, "sts", new_user(server, unique("user"), policy(allow("sts:AssumeRole"))))
    narrow = json.dumps(policy(allow("iam:ListUsers")))
    iam = boto(server, "iam", temporary(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Policy=narrow)))
    iam.list_users()
    assert refused(iam.list_roles)[1].endswith("because no session policy allows the iam:ListRoles action")


def test_trust_policies_decide_with_their_conditions(server: Server):
    """Fault: AssumeRole gives credentials for any role, also one whose trust policy asks for an ExternalId or names others."""
    secret = {"Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}
    role = new_role(server, trust(root_of(server), **secret))
    sts = boto(server, "sts", new_user(server, unique("user"), policy(allow("sts:AssumeRole"))))
    for wrong in ({}, {"ExternalId": "other"}, {"ExternalId": "Agreed"}):
        assert refused(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1", **wrong)[0] == "AccessDenied"
    assert sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", ExternalId="agreed")["Credentials"]
    service_role = new_role(server, trust({"Service": "ec2.amazonaws.com"}))
    assert refused(sts.assume_role, RoleArn=service_role["Arn"], RoleSessionName="s1")[0] == "AccessDenied"
    assert refused(boto(server, "sts").assume_role, RoleArn=service_role["Arn"], RoleSessionName="s1")[0] == "AccessDenied"


def test_across_accounts_both_sides_must_allow(server: Server):
    """Fault: one account for all, or the caller's side alone decides."""
    account, admin, _ = second_account(server)
    theirs = boto(server, "iam", admin)
    stranger, friend = unique("stranger"), unique("friend")
    keys = {}
    for name in (stranger, friend):
        theirs.create_user(UserName=name)
        keys[name] = temporary(theirs.create_access_key(UserName=name))
    friend_arn = f"arn:aws:iam::{account}:user/{friend}"
    kms = boto(server, "kms")
    shared = policy(
        {"Effect": "Allow", "Principal": {"AWS": root_of(server)}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": friend_arn}, "Action": "kms:Encrypt", "Resource": "*"},
    )
    key = kms.create_key(Policy=json.dumps(shared))["KeyMetadata"]["Arn"]
    role = new_role(server, trust(friend_arn))

    def outcomes() -> dict[str, list[bool]]:
        found = {}
        for name, credentials in keys.items():
            mine, sts = boto(server, "kms", credentials), boto(server, "sts", credentials)
            found[name] = [
                works(mine.encrypt, KeyId=key, Plaintext=b"x"),
                works(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1"),
            ]
        return found

    assert outcomes() == {stranger: [False, False], friend: [False, False]}
    for name in (stranger, friend):
        theirs.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy(allow("kms:*", "sts:AssumeRole"))))
    assert outcomes() == {stranger: [False, False], friend: [True, True]}


def works(call: Any, **members: Any) -> bool:
    """Whether a call is allowed."""
    code = ""
    try:
        call(**members)
    except call.__self__.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
    assert code in {"", "AccessDenied", "AccessDeniedException"}
    return not code


# AWS managed policies


def test_aws_managed_policies_are_the_real_ones(server: Server):
    """Fault: a few dozen, or every one of them `*:*`. AWS has about 1,500."""
    iam = boto(server, "iam")
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS")
    arns = {found["PolicyName"]: found["Arn"] for page in pages for found in page["Policies"]}
    assert len(arns) > 1300

    def document(name: str) -> list[dict[str, Any]]:
        version = iam.get_policy(PolicyArn=arns[name])["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arns[name], VersionId=version)["PolicyVersion"]["Document"]["Statement"]
        return found if isinstance(found, list) else [found]

    assert [(one["Effect"], one["Action"], one["Resource"]) for one in document("AdministratorAccess")] == [("Allow", "*", "*")]
    for name in ("ReadOnlyAccess", "IAMReadOnlyAccess", "AmazonS3ReadOnlyAccess", "SecurityAudit", "PowerUserAccess"):
        for statement in document(name):
            assert statement.get("Action") not in ("*", "*:*", ["*"]), name
    user = unique("reader")
    key = new_user(server, user)
    iam.attach_user_policy(UserName=user, PolicyArn=arns["IAMReadOnlyAccess"])
    mine = boto(server, "iam", key)
    mine.list_users()
    assert refused(mine.create_user, UserName=unique("x"))[0] == "AccessDenied"
    assert refused(boto(server, "kms", key).list_keys)[0] == "AccessDeniedException"


# Federation and MFA


def test_junk_tokens_and_unsigned_assertions_give_no_credentials(server: Server):
    """Fault: any JWT and any SAML document is taken on trust; both calls are unsigned, so that anybody may try."""
    role = new_role(server, trust({"Federated": "accounts.google.com"}, "sts:AssumeRoleWithWebIdentity"))
    calls = {
        "AssumeRoleWithWebIdentity": {"WebIdentityToken": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "RoleSessionName": "s1"},
        "AssumeRoleWithSAML": {
            "PrincipalArn": f"arn:aws:iam::{server.account_id}:saml-provider/x",
            "SAMLAssertion": "PHg+PC94Pg==",
        },
    }
    for action, members in calls.items():
        body = urlencode({"Action": action, "Version": "2011-06-15", "RoleArn": role["Arn"], **members}).encode()
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
        unsigned = raw.exchange(server, head + b"Content-Length: %d\r\n\r\n" % len(body) + body, half_close=False)
        for answer in (unsigned, form(server, server.credentials.admin, "sts", body)):
            assert answer.status >= 400, answer.body
            assert b"SecretAccessKey" not in answer.body


@pytest.mark.parametrize("code", ["000000", "123456", "999999"])
def test_six_digits_are_no_mfa(server: Server, code: str):
    """Fault: any six digits are accepted, and the session then counts as one with MFA."""
    name = unique("user")
    key = new_user(
        server, name, policy(allow("sts:AssumeRole"), allow("iam:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
    )
    sts = boto(server, "sts", key)
    serial = f"arn:aws:iam::{server.account_id}:mfa/{name}"
    assert refused(sts.get_session_token, SerialNumber=serial, TokenCode=code)[0::2] == ("AccessDenied", 403)
    role = new_role(server, trust(root_of(server), Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
    with_code = {"SerialNumber": serial, "TokenCode": code}
    assert refused(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1", **with_code)[0] == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1")[0] == "AccessDenied"
    assert refused(boto(server, "iam", key).list_users)[0] == "AccessDenied"
    session = temporary(sts.get_session_token())
    assert refused(boto(server, "iam", session).list_users)[0] == "InvalidClientTokenId"


# Persistence


def test_what_was_acknowledged_survives_a_kill(new_server: Callable[..., Server]):
    """Fault: no persistence, or state written at an orderly shutdown alone."""
    server = new_server().start()
    name = unique("kept")
    key = new_user(server, name, policy(allow("iam:ListUsers")))
    session = temporary(boto(server, "sts", key).get_session_token())
    server.kill()
    server.start()
    boto(server, "iam", key).list_users()
    assert boto(server, "sts", session).get_caller_identity()["Arn"] == user_arn(server, name)
    assert refused(boto(server, "iam", key).list_roles)[0] == "AccessDenied"
    deadline = time.monotonic() + raw.SECONDS
    names: set[str] = set()
    while "CreateUser" not in names and time.monotonic() < deadline:
        names = {event["EventName"] for event in boto(server, "cloudtrail").lookup_events()["Events"]}
    assert {"CreateUser", "CreateAccessKey"} <= names
