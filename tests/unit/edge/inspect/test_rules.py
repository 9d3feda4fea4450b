"""Rules in their order: actions, labels, rule groups, overrides, tokens, answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from garrison.edge.inspect import (
    Action,
    Context,
    Finding,
    InvalidParameter,
    ManagedGroup,
    RuleKind,
    Token,
    TokenState,
    WebRequest,
)
from tests.support.waf import (
    ALLOW,
    ARN,
    BLOCK,
    COUNT,
    URI,
    Document,
    Things,
    byte_match,
    compiled,
    inspect,
    request,
    rule,
    types,
    visible,
)

ANY = byte_match(b"/", URI, "STARTS_WITH")
GROUP = f"{ARN}/rulegroup/testRules/1"
OWN = "awswaf:111122223333:webacl:testWebACL:"


def insert(action: str, name: str, value: str = "v") -> Document:
    return {action: {"CustomRequestHandling": {"InsertHeaders": [{"Name": name, "Value": value}]}}}


def test_the_first_terminating_rule_by_priority_decides():
    acl = compiled(rule("later", 20, ANY, BLOCK), rule("sooner", 10, ANY, ALLOW))
    verdict = inspect(acl, request())
    assert (verdict.action, verdict.rule, verdict.kind) == (Action.ALLOW, "sooner", RuleKind.REGULAR)
    assert verdict.metrics == (("sooner", Action.ALLOW),)


def test_the_default_action_where_no_rule_decides():
    assert inspect(compiled(), request()).rule == "Default_Action"
    verdict = inspect(compiled(default=BLOCK), request())
    assert (verdict.action, verdict.metrics) == (Action.BLOCK, (("testWebACL", Action.BLOCK),))
    assert verdict.response is not None
    assert verdict.response.status == 403


def test_count_goes_on_and_adds_labels_and_headers():
    acl = compiled(rule("counts", 0, ANY, insert("Count", "seen"), labels=["a:b"]), default=insert("Allow", "passed"))
    verdict = inspect(acl, request())
    assert [(each.rule, each.action) for each in verdict.matches] == [("counts", Action.COUNT)]
    assert verdict.labels == (f"{OWN}a:b",)
    assert verdict.inserted == (("x-amzn-waf-seen", "v"), ("x-amzn-waf-passed", "v"))
    assert verdict.metrics == (("counts", Action.COUNT), ("testWebACL", Action.ALLOW))


def test_a_blocked_request_gets_its_custom_response():
    response = {"ResponseCode": 429, "CustomResponseBodyKey": "slow", "ResponseHeaders": [{"Name": "retry-after", "Value": "60"}]}
    bodies = {"slow": {"ContentType": "APPLICATION_JSON", "Content": '{"slow":"down"}'}}
    acl = compiled(rule("b", 0, ANY, {"Block": {"CustomResponse": response}}), CustomResponseBodies=bodies)
    found = inspect(acl, request()).response
    assert found is not None
    assert (found.status, found.headers, found.body) == (429, (("retry-after", "60"),), '{"slow":"down"}')
    assert found.content_type == "application/json"
    assert inspect(acl, request()).inserted == ()


NOW = 1_700_000_000.0


@pytest.mark.parametrize("action", ["Captcha", "Challenge"])
@pytest.mark.parametrize(
    ("token", "failure"),
    [
        (Token(), "TOKEN_MISSING"),
        (Token(TokenState.INVALID), "TOKEN_INVALID"),
        (Token(TokenState.DOMAIN_MISMATCH), "TOKEN_DOMAIN_MISMATCH"),
        (Token(TokenState.ACCEPTED), "TOKEN_MISSING"),
        (Token(TokenState.ACCEPTED, captcha_solved=NOW - 301, challenge_solved=NOW - 301), "TOKEN_EXPIRED"),
        (Token(TokenState.INVALID, captcha_solved=NOW, challenge_solved=NOW), "TOKEN_INVALID"),
        (Token(TokenState.ACCEPTED, captcha_solved=NOW - 299, challenge_solved=NOW - 299), None),
    ],
)
def test_a_token_lets_pass_what_its_solution_is_good_for(action: str, token: Token, failure: str | None):
    acl = compiled(rule("ask", 0, ANY, insert(action, "human"), labels=["x:y"]))
    verdict = inspect(acl, request(time=NOW), token=token)
    answer = verdict.captcha if action == "Captcha" else verdict.challenge
    assert answer is not None
    assert answer.failure == failure
    assert verdict.labels == (f"{OWN}x:y",)
    if failure is None:
        assert (verdict.action, verdict.rule, answer.status) == (Action.ALLOW, "Default_Action", 0)
        assert verdict.inserted == (("x-amzn-waf-human", "v"),)
    else:
        assert (verdict.action, verdict.rule) == (Action(action.upper()), "ask")
        assert answer.status == (405 if action == "Captcha" else 202)
        assert verdict.inserted == ()


def test_a_challenge_solved_is_no_captcha_solved():
    token = Token(TokenState.ACCEPTED, challenge_solved=NOW)
    assert inspect(compiled(rule("c", 0, ANY, {"Captcha": {}})), request(time=NOW), token=token).action is Action.CAPTCHA


def test_immunity_is_the_rules_own_then_the_web_acls():
    def config(seconds: int) -> Document:
        return {"CaptchaConfig": {"ImmunityTimeProperty": {"ImmunityTime": seconds}}}

    token = Token(TokenState.ACCEPTED, captcha_solved=NOW - 400)
    own = compiled(rule("c", 0, ANY, {"Captcha": {}}, **config(500)), **config(60))
    assert inspect(own, request(time=NOW), token=token).action is Action.ALLOW
    whole = compiled(rule("c", 0, ANY, {"Captcha": {}}), **config(390))
    verdict = inspect(whole, request(time=NOW), token=token)
    assert (verdict.action, verdict.immunity) == (Action.CAPTCHA, 390)


def group_things(*rules: Document, **more: Any) -> Things:
    group = {"Name": "testRules", "ARN": GROUP, "Capacity": 100, "Rules": list(rules), "VisibilityConfig": visible("g"), **more}
    return Things(groups={GROUP: group})


def reference(override: str = "None", /, **more: Any) -> Document:
    return rule("ref", 5, {"RuleGroupReferenceStatement": {"ARN": GROUP, **more}}, OverrideAction={override: {}})


EVIL = byte_match(b"evil")
INSIDE = (rule("counts", 0, ANY, COUNT, labels=["seen"]), rule("stops", 1, EVIL, BLOCK, labels=["bad"]), rule("never", 2, EVIL))


def test_a_rule_group_decides_by_its_own_rules():
    verdict = inspect(compiled(reference(), things=group_things(*INSIDE)), request("/evil"))
    assert (verdict.action, verdict.rule, verdict.rule_in_group, verdict.group) == (Action.BLOCK, "ref", "stops", GROUP)
    assert verdict.kind is RuleKind.GROUP
    assert verdict.labels == (
        "awswaf:111122223333:rulegroup:testRules:seen",
        "awswaf:111122223333:rulegroup:testRules:bad",
    )
    (found,) = verdict.groups
    assert found.terminating is not None
    assert (found.terminating.rule, [each.rule for each in found.non_terminating]) == ("stops", ["counts"])


def test_a_group_that_decides_nothing_goes_on():
    verdict = inspect(compiled(reference(), rule("after", 9, ANY, ALLOW), things=group_things(*INSIDE)), request("/fine"))
    assert verdict.rule == "after"
    assert [each.group for each in verdict.groups] == [GROUP]
    assert verdict.groups[0].terminating is None


def test_a_group_overridden_to_count_still_stops_at_its_deciding_rule():
    acl = compiled(reference("Count"), rule("after", 9, ANY, ALLOW), things=group_things(*INSIDE))
    verdict = inspect(acl, request("/evil"))
    assert (verdict.action, verdict.rule) == (Action.ALLOW, "after")
    assert verdict.groups[0].terminating is not None
    assert [(each.rule, each.action, each.overridden) for each in verdict.matches] == [("ref", Action.COUNT, Action.BLOCK)]
    assert not any(name == "never" for name, _ in verdict.metrics)


def test_the_action_of_a_groups_rule_overridden():
    override = [{"Name": "stops", "ActionToUse": {"Count": {}}}, {"Name": "never", "ActionToUse": {"Allow": {}}}]
    verdict = inspect(compiled(reference(RuleActionOverrides=override), things=group_things(*INSIDE)), request("/evil"))
    assert (verdict.action, verdict.rule_in_group, verdict.overridden) == (Action.ALLOW, "never", Action.BLOCK)
    counted = verdict.groups[0].non_terminating
    assert [(each.rule, each.action, each.overridden) for each in counted] == [
        ("counts", Action.COUNT, None),
        ("stops", Action.COUNT, Action.BLOCK),
    ]


def test_an_excluded_rule_counts():
    excluded = [{"Name": "stops"}, {"Name": "never"}]
    verdict = inspect(compiled(reference(ExcludedRules=excluded), things=group_things(*INSIDE)), request("/evil"))
    assert verdict.action is Action.ALLOW
    assert verdict.groups[0].excluded == ("stops", "never")
    assert ("stops", Action.EXCLUDED_AS_COUNT) in verdict.metrics


@pytest.mark.parametrize("member", ["RuleActionOverrides", "ExcludedRules"])
def test_a_customers_group_must_have_the_rules_that_are_overridden(member: str):
    override: Document = {"Name": "nope", "ActionToUse": {"Count": {}}} if member == "RuleActionOverrides" else {"Name": "nope"}
    with pytest.raises(InvalidParameter, match="no rule of this name"):
        compiled(reference(**{member: [override]}), things=group_things(*INSIDE))


def test_labels_of_a_group_are_seen_by_later_rules_by_their_whole_name_only():
    def looks(key: str) -> Document:
        return rule("looks", 9, {"LabelMatchStatement": {"Scope": "LABEL", "Key": key}})

    things = group_things(*INSIDE)
    whole = compiled(reference("Count"), looks("awswaf:111122223333:rulegroup:testRules:bad"), things=things)
    assert inspect(whole, request("/evil")).rule == "looks"
    local = compiled(reference("Count"), looks("bad"), things=things)
    assert inspect(local, request("/evil")).rule == "Default_Action"


def test_a_custom_response_of_a_group_is_the_groups_own():
    bodies = {"page": {"ContentType": "TEXT_HTML", "Content": "<p>no</p>"}}
    action = {"Block": {"CustomResponse": {"ResponseCode": 404, "CustomResponseBodyKey": "page"}}}
    things = group_things(rule("b", 0, ANY, action), CustomResponseBodies=bodies)
    found = inspect(compiled(reference(), things=things), request()).response
    assert found is not None
    assert (found.status, found.body, found.content_type) == (404, "<p>no</p>", "text/html")


def detect(value: bytes) -> Finding | None:
    return Finding((b"bad",), ("detector:said", "awswaf:managed:token:absent")) if b"bad" in value else None


def whole(asked: WebRequest, context: Context) -> Finding | None:
    return Finding(labels=("config:" + str(context.config["Level"]),)) if asked.method == "DELETE" and context.labels else None


MANAGED = ManagedGroup(
    vendor="AWS",
    name="AWSManagedRulesTestRuleSet",
    version="Version_1.0",
    capacity=70,
    label_namespace="awswaf:managed:aws:test:",
    rules=[
        rule(
            "Bad_QUERY",
            0,
            {"DetectorStatement": {"Name": "bad", "FieldToMatch": URI, "TextTransformations": types()}},
            labels=["Bad"],
        ),
        rule("Odd_METHOD", 1, {"RequestDetectorStatement": {"Name": "whole"}}),
        rule("Evil_URI", 2, byte_match(b"evil")),
    ],
    detectors={"bad": detect},
    request_detectors={"whole": whole},
)


def managed(**more: Any) -> Document:
    spec = {"VendorName": "AWS", "Name": MANAGED.name, **more}
    return rule("AWS-Test", 5, {"ManagedRuleGroupStatement": spec}, OverrideAction={"None": {}})


THINGS = Things(managed={("AWS", MANAGED.name): MANAGED})


def test_a_managed_group_with_detectors():
    verdict = inspect(compiled(managed(), things=THINGS), request("/bad"))
    assert (verdict.rule, verdict.rule_in_group, verdict.kind) == ("AWS-Test", "Bad_QUERY", RuleKind.MANAGED_RULE_GROUP)
    assert (verdict.group, verdict.groups[0].version) == ("AWS#AWSManagedRulesTestRuleSet", "Version_1.0")
    assert verdict.labels == (
        "awswaf:managed:aws:test:Bad",
        "awswaf:managed:aws:test:detector:said",
        "awswaf:managed:token:absent",
    )
    assert verdict.details[0].matched == (b"bad",)


def test_a_detector_of_requests_sees_labels_and_configuration():
    first = rule("first", 0, ANY, COUNT, labels=["seen"])
    acl = compiled(first, managed(ManagedRuleGroupConfigs=[{"Level": "HIGH"}]), things=THINGS)
    verdict = inspect(acl, request(method="DELETE"))
    assert verdict.rule_in_group == "Odd_METHOD"
    assert "awswaf:managed:aws:test:config:HIGH" in verdict.labels


def test_a_managed_group_scoped_down():
    acl = compiled(managed(ScopeDownStatement=byte_match(b"/api", URI, "STARTS_WITH")), things=THINGS)
    assert inspect(acl, request("/evil")).rule == "Default_Action"
    assert inspect(acl, request("/api/evil")).rule_in_group == "Evil_URI"


def test_overrides_of_rules_that_a_managed_group_lacks_are_ignored():
    override = [{"Name": "Nope", "ActionToUse": {"Count": {}}}, {"Name": "Evil_URI", "ActionToUse": {"Captcha": {}}}]
    verdict = inspect(compiled(managed(RuleActionOverrides=override), things=THINGS), request("/evil"))
    assert (verdict.action, verdict.overridden) == (Action.CAPTCHA, Action.BLOCK)


def test_versions_of_a_managed_group():
    assert inspect(compiled(managed(Version="Version_1.0"), things=THINGS), request("/evil")).action is Action.BLOCK
    with pytest.raises(InvalidParameter) as raised:
        compiled(managed(Version="Version_9.9"), things=THINGS)
    assert raised.value.field == "MANAGED_RULE_SET_STATEMENT"


def test_a_customers_rule_cannot_name_a_detector():
    statement = {"DetectorStatement": {"Name": "bad", "FieldToMatch": URI, "TextTransformations": types()}}
    with pytest.raises(InvalidParameter):
        compiled(rule("r", 0, statement), things=THINGS)


def test_one_web_acl_inspects_in_many_threads():
    acl = compiled(*(rule(f"r{number}", number, byte_match(b"evil%d!" % number, URI)) for number in range(20)))
    asked = [f"/evil{number % 20}!" for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda target: inspect(acl, request(target)).rule, asked))
    assert found == [f"r{number % 20}" for number in range(400)]
