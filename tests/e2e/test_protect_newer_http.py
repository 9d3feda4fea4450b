"""TLS, HTTP/2 and HTTP/3 through real Envoy: the same rules hold, and no strange request makes an inspector fail."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from garrison.keys.certificate import ensure_certificate
from tests.support.fronts import ACL, Application, Front, eventually, failures, headers_of, plain, protected
from tests.support.newer_http import Http2, ask3, pseudo, tls
from tests.support.server import free_port
from tests.support.waf import rule, size

pytestmark = pytest.mark.usefixtures("transport")
FINGERPRINTS = plain(
    [
        rule("ja3", 20, size("EQ", 32, {"JA3Fingerprint": {"FallbackBehavior": "NO_MATCH"}}), {"Count": {}}, labels=["ja3"]),
        rule("ja4", 21, size("EQ", 36, {"JA4Fingerprint": {"FallbackBehavior": "NO_MATCH"}}), {"Count": {}}, labels=["ja4"]),
        rule(
            "both",
            22,
            {
                "AndStatement": {
                    "Statements": [
                        {"LabelMatchStatement": {"Scope": "LABEL", "Key": "ja3"}},
                        {"LabelMatchStatement": {"Scope": "LABEL", "Key": "ja4"}},
                    ]
                }
            },
            {"Count": {"CustomRequestHandling": {"InsertHeaders": [{"Name": "fingerprints", "Value": "both"}]}}},
        ),
    ]
)


@dataclass
class Site:
    front: Front
    application: Application
    authority: Path
    metrics: int

    def failures(self) -> float:
        """Questions to inspectors that were not answered."""
        return failures(self.metrics, self.front.transport)

    @contextlib.contextmanager
    def http2(self) -> Iterator[Http2]:
        connection = Http2(self.front.port, self.authority)
        try:
            yield connection
        finally:
            connection.close()


@pytest.fixture(scope="module")
def running(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Failing open, so that a failure would show as a request that passes."""
    folder = tmp_path_factory.mktemp("tls")
    chain, key, authority = ensure_certificate(folder / "certificate", "localhost", time.time())
    port = free_port()
    options = ["--tls-cert", str(chain), "--tls-key", str(key), "--http3", "--fail-open", "--metrics", str(port)]
    acl = {**ACL, "Rules": [*ACL["Rules"], *FINGERPRINTS]}
    with protected(folder, acl, *options) as (front, application):
        yield Site(front, application, authority, port)


@pytest.fixture
def site(running: Site) -> Site:
    running.application.requests.clear()
    return running


def test_http_1_over_tls(site: Site):
    connection = http.client.HTTPSConnection("localhost", site.front.port, context=tls(site.authority, "http/1.1"), timeout=20)
    for target, status in (("/", 200), ("/forbidden", 403)):
        connection.request("GET", target)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
        if status == 200:
            assert answer.headers["alt-svc"] == f'h3=":{site.front.port}"; ma=86400'
    connection.close()
    sent = dict(headers_of(site.application.requests[0]))
    assert sent["x-forwarded-proto"] == "https"
    assert sent["x-amzn-waf-fingerprints"] == "both"


def test_http_2(site: Site):
    with site.http2() as client:
        assert client.ask(pseudo(b"/a?b=%27")).body == b"ok\n"
        assert client.ask(pseudo(b"/forbidden")).status == 403
        assert client.ask(pseudo(b"/", b"POST"), b"attack-in-body").status == 403
        assert client.ask([*pseudo(), (b"x-twice", b"one"), (b"x-twice", b"two")]).status == 403
        assert client.ask([*pseudo(), (b"x-bytes", b"caf\xc3\xa9\xff")]).status == 403
        assert client.ask([*pseudo(), (b"cookie", b"a=1"), (b"cookie", b"b=2")]).status == 403
        custom = client.ask(pseudo(b"/closed"))
        assert (custom.status, custom.body, custom.headers["x-why"]) == (503, b"come back later", "closed")
    [request] = site.application.requests
    assert request.startswith(b"GET /a?b=%27 HTTP/1.1\r\nhost: localhost\r\n")
    assert dict(headers_of(request))["x-amzn-waf-fingerprints"] == "both"


def test_http_3(site: Site):
    assert ask3(site.front.port, site.authority, pseudo(b"/a")).body == b"ok\n"
    assert ask3(site.front.port, site.authority, pseudo(b"/forbidden")).status == 403
    assert ask3(site.front.port, site.authority, pseudo(b"/", b"POST"), b"attack-in-body").status == 403
    [request] = site.application.requests
    assert request.startswith(b"GET /a HTTP/1.1\r\n")
    assert dict(headers_of(request))["x-forwarded-for"] == "127.0.0.1"


STRANGE: dict[str, tuple[list[tuple[bytes, bytes]], bytes | None]] = {
    "a method that nobody knows": (pseudo(b"/forbidden", b"BREW"), None),
    "a method of signs": (pseudo(b"/forbidden", b"!#$%&'*+-.^_`|~"), None),
    "a method with a blank": (pseudo(b"/forbidden", b"GET /x HTTP/1.1"), None),
    "a method with a line end": (pseudo(b"/forbidden", b"GET / HTTP/1.1\r\nx: y\r\n\r\nGET"), None),
    "an empty method": (pseudo(b"/forbidden", b""), None),
    "a path of bytes": (pseudo(b"/forbidden\xff\xfe\x80"), None),
    "a path with a blank": (pseudo(b"/forbidden /x HTTP/1.1"), None),
    "a path with a line end": (pseudo(b"/forbidden\r\nx: y"), None),
    "a path with NUL": (pseudo(b"/forbidden\0"), None),
    "a path with a fragment": (pseudo(b"/forbidden#x"), None),
    "an empty path": (pseudo(b""), None),
    "a path without a slash": (pseudo(b"forbidden"), None),
    "a path with a host": (pseudo(b"http://a/forbidden"), None),
    "two paths": ([*pseudo(b"/forbidden"), (b":path", b"/")], None),
    "no path": ([each for each in pseudo() if each[0] != b":path"], None),
    "no method": ([each for each in pseudo(b"/forbidden") if each[0] != b":method"], None),
    "another scheme": ([*pseudo(b"/forbidden")[:2], (b":scheme", b"ftp"), (b":authority", b"localhost")], None),
    "a scheme with a path": ([*pseudo(b"/forbidden")[:2], (b":scheme", b"https://a/x?"), (b":authority", b"localhost")], None),
    "two authorities": ([*pseudo(b"/forbidden"), (b"host", b"other")], None),
    "an authority with a line end": (pseudo(b"/forbidden", authority=b"a\r\nx: y"), None),
    "an authority with a comma": (pseudo(b"/forbidden", authority=b"a,b"), None),
    "no authority": ([each for each in pseudo(b"/forbidden") if each[0] != b":authority"], None),
    "a pseudo header behind others": ([(b"x-a", b"b"), *pseudo(b"/forbidden")], None),
    "an unknown pseudo header": ([*pseudo(b"/forbidden"), (b":x", b"y")], None),
    "a name in capitals": ([*pseudo(b"/forbidden"), (b"X-A", b"b")], None),
    "a name with a line end": ([*pseudo(b"/forbidden"), (b"x\r\ny", b"b")], None),
    "a name with a colon": ([*pseudo(b"/forbidden"), (b"x:y", b"b")], None),
    "a value with a line end": ([*pseudo(b"/forbidden"), (b"x", b"y\r\nz: a")], None),
    "a value with a line feed": ([*pseudo(b"/forbidden"), (b"x", b"y\nz: a")], None),
    "a value with NUL": ([*pseudo(b"/forbidden"), (b"x", b"y\0")], None),
    "a header of connections": ([*pseudo(b"/forbidden"), (b"connection", b"close")], None),
    "a transfer coding": ([*pseudo(b"/forbidden", b"POST"), (b"transfer-encoding", b"chunked")], b"0\r\n\r\n"),
    "a length that is too short": ([*pseudo(b"/forbidden", b"POST"), (b"content-length", b"1")], b"attack"),
    "a length that is too long": ([*pseudo(b"/forbidden", b"POST"), (b"content-length", b"99")], b"attack"),
    "two lengths": ([*pseudo(b"/forbidden", b"POST"), (b"content-length", b"6"), (b"content-length", b"0")], b"attack"),
    "our own header": ([*pseudo(b"/forbidden"), (b"x-garrison-request", b"R0VUCi8="), (b"x-garrison-ja3", b"x")], None),
    "an upgrade": ([*pseudo(b"/forbidden"), (b"upgrade", b"websocket")], None),
    "a tunnel": ([(b":method", b"CONNECT"), (b":authority", b"localhost:22")], None),
    "a WebSocket": ([*pseudo(b"/forbidden", b"CONNECT"), (b":protocol", b"websocket"), (b"sec-websocket-version", b"13")], None),
    "another protocol": ([*pseudo(b"/forbidden", b"CONNECT"), (b":protocol", b"connect-udp")], None),
}


@pytest.mark.parametrize("case", STRANGE, ids=str)
def test_a_strange_request_of_http_2_neither_passes_nor_makes_an_inspector_fail(site: Site, case: str):
    headers, body = STRANGE[case]
    before = site.failures()
    with site.http2() as client:
        reply = client.ask(headers, body)
    assert reply.status in {0, 400, 403, 404, 405, 501, 502}
    assert site.failures() == before
    assert site.application.requests == []


def test_a_websocket_over_http_2_is_inspected_and_opens(site: Site):
    def accept(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while data := connection.recv(65536):
            connection.sendall(data)

    site.application.respond = accept
    try:
        with site.http2() as client:
            opening = [*pseudo(b"/ws", b"CONNECT"), (b":protocol", b"websocket"), (b"sec-websocket-version", b"13")]
            stream = client.send(opening, end=False)
            client.data(stream, b"hello")
            reply = client.reply(stream, until=b"hello")
            assert (reply.status, reply.body) == (200, b"hello")
    finally:
        site.application.respond = None


def test_a_stream_that_is_reset_leaves_the_others_alone(site: Site):
    with site.http2() as client:
        stream = client.send([*pseudo(b"/slow", b"POST"), (b"content-length", b"100")], b"attack", end=False)
        client.connection.reset_stream(stream)
        assert client.ask(pseudo(b"/other")).status == 200
    assert [each.split(b" ", 2)[1] for each in site.application.requests] == [b"/other"]


def test_a_new_certificate_is_taken_without_a_restart(tmp_path: Path):
    folder = tmp_path / "certificate"
    chain, key, authority = ensure_certificate(folder, "localhost", time.time())
    with protected(tmp_path, ACL, "--tls-cert", str(chain), "--tls-key", str(key)) as (front, _):
        first = certificate_of(front, authority)
        other = ensure_certificate(tmp_path / "other", "localhost", time.time())
        for new, old in zip(other, (chain, key, authority), strict=True):
            new.replace(old)

        def taken() -> bool:
            with contextlib.suppress(OSError):
                return certificate_of(front, authority) != first
            return False

        eventually(taken)


def certificate_of(front: Front, authority: Path) -> bytes | None:
    raw = socket.create_connection(("127.0.0.1", front.port), timeout=20)
    with tls(authority, "h2").wrap_socket(raw, server_hostname="localhost") as sock:
        return sock.getpeercert(binary_form=True)


def test_the_application_may_speak_tls_and_must_prove_its_name(tmp_path: Path):
    chain, key, authority = ensure_certificate(tmp_path / "certificate", "localhost", time.time())
    inner_options = ["--tls-cert", str(chain), "--tls-key", str(key)]
    with protected(tmp_path / "inner", ACL, *inner_options) as (inner, application):
        for name, status in (("localhost", 200), ("127.0.0.2", 503)):
            url = f"https://{name}:{inner.port}"
            with Front(tmp_path / name, url, ACL, ["--upstream-ca", str(authority)]) as outer:
                assert outer.ask("/").status == status
        assert len(application.requests) == 1
