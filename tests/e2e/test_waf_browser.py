"""Challenge and Captcha in a real Chromium: it solves them, and browses on as if nothing had been."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from garrison.edge.interstitial.puzzles import digits, letters, read
from garrison.edge.tokens import COOKIE
from tests.support.chromium import SECONDS, Chromium, chromium
from tests.support.guarded import Guarded, guarded_site

HOST = "shop.example"
pytestmark = pytest.mark.client


@pytest.fixture
def site() -> Iterator[Guarded]:
    with guarded_site() as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    with chromium(tmp_path / "profile", f"--host-resolver-rules=MAP {HOST} 127.0.0.1") as running:
        yield running


def address(site: Guarded, path: str, host: str = "localhost") -> str:
    return f"http://{host}:{site.port}{path}"


def until(browser: Chromium, selector: str, text: str) -> None:
    WebDriverWait(browser.driver, SECONDS).until(lambda _: text in browser.text(selector), browser.driver.page_source)


def settled(browser: Chromium, condition: Callable[[], bool]) -> None:
    """Wait: the page that comes has the elements of the one that goes."""
    WebDriverWait(browser.driver, SECONDS).until(lambda _: condition(), browser.driver.page_source)


def shown(browser: Chromium) -> str:
    """The puzzle whose picture is shown."""
    return parse_qs(urlsplit(browser.attribute("#picture", "src")).query)["puzzle"][0]


def characters(site: Guarded, puzzle: str, host: str = "localhost") -> tuple[str, str]:
    """What the picture shows and what the recording says, as the server alone knows."""
    found, key = read(site.site.keys, puzzle, host, time.time())
    return letters(key, found), digits(key, found)


@pytest.mark.parametrize("host", ["localhost", HOST])
def test_a_challenge_is_solved_unseen_and_browsing_goes_on(site: Guarded, browser: Chromium, host: str):
    browser.open(address(site, "/shop?x=1&y=%C3%A4#part", host))
    browser.wait("#shop")
    assert browser.driver.execute_script("return isSecureContext") is (host == "localhost")
    assert browser.driver.current_url == address(site, "/shop?x=1&y=%C3%A4#part", host)
    until(browser, "#called", "api 200")
    browser.press("next", "#shop")
    settled(browser, lambda: browser.driver.current_url == address(site, "/other?page=2", host))
    browser.wait("#order")
    browser.press("order", "#shop")
    settled(browser, lambda: "POST /order" in site.served)
    browser.open(address(site, "/shop", host))
    browser.wait("#shop")
    assert [each for each in site.pages if "favicon" not in each] == ["GET /shop?x=1&y=%C3%A4"]
    assert not browser.complaints_of_policy()
    cookie = browser.driver.get_cookie(COOKIE)
    assert (cookie["domain"].lstrip("."), cookie["path"], cookie["sameSite"]) == (host, "/", "Lax")


def test_a_captcha_is_solved_by_its_picture(site: Guarded, browser: Chromium):
    browser.open(address(site, "/checkout?cart=7"))
    browser.wait("#picture")
    first = shown(browser)
    assert int(browser.attribute("#picture", "naturalWidth")) == 300
    browser.fill(typed="WRONG1")
    browser.press("send", "#picture")
    until(browser, "#message", "not the characters")
    second = shown(browser)
    assert second != first
    browser.fill(typed=characters(site, second)[0].lower())
    browser.press("send", "#shop")
    assert browser.driver.current_url == address(site, "/checkout?cart=7")
    # A CAPTCHA is worth a challenge too: nothing is asked again.
    browser.open(address(site, "/shop"))
    browser.wait("#shop")
    assert [each for each in site.pages if "favicon" not in each] == ["GET /checkout?cart=7"]
    assert not browser.complaints_of_policy()


def test_a_captcha_is_solved_by_its_recording(site: Guarded, browser: Chromium):
    browser.open(address(site, "/checkout"))
    browser.wait("#listen")
    browser.press("listen", "#recording:not([hidden])")
    until(browser, "#message", "digits")
    WebDriverWait(browser.driver, SECONDS).until(
        lambda driver: driver.execute_script("return document.getElementById('recording').duration") or 0
    )
    assert browser.driver.execute_script("return document.getElementById('recording').duration") > 5
    browser.fill(typed=characters(site, shown(browser))[1])
    browser.press("send", "#shop")
    assert not browser.complaints_of_policy()


def test_another_picture_is_another_puzzle(site: Guarded, browser: Chromium):
    browser.open(address(site, "/checkout"))
    browser.wait("#picture")
    first = shown(browser)
    browser.press("another", "#picture")
    WebDriverWait(browser.driver, SECONDS).until(lambda _: shown(browser) != first)
    browser.fill(typed=characters(site, shown(browser))[0])
    browser.press("send", "#shop")


def test_a_browser_without_cookies_is_told_and_does_not_go_round(site: Guarded, browser: Chromium):
    site.keeps_cookies = False
    browser.open(address(site, "/shop"))
    until(browser, "#message", "allow cookies")
    assert [each for each in site.pages if "favicon" not in each] == ["GET /shop"]


def test_a_script_sees_the_status_and_what_is_asked_of_it(site: Guarded, browser: Chromium):
    browser.open(address(site, "/shop"))
    browser.wait("#shop")
    found = browser.driver.execute_async_script(
        "const done = arguments[0];"
        "fetch('/checkout').then(async (answer) => {"
        " done([answer.status, answer.headers.get('x-amzn-waf-action'), await answer.text()]); });"
    )
    assert found == [405, "captcha", ""]
