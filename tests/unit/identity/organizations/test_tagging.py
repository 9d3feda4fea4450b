"""Tags. Source: User Guide, "Tagging AWS Organizations resources": up to 50 of each resource, keys unique, `aws:` reserved."""

from __future__ import annotations

from tests.support.organizations import Org, refused


def tags(**found: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in found.items()]


def test_tag_resource_list_tags_for_resource_and_untag_resource(org: Org):
    policy = org.policy('{"tags": {"a": {"tag_key": {"@@assign": "a"}}}}', "TAG_POLICY")
    for resource in (org.root, org.unit(), org.account(), policy):
        org.client.tag_resource(ResourceId=resource, Tags=tags(b="1", a="2"))
        org.client.tag_resource(ResourceId=resource, Tags=tags(b="3"))
        assert org.client.list_tags_for_resource(ResourceId=resource)["Tags"] == tags(a="2", b="3")
        org.client.untag_resource(ResourceId=resource, TagKeys=["a", "nothing"])
        assert org.client.list_tags_for_resource(ResourceId=resource)["Tags"] == tags(b="3")


def test_the_rules_of_tags(org: Org):
    with refused("InvalidInputException", "Tag keys must be unique", "DUPLICATE_TAG_KEY"):
        org.client.tag_resource(ResourceId=org.root, Tags=[*tags(a="1"), *tags(a="2")])
    with refused("InvalidInputException", reason="INVALID_SYSTEM_TAGS_PARAMETER"):
        org.client.tag_resource(ResourceId=org.root, Tags=[{"Key": "AWS:x", "Value": "1"}])
    org.client.tag_resource(ResourceId=org.root, Tags=tags(**{f"k{number}": "" for number in range(50)}))
    with refused("ConstraintViolationException", reason="MAX_TAG_LIMIT_EXCEEDED"):
        org.client.tag_resource(ResourceId=org.root, Tags=tags(more="1"))
    found = org.client.list_tags_for_resource(ResourceId=org.root)
    assert len(found["Tags"]) == 20
    assert "more" not in {tag["Key"] for tag in found["Tags"]}
    rest = org.client.list_tags_for_resource(ResourceId=org.root, NextToken=found["NextToken"])
    assert {tag["Key"] for tag in rest["Tags"]}.isdisjoint(tag["Key"] for tag in found["Tags"])


def test_what_is_not_there_has_no_tags(org: Org):
    for resource in ("r-zzzz", "ou-ab12-a1b2c3d4", "999999999999", "p-a1b2c3d4", "rp-a1b2c3d4", "rt-a1b2c3d4"):
        for call, more in (
            (org.client.tag_resource, {"Tags": tags(a="1")}),
            (org.client.untag_resource, {"TagKeys": ["a"]}),
            (org.client.list_tags_for_resource, {}),
        ):
            with refused("TargetNotFoundException", "You specified a target that doesn't exist."):
                call(ResourceId=resource, **more)


def test_tags_decide(org: Org):
    """`aws:ResourceTag` of units and accounts, and `aws:RequestTag` of a request."""
    unit, other = org.unit("one"), org.unit("two")
    org.client.tag_resource(ResourceId=unit, Tags=tags(team="blue"))
    statement = {
        "Effect": "Allow",
        "Action": "organizations:UpdateOrganizationalUnit",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
    }
    ann = org.of("organizations", org.user("111122223333", "ann", statement))
    ann.update_organizational_unit(OrganizationalUnitId=unit, Name="three")
    with refused("AccessDeniedException"):
        ann.update_organizational_unit(OrganizationalUnitId=other, Name="four")
