"""Requests out of recordings, logs and files: every byte that there is, and errors that name the line."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from garrison.cli.waf.jsonlines import FileError
from garrison.cli.waf.requests import Source, Sourced
from garrison.edge.inspect import WebRequest

# HAR 1.2 as Chromium's developer tools export it: pseudo headers of HTTP/2 among the headers, cookies also as a list.
ENTRY: dict[str, Any] = {
    "startedDateTime": "2025-10-10T13:55:36.500Z",
    "request": {
        "method": "POST",
        "url": "https://shop.example/cart/add?item=7%20b#part",
        "httpVersion": "http/2.0",
        "headers": [
            {"name": ":authority", "value": "shop.example"},
            {"name": ":method", "value": "POST"},
            {"name": "content-type", "value": "application/x-www-form-urlencoded"},
            {"name": "cookie", "value": "sid=1; theme=dark"},
        ],
        "cookies": [{"name": "sid", "value": "1"}, {"name": "theme", "value": "dark"}],
        "bodySize": 9,
        "postData": {"mimeType": "application/x-www-form-urlencoded", "text": "amount=ä"},
    },
    "response": {"status": 200},
}


def entry(**more: Any) -> dict[str, Any]:
    return {**ENTRY, "request": {**ENTRY["request"], **more}}


def har(tmp_path: Path, *entries: Any, source: Source | None = None) -> list[Sourced]:
    file = tmp_path / "site.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "pages": [{"entries": []}], "entries": list(entries)}}, indent=1))
    return list((source or Source()).har(file))


def one(found: list[Sourced]) -> WebRequest:
    assert len(found) == 1
    return found[0].request


def test_a_recorded_request_is_whole(tmp_path: Path):
    found = one(har(tmp_path, ENTRY))
    assert (found.method, found.target, found.http_version, found.scheme) == (
        "POST",
        b"/cart/add?item=7%20b",
        "HTTP/2.0",
        "https",
    )
    assert found.headers == [
        (b"Host", b"shop.example"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"cookie", b"sid=1; theme=dark"),
    ]
    assert (found.body, found.body_size, found.host) == ("amount=ä".encode(), 9, "shop.example")
    assert found.time == 1760104536.5


def test_cookies_of_a_cleaned_recording_make_the_header(tmp_path: Path):
    found = one(har(tmp_path, entry(headers=[{"name": "Host", "value": "shop.example"}])))
    assert found.header(b"cookie") == b"sid=1; theme=dark"


def test_bodies_in_base64_and_as_fields(tmp_path: Path):
    raw = bytes(range(256))
    data = {"mimeType": "application/octet-stream", "text": base64.b64encode(raw).decode(), "encoding": "base64"}
    assert one(har(tmp_path, entry(postData=data))).body == raw
    fields = {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a b", "value": "c&d"}, {"name": "e"}]}
    assert one(har(tmp_path, entry(postData=fields))).body == b"a+b=c%26d&e="


def test_a_body_that_was_not_recorded_is_told_of(tmp_path: Path):
    source = Source()
    spec = entry(bodySize=5000)
    del spec["request"]["postData"]
    found = one(har(tmp_path, spec, source=source))
    assert (found.body, found.body_size) == (b"", 5000)
    assert source.missing == {"the body": 1}


def test_what_is_no_request_over_http_is_counted(tmp_path: Path):
    source = Source(frozenset({"shop.example"}))
    addresses = ("data:text/plain,x", "chrome-extension://abc/x.js", "https://cdn.example/x.js", "https://shop.example/")
    found = har(tmp_path, *(entry(url=each, headers=[]) for each in addresses), source=source)
    assert [each.request.target for each in found] == [b"/"]
    assert source.left_out == {"an address of `data:`": 1, "an address of `chrome-extension:`": 1, "another host": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "G ET"}, "`G ET` is no method"),
        ({"url": "https://[::1/"}, "Invalid IPv6 URL"),
        ({"headers": [{"name": "a"}]}, "`value` is missing"),
        ({"headers": "none"}, "no request of a HAR"),
        ({"postData": {"text": "%%%", "encoding": "base64"}}, "no request of a HAR"),
    ],
)
def test_an_entry_that_is_none_is_named_with_its_line(tmp_path: Path, change: dict[str, Any], said: str):
    with pytest.raises(FileError) as caught:
        har(tmp_path, ENTRY, entry(**change))
    text = (tmp_path / "site.har").read_text().splitlines()
    line = int(str(caught.value).removeprefix(f"{tmp_path}/site.har:").partition(":")[0])
    assert text[line - 1].strip() == "{"
    assert '"startedDateTime"' in text[line]
    assert "entry 2" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: the file must be an object with `log`"),
        ("[]", ":1: the file must be an object with `log`"),
        ('{"log": {}}', ":1: `log` has no `entries`"),
        ('{"log": {"entries": 1}}', ":1: `entries` must be an array"),
        ('{\n"log": {"entries": [{]}}', ":2: this is no JSON"),
        ('{"log": {"entries": [{} {}]}}', ":1: "),
        ('{"log": {"entries": [' + "[" * 100_000, ":1: the JSON is too deep"),
        ('{"log"\n: {"entries"\n [', ":3: this is no JSON: `:` is expected"),
    ],
)
def test_a_file_that_is_no_recording(tmp_path: Path, text: str, said: str):
    file = tmp_path / "x.har"
    file.write_text(text)
    with pytest.raises(FileError) as caught:
        list(Source().har(file))
    assert str(caught.value).startswith(f"{file}{said}")


# Access logs


def log(tmp_path: Path, *lines: str, source: Source | None = None) -> list[Sourced]:
    file = tmp_path / "access.log"
    file.write_text("\n".join(lines) + "\n")
    return list((source or Source()).access_log(file))


# https://httpd.apache.org/docs/2.4/logs.html: the examples of the common and the combined format.
COMMON = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
COMBINED = f'{COMMON} "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'


def test_a_line_of_the_combined_format(tmp_path: Path):
    found = one(log(tmp_path, COMBINED))
    assert (found.method, found.target, found.http_version, found.source_ip) == (
        "GET",
        b"/apache_pb.gif",
        "HTTP/1.0",
        "127.0.0.1",
    )
    assert found.headers == [
        (b"User-Agent", b"Mozilla/4.08 [en] (Win98; I ;Nav)"),
        (b"Referer", b"http://www.example.com/start.html"),
    ]
    assert found.time == 971211336.0


def test_a_line_of_the_common_format(tmp_path: Path):
    assert one(log(tmp_path, COMMON)).headers == []


def test_a_line_that_begins_with_its_host(tmp_path: Path):
    found = one(log(tmp_path, f"shop.example:443 {COMBINED}"))
    assert (found.host, found.source_ip, found.headers[0]) == ("shop.example:443", "127.0.0.1", (b"Host", b"shop.example:443"))


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ('2001:db8::1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1 "-" "-"', "2001:db8::1"),
        ('192.0.2.1 - john doe [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1 "-" "-" "x" 0.1', "192.0.2.1"),
        ('host.example - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/2.0" 200 - "-" "-"', "host.example"),
    ],
)
def test_other_clients_users_and_fields_behind(tmp_path: Path, line: str, client: str):
    found = one(log(tmp_path, line))
    assert (found.source_ip, found.target, found.headers) == (client, b"/", [])


def test_what_servers_escape_is_what_was_sent(tmp_path: Path):
    line = r'192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] "GET /\xC3\xA4?q=\x22x\x5C\"y HTTP/1.1" 200 1 "-" "a\x22\tb"'
    found = one(log(tmp_path, line))
    assert found.target == b'/\xc3\xa4?q="x\\"y'
    assert found.headers == [(b"User-Agent", b'a"\tb')]


def test_what_was_no_request_is_counted(tmp_path: Path):
    source = Source()
    lines = [f'192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] "{each}" 400 1 "-" "-"' for each in (r"\x16\x03\x01", "-", "", "GET /")]
    assert log(tmp_path, *lines, source=source) == []
    assert source.left_out == {"what was no HTTP request": 4}


@pytest.mark.parametrize("line", ["not a log", '{"time": 1}', COMBINED[:40], "\x00\x01"])
def test_a_line_of_another_format_is_named(tmp_path: Path, line: str):
    with pytest.raises(FileError, match=r"access\.log:2: this is no line of the combined or common log format"):
        log(tmp_path, COMBINED, line)


# Requests on the wire


def wire(tmp_path: Path, raw: bytes) -> WebRequest:
    (tmp_path / "requests").mkdir(exist_ok=True)
    (tmp_path / "requests" / "one.http").write_bytes(raw)
    return one(list(Source().folder(tmp_path / "requests")))


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_request_with_either_line_end(tmp_path: Path, end: bytes):
    raw = end.join((b"POST /a?b=%20 HTTP/1.1", b"Host: x.example", b"X-A:  two ", b"", b"body\r\n\r\nmore"))
    found = wire(tmp_path, raw)
    assert (found.method, found.target, found.http_version, found.host) == ("POST", b"/a?b=%20", "HTTP/1.1", "x.example")
    assert found.headers == [(b"Host", b"x.example"), (b"X-A", b"two")]
    assert found.body == b"body\r\n\r\nmore"


def test_a_request_without_a_body(tmp_path: Path):
    assert wire(tmp_path, b"GET / HTTP/1.1\r\nHost: x\r\n").body == b""
    assert wire(tmp_path, b"GET / HTTP/1.1\n").headers == []


def test_a_length_cuts_the_editors_line_end_off(tmp_path: Path):
    assert wire(tmp_path, b"POST / HTTP/1.1\nContent-Length: 3\n\nabc\n").body == b"abc"


def test_a_chunked_body_is_read(tmp_path: Path):
    raw = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    assert wire(tmp_path, raw).body == b"abcde"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "one.http:1: this is no request line"),
        (b"GET /", "one.http:1: this is no request line"),
        (b"G(T / HTTP/1.1", "one.http:1: this is no request line"),
        (b"GET / HTTP/1.1\nHost: x\nbroken\n", "one.http:3: this is no header: `broken`"),
        (b"GET / HTTP/1.1\nHost : x\n", "one.http:2: this is no header"),
        (b"POST / HTTP/1.1\nContent-Length: 9\n\nabc", "one.http:4: Content-Length is `9`, the body has 3 bytes"),
        (b"POST / HTTP/1.1\nContent-Length: -1\n\nabc", "one.http:4: Content-Length is `-1`"),
        (b"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nzz\n", "one.http:4: the chunked body breaks off"),
        (b"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n5\nabc", "one.http:4: the chunked body breaks off"),
    ],
)
def test_a_file_that_is_no_request(tmp_path: Path, raw: bytes, said: str):
    with pytest.raises(FileError) as caught:
        wire(tmp_path, raw)
    assert said in str(caught.value)


def test_folders_say_what_is_expected(tmp_path: Path):
    for name in ("allow/a.http", "block/deep/b.http", "c.http", ".hidden"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"GET / HTTP/1.1\n")
    found = list(Source().folder(tmp_path))
    assert [(each.where.removeprefix(f"{tmp_path}/"), each.expected) for each in found] == [
        ("allow/a.http", "allow"),
        ("block/deep/b.http", "block"),
        ("c.http", ""),
    ]


def test_a_folder_without_files(tmp_path: Path):
    with pytest.raises(FileError, match="there is no file in it"):
        list(Source().folder(tmp_path))
