"""The page that answers a request where a Challenge or Captcha rule found no good token.

Status, header and the condition for a page are those of the AWS WAF developer guide, "CAPTCHA and Challenge action behavior": 202
and ``x-amzn-waf-action: challenge``, or 405 and ``captcha``; a page only for a GET that accepts ``text/html``, since nothing else
shows one.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final

from jinja2 import Environment, PackageLoader, select_autoescape

from garrison.core.http import Response
from garrison.core.ids import Random
from garrison.edge.inspect import Action, WebRequest
from garrison.edge.interstitial import puzzles
from garrison.edge.interstitial.pictures import can_draw
from garrison.edge.interstitial.puzzles import Kind
from garrison.edge.interstitial.site import Site
from garrison.edge.tokens import COOKIE, encode, host_of

PREFIX: Final = "/_garrison/waf/"
"""Paths of protected hosts that the pages call."""
STATUS: Final = {Kind.CHALLENGE: 202, Kind.CAPTCHA: 405}
NO_STORE: Final = ("Cache-Control", "no-store, max-age=0")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("garrison.edge.interstitial", "templates"),
        autoescape=select_autoescape(default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )


def shows_pages(request: WebRequest) -> bool:
    """Whether whoever sent the request shows a page that comes in place of the answer."""
    return request.method == "GET" and b"text/html" in (request.header(b"accept") or b"").lower()


def page(request: WebRequest, action: Action, site: Site, random: Random) -> Response:
    """The answer for a verdict of ``CHALLENGE`` or ``CAPTCHA``. Raises ValueError for another, LookupError without a key."""
    kind = Kind(action.value.lower())
    headers = [("x-amzn-waf-action", kind.value), NO_STORE]
    if not shows_pages(request):
        return Response(STATUS[kind], headers)
    nonce = encode(random(16))
    host = host_of(request)
    puzzle = puzzles.make(site.keys, kind, host, site.work, request.time, random)
    template = _environment().get_template("page.html")
    facts = {**facts_of(puzzle, kind, site), "prefix": PREFIX, "cookie": COOKIE}
    drawn = kind is Kind.CHALLENGE or can_draw()
    text = template.render(
        nonce=nonce, captcha=kind is Kind.CAPTCHA, drawn=drawn, facts=json.dumps(facts), prefix=PREFIX, puzzle=puzzle
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src 'self'; "
        "media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    headers += [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Response(STATUS[kind], headers, text.encode())


def facts_of(puzzle: str, kind: Kind, site: Site) -> dict[str, str | int]:
    """What a page needs to solve a puzzle."""
    return {
        "puzzle": puzzle,
        "kind": kind.value,
        "seed": puzzles.seed(puzzle),
        "parts": site.work.parts,
        "bits": site.work.bits,
    }
