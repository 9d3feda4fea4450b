"""Tokens: what is accepted, and every way to bring one that is not."""

from __future__ import annotations

import os

import pytest

from garrison.edge.inspect import Token, TokenState
from garrison.edge.token_keys import KEPT, LIFETIME, TokenKey, TokenKeys
from garrison.edge.tokens import (
    accepted,
    decode,
    domain_for,
    encode,
    host_name,
    issue,
    set_cookie,
    token_of,
    verify,
)
from tests.support.solving import NOW, keys
from tests.support.waf import request

SESSION = bytes(range(16))
HOST = "www.example.com"


def token(known: TokenKeys | None = None, domain: str = HOST, now: float = NOW, **solved: float) -> str:
    return issue(known or keys(), domain, now, session=SESSION, **solved)


def state(
    text: str, known: TokenKeys | None = None, host: str = HOST, domains: tuple[str, ...] = (), now: float = NOW
) -> TokenState:
    return verify(known or keys(), [text], host, domains, now).state


def test_a_token_carries_its_session_and_the_times_of_its_solutions():
    found = verify(keys(), [token(challenge_solved=NOW - 10, captcha_solved=NOW - 20)], HOST, (), NOW)
    assert found == Token(
        TokenState.ACCEPTED, "00010203-0405-0607-0809-0a0b0c0d0e0f", captcha_solved=NOW - 20, challenge_solved=NOW - 10
    )


def test_no_token_is_absent():
    assert verify(keys(), [], HOST, (), NOW).state is TokenState.ABSENT
    assert state("") is TokenState.ABSENT


@pytest.mark.parametrize("at", range(0, 150, 3))
def test_an_edited_token_is_invalid(at: int):
    text = token(challenge_solved=NOW)
    place = at % len(text)
    other = "A" if text[place] != "A" else "B"
    assert state(text[:place] + other + text[place + 1 :]) is TokenState.INVALID


def test_a_token_whose_times_were_changed_under_the_same_signature_is_invalid():
    old, new = token(challenge_solved=NOW - 900), token(challenge_solved=NOW)
    forged = ":".join((*new.split(":")[:3], old.split(":")[3]))
    assert state(old) is TokenState.ACCEPTED
    assert state(forged) is TokenState.INVALID


def test_another_spelling_of_the_same_signature_is_invalid():
    text = token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    raw = decode(text.rpartition(":")[2])
    spelt = [text[:-1] + last for last in alphabet if decode(text.rpartition(":")[2][:-1] + last) == raw]
    assert len(spelt) == 4
    assert [state(each) for each in spelt].count(TokenState.ACCEPTED) == 1
    assert state(f"{text}=") is TokenState.INVALID


def test_a_token_of_another_installation_is_invalid():
    assert state(token(keys(b"x" * 32))) is TokenState.INVALID
    same_id = TokenKeys([TokenKey((b"k" * 4).hex(), b"x" * 32, NOW - 3600)])
    assert state(token(same_id)) is TokenState.INVALID


def test_a_token_of_a_puzzle_is_no_token():
    from garrison.edge.interstitial.puzzles import Kind, Work, make  # noqa: PLC0415 - the attack of this test

    puzzle = make(keys(), Kind.CHALLENGE, HOST, Work(), NOW, os.urandom)
    assert state(puzzle) is TokenState.INVALID
    assert state(puzzle.replace(".", ":")) is TokenState.INVALID


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "1:6b6b6b6b:" + "A" * 900 + ":" + "A" * 43,
        ":" * 1000,
        "1:::",
        "\x00\xff",
        "1:6b6b6b6b:é:é",
        "null",
        "0:6b6b6b6b::",
    ],
)
def test_anything_else_is_invalid(text: str):
    assert state(text) is TokenState.INVALID


def test_a_signed_payload_of_another_shape_is_invalid():
    key = keys().signing(NOW)
    for payload in (b"", b"\xc0", b"\x95" * 30, b"\x90"):
        signed = f"1:{key.id}:{encode(payload)}"
        assert state(f"{signed}:{encode(key.mac(b'garrison waf token' + bytes([10]), signed.encode()))}") is TokenState.INVALID


def test_a_token_from_the_future_is_invalid():
    assert state(token(now=NOW + 30)) is TokenState.ACCEPTED
    assert state(token(now=NOW + 3600)) is TokenState.INVALID
    assert state(token(challenge_solved=NOW + 3600)) is TokenState.INVALID


def test_the_first_good_token_of_several_counts_and_a_fifth_is_not_looked_at():
    good = token()
    assert verify(keys(), ["x", good], HOST, (), NOW).state is TokenState.ACCEPTED
    assert verify(keys(), ["x", token(domain="other.org")], HOST, (), NOW).state is TokenState.INVALID
    assert verify(keys(), ["x"] * 4 + [good], HOST, (), NOW).state is TokenState.INVALID


# Domains: AWS WAF developer guide, "Specifying token domains and domain lists"


@pytest.mark.parametrize("domain", ["example.com", "api.example.com", "www.example.com"])
def test_a_domain_of_the_list_takes_its_subdomains(domain: str):
    assert accepted(domain, "other.org", ("example.com",))


@pytest.mark.parametrize("domain", ["example.api.com", "apiexample.com", "", "com"])
def test_a_domain_of_the_list_takes_nothing_else(domain: str):
    assert not accepted(domain, "other.org", ("example.com",))


def test_without_a_list_only_the_host_itself_is_taken():
    assert accepted("www.example.com", "www.example.com", ())
    assert not accepted("example.com", "www.example.com", ())
    assert not accepted("www.example.com", "example.com", ())


def test_a_token_of_another_domain_is_told_apart():
    assert state(token(domain="other.org")) is TokenState.DOMAIN_MISMATCH
    assert state(token(domain="api.example.com")) is TokenState.DOMAIN_MISMATCH
    assert state(token(domain="api.example.com"), domains=("example.com",)) is TokenState.ACCEPTED


def test_a_new_token_is_of_the_shortest_domain_that_suits():
    assert domain_for("api.example.com", ("example.com", "other.org")) == "example.com"
    assert domain_for("api.example.com", ()) == "api.example.com"
    assert domain_for("api.example.com", ("a.b", "ample.com")) == "api.example.com"


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("Example.com:8080", "example.com"),
        ("example.com.", "example.com"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("", ""),
        ("x" * 300, ""),
        (" localhost ", "localhost"),
    ],
)
def test_the_host_of_an_authority(authority: str, host: str):
    assert host_name(authority) == host


# Where tokens are


def test_a_token_comes_as_a_cookie_or_as_a_header():
    text = token(challenge_solved=NOW)
    sent = {"host": "WWW.example.com:443"}
    by_cookie = request("/", {**sent, "cookie": f"a=b; aws-waf-token={text}; c=d"}, time=NOW)
    by_header = request("/", {**sent, "x-aws-waf-token": text}, time=NOW)
    assert token_of(by_cookie, keys()).challenge_solved == NOW
    assert token_of(by_header, keys()).challenge_solved == NOW
    assert token_of(request("/", sent, time=NOW), keys()).state is TokenState.ABSENT


def test_a_cookie_belongs_to_the_host_alone_where_no_list_widens_it():
    assert set_cookie("t", HOST, HOST, secure=True) == f"aws-waf-token=t; Path=/; Max-Age={LIFETIME}; SameSite=Lax; Secure"
    assert "Domain=example.com" in set_cookie("t", "example.com", HOST, secure=False)
    assert "Secure" not in set_cookie("t", "example.com", HOST, secure=False)


# Keys


def test_a_key_that_is_over_verifies_nothing_though_nobody_dropped_it():
    assert state(token(), now=NOW + KEPT) is TokenState.INVALID


def test_nothing_is_signed_without_a_key():
    with pytest.raises(LookupError, match="no key"):
        issue(TokenKeys([]), HOST, NOW, session=SESSION)
