"""Puzzles and their solutions: what gives a token, and every way to get one without."""

from __future__ import annotations

import io
import json
import wave
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from garrison.core.http import Response
from garrison.edge.inspect import TokenState
from garrison.edge.interstitial import PREFIX, Site, Work, answer
from garrison.edge.interstitial.answers import ATTEMPTS, PICTURES
from garrison.edge.interstitial.puzzles import SECONDS
from garrison.edge.tokens import decode, encode, token_of
from tests.support.solving import EASY, NOW, Visitor, cookie_of, keys, solve


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


def said(response: Response) -> Any:
    return json.loads(response.body)


def error(response: Response) -> str:
    assert response.status >= 400
    assert not any(name == "Set-Cookie" for name, _ in response.headers)
    return str(said(response)["error"])


def token(visitor: Visitor, **more: Any) -> Any:
    return token_of(visitor.request("GET", "/"), visitor.site.keys, **more)


def test_a_solved_challenge_gives_a_token(visitor: Visitor):
    assert visitor.solved("challenge").status == 200
    found = token(visitor)
    assert (found.state, found.challenge_solved, found.captcha_solved) == (TokenState.ACCEPTED, NOW, None)


def test_a_solved_captcha_gives_a_token(visitor: Visitor):
    assert visitor.solved("captcha").status == 200
    found = token(visitor)
    assert (found.state, found.challenge_solved, found.captcha_solved) == (TokenState.ACCEPTED, NOW, NOW)


def test_a_session_keeps_its_name_and_its_other_solution(visitor: Visitor):
    visitor.solved("captcha")
    first = token(visitor)
    visitor.now += 600
    visitor.solved("challenge")
    second = token(visitor)
    assert second.id == first.id
    assert (second.challenge_solved, second.captcha_solved) == (NOW + 600, NOW)


def test_a_rejected_token_gives_nothing_to_the_new_one(visitor: Visitor):
    visitor.solved("captcha")
    visitor.cookie += "x"
    visitor.solved("challenge")
    assert token(visitor).captcha_solved is None


def test_a_token_is_of_the_domain_that_the_list_widens():
    visitor = Visitor(Site(keys(), ("example.com",), EASY))
    found = visitor.solved("challenge")
    assert "Domain=example.com" in dict(found.headers)["Set-Cookie"]
    visitor.host = "api.example.com"
    assert token(visitor, token_domains=("example.com",)).state is TokenState.ACCEPTED
    assert token(visitor).state is TokenState.DOMAIN_MISMATCH


def test_the_cookie_is_secure_where_the_site_is(visitor: Visitor):
    facts = visitor.puzzle("challenge")
    body = json.dumps({"puzzle": facts["puzzle"], "work": solve(facts)}).encode()
    request = visitor.request("POST", f"{PREFIX}solution", body, content_type="application/json")
    request.scheme = "https"
    found = answer(request, visitor.site, visitor.rates, visitor.spent, lambda _: b"")
    assert found is not None
    assert dict(found.headers)["Set-Cookie"].endswith("; Secure")


# Attacks


def test_a_puzzle_is_solved_once(visitor: Visitor):
    facts = visitor.puzzle("challenge")
    work = solve(facts)
    assert visitor.send(facts["puzzle"], work).status == 200
    assert error(visitor.send(facts["puzzle"], work)) == "spent"


def test_an_expired_puzzle_gives_nothing(visitor: Visitor):
    facts = visitor.puzzle("challenge")
    work = solve(facts)
    visitor.now += SECONDS
    assert error(visitor.send(facts["puzzle"], work)) == "expired"
    visitor.now += 3600
    assert error(visitor.send(facts["puzzle"], work)) == "expired"


@pytest.mark.parametrize("work", [[], [0], [0, 0], [-1, -1], [2**32, 2**32], [2**70, 1], [0] * 1000])
def test_work_that_was_not_done_gives_nothing(visitor: Visitor, work: list[int]):
    visitor.site = replace(visitor.site, work=Work(2, 20))
    facts = visitor.puzzle("challenge")
    assert error(visitor.send(facts["puzzle"], work)) in {"unsolved", "invalid"}


def test_the_work_of_another_puzzle_gives_nothing(visitor: Visitor):
    visitor.site = replace(visitor.site, work=Work(8, 8))
    assert error(visitor.send(visitor.puzzle("challenge")["puzzle"], solve(visitor.puzzle("challenge")))) == "unsolved"


def test_work_that_was_not_done_does_not_spend_the_puzzle(visitor: Visitor):
    facts = visitor.puzzle("challenge")
    work = solve(facts)
    assert error(visitor.send(facts["puzzle"], work[:1])) == "unsolved"
    assert visitor.send(facts["puzzle"], work).status == 200


def test_lowered_difficulty_gives_nothing(visitor: Visitor):
    visitor.site = replace(visitor.site, work=Work(4, 16))
    version, key, payload, mac = visitor.puzzle("challenge")["puzzle"].split(".")
    raw = decode(payload)
    assert raw[-2:] == bytes([4, 16])
    for lower in (raw[:-1] + b"\x00", raw[:-2] + b"\x00\x00", raw[:-1] + b"\x01"):
        easy = ".".join((version, key, encode(lower), mac))
        assert error(visitor.send(easy, [0, 0, 0, 0])) == "invalid"
        assert error(visitor.send(easy, [])) == "invalid"


def test_a_challenge_is_no_captcha(visitor: Visitor):
    facts = visitor.puzzle("challenge")
    visitor.cookie = cookie_of(visitor.send(facts["puzzle"], solve(facts)))
    assert token(visitor).captcha_solved is None
    assert error(visitor.call("GET", f"picture?puzzle={visitor.puzzle('challenge')['puzzle']}")) == "invalid"


def test_a_puzzle_of_another_installation_gives_nothing(visitor: Visitor):
    other = Visitor(Site(keys(b"other installation's secret 32 b."), work=EASY))
    facts = other.puzzle("challenge")
    assert error(visitor.send(facts["puzzle"], solve(facts))) == "invalid"


def test_a_puzzle_of_another_host_gives_nothing(visitor: Visitor):
    facts = visitor.puzzle("challenge")
    visitor.host = "other.example.org"
    assert error(visitor.send(facts["puzzle"], solve(facts))) == "invalid"


def test_a_token_is_no_puzzle(visitor: Visitor):
    visitor.solved("challenge")
    assert error(visitor.send(visitor.cookie, [0, 0])) == "invalid"
    assert error(visitor.send(visitor.cookie.replace(":", "."), [0, 0])) == "invalid"


def test_a_wrong_answer_spends_the_captcha(visitor: Visitor):
    facts = visitor.puzzle("captcha")
    work = solve(facts)
    assert error(visitor.send(facts["puzzle"], work, "WRONG1")) == "wrong"
    assert error(visitor.send(facts["puzzle"], work, visitor.characters(facts["puzzle"]))) == "spent"


@pytest.mark.parametrize("typed", ["", " ", "x" * 1000, "é" * 6, "\x00" * 6])
def test_what_was_typed_must_be_the_characters(visitor: Visitor, typed: str):
    facts = visitor.puzzle("captcha")
    assert error(visitor.send(facts["puzzle"], solve(facts), typed)) == "wrong"


def test_characters_are_taken_in_either_case_and_with_blanks(visitor: Visitor):
    facts = visitor.puzzle("captcha")
    typed = visitor.characters(facts["puzzle"]).lower()
    assert visitor.send(facts["puzzle"], solve(facts), f" {typed[:3]} {typed[3:]} ").status == 200


def test_attempts_of_one_address_are_limited(visitor: Visitor):
    for _ in range(ATTEMPTS.limit):
        facts = visitor.puzzle("captcha")
        assert error(visitor.send(facts["puzzle"], solve(facts), "WRONG1")) == "wrong"
    assert visitor.solved("captcha").status == 429
    assert visitor.solved("challenge").status == 200
    visitor.address = "192.0.2.2"
    assert visitor.solved("captcha").status == 200


def test_attempts_of_one_network_are_limited_for_ipv6(visitor: Visitor):
    for number in range(ATTEMPTS.limit):
        visitor.address = f"2001:db8::{number:x}"
        visitor.solved("captcha")
    visitor.address = "2001:db8::ffff"
    assert visitor.solved("captcha").status == 429
    visitor.address = "2001:db8:0:1::1"
    assert visitor.solved("captcha").status == 200


def test_the_answer_is_in_nothing_that_is_sent(visitor: Visitor):
    facts = visitor.puzzle("captcha")
    characters = visitor.characters(facts["puzzle"])
    sent = json.dumps(facts).encode() + decode(facts["puzzle"].split(".")[2])
    assert characters.encode() not in sent
    picture = visitor.call("GET", f"picture?puzzle={facts['puzzle']}")
    assert characters.encode() not in picture.body


def test_a_picture_and_a_recording_of_one_puzzle_both_open_it(visitor: Visitor):
    from garrison.edge.interstitial.puzzles import digits, read  # noqa: PLC0415 - what the server alone knows

    facts = visitor.puzzle("captcha")
    picture = visitor.call("GET", f"picture?puzzle={facts['puzzle']}")
    assert Image.open(io.BytesIO(picture.body)).size == (300, 100)
    recording = visitor.call("GET", f"recording?puzzle={facts['puzzle']}")
    with wave.open(io.BytesIO(recording.body)) as sound:
        assert sound.getnframes() / sound.getframerate() > 5
    puzzle, key = read(visitor.site.keys, facts["puzzle"], visitor.host, visitor.now)
    assert visitor.send(facts["puzzle"], solve(facts), digits(key, puzzle)).status == 200


def test_pictures_of_one_address_are_limited(visitor: Visitor):
    facts = visitor.puzzle("captcha")
    for _ in range(PICTURES.limit):
        visitor.rates.hit(PICTURES, bytes([192, 0, 2, 1]), visitor.now)
    assert error(visitor.call("GET", f"picture?puzzle={facts['puzzle']}")) == "busy"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("POST", "solution", b"", "application/json", 400),
        ("POST", "solution", b"[" * 8000, "application/json", 400),
        ("POST", "solution", b'{"puzzle": "' + b"a" * 9000 + b'", "work": []}', "application/json", 400),
        ("POST", "solution", b'{"puzzle": "a", "work": [1.5]}', "application/json", 400),
        ("POST", "solution", b'{"puzzle": "a", "work": ["' + b"1" * 4000 + b'"]}', "application/json", 400),
        ("POST", "solution", b'{"puzzle": "a", "work": [' + b"9" * 4000 + b"]}", "application/json", 400),
        ("POST", "solution", b'{"puzzle": null, "work": null}', "application/json", 400),
        ("POST", "solution", b'{"puzzle": "a", "work": []}', "text/plain", 400),
        ("POST", "solution", b'{"puzzle": "\xff", "work": []}', "application/json", 400),
        ("GET", "puzzle?kind=other", b"", "", 400),
        ("GET", "puzzle", b"", "", 400),
        ("GET", "puzzle?" + "kind=captcha&" * 100, b"", "", 400),
        ("GET", "picture", b"", "", 400),
        ("GET", "picture?puzzle=" + "a" * 60_000, b"", "", 400),
        ("GET", "picture?puzzle=%ff%00", b"", "", 400),
        ("GET", "solution", b"", "", 404),
        ("GET", "../../etc/passwd", b"", "", 404),
        ("DELETE", "puzzle", b"", "", 404),
        ("GET", "", b"", "", 404),
    ],
)
def test_anything_else_is_refused(visitor: Visitor, method: str, path: str, body: bytes, kind: str, status: int):
    found = visitor.call(method, path, body, content_type=kind)
    assert found.status == status
    assert not any(name == "Set-Cookie" for name, _ in found.headers)


def test_other_paths_are_none_of_the_pages(visitor: Visitor):
    for path in ("/", "/_garrison/wafx", "/_garrison/", "/a/_garrison/waf/solution"):
        request = visitor.request("GET", path)
        assert answer(request, visitor.site, visitor.rates, visitor.spent, lambda count: b"x" * count) is None


@given(body=st.binary(max_size=300), query=st.binary(max_size=100))
def test_no_bytes_are_answered_with_a_token(body: bytes, query: bytes):
    visitor = Visitor()
    for method, path in (("POST", "solution"), ("GET", "picture"), ("GET", "puzzle"), ("GET", "recording")):
        request = visitor.request(method, PREFIX + path, body, content_type="application/json")
        request.query = query
        found = answer(request, visitor.site, visitor.rates, visitor.spent, lambda count: b"x" * count)
        assert found is not None
        assert not any(name == "Set-Cookie" for name, _ in found.headers)
