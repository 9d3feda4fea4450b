"""Policies out of uses: what was used and no more, and what present policies allow beyond it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from garrison.cli.policy import catalog
from garrison.policy import MalformedPolicy, Value, compile_policy
from garrison.policy.generate import MANAGED_SIZE, Use, compare, generate, uncovered

KEY = "arn:aws:kms:us-east-1:111122223333:key/"


def use(action: str, resource: str = "*", keys: Mapping[str, Value] | None = None) -> Use:
    return Use(action, resource, keys or {})


def made(*uses: Use, **options: Any) -> list[dict[str, Any]]:
    """The statements of the one policy for these uses, without their ids."""
    generated = generate(uses, catalog, **options)
    assert uncovered(generated.documents, uses) == []
    (text,) = generated.documents
    return [{key: value for key, value in statement.items() if key != "Sid"} for statement in json.loads(text)["Statement"]]


def allows(uses: list[Use], action: str, resource: str, keys: Mapping[str, Value] | None = None) -> bool:
    return not uncovered(generate(uses, catalog).documents, [use(action, resource, keys)])


def test_actions_on_the_same_resources_are_one_statement():
    found = made(
        use("kms:decrypt", KEY + "1"),
        use("kms:Encrypt", KEY + "1"),
        use("kms:Encrypt", KEY + "1"),
        use("kms:Sign", KEY + "2"),
        use("iam:ListUsers", "arn:aws:iam::111122223333:user/"),
    )
    assert found == [
        {"Effect": "Allow", "Action": ["iam:ListUsers"], "Resource": ["*"]},
        {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": [KEY + "1"]},
        {"Effect": "Allow", "Action": ["kms:Sign"], "Resource": [KEY + "2"]},
    ]


def test_statement_ids_are_unique_and_plain():
    uses = [use("kms:Sign", KEY + "1"), use("kms:Verify", KEY + "2"), use("access-analyzer:ListAnalyzers")]
    (text,) = generate(uses, catalog).documents
    assert [statement["Sid"] for statement in json.loads(text)["Statement"]] == ["Accessanalyzer1", "Kms1", "Kms2"]


def test_an_action_that_was_used_on_everything_is_allowed_on_everything():
    assert made(use("iam:GetUser", "*"), use("iam:GetUser", "arn:aws:iam::111122223333:user/a"))[0]["Resource"] == ["*"]


def test_an_action_that_knows_no_resources_is_said():
    generated = generate(
        [use("kms:ListKeys", KEY + "1"), use("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:1:function:f")], catalog
    )
    assert generated.unbound == ("kms:ListKeys", "lambda:InvokeFunction")


def test_many_resources_become_their_deepest_common_folder():
    uses = [use("s3:GetObject", f"arn:aws:s3:::logs/2026/01/{day}/x") for day in range(11)]
    generated = generate(uses, catalog)
    (statement,) = json.loads(generated.documents[0])["Statement"]
    assert statement["Resource"] == ["arn:aws:s3:::logs/2026/01/*"]
    assert generated.widened == (("arn:aws:s3:::logs/2026/01/*", 11),)
    assert not allows(uses, "s3:GetObject", "arn:aws:s3:::logs/2026/02/1/x")
    assert len(made(*uses, most_resources=11)[0]["Resource"]) == 11


def test_each_bucket_and_each_type_is_widened_for_itself():
    uses = [use("s3:GetObject", f"arn:aws:s3:::{bucket}/{n}") for bucket in ("a", "b") for n in range(11)]
    assert made(*uses)[0]["Resource"] == ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]
    uses = [
        use("kms:Decrypt", f"arn:aws:kms:{region}:111122223333:key/{n}")
        for region in ("eu-west-1", "us-east-1")
        for n in range(11)
    ]
    assert made(*uses)[0]["Resource"] == [f"arn:aws:kms:{region}:111122223333:key/*" for region in ("eu-west-1", "us-east-1")]


@pytest.mark.parametrize("name", ["*", "a?c", "${aws:username}", "$", "${", "x*${*}", "${${*}}", "*/*"])
def test_what_was_named_like_a_wildcard_is_no_wildcard(name: str):
    """Whoever may name an object must not be able to widen the policy of whoever reads it."""
    uses = [use("s3:GetObject", f"arn:aws:s3:::b/{name}")]
    made(*uses)
    for other in ("secret", "abc", "ann", "x", "$x", "xyz", "a/b"):
        assert not allows(uses, "s3:GetObject", f"arn:aws:s3:::b/{other}", {"aws:username": "ann"})


@pytest.mark.parametrize("name", ["*", "?", "${aws:username}"])
def test_a_folder_with_such_a_name_is_no_wildcard_either(name: str):
    uses = [use("s3:GetObject", f"arn:aws:s3:::b/{name}/{n}") for n in range(11)]
    made(*uses)
    assert not allows(uses, "s3:GetObject", "arn:aws:s3:::b/x/secret")
    assert not allows(uses, "s3:GetObject", "arn:aws:s3:::b/ann/secret", {"aws:username": "ann"})


def test_conditions_that_say_for_whom():
    role = "arn:aws:iam::111122223333:role/r"
    passed = [
        use("iam:PassRole", role, {"iam:passedtoservice": service}) for service in ("ec2.amazonaws.com", "rds.amazonaws.com")
    ]
    assert made(*passed)[0]["Condition"] == {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "rds.amazonaws.com"]}}
    assert not allows(passed, "iam:PassRole", role, {"iam:passedtoservice": "lambda.amazonaws.com"})
    assert not allows(passed, "iam:PassRole", role)
    policy = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    attached = [use("iam:AttachRolePolicy", role, {"iam:policyarn": policy})]
    assert made(*attached)[0]["Condition"] == {"ArnEquals": {"iam:PolicyARN": [policy]}}
    assert not allows(attached, "iam:AttachRolePolicy", role, {"iam:policyarn": "arn:aws:iam::aws:policy/AdministratorAccess"})


def test_a_condition_that_one_use_did_not_have_is_left_out():
    role = "arn:aws:iam::111122223333:role/r"
    assert (
        "Condition"
        not in made(use("iam:PassRole", role, {"iam:passedtoservice": "ec2.amazonaws.com"}), use("iam:PassRole", role))[0]
    )
    many = [use("iam:PassRole", role, {"iam:passedtoservice": f"s{n}.amazonaws.com"}) for n in range(6)]
    assert "Condition" not in made(*many)[0]
    several = [use("iam:PassRole", role, {"iam:passedtoservice": ["a.amazonaws.com", "b.amazonaws.com"]})]
    assert "Condition" not in made(*several)[0]


def test_a_value_that_looks_like_a_variable_is_none():
    role = "arn:aws:iam::111122223333:role/r"
    uses = [use("iam:PassRole", role, {"iam:passedtoservice": "${aws:username}"})]
    made(*uses)
    assert not allows(uses, "iam:PassRole", role, {"iam:passedtoservice": "ann", "aws:username": "ann"})
    policy = "arn:aws:iam::1:policy/*"
    uses = [use("iam:AttachRolePolicy", role, {"iam:policyarn": policy})]
    made(*uses)
    assert not allows(uses, "iam:AttachRolePolicy", role, {"iam:policyarn": "arn:aws:iam::1:policy/x"})


def test_what_one_policy_cannot_hold_is_several_that_each_are_within_iams_size():
    uses = [use("s3:GetObject", f"arn:aws:s3:::bucket-{n}/{'x' * 200}") for n in range(100)]
    uses += [use(f"kms:{name}", KEY + "1") for name in catalog.actions_of("kms")]
    generated = generate(uses, catalog)
    assert len(generated.documents) > 3
    assert uncovered(generated.documents, uses) == []
    for text in generated.documents:
        assert sum(not letter.isspace() for letter in text) <= MANAGED_SIZE
        compile_policy(text, "identity")


def test_nothing_used_is_no_policy():
    assert generate([], catalog).documents == ()


def test_a_resource_that_no_policy_can_name_is_an_error():
    with pytest.raises(MalformedPolicy):
        generate([use("s3:GetObject", "not-an-arn")], catalog)


def test_uncovered_sees_what_is_missing_and_what_is_denied():
    deny = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:Sign","Resource":"*"}]}'
    uses = [use("kms:Sign", KEY + "1")]
    assert uncovered([], uses) == uses
    assert uncovered([*generate(uses, catalog).documents, deny], uses) == uses


# What is beyond


def compared(statement: dict[str, Any], *uses: Use, visible: set[str] | None = None) -> Any:
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}, statement]})
    seen = visible or {f"{service}:{name}" for service in ("kms", "sts") for name in catalog.actions_of(service)}
    (found,) = compare([compile_policy(text, "identity")], uses, actions=catalog.actions_of, visible=seen)
    assert found.ref.index == 1
    return found


def allow(action: Any, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def test_used_and_unused_actions_of_a_statement():
    found = compared(allow(["kms:Encrypt", "kms:Decrypt", "kms:sign"]), use("kms:Encrypt", KEY + "1"))
    assert (found.used, found.unused, found.unseen) == (("kms:encrypt",), ("kms:decrypt", "kms:sign"), ())
    found = compared(allow("kms:Re*"), use("kms:ReEncryptFrom", KEY + "1"))
    assert found.used == ("kms:reencryptfrom",)
    assert set(found.unused) == {"kms:reencryptto", "kms:replicatekey", "kms:retiregrant", "kms:revokegrant"}


def test_a_use_counts_only_where_the_statement_applies():
    assert compared(allow("kms:Encrypt", KEY + "1"), use("kms:Encrypt", KEY + "2")).idle
    inside = allow("kms:Encrypt", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    assert compared(inside, use("kms:Encrypt", KEY + "1", {"aws:sourceip": "192.0.2.1"})).idle
    assert compared(inside, use("kms:Encrypt", KEY + "1", {"aws:sourceip": "10.1.1.1"})).used == ("kms:encrypt",)


def test_what_the_log_cannot_show_is_not_called_unused():
    found = compared(allow(["lambda:InvokeFunction", "kms:Encrypt", "s3:GetObject"]))
    assert (found.unused, found.unseen) == (("kms:encrypt",), ("lambda:InvokeFunction", "s3:getobject"))
    assert not found.idle
    everything = compared(allow("*"), use("kms:Encrypt", KEY + "1"))
    assert "*" in everything.unseen
    assert "kms:decrypt" in everything.unused
    rest = compared({"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"})
    assert rest.unseen == ("NotAction",)
    assert "sts:assumerole" in rest.unused
    assert not any(action.startswith("kms:") for action in rest.unused)
