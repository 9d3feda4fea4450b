"""``/v1/authorize``: a browser's session allows a command line (``aws login``).

No bucket is called ``v1``, which has two characters. What is wrong with a request is shown here and never sent on: an address
that is not the client's own gets nothing from us.

Sources: RFC 6749, section 4.1; RFC 7636; RFC 8252; AWS CLI User Guide, "Login for AWS local development using console
credentials".
"""

from __future__ import annotations

import base64
import re
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from garrison.console.answers import redirect
from garrison.console.calls import CallFailedError
from garrison.console.events import Facts
from garrison.console.home import SIGN_IN
from garrison.console.site import Site
from garrison.console.visits import RefusedFormError, Visit
from garrison.core.context import Context
from garrison.core.http import Response
from garrison.core.operation import Check
from garrison.identity.signin import codes
from garrison.identity.signin.clients import CLIENTS, Client
from garrison.identity.signin.sessions import Session

PATH = "/v1/authorize"
_STATE = re.compile(r"[ -~]{1,1024}")
_NAMES = (
    "response_type",
    "client_id",
    "state",
    "code_challenge",
    "code_challenge_method",
    "scope",
    "redirect_uri",
    "dpop_jkt",
)


class Asked(NamedTuple):
    """What a command line asks for."""

    client: Client
    redirect_uri: str
    state: str
    challenge: str
    proof_key: str
    fields: dict[str, str]
    """As they came, to be sent again with the form."""


async def form(_site: Site, visit: Visit) -> Response:
    """Who is to be allowed what; somebody who is not signed in does that first."""
    asked = _asked(visit, dict(visit.query))
    if visit.session is None:
        onward = f"{PATH}?{urlencode(asked.fields, quote_via=quote)}"
        return redirect(visit.call, f"{SIGN_IN}?next={quote(onward, safe='')}", visit.cookies)
    return _consent(visit, visit.session, asked)


def _consent(visit: Visit, session: Session, asked: Asked, message: str = "", status: int = 200) -> Response:
    values = {
        "fields": asked.fields,
        "remote": asked.client.place == "remote",
        "where": asked.redirect_uri,
        "arn": session.principal_arn,
        "message": message,
    }
    return visit.page("authorize.html", values, status=status, form_to=_origin(asked))


def _origin(asked: Asked) -> str:
    """Where the form's answer leads: a loopback port of the browser's own machine."""
    parsed = urlsplit(asked.redirect_uri)
    return "" if asked.client.place == "remote" else f"{parsed.scheme}://{parsed.netloc}"


def _asked(visit: Visit, fields: dict[str, str]) -> Asked:
    """Raises RefusedFormError where the request is not one of a client's."""
    given = {name: fields[name] for name in _NAMES if name in fields}
    client = CLIENTS.get(given.get("client_id", ""))
    redirect_uri = given.get("redirect_uri", "")
    if client is None:
        raise RefusedFormError("The client is unknown.")
    if not client.redirects_to(redirect_uri, visit.call):
        raise RefusedFormError("The redirect URI is not one of this client's.")
    if given.get("response_type") != "code" or given.get("scope") != "openid":
        raise RefusedFormError("The request must be for a code of the scope openid.")
    if given.get("code_challenge_method") != codes.METHOD or not codes.CHALLENGE.fullmatch(given.get("code_challenge", "")):
        raise RefusedFormError("The request must have a code challenge of the method SHA-256.")
    state, proof_key = given.get("state", ""), given.get("dpop_jkt", "")
    if not _STATE.fullmatch(state) or (proof_key and not codes.CHALLENGE.fullmatch(proof_key)):
        raise RefusedFormError("The request must have a state, and no key but a SHA-256 thumbprint.")
    return Asked(client, redirect_uri, state, given["code_challenge"], proof_key, given)


async def allow(site: Site, visit: Visit) -> Response:
    """The code, where the identity may have it (signin:AuthorizeOAuth2Access): to the client itself, or shown to be typed."""
    asked, session = _asked(visit, dict(visit.form)), visit.session
    if session is None:
        raise RefusedFormError("You are not signed in any more. Run the command again.", 403)
    keys = {"signin:OAuthClientId": asked.client.id, "signin:OAuthRedirectUri": asked.redirect_uri}
    check = Check("signin:AuthorizeOAuth2Access", asked.client.target(site.region, session.account), keys)

    def issue(ctx: Context) -> str:
        return codes.issue(
            ctx.tx,
            origin=session.session_id,
            client=asked.client.id,
            redirect_uri=asked.redirect_uri,
            challenge=asked.challenge,
            proof_key=asked.proof_key,
            random=site.random,
            now=ctx.now,
        )

    facts = Facts({"clientId": asked.client.id, "redirectUri": asked.redirect_uri, "scope": "openid"})
    try:
        code = site.calls.act(visit, "signin", "AuthorizeOAuth2Access", check, facts, issue)
    except CallFailedError as error:
        await site.gateway.settled()
        return _consent(visit, session, asked, str(error), 403)
    await site.gateway.settled()
    answer = urlencode({"code": code, "state": asked.state}, quote_via=quote)
    if asked.client.place == "localhost":
        return redirect(visit.call, f"{asked.redirect_uri}?{answer}", visit.cookies)
    shown = base64.b64encode(urlencode({"state": asked.state, "code": code}, quote_via=quote).encode()).decode()
    return visit.page("confirmation.html", {"code": shown})


async def confirmation(_site: Site, visit: Visit) -> Response:
    """Where a code for another device would lead: it is shown with the answer to the form, and never part of an address."""
    return visit.page("confirmation.html", {"code": ""})
