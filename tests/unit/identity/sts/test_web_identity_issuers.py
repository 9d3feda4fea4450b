"""AssumeRoleWithWebIdentity: the issuer's keys, fetched, kept and changed, and issuers that misbehave.

Expected answers: STS API Reference, AssumeRoleWithWebIdentity; OpenID Connect Discovery 1.0, sections 4 and 4.3.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from garrison.api import sts as api
from garrison.identity.federation import issuers
from garrison.identity.federation.https import Fetcher, UnreachableError
from garrison.identity.federation.web_tokens import Unverified
from garrison.wire.gateway import BESIDE_THREADS
from tests.support.house import ACCOUNT
from tests.support.idp_oidc import CLIENT, WELL_KNOWN, Answer, OidcIdp, jwk, rsa_key
from tests.support.vouched import NO_KEY, NOT_VALID, UNREACHABLE, Cloud


def test_keys_are_fetched_once(cloud: Cloud):
    for _ in range(3):
        cloud.assume()
    assert cloud.idp.asked == [WELL_KNOWN, "/keys"]


def test_a_new_key_is_found_and_a_dropped_one_counts_no_longer(cloud: Cloud):
    cloud.assume()
    old = cloud.idp.token()
    cloud.idp.keys = {"second": rsa_key(2)}
    cloud.now += issuers.PAUSE
    assert cloud.assume(cloud.idp.token(kid="second"))["Audience"] == CLIENT
    assert cloud.refused(old) == NO_KEY


def test_a_dropped_key_is_forgotten_though_no_token_names_another(cloud: Cloud):
    cloud.assume()
    old = cloud.idp.token()
    cloud.idp.keys = {"second": rsa_key(2)}
    cloud.now += issuers.FRESH
    assert cloud.refused(old) == NO_KEY


def test_unknown_keys_do_not_make_the_issuer_be_asked_over_and_over(cloud: Cloud):
    cloud.assume()
    for number in range(5):
        assert cloud.refused(cloud.idp.token(kid=f"made-up-{number}", key=rsa_key(2))) == NO_KEY
    assert cloud.idp.asked.count("/keys") == 1
    cloud.now += issuers.PAUSE
    for number in range(5):
        assert cloud.refused(cloud.idp.token(kid=f"made-up-{number}", key=rsa_key(2))) == NO_KEY
    assert cloud.idp.asked.count("/keys") == 2
    assert cloud.assume()["Audience"] == CLIENT


def test_without_a_kid_only_where_there_is_one_key(cloud: Cloud):
    assert cloud.assume(cloud.idp.token(kid=None))["Audience"] == CLIENT
    cloud.idp.keys["second"] = rsa_key(2)
    cloud.now += issuers.FRESH
    assert cloud.refused(cloud.idp.token(kid=None)) == NO_KEY


def test_keys_that_are_not_for_signatures_of_this_kind(cloud: Cloud):
    for wrong in ({"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "RS512"}, {"alg": "RSA-OAEP"}):
        cloud.idp.published = {"keys": [jwk(rsa_key(1), "first", **wrong)]}
        cloud.now += issuers.FRESH
        assert cloud.refused() == NO_KEY


def test_a_key_that_is_too_short(cloud: Cloud):
    cloud.idp.keys = {"first": rsa_key(3, 1024)}
    assert cloud.refused() == NO_KEY


# An issuer that misbehaves


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(b"", 500), UNREACHABLE),
        (Answer(b"", 503), UNREACHABLE),
        (Answer(b"", 429), UNREACHABLE),
        (Answer(b"", 404), NO_KEY),
        (Answer(b"", 302, {"Location": "/keys"}), NO_KEY),
        (Answer(b"{}"), NO_KEY),
        (Answer(b"[]"), NO_KEY),
        (Answer(b"<html>"), NO_KEY),
        (Answer(b"[" * 100_000), NO_KEY),
        (Answer(b" " * (256 * 1024) + b"{}"), NO_KEY),
        (Answer(b"{}", headers={"Content-Length": "1000000"}), NO_KEY),
    ],
)
@pytest.mark.parametrize("path", [WELL_KNOWN, "/keys"])
def test_answers_that_are_no_documents(cloud: Cloud, path: str, answer: Answer, error: tuple[str, str]):
    cloud.idp.answers[path] = answer
    assert cloud.refused() == error


@pytest.mark.parametrize(
    "keys_url",
    [
        "file:///etc/passwd",
        "http://192.0.2.1/keys",
        "ftp://127.0.0.1/",
        "//127.0.0.1/",
        "",
        7,
        None,
        "http://user:secret@127.0.0.1/",
    ],
)
def test_a_key_set_at_an_address_that_is_not_taken(cloud: Cloud, keys_url: Any):
    cloud.idp.answers[WELL_KNOWN] = Answer(json.dumps({"issuer": cloud.idp.url, "jwks_uri": keys_url}).encode())
    assert cloud.refused() == NO_KEY


def test_a_discovery_document_of_another_issuer(cloud: Cloud):
    cloud.idp.answers[WELL_KNOWN] = Answer(
        json.dumps({"issuer": "https://other.example", "jwks_uri": f"{cloud.idp.url}/keys"}).encode()
    )
    assert cloud.refused() == NO_KEY


def test_more_keys_than_anybody_has(cloud: Cloud):
    cloud.idp.published = {"keys": [jwk(rsa_key(1), "first")] * 101}
    assert cloud.refused() == NO_KEY


def test_an_issuer_that_dribbles_is_not_waited_for(cloud: Cloud):
    def dribble(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                handler.wfile.write(b"X-A: b\r\n")
                time.sleep(0.02)
        except OSError:
            return

    fetcher = cloud.issuers.fetcher
    cloud.issuers.fetcher = type(fetcher)(fetcher.authorities, 0.3, loopback=True)
    cloud.idp.answers["/keys"] = Answer(b"", each=dribble)
    assert cloud.refused() in {UNREACHABLE, NO_KEY}


def test_an_issuer_that_is_down_is_not_asked_again_at_once(cloud: Cloud):
    cloud.idp.answers["/keys"] = Answer(b"", 503)
    for _ in range(3):
        assert cloud.refused() == UNREACHABLE
    assert cloud.idp.asked.count("/keys") == 1
    del cloud.idp.answers["/keys"]
    cloud.now += issuers.PAUSE_AFTER_FAILURE
    assert cloud.assume()["Audience"] == CLIENT


def test_an_issuer_that_goes_down_leaves_what_was_fetched_for_as_long_as_it_is_fresh(cloud: Cloud):
    cloud.assume()
    cloud.idp.answers["/keys"] = Answer(b"", 503)
    cloud.now += issuers.PAUSE
    assert cloud.refused(cloud.idp.token(kid="new", key=rsa_key(2)))[0] == "InvalidIdentityToken"
    assert cloud.assume()["Audience"] == CLIENT
    cloud.now += issuers.FRESH
    assert cloud.refused() == UNREACHABLE


def test_nobody_is_there(cloud: Cloud):
    made = cloud.iam.create_open_id_connect_provider(Url="http://127.0.0.1:1", ClientIDList=[CLIENT])
    assert made["OpenIDConnectProviderArn"].endswith("/127.0.0.1:1")
    assert cloud.refused(cloud.idp.token(iss="http://127.0.0.1:1")) == UNREACHABLE


def test_keys_from_a_file_need_no_network(tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [jwk(rsa_key(1), "first")]}))
    with OidcIdp() as idp:
        idp.url = "https://idp.example.com/realms/one"
        made = Cloud(idp, oidc_keys=f"{idp.url}={path}")
        try:
            assert made.assume()["Provider"] == f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.com/realms/one"
            path.write_text(json.dumps({"keys": [jwk(rsa_key(2), "first")]}))
            made.now += issuers.FRESH
            assert made.refused() == NOT_VALID
            path.unlink()
            made.now += issuers.FRESH
            assert made.refused() == UNREACHABLE
        finally:
            made.house.close()
        assert not idp.asked


def test_many_slow_issuers_do_not_hold_every_thread():
    """Whoever may make providers could make them all slow: the threads that prove passwords are the same."""
    release, entered = threading.Event(), threading.Semaphore(0)

    class Slow(Fetcher):
        def get(self, url: str, thumbprints: Sequence[str] = ()) -> bytes:
            entered.release()
            release.wait(60)
            raise UnreachableError(url)

    known = issuers.Issuers(Slow())
    token = Unverified("", "", None, "RS256")

    def ask(number: int) -> None:
        with pytest.raises(api.IDPCommunicationErrorException):
            known.keys(issuers.Issuer(f"https://idp{number}.example.com"), token)

    with ThreadPoolExecutor(BESIDE_THREADS) as pool:
        slow = [pool.submit(ask, number) for number in range(issuers.ALL_WAITING)]
        for _ in slow:
            assert entered.acquire(timeout=60)
        assert issuers.ALL_WAITING < BESIDE_THREADS
        ask(issuers.ALL_WAITING)  # told to come back, at once
        assert not any(each.done() for each in slow)
        release.set()
        for each in slow:
            each.result()
    ask(issuers.ALL_WAITING + 1)
    assert entered.acquire(timeout=60)
