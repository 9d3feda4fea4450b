from __future__ import annotations

from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from tests.support.kms import Calls, Kms, allow, root, user


def tags(**pairs: str) -> list[api.Tag]:
    return [api.Tag(tag_key=key, tag_value=value) for key, value in pairs.items()]


def listed(kms: Kms, key: api.KeyMetadata) -> dict[str, str]:
    return {tag.tag_key: tag.tag_value for tag in kms(root(), "ListResourceTags", key_id=key.key_id).tags}


def test_tags_are_set_changed_and_taken_away(kms: Kms):
    key = kms.new_key(tags=tags(team="a"))
    kms(root(), "TagResource", key_id=key.key_id, tags=tags(team="b", stage=""))
    assert [item.tags for item in kms.items] == [{"team": "b", "stage": ""}]
    assert listed(kms, key) == {"team": "b", "stage": ""}
    kms(root(), "UntagResource", key_id=key.arn, tag_keys=["team", "never there"])
    assert [item.tags for item in kms.items] == [{"stage": ""}]
    assert listed(kms, key) == {"stage": ""}


def test_tag_keys_have_case(kms: Kms):
    key = kms.new_key(tags=tags(team="a", Team="b"))
    assert listed(kms, key) == {"team": "a", "Team": "b"}


def test_tags_decide_at_once(kms: Kms):
    key = kms.new_key(tags=tags(team="a"))
    caller = user("u", allow("kms:Encrypt", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}))
    kms(caller, "Encrypt", key_id=key.key_id, plaintext=b"x")
    kms(root(), "TagResource", key_id=key.key_id, tags=tags(team="b"))
    with pytest.raises(CommonError, match="kms:Encrypt"):
        kms(caller, "Encrypt", key_id=key.key_id, plaintext=b"x")


def test_a_key_has_at_most_50_tags(kms: Kms):
    many = tags(**{f"k{at}": "" for at in range(50)})
    key = kms.new_key(tags=many)
    kms(root(), "TagResource", key_id=key.key_id, tags=tags(k0="changed"))
    calls: Calls = [
        ("TagResource", {"key_id": key.key_id, "tags": tags(more="")}),
        ("CreateKey", {"tags": [*many, *tags(more="")]}),
    ]
    for operation, members in calls:
        with pytest.raises(api.TagException, match=r"^Too many tags$"):
            kms(root(), operation, **members)
    assert "more" not in listed(kms, key)


@pytest.mark.parametrize("name", ["aws:x", "AWS:x", "aws:"])
def test_tags_of_aws_are_reserved(kms: Kms, name: str):
    key = kms.new_key()
    calls: Calls = [
        ("TagResource", {"key_id": key.key_id, "tags": [api.Tag(tag_key=name, tag_value="")]}),
        ("UntagResource", {"key_id": key.key_id, "tag_keys": [name]}),
        ("CreateKey", {"tags": [api.Tag(tag_key=name, tag_value="")]}),
    ]
    for operation, members in calls:
        with pytest.raises(api.TagException, match=r"^Tags beginning with aws: are reserved$"):
            kms(root(), operation, **members)


def test_a_key_twice_in_one_request_is_refused(kms: Kms):
    twice = [api.Tag(tag_key="a", tag_value="1"), api.Tag(tag_key="a", tag_value="2")]
    with pytest.raises(api.TagException):
        kms(root(), "CreateKey", tags=twice)


def test_list_resource_tags_in_pages(kms: Kms):
    key = kms.new_key(tags=tags(c="3", a="1", b="2"))
    first = kms(root(), "ListResourceTags", key_id=key.key_id, limit=2)
    assert ([tag.tag_key for tag in first.tags], first.truncated) == (["a", "b"], True)
    rest = kms(root(), "ListResourceTags", key_id=key.key_id, limit=2, marker=first.next_marker)
    assert ([tag.tag_key for tag in rest.tags], rest.truncated, rest.next_marker) == (["c"], False, None)
    with pytest.raises(api.InvalidMarkerException):
        kms(root(), "ListResourceTags", key_id=kms.new_key().key_id, marker=first.next_marker)
    with pytest.raises(CommonError, match="less than or equal to 50"):
        kms(root(), "ListResourceTags", key_id=key.key_id, limit=51)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"aws:RequestTag/team": "a"}}, True),
        ({"StringEquals": {"aws:RequestTag/team": "b"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "team"}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "other"}}, False),
    ],
)
def test_conditions_on_the_tags_of_a_request(kms: Kms, condition: dict[str, Any], allowed: bool):
    key = kms.new_key()
    caller = user("u", allow("kms:TagResource", Condition=condition))
    if allowed:
        kms(caller, "TagResource", key_id=key.key_id, tags=tags(team="a"))
    else:
        with pytest.raises(CommonError, match="kms:TagResource"):
            kms(caller, "TagResource", key_id=key.key_id, tags=tags(team="a"))


def test_a_condition_on_the_keys_that_are_taken_away(kms: Kms):
    key = kms.new_key(tags=tags(team="a", cost="b"))
    caller = user("u", allow("kms:UntagResource", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "team"}}))
    with pytest.raises(CommonError, match="kms:UntagResource"):
        kms(caller, "UntagResource", key_id=key.key_id, tag_keys=["team", "cost"])
    kms(caller, "UntagResource", key_id=key.key_id, tag_keys=["team"])
