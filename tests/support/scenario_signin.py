"""Steps of signing in: a command line's tokens, and the sessions that there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from garrison.core.ids import system_random
from garrison.identity.signin import codes, sessions
from garrison.identity.signin.sessions import Seen, Who
from tests.support.house import ACCOUNT, ENDPOINT, REGION, House
from tests.support.signing_in import SAME, dpop, new_key

if TYPE_CHECKING:
    from tests.support.scenario import Answers, Step

REDIRECT = "http://127.0.0.1:40000/oauth/callback"
VERIFIER = "a-verifier-of-43-characters-at-the-very-least"
CHALLENGE = "8IZ40MZgp1JzN_iFmQHjDRKBBu6eLnz6nA5To4lN2z8"
"""SHA-256 of it in base64url, by OpenSSL."""


def code_of(house: House, name: str) -> str:
    """A code that the browser of a user allows."""
    clock = house.worker.gateway.clock
    with house.state.store.writing() as tx:
        row = tx.one("SELECT user_id FROM iam_user WHERE account = ? AND name = ?", ACCOUNT, name)
        assert row is not None
        who = Who(ACCOUNT, row[0], f"arn:aws:iam::{ACCOUNT}:user/{name}", name)
        now = clock()
        seen = Seen(REGION, "a browser")
        opened = sessions.open_browser(tx, house.state.keyring, who, seen, random=system_random, now=now, ends=now + 3600)
        code = codes.issue(
            tx,
            origin=opened.session.session_id,
            client=SAME,
            redirect_uri=REDIRECT,
            challenge=CHALLENGE,
            proof_key="",
            random=system_random,
            now=now,
        )
    house.state.store.commit()
    return code


def prove(house: House) -> None:
    """Let this house's clients of signing in send a proof of a key with each request for a token."""
    key = new_key()

    def add(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["DPoP"] = dpop(key, house.worker.gateway.clock(), htu=f"{ENDPOINT}/v1/token")

    house.hooks["before-call.signin.CreateOAuth2Token"] = add


def request_for(code: str) -> dict[str, Any]:
    """The members of CreateOAuth2Token for a code."""
    fields = {"clientId": SAME, "grantType": "authorization_code", "redirectUri": REDIRECT, "codeVerifier": VERIFIER}
    return {"tokenInput": {**fields, "code": code}}


def steps(answers: Answers) -> Iterator[Step]:
    """A token for the administrator; the stranger may have none."""
    from tests.support.scenario import Step  # noqa: PLC0415 - which imports this module

    yield Step(
        "signin",
        "CreateOAuth2Token",
        request_for(answers["code of"]("admin")),
        refused=request_for(answers["code of"]("stranger")),
    )
    token = answers["CreateOAuth2Token"]["tokenOutput"]["refreshToken"]
    yield Step("signin", "IntrospectOAuth2TokenWithIAM", {"token": token})
    yield Step("signin", "ListSessions", {"maxResults": 5})
    arn = answers["ListSessions"]["items"][0]["sessionArn"]
    yield Step("signin", "GetSession", {"sessionArn": arn})
    yield Step("signin", "BatchRevokeSessions", {"sessionArns": [arn]})
    yield Step("signin", "RevokeOAuth2TokenWithIAM", {"token": token})
