"""Embedded policies. Expected texts: AWS's answers as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from garrison.api import iam as api
from tests.support.iam import ALLOW_ALL, LIST_USERS, TRUST_EC2, Cloud

KINDS = ("user", "group", "role")
LIMITS = {"user": 2048, "group": 5120, "role": 10240}


def make(cloud: Cloud, kind: str, name: str = "x") -> str:
    more = {"assume_role_policy_document": TRUST_EC2} if kind == "role" else {}
    made = getattr(getattr(cloud, f"create_{kind}")(**{f"{kind}_name": name}, **more), kind)
    return str(getattr(made, f"{kind}_id"))


class Owned:
    """The four operations on one owner."""

    def __init__(self, cloud: Cloud, kind: str, owner: str = "x") -> None:
        self.cloud, self.kind, self.owner = cloud, kind, {f"{kind}_name": owner}

    def put(self, name: str, document: str) -> None:
        getattr(self.cloud, f"put_{self.kind}_policy")(policy_name=name, policy_document=document, **self.owner)

    def get(self, name: str) -> Any:
        return getattr(self.cloud, f"get_{self.kind}_policy")(policy_name=name, **self.owner)

    def delete(self, name: str) -> None:
        getattr(self.cloud, f"delete_{self.kind}_policy")(policy_name=name, **self.owner)

    def names(self, **page: object) -> list[str]:
        answer = getattr(self.cloud, f"list_{self.kind}_policies")(**self.owner, **page)
        return list(answer.policy_names)


@pytest.mark.parametrize("kind", KINDS)
def test_put_get_list_delete(cloud: Cloud, kind: str):
    unique = make(cloud, kind)
    owned = Owned(cloud, kind)
    assert owned.names() == []
    owned.put("p", LIST_USERS)
    assert cloud.touched == [(kind, unique)]
    assert cloud.items[0].configuration[f"{kind.title()}PolicyList"] == [{"PolicyName": "p", "PolicyDocument": LIST_USERS}]
    got = owned.get("p")
    assert got.policy_name == "p"
    assert got.policy_document == quote(LIST_USERS, safe="")
    owned.put("p", ALLOW_ALL)
    owned.put("o", LIST_USERS)
    assert owned.get("p").policy_document == quote(ALLOW_ALL, safe="")
    assert owned.names() == ["o", "p"]
    assert owned.names(max_items=1) == ["o"]
    owned.delete("p")
    assert owned.names() == ["o"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there(cloud: Cloud, kind: str):
    make(cloud, kind)
    owned = Owned(cloud, kind)
    for operation in (owned.get, owned.delete):
        with pytest.raises(api.NoSuchEntityException) as caught:
            operation("non-existent-policy")
        assert caught.value.message == f"The {kind} policy with name non-existent-policy cannot be found."
    nobody = Owned(cloud, kind, "nobody")
    calls: list[Callable[[], object]] = [
        lambda: nobody.put("p", ALLOW_ALL), lambda: nobody.get("p"), lambda: nobody.delete("p"), nobody.names
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(api.NoSuchEntityException) as caught:
            call()
        assert caught.value.message == f"The {kind} with name nobody cannot be found."


@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_policy(cloud: Cloud, kind: str):
    make(cloud, kind)
    with pytest.raises(api.MalformedPolicyDocumentException, match=r"^Syntax errors in policy\.$"):
        Owned(cloud, kind).put("p", "{")
    assert Owned(cloud, kind).names() == []


@pytest.mark.parametrize("kind", KINDS)
def test_all_embedded_policies_share_one_quota(cloud: Cloud, kind: str):
    make(cloud, kind)
    limit = LIMITS[kind]
    owned = Owned(cloud, kind)
    frame = len(LIST_USERS) - len("iam:ListUsers")
    half = LIST_USERS.replace("iam:ListUsers", "iam:" + "A" * (limit // 2 - frame - 4))
    owned.put("a", half)
    owned.put("b", half)
    owned.put("b", half.replace(",", " ,\n"))
    with pytest.raises(api.LimitExceededException) as caught:
        owned.put("c", LIST_USERS)
    assert caught.value.message == f"Maximum policy size of {limit} bytes exceeded for {kind} x"
    assert json.loads(half)


def test_the_boundary_is_a_condition_key(cloud: Cloud):
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    cloud.create_user(user_name="x", permissions_boundary=boundary)
    cloud.create_role(role_name="x", assume_role_policy_document=TRUST_EC2, permissions_boundary=boundary)
    for kind in ("user", "role"):
        Owned(cloud, kind).put("p", ALLOW_ALL)
        assert cloud.keys == {"iam:PermissionsBoundary": boundary}
        Owned(cloud, kind).delete("p")
        assert cloud.keys == {"iam:PermissionsBoundary": boundary}
