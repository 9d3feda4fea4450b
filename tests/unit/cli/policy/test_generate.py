"""``garrison policy generate``: what a principal did becomes the policy that allows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from garrison.cli.policy import generating
from tests.support.case_files import allow, policy
from tests.support.inprocess import InProcess, between
from tests.support.needs import ROOT
from tests.support.server import AccessKey


@pytest.fixture
def generate(one: InProcess, garrison: Any) -> Any:
    """The command's outcome for a user or a role, by its name."""

    def run(name: str, *options: str) -> Any:
        return garrison("policy", "generate", "--principal", f"arn:aws:iam::{one.account}:{name}", *options)

    return run


def statements(done: Any) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return [{key: value for key, value in each.items() if key != "Sid"} for each in json.loads(done.stdout)["Statement"]]


def new_key(one: InProcess) -> str:
    return str(json.loads(one.kms("CreateKey").body)["KeyMetadata"]["Arn"])


def test_a_user(one: InProcess, generate: Any):
    key, other = new_key(one), new_key(one)
    ann = one.new_user("ann", allow("*"))
    for _ in range(3):
        assert one.kms("Encrypt", ann, KeyId=key, Plaintext="aGVsbG8=").status == 200
    assert one.kms("DescribeKey", ann, KeyId=other).status == 200
    assert one.iam("ListUsers", ann).status == 200
    assert statements(generate("user/ann")) == [
        {"Effect": "Allow", "Action": ["iam:ListUsers"], "Resource": ["*"]},
        {"Effect": "Allow", "Action": ["kms:DescribeKey"], "Resource": [other]},
        {"Effect": "Allow", "Action": ["kms:Encrypt"], "Resource": [key]},
    ]


def test_the_policy_is_enough_for_the_same_calls_and_for_no_others(one: InProcess, generate: Any):
    key, other = new_key(one), new_key(one)
    ann = one.new_user("ann", allow("*"))
    assert one.kms("Encrypt", ann, KeyId=key, Plaintext="aGVsbG8=").status == 200
    text = generate("user/ann").stdout
    assert one.iam("PutUserPolicy", None, UserName="ann", PolicyName="p", PolicyDocument=text).status == 200
    assert one.kms("Encrypt", ann, KeyId=key, Plaintext="aGVsbG8=").status == 200
    assert one.kms("Encrypt", ann, KeyId=other, Plaintext="aGVsbG8=").status == 400
    assert one.iam("ListUsers", ann).status == 403


def test_what_was_refused_or_failed(one: InProcess, generate: Any):
    """A call that was refused is not granted; one that was allowed and failed for another reason is."""
    ann = one.new_user("ann", allow("iam:GetUser"))
    assert one.iam("GetUser", ann, UserName="nobody").status == 404
    assert one.iam("ListUsers", ann).status == 403
    done = generate("user/ann")
    (statement,) = statements(done)
    assert (statement["Action"], statement["Resource"]) == (["iam:GetUser"], [f"arn:aws:iam::{one.account}:user/nobody"])
    assert f"refused, and left out: iam:ListUsers on arn:aws:iam::{one.account}:user/ (1 time)" in done.stderr


def test_what_the_resource_allows_needs_no_policy(one: InProcess, generate: Any):
    key = new_key(one)
    ann = one.new_user("ann")
    granted = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{one.account}:user/ann", "Operations": ["Encrypt"]}
    assert one.kms("CreateGrant", None, **granted).status == 200
    assert one.kms("Encrypt", ann, KeyId=key, Plaintext="aGVsbG8=").status == 200
    done = generate("user/ann")
    assert done.exit_code == 2
    assert f"allowed by the resource's own policy, and left out: kms:Encrypt on {key} (1 time)" in done.stderr
    assert "nothing was done that a policy of its own had to allow" in done.stderr
    assert done.stdout == ""


def assumed(one: InProcess, role: str, key: AccessKey | None = None) -> AccessKey:
    body = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": "me"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = one.send(one.signed("sts", urlencode(body).encode(), form, key)).body.decode()
    return AccessKey(between(answer, "AccessKeyId"), between(answer, "SecretAccessKey"), between(answer, "SessionToken"))


def new_role(one: InProcess, name: str, *statements: Mapping[str, Any]) -> str:
    trust = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{one.account}:root"}, "Action": "sts:AssumeRole"})
    assert one.iam("CreateRole", None, RoleName=name, AssumeRolePolicyDocument=json.dumps(trust)).status == 200
    document = json.dumps(policy(*map(dict, statements)))
    assert one.iam("PutRolePolicy", None, RoleName=name, PolicyName="p", PolicyDocument=document).status == 200
    return f"arn:aws:iam::{one.account}:role/{name}"


def test_a_role_by_what_its_sessions_did(one: InProcess, generate: Any):
    role = new_role(one, "work", allow("iam:*"))
    assert one.iam("ListRoles", assumed(one, role)).status == 200
    assert one.iam("ListUsers").status == 200  # another principal's
    (statement,) = statements(generate("role/work"))
    assert statement["Action"] == ["iam:ListRoles"]


def test_who_was_made_again_under_the_same_name_is_somebody_else(one: InProcess, generate: Any):
    ann = one.new_user("ann", allow("*"))
    assert one.iam("ListUsers", ann).status == 200
    assert one.iam("DeleteUserPolicy", None, UserName="ann", PolicyName="p").status == 200
    assert one.iam("DeleteAccessKey", None, UserName="ann", AccessKeyId=ann.access_key_id).status == 200
    assert one.iam("DeleteUser", None, UserName="ann").status == 200
    again = one.new_user("ann", allow("*"))
    assert one.iam("ListRoles", again).status == 200
    (statement,) = statements(generate("user/ann"))
    assert statement["Action"] == ["iam:ListRoles"]


def test_a_new_name_is_the_same_user(one: InProcess, generate: Any):
    ann = one.new_user("ann", allow("*"))
    assert one.iam("ListUsers", ann).status == 200
    assert one.iam("UpdateUser", None, UserName="ann", NewUserName="anna").status == 200
    (statement,) = statements(generate("user/anna"))
    assert statement["Action"] == ["iam:ListUsers"]


def test_the_conditions_of_what_was_done(one: InProcess, generate: Any):
    role = new_role(one, "work", allow("iam:*"))
    read_only = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    ann = one.new_user("ann", allow("iam:*"))
    assert one.iam("AttachRolePolicy", ann, RoleName="work", PolicyArn=read_only).status == 200
    (statement,) = statements(generate("user/ann"))
    assert statement == {
        "Effect": "Allow",
        "Action": ["iam:AttachRolePolicy"],
        "Resource": [role],
        "Condition": {"ArnEquals": {"iam:PolicyARN": [read_only]}},
    }


def test_the_difference_to_what_it_has(one: InProcess, generate: Any):
    key = new_key(one)
    ann = one.new_user("ann", allow(["kms:Encrypt", "kms:Decrypt"], key, Sid="Keys"), allow("iam:List*"), allow("lambda:Invoke*"))
    assert one.kms("Encrypt", ann, KeyId=key, Plaintext="aGVsbG8=").status == 200
    done = generate("user/ann", "--diff")
    assert done.exit_code == 0, done.output
    told = done.stdout.splitlines()
    assert told[:3] == [
        "Allow statement 1 (Keys) of p (inline, user ann), line 1: 1 used, 1 not used",
        "  + kms:Encrypt",
        "  - kms:Decrypt",
    ]
    assert "  - iam:ListUsers" in told
    assert told[-2:] == [
        "Allow statement 3 of p (inline, user ann), line 1: 0 used, 0 not used, 1 that the trail cannot show",
        "  ? lambda:Invoke*",
    ]
    assert "what the trail cannot show" in done.stderr
    assert "  lambda:Invoke*" in done.stderr


def test_a_wildcards_difference_is_short(one: InProcess, generate: Any):
    ann = one.new_user("ann", allow("*"))
    assert one.iam("ListUsers", ann).status == 200
    done = generate("user/ann", "--diff")
    lines = done.stdout.splitlines()
    assert len(lines) < 100
    assert lines[1] == "  + iam:ListUsers"
    assert "  ? *" in lines
    (unused,) = [line for line in lines if line.startswith("  - iam: ")]
    found = json.loads(generate("user/ann", "--json").stdout)["present"][0]
    counted = sum(action.startswith("iam:") for action in found["unused"])
    assert unused == f"  - iam: {counted} actions"
    assert "iam:ListUsers" not in found["unused"]


def test_as_json(one: InProcess, generate: Any):
    ann = one.new_user("ann", allow(["iam:ListUsers", "iam:ListRoles"]))
    assert one.iam("ListUsers", ann).status == 200
    found = json.loads(generate("user/ann", "--json").stdout)
    assert found["calls"] == 1
    assert found["policies"][0]["Statement"][0]["Action"] == ["iam:ListUsers"]
    assert found["present"] == [
        {
            "policy": "p (inline, user ann)",
            "statement": 1,
            "sid": "",
            "used": ["iam:ListUsers"],
            "unused": ["iam:ListRoles"],
            "unseen": [],
        }
    ]


def test_the_span_of_time(one: InProcess, generate: Any):
    ann = one.new_user("ann", allow("*"))
    assert one.iam("ListUsers", ann).status == 200
    assert generate("user/ann", "--since", "1h").exit_code == 0
    assert generate("user/ann", "--since", "2020-01-01T00:00:00Z").exit_code == 0
    assert generate("user/ann", "--since", "2w", "--until", "1d").exit_code == 2
    assert generate("user/ann", "--until", "2020-01-01T00:00:00Z", "--since", "2019-01-01").exit_code == 2
    backwards = generate("user/ann", "--since", "1h", "--until", "2h")
    assert "after its end" in backwards.stderr


def test_many_calls_are_read_page_by_page(one: InProcess, generate: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("garrison.cli.policy.used._PAGE", 3)
    ann = one.new_user("ann", allow("*"))
    for operation in ("ListUsers", "ListRoles", "ListGroups", "ListPolicies", "ListAccessKeys", "ListUsers", "ListMFADevices"):
        one.iam(operation, ann)
    actions = {action for statement in statements(generate("user/ann")) for action in statement["Action"]}
    assert {"iam:ListUsers", "iam:ListRoles", "iam:ListGroups", "iam:ListPolicies", "iam:ListAccessKeys"} <= actions


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("root", (), "is neither user nor role: nobody else has identity policies"),
        ("user/ghost", (), "there is no such user"),
        ("group/x", (), "is no principal"),
        ("user/admin", ("--since", "yesterday"), "`yesterday` is no time; must be like 7d, 12h, 30m, 2w"),
        ("user/admin", ("--since", "99999999d"), "is no time"),
    ],
)
def test_what_cannot_be_generated(generate: Any, name: str, options: tuple[str, ...], message: str):
    done = generate(name, *options)
    assert done.exit_code == 2
    assert message in done.stderr


def test_what_is_asked_for_beside_the_operations_counts_as_seen():
    """Nothing that the code asks for may be called unseen."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    asked = {name.lower() for name in re.findall(r'Check\(\s*"([a-z0-9-]+:[A-Za-z]+)"', source)}
    assert len(asked) > 5
    assert asked <= generating._visible()
