"""Tools that judge an account by its authorization details, unmodified: cloudsplaining, iam-ape, iam-simulate, parliament."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Done, JavaScript, aws_cli, boto, other_client, run
from tests.support.server import Server, clean_environment

WIDE = "arn:aws:iam::aws:policy/IAMFullAccess"


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: str = "*") -> str:
    return document({"Effect": "Allow", "Action": list(actions), "Resource": resource})


EC2 = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
GUARDED = document(
    {"Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"], "Resource": "*"},
    {
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::vault/*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    },
)


@pytest.fixture(scope="module")
def account(server: Server) -> Iterator[Server]:
    """Users, a group, a role in an instance profile, and policies of each kind, some of them too wide."""
    iam = boto(server, "iam")
    wide = iam.create_policy(PolicyName="tools-wide", PolicyDocument=allow("s3:GetObject", "iam:PassRole", "ec2:RunInstances"))
    wide = wide["Policy"]["Arn"]
    iam.create_user(UserName="tools-ann", Tags=[{"Key": "team", "Value": "blue"}])
    iam.put_user_policy(UserName="tools-ann", PolicyName="tools-inline", PolicyDocument=allow("iam:CreateAccessKey"))
    iam.create_group(GroupName="tools-crew")
    iam.add_user_to_group(GroupName="tools-crew", UserName="tools-ann")
    iam.attach_group_policy(GroupName="tools-crew", PolicyArn=wide)
    iam.create_role(RoleName="tools-machine", AssumeRolePolicyDocument=EC2)
    iam.attach_role_policy(RoleName="tools-machine", PolicyArn=WIDE)
    iam.put_role_policy(RoleName="tools-machine", PolicyName="tools-own", PolicyDocument=allow("s3:NoSuchAction"))
    edge = iam.create_policy(PolicyName="tools-edge", PolicyDocument=allow("iam:Get*", "iam:List*", "s3:*"))["Policy"]["Arn"]
    iam.create_role(RoleName="tools-bounded", AssumeRolePolicyDocument=EC2, PermissionsBoundary=edge)
    iam.attach_role_policy(RoleName="tools-bounded", PolicyArn=WIDE)
    iam.put_role_policy(RoleName="tools-bounded", PolicyName="tools-own", PolicyDocument=GUARDED)
    iam.create_instance_profile(InstanceProfileName="tools-machine")
    iam.add_role_to_instance_profile(InstanceProfileName="tools-machine", RoleName="tools-machine")
    yield server
    iam.remove_role_from_instance_profile(InstanceProfileName="tools-machine", RoleName="tools-machine")
    iam.delete_instance_profile(InstanceProfileName="tools-machine")
    iam.detach_role_policy(RoleName="tools-machine", PolicyArn=WIDE)
    iam.delete_role_policy(RoleName="tools-machine", PolicyName="tools-own")
    iam.delete_role(RoleName="tools-machine")
    iam.detach_role_policy(RoleName="tools-bounded", PolicyArn=WIDE)
    iam.delete_role_policy(RoleName="tools-bounded", PolicyName="tools-own")
    iam.delete_role(RoleName="tools-bounded")
    iam.delete_policy(PolicyArn=edge)
    iam.delete_user_policy(UserName="tools-ann", PolicyName="tools-inline")
    iam.remove_user_from_group(GroupName="tools-crew", UserName="tools-ann")
    iam.detach_group_policy(GroupName="tools-crew", PolicyArn=wide)
    iam.delete_group(GroupName="tools-crew")
    iam.delete_user(UserName="tools-ann")
    iam.delete_policy(PolicyArn=wide)


def environment(server: Server, home: Path) -> Mapping[str, str]:
    """A profile in the two files that every tool reads."""
    key = server.credentials.admin
    folder = home / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(f"[profile garrison]\nregion = us-east-1\nendpoint_url = {server.endpoint}\n")
    (folder / "credentials").write_text(
        f"[garrison]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    )
    return clean_environment({"HOME": str(home), "AWS_PROFILE": "garrison"})


@pytest.fixture
def details(account: Server, tmp_path: Path) -> Path:
    """What `cloudsplaining download` brings: it pages through GetAccountAuthorizationDetails itself."""
    line = [other_client("cloudsplaining"), "download", "--profile", "garrison", "--output", str(tmp_path)]
    done = run(line, environment(account, tmp_path), tmp_path)
    assert done.code == 0, f"{done.out}\n{done.err}"
    return tmp_path / "garrison.json"


def test_cloudsplaining_downloads_and_scans(account: Server, details: Path, tmp_path: Path):
    downloaded = json.loads(details.read_text())
    role = next(one for one in downloaded["RoleDetailList"] if one["RoleName"] == "tools-machine")
    assert [profile["InstanceProfileName"] for profile in role["InstanceProfileList"]] == ["tools-machine"]
    line = [other_client("cloudsplaining"), "scan", "--input-file", str(details), "--output", str(tmp_path), "--skip-open-report"]
    done = run(line, environment(account, tmp_path), tmp_path)
    assert done.code == 0, f"{done.out}\n{done.err}"
    results: dict[str, Any] = json.loads((tmp_path / "iam-results-garrison.json").read_text())
    ann = next(one for one in results["users"].values() if one["name"] == "tools-ann")
    assert list(ann["groups"]) == ["tools-crew"]
    own = next(one for one in results["inline_policies"].values() if one["PolicyName"] == "tools-inline")
    escalations = [one["type"] for one in own["PrivilegeEscalation"]["findings"]]
    assert "CreateAccessKey" in escalations
    wide = next(one for one in results["customer_managed_policies"].values() if one["PolicyName"] == "tools-wide")
    assert "s3:GetObject" in wide["DataExfiltration"]["findings"]
    # Other tests on this server may leave more of them in use.
    assert "IAMFullAccess" in {one["PolicyName"] for one in results["aws_managed_policies"].values()}
    found = next(one for one in results["roles"].values() if one["name"] == "tools-machine")
    assert list(found["aws_managed_policies"].values()) == ["IAMFullAccess"]
    assert (tmp_path / "iam-report-garrison.html").stat().st_size > 10_000


def test_parliament_reads_the_details(account: Server, details: Path, tmp_path: Path):
    line = [other_client("parliament"), "--auth-details-file", str(details), "--json"]
    done = run(line, environment(account, tmp_path), tmp_path)
    findings = [json.loads(text) for text in done.out.splitlines() if text.startswith("{")]
    assert findings, f"{done.out}\n{done.err}"
    unknown = [one for one in findings if one["issue"] == "UNKNOWN_ACTION"]
    assert "s3:NoSuchAction" in json.dumps(unknown), done.out


def ape(server: Server, home: Path, *arguments: str) -> Done:
    """iam-ape looks its actions up in what it brought along, and reads nothing but the account."""
    return run([other_client("iam-ape"), "--quiet", *arguments], environment(server, home), home)


def effective(home: Path) -> list[str]:
    """The actions that iam-ape found to be allowed on everything."""
    found: dict[str, Any] = json.loads((home / "effective.json").read_text())
    (statement,) = found["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Allow", ["*"])
    return sorted(statement["Action"])


def test_iam_ape_fetches_the_details_and_adds_up_what_a_user_may(account: Server, tmp_path: Path):
    arn = f"arn:aws:iam::{account.account_id}:user/tools-ann"
    done = ape(account, tmp_path, "--arn", arn, "--profile", "garrison", "--output", "effective.json")
    assert done.code == 0, f"{done.out}\n{done.err}"
    # iam:PassRole is the one action that begins like that.
    assert effective(tmp_path) == ["ec2:RunInstances", "iam:CreateAccessKey", "iam:Pass*", "s3:GetObject"]


def test_iam_ape_imports_the_details_that_another_tool_downloaded(account: Server, details: Path, tmp_path: Path):
    arn = f"arn:aws:iam::{account.account_id}:user/tools-ann"
    done = ape(account, tmp_path, "--arn", arn, "--input", str(details), "--output", "effective.json")
    assert done.code == 0, f"{done.out}\n{done.err}"
    assert effective(tmp_path) == ["ec2:RunInstances", "iam:CreateAccessKey", "iam:Pass*", "s3:GetObject"]


DECISIONS = {"allowed": "Allowed", "implicitDeny": "ImplicitlyDenied", "explicitDeny": "ExplicitlyDenied"}
"""SimulatePrincipalPolicy's words, and iam-simulate's."""


@pytest.fixture
def whole(account: Server, tmp_path: Path) -> Path:
    """The details as the AWS CLI prints them: `cloudsplaining download` leaves out what is attached to nobody, as boundaries are."""
    done = aws_cli(2, account, tmp_path / "home")("iam", "get-account-authorization-details")
    assert done.code == 0, done.err
    file = tmp_path / "details.json"
    file.write_text(done.out, encoding="utf-8")
    return file


def test_iam_simulate_decides_as_the_server_does(account: Server, whole: Path, tmp_path: Path):
    """Another evaluator, on the policies that the details bring, and the server's own simulator: user, groups, boundary, conditions."""
    bucket, vault = "arn:aws:s3:::app/x", "arn:aws:s3:::vault/x"
    user = f"arn:aws:iam::{account.account_id}:user/tools-ann"
    machine, bounded = (f"arn:aws:iam::{account.account_id}:role/tools-{name}" for name in ("machine", "bounded"))
    asked: list[dict[str, Any]] = [
        {"principal": user, "action": "s3:GetObject", "resource": bucket},
        {"principal": user, "action": "s3:PutObject", "resource": bucket},
        {"principal": user, "action": "iam:CreateAccessKey", "resource": user},
        {"principal": user, "action": "iam:DeleteAccessKey", "resource": user},
        {"principal": user, "action": "iam:PassRole", "resource": machine},
        {"principal": machine, "action": "iam:CreateUser", "resource": user},
        {"principal": machine, "action": "s3:GetObject", "resource": bucket},
        {"principal": bounded, "action": "iam:GetUser", "resource": user},
        {"principal": bounded, "action": "iam:DeleteUser", "resource": user},
        {"principal": bounded, "action": "s3:GetObject", "resource": bucket, "context": {"aws:SourceIp": "192.0.2.1"}},
        {"principal": bounded, "action": "s3:GetObject", "resource": vault, "context": {"aws:SourceIp": "10.1.2.3"}},
        {"principal": bounded, "action": "s3:GetObject", "resource": vault, "context": {"aws:SourceIp": "192.0.2.1"}},
        {"principal": bounded, "action": "s3:PutObject", "resource": vault, "context": {"aws:SourceIp": "10.1.2.3"}},
    ]
    theirs = JavaScript(account, tmp_path)("simulate.cjs", None, str(whole), json.dumps(asked)).json()
    ours = [DECISIONS[simulated(account, **question)] for question in asked]
    assert theirs == ours
    assert set(ours) == set(DECISIONS.values())


def simulated(server: Server, *, principal: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> str:
    """The server's answer to the same question."""
    entries = [
        {"ContextKeyName": name, "ContextKeyType": "string", "ContextKeyValues": [value]}
        for name, value in (context or {}).items()
    ]
    found = boto(server, "iam").simulate_principal_policy(
        PolicySourceArn=principal, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
    )
    decision: str = found["EvaluationResults"][0]["EvalDecision"]
    return decision
