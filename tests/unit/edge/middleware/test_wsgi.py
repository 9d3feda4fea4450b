from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from garrison.edge.middleware import Firewall, WsgiFirewall


def ask(
    firewall: Firewall, path: str = "/", body: bytes | None = None, *, strict: bool = True, **more: Any
) -> tuple[int, bytes, Any]:
    """Status and body of the answer, and the environment and body that the application saw."""
    seen: list[Any] = []
    told: list[Any] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        stream = environ["wsgi.input"]
        data = b""
        while part := stream.read(1000):
            data += part
        seen.append((environ, data))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    environ: dict[str, Any] = {
        "PATH_INFO": path,
        "HTTP_HOST": "shop.example.com",
        "REMOTE_ADDR": "192.0.2.1",
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
    }
    setup_testing_defaults(environ)
    if body is not None:
        environ |= {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body + b"NEXT REQUEST")}
    environ |= more
    wrapped = WsgiFirewall(app, firewall)
    inner: Any = validator(wrapped) if strict else wrapped

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        told.append((status, headers))
        return lambda _data: None

    answer = inner(environ, start)
    data = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    return int(told[0][0][:3]), data, seen


def test_a_request_passes_with_its_body(firewall: Firewall):
    status, body, seen = ask(firewall, "/a", b"x" * 5000)
    assert (status, body) == (200, b"ok")
    assert seen[0][1] == b"x" * 5000


def test_rules_block(firewall: Firewall):
    assert ask(firewall, "/forbidden")[0] == 403
    assert ask(firewall, "/", b"attack-in-body")[0] == 403
    assert ask(firewall, "/", b"x" * 100_001)[0] == 403
    assert ask(firewall, HTTP_X_TWICE="one,two")[0] == 403
    assert ask(firewall, "/forbidden")[2] == []


@pytest.mark.parametrize("length", ["+14", " 14", "-1", "1_4", "0xe", "\xb2"])
def test_a_length_that_an_application_may_read_otherwise_is_refused(firewall: Firewall, length: str):
    status, _, seen = ask(firewall, "/", b"attack-in-body", strict=False, CONTENT_LENGTH=length)
    assert (status, seen) == (400, [])


def test_chunks_that_the_server_hands_on_are_refused(firewall: Firewall):
    chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    status, _, seen = ask(firewall, "/", b"e\r\nattack-in-body\r\n0\r\n\r\n", strict=False, **chunked)
    assert (status, seen) == (411, [])


def test_a_body_behind_the_limit_arrives_whole(firewall: Firewall):
    body = bytes(range(256)) * 300 + b"attack-in-body"
    status, _, seen = ask(firewall, "/", body)
    assert status == 200
    assert seen[0][1] == body


def test_a_body_without_a_length_is_read_where_the_server_ends_it(firewall: Firewall):
    stream: dict[str, Any] = {
        "wsgi.input": io.BytesIO(b"attack-in-body"),
        "wsgi.input_terminated": True,
        "REQUEST_METHOD": "POST",
    }
    assert ask(firewall, strict=False, **stream)[0] == 403
    harmless = {**stream, "wsgi.input": io.BytesIO(b"x" * 70_000)}
    assert ask(firewall, strict=False, **harmless)[2][0][1] == b"x" * 70_000


def test_the_raw_path_is_inspected_where_the_server_says_it(firewall: Firewall):
    assert ask(firewall, "/../x/y;z")[0] == 200
    assert ask(firewall, "/../x/y;z", RAW_URI="/%2e%2E//x%2fy;z")[0] == 403
    assert ask(firewall, "/../x/y;z", REQUEST_URI="/%2e%2E//x%2fy;z?a=b")[0] == 403
    assert ask(firewall, "/caf\xc3\xa9 <")[0] == 200


def test_inserted_headers_take_the_place_of_the_clients(firewall: Firewall):
    assert ask(firewall, "/marked", HTTP_X_AMZN_WAF_SEEN="forged")[2][0][0]["HTTP_X_AMZN_WAF_SEEN"] == "yes"


@pytest.mark.parametrize("status", [503])
def test_a_custom_response(firewall: Firewall, status: int):
    assert ask(firewall, "/closed")[:2] == (status, b"come back later")
