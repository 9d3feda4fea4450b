"""What the pages call: a new puzzle, its picture and recording, and the check of a solution, which gives the token."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qs

import msgspec

from garrison.core.http import Response
from garrison.core.ids import Random
from garrison.edge.inspect import RateRule, Rates, TokenState, WebRequest
from garrison.edge.interstitial import puzzles
from garrison.edge.interstitial.pages import NO_STORE, PREFIX, facts_of
from garrison.edge.interstitial.pictures import can_draw, picture, recording
from garrison.edge.interstitial.puzzles import Kind, PuzzleError
from garrison.edge.interstitial.site import Site
from garrison.edge.interstitial.spent import Spent
from garrison.edge.tokens import domain_for, host_of, issue, set_cookie, token_of

BODY: Final = 8192
"""Bytes of a solution; ours are shorter."""
ATTEMPTS: Final = RateRule("waf-captcha:attempts", 30, 300)
"""Answers to CAPTCHAs of one address in five minutes."""
PICTURES: Final = RateRule("waf-captcha:pictures", 100, 300)
"""Pictures and recordings of one address in five minutes."""
_STATUS: Final[Mapping[str, int]] = {"busy": 429, "wrong": 403, "expired": 403}


class _Solution(msgspec.Struct):
    """What a page sends."""

    puzzle: str
    work: list[int]
    typed: str = ""


_decoder = msgspec.json.Decoder(_Solution)


class _Call(NamedTuple):
    """One call of a page."""

    request: WebRequest
    site: Site
    rates: Rates
    spent: Spent
    random: Random

    @property
    def now(self) -> float:
        return self.request.time

    @property
    def host(self) -> str:
        return host_of(self.request)

    def argument(self, name: str) -> str:
        """The one query argument of the name; empty where it is not there."""
        if len(self.request.query) > 2 * puzzles.LONGEST:
            return ""
        return parse_qs(self.request.query.decode("latin-1"), max_num_fields=8).get(name, [""])[0]

    def over(self, rule: RateRule) -> bool:
        """Count the caller's address, an IPv6 one by its network; whether it is over the limit."""
        address = self.request.ip
        packed = address.packed if address is not None else b""
        return self.rates.hit(rule, packed[:8], self.now)


def answer(request: WebRequest, site: Site, rates: Rates, spent: Spent, random: Random) -> Response | None:
    """The answer to a call of a page; None for a request that is none, and goes on to the web ACL.

    To be asked before the web ACL is: its rules would challenge the very calls that solve the challenge. Whatever is sent has an
    answer; a recording takes a quarter of a second. Raises LookupError where the site has no key yet.
    """
    path = request.path.decode("latin-1")
    if not path.startswith(PREFIX):
        return None
    call = _Call(request, site, rates, spent, random)
    handle = _ROUTES.get((request.method, path.removeprefix(PREFIX)))
    if handle is None:
        return Response(404, [NO_STORE])
    try:
        return handle(call)
    except PuzzleError as error:
        return _said({"error": error.reason}, _STATUS.get(error.reason, 400))
    except (ValueError, msgspec.DecodeError):
        return _said({"error": "invalid"}, 400)


def _said(document: Mapping[str, object], status: int = 200, *more: tuple[str, str]) -> Response:
    headers = [("Content-Type", "application/json"), NO_STORE, ("X-Content-Type-Options", "nosniff"), *more]
    return Response(status, headers, json.dumps(document).encode())


def _puzzle(call: _Call) -> Response:
    """A new puzzle."""
    kind = Kind(call.argument("kind"))
    text = puzzles.make(call.site.keys, kind, call.host, call.site.work, call.now, call.random)
    return _said(facts_of(text, kind, call.site))


def _drawn(call: _Call, content_type: str, secret: Callable[..., str], draw: Callable[[str], bytes]) -> Response:
    puzzle, key = puzzles.read(call.site.keys, call.argument("puzzle"), call.host, call.now)
    if puzzle.kind is not Kind.CAPTCHA or not can_draw():
        raise PuzzleError("invalid")
    if call.over(PICTURES):
        raise PuzzleError("busy")
    return Response(
        200, [("Content-Type", content_type), NO_STORE, ("X-Content-Type-Options", "nosniff")], draw(secret(key, puzzle))
    )


def _picture(call: _Call) -> Response:
    return _drawn(call, "image/png", puzzles.letters, picture)


def _recording(call: _Call) -> Response:
    return _drawn(call, "audio/wav", puzzles.digits, recording)


def _solution(call: _Call) -> Response:
    """Check a solution, and give the token for it.

    The work is checked first, so that every guess at a CAPTCHA costs it; then the puzzle is spent, whatever was typed.
    """
    request, site, now, host = call.request, call.site, call.now, call.host
    kind = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != b"application/json" or request.body_size > BODY:
        raise PuzzleError("invalid")
    sent = _decoder.decode(request.body)
    puzzle, key = puzzles.read(site.keys, sent.puzzle, host, now)
    if not puzzles.worked(sent.puzzle, puzzle, sent.work):
        raise PuzzleError("unsolved")
    if puzzle.kind is Kind.CAPTCHA and call.over(ATTEMPTS):
        raise PuzzleError("busy")
    if not call.spent.spend(puzzle.name, puzzle.expires, now):
        raise PuzzleError("spent")
    if puzzle.kind is Kind.CAPTCHA and not puzzles.answered(key, puzzle, sent.typed):
        raise PuzzleError("wrong")
    domain = domain_for(host, site.token_domains)
    token = _token(call, puzzle, domain)
    return _said({"solved": True}, 200, ("Set-Cookie", set_cookie(token, domain, host, secure=request.scheme == "https")))


def _token(call: _Call, puzzle: puzzles.Puzzle, domain: str) -> str:
    """A token with the new solution. A session that has a good token keeps its name, and its other solution."""
    known = token_of(call.request, call.site.keys, call.site.token_domains)
    session, captcha = puzzle.name, None
    if known.state is TokenState.ACCEPTED:
        session, captcha = uuid.UUID(known.id).bytes, known.captcha_solved
    if puzzle.kind is Kind.CAPTCHA:
        captcha = call.now
    # A CAPTCHA asks for the work of a challenge too.
    return issue(call.site.keys, domain, call.now, session=session, challenge_solved=call.now, captcha_solved=captcha)


_ROUTES: Final[Mapping[tuple[str, str], Callable[[_Call], Response]]] = {
    ("GET", "puzzle"): _puzzle,
    ("GET", "picture"): _picture,
    ("GET", "recording"): _recording,
    ("POST", "solution"): _solution,
}
