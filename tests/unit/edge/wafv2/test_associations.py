"""AssociateWebACL, DisassociateWebACL, GetWebACLForResource, ListResourcesForWebACL: what protects what."""

from __future__ import annotations

import json

from garrison.edge import listeners, live
from tests.support.house import ACCOUNT, REGION
from tests.support.wafv2 import ANY_ID, OTHER_ACCOUNT, Waf, code, named, parameter, rule, visible

MANAGED = live.Managed(detecting=False)
API = listeners.api_arn(REGION)


def test_a_listener_is_protected_at_once(waf: Waf):
    web, acl = waf.listener("web"), waf.acl("first", rule("one"))
    assert "WebACL" not in waf.client.get_web_acl_for_resource(ResourceArn=web)
    waf.client.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=web)
    assert waf.client.get_web_acl_for_resource(ResourceArn=web)["WebACL"]["Name"] == "first"
    attached = live.read(waf.house.state.store.reading(), web, MANAGED)
    assert attached is not None
    assert attached.arn == acl["ARN"]
    assert waf.client.list_resources_for_web_acl(WebACLArn=acl["ARN"])["ResourceArns"] == [web]


def test_another_web_acl_takes_the_place_of_the_first(waf: Waf):
    web, one, two = waf.listener("moved"), waf.acl("one"), waf.acl("two")
    waf.client.associate_web_acl(WebACLArn=one["ARN"], ResourceArn=web)
    answer = waf.client.associate_web_acl(WebACLArn=two["ARN"], ResourceArn=web)
    assert waf.client.list_resources_for_web_acl(WebACLArn=one["ARN"])["ResourceArns"] == []
    assert waf.client.list_resources_for_web_acl(WebACLArn=two["ARN"])["ResourceArns"] == [web]
    items = {item.name: json.loads(item.facts) for item in waf.house.items(answer["ResponseMetadata"]["RequestId"])}
    assert {name: facts["associatedResources"] for name, facts in items.items()} == {"one": [], "two": [web]}


def test_a_web_acl_that_protects_something_stays(waf: Waf):
    web, acl = waf.listener("held"), waf.acl("holder")
    waf.client.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=web)

    def delete() -> object:
        return waf.client.delete_web_acl(LockToken=acl["LockToken"], **named(acl))

    assert code(delete) == "WAFAssociatedItemException"
    waf.client.disassociate_web_acl(ResourceArn=web)
    assert "WebACL" not in waf.client.get_web_acl_for_resource(ResourceArn=web)
    waf.client.disassociate_web_acl(ResourceArn=web)  # once more is no error
    delete()


def test_resources_are_listed_by_their_type(waf: Waf):
    web, acl = waf.listener("typed"), waf.acl("types")
    for arn in (web, API):
        waf.client.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=arn)

    def listed(**more: str) -> list[str]:
        return list(waf.client.list_resources_for_web_acl(WebACLArn=acl["ARN"], **more)["ResourceArns"])

    assert listed() == listed(ResourceType="APPLICATION_LOAD_BALANCER") == [web]
    assert listed(ResourceType="API_GATEWAY") == [API]
    assert listed(ResourceType="APPSYNC") == []


def test_only_what_is_here_can_be_protected(waf: Waf):
    acl = waf.acl("nowhere")["ARN"]
    for arn in (
        listeners.listener_arn(ACCOUNT, REGION, "nobody"),
        listeners.listener_arn(ACCOUNT, "us-west-2", "web"),
        f"arn:aws:apigateway:{REGION}::/restapis/other/stages/prod",
        f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_abc",
        listeners.api_arn("us-west-2"),
    ):
        assert code(waf.client.associate_web_acl, WebACLArn=acl, ResourceArn=arn) == "WAFNonexistentItemException"
        assert code(waf.client.get_web_acl_for_resource, ResourceArn=arn) == "WAFNonexistentItemException"
        assert code(waf.client.disassociate_web_acl, ResourceArn=arn) == "WAFNonexistentItemException"
    wrong = "unknownarnwithminlength20"
    assert parameter(lambda: waf.client.associate_web_acl(WebACLArn=acl, ResourceArn=wrong)) == ("RESOURCE_ARN", wrong)
    web = waf.listener("unprotected")
    missing = acl[:-36] + ANY_ID
    assert code(lambda: waf.client.associate_web_acl(WebACLArn=missing, ResourceArn=web)) == "WAFNonexistentItemException"
    assert code(lambda: waf.client.list_resources_for_web_acl(WebACLArn=missing)) == "WAFNonexistentItemException"


def test_an_association_outlives_its_listener(waf: Waf):
    """A listener that is started again is protected as before; until then it can be let go of."""
    web, acl = waf.listener("gone"), waf.acl("remembers")
    waf.client.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=web)
    with waf.house.state.store.writing() as tx:
        listeners.remove(tx, web)
    waf.house.state.store.commit()
    assert waf.client.get_web_acl_for_resource(ResourceArn=web)["WebACL"]["Name"] == "remembers"
    waf.client.disassociate_web_acl(ResourceArn=web)
    assert code(lambda: waf.client.get_web_acl_for_resource(ResourceArn=web)) == "WAFNonexistentItemException"


def test_every_change_makes_another_version(waf: Waf):
    addresses = waf.ip_set("versions", "192.0.2.0/24")
    group = waf.group("versions", rule("inner", {"IPSetReferenceStatement": {"ARN": addresses["ARN"]}}))
    acl = waf.acl("versions", rule("group", {"RuleGroupReferenceStatement": {"ARN": group["ARN"]}}, OverrideAction={"None": {}}))
    web = waf.listener("versions")
    waf.client.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=web)
    seen = []

    def look() -> live.Attached:
        found = live.read(waf.house.state.store.reading(), web, MANAGED)
        assert found is not None
        seen.append(found.version)
        return found

    first = look()
    assert look().version == first.version
    assert list(first.resources.ip_set(addresses["ARN"])) == ["192.0.2.0/24"]
    waf.client.update_ip_set(Addresses=["198.51.100.0/24"], LockToken=addresses["LockToken"], **named(addresses))
    assert list(look().resources.ip_set(addresses["ARN"])) == ["198.51.100.0/24"]
    change = {"VisibilityConfig": visible(), "LockToken": group["LockToken"], **named(group)}
    waf.client.update_rule_group(Rules=[rule("other")], **change)
    assert [each["Name"] for each in look().resources.rule_group(group["ARN"])["Rules"]] == ["other"]
    destination = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-x"
    config = {"ResourceArn": acl["ARN"], "LogDestinationConfigs": [destination]}
    waf.client.put_logging_configuration(LoggingConfiguration=config)
    logging = look().logging
    assert logging is not None
    assert logging["LogDestinationConfigs"] == [destination]
    settings = {"DefaultAction": {"Block": {}}, "VisibilityConfig": visible(), "LockToken": acl["LockToken"]}
    waf.client.update_web_acl(**settings, **named(acl))
    look()
    assert len(set(seen)) == 5


def test_overrides_of_rules_that_a_group_lost_are_left_out(waf: Waf):
    """The owner of a group renames a rule; the web ACLs that override it still compile."""
    group = waf.group("renamed", rule("before"))
    spec = {"ARN": group["ARN"], "RuleActionOverrides": [{"Name": "before", "ActionToUse": {"Count": {}}}]}
    acl = waf.acl("renamed", rule("group", {"RuleGroupReferenceStatement": spec}, OverrideAction={"None": {}}))
    web = waf.listener("renamed")
    waf.client.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=web)
    change = {"VisibilityConfig": visible(), "LockToken": group["LockToken"], **named(group)}
    waf.client.update_rule_group(Rules=[rule("after")], **change)
    found = live.read(waf.house.state.store.reading(), web, MANAGED)
    assert found is not None
    assert found.document["Rules"][0]["Statement"]["RuleGroupReferenceStatement"]["RuleActionOverrides"] == []
    shown = waf.client.get_web_acl(**named(acl))["WebACL"]
    assert shown["Rules"][0]["Statement"]["RuleGroupReferenceStatement"] == spec


def test_the_api_of_an_installation_is_its_first_accounts(waf: Waf):
    other = waf.other_account()
    settings = {"DefaultAction": {"Block": {}}, "VisibilityConfig": visible()}
    acl = other.create_web_acl(Name="theirs", Scope="REGIONAL", **settings)["Summary"]
    assert code(lambda: other.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=API)) == "AccessDeniedException"
    mine = waf.listener("mine")
    assert OTHER_ACCOUNT not in mine
    assert code(lambda: other.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=mine)) == "AccessDeniedException"


def test_the_web_acl_and_the_resource_both_need_the_permission(waf: Waf):
    web, acl = waf.listener("guarded"), waf.acl("guarded")
    on_acl = {"Effect": "Allow", "Action": "wafv2:AssociateWebACL", "Resource": acl["ARN"]}
    on_web = {"Effect": "Allow", "Action": "wafv2:AssociateWebACL", "Resource": web}
    balancer = {"Effect": "Allow", "Action": "elasticloadbalancing:SetWebACL", "Resource": web}
    half = [waf.user(f"half-{number}", *statements) for number, statements in enumerate(((on_acl,), (on_web,), (on_acl, on_web)))]
    for client in half:
        call = {"WebACLArn": acl["ARN"], "ResourceArn": web}
        assert code(client.associate_web_acl, **call) == "AccessDeniedException"
    waf.user("whole", on_acl, on_web, balancer).associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=web)
