"""Session tokens: sealed and self-contained.

A token carries all that a temporary credential is: whom it stands for, its secret, its session policies and
tags, when it ends. It is sealed (AES-256-GCM) with the access key id as associated data, so that a request with it
is verified without reading a database, and nothing in it can be read or altered outside. What it stands for is still
looked up on each call: a deleted role or user takes its tokens along, and a policy change bites at once. A token
is revoked the way AWS does it, by a deny on ``aws:TokenIssueTime``.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Literal

import msgspec

from garrison.core.errors import CommonError
from garrison.core.ports import Sealer

PURPOSE = "session-token"
MAX_TOKEN_CHARACTERS = 32 * 1024
"""A session's tags and policies at their limits seal to less than this."""

SessionKind = Literal["assume-role", "session-token", "federation-token", "assume-root", "sign-in", "delegated"]


class Grant(msgspec.Struct, array_like=True, frozen=True):
    """What is sealed. Fields are only ever added at the end."""

    kind: SessionKind
    account: str
    owner_id: str
    """AROA of the role, AIDA of the user, the account's number for its root user."""
    secret: str
    issued_at: float
    expires_at: float
    session_name: str = ""
    """RoleSessionName; the name of a federated user."""
    tags: Mapping[str, str] = {}
    transitive_tags: tuple[str, ...] = ()
    source_identity: str = ""
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    mfa_at: float | None = None
    chained: bool = False
    padding: str = ""
    """What makes a token at least as long as MinimumSessionTokenSize asks."""
    signin_session: str = ""
    """The ARN of the sign-in session that it was made for."""

    scopes: tuple[str, ...] = ()
    """Policies that scoped the session down, one layer each."""
    provider: str = ""
    """The ARN of the identity provider that vouched for the caller."""
    claims: Mapping[str, str | tuple[str, ...]] = {}
    """Condition keys from that provider's token that the session keeps."""
    delegate: str = ""
    """The account of the partner that the session was delegated to."""
    delegation: str = ""
    """The id of that delegation's request, which ends the session where it is revoked."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Grant)


def seal_token(sealer: Sealer, access_key_id: str, grant: Grant) -> str:
    """The session token for a temporary access key."""
    return b64encode(sealer.seal(PURPOSE, _encoder.encode(grant), access_key_id.encode())).decode()


def seal_token_of_size(sealer: Sealer, access_key_id: str, grant: Grant, least: int) -> str:
    """A session token of at least ``least`` characters."""
    token = seal_token(sealer, access_key_id, grant)
    while len(token) < least:
        grant = msgspec.structs.replace(grant, padding=grant.padding + "=" * (least - len(token)))
        token = seal_token(sealer, access_key_id, grant)
    return token


def open_token(sealer: Sealer, access_key_id: str, token: str, now: float) -> Grant:
    """What a token grants.

    Raises CommonError: ``unknown_access_key`` where it is not ours for this key, ``expired_token`` once it ended.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise CommonError("unknown_access_key")
    try:
        grant = _decoder.decode(sealer.unseal(PURPOSE, b64decode(token.encode(), validate=True), access_key_id.encode()))
    except (ValueError, NotBase64, UnicodeEncodeError, msgspec.DecodeError) as error:
        raise CommonError("unknown_access_key") from error
    if now >= grant.expires_at:
        raise CommonError("expired_token")
    return grant
