"""What a browser does with the pages of Challenge and Captcha, without one; and keys that a test knows."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from garrison.core.http import Response
from garrison.edge.inspect import RateTable, WebRequest
from garrison.edge.interstitial import PREFIX, Site, SpentHere, Work, answer
from garrison.edge.interstitial.puzzles import letters, read
from garrison.edge.token_keys import TokenKey, TokenKeys
from garrison.edge.tokens import COOKIE

NOW = 1_700_000_000.0
EASY = Work(parts=2, bits=4)
"""Work that a test does in no time."""


def keys(*secrets: bytes, created: float = NOW - 3600) -> TokenKeys:
    """Keys of an installation; the first is the newest."""
    listed = secrets or (b"k" * 32,)
    return TokenKeys([TokenKey(secret[:4].hex(), secret, created - age) for age, secret in enumerate(listed)])


def solve(facts: dict[str, Any]) -> list[int]:
    """The work of a puzzle."""
    return [_search(facts["seed"], part, facts["bits"]) for part in range(facts["parts"])]


def _search(seed: str, part: int, bits: int) -> int:
    number = 0
    while int.from_bytes(hashlib.sha256(f"{seed}:{part}:{number}".encode()).digest()) >> (256 - bits):
        number += 1
    return number


@dataclass
class Visitor:
    """A client of one protected site."""

    site: Site = field(default_factory=lambda: Site(keys(), work=EASY))
    host: str = "www.example.com"
    now: float = NOW
    cookie: str = ""
    spent: SpentHere = field(default_factory=SpentHere)
    rates: RateTable = field(default_factory=RateTable)
    address: str = "192.0.2.1"

    def request(self, method: str, target: str, body: bytes = b"", **headers: str) -> WebRequest:
        sent = {"host": self.host, **({"cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}), **headers}
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
        return WebRequest(method, target.encode(), pairs, body, source_ip=self.address, time=self.now)

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        found = answer(self.request(method, PREFIX + path, body, **headers), self.site, self.rates, self.spent, os.urandom)
        assert found is not None
        return found

    def puzzle(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.call("GET", f"puzzle?kind={kind}").body)
        return found

    def send(self, puzzle: str, work: list[int], typed: str = "", **headers: str) -> Response:
        body = json.dumps({"puzzle": puzzle, "work": work, "typed": typed}).encode()
        return self.call("POST", "solution", body, **{"content_type": "application/json", **headers})

    def characters(self, puzzle: str) -> str:
        """What the picture shows."""
        found, key = read(self.site.keys, puzzle, self.host, self.now)
        return letters(key, found)

    def solved(self, kind: str) -> Response:
        """Solve a new puzzle, and keep the cookie."""
        facts = self.puzzle(kind)
        found = self.send(facts["puzzle"], solve(facts), self.characters(facts["puzzle"]) if kind == "captcha" else "")
        if found.status == 200:
            self.cookie = cookie_of(found)
        return found


def cookie_of(response: Response) -> str:
    """The token that an answer sets."""
    header = next(value for name, value in response.headers if name == "Set-Cookie")
    return header.partition(";")[0].partition("=")[2]
