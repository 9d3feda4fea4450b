"""Files of cases: what is understood, and that nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.case_files import allow, deny, policy

READ = policy(allow("s3:GetObject", "arn:aws:s3:::app/*", Sid="Read"), deny("s3:Delete*", Sid="Never"))
CASE = """
defaults:
  principal: arn:aws:iam::111122223333:user/ann
  identity: p.json
tests:
  - name: reads
    action: s3:GetObject
    resource: arn:aws:s3:::app/x
    expect: allowed
"""


def test_each_answer_has_its_statement_with_file_and_line(folder: Any):
    folder.write("p.json", READ)
    done = folder.test(folder.write("cases.yaml", CASE))
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "cases.yaml",
        "  ok   reads: s3:GetObject on arn:aws:s3:::app/x: allowed by Allow statement 1 (Read) at p.json:4",
        "1 answer: 1 as expected, 0 not",
    ]


def test_one_that_is_not_as_expected_says_why_and_exits_1(folder: Any):
    folder.write("p.json", READ)
    done = folder.test(folder.write("cases.yaml", CASE.replace("app/x", "other/x")))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "cases.yaml",
        (
            "  FAIL reads: s3:GetObject on arn:aws:s3:::other/x: expected allowed, is implicitDeny"
            " (as arn:aws:iam::111122223333:user/ann, cases.yaml:6)"
        ),
        "         implicitDeny: no identity-based policy allows it",
        "         Allow statement 1 (Read) at p.json:4: speaks of other resources",
        "         1 more statement speaks of other actions",
        "1 answer: 0 as expected, 1 not",
    ]


@pytest.mark.parametrize(
    ("action", "expect", "status"),
    [
        ("s3:DeleteObject", "denied", 0),
        ("s3:DeleteObject", "explicitDeny", 0),
        ("s3:DeleteObject", "implicitDeny", 1),
        ("s3:PutObject", "implicitDeny", 0),
        ("s3:PutObject", "explicitDeny", 1),
        ("s3:PutObject", "denied", 0),
        ("s3:GetObject", "denied", 1),
        ("S3:getobject", "allowed", 0),
    ],
)
def test_what_can_be_expected(folder: Any, action: str, expect: str, status: int):
    folder.write("p.json", READ)
    cases = CASE.replace("s3:GetObject", action).replace("expect: allowed", f"expect: {expect}")
    assert folder.test(folder.write("cases.yaml", cases)).exit_code == status


def test_who_decides_and_which_statement_can_be_expected_too(folder: Any):
    folder.write("p.json", READ)
    right = CASE + "    decided_by: identity\n    statement: Read\n"
    assert folder.test(folder.write("cases.yaml", right)).exit_code == 0
    other = folder.test(folder.write("cases.yaml", CASE + "    statement: Never\n"))
    assert other.exit_code == 1
    assert "expected to rest on statement Never, rests on Read" in other.stdout
    other = folder.test(folder.write("cases.yaml", CASE + "    decided_by: boundary\n"))
    assert other.exit_code == 1
    assert "expected to be decided by boundary, is by identity" in other.stdout


def test_every_action_is_asked_on_every_resource(folder: Any):
    folder.write("p.json", READ)
    cases = CASE.replace("s3:GetObject", "[s3:GetObject, s3:PutObject]").replace(
        "arn:aws:s3:::app/x", "[arn:aws:s3:::app/x, '*']"
    )
    done = folder.test(folder.write("cases.yaml", cases))
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == "4 answers: 1 as expected, 3 not"


def test_a_policy_may_stand_in_the_file_or_be_yaml_itself(folder: Any):
    inline = """
tests:
  - principal: arn:aws:iam::111122223333:user/ann
    action: s3:GetObject
    resource: arn:aws:s3:::app/x
    expect: allowed
    identity:
      Version: "2012-10-17"
      Statement:
        - Effect: Deny
          Action: s3:PutObject
          Resource: "*"
        - Effect: Allow
          Action: s3:Get*
          Resource: arn:aws:s3:::app/*
"""
    done = folder.test(folder.write("cases.yaml", inline))
    assert done.exit_code == 0, done.output
    assert "allowed by Allow statement 2 at cases.yaml:13" in done.stdout
    folder.write("p.yaml", 'Version: "2012-10-17"\nStatement:\n  Effect: Allow\n  Action: s3:Get*\n  Resource: "*"\n')
    done = folder.test(folder.write("cases.yaml", CASE.replace("p.json", "p.yaml")))
    assert done.exit_code == 0, done.output
    assert "allowed by Allow statement 1 at p.yaml:3" in done.stdout


def test_names_of_files_are_relative_to_the_file_of_cases(folder: Any):
    folder.write("deep/p.json", READ)
    done = folder.test(folder.write("deep/cases.yaml", CASE))
    assert done.exit_code == 0, done.output
    assert "at deep/p.json:4" in done.stdout


def test_values_are_the_text_that_is_written(folder: Any):
    """YAML 1.1 would read ``no`` as false, and 0111… as a number in base 8."""
    wants = {"StringEquals": {"aws:PrincipalTag/country": "no", "aws:SourceAccount": "011112222333"}}
    folder.write("p.json", policy(allow("s3:GetObject", Condition=wants)))
    context = "    context:\n      aws:PrincipalTag/country: no\n      aws:SourceAccount: 011112222333\n"
    done = folder.test(folder.write("cases.yaml", CASE + context))
    assert done.exit_code == 0, done.output


def test_the_context_of_a_test_comes_on_top_of_the_defaults(folder: Any):
    wants = {"StringEquals": {"aws:PrincipalTag/team": "blue"}, "Bool": {"aws:SecureTransport": "true"}}
    folder.write("p.json", policy(allow("s3:GetObject", Condition=wants)))
    base = CASE.replace("tests:", "  context: {aws:PrincipalTag/team: red, aws:SecureTransport: true}\ntests:")
    assert folder.test(folder.write("cases.yaml", base)).exit_code == 1
    assert folder.test(folder.write("cases.yaml", base + "    context: {aws:principaltag/TEAM: blue}\n")).exit_code == 0


def test_a_key_that_the_policies_read_and_nobody_gives_is_named(folder: Any):
    folder.write("p.json", policy(allow("s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})))
    done = folder.test(folder.write("cases.yaml", CASE))
    assert done.exit_code == 1
    assert "the policies read keys that `context` does not give: aws:SourceIp" in done.stdout


REFUSED = [
    (CASE.replace("    expect", "    expekt"), "cases.yaml:9: `expekt` is no key of a test; must be one of action, boundary,"),
    (CASE.replace("defaults", "default"), "cases.yaml:2: `default` is no key of a file of cases; must be one of defaults, tests"),
    (CASE.replace("  identity", "  name: x\n  identity"), "cases.yaml:4: `name` is no key of `defaults`"),
    (CASE + "    expect: denied\n", "cases.yaml:10: `expect` stands twice in a test"),
    (
        CASE.replace("allowed", "yes"),
        "cases.yaml:9: `expect` is `yes`; must be one of allowed, denied, implicitDeny, explicitDeny",
    ),
    (CASE.replace("    expect: allowed\n", ""), "cases.yaml:6: a test needs `expect`, of its own or in `defaults`"),
    (CASE.replace("expect: allowed", "expect:"), "cases.yaml:9: `expect` has no value"),
    (
        CASE.replace("s3:GetObject", "s3:Get*"),
        "cases.yaml:7: `s3:Get*` is no action; must be one, without wildcards, like s3:GetObject",
    ),
    (CASE.replace("s3:GetObject", "[]"), "cases.yaml:7: `action` is empty: nothing would be proven"),
    (
        CASE.replace("arn:aws:s3:::app/x", "app/x"),
        "cases.yaml:8: `app/x` is no resource; must be an ARN, or * where the action knows none",
    ),
    (CASE.replace("arn:aws:s3:::app/x", "[]"), "cases.yaml:8: `resource` is empty"),
    (CASE.replace("user/ann", "group/ann"), "cases.yaml:3: `arn:aws:iam::111122223333:group/ann` is no principal"),
    (CASE.replace("p.json", "gone.json"), "cases.yaml:4: gone.json: No such file or directory"),
    (
        CASE.replace("p.json", "arn:aws:iam::aws:policy/Nope"),
        "cases.yaml:4: arn:aws:iam::aws:policy/Nope: AWS has no managed policy",
    ),
    (CASE + "    context: {aws:SourceIpp: 1.2.3.4}\n", "cases.yaml:10: `aws:SourceIpp` is no condition key"),
    (CASE + "    context: {SourceIp: 1.2.3.4}\n", "cases.yaml:10: `SourceIp` is no condition key"),
    (CASE + "    context: {aws:SourceIp: 1.2.3.4, aws:sourceip: 1.2.3.5}\n", "`aws:sourceip` stands twice"),
    (CASE + "    context: {aws:SourceIp: {a: b}}\n", "cases.yaml:10: a value of `context` must be one value"),
    (CASE + "    resource_account: 12\n", "cases.yaml:10: `12` is no account; must be twelve digits"),
    (CASE + "    decided_by: nobody\n", "cases.yaml:10: `decided_by` is `nobody`; must be one of identity, resource,"),
    (CASE + "    boundary: !Sub p.json\n", "cases.yaml:10: the tag `!Sub` is not known here"),
    ("tests: []\n", "cases.yaml:1: `tests` is empty: nothing would be proven"),
    ("defaults: {}\n", "cases.yaml: there are no `tests`"),
    ("", "cases.yaml: the file is empty"),
    ("- a\n", "cases.yaml:1: a file of cases must be a mapping"),
    ("tests: [a\n", "cases.yaml:2: expected ',' or ']'"),
    ("tests: []\n---\ntests: []\n", "cases.yaml:2: but found another document"),
    (CASE.replace("p.json", "{<<: *x}"), "cases.yaml:4: found undefined alias"),
    ("[" * 5000, "cases.yaml: this is no YAML"),
]


@pytest.mark.parametrize(("cases", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_what_nobody_knows_is_an_error_with_its_place(folder: Any, cases: str, message: str):
    folder.write("p.json", READ)
    assert folder.refused(cases).startswith(message) or message in folder.refused(cases)


def test_a_file_that_grows_by_aliases_is_refused(folder: Any):
    laughs = "\n".join([f"a{n}: &a{n} [{', '.join(f'*a{n - 1}' for _ in range(9))}]" for n in range(1, 9)])
    text = f"Version: &v '2012-10-17'\na0: &a0 [x]\n{laughs}\nStatement: *a8\n"
    folder.write("p.yaml", text)
    assert "has more than 100000 values" in folder.refused(CASE.replace("p.json", "p.yaml"))


def test_an_alias_to_itself_is_refused(folder: Any):
    folder.write("p.yaml", "Version: '2012-10-17'\nStatement: &a [*a]\n")
    assert "p.yaml" in folder.refused(CASE.replace("p.json", "p.yaml"))


def test_bytes_that_are_no_text_and_files_without_end_are_refused(folder: Any):
    (folder.path / "p.json").write_bytes(b"\xff\xfe{}")
    assert folder.refused(CASE) == "cases.yaml:4: p.json: the file is not UTF-8"
    (folder.path / "p.json").write_bytes(b" " * (4 * 1024 * 1024 + 1))
    assert folder.refused(CASE) == "cases.yaml:4: p.json: the file has more than 4194304 bytes"
    assert folder.refused(CASE.replace("p.json", "/dev/zero")).endswith("/dev/zero: the file has more than 4194304 bytes")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        # AWS's words, as clients recorded them.
        ({"Version": "2008-10-17", "Statement": [allow("s3:*")]}, "Policy document must be version 2012-10-17 or greater."),
        (policy(allow("s3:*", Principal="*")), "Policy document should not specify a principal."),
        (policy(allow("GetObject")), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (policy(allow("s3:*", "app/*")), 'Resource app/* must be in ARN format or "*".'),
        (policy({"Effect": "Allow", "Action": "s3:*"}), "Policy statement must contain resources."),
        (policy(allow("s3:*", Sid="a-b")), "Statement IDs (SID) must be alpha-numeric."),
        (policy(allow("s3:*", Condition={"StringSame": {"a:b": "c"}})), "Syntax errors in policy."),
    ],
)
def test_what_aws_refuses_is_refused_with_its_reason(folder: Any, document: Any, reason: str):
    folder.write("p.json", document)
    assert f"p.json: AWS refuses this as an identity policy: {reason}" in folder.refused(CASE)


@pytest.mark.parametrize(
    ("key", "kind", "limit"),
    [
        # IAM User Guide, "IAM and AWS STS quotas"; Organizations User Guide, "Quotas and service limits".
        ("identity", "an inline policy of a role", 10_240),
        ("boundary", "a managed policy", 6144),
        ("session", "a session policy", 2048),
        ("scps", "a service control policy", 5120),
    ],
)
def test_what_is_too_long_for_aws_is_refused(folder: Any, key: str, kind: str, limit: int):
    folder.write("p.json", READ)
    document = json.dumps(policy(allow(["s3:GetObject"])), separators=(",", ":"))
    fitting = document.replace("s3:GetObject", "s3:" + "a" * (limit - len(document) + len("GetObject")))
    assert len(fitting) == limit
    folder.write("long.json", fitting)
    assert (
        folder.test(
            folder.write(
                "cases.yaml",
                CASE.replace("p.json", f"p.json\n  {key}: long.json")
                if key != "identity"
                else CASE.replace("p.json", "long.json"),
            )
        ).exit_code
        == 1
    )
    folder.write("long.json", fitting.replace("aaa", "aaaa", 1))
    cases = CASE.replace("p.json", "long.json") if key == "identity" else CASE.replace("p.json", f"p.json\n  {key}: long.json")
    assert f"AWS refuses this as {kind}: {limit + 1} characters; must be <= {limit}" in folder.refused(cases)
