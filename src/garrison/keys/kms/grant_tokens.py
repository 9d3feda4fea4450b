"""Grant tokens: sealed, and good for naming one grant at once.

A grant takes effect on every node within a stated bound; a node that is shown a grant's token looks at once. The token gives
nothing by itself: the caller must be the one whom the grant names. Source: KMS Developer Guide, "Using a grant token".
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from typing import NamedTuple

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.keys.kms import errors

_PURPOSE = "kms-grant-token"
_BAD = "kms:bad-grant-token"


class Named(NamedTuple):
    """The grant that a token names."""

    region: str
    key_id: str
    grant_id: str


def make(ctx: Context, named: Named) -> str:
    """A new token; each differs, and all of one grant are equally good."""
    return b64encode(ctx.ports.sealer.seal(_PURPOSE, "/".join(named).encode())).decode()


def read(ctx: Context, token: str) -> Named:
    """The grant of a token that CreateGrant gave out in this Region. Raises InvalidGrantTokenException."""
    try:
        raw = b64decode(token.encode("ascii"), validate=True)
        text = ctx.ports.sealer.unseal(_PURPOSE, raw).decode()
    except (NotBase64, ValueError):
        raise errors.grant_token() from None
    named = Named(*text.split("/"))
    # Base64 has several spellings of one value, and only ours is a token.
    if named.region != ctx.region or b64encode(raw).decode() != token:
        raise errors.grant_token()
    return named


def honour(ctx: Context, tokens: Sequence[str] | None) -> None:
    """Have the grants of these tokens known to this process before the call is decided.

    A token that is none is refused by :func:`must_be_good`, once the caller is authorized.
    """
    try:
        for token in tokens or ():
            ctx.ports.keys.grants.look_for(*read(ctx, token))
    except api.InvalidGrantTokenException:
        ctx.scratch[_BAD] = True


def must_be_good(ctx: Context) -> None:
    """Raises InvalidGrantTokenException where a token of the request was none."""
    if _BAD in ctx.scratch:
        raise errors.grant_token()
