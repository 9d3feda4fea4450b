"""The commands: arguments, what they print, JUnit, the state, and how they exit."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.case_files import allow, deny, policy
from tests.support.inprocess import InProcess

USER = "arn:aws:iam::111122223333:user/ann"
BUCKET = "arn:aws:s3:::app/x"
ASK = ("--principal", USER, "--action", "s3:GetObject", "--resource", BUCKET)


def test_a_case_in_arguments(folder: Any):
    folder.write("p.json", policy(allow("s3:Get*", "arn:aws:s3:::app/*", Sid="Read")))
    done = folder.test(*ASK, "--identity", "p.json", "--expect", "allowed")
    assert done.exit_code == 0, done.output
    assert "allowed by Allow statement 1 (Read) at p.json:4" in done.stdout
    assert folder.test(*ASK, "--identity", "p.json", "--expect", "denied").exit_code == 1
    shown = folder.test(*ASK, "--identity", "p.json")
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[-1] == "1 answer, nothing was expected"


def test_every_kind_of_policy_in_arguments(folder: Any):
    folder.write("all.json", policy(allow("*")))
    folder.write("put.json", policy(allow("s3:Put*")))
    folder.write("no.json", policy(deny("s3:*")))
    folder.write("rcp.json", policy({**deny("s3:*"), "Principal": "*"}))
    folder.write("bucket.json", policy({**allow("s3:GetObject", "arn:aws:s3:::app/*"), "Principal": {"AWS": USER}}))

    def decided(*more: str) -> tuple[str, str]:
        done = folder.test(*ASK, *more, "--json")
        (answer,) = json.loads(done.stdout)
        return answer["outcome"], answer["decidedBy"]

    whole = ("--identity", "all.json")
    assert decided(*whole) == ("allowed", "identity-based policy")
    assert decided(*whole, "--boundary", "put.json") == ("implicitDeny", "permissions boundary")
    assert decided(*whole, "--session", "put.json") == ("implicitDeny", "session policy")
    assert decided(*whole, "--scp", "FullAWSAccess", "--scp", "no.json") == ("explicitDeny", "service control policy")
    assert decided(*whole, "--rcp", "rcp.json") == ("explicitDeny", "resource control policy")
    assert decided(*whole, "--resource-policy", "bucket.json") == ("allowed", "resource-based policy")


def test_context_in_arguments(folder: Any):
    folder.write("p.json", policy(allow("s3:*", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}})))
    both = ("--context", "aws:TagKeys=a", "--context", "aws:tagkeys=b", "--expect", "allowed")
    assert folder.test(*ASK, "--identity", "p.json", *both).exit_code == 0
    third = ("--context", "aws:TagKeys=c")
    assert folder.test(*ASK, "--identity", "p.json", *both, *third).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a question needs --principal and --action, or a file of cases"),
        (("--principal", USER), "a question needs --principal and --action, or a file of cases"),
        ((*ASK, "--expect", "yes"), "`--expect yes` must be one of allowed, denied, implicitDeny, explicitDeny"),
        ((*ASK, "--identity", "gone.json"), "gone.json: No such file or directory"),
        (ASK, "arguments: no policy is given: name the identity policies"),
        ((*ASK, "--context", "aws:SourceIp"), "`aws:SourceIp` is no context; must be KEY=VALUE"),
        ((*ASK, "--context", "SourceIp=1"), "`SourceIp` is no condition key"),
        ((*ASK, "--resource-account", "1"), "`1` is no account; must be twelve digits"),
        (("--principal", "ann", "--action", "s3:GetObject"), "`ann` is no principal"),
        (("--principal", USER, "--action", "s3:*"), "`s3:*` is no action"),
        (("gone.yaml",), "gone.yaml: No such file or directory"),
    ],
)
def test_what_cannot_be_used_exits_2(folder: Any, arguments: tuple[str, ...], message: str):
    done = folder.test(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith(f"garrison: {message}")
    assert done.stdout == ""


def test_an_action_that_nobody_knows_is_named(folder: Any):
    folder.write("p.json", policy(allow("*")))
    done = folder.test("--principal", USER, "--action", "s3:GetObjekt", "--action", "lambda:Anything", "--identity", "p.json")
    assert done.exit_code == 0
    assert done.stderr == "garrison: arguments: `s3:GetObjekt` is no action that is known here\n"


def test_junit(folder: Any):
    folder.write("p.json", policy(allow("s3:GetObject", Sid="Read")))
    cases = f"""
defaults: {{principal: {USER}, identity: p.json, resource: {BUCKET}}}
tests:
  - {{name: "reads <& \\u0001", action: s3:GetObject, expect: allowed}}
  - {{name: writes, action: s3:PutObject, expect: allowed}}
"""
    done = folder.test(folder.write("cases.yaml", cases), "--junit", "out.xml")
    assert done.exit_code == 1
    root = ET.fromstring((folder.path / "out.xml").read_bytes())
    assert root.attrib == {"tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    (suite,) = root
    good, bad = suite
    assert good.attrib == {
        "classname": "cases.yaml",
        "name": f"reads <& \ufffd [s3:GetObject {BUCKET}]",
        "file": "cases.yaml",
        "line": "4",
    }
    assert "allowed by Allow statement 1 (Read) at p.json:4" in str(good.findtext("system-out"))
    failure = bad.find("failure")
    assert failure is not None
    assert failure.attrib == {"message": "expected allowed, is implicitDeny", "type": "decision"}
    assert "1 more statement speaks of other actions" in str(failure.text)
    lost = folder.test("cases.yaml", "--junit", "no/such/out.xml")
    assert (lost.exit_code, lost.stderr) == (2, "garrison: no/such/out.xml: No such file or directory\n")


def test_explain_says_what_every_statement_says(folder: Any):
    folder.write("p.json", policy(allow("s3:Get*", "arn:aws:s3:::app/*", Sid="Read"), deny("s3:GetObject", "arn:aws:s3:::no/*")))
    done = folder.run("explain", *ASK, "--identity", "p.json")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[2:4] == [
        "         allowed by Allow statement 1 (Read) at p.json:4",
        "         Deny statement 2 at p.json:10: speaks of other resources",
    ]
    (answer,) = json.loads(folder.run("explain", *ASK, "--identity", "p.json", "--json").stdout)
    assert [statement["decided"] for statement in answer["statements"]] == [True, False]


def test_check(folder: Any):
    folder.write("good.json", policy(allow("s3:Get*")))
    folder.write("bad.json", policy(allow("GetObject")))
    folder.write(
        "odd.json",
        policy(allow(["s3:GetObjekt", "lambda:Any"], Condition={"Null": {"aws:Sourceip": "true", "aws:Nope": "true"}})),
    )
    done = folder.run("check", "good.json", "odd.json")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "good.json: AWS takes it",
        "odd.json:4: `s3:GetObjekt` matches no action that is known here (warning)",
        "odd.json:4: `aws:Nope` is no condition key that is known here (warning)",
        "odd.json: AWS takes it",
    ]
    done = folder.run("check", "good.json", "bad.json")
    assert done.exit_code == 2
    prefaced = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
    assert done.stdout.splitlines()[-1] == f"bad.json: AWS refuses this as an identity policy: {prefaced}"
    assert folder.run("check", "good.json", "--kind", "trust").stdout.startswith(
        "good.json: AWS refuses this as a trust policy: "
    )
    assert folder.run("check", "good.json", "--kind", "x").exit_code == 2


# With the state


def test_stored_principals_and_resources(folder: Any, one: InProcess, garrison: Any):
    one.new_user("ann", allow("kms:Decrypt"), allow("s3:GetObject", "arn:aws:s3:::app/*"))
    ann = f"arn:aws:iam::{one.account}:user/ann"
    key = json.loads(one.kms("CreateKey").body)["KeyMetadata"]["Arn"]

    def ask(*arguments: str) -> Any:
        return garrison("policy", "test", "--stored", "--principal", ann, *arguments)

    done = ask("--action", "kms:Decrypt", "--resource", key, "--expect", "allowed")
    assert done.exit_code == 0, done.output
    assert "Allow statement 1 at p (inline, user ann), line 1" in done.stdout
    assert "(Enable IAM User Permissions) at key policy, line 4" in done.stdout
    assert ask("--action", "kms:Encrypt", "--resource", key, "--expect", "denied").exit_code == 0
    assert ask("--action", "s3:PutObject", "--resource", BUCKET, "--expect", "denied").exit_code == 0
    folder.write("more.json", policy(allow("s3:Put*")))
    assert ask("--action", "s3:PutObject", "--resource", BUCKET, "--expect", "allowed", "--identity", "more.json").exit_code == 0
    gone = garrison("policy", "test", "--stored", "--principal", f"{ann}2", "--action", "s3:GetObject")
    assert (gone.exit_code, gone.stderr) == (2, f"garrison: {ann}2: there is no such user\n")
    assert ask("--action", "kms:Decrypt", "--resource", f"{key[:-4]}0000").exit_code == 2


def test_stored_grants_count(one: InProcess, garrison: Any, folder: Any):
    one.new_user("ann")
    ann = f"arn:aws:iam::{one.account}:user/ann"
    key = json.loads(one.kms("CreateKey").body)["KeyMetadata"]["Arn"]
    ask = ("policy", "test", "--stored", "--principal", ann, "--action", "kms:Decrypt", "--resource", key)
    assert garrison(*ask, "--expect", "denied").exit_code == 0
    granted = one.kms("CreateGrant", None, KeyId=key, GranteePrincipal=ann, Operations=["Decrypt"])
    done = garrison(*ask, "--expect", "allowed")
    assert done.exit_code == 0, done.output
    assert f"allowed by grant {json.loads(granted.body)['GrantId']}" in done.stdout


def test_stored_roles_and_their_trust(one: InProcess, garrison: Any, folder: Any):
    one.new_user("ann")
    ann = f"arn:aws:iam::{one.account}:user/ann"
    trust = json.dumps(policy({"Effect": "Allow", "Principal": {"AWS": ann}, "Action": "sts:AssumeRole"}))
    assert one.iam("CreateRole", None, RoleName="work", Path="/team/", AssumeRolePolicyDocument=trust).status == 200
    assert (
        one.iam(
            "PutRolePolicy", None, RoleName="work", PolicyName="p", PolicyDocument=json.dumps(policy(allow("s3:Get*")))
        ).status
        == 200
    )
    role = f"arn:aws:iam::{one.account}:role/team/work"
    ask = ("policy", "test", "--stored")
    assume = ("--action", "sts:AssumeRole", "--resource", role)
    assert garrison(*ask, "--principal", ann, *assume, "--expect", "allowed").exit_code == 0
    admin = f"arn:aws:iam::{one.account}:user/admin"
    assert garrison(*ask, "--principal", admin, *assume, "--expect", "denied").exit_code == 0
    session = f"arn:aws:sts::{one.account}:assumed-role/work/me"
    for who in (role, session):
        assert (
            garrison(*ask, "--principal", who, "--action", "s3:GetObject", "--resource", BUCKET, "--expect", "allowed").exit_code
            == 0
        )


def test_a_stored_role_that_trusts_a_provider(one: InProcess, garrison: Any):
    provider = f"arn:aws:iam::{one.account}:oidc-provider/token.example.com"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"token.example.com:sub": "build"}},
    }
    assert one.iam("CreateRole", None, RoleName="ci", AssumeRolePolicyDocument=json.dumps(policy(statement))).status == 200
    role = f"arn:aws:iam::{one.account}:role/ci"
    ask = ("policy", "test", "--stored", "--principal", provider, "--action", "sts:AssumeRoleWithWebIdentity", "--resource", role)
    done = garrison(*ask, "--context", "token.example.com:sub=build", "--expect", "allowed")
    assert done.exit_code == 0, done.output
    done = garrison(*ask, "--context", "token.example.com:sub=other", "--expect", "allowed")
    assert done.exit_code == 1
    assert f"as {provider}" in done.stdout


def organizations(one: InProcess, operation: str, **members: Any) -> Any:
    answer = one.json("organizations", f"AWSOrganizationsV20161128.{operation}", members)
    assert answer.status == 200, answer.body
    return json.loads(answer.body or b"{}")


def test_what_a_stored_organization_forbids(one: InProcess, garrison: Any):
    root = organizations(one, "CreateOrganization", FeatureSet="ALL") and organizations(one, "ListRoots")["Roots"][0]["Id"]
    made = organizations(one, "CreateAccount", Email="dev@example.com", AccountName="dev")["CreateAccountStatus"]
    status = organizations(one, "DescribeCreateAccountStatus", CreateAccountRequestId=made["Id"])["CreateAccountStatus"]
    role = f"arn:aws:iam::{status['AccountId']}:role/OrganizationAccountAccessRole"
    ask = ("policy", "test", "--stored", "--principal", role, "--resource", BUCKET)
    get = (*ask, "--action", "s3:GetObject")
    assert garrison(*get, "--expect", "allowed").exit_code == 0
    for kind, statement in (
        ("SERVICE_CONTROL_POLICY", deny("s3:Delete*")),
        ("RESOURCE_CONTROL_POLICY", {**deny("s3:PutObject"), "Principal": "*"}),
    ):
        if kind == "RESOURCE_CONTROL_POLICY":
            organizations(one, "EnablePolicyType", RootId=root, PolicyType=kind)
        text = json.dumps(policy(statement))
        named = organizations(one, "CreatePolicy", Content=text, Description="", Name=kind, Type=kind)["Policy"]["PolicySummary"]
        organizations(one, "AttachPolicy", PolicyId=named["Id"], TargetId=status["AccountId"])
    by_scp = garrison(*ask, "--action", "s3:DeleteObject", "--expect", "explicitDeny")
    assert by_scp.exit_code == 0, by_scp.output
    by_rcp = garrison(*ask, "--action", "s3:PutObject", "--json")
    (answer,) = json.loads(by_rcp.stdout)
    assert (answer["outcome"], answer["decidedBy"]) == ("explicitDeny", "resource control policy")
    assert garrison(*get, "--expect", "allowed").exit_code == 0


def test_explain_a_request_of_the_trail(one: InProcess, garrison: Any):
    assert one.iam("ListUsers", one.new_user("ann")).status == 403
    request = one.last_event()["requestID"]
    told = garrison("policy", "explain", request)
    assert told.exit_code == 0, told.output
    assert told.stdout == garrison("explain", request).stdout
    assert garrison("policy", "explain", request, "--principal", USER).exit_code == 2
    assert garrison("policy", "explain", "no-such-request").exit_code == 1
