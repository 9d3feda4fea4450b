"""Exchange tokens: what a customer releases to a partner, and the session that it is traded in for.

Source: IAM User Guide, "Exchange Tokens": a token is good for the account that asked alone, until the delegation's end, and
every session that it is traded in for ends then; STS API Reference, GetDelegatedAccessToken. The session is the approver's, as
it was when it accepted, and may do what the approver may and the request's policy allows: a partner never gets more than who
approved it has.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64

import msgspec

from garrison.core.ids import Random
from garrison.core.ports import Sealer
from garrison.core.principal import Principal
from garrison.identity.delegation.requests import RequestRow
from garrison.identity.tokens import Grant

_PURPOSE = "delegation-token"
_LONGEST = 1024


class BadTokenError(Exception):
    """No token of this installation, for this account."""


class Traded(msgspec.Struct, array_like=True, frozen=True):
    """What a token says."""

    request_id: str
    requestor: str
    ends: float
    unique: bytes


def make_token(sealer: Sealer, row: RequestRow, ends: float, random: Random) -> str:
    """A token for a request. It is sealed and says for whom it is; only its digest is kept."""
    sealed = sealer.seal(_PURPOSE, msgspec.msgpack.encode(Traded(row.id, row.requestor, ends, random(16))))
    return urlsafe_b64encode(sealed).decode()


def open_token(sealer: Sealer, token: str, account: str) -> Traded:
    """What a token says to the account that it was made for. Raises BadTokenError, the same one whatever is wrong."""
    if len(token) > _LONGEST or not token.isascii():
        raise BadTokenError
    try:
        sealed = urlsafe_b64decode(token.encode())
        found = msgspec.msgpack.decode(sealer.unseal(_PURPOSE, sealed), type=Traded)
    except (ValueError, NotBase64, msgspec.DecodeError) as error:
        raise BadTokenError from error
    if not hmac.compare_digest(found.requestor, account):
        raise BadTokenError
    return found


def digest(sealer: Sealer, token: str) -> bytes:
    """What is kept of a token."""
    return sealer.mac(_PURPOSE, token.encode("utf-8", "surrogatepass"))


def is_its_token(sealer: Sealer, row: RequestRow, token: str) -> bool:
    """Whether a token is the one that was made for a request."""
    return row.token_mac is not None and hmac.compare_digest(bytes(row.token_mac), digest(sealer, token))


def approver_grant(principal: Principal) -> str:
    """The identity that accepts, as JSON, without a secret.

    That it gave an MFA code is not handed on: whoever trades the token in gave none.
    """
    session = principal.session
    if principal.kind != "assumed-role" or session is None:
        scopes = session.scopes if session is not None else ()
        policies, arns = (session.policies, session.policy_arns) if session is not None else ((), ())
        grant = Grant(
            "delegated", principal.account, principal.id, "", 0.0, 0.0, policies=policies, policy_arns=arns, scopes=scopes
        )
    else:
        grant = Grant(
            "assume-role",
            principal.account,
            session.issuer_id,
            "",
            0.0,
            0.0,
            session_name=session.session_name,
            tags=session.tags,
            transitive_tags=session.transitive_tags,
            source_identity=session.source_identity,
            policies=session.policies,
            policy_arns=session.policy_arns,
            chained=session.chained,
            scopes=session.scopes,
            provider=session.provider,
            claims=session.claims,
        )
    return msgspec.json.encode(grant).decode()


def delegated_grant(row: RequestRow, secret: str) -> Grant:
    """The session of a released request.

    All sessions of one release are as old as the release: who denies what was issued before now denies every one of them.
    """
    approver = msgspec.json.decode(row.approver.encode(), type=Grant)
    return msgspec.structs.replace(
        approver,
        secret=secret,
        issued_at=row.released or 0.0,
        expires_at=row.access_ends,
        scopes=(*approver.scopes, row.policy),
        delegate=row.requestor,
        delegation=row.id,
    )
