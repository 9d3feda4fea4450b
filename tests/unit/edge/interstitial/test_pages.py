"""The page of a challenge or CAPTCHA. Status, header and when there is a page: AWS WAF, "CAPTCHA and Challenge action behavior"."""

from __future__ import annotations

import html
import json
import os
import re

import pytest

from garrison.core.http import Response
from garrison.edge.inspect import Action
from garrison.edge.interstitial import Site, page, pages
from tests.support.solving import EASY, Visitor, keys, solve

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


def shown(visitor: Visitor, action: Action = Action.CHALLENGE, method: str = "GET", accept: str = HTML) -> Response:
    return page(visitor.request(method, "/shop?x=1", accept=accept), action, visitor.site, os.urandom)


def header(response: Response, name: str) -> str:
    return dict(response.headers)[name]


def facts(response: Response) -> dict[str, str]:
    found = re.search(r'data-facts="([^"]*)"', response.body.decode())
    assert found
    facts: dict[str, str] = json.loads(html.unescape(found[1]))
    return facts


@pytest.mark.parametrize(("action", "status", "word"), [(Action.CHALLENGE, 202, "challenge"), (Action.CAPTCHA, 405, "captcha")])
def test_a_browser_gets_a_page(action: Action, status: int, word: str):
    visitor = Visitor()
    found = shown(visitor, action)
    assert found.status == status
    assert header(found, "x-amzn-waf-action") == word
    assert header(found, "Content-Type") == "text/html; charset=utf-8"
    assert header(found, "Cache-Control") == "no-store, max-age=0"
    puzzle = facts(found)
    assert puzzle["kind"] == word
    typed = visitor.characters(puzzle["puzzle"]) if word == "captcha" else ""
    assert visitor.send(puzzle["puzzle"], solve(puzzle), typed).status == 200


@pytest.mark.parametrize(
    ("method", "accept"),
    [("GET", "*/*"), ("GET", "application/json"), ("POST", HTML), ("OPTIONS", "*/*"), ("HEAD", "text/html")],
)
@pytest.mark.parametrize(("action", "status", "word"), [(Action.CHALLENGE, 202, "challenge"), (Action.CAPTCHA, 405, "captcha")])
def test_scripts_and_forms_get_the_status_and_the_header_alone(method: str, accept: str, action: Action, status: int, word: str):
    found = shown(Visitor(), action, method, accept=accept)
    assert (found.status, found.body, header(found, "x-amzn-waf-action")) == (status, b"", word)


def test_nothing_of_a_page_runs_but_its_own_script():
    first, second = shown(Visitor()), shown(Visitor())
    policy = header(first, "Content-Security-Policy")
    nonce = re.search(r"script-src 'nonce-([\w-]{22})'", policy)
    assert nonce
    assert f'<script nonce="{nonce[1]}">' in first.body.decode()
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert header(second, "Content-Security-Policy") != policy


def test_no_answer_is_in_the_page():
    visitor = Visitor()
    found = shown(visitor, Action.CAPTCHA)
    assert visitor.characters(facts(found)["puzzle"]) not in found.body.decode()


@pytest.mark.parametrize("host", ['"><script>alert(1)</script>', "a'b.example", "x" * 300, ""])
def test_a_strange_host_stays_text(host: str):
    found = shown(Visitor(host=host))
    assert b"alert(1)" not in found.body
    assert found.body.count(b"<script") == 1


def test_a_captcha_that_cannot_be_drawn_says_so_and_still_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "can_draw", lambda: False)
    found = shown(Visitor(), Action.CAPTCHA)
    assert found.status == 405
    assert b"cannot show one" in found.body
    assert b"<img" not in found.body


def test_without_a_key_there_is_no_page():
    with pytest.raises(LookupError):
        shown(Visitor(Site(type(keys())([]), work=EASY)))
