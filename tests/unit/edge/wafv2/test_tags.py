"""TagResource, UntagResource, ListTagsForResource, and tags in policies."""

from __future__ import annotations

import json

from tests.support.house import ACCOUNT, REGION
from tests.support.wafv2 import ALLOW, ANY_ID, SCOPE, Waf, code, named, parameter, refused, visible


def tags(waf: Waf, arn: str) -> dict[str, str]:
    found = waf.client.list_tags_for_resource(ResourceARN=arn)["TagInfoForResource"]
    assert found["ResourceARN"] == arn
    return {each["Key"]: each["Value"] for each in found["TagList"]}


def test_tags_are_set_changed_and_taken_away(waf: Waf):
    for made in (waf.acl("tagged"), waf.ip_set("tagged"), waf.group("tagged")):
        arn = made["ARN"]
        assert tags(waf, arn) == {}
        answer = waf.client.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "blue"}, {"Key": "Team", "Value": "x"}])
        assert tags(waf, arn) == {"team": "blue", "Team": "x"}
        (item,) = waf.house.items(answer["ResponseMetadata"]["RequestId"])
        assert json.loads(item.tags) == {"team": "blue", "Team": "x"}
        waf.client.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "red"}])
        waf.client.untag_resource(ResourceARN=arn, TagKeys=["Team", "never-there"])
        assert tags(waf, arn) == {"team": "red"}


def test_tags_come_with_what_is_made_and_go_with_it(waf: Waf):
    patterns = {"RegularExpressionList": [{"RegexString": "a"}]}
    made = waf.client.create_regex_pattern_set(Name="born", Scope=SCOPE, Tags=[{"Key": "a", "Value": ""}], **patterns)["Summary"]
    assert tags(waf, made["ARN"]) == {"a": ""}
    waf.client.delete_regex_pattern_set(LockToken=made["LockToken"], **named(made))
    assert code(lambda: tags(waf, made["ARN"])) == "WAFNonexistentItemException"


def test_what_no_tag_may_be(waf: Waf):
    arn = waf.acl("untaggable")["ARN"]
    reserved = [{"Key": "aws:team", "Value": "blue"}]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    for wrong in (reserved, twice):
        assert code(waf.client.tag_resource, ResourceARN=arn, Tags=wrong) == "WAFTagOperationException"
        assert code(waf.acl, "never", Tags=wrong) == "WAFTagOperationException"
    assert code(lambda: waf.client.untag_resource(ResourceARN=arn, TagKeys=["aws:team"])) == "WAFTagOperationException"
    waf.client.tag_resource(ResourceARN=arn, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    answer = refused(lambda: waf.client.tag_resource(ResourceARN=arn, Tags=[{"Key": "one-more", "Value": ""}]))
    assert (answer["Error"]["Code"], answer["SourceType"]) == ("WAFLimitsExceededException", "TAG")
    assert "one-more" not in tags(waf, arn)
    # Nothing of a web ACL is left whose tags are refused.
    assert "never" not in [each["Name"] for each in waf.client.list_web_acls(Scope=SCOPE)["WebACLs"]]


def test_what_is_not_there(waf: Waf):
    lost = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/lost/{ANY_ID}"
    for call in (
        lambda: waf.client.tag_resource(ResourceARN=lost, Tags=[{"Key": "a", "Value": "b"}]),
        lambda: waf.client.untag_resource(ResourceARN=lost, TagKeys=["a"]),
        lambda: waf.client.list_tags_for_resource(ResourceARN=lost),
    ):
        assert code(call) == "WAFNonexistentItemException"
    user = f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert parameter(lambda: waf.client.list_tags_for_resource(ResourceARN=user)) == ("RESOURCE_ARN", user)


def test_lists_come_in_pages(waf: Waf):
    arn = waf.acl("pages", Tags=[{"Key": f"k{number}", "Value": ""} for number in range(3)])["ARN"]
    first = waf.client.list_tags_for_resource(ResourceARN=arn, Limit=2)
    second = waf.client.list_tags_for_resource(ResourceARN=arn, NextMarker=first["NextMarker"])
    keys = [each["Key"] for page in (first, second) for each in page["TagInfoForResource"]["TagList"]]
    assert keys == ["k0", "k1", "k2"]
    other = waf.acl("other-pages", Tags=[{"Key": "z", "Value": ""}])["ARN"]
    answer = refused(lambda: waf.client.list_tags_for_resource(ResourceARN=other, NextMarker=first["NextMarker"]))
    assert answer["Parameter"] == "NextMarker"


def test_policies_see_tags_of_resources_and_of_requests(waf: Waf):
    blue, red = (waf.acl(color, Tags=[{"Key": "team", "Value": color}]) for color in ("blue", "red"))
    read = {
        "Effect": "Allow",
        "Action": ["wafv2:GetWebACL", "wafv2:UpdateWebACL"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
    }
    make = {
        "Effect": "Allow",
        "Action": "wafv2:CreateWebACL",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}},
    }
    client = waf.user("blue", read, make)
    assert client.get_web_acl(**named(blue))["WebACL"]["Name"] == "blue"
    settings = {"DefaultAction": ALLOW, "VisibilityConfig": visible()}
    client.update_web_acl(LockToken=blue["LockToken"], **named(blue), **settings)
    for call in (
        lambda: client.get_web_acl(**named(red)),
        lambda: client.update_web_acl(LockToken=red["LockToken"], **named(red), **settings),
        lambda: client.create_web_acl(Name="a", Scope=SCOPE, **settings),
        lambda: client.create_web_acl(Name="b", Scope=SCOPE, Tags=[{"Key": "team", "Value": "red"}], **settings),
    ):
        assert code(call) == "AccessDeniedException"
    client.create_web_acl(Name="c", Scope=SCOPE, Tags=[{"Key": "team", "Value": "blue"}], **settings)
