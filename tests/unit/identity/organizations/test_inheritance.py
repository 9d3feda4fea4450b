"""How management policies merge. The examples are those of AWS's User Guide, "Inheritance examples" (1 to 6), by their letters."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from garrison.identity.organizations.inheritance import CONTROL, effective

NONE = {CONTROL: ["@@none"]}


def tags(**found: Any) -> dict[str, Any]:
    return {"tags": found}


A = tags(costcenter={"tag_key": {"@@assign": "CostCenter"}, "tag_value": {"@@assign": ["Development", "Support"]}})


def test_example_1_a_child_overwrites_the_values():
    b = tags(
        costcenter={
            "tag_key": {"@@assign": "CostCenter"},
            "tag_value": {"@@assign": ["Sandbox"]},
            "enforced_for": {"@@assign": ["redshift:*", "dynamodb:table"]},
        }
    )
    wanted = {"tag_key": "CostCenter", "tag_value": ["Sandbox"], "enforced_for": ["redshift:*", "dynamodb:table"]}
    assert effective([[A], [b], []]) == tags(costcenter=wanted)


def test_example_2_a_child_appends_values():
    c = tags(costcenter={"tag_key": {"@@assign": "CostCenter"}, "tag_value": {"@@append": ["Marketing"]}})
    wanted = {"tag_key": "CostCenter", "tag_value": ["Development", "Support", "Marketing"]}
    assert effective([[A], [], [c]]) == tags(costcenter=wanted)


def test_example_3_a_child_removes_values():
    d = tags(costcenter={"tag_value": {"@@remove": ["Development", "Marketing"], "enforced": None}})
    d["tags"]["costcenter"]["tag_value"].pop("enforced")
    assert effective([[A], [d]]) == tags(costcenter={"tag_key": "CostCenter", "tag_value": ["Support"]})
    everything = tags(costcenter={"tag_value": {"@@remove": ["Development", "Support"]}})
    assert effective([[A], [everything]]) == tags(costcenter={"tag_key": "CostCenter"})


def test_example_4_a_parent_keeps_its_settings():
    e = tags(
        project={"tag_key": {**NONE, "@@assign": "Project"}, "tag_value": {CONTROL: ["@@append"], "@@assign": ["Escalations"]}}
    )
    f = tags(project={"tag_key": {"@@assign": "PROJECT"}, "tag_value": {"@@assign": ["Mine"]}})
    g = tags(project={"tag_value": {"@@append": ["Mine"], "@@remove": ["Escalations"]}})
    assert effective([[e], [f]]) == tags(project={"tag_key": "Project", "tag_value": ["Escalations"]})
    assert effective([[e], [g]]) == tags(project={"tag_key": "Project", "tag_value": ["Escalations", "Mine"]})


def test_example_5_of_the_controls_of_one_level_what_all_allow():
    first = tags(a={"tag_key": {"@@assign": "a"}, "tag_value": {CONTROL: ["@@append"], "@@assign": ["Maintenance"]}})
    second = tags(a={"tag_value": {CONTROL: ["@@append", "@@remove"], "@@append": ["Escalations"]}})
    third = tags(a={"tag_value": {"@@remove": ["Maintenance"]}})
    fourth = tags(a={"tag_value": {"@@append": ["More"]}})
    wanted = ["Maintenance", "Escalations"]
    assert effective([[first, second], [third]]) == tags(a={"tag_key": "a", "tag_value": wanted})
    assert effective([[first, second], [fourth]]) == tags(a={"tag_key": "a", "tag_value": [*wanted, "More"]})


def test_example_6_values_of_one_level_are_united():
    first = tags(a={"tag_key": {"@@assign": "A"}, "tag_value": {"@@assign": ["x", "y"]}})
    second = tags(a={"tag_key": {"@@assign": "a"}, "tag_value": {"@@assign": ["y", "z"]}})
    assert effective([[first, second]]) == tags(a={"tag_key": "A", "tag_value": ["x", "y", "z"]})
    assert effective([[second, first]]) == tags(a={"tag_key": "a", "tag_value": ["y", "z", "x"]})


def test_no_new_sections_below_a_parent_that_allows_none():
    """User Guide, "AI services opt-out policy syntax and examples": the first @@none keeps new services out, the last the value."""
    parent = {"services": {**NONE, "default": {"opt_out_policy": {**NONE, "@@assign": "optOut"}}}}
    child = {"services": {"lex": {"opt_out_policy": {"@@assign": "optIn"}}, "default": {"opt_out_policy": {"@@assign": "optIn"}}}}
    assert effective([[parent], [child]]) == {"services": {"default": {"opt_out_policy": "optOut"}}}
    open_parent = {"services": {**NONE, "default": {"opt_out_policy": {"@@assign": "optOut"}}}}
    assert effective([[open_parent], [child]]) == {"services": {"default": {"opt_out_policy": "optIn"}}}


def test_a_control_cannot_be_lifted_further_down():
    parent = tags(a={"tag_key": {**NONE, "@@assign": "a"}})
    child = tags(a={"tag_key": {CONTROL: ["@@all"], "@@assign": "b"}})
    grandchild = tags(a={"tag_key": {"@@assign": "c"}})
    assert effective([[parent], [child], [grandchild]]) == tags(a={"tag_key": "a"})


def test_keys_are_the_same_regardless_of_case():
    child = tags(CostCenter={"tag_value": {"@@append": ["Sandbox"]}})
    assert effective([[A], [child]])["tags"].keys() == {"costcenter"}


def test_nothing_comes_to_nothing():
    assert effective([]) == {}
    assert effective([[], [{"tags": {}}]]) == {}


VALUES = st.lists(st.sampled_from("abc"), max_size=3)
SETTINGS = st.dictionaries(st.sampled_from(("@@assign", "@@append", "@@remove")), VALUES, min_size=1)
POLICIES = st.dictionaries(
    st.sampled_from("xyz"), SETTINGS | st.builds(lambda setting: {**setting, CONTROL: ["@@none"]}, SETTINGS), max_size=3
).map(lambda found: {"tags": found})


@given(POLICIES, st.lists(POLICIES, max_size=3))
def test_what_a_parent_closes_nobody_below_changes(parent: dict[str, Any], below: list[dict[str, Any]]):
    alone = effective([[parent]]).get("tags", {})
    merged = effective([[parent], *([policy] for policy in below)]).get("tags", {})
    for key, setting in parent["tags"].items():
        if CONTROL in setting:
            assert merged.get(key) == alone.get(key)


@given(st.lists(st.lists(POLICIES, max_size=2), max_size=4))
def test_no_operator_is_left(levels: list[list[dict[str, Any]]]):
    assert "@@" not in str(effective(levels))
