"""CreateOAuth2Token: a command line's credentials, for a code or a refresh token (``aws login``).

The request is not signed: code or token, PKCE and the client's key prove who calls, and the call is then authorized as that
caller's (``signin:CreateOAuth2Token``), as AWS's policy SignInLocalDevelopmentAccess has it. Each check fails before anything is
made.

Sources: AWS Sign-In API Reference, CreateOAuth2Token; RFC 6749, 7636 and 9449.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

from garrison.api import signin as api
from garrison.core.context import ADDITIONAL, Context
from garrison.core.errors import CommonError
from garrison.core.operation import Keys, Target, operation
from garrison.core.ports import Transaction
from garrison.identity.signin import codes, dpop, refresh, sessions
from garrison.identity.signin.clients import CLIENTS, is_own
from garrison.identity.signin.codes import Code
from garrison.identity.signin.dpop import Proof
from garrison.identity.signin.once import use_up
from garrison.identity.signin.sessions import Minted, Session

PATH = "/v1/token"
_ID_TOKEN = "id-token"  # noqa: S105 - the purpose of a key
_NOT_VALID = "The authorization code, client, redirect URI or code verifier is not valid."
_Body = api.CreateOAuth2TokenRequestBody


def prove_client(ctx: Context, req: api.CreateOAuth2TokenRequest) -> Any:  # noqa: ANN401 - identity.principals.Credential
    """Whose token it will be. Raises ValidationException, AccessDeniedException with one of AWS's reasons."""
    body = req.token_input
    proof = ctx.scratch["proof"] = _proof(ctx)
    if body.grant_type == "authorization_code":
        origin = _of_code(ctx, body, proof)
        ctx.scratch["origin"] = origin
    else:
        origin = ctx.scratch["session"] = _of_token(ctx, body, proof)
    minted = ctx.scratch["minted"] = sessions.mint(ctx.ports.sealer, origin, ctx.random, ctx.now)
    try:
        return ctx.ports.principals.credential(minted.access_key_id, minted.token, ctx.now)
    except CommonError:
        # The user, its role or its account is gone.
        _deny(sessions.CHANGED)


def token_target(ctx: Context, req: api.CreateOAuth2TokenRequest) -> Target:
    """The client, as a resource of the caller's account."""
    return CLIENTS[req.token_input.client_id].target(ctx.region, ctx.account)


def token_keys(ctx: Context, req: api.CreateOAuth2TokenRequest) -> Keys:
    """Condition keys of the call (service authorization reference for AWS Signin)."""
    body = req.token_input
    code: Code | None = ctx.scratch.get("code")
    keys = {
        "signin:OAuthClientId": body.client_id,
        "signin:OAuthGrantType": body.grant_type,
        "signin:OAuthClientAuthentication": "none",
    }
    return keys if code is None else {**keys, "signin:OAuthRedirectUri": code.redirect_uri}


def token_on_record(req: api.CreateOAuth2TokenRequest) -> Mapping[str, Any]:
    """What its event shows: neither code nor token nor verifier."""
    body = req.token_input
    shown = {"clientId": body.client_id, "grantType": body.grant_type, "redirectUri": body.redirect_uri}
    return {name: value for name, value in shown.items() if value is not None}


@operation(
    "signin",
    resource=token_target,
    context=token_keys,
    auth="unsigned",
    proves=prove_client,
    audit_request=token_on_record,
    audit_response=False,
)
def create_oauth2_token(ctx: Context, req: api.CreateOAuth2TokenRequest) -> api.CreateOAuth2TokenResponse:
    """Credentials for 15 minutes, and a token to have them renewed with, for 12 hours.

    Raises ValidationException for a proof that was used before, and AccessDeniedException (AUTHCODE_EXPIRED, TOKEN_EXPIRED) where
    code or token was used meanwhile by somebody else.
    """
    proof: Proof = ctx.scratch["proof"]
    if not use_up(ctx.tx, proof.unique, proof.until, ctx.now):
        _invalid("The DPoP proof was used before.")
    if "origin" in ctx.scratch:
        return _first(ctx, req.token_input, proof)
    return _renewed(ctx)


# What proves


def _proof(ctx: Context) -> Proof:
    if len(ctx.call.proofs) != 1:
        _invalid("The request must have one DPoP header.")
    try:
        return dpop.verify(ctx.call.proofs[0], method="POST", is_own=lambda uri: is_own(uri, ctx.call, PATH), now=ctx.now)
    except dpop.BadProofError as error:
        _invalid(f"The DPoP proof {error}.")


def _of_code(ctx: Context, body: _Body, proof: Proof) -> Session:
    """The browser's session that allowed a code."""
    code, redirect, verifier = body.code, body.redirect_uri, body.code_verifier
    for name, value in (("code", code), ("redirectUri", redirect), ("codeVerifier", verifier)):
        if value is None:
            _invalid(f"{name} is required when grantType is authorization_code.")
    found = codes.find(ctx.tx, code or "")
    if found is None:
        _invalid(_NOT_VALID)
    if found.used_at is not None:
        # Whoever used it first may have been the thief: nobody goes on with what it opened.
        ctx.though_failed.append(partial(_end_opened, found, ctx.now))
        _deny("AUTHCODE_EXPIRED")
    if not found.is_for(body.client_id, redirect or "", verifier or "", proof.thumbprint):
        ctx.though_failed.append(partial(_burn, found, ctx.now))
        _invalid(_NOT_VALID)
    if ctx.now >= found.expires_at:
        _deny("AUTHCODE_EXPIRED")
    ctx.scratch["code"] = found
    origin = sessions.find(ctx.tx, found.origin)
    why = sessions.EXPIRED if origin is None else sessions.over(ctx.tx, origin, ctx.now)
    if origin is None or why:
        _deny(why)
    return origin


def _of_token(ctx: Context, body: _Body, proof: Proof) -> Session:
    """The session that a refresh token is of."""
    if body.refresh_token is None:
        _invalid("refreshToken is required when grantType is refresh_token.")
    told = refresh.unseal(ctx.ports.sealer, body.refresh_token)
    if told is None:
        _invalid("The refresh token is not valid.")
    found = sessions.find(ctx.tx, told.session_id)
    if found is None:
        _deny(sessions.EXPIRED)
    if found.client != body.client_id or found.proof != proof.thumbprint:
        _invalid("The refresh token is not this client's.")
    why = sessions.over(ctx.tx, found, ctx.now)
    if why:
        _deny(why)
    if not told.is_present(found, ctx.now):
        ctx.though_failed.append(partial(_end_session, found.session_id, ctx.now))
        _deny(sessions.EXPIRED)
    ctx.scratch["rotates"] = told.generation == found.generation
    return found


def _end_opened(code: Code, now: float, tx: Transaction) -> None:
    if code.opened is not None:
        sessions.end(tx, code.opened, sessions.EXPIRED, now)


def _burn(code: Code, now: float, tx: Transaction) -> None:
    codes.use(tx, code, None, now)


def _end_session(session_id: str, now: float, tx: Transaction) -> None:
    sessions.end(tx, session_id, sessions.EXPIRED, now)


# What is made


def _first(ctx: Context, body: _Body, proof: Proof) -> api.CreateOAuth2TokenResponse:
    origin: Session = ctx.scratch["origin"]
    opened = sessions.open_client(
        ctx.tx,
        ctx.ports.sealer,
        origin,
        body.client_id,
        proof.thumbprint,
        random=ctx.random,
        now=ctx.now,
        user_agent=ctx.call.user_agent,
    )
    if not codes.use(ctx.tx, ctx.scratch["code"], opened.session_id, ctx.now):
        _deny("AUTHCODE_EXPIRED")
    minted = sessions.mint(ctx.ports.sealer, opened, ctx.random, ctx.now)
    return _answer(ctx, opened, minted, 0, _id_token(ctx, opened))


def _renewed(ctx: Context) -> api.CreateOAuth2TokenResponse:
    session: Session = ctx.scratch["session"]
    generation = session.generation
    if ctx.scratch["rotates"]:
        if not sessions.rotate(ctx.tx, session, ctx.now, ctx.call.user_agent):
            _deny(sessions.EXPIRED)
        generation += 1
    return _answer(ctx, session, ctx.scratch["minted"], generation, None)


def _answer(
    ctx: Context, session: Session, minted: Minted, generation: int, id_token: str | None
) -> api.CreateOAuth2TokenResponse:
    ctx.scratch[ADDITIONAL] = {"signInSessionArn": session.arn}
    output = api.CreateOAuth2TokenResponseBody(
        access_token=api.AccessToken(
            access_key_id=minted.access_key_id, secret_access_key=minted.secret, session_token=minted.token
        ),
        token_type="aws_sigv4",  # noqa: S106 - the type's name
        expires_in=max(1, int(minted.expires_at - ctx.now)),
        refresh_token=refresh.seal(ctx.ports.sealer, session.session_id, generation),
        id_token=id_token,
    )
    return api.CreateOAuth2TokenResponse(token_output=output)


def _id_token(ctx: Context, session: Session) -> str:
    """Who signed in, for the client alone that has it straight from here: by its signature (HS256) only Garrison itself knows it.

    ``sub`` is what the client calls the session. Source: OpenID Connect Core 1.0, sections 2 and 3.1.3.7.
    """
    claims = {
        "iss": "signin.amazonaws.com",
        "sub": ctx.principal.arn,
        "aud": session.client,
        "iat": int(ctx.now),
        "exp": int(ctx.now) + sessions.CREDENTIAL_SECONDS,
        "signin_session": session.arn,
    }
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    signed = ".".join(dpop.encoded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{dpop.encoded(ctx.ports.sealer.mac(_ID_TOKEN, signed.encode()))}"


# Errors


def _invalid(message: str) -> NoReturn:
    raise api.ValidationException(message, error="INVALID_REQUEST")


_REASONS = {
    "AUTHCODE_EXPIRED": "The authorization code has expired.",
    sessions.EXPIRED: "The session has expired.",
    sessions.CHANGED: "The credentials of the user have changed.",
}


def _deny(reason: str) -> NoReturn:
    raise api.AccessDeniedException(_REASONS[reason], error=reason)
