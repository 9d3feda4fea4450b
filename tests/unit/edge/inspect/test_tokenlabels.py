"""Labels of tokens: "Types of token labels in AWS WAF", in the AWS WAF developer guide."""

from __future__ import annotations

from typing import Any

import pytest

from garrison.edge.inspect import ManagedGroup, RateTable, State, Token, TokenState, compile_acl
from garrison.edge.inspect.tokenlabels import Immunities, token_labels
from tests.support.waf import Things, byte_match, request, rule, web_acl

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("given", "challenge", "captcha"),
    [
        (Token(), {"absent"}, {"absent"}),
        (Token(TokenState.INVALID), {"rejected", "rejected:invalid"}, {"rejected", "rejected:invalid"}),
        (
            Token(TokenState.DOMAIN_MISMATCH),
            {"rejected", "rejected:domain_mismatch"},
            {"rejected", "rejected:domain_mismatch"},
        ),
        (Token(TokenState.ACCEPTED, "s", challenge_solved=NOW - 300), {"accepted"}, {"rejected", "rejected:not_solved"}),
        (
            Token(TokenState.ACCEPTED, "s", challenge_solved=NOW - 301, captcha_solved=NOW),
            {"rejected", "rejected:expired"},
            {"accepted"},
        ),
    ],
)
def test_labels_tell_the_state_of_each_solution(given: Token, challenge: set[str], captcha: set[str]):
    found = set(token_labels(given, NOW, Immunities(300, 300)))
    assert {each.removeprefix("awswaf:managed:captcha:") for each in found if ":captcha:" in each} == captcha
    own = {each.removeprefix("awswaf:managed:token:") for each in found if ":token:" in each}
    assert own - {f"id:{given.id}"} == challenge
    assert (f"id:{given.id}" in own) == bool(given.id)


def labelled(name: str, token: Token, **more: Any) -> set[str]:
    group = ManagedGroup("AWS", name, "1", 50, "awswaf:managed:aws:x:", [rule("never", 0, byte_match(b"/never"))])
    statement = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name, **more.pop("reference", {})}}
    document = web_acl(rule("group", 0, statement, OverrideAction={"None": {}}), **more)
    acl = compile_acl(document, Things(managed={("AWS", name): group}))
    return set(acl.inspect(request("/x", time=NOW), State(RateTable(), token)).labels)


SOLVED = Token(TokenState.ACCEPTED, "s", challenge_solved=NOW - 400)


@pytest.mark.parametrize("name", ["BotControl", "ATP", "ACFP"])
def test_groups_against_bots_and_fraud_label_tokens(name: str):
    assert "awswaf:managed:token:rejected:expired" in labelled(f"AWSManagedRules{name}RuleSet", SOLVED)
    assert "awswaf:managed:token:absent" in labelled(f"AWSManagedRules{name}RuleSet", Token())


def test_other_groups_label_none():
    assert labelled("AWSManagedRulesCommonRuleSet", SOLVED) == set()


def test_the_web_acl_says_how_long_a_solution_is_good():
    config = {"ImmunityTimeProperty": {"ImmunityTime": 600}}
    assert "awswaf:managed:token:accepted" in labelled("AWSManagedRulesATPRuleSet", SOLVED, ChallengeConfig=config)


def test_what_a_scope_down_statement_leaves_out_is_not_labelled():
    below = {"ScopeDownStatement": byte_match(b"/login")}
    assert labelled("AWSManagedRulesATPRuleSet", SOLVED, reference=below) == set()
