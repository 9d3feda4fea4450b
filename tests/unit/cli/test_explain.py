"""``garrison explain``: the story of a decision, from what the trail kept."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from garrison.explaining import looked_at, story
from tests.support.inprocess import InProcess, between
from tests.support.server import AccessKey


@pytest.fixture
def told(one: InProcess, garrison: Any) -> Any:
    """The story of the last call."""

    def tell(*options: str) -> str:
        done = garrison("explain", one.last_event()["requestID"], *options)
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    return tell


def put(one: InProcess, name: str, *statements: dict[str, Any]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    assert one.iam("PutUserPolicy", None, UserName=name, PolicyName="p", PolicyDocument=document).status == 200


def allow(action: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def test_the_whole_story_of_a_denial(one: InProcess, told: Any):
    deny = {"Sid": "Never", "Effect": "Deny", "Action": "iam:List*", "Resource": "*"}
    key = one.new_user("alice", allow("iam:ListUsers", Sid="Yes"), deny, allow("kms:*"), allow("s3:*", Sid="Buckets"))
    assert one.iam("ListUsers", key).status == 403
    event = one.last_event()
    assert told().splitlines() == [
        f"{event['eventTime']}  arn:aws:iam::{one.account}:user/alice",
        "  iam:ListUsers from 127.0.0.1",
        f"  answered AccessDenied: {event['errorMessage']}",
        "",
        f"  iam:ListUsers on {event['decision']['resource']}",
        "  DENIED by an explicit deny, decided by identity-based policies",
        "    decided by  Deny statement 2 (Never) of p (inline, user alice)",
        f"                {json.dumps(deny)}",
        "    looked at   p (inline, user alice)",
        "                Allow statement 1 (Yes): applies",
        "                Allow statement 4 (Buckets): speaks of other actions",
        "                1 more statement speaks of other actions",
    ]


def test_conditions_are_asked_with_the_request_as_it_was(one: InProcess, told: Any):
    key = one.new_user(
        "alice",
        allow("iam:ListUsers", Condition={"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "198.51.100.0/24"]}}),
        allow("iam:ListUsers", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
        allow("iam:ListUsers", Condition={"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
        allow("iam:ListUsers", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "arn:aws:iam::*:user/elsewhere/*"},
    )
    assert one.iam("ListUsers", key).status == 403
    story_told = told()
    assert "DENIED: nothing allows it, decided by identity-based policies" in story_told
    wants = 'IpAddress aws:SourceIp wants "192.0.2.0/24" or "198.51.100.0/24", the request has "127.0.0.1"'
    assert f"Allow statement 1: {wants}" in story_told
    assert 'Allow statement 2: StringEquals aws:RequestedRegion wants "eu-west-1", the request has "us-east-1"' in story_told
    assert f'aws:CurrentTime wants "2020-01-01T00:00:00Z", the request has "{one.last_event()["eventTime"]}"' in story_told
    assert 'Bool aws:MultiFactorAuthPresent wants "true", the request has none' in story_told
    assert "Allow statement 5: speaks of other resources" in story_told
    assert '    key         aws:sourceip = "127.0.0.1"' in story_told


def test_a_condition_that_nobody_read_at_the_time_is_answered_from_the_event(one: InProcess, told: Any):
    key = one.new_user("alice", allow("*"), allow("iam:*", Condition={"StringEquals": {"aws:username": "alice"}}))
    assert one.iam("ListUsers", key).status == 200
    assert "aws:username" not in one.last_event()["decision"].get("keys", {})
    assert "Allow statement 2: applies" in told()


def test_a_boundary_is_looked_at_too(one: InProcess, told: Any):
    key = one.new_user("alice", allow("*"))
    boundary = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    assert one.iam("PutUserPermissionsBoundary", None, UserName="alice", PermissionsBoundary=boundary).status == 200
    assert one.iam("ListUsers", key).status == 403
    found = told()
    assert "DENIED: nothing allows it, decided by the permissions boundary" in found
    assert f"looked at   {boundary}\n" in found
    assert "Allow statement 1: applies" in found


def test_what_changed_since_is_said_and_not_shown_for_what_decided(one: InProcess, told: Any):
    key = one.new_user("alice", allow("iam:ListUsers", Sid="Then"))
    assert one.iam("ListUsers", key).status == 200
    request = one.last_event()["requestID"]
    put(one, "alice", allow("iam:ListRoles", Sid="Now"))
    done = garrison_story(one, request)
    assert "decided by  Allow statement 1 (Then) of p (inline, user alice)" in done
    assert "its text is not shown: the policy is changed" in done
    assert "looked at   p (inline, user alice)   (changed since; as it is now)" in done
    assert "Allow statement 1 (Now): speaks of other actions" in done
    assert one.iam("DeleteUserPolicy", None, UserName="alice", PolicyName="p").status == 200
    assert "looked at   p (inline, user alice)   (gone since)" in garrison_story(one, request)


def garrison_story(one: InProcess, request_id: str) -> str:
    (event,) = [found for found in one.events() if found["requestID"] == request_id]
    decision = event["decision"]
    return "\n".join(story(event, [decision], [looked_at(one.state.store, event, decision)]))


def test_sessions_of_roles_and_what_they_were_given(one: InProcess, told: Any):
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{one.account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    assert one.iam("CreateRole", None, RoleName="work", AssumeRolePolicyDocument=document).status == 200
    assert one.iam("AttachRolePolicy", None, RoleName="work", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess").status == 200
    role = f"arn:aws:iam::{one.account}:role/work"
    session_policy = json.dumps({"Version": "2012-10-17", "Statement": [allow("kms:*")]})
    body = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": "me", "Policy": session_policy}
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = one.send(one.signed("sts", urlencode(body).encode(), form)).body.decode()
    assert f"looked at   the trust policy of {role}\n" in told()

    key = AccessKey(between(answer, "AccessKeyId"), between(answer, "SecretAccessKey"), between(answer, "SessionToken"))
    assert one.iam("ListUsers", key).status == 403
    found = told()
    assert f"arn:aws:sts::{one.account}:assumed-role/work/me" in found
    assert "decided by the session policies" in found
    assert "looked at   session-policy-0   (its text is not kept)" in found
    assert "looked at   arn:aws:iam::aws:policy/ReadOnlyAccess\n" in found


def test_a_key_policy_that_names_others(one: InProcess, told: Any):
    one.new_user("bob")
    statement = {
        "Sid": "Bob",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{one.account}:user/bob"},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = json.loads(one.kms("CreateKey", None, Policy=policy, BypassPolicyLockoutSafetyCheck=True).body)
    assert one.kms("DescribeKey", None, KeyId=made["KeyMetadata"]["KeyId"]).status == 400
    found = told()
    assert "looked at   key policy\n" in found
    assert "Allow statement 1 (Bob): names other principals" in found


def test_a_key_policy_that_leaves_it_to_the_account(one: InProcess, told: Any):
    """The denial that the tutorial shows."""
    made = json.loads(one.kms("CreateKey").body)["KeyMetadata"]
    context = {"StringEquals": {"kms:EncryptionContext:app": "web"}}
    key = one.new_user("ci", {"Effect": "Allow", "Action": "kms:*", "Resource": made["Arn"], "Condition": context})
    assert one.kms("Encrypt", key, KeyId=made["KeyId"], Plaintext="aGVsbG8=").status == 400
    account = "Allow statement 1 (Enable IAM User Permissions): applies to the whole account"
    assert told().splitlines()[4:10] == [
        f"  kms:Encrypt on {made['Arn']}",
        "  DENIED: nothing allows it, decided by identity-based policies",
        "    looked at   key policy",
        f"                {account}: the caller's own policies must allow it too",
        "    looked at   p (inline, user ci)",
        '                Allow statement 1: StringEquals kms:EncryptionContext:app wants "web", the request has none',
    ]


def test_who_has_no_policy_and_who_needs_none(one: InProcess, told: Any):
    assert one.iam("ListUsers", one.new_user("nobody")).status == 403
    assert "looked at   no policy: there is none that could speak" in told()
    assert one.iam("ListUsers", one.root).status == 200
    found = told()
    assert "ALLOWED, decided by the account's root user" in found
    assert "looked at" not in found


def test_a_refusal_before_any_policy(one: InProcess, told: Any):
    assert one.iam("ListUsers", AccessKey(one.admin.access_key_id, "wrong")).status == 403
    found = told()
    assert "anonymous" in found
    assert "answered SignatureDoesNotMatch" in found
    assert "No policy was asked" in found


def test_as_json(one: InProcess, told: Any):
    assert one.iam("ListUsers", one.new_user("alice", allow("iam:*"))).status == 200
    found = json.loads(told("--json"))
    assert found["event"]["eventName"] == "ListUsers"
    (policy,) = found["policies"][0]
    assert (policy["kind"], policy["state"], policy["shown"]) == ("identity", "unchanged", "p (inline, user alice)")
    assert json.loads(policy["sources"][0]) == allow("iam:*")
    assert policy["statements"][0]["applies"] is True
    assert found["decision"]["matched"] == [{"policy": policy["name"], "statement": 0, "effect": "Allow"}]


def test_a_request_that_never_was(garrison: Any, one: InProcess):
    done = garrison("explain", "no-such-id")
    assert (done.exit_code, done.stderr) == (1, "garrison: no call has the request id no-such-id\n")


def test_decisions_that_were_kept_without_digests_can_be_told():
    event = {
        "eventTime": "2026-01-01T00:00:00Z", "userIdentity": {"type": "AWSAccount", "accountId": "anonymous"},
        "eventSource": "iam.amazonaws.com", "eventName": "ListUsers", "sourceIPAddress": "192.0.2.1",
    }  # fmt: skip
    decision = {"outcome": "implicitDeny", "action": "iam:ListUsers", "resource": "*", "policy_type": "identity"}
    lines = list(story(event, [decision], [[]]))
    assert lines[0] == "2026-01-01T00:00:00Z  anonymous"
    assert "  DENIED: nothing allows it, decided by identity-based policies" in lines
