from __future__ import annotations

import asyncio
import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest

from garrison.edge.middleware import AsgiFirewall, Firewall
from tests.support.fronts import plain
from tests.support.waf import byte_match, rule, web_acl

Seen = list[tuple[dict[str, Any], bytes]]


def application(seen: Seen) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        if scope["type"] == "http":
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
        seen.append((dict(scope), body))
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})

    return app


def ask(firewall: Firewall, path: str = "/", *parts: bytes, **more: Any) -> tuple[int, dict[bytes, bytes], bytes, Seen]:
    """Status, headers and body of the answer, and what the application saw."""
    seen: Seen = []
    sent: list[Any] = []
    scope = {"type": "http", "method": "POST" if parts else "GET", "path": path, "raw_path": path.encode(), "http_version": "1.1",
             "query_string": b"", "headers": [(b"host", b"shop.example.com")], "client": ("192.0.2.1", 1234), "scheme": "http",
             **more}  # fmt: skip
    kind = "http.request" if scope["type"] == "http" else "websocket.connect"
    messages = [{"type": kind, "body": part, "more_body": number < len(parts)} for number, part in enumerate(parts or (b"",), 1)]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(AsgiFirewall(application(seen), firewall)(scope, receive, send))
    first = sent[0] if sent else {}
    body = b"".join(each.get("body", b"") for each in sent)
    return first.get("status", 0), dict(first.get("headers") or ()), body, seen


def test_a_request_passes_with_its_body_and_its_scope(firewall: Firewall):
    status, _, body, seen = ask(firewall, "/a", b"one", b"two")
    assert (status, body) == (200, b"ok")
    assert [(scope["path"], each) for scope, each in seen] == [("/a", b"onetwo")]


def test_a_rule_blocks(firewall: Firewall):
    status, headers, body, seen = ask(firewall, "/forbidden")
    assert (status, headers[b"content-type"], seen) == (403, b"text/html", [])
    assert int(headers[b"content-length"]) == len(body)
    assert ask(firewall, "/forbidden", method="HEAD")[2] == b""


def test_a_header_that_a_framework_may_read_as_another_reaches_nobody(firewall: Firewall):
    headers = [(b"host", b"shop.example.com"), (b"x_twice", b"one,two"), (b"x-ok", b"1")]
    status, _, _, seen = ask(firewall, "/a", headers=headers)
    assert status == 200
    assert seen[0][0]["headers"] == [headers[0], headers[2]]


def test_a_body_in_pieces_is_inspected(firewall: Firewall):
    assert ask(firewall, "/", b"att", b"ack-in", b"-body")[0] == 403


def test_behind_the_limit_a_body_streams(firewall: Firewall):
    parts = (b"x" * 70_000, b"attack-in-body")
    status, _, _, seen = ask(firewall, "/", *parts)
    assert status == 200
    assert seen[0][1] == b"".join(parts)
    assert ask(firewall, "/", *parts, headers=[(b"host", b"a"), (b"content-length", b"100001")])[0] == 403  # the rule on sizes


def test_the_raw_path_is_inspected_and_one_that_the_server_does_not_say_is_quoted(firewall: Firewall):
    assert ask(firewall, "/../x/y;z", raw_path=b"/%2e%2E//x%2fy;z")[0] == 403
    assert ask(firewall, "/forbidden", raw_path=None)[0] == 403
    assert ask(firewall, "/%2e%2E//x%2fy;z", raw_path=None)[0] == 403


def test_headers_keep_order_and_duplicates(firewall: Firewall):
    host = (b"host", b"shop.example.com")
    assert ask(firewall, headers=[host, (b"x-twice", b"one"), (b"x-twice", b"two")])[0] == 403
    assert ask(firewall, headers=[host, (b"x-b", b"1"), (b"x-a", b"1")])[0] == 403
    assert ask(firewall, headers=[host, (b"x-a", b"1"), (b"x-b", b"1")])[0] == 200
    assert ask(firewall, headers=[host, (b"host", b"other")])[0] == 400


def test_inserted_headers_take_the_place_of_the_clients(firewall: Firewall):
    _, _, _, seen = ask(firewall, "/marked", headers=[(b"host", b"a"), (b"X-Amzn-Waf-Seen", b"forged")])
    found = [value for name, value in seen[0][0]["headers"] if name.lower() == b"x-amzn-waf-seen"]
    assert found == [b"yes"]


def test_a_compressed_body_is_refused_unless_it_may_pass(firewall: Firewall, acl: Path):
    coded = [(b"host", b"a"), (b"content-encoding", b"gzip")]
    body = gzip.compress(b"attack-in-body")
    assert ask(firewall, "/", body, headers=coded)[0] == 415
    assert ask(Firewall(acl, coded=True), "/", body, headers=coded)[0] == 200


def test_a_websocket_is_refused_before_it_opens(firewall: Firewall):
    assert ask(firewall, "/ws", type="websocket", scheme="ws")[3][0][0]["type"] == "websocket"
    status, _, _, seen = ask(firewall, "/forbidden", type="websocket", scheme="ws")
    assert (status, seen) == (0, [])
    can_say: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}
    assert ask(firewall, "/forbidden", type="websocket", scheme="ws", **can_say)[0] == 403


def test_other_scopes_are_none_of_its_business(firewall: Firewall):
    assert ask(firewall, type="lifespan")[3][0][0]["type"] == "lifespan"


def test_what_cannot_be_inspected_is_refused_unless_it_may_pass(acl: Path, monkeypatch: pytest.MonkeyPatch):
    for fail_open, status in ((False, 500), (True, 200)):
        firewall = Firewall(acl, fail_open=fail_open)
        monkeypatch.setattr(firewall._judge, "policy", None)
        assert ask(firewall)[0] == status


def test_a_changed_file_is_taken_and_a_broken_one_is_not(acl: Path, firewall: Firewall, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("garrison.edge.middleware.firewall.LOOK_SECONDS", 0.0)
    firewall._look_at = 0.0
    acl.write_text(json.dumps(plain(web_acl(rule("other", 0, byte_match(b"/other"))))))
    until = time.monotonic() + 20
    while ask(firewall, "/other")[0] != 403:
        assert time.monotonic() < until
        time.sleep(0.01)
    acl.write_text("{")
    assert [ask(firewall, "/other")[0] for _ in range(3)] == [403] * 3


def test_a_challenge_needs_a_secret_that_all_processes_share(acl: Path):
    acl.write_text(json.dumps(plain(web_acl(rule("all", 0, byte_match(b"/"), {"Challenge": {}})))))
    assert ask(Firewall(acl))[0] == 500
    status, headers, body, _ = ask(Firewall(acl, secret=b"s" * 32), headers=[(b"host", b"a"), (b"accept", b"text/html")])
    assert (status, headers[b"x-amzn-waf-action"]) == (202, b"challenge")
    assert b"<html" in body
    puzzle = ask(Firewall(acl, secret=b"s" * 32), "/_garrison/waf/puzzle", query_string=b"kind=challenge")
    assert puzzle[0] == 200
    with pytest.raises(ValueError, match="32 bytes"):
        Firewall(acl, secret=b"short")


def test_a_client_is_who_a_trusted_proxy_says(acl: Path):
    sets = [{"ARN": "arn:aws:wafv2:us-east-1:000000000000:regional/ipset/a/1", "Addresses": ["198.51.100.0/24"]}]
    statement = {"IPSetReferenceStatement": {"ARN": sets[0]["ARN"]}}
    acl.write_text(json.dumps({"WebACL": plain(web_acl(rule("ip", 0, statement))), "IPSets": sets}))
    headers = [(b"host", b"a"), (b"X-Forwarded-For", b"203.0.113.1, 198.51.100.7")]
    assert ask(Firewall(acl), headers=headers)[0] == 200
    assert ask(Firewall(acl, address_from="X-Forwarded-For"), headers=headers)[0] == 403


@pytest.mark.parametrize("text", ["{", '{"Name": "a"}'])
def test_what_is_no_web_acl_stops_the_start(acl: Path, text: str):
    acl.write_text(text)
    with pytest.raises(ValueError):
        Firewall(acl)
