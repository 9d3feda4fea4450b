"""Malformed, smuggled, coded and slow HTTP through real Envoy: what reaches the application is what was inspected."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fronts import ACL, Application, Front, headers_of, protected, read_quietly

pytestmark = pytest.mark.usefixtures("transport")
HOST = b"Host: shop.example.com\r\n"
SMUGGLED = b"GET /forbidden HTTP/1.1\r\nHost: a.example\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


def get(target: bytes = b"/", more: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET " + target + b" " + version + b"\r\n" + HOST + more + b"\r\n"


def post(more: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + more + b"\r\n" + body


@pytest.fixture(scope="module")
def both(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Application]]:
    with protected(tmp_path_factory.mktemp("front"), ACL) as found:
        yield found


@pytest.fixture
def front(both: tuple[Front, Application]) -> Front:
    both[1].requests.clear()
    return both[0]


@pytest.fixture
def application(both: tuple[Front, Application]) -> Application:
    return both[1]


def statuses(answer: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


REFUSED: dict[str, tuple[bytes, int]] = {
    "both framings": (post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG"), 400),
    "another transfer coding": (post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + SMUGGLED), 501),
    "a coding behind chunked": (post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), 501),
    "two transfer codings": (post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n"), 501),
    "a coding in quotes": (post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"), 501),
    "a blank before the colon": (post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), 400),
    "a vertical tab before the coding": (post(b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n"), 400),
    "two lengths": (post(b"Content-Length: 0\r\nContent-Length: 44\r\n", SMUGGLED), 400),
    "the same length twice": (post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"hi"), 400),
    "a list of lengths": (post(b"Content-Length: 2, 2\r\n", b"hi"), 400),
    "a length with a sign": (post(b"Content-Length: +2\r\n", b"hi"), 400),
    "a negative length": (post(b"Content-Length: -1\r\n", b"hi"), 400),
    "a hexadecimal length": (post(b"Content-Length: 0x2\r\n", b"hi"), 400),
    "a length with a blank": (post(b"Content-Length: 1 2\r\n", b"hi"), 400),
    "an empty length": (post(b"Content-Length:\r\n"), 400),
    "a length beyond 64 bits": (post(b"Content-Length: 99999999999999999999\r\n", b"hi"), 400),
    "a chunk size in C": (CHUNKED + b"0x2\r\nhi\r\n0\r\n\r\n", 400),
    "a negative chunk": (CHUNKED + b"-1\r\nhi\r\n0\r\n\r\n", 400),
    "a chunk beyond 64 bits": (CHUNKED + b"fffffffffffffffff\r\nhi\r\n0\r\n\r\n", 400),
    "chunks that end in line feeds": (CHUNKED + b"2\nhi\n0\n\n", 400),
    "an extension that ends in a line feed": (CHUNKED + b"2;\nhi\r\n0\r\n\r\n", 400),
    "a chunk longer than it says": (CHUNKED + b"2\r\nhixx0\r\n\r\n", 400),
    "NUL in a value": (get(more=b"X-A: b\0c\r\n"), 400),
    "NUL in a name": (get(more=b"X\0A: b\r\n"), 400),
    "a blank in a name": (get(more=b"X A: b\r\n"), 400),
    "a name that is not ASCII": (get(more=b"X-\xc3\xa9: b\r\n"), 400),
    "a header without a colon": (get(more=b"XA\r\n"), 400),
    "a header without a name": (get(more=b": b\r\n"), 400),
    "a folded line before any header": (b"GET / HTTP/1.1\r\n X-A: b\r\n" + HOST + b"\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (get(more=b"Host: other\r\n"), 400),
    "a host with a user": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "a host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a fragment": (get(b"/a#/forbidden"), 400),
    "a target without a slash": (get(b"a"), 400),
    "bytes above 127 in the target": (get(b"/caf\xc3\xa9"), 400),
    "a blank in the target": (get(b"/a b"), 400),
    "a tab in the target": (get(b"/a\tb"), 400),
    "HTTP/0.9": (b"GET /\r\n", 426),
    "HTTP/1.0": (get(version=b"HTTP/1.0"), 426),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 426),
    "HTTP/1.2": (get(version=b"HTTP/1.2"), 426),
    "HTTP/2.0 on a line": (get(version=b"HTTP/2.0"), 426),
    "a version in lower case": (get(version=b"http/1.1"), 400),
    "an unknown method": (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tunnel": (b"CONNECT shop.example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "another upgrade": (get(more=b"Connection: Upgrade\r\nUpgrade: foo\r\n"), 403),
    "headers that Connection drops": (get(more=b"Connection: close, X-Forwarded-For\r\n"), 400),
    "300 headers": (get(more=b"".join(b"X-%d: 1\r\n" % number for number in range(300))), 431),
    "70 KB of headers": (get(more=b"X-A: " + b"a" * 70_000 + b"\r\n"), 431),
    "TLS on a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_can_be_read_in_two_ways_is_refused(front: Front, application: Application, case: str):
    data, status = REFUSED[case]
    assert statuses(front.raw(data))[:1] == [status]
    assert application.requests == []


SAME: dict[str, tuple[bytes, bytes]] = {
    "the coding in other letters": (post(b"Transfer-Encoding: ChUnKeD\r\n", b"0\r\n\r\n"), b"POST / HTTP/1.1"),
    "the coding on a folded line": (post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), b"transfer-encoding: chunked"),
    "a length with zeros before it": (post(b"Content-Length: 0002\r\n", b"hi"), b"\r\n\r\nhi"),
    "a body of GET that is a request": (
        b"GET /a HTTP/1.1\r\n" + HOST + b"Content-Length: 44\r\n\r\n" + SMUGGLED,
        b"GET /a HTTP/1.1",
    ),
    "extensions of chunks": (CHUNKED + b"2;a=b\r\nhi\r\n0\r\n\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\nX-Bytes: caf\xc3\xa9\xff\r\n\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "a folded header": (get(more=b"X-A: b\r\n c\r\n"), b"x-a: b c\r\n"),
    "line feeds for line ends": (b"GET / HTTP/1.1\n" + HOST[:-2] + b"\nX-A: b\n\n", b"x-a: b\r\n"),
    "a carriage return in a value": (get(more=b"X-A: b\rX-B: c\r\n"), b"x-a: bX-B: c\r\n"),
    "a name with an underscore": (get(more=b"X_Bytes: caf\xc3\xa9\xff\r\nX-Ok: 1\r\n"), b"x-ok: 1\r\n"),
    "a target with a host": (
        b"GET hTTp://a.example/x?y HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /x?y HTTP/1.1\r\nhost: a.example\r\n",
    ),
    "signs that URLs do not have": (get(b'/a|b"c\\d?<e>'), b'GET /a|b"c\\d?<e> HTTP/1.1'),
    "tabs for blanks": (b"GET\t/\tHTTP/1.1\r\n" + HOST + b"\r\n", b"GET / HTTP/1.1"),
    "an encoded NUL": (get(b"/%00"), b"GET /%00 HTTP/1.1"),
    "an encoding of an encoding": (get(b"/%2566orbidden"), b"GET /%2566orbidden HTTP/1.1"),
    "dots": (get(b"/a/../forbidden"), b"GET /a/../forbidden HTTP/1.1"),
    "slashes": (get(b"//forbidden"), b"GET //forbidden HTTP/1.1"),
    "encoded slashes and parameters": (get(b"/%2fx;/..;/forbidden"), b"GET /%2fx;/..;/forbidden HTTP/1.1"),
    "an upgrade to HTTP/2": (
        get(more=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"),
        b"GET / HTTP/1.1",
    ),
    "an empty line before the request": (b"\r\n\r\n" + get(), b"GET / HTTP/1.1"),
    "150 headers": (get(more=b"".join(b"X-%d: 1\r\n" % number for number in range(150))), b"x-149: 1\r\n"),
    "60 KB of target": (get(b"/" + b"a" * 60_000), b"GET /aaa"),
}


@pytest.mark.parametrize("case", SAME, ids=str)
def test_what_passes_is_read_in_one_way(front: Front, application: Application, case: str):
    data, seen = SAME[case]
    assert statuses(front.raw(data))[:1] == [200]
    [request] = application.requests
    assert seen in request
    assert not request.startswith(b"GET /forbidden")


def test_a_rule_sees_the_path_of_a_target_with_a_host(front: Front, application: Application):
    assert statuses(front.raw(b"GET http://shop.example.com/forbidden HTTP/1.1\r\nHost: other\r\n\r\n")) == [403]
    assert application.requests == []


def test_each_of_several_requests_in_one_piece_is_inspected(front: Front, application: Application):
    assert statuses(front.raw(get(b"/one") + get(b"/forbidden") + get(b"/three"))) == [200, 403, 200]
    assert [each.split(b" ", 2)[1] for each in application.requests] == [b"/one", b"/three"]


def test_a_body_that_is_announced_is_inspected(front: Front, application: Application):
    answer = front.raw(post(b"Expect: 100-continue\r\nContent-Length: 14\r\n", b"attack-in-body"))
    assert statuses(answer) == [100, 403]
    assert application.requests == []


def test_one_byte_at_a_time(front: Front, application: Application):
    for data, status in ((post(b"Content-Length: 14\r\n", b"attack-in-body"), 403), (get(b"/slow"), 200)):
        with front.connect() as connection:
            for at in range(len(data)):
                connection.sendall(data[at : at + 1])
                time.sleep(0.001)
            assert statuses(read_quietly(connection)) == [status]
    assert [each.split(b" ", 2)[1] for each in application.requests] == [b"/slow"]


def test_who_does_not_finish_a_body_waits_alone(front: Front, application: Application):
    with front.connect() as waiting:
        waiting.sendall(post(b"Content-Length: 100\r\n", b"attack"))
        assert front.ask("/other").status == 200
    assert [each.split(b" ", 2)[1] for each in application.requests] == [b"/other"]


# Codings of bodies


@pytest.mark.parametrize("name", ["gzip", "GZIP"])
def test_a_compressed_body_is_inspected_and_passed_on_as_what_it_says(front: Front, application: Application, name: str):
    coding = [("Content-Encoding", name), ("Cache-Control", "no-transform")]
    assert front.ask(method="POST", headers=coding, body=gzip.compress(b"attack-in-body")).status == 403
    assert front.ask(method="POST", headers=coding, body=gzip.compress(b"harmless")).status == 200
    [request] = application.requests
    assert request.endswith(b"8\r\nharmless\r\n0\r\n\r\n")
    assert "content-encoding" not in dict(headers_of(request))


@pytest.mark.parametrize("name", ["deflate", "x-gzip", "compress", "gzip, gzip", "identity, br", "UTF-8", "*"])
def test_a_coding_that_is_not_undone_is_refused(front: Front, application: Application, name: str):
    body = zlib.compress(b"attack-in-body") if name == "deflate" else gzip.compress(gzip.compress(b"attack-in-body"))
    assert front.ask(method="POST", headers=[("Content-Encoding", name)], body=body).status == 415
    assert application.requests == []


def test_what_does_not_unpack_reaches_nobody(front: Front, application: Application):
    bodies = [b"attack-in-body", gzip.compress(b"attack-in-body")[:-12], gzip.compress(b"a") + gzip.compress(b"attack-in-body")]
    for body in bodies:
        front.ask(method="POST", headers=[("Content-Encoding", "gzip")], body=body)
    assert all(b"attack-in-body" not in each for each in application.requests)


def test_a_bomb_unpacks_to_a_hundred_times_its_size_at_most(front: Front, application: Application):
    bomb = gzip.compress(bytes(50_000_000))
    front.ask(method="POST", headers=[("Content-Encoding", "gzip")], body=bomb)
    assert sum(len(each) for each in application.requests) < 110 * len(bomb)


def test_a_coding_that_changes_nothing_passes(front: Front, application: Application):
    for name in ("identity", "aws-chunked"):
        assert front.ask(method="POST", headers=[("Content-Encoding", name)], body=b"harmless").status == 200
    assert [each.endswith(b"harmless") for each in application.requests] == [True, True]


def test_codings_can_be_kept(tmp_path: Path):
    body = gzip.compress(b"attack-in-body")
    with protected(tmp_path, ACL, "--keep-codings") as (front, application):
        assert front.ask(method="POST", headers=[("Content-Encoding", "gzip")], body=body).status == 200
        assert application.requests[0].endswith(body)


# Streams and WebSockets


def test_a_download_streams(tmp_path: Path):
    def respond(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        connection.recv(1)  # until the client says that it has the first part: it comes in another request

    with Application(respond=respond) as application, Front(tmp_path, application.url, ACL) as front, front.connect() as one:
        one.sendall(get())
        assert read_quietly(one).endswith(b"5\r\nfirst\r\n")


def test_an_upload_streams_once_it_is_inspected(tmp_path: Path):
    seen: list[bytes] = []

    def respond(connection: socket.socket, _request: bytes) -> None:
        raise AssertionError

    with Application(respond=respond) as application, Front(tmp_path, application.url, ACL) as front, front.connect() as one:
        one.sendall(post(b"Transfer-Encoding: chunked\r\n") + b"%x\r\n" % 70_000 + b"x" * 70_000 + b"\r\n")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not seen:
            seen += [part for part in application.partial if len(part) > 65_536]
            time.sleep(0.02)
        assert seen, "the application gets the beginning before the client has sent the end"


def test_a_large_body_arrives_whole(front: Front, application: Application):
    body = bytes(range(256)) * 20_000
    assert front.ask(method="PUT", body=body).status == 403  # the rule on sizes
    assert front.ask(method="PUT", body=body[:99_999]).status == 200
    assert application.requests[0].endswith(body[:99_999])


UPGRADE = (
    b"GET %b HTTP/1.1\r\n"
    + HOST
    + (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
)


def echo(connection: socket.socket, request: bytes) -> None:
    """A WebSocket server as far as its handshake goes; then it sends back what it gets."""
    key = dict(headers_of(request)).get("sec-websocket-key", "")
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    accept = base64.b64encode(digest).decode()
    upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    connection.sendall(f"{upgraded}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while data := connection.recv(65536):
        connection.sendall(data)


def test_a_websocket_opens_where_no_rule_minds(tmp_path: Path):
    with Application(respond=echo) as application, Front(tmp_path, application.url, ACL) as front:
        with front.connect() as one:
            one.sendall(UPGRADE % b"/ws")
            answer = read_quietly(one)
            assert statuses(answer) == [101]
            assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer  # RFC 6455, 1.3
            one.sendall(b"\x81\x85\x00\x00\x00\x00hello")
            assert read_quietly(one) == b"\x81\x85\x00\x00\x00\x00hello"
        assert statuses(front.raw(UPGRADE % b"/forbidden")) == [403]
        assert len(application.requests) == 1


def test_an_upgrade_that_the_application_refuses_opens_no_tunnel(tmp_path: Path):
    def refuse(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\ncontent-length: 0\r\n\r\n")

    with Application(respond=refuse) as application, Front(tmp_path, application.url, ACL) as front:
        with front.connect() as one:
            one.sendall((UPGRADE % b"/ws").replace(b"Version: 13", b"Version: 1"))
            assert statuses(read_quietly(one)) == [426]
            one.sendall(SMUGGLED)
            assert statuses(read_quietly(one)) in ([], [403])
        assert statuses(front.raw((UPGRADE % b"/ws") + SMUGGLED))[:1] == [426]
        assert all(b"/forbidden" not in each for each in application.requests)
