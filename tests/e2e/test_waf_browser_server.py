"""The whole way: a web ACL of the API, real Envoy, and a Chromium that solves a CAPTCHA under the keys of the server's store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from garrison.edge.interstitial.puzzles import letters, read
from garrison.edge.token_keys import TokenKeys, load
from garrison.edge.tokens import COOKIE, verify
from garrison.keys.keyring import Keyring
from garrison.store import open_store
from tests.support.chromium import chromium
from tests.support.clients import boto
from tests.support.fronts import Application, Front, eventually
from tests.support.guarded import HOME
from tests.support.server import Server
from tests.support.waf import byte_match, rule, visible

pytestmark = [pytest.mark.client, pytest.mark.slow]
RULES = [
    rule("human", 0, byte_match(b"/checkout", position="STARTS_WITH"), {"Captcha": {}}),
    rule("browser", 1, byte_match(b"/", position="STARTS_WITH"), {"Challenge": {}}),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "server")
    with made:
        yield made
    made.remove()


def keys_of(server: Server) -> TokenKeys:
    """The keys in the server's store, opened beside it as its inspectors do."""
    keyring = Keyring.open(server.data_dir.with_name("data.root-key"))
    store = open_store(server.data_dir, sealer=keyring, slot=120)
    try:
        return load(store.reading(), keyring)
    finally:
        store.close()


def shop(connection: Any, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b" % (len(HOME), HOME))


def front_of(server: Server, directory: Path, application: Application) -> Front:
    admin = server.credentials.admin
    environment = {
        "GARRISON_DATA_DIR": str(server.data_dir),
        "AWS_ACCESS_KEY_ID": admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
    }
    return Front(directory, application.url, None, ("--rate", "100000", "--name", "shop"), environment)


def test_a_browser_solves_a_captcha_and_its_token_is_of_the_servers_keys(server: Server, tmp_path: Path):
    waf = boto(server, "wafv2")
    with Application(respond=shop) as application, front_of(server, tmp_path / "front", application) as front:
        found = next(each for each in waf.list_web_acls(Scope="REGIONAL")["WebACLs"] if each["Name"] == "shop")
        waf.update_web_acl(
            Name="shop",
            Id=found["Id"],
            Scope="REGIONAL",
            LockToken=waf.get_web_acl(Name="shop", Id=found["Id"], Scope="REGIONAL")["LockToken"],
            DefaultAction={"Allow": {}},
            Rules=RULES,
            VisibilityConfig=visible("shop"),
        )
        eventually(lambda: front.ask("/checkout").status == 405)
        application.requests.clear()
        with chromium(tmp_path / "profile") as browser:
            browser.open(f"http://localhost:{front.port}/checkout?cart=7")
            browser.wait("#picture")
            puzzle = parse_qs(urlsplit(browser.attribute("#picture", "src")).query)["puzzle"][0]
            known = keys_of(server)
            question, key = read(known, puzzle, "localhost", time.time())
            browser.fill(typed=letters(key, question))
            browser.press("send", "#shop")
            assert browser.driver.current_url == f"http://localhost:{front.port}/checkout?cart=7"
            browser.press("next", "#shop")
            eventually(lambda: browser.driver.current_url.endswith("/other?page=2"))
            browser.wait("#order")
            browser.press("order", "#shop")
            eventually(lambda: any(b"POST /order" in each for each in application.requests))
            assert not browser.complaints_of_policy()
            token = browser.driver.get_cookie(COOKIE)["value"]
    now = time.time()
    carried = verify(known, [token], "localhost", (), now)
    assert carried.captcha_solved is not None
    assert now - carried.captcha_solved < 300
    lines = [each.partition(b" HTTP/")[0] for each in application.requests]
    assert b"GET /checkout?cart=7" in lines
    assert b"POST /order" in lines
    assert not any(b"/_garrison/" in each for each in lines)
