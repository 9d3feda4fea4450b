from __future__ import annotations

from base64 import b64encode

import pytest

from garrison.edge.proxy.exchange import ALLOWED, MalformedError, Question, allow, body_length, read_request, refuse

PAIRS = (
    (":authority", "shop.example.com"),
    (":path", "/a/%2e%2e/b?x=1%27"),
    (":method", "POST"),
    (":scheme", "http"),
    ("user-agent", "curl"),
    ("cookie", "a=1"),
    ("cookie", "b=2"),
    ("x-hi", "caf\xc3\xa9\xff"),
    ("x-forwarded-for", "9.9.9.9"),
    ("x-forwarded-proto", "http"),
    ("x-request-id", "7d0c"),
    ("x-envoy-external-address", "127.0.0.1"),
)


def question(
    pairs: tuple[tuple[str, str], ...] = PAIRS, first: tuple[str, ...] = ("HTTP/1.1", "127.0.0.1:34812", "", ""), *, body: bytes = b"",
    partial: bool = False,
) -> Question:  # fmt: skip
    lines = [*first, *(part for pair in pairs for part in pair)]
    told = b64encode("\n".join(lines).encode("latin-1"))
    more = b"x-envoy-auth-partial-body: true\r\n" if partial else b""
    head = b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n%bx-garrison-request: %b\r\n" % (len(body), more, told)
    return Question(head, body)


def test_a_request_is_read_as_it_came():
    request = read_request(question(body=b"body"), scheme="https", now=5.0)
    assert (request.method, request.target) == ("POST", b"/a/%2e%2e/b?x=1%27")
    assert request.headers == [
        (b"host", b"shop.example.com"),
        (b"user-agent", b"curl"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"x-hi", b"caf\xc3\xa9\xff"),
        (b"x-forwarded-for", b"9.9.9.9"),
    ]
    assert (request.source_ip, request.http_version, request.scheme) == ("127.0.0.1", "HTTP/1.1", "https")
    assert (request.host, request.request_id, request.time) == ("shop.example.com", "7d0c", 5.0)
    assert (request.body, request.body_size) == (b"body", 4)
    assert (request.ja3, request.ja4) == ("", "")


def test_rules_see_a_header_that_only_looks_like_one_of_envoys():
    seen = read_request(question((*PAIRS, ("x-envoy-peer-metadata", "${jndi:ldap://a}"))), scheme="http", now=0)
    assert seen.headers[-1] == (b"x-envoy-peer-metadata", b"${jndi:ldap://a}")


@pytest.mark.parametrize(
    ("told", "address"), [("[2001:db8::1]:443", "2001:db8::1"), ("192.0.2.1:1", "192.0.2.1"), ("[::1]:80", "::1")]
)
def test_the_address_is_that_of_the_peer(told: str, address: str):
    assert read_request(question(first=("HTTP/2", told, "", "")), scheme="http", now=0).source_ip == address


@pytest.mark.parametrize(("told", "logged"), [("HTTP/1.0", "HTTP/1.0"), ("HTTP/2", "HTTP/2.0"), ("HTTP/3", "HTTP/3.0")])
def test_versions_have_the_spelling_of_aws(told: str, logged: str):
    assert read_request(question(first=(told, "192.0.2.1:1", "", "")), scheme="http", now=0).http_version == logged


def test_fingerprints_are_read_where_there_are_some():
    found = read_request(
        question(first=("HTTP/2", "192.0.2.1:1", "e7d705a3286e19ea42f587b344ee6865", "-")), scheme="https", now=0
    )
    assert (found.ja3, found.ja4) == ("e7d705a3286e19ea42f587b344ee6865", "")


def test_a_body_that_was_cut_has_the_size_that_was_declared_or_one_more_than_is_here():
    sized = (*PAIRS, ("content-length", "100"))
    assert read_request(question(sized, body=b"x" * 10, partial=True), scheme="http", now=0).body_size == 100
    assert read_request(question(sized, body=b"x" * 10), scheme="http", now=0).body_size == 10
    assert read_request(question(body=b"x" * 10, partial=True), scheme="http", now=0).body_size == 11


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nx-garrison-request: a\r\n",
        b"GET / HTTP/1.1\r\nx-garrison-request: \r\n",
        b"GET / HTTP/1.1\r\nx-garrison-request: %b\r\n" % b64encode(b"HTTP/1.1\n1:1\n\n\na\nb\nc"),
        b"GET / HTTP/1.1\r\nx-garrison-request: %b\r\n" % b64encode(b"HTTP/1.1\n1:1\n\n\n"),
    ],
)
def test_what_envoy_never_asks_is_malformed(head: bytes):
    with pytest.raises((MalformedError, ValueError)):
        read_request(Question(head, b""), scheme="http", now=0)


def test_the_length_of_a_body():
    assert body_length(b"GET / HTTP/1.1\r\nhost: a\r\n") == 0
    assert body_length(b"GET / HTTP/1.1\r\ncontent-length: 12\r\nhost: a\r\n") == 12
    with pytest.raises(MalformedError):
        body_length(b"GET / HTTP/1.1\r\ncontent-length: 1x\r\n")


def test_permission_carries_headers_for_the_application():
    assert allow(()) == ALLOWED
    answer = allow([("x-amzn-waf-a", "1"), ("x-amzn-waf-b", "zwei\r\nset-cookie: x")])
    assert b"x-amzn-waf-a: 1\r\n" in answer
    assert b"\r\nset-cookie" not in answer


def test_a_refusal_carries_its_own_status_and_no_framing_of_others():
    answer = refuse(
        503, [("X-Why", "closed"), ("Content-Length", "9"), ("Transfer-Encoding", "chunked")], b"sorry", head_only=False
    )
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\nx-garrison-status: 503\r\n")
    assert answer.endswith(b"\r\n\r\nsorry")
    assert answer.lower().count(b"content-length") == 1
    assert b"chunked" not in answer
    assert refuse(200, [], b"hello", head_only=True).endswith(b"content-length: 5\r\n\r\n")
