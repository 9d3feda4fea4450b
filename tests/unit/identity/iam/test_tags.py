"""Tags. Expected texts and orders: AWS's answers as publicly recorded (IAM, February 2026)."""

from __future__ import annotations

import pytest

from garrison.api import iam as api
from tests.support.iam import ACCOUNT, ALLOW_ALL, TRUST_EC2, Cloud, tags

ARN = f"arn:aws:iam::{ACCOUNT}:policy/x"
NAMES = {"user": {"user_name": "x"}, "role": {"role_name": "x"}, "policy": {"policy_arn": ARN}}
KINDS = tuple(NAMES)


@pytest.fixture
def tagged(cloud: Cloud) -> Cloud:
    cloud.create_user(user_name="x")
    cloud.create_role(role_name="x", assume_role_policy_document=TRUST_EC2)
    cloud.create_policy(policy_name="x", policy_document=ALLOW_ALL)
    return cloud


def put(cloud: Cloud, kind: str, new: object) -> None:
    getattr(cloud, f"tag_{kind}")(**NAMES[kind], tags=new)


def take(cloud: Cloud, kind: str, *keys: str) -> None:
    getattr(cloud, f"untag_{kind}")(**NAMES[kind], tag_keys=list(keys))


def listed(cloud: Cloud, kind: str, **page: object) -> dict[str, str]:
    answer = getattr(cloud, f"list_{kind}_tags")(**NAMES[kind], **page)
    return {tag.key: tag.value for tag in answer.tags}


@pytest.mark.parametrize("kind", KINDS)
def test_tag_untag_list(tagged: Cloud, kind: str):
    assert listed(tagged, kind) == {}
    put(tagged, kind, tags(somekey="somevalue", someotherkey="someothervalue"))
    assert tagged.keys["aws:TagKeys"] == ["somekey", "someotherkey"]
    assert tagged.keys["aws:RequestTag/somekey"] == "somevalue"
    assert tagged.items[0].tags == {"somekey": "somevalue", "someotherkey": "someothervalue"}
    put(tagged, kind, tags(somekey=""))
    assert listed(tagged, kind) == {"somekey": "", "someotherkey": "someothervalue"}
    assert listed(tagged, kind, max_items=1) == {"somekey": ""}
    take(tagged, kind, "somekey", "never-there")
    assert tagged.keys == {"aws:TagKeys": ["somekey", "never-there"]}
    assert listed(tagged, kind) == {"someotherkey": "someothervalue"}


@pytest.mark.parametrize("kind", KINDS)
def test_pages(tagged: Cloud, kind: str):
    put(tagged, kind, tags(a="1", b="2"))
    operation = getattr(tagged, f"list_{kind}_tags")
    first = operation(**NAMES[kind], max_items=1)
    assert ([tag.key for tag in first.tags], first.is_truncated) == (["a"], True)
    rest = operation(**NAMES[kind], max_items=1, marker=first.marker)
    assert ([tag.key for tag in rest.tags], rest.is_truncated) == (["b"], False)


def test_users_and_roles_are_told_when_tags_change(tagged: Cloud):
    for kind in ("user", "role"):
        put(tagged, kind, tags(a="1"))
        assert [name for name, _ in tagged.touched] == [kind]


@pytest.mark.parametrize("kind", ["user", "role"])
def test_keys_regardless_of_case(tagged: Cloud, kind: str):
    put(tagged, kind, tags(Team="red"))
    put(tagged, kind, tags(team="blue"))
    assert listed(tagged, kind) == {"team": "blue"}
    with pytest.raises(api.InvalidInputException) as caught:
        put(tagged, kind, tags(a="1", A="2"))
    assert caught.value.message == "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    take(tagged, kind, "TEAM")
    assert listed(tagged, kind) == {}


def test_keys_of_policies_by_case(tagged: Cloud):
    put(tagged, "policy", tags(a="lowercase", A="uppercase"))
    assert list(listed(tagged, "policy").items()) == [("A", "uppercase"), ("a", "lowercase")]
    take(tagged, "policy", "a")
    assert listed(tagged, "policy") == {"A": "uppercase"}
    with pytest.raises(api.InvalidInputException, match=r"^Duplicate tag keys found\.$"):
        put(tagged, "policy", [api.Tag(key="a", value="1"), api.Tag(key="a", value="2")])


def test_the_order_of_policy_tags(tagged: Cloud):
    put(tagged, "policy", tags(abc="first", b="second", z="third", a="fourth"))
    assert list(listed(tagged, "policy")) == ["a", "b", "z", "abc"]


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_tags_at_most(tagged: Cloud, kind: str):
    put(tagged, kind, [api.Tag(key=f"k{number}", value="") for number in range(50)])
    put(tagged, kind, tags(k0="again"))
    with pytest.raises(api.LimitExceededException, match=r"^The number of tags has reached the maximum limit\.$"):
        put(tagged, kind, tags(one="more"))
    assert len(listed(tagged, kind)) == 50


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_aws(tagged: Cloud, kind: str):
    with pytest.raises(api.InvalidInputException):
        put(tagged, kind, [api.Tag(key="AWS:team", value="x")])


@pytest.mark.parametrize("operation", ["tag_user", "untag_user", "list_user_tags", "tag_role", "untag_role", "list_role_tags"])
def test_of_nobody(cloud: Cloud, operation: str):
    kind = "user" if "user" in operation else "role"
    more: dict[str, dict[str, object]] = {
        "tag_user": {"tags": []},
        "tag_role": {"tags": []},
        "untag_user": {"tag_keys": []},
        "untag_role": {"tag_keys": []},
    }
    with pytest.raises(api.NoSuchEntityException, match=f"^The {kind} with name x cannot be found.$"):
        getattr(cloud, operation)(**NAMES[kind], **more.get(operation, {}))


@pytest.mark.parametrize(
    ("operation", "more"), [("tag_policy", {"tags": []}), ("untag_policy", {"tag_keys": []}), ("list_policy_tags", {})]
)
def test_of_no_policy(cloud: Cloud, operation: str, more: dict[str, object]):
    with pytest.raises(api.NoSuchEntityException, match=f"^Policy {ARN} was not found.$"):
        getattr(cloud, operation)(policy_arn=ARN, **more)


def test_aws_policies_have_none(cloud: Cloud):
    assert cloud.list_policy_tags(policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess").tags == []


def test_duplicate_keys_at_creation(cloud: Cloud):
    twice = tags(a="1", A="2")
    with pytest.raises(api.InvalidInputException, match="case insensitive"):
        cloud.create_user(user_name="x", tags=twice)
    with pytest.raises(api.InvalidInputException, match="case insensitive"):
        cloud.create_role(role_name="x", assume_role_policy_document=TRUST_EC2, tags=twice)
    assert cloud.list_users().users == []
