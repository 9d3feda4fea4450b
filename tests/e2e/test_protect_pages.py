"""Challenge and Captcha through real Envoy: a plain client is kept out, a browser solves the challenge and browses on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.chromium import SECONDS, chromium
from tests.support.fronts import Application, Front, eventually, metrics, plain, protected
from tests.support.guarded import HOME
from tests.support.server import free_port
from tests.support.solving import solve
from tests.support.waf import byte_match, rule, web_acl

pytestmark = pytest.mark.usefixtures("transport")
CHALLENGED = plain(
    web_acl(
        rule("human", 0, byte_match(b"/checkout", position="STARTS_WITH"), {"Captcha": {}}),
        rule("browser", 1, byte_match(b"/", position="STARTS_WITH"), {"Challenge": {}}),
    )
)
PREFIX = "/_garrison/waf/"


@pytest.fixture(scope="module")
def both(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Application, int]]:
    port = free_port()

    def shop(connection: Any, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b" % (len(HOME), HOME))

    with protected(
        tmp_path_factory.mktemp("pages"), CHALLENGED, "--metrics", str(port), application=Application(respond=shop)
    ) as (front, application):
        yield front, application, port


def test_who_is_no_browser_gets_the_statuses_of_aws(both: tuple[Front, Application, int]):
    front, application, _ = both
    challenge = front.ask("/", headers=[("Accept", "text/html")])
    assert (challenge.status, challenge.header("x-amzn-waf-action")) == (202, "challenge")
    assert b"<html" in challenge.body
    captcha = front.ask("/checkout", headers=[("Accept", "application/json")])
    assert (captcha.status, captcha.header("x-amzn-waf-action"), captcha.body) == (405, "captcha", b"")
    assert application.requests == []


def test_a_solved_challenge_opens_the_application(both: tuple[Front, Application, int]):
    front, application, port = both
    puzzle = front.ask(f"{PREFIX}puzzle?kind=challenge")
    assert puzzle.status == 200
    facts = json.loads(puzzle.body)
    body = json.dumps({"puzzle": facts["puzzle"], "work": solve(facts), "typed": ""}).encode()
    solved = front.ask(f"{PREFIX}solution", method="POST", headers=[("Content-Type", "application/json")], body=body)
    assert (solved.status, json.loads(solved.body)) == (200, {"solved": True})
    cookie = (solved.header("set-cookie") or "").partition(";")[0]
    assert front.ask("/shop", headers=[("Cookie", cookie)]).status == 200
    assert front.ask("/checkout", headers=[("Cookie", cookie)]).status == 405
    # The puzzle is spent in every inspector.
    for _ in range(4):
        again = front.ask(f"{PREFIX}solution", method="POST", headers=[("Content-Type", "application/json")], body=body)
        assert again.status in {400, 403}
    assert front.ask(f"{PREFIX}nothing").status == 404
    assert [each.split(b" ", 2)[1] for each in application.requests] == [b"/shop"]
    eventually(lambda: metrics(port).get(rules("browser", "CHALLENGE"), 0) >= 2)
    assert metrics(port)['garrison_waf_requests_total{action="ALLOW",web_acl="testWebACL"}'] == 1


def rules(metric: str, action: str) -> str:
    return f'garrison_waf_rule_matches_total{{action="{action}",metric="{metric}",web_acl="testWebACL"}}'


@pytest.mark.client
def test_a_real_browser_solves_the_challenge_and_browses_on(both: tuple[Front, Application, int], tmp_path: Path):
    front, _, _ = both
    with chromium(tmp_path / "profile") as browser:
        browser.open(f"http://localhost:{front.port}/shop?x=1")
        browser.wait("#shop")
        WebDriverWait(browser.driver, SECONDS).until(lambda _: "api 200" in browser.text("#called"), browser.driver.page_source)
        browser.press("next", "#shop")
        assert browser.driver.current_url.endswith("/other?page=2")
        browser.open(f"http://localhost:{front.port}/checkout")
        browser.wait("#picture")


def test_inspectors_count_together(tmp_path: Path, transport: str):
    if transport != "inspectors":
        pytest.skip("there is one")
    with protected(tmp_path, None, "--rate", "30", "--inspectors", "2", "--local") as (front, _):
        passed = refused = 0
        while refused < 10:
            if front.ask().status == 200:
                passed, refused = passed + 1, 0
            else:
                refused += 1
            time.sleep(0.1 if passed >= 30 else 0)
        assert 30 <= passed < 60, "each alone would let thirty through"
