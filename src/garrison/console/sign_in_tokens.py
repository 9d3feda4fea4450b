"""``/federation``: a program's temporary credentials become a browser's session.

A broker asks for a sign-in token with credentials of AssumeRole or GetFederationToken, and sends its user here with it, within 15
minutes and once. The user sees whose session it is and goes on by a form: no link alone signs anybody in as somebody else.
Source: IAM User Guide, "Enable custom identity broker access to the AWS console".
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec

from garrison.audit import user_identity
from garrison.console.answers import document, redirect
from garrison.console.events import sign_in_event
from garrison.console.sign_in import begin
from garrison.console.site import Site
from garrison.console.visits import HOME, RefusedFormError, Visit, next_of, text_of
from garrison.core.errors import CommonError
from garrison.core.http import Request, Response
from garrison.core.ports import Transaction
from garrison.core.principal import Principal
from garrison.identity.principals import Credential
from garrison.identity.signin import sessions
from garrison.identity.signin.once import use_up
from garrison.identity.signin.sessions import Who
from garrison.identity.tokens import Grant, open_token

PATH = "/federation"
TOKEN_SECONDS = 900
LEAST, MOST = 900, 43_200
"""SessionDuration, seconds."""
CHAINED = 3600
_PURPOSE = "signin-token"
_MAX_SESSION = 48 * 1024
_MAX_TOKEN = 96 * 1024


class _Token(msgspec.Struct, array_like=True, frozen=True):
    """What a sign-in token says."""

    access_key_id: str
    grant: Grant
    ends: float
    until: float
    unique: bytes


def is_ours(request: Request) -> bool:
    """Whether it is the federation endpoint's: a bucket may be called ``federation``, and its requests have no such action."""
    return request.path == PATH and any(f"Action={name}" in request.query for name in ("getSigninToken", "login", "logout"))


async def federation(site: Site, visit: Visit) -> Response:
    """Both actions: programs ask with GET or POST, browsers come with GET."""
    action = visit.query.get("Action", "")
    if action == "getSigninToken":
        return _token(site, visit)
    if action == "logout":
        return redirect(visit.call, HOME, visit.cookies)
    return _offer(site, visit)


# A program's part


def _token(site: Site, visit: Visit) -> Response:
    fields = {**visit.query, **(visit.form if visit.request.method == "POST" and visit.request.body else {})}
    try:
        token = _made(site, visit, fields)
    except RefusedFormError as error:
        return document(visit.call, error.status, "text/plain", str(error).encode())
    return document(visit.call, 200, "application/json", json.dumps({"SigninToken": token}).encode())


def _made(site: Site, visit: Visit, fields: dict[str, str]) -> str:
    key, secret, token = _session(fields.get("Session", ""))
    try:
        site.store.refresh()
        credential = site.gateway.principals.credential(key, token, visit.now)
        grant = open_token(site.sealer, key, token, visit.now)
    except CommonError:
        _refuse("The credentials are not valid.", 403)
    if not hmac.compare_digest(credential.secret.encode(), secret.encode("utf-8", "replace")):
        _refuse("The credentials are not valid.", 403)
    if grant.delegation:
        # A session of this one's own length would outlast what was delegated.
        _refuse("The credentials were delegated to a partner, and open no console.", 403)
    if grant.kind not in {"assume-role", "federation-token"}:
        _refuse("The credentials must be of AssumeRole or GetFederationToken.", 400)
    ends = _ends(site, fields.get("SessionDuration", ""), credential, grant, visit.now)
    made = _Token(key, grant, ends, visit.now + TOKEN_SECONDS, site.random(16))
    return site.sealer.seal(_PURPOSE, msgspec.msgpack.encode(made)).hex()


def _session(text: str) -> tuple[str, str, str]:
    """``{"sessionId": …, "sessionKey": …, "sessionToken": …}``."""
    if not text or len(text) > _MAX_SESSION:
        _refuse("Session must be the JSON of temporary credentials.", 400)
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        _refuse("Session must be the JSON of temporary credentials.", 400)
    names = ("sessionId", "sessionKey", "sessionToken")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) and found[name] for name in names):
        _refuse("Session must hold sessionId, sessionKey and sessionToken.", 400)
    return found["sessionId"], found["sessionKey"], found["sessionToken"]


def _ends(site: Site, asked: str, credential: Credential, grant: Grant, now: float) -> float:
    """When the session ends: with the credentials, or as SessionDuration says where it may."""
    if not asked:
        return grant.expires_at
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 10) or not LEAST <= int(asked) <= MOST:
        _refuse(f"SessionDuration must be a number of seconds from {LEAST} to {MOST}.", 400)
    if grant.kind == "federation-token":
        _refuse("SessionDuration cannot be used with credentials of GetFederationToken.", 400)
    if grant.signin_session:
        # They are renewed for as long as their own session lasts: a longer one made of them would never need to end.
        _refuse("SessionDuration cannot be used with credentials of a sign-in session.", 400)
    session = credential.principal.session
    role = site.gateway.principals.role(session.issuer_arn) if session is not None else None
    longest = min(MOST, role.max_session_duration if role is not None else 0)
    if grant.chained:
        longest = min(longest, CHAINED)
    if int(asked) > longest:
        _refuse("SessionDuration is longer than the role's session may be.", 400)
    return now + int(asked)


def _refuse(message: str, status: int) -> NoReturn:
    raise RefusedFormError(message, status)


# A browser's part


def _offer(site: Site, visit: Visit) -> Response:
    """Whose session it would be, and a form to go on."""
    text = visit.query.get("SigninToken", "")
    token = _opened(site, text, visit.now)
    principal = as_whom(site, msgspec.structs.replace(token.grant, expires_at=token.ends), visit.now)
    destination = _destination(visit, visit.query.get("Destination", ""))
    _check_issuer(text_of(visit.query, "Issuer", 2048))
    return visit.page("federation.html", {"token": text, "next": destination, "arn": principal.arn})


async def login(site: Site, visit: Visit) -> Response:
    """Open the session, once."""
    token = _opened(site, visit.form.get("token", ""), visit.now)
    grant = msgspec.structs.replace(token.grant, expires_at=token.ends)
    principal = as_whom(site, grant, visit.now)
    with site.store.writing() as tx:
        if not use_up(tx, hashlib.sha256(token.unique).digest(), token.until, site.now()):
            _refuse("The sign-in token was used before.", 403)
        cookies = open_lent(site, visit, tx, grant, principal)
    await site.gateway.settled()
    return redirect(visit.call, next_of(visit.form.get("next", "")), cookies)


def _opened(site: Site, text: str, now: float) -> _Token:
    """Raises RefusedFormError for a token that is none of ours, or too old."""
    if len(text) > _MAX_TOKEN:
        _refuse("The sign-in token is not valid.", 403)
    try:
        token = msgspec.msgpack.decode(site.sealer.unseal(_PURPOSE, bytes.fromhex(text)), type=_Token)
    except (ValueError, msgspec.DecodeError):
        _refuse("The sign-in token is not valid.", 403)
    if now >= token.until or now >= token.ends:
        _refuse("The sign-in token has expired.", 403)
    return token


def open_lent(
    site: Site, visit: Visit, tx: Transaction, grant: Grant, principal: Principal, **more: str
) -> list[tuple[str, str]]:
    """Open a session that goes on with a role's or federated user's, as long as that lasts; the cookies of it.

    ``more`` is what else ConsoleLogin tells.
    """
    now = site.now()
    ends = min(grant.expires_at, now + sessions.longest(site.store.reading(), grant.account, grant.owner_id))
    arn = principal.session.issuer_arn if principal.kind == "assumed-role" and principal.session is not None else principal.arn
    name = f"{principal.name}/{grant.session_name}" if principal.kind == "assumed-role" else grant.session_name
    lent = msgspec.structs.replace(grant, expires_at=ends)
    cookies = begin(site, visit, tx, Who(grant.account, grant.owner_id, arn, name, None, lent, grant.mfa_at), now, ends)
    identity = user_identity(principal)
    identity.access_key_id, identity.session_context = "", None
    mfa = "Yes" if grant.mfa_at is not None else "No"
    additional = {"LoginTo": f"{visit.origin}{HOME}", "MobileVersion": "No", "MFAUsed": mfa, **more}
    site.record(sign_in_event(visit.call, "ConsoleLogin", identity, now=now, region=site.region, additional=additional))
    return cookies


def as_whom(site: Site, grant: Grant, now: float) -> Principal:
    """As whom the session is, as of now: a role that is gone takes its tokens along. Raises RefusedFormError."""
    session = sessions.passing(
        Who(grant.account, grant.owner_id, "", "", None, grant),
        sessions.Seen(site.region, ""),
        site.random,
        now,
        grant.expires_at,
    )
    minted = sessions.mint(site.sealer, sessions.standing_for(site.sealer, session, grant), site.random, now)
    try:
        return site.gateway.principals.credential(minted.access_key_id, minted.token, now).principal
    except CommonError:
        _refuse("The sign-in token is not valid.", 403)


def _destination(visit: Visit, text: str) -> str:
    """A page of ours: what is AWS's own console leads to ours, and what is anybody else's nowhere."""
    if not text:
        return HOME
    try:
        parsed = urlsplit(text)
        host = (parsed.hostname or "").lower()
    except ValueError:
        _refuse("The Destination is not a page of this console.", 400)
    if not parsed.scheme and not parsed.netloc and next_of(text) == text:
        return text
    path = parsed.path + (f"?{parsed.query}" if parsed.query else "")
    if f"{parsed.scheme}://{parsed.netloc}" in {visit.origin, f"https://{visit.call.host}"}:
        return next_of(path)
    if parsed.scheme == "https" and (host == "console.aws.amazon.com" or host.endswith(".console.aws.amazon.com")):
        return HOME
    _refuse("The Destination is not a page of this console.", 400)


def _check_issuer(text: str) -> None:
    if text and not text.startswith(("https://", "http://")):
        _refuse("The Issuer must be a URL.", 400)
