"""KMS's side of the proxy protocol. Vectors from the XKS Proxy API Specification."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from garrison.core.http import Request
from garrison.keys.xks import client as module
from garrison.keys.xks.client import Proxy, ProxyError, Wrapped, XksClient, integrity_value
from garrison.keys.xks.http import Routes
from garrison.keys.xks.signing import signed_headers
from garrison.wire.sigv4 import Verifier, read_claim
from tests.support.xks import HOST, FakeProxy, Reply, fake_proxy

__all__ = ["fake_proxy"]

PROXY = Proxy(
    "https://localhost", "/team/kms/xks/v1", "HGIE2BUAFNDMBCMSQVWLGCEXAMPLE", "VU6W2byoiBrhDqNGbx703oL0syCAm", "eu-west-1"
)
ASKED = {"awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice", "kmsOperation": "Encrypt", "kmsRequestId": "4112f4d6"}
KEY = bytes(range(32))
GENEROUS = 20.0
"""Seconds, where time is not what is tested."""


NewClient = Callable[..., XksClient]


@pytest.fixture
def new_client() -> Iterator[NewClient]:
    """Makes clients that end with the test."""
    with contextlib.ExitStack() as stack:

        def make(routes: Routes, seconds: float = GENEROUS) -> XksClient:
            made = XksClient(routes, seconds=seconds)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def client(fake_proxy: FakeProxy, new_client: NewClient) -> XksClient:
    return new_client(fake_proxy.routes)


def answering(**document: Any) -> Callable[[str, Any], Reply]:
    return lambda _path, _asked: (200, json.dumps(document).encode())


def working(path: str, asked: Any) -> Reply:
    """A proxy that is right: AES-256-GCM under KEY, metadata in the associated data as the specification recommends."""
    associated = b64decode(asked["additionalAuthenticatedData"])
    note = b"v1"
    whole = len(associated).to_bytes(2) + associated + bytes([len(note)]) + note
    if path.endswith("/encrypt"):
        iv = os.urandom(12)
        sealed = AESGCM(KEY).encrypt(iv, b64decode(asked["plaintext"]), whole)
        made = Wrapped(sealed[:-16], iv, sealed[-16:], note)
        return 200, json.dumps(shown(made, integrity_value(associated, made))).encode()
    plaintext = AESGCM(KEY).decrypt(
        b64decode(asked["initializationVector"]), b64decode(asked["ciphertext"]) + b64decode(asked["authenticationTag"]), whole
    )
    return 200, json.dumps({"plaintext": text(plaintext)}).encode()


def shown(made: Wrapped, value: bytes) -> dict[str, str]:
    return {
        "ciphertext": text(made.ciphertext),
        "initializationVector": text(made.iv),
        "authenticationTag": text(made.tag),
        "ciphertextMetadata": text(made.metadata),
        "ciphertextDataIntegrityValue": text(value),
    }


def text(value: bytes) -> str:
    return b64encode(value).decode()


def kind(call: Callable[[], object]) -> str:
    with pytest.raises(ProxyError) as raised:
        call()
    return raised.value.kind


# Published values


def test_the_integrity_value_is_that_of_the_specification():
    made = Wrapped(
        b64decode("ghxkK1txeDNn3q8Y"),
        b64decode("HMrlRw85cAJUd5Ax"),
        b64decode("vBxN2ncH1oEkR8WVXpmyYQ=="),
        b64decode("a2V5X3ZlcnNpb249MQ=="),
    )
    value = integrity_value(b"project=nile,department=marketing", made)
    assert value.hex() == "a8703f2260bd8791ec2d15ea0b23e65a0631eedcf2a13a65cc82db3f47cf5ec7"
    assert text(value) == "qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc="


def test_the_specifications_own_answer_is_taken(client: XksClient, fake_proxy: FakeProxy):
    fake_proxy.reply = answering(
        authenticationTag="vBxN2ncH1oEkR8WVXpmyYQ==",
        ciphertext="ghxkK1txeDNn3q8Y",
        ciphertextDataIntegrityValue="qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=",
        ciphertextMetadata="a2V5X3ZlcnNpb249MQ==",
        initializationVector="HMrlRw85cAJUd5Ax",
    )
    made = client.encrypt(PROXY, "key", b"Hello World!", b"project=nile,department=marketing", ASKED)
    assert made.metadata == b"key_version=1"


def test_a_request_is_signed_as_a_verifier_of_signatures_wants_it():
    body = b'{"requestMetadata":{}}'
    now = 1_790_000_000.0
    headers = signed_headers(
        "xks.example.com",
        "/p/kms/xks/v1/keys/a_b.c-d/encrypt",
        body,
        access_key_id="A" * 20,
        secret="s" * 43,
        region="us-east-1",
        now=now,
    )
    request = Request("POST", "/p/kms/xks/v1/keys/a_b.c-d/encrypt", "", [(k.lower(), v) for k, v in headers.items()], body)
    claim = read_claim(request)
    assert claim is not None
    assert (claim.service, claim.signed_headers) == ("kms-xks-proxy", ("host", "x-amz-date"))
    Verifier().verify(claim, request, "s" * 43, now=now, service="kms-xks-proxy")


# What is asked, and what is made of the answer


def test_encrypt_and_decrypt_with_a_proxy_that_is_right(client: XksClient, fake_proxy: FakeProxy):
    fake_proxy.reply = working
    made = client.encrypt(PROXY, "key-1", b"secret", b"aad", ASKED)
    assert client.decrypt(PROXY, "key-1", made, b"aad", ASKED) == b"secret"
    path, headers, asked = fake_proxy.asked[0]
    assert path == "/team/kms/xks/v1/keys/key-1/encrypt"
    assert headers["Host"] == HOST
    assert asked["requestMetadata"] == ASKED
    assert asked["encryptionAlgorithm"] == "AES_GCM"
    assert fake_proxy.asked[1][2]["ciphertextMetadata"] == text(b"v1")
    assert PROXY.secret not in repr(PROXY)


@pytest.mark.parametrize(
    ("answer", "usable"),
    [
        ({"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT", "WRAP"], "keyStatus": "ENABLED"}, True),
        ({"keySpec": "AES_128", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}, False),
        ({"keySpec": "AES_256", "keyUsage": ["DECRYPT"], "keyStatus": "ENABLED"}, False),
        ({"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "DISABLED"}, False),
    ],
)
def test_only_an_enabled_aes_256_key_that_does_both_is_usable(
    client: XksClient, fake_proxy: FakeProxy, answer: dict[str, Any], usable: bool
):
    fake_proxy.reply = answering(**answer)
    assert client.usable(PROXY, "k", ASKED) is usable


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"keySpec": 256, "keyUsage": [], "keyStatus": "ENABLED"},
        {"keySpec": "AES_256", "keyUsage": "ENCRYPT", "keyStatus": "ENABLED"},
        {"keySpec": "AES_256", "keyUsage": ["X"] * 11, "keyStatus": "ENABLED"},
        {"keySpec": "AES_256", "keyUsage": [1], "keyStatus": "ENABLED"},
    ],
)
def test_metadata_of_another_form_is_malformed(client: XksClient, fake_proxy: FakeProxy, answer: dict[str, Any]):
    fake_proxy.reply = answering(**answer)
    assert kind(lambda: client.usable(PROXY, "k", ASKED)) == module.MALFORMED


@pytest.mark.parametrize(
    ("managers", "wanted"),
    [
        ([{"id": "a", "model": "m", "healthStatus": "UNAVAILABLE"}], module.UNAVAILABLE),
        ([], module.MALFORMED),
        ([{"healthStatus": "ACTIVE"}] * 11, module.MALFORMED),
        ("ACTIVE", module.MALFORMED),
        (["ACTIVE"], module.MALFORMED),
    ],
)
def test_a_proxy_without_a_working_key_manager_is_not_healthy(
    client: XksClient, fake_proxy: FakeProxy, managers: Any, wanted: str
):
    fake_proxy.reply = answering(ekmFleetDetails=managers)
    assert kind(lambda: client.health(PROXY, ASKED)) == wanted


def test_one_working_key_manager_is_enough(client: XksClient, fake_proxy: FakeProxy):
    fake_proxy.reply = answering(ekmFleetDetails=[{"healthStatus": "UNAVAILABLE"}, {"healthStatus": "DEGRADED"}])
    client.health(PROXY, ASKED)


# Wrong answers

GOOD = Wrapped(b"cipher", bytes(12), bytes(16), b"")


@pytest.mark.parametrize(
    "made",
    [
        replace(GOOD, ciphertext=b"short"),
        replace(GOOD, iv=bytes(11)),
        replace(GOOD, tag=bytes(12)),
        replace(GOOD, metadata=bytes(21)),
    ],
)
def test_an_answer_of_other_lengths_is_no_ciphertext(client: XksClient, fake_proxy: FakeProxy, made: Wrapped):
    fake_proxy.reply = answering(**shown(made, integrity_value(b"aad", made)))
    assert kind(lambda: client.encrypt(PROXY, "k", b"secret", b"aad", ASKED)) == module.MALFORMED


@pytest.mark.parametrize("value", ["", text(bytes(32)), "not Base64!", None, 7])
def test_an_answer_that_is_not_whole_is_no_ciphertext(client: XksClient, fake_proxy: FakeProxy, value: Any):
    fake_proxy.reply = answering(**{**shown(GOOD, b""), "ciphertextDataIntegrityValue": value})
    assert kind(lambda: client.encrypt(PROXY, "k", b"secret", b"aad", ASKED)) == module.MALFORMED


@pytest.mark.parametrize("answer", [{}, {"plaintext": text(b"longer")}, {"plaintext": "???"}, {"plaintext": ["x"]}])
def test_a_plaintext_of_another_length_is_none(client: XksClient, fake_proxy: FakeProxy, answer: dict[str, Any]):
    fake_proxy.reply = answering(**answer)
    assert kind(lambda: client.decrypt(PROXY, "k", replace(GOOD, ciphertext=b"five5"), b"", ASKED)) == module.MALFORMED


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ((404, b'{"errorName": "KeyNotFoundException"}'), "KeyNotFoundException"),
        ((400, b'{"errorName": "InvalidCiphertextException", "errorMessage": "x"}'), "InvalidCiphertextException"),
        ((400, b'{"errorName": "MadeUpException"}'), module.MALFORMED),
        ((400, b'{"errorName": 4}'), module.MALFORMED),
        ((500, b"<html>"), module.MALFORMED),
        ((200, b"[]"), module.MALFORMED),
        ((200, b"\xff"), module.MALFORMED),
        ((200, b"[" * 50_000), module.MALFORMED),
        ((302, b""), module.MALFORMED),
        ((200, b"x" * 70_000), module.MALFORMED),
        (None, module.MALFORMED),
    ],
)
def test_each_failure_has_its_kind(client: XksClient, fake_proxy: FakeProxy, reply: Reply, wanted: str):
    fake_proxy.reply = lambda _path, _asked: reply
    assert kind(lambda: client.health(PROXY, ASKED)) == wanted


# No answer at all


def test_a_proxy_that_is_not_there_is_unreachable(fake_proxy: FakeProxy, new_client: NewClient):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = new_client(Routes({HOST: ("127.0.0.1", port)}, fake_proxy.authority))
    assert kind(lambda: client.health(PROXY, ASKED)) == module.UNREACHABLE


def test_a_name_that_leads_nowhere_is_unreachable(fake_proxy: FakeProxy, new_client: NewClient):
    client = new_client(Routes({"xks.invalid": ("name.invalid", 443)}, fake_proxy.authority))
    assert kind(lambda: client.health(replace(PROXY, endpoint="https://xks.invalid"), ASKED)) == module.UNREACHABLE


def test_a_certificate_of_another_name_or_authority_is_refused(fake_proxy: FakeProxy, new_client: NewClient):
    elsewhere = Routes({"proxy.example.com": ("127.0.0.1", fake_proxy.port)}, fake_proxy.authority)
    other = replace(PROXY, endpoint="https://proxy.example.com")
    assert kind(lambda: new_client(elsewhere).health(other, ASKED)) == module.NO_TLS
    strangers = Routes({HOST: ("127.0.0.1", fake_proxy.port)})
    assert kind(lambda: new_client(strangers).health(PROXY, ASKED)) == module.NO_TLS
    assert fake_proxy.asked == []


def test_a_slow_proxy_is_given_up_on(fake_proxy: FakeProxy, new_client: NewClient):
    over = threading.Event()

    def slow(_path: str, _asked: Any) -> Reply:
        over.wait(20)
        return 200, b"{}"

    fake_proxy.reply = slow
    client = new_client(fake_proxy.routes, 0.25)
    assert kind(lambda: client.health(PROXY, ASKED)) == module.TIMED_OUT
    over.set()


def test_a_proxy_that_drips_is_given_up_on_all_the_same(fake_proxy: FakeProxy, new_client: NewClient):
    """Each byte comes soon, the whole never: the time is for the whole."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                while not over.wait(0.02):
                    try:
                        connection.sendall(b"\x16")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        routes = Routes({HOST: ("127.0.0.1", listening.getsockname()[1])}, fake_proxy.authority)
        assert kind(lambda: new_client(routes, 0.25).health(PROXY, ASKED)) in {module.TIMED_OUT, module.NO_TLS}
        over.set()
        thread.join()


def test_a_connection_is_used_again_and_a_dead_one_replaced(client: XksClient, fake_proxy: FakeProxy):
    closes = iter([False, False, True, False])
    fake_proxy.reply = lambda path, asked: None if next(closes) else working(path, asked)
    made = client.encrypt(PROXY, "k", b"secret", b"", ASKED)
    kept = client._https._idle[HOST][0]
    client.decrypt(PROXY, "k", made, b"", ASKED)
    assert client._https._idle[HOST][0] is kept
    assert client.decrypt(PROXY, "k", made, b"", ASKED) == b"secret", "the request went out once more"
    assert client._https._idle[HOST][0] is not kept
