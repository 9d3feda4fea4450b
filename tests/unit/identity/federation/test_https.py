"""Fetching issuers' documents: who is believed, and for how long one is waited for. Real TLS on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from garrison.identity.federation.https import BadAnswerError, Fetcher, UnreachableError, UntrustedError
from tests.support.idp_oidc import Answer, OidcIdp
from tests.support.tls import Signed, context, issue

ROOT = issue("root", authority=True)
MIDDLE = issue("middle", ROOT, authority=True)
LEAF = issue("server", MIDDLE)


def serve(tmp_path: Path, leaf: Signed, *above: Signed) -> OidcIdp:
    made = OidcIdp(context(tmp_path, leaf, *above))
    made.answers["/"] = Answer(b"{}")
    return made


def test_an_authority_of_the_operator(tmp_path: Path):
    path = tmp_path / "root.pem"
    path.write_bytes(ROOT.pem)
    with serve(tmp_path, LEAF, MIDDLE) as server:
        assert Fetcher(path).get(f"{server.url}/") == b"{}"
        with pytest.raises(UntrustedError):
            Fetcher().get(f"{server.url}/")


@pytest.mark.parametrize("pinned", [LEAF, MIDDLE, ROOT], ids=["leaf", "middle", "root"])
def test_a_thumbprint_of_a_certificate_in_the_chain(tmp_path: Path, pinned: Signed):
    with serve(tmp_path, LEAF, MIDDLE, ROOT) as server:
        assert Fetcher().get(f"{server.url}/", [pinned.thumbprint]) == b"{}"


def test_a_certificate_that_signed_itself(tmp_path: Path):
    alone = issue("alone")
    with serve(tmp_path, alone) as server:
        assert Fetcher().get(f"{server.url}/", [alone.thumbprint]) == b"{}"
        with pytest.raises(UntrustedError):
            Fetcher().get(f"{server.url}/", [LEAF.thumbprint])


def test_a_pinned_certificate_that_only_lies_in_the_chain_proves_nothing(tmp_path: Path):
    thief = issue("server")
    for leaf in (thief, issue("server", issue("middle", authority=True))):
        with serve(tmp_path, leaf, MIDDLE, ROOT) as server, pytest.raises(UntrustedError):
            Fetcher().get(f"{server.url}/", [MIDDLE.thumbprint, ROOT.thumbprint])


def test_a_pinned_certificate_of_another_name(tmp_path: Path):
    elsewhere = issue("server", MIDDLE, host="192.0.2.1")
    with serve(tmp_path, elsewhere, MIDDLE) as server:
        for pinned in (elsewhere, MIDDLE):
            with pytest.raises(UntrustedError):
                Fetcher().get(f"{server.url}/", [pinned.thumbprint])


def test_the_thumbprint_of_the_top_certificate(tmp_path: Path):
    with serve(tmp_path, LEAF, MIDDLE) as server:
        assert Fetcher().top_thumbprint(server.url) == MIDDLE.thumbprint
    with pytest.raises(UnreachableError):
        Fetcher().top_thumbprint("https://127.0.0.1:1")


def test_a_server_that_speaks_no_tls():
    with OidcIdp() as server, pytest.raises(UnreachableError):
        Fetcher(seconds=1).get(server.url.replace("http://", "https://"))


@pytest.fixture
def plain() -> Iterator[OidcIdp]:
    with OidcIdp() as server:
        yield server


def test_http_is_refused_without_the_setting_and_elsewhere(plain: OidcIdp):
    with pytest.raises(BadAnswerError):
        Fetcher().get(plain.url)
    for url in (
        "http://192.0.2.1/",
        "http://localhost.evil.example/",
        "http://user@127.0.0.1/",
        "http:///",
        "http://[::1/",
        "file:///x",
    ):
        with pytest.raises(BadAnswerError):
            Fetcher(loopback=True).get(url)
    assert not plain.asked


def test_a_redirect_is_not_followed(plain: OidcIdp):
    plain.answers["/a"] = Answer(b"", 302, {"Location": f"{plain.url}/b"})
    with pytest.raises(BadAnswerError):
        Fetcher(loopback=True).get(f"{plain.url}/a")
    assert plain.asked == ["/a"]


def test_a_body_without_an_end(plain: OidcIdp):
    def endless(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                handler.wfile.write(b" " * 65536)
        except OSError:
            return

    plain.answers["/a"] = Answer(b"", each=endless)
    with pytest.raises(BadAnswerError):
        Fetcher(loopback=True).get(f"{plain.url}/a")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"])
def test_a_server_that_says_nothing_more(plain: OidcIdp, head: bytes):
    def silent(handler: Any) -> None:
        handler.wfile.write(head)
        handler.wfile.flush()
        time.sleep(1)

    plain.answers["/a"] = Answer(b"", each=silent)
    with pytest.raises(UnreachableError):
        Fetcher(seconds=0.2, loopback=True).get(f"{plain.url}/a")


@pytest.mark.parametrize("said", [[b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"], [b"\x00\x01\x02\r\n\r\n"]])
def test_what_is_no_http(plain: OidcIdp, said: Sequence[bytes]):
    def speak(handler: Any) -> None:
        for part in said:
            handler.wfile.write(part)

    plain.answers["/a"] = Answer(b"", each=speak)
    with pytest.raises((BadAnswerError, UnreachableError)):
        Fetcher(seconds=1, loopback=True).get(f"{plain.url}/a")
