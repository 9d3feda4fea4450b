"""OpenID Connect ID tokens: read, verified by their issuer's keys, and their claims held against the provider. Pure.

The signature is verified by joserfc, by a key of the issuer alone and one of the algorithms that AWS takes: no header names its
own key (``jwk``, ``jku``, ``x5c``, ``x5u`` are never looked at), none makes a signature needless (``alg`` none, ``crit``,
``b64``).

Sources: RFC 7515, RFC 7519, RFC 8725; OpenID Connect Core 1.0, section 3.1.3.7; IAM User Guide, "OIDC federation" (five minutes
beyond ``exp``), "Create an OpenID Connect (OIDC) identity provider in IAM" (``azp`` stands for ``aud``) and "Pass session tags in
AWS STS"; STS API Reference, AssumeRoleWithWebIdentity. Texts as AWS answered them in 2021 to 2026.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from garrison.api import sts as api
from garrison.identity.federation.keysets import ALGORITHMS, Keys

if TYPE_CHECKING:
    from joserfc.jws import JWSRegistry

MAX_CHARACTERS = 20_000
LEEWAY = 300
"""Seconds by which the clocks of issuer and server may differ."""
MAX_SUBJECT = 255
_PART = re.compile(r"[A-Za-z0-9_-]+")
_REFUSED_HEADERS = frozenset({"crit", "b64", "enc", "zip"})

NOT_A_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
NOT_VALID = "The web identity token provided could not be validated"
AUDIENCE = "Incorrect token audience"

Claims = Mapping[str, Any]


def refuse(message: str) -> NoReturn:
    """Raises InvalidIdentityToken."""
    raise api.InvalidIdentityTokenException(message)


class Unverified(NamedTuple):
    """What a token says before anything is proven: enough to find out whose keys would prove it."""

    text: str
    issuer: str
    kid: str | None
    algorithm: str


class Audience(NamedTuple):
    """Whom a token is for."""

    client: str
    """``azp``, or ``aud`` where there is none: it must be one of the provider's client ids."""
    original: str
    """``aud``"""


def read(text: str) -> Unverified:
    """Whose token it says it is. Raises InvalidIdentityToken."""
    parts = text.split(".")
    if len(text) > MAX_CHARACTERS or len(parts) != 3 or not all(map(_PART.fullmatch, parts)):
        refuse(NOT_A_JWT)
    header, claims = _document(parts[0]), _document(parts[1])
    kid, algorithm, issuer = header.get("kid"), header.get("alg"), claims.get("iss")
    if algorithm not in ALGORITHMS or _REFUSED_HEADERS & header.keys() or (kid is not None and not isinstance(kid, str)):
        refuse(NOT_VALID)
    if not isinstance(issuer, str) or not issuer:
        refuse("Missing a required claim: iss")
    if not issuer.isprintable():
        refuse(NOT_VALID)
    return Unverified(text, issuer, kid, str(algorithm))


def verify(token: Unverified, keys: Keys) -> Claims:
    """The claims, once one of the issuer's keys proves them. Raises InvalidIdentityToken."""
    from joserfc import jws  # noqa: PLC0415 - loading it costs a twentieth of a start
    from joserfc.errors import JoseError  # noqa: PLC0415 - the same

    fitting = keys.fitting(token.kid, token.algorithm)
    if not fitting:
        refuse(NO_KEY)
    registry = _registry(token.algorithm)
    for one in fitting:
        try:
            payload = jws.deserialize_compact(token.text, one.key, registry=registry).payload
        except (JoseError, ValueError, TypeError):
            continue
        return _parsed(payload or b"")
    refuse(NOT_VALID)


def check(claims: Claims, *, issuer: str, client_ids: Sequence[str], now: float) -> Audience:
    """Hold verified claims against the provider and the time; whom they are for.

    Raises InvalidIdentityToken, ExpiredToken.
    """
    if claims.get("iss") != issuer:
        refuse(NOT_VALID)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        refuse("Missing a required claim: sub")
    if len(subject) > MAX_SUBJECT:
        refuse(NOT_VALID)
    _check_times(claims, now)
    return _audience(claims, client_ids)


def _check_times(claims: Claims, now: float) -> None:
    expires = _seconds(claims, "exp")
    issued = _seconds(claims, "iat")
    if expires is None or issued is None:
        refuse(f"Missing a required claim: {'exp' if expires is None else 'iat'}")
    if now >= expires + LEEWAY:
        raise api.ExpiredTokenException(
            f"Token expired: current date/time {int(now)} must be before the expiration date/time {expires}"
        )
    for begins in (issued, _seconds(claims, "nbf")):
        if begins is not None and begins > now + LEEWAY:
            refuse(f"Token is not yet valid: current date/time {int(now)} must be after the date/time {begins}")


def _seconds(claims: Claims, name: str) -> int | None:
    """A time. AWS takes integers alone."""
    found = claims.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int):
        refuse(f"The claim {name} must be an integer")
    return int(found)


def _audience(claims: Claims, client_ids: Sequence[str]) -> Audience:
    given = claims.get("aud")
    named = [given] if isinstance(given, str) else given
    if not isinstance(named, list) or not named or not all(isinstance(each, str) for each in named):
        refuse("Missing a required claim: aud")
    party = claims.get("azp")
    if party is not None:
        if not isinstance(party, str) or party not in client_ids:
            refuse(AUDIENCE)
        return Audience(party, str(named[0]))
    found = next((each for each in named if each in client_ids), None)
    if found is None:
        refuse(AUDIENCE)
    return Audience(found, found)


# Reading


def _document(part: str) -> Mapping[str, Any]:
    try:
        return _parsed(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error):
        refuse(NOT_A_JWT)


def _parsed(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        # Half a surrogate pair is no character: it cannot be looked up, kept or answered.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        refuse(NOT_A_JWT)
    if not isinstance(found, dict):
        refuse(NOT_A_JWT)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names occur once each: two readers must not read two different things."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _registry(algorithm: str) -> JWSRegistry:
    """For one algorithm, the one in the token's header, which was found to be one of ours."""
    from joserfc.jws import JWSRegistry  # noqa: PLC0415 - as above

    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = MAX_CHARACTERS
    registry.max_signature_length = MAX_CHARACTERS
    return registry
