"""Whom a policy names. Source: IAM User Guide, "AWS JSON policy elements: Principal"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.identity.resource_principals import UnknownPrincipal, resolve, shown
from tests.support.iam import ACCOUNT, TRUST_EC2, Cloud

IAM, STS = f"arn:aws:iam::{ACCOUNT}", f"arn:aws:sts::{ACCOUNT}"


def policy(principal: Any, element: str = "Principal") -> str:
    return json.dumps({"Statement": {"Effect": "Deny", element: principal, "Action": "kms:Encrypt", "Resource": "*"}})


def everybody(kind: str, name: str) -> bool:
    del kind, name
    return True


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud()
    made.create_user(user_name="Bob", path="/p/")
    made.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    return made


def principal_of(text: str, element: str = "Principal") -> Any:
    return json.loads(text)["Statement"][element]


def test_everyone_with_a_unique_id_stands_as_it(cloud: Cloud):
    user_id = cloud.get_user(user_name="Bob").user.user_id
    role_id = cloud.get_role(role_name="work").role.role_id
    put = [f"{IAM}:user/p/Bob", f"{IAM}:role/work", f"{STS}:assumed-role/work/me", f"{STS}:federated-user/x", ACCOUNT, "*"]
    for element in ("Principal", "NotPrincipal"):
        found = resolve(cloud.store.reading(), policy({"AWS": put}, element), everybody)
        wanted = [user_id, role_id, f"{role_id}:me", f"{STS}:federated-user/x", ACCOUNT, "*"]
        assert principal_of(found.text, element) == {"AWS": wanted}
        assert json.loads(found.principals) == dict(zip(put[:3], wanted[:3], strict=True))


def test_a_policy_that_names_nobody_with_an_id_stays_as_it_is(cloud: Cloud):
    for principal in ("*", {"AWS": f"{IAM}:root"}, {"Service": "ec2.amazonaws.com"}):
        text = policy(principal) + "\n"
        assert resolve(cloud.store.reading(), text, everybody) == (text, "{}")


@pytest.mark.parametrize(
    "name",
    [
        f"{IAM}:user/Bob",
        f"{IAM}:user/p/bob",
        f"{IAM}:role/nobody",
        f"{IAM}:group/p/Bob",
        f"{STS}:assumed-role/nobody/me",
        f"{STS}:assumed-role/work",
        f"{STS}:federated-user/",
        "arn:aws:s3:::bucket",
        "Bob",
        "AIDA0123456789ABCDEFG",
    ],
)
def test_what_nobody_is(cloud: Cloud, name: str):
    with pytest.raises(UnknownPrincipal) as caught:
        resolve(cloud.store.reading(), policy({"AWS": [ACCOUNT, name]}), everybody)
    assert (caught.value.kind, caught.value.name) == ("AWS", name)


def test_the_caller_decides_on_other_kinds(cloud: Cloud):
    asked = []

    def known(kind: str, name: str) -> bool:
        asked.append((kind, name))
        return kind == "Service"

    with pytest.raises(UnknownPrincipal) as caught:
        resolve(cloud.store.reading(), policy({"AWS": "*", "Service": ["a", "b"], "Federated": "c", "CanonicalUser": "d"}), known)
    assert (caught.value.kind, caught.value.name) == ("Federated", "c")
    assert asked == [("Service", "a"), ("Service", "b"), ("Federated", "c")]


def test_what_is_shown_follows_names_and_keeps_ids_of_the_gone(cloud: Cloud):
    text = policy({"AWS": [f"{IAM}:user/p/Bob", f"{IAM}:role/work", f"{STS}:assumed-role/work/me"], "Service": "x"})
    principals = resolve(cloud.store.reading(), text, everybody).principals
    assert shown(cloud.store.reading(), text, principals) == text
    role_id = cloud.get_role(role_name="work").role.role_id
    cloud.update_user(user_name="Bob", new_user_name="robert")
    cloud.delete_role(role_name="work")
    cloud.create_role(role_name="work", assume_role_policy_document=TRUST_EC2)
    now = principal_of(shown(cloud.store.reading(), text, principals))
    assert now == {"AWS": [f"{IAM}:user/p/robert", role_id, f"{role_id}:me"], "Service": "x"}
