"""Who may retire a grant.

The grant says it: its retiring principal; its grantee, where RetireGrant is among its operations; and, by way of their identity
policies, the accounts that issued it or own the key. The key policy cannot allow it, but it can deny it.
Source: KMS Developer Guide, "Retiring and revoking grants".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from msgspec import structs

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import Target
from garrison.core.principal import Principal
from garrison.keys.kms import conditions, errors, grant_tokens, names
from garrison.keys.kms.live import LiveKey, key_arn
from garrison.keys.kms.live_grants import LiveGrant, identities, select
from garrison.policy import Grant, Granted, Policy, Request, compile_policy


@dataclass(frozen=True, slots=True)
class Named:
    """A grant as RetireGrant names it."""

    of: names.Named
    grant_id: str
    grant: LiveGrant | None
    """None where it is gone, or never was."""

    @property
    def key(self) -> LiveKey:
        """Its key. Raises NotFoundException."""
        return self.of.key


def named(ctx: Context, req: api.RetireGrantRequest) -> Named:
    """The grant of a token, or of a key and a grant id.

    Raises ValidationException where neither, or both, are there; InvalidGrantTokenException.
    """
    found: Named | None = ctx.scratch.get("kms:retiring")
    if found is None:
        found = ctx.scratch["kms:retiring"] = _named(ctx, req)
    return found


def _named(ctx: Context, req: api.RetireGrantRequest) -> Named:
    by_id = req.key_id is not None or req.grant_id is not None
    if by_id == (req.grant_token is not None) or (by_id and (req.key_id is None or req.grant_id is None)):
        raise errors.which_grant()
    if req.grant_token is not None:
        token = grant_tokens.read(ctx, req.grant_token)
        live = names.live_keys(ctx).find(ctx.tx, token.region, token.key_id)
        arn = live.arn if live is not None else key_arn(ctx.region, ctx.account, token.key_id, ctx.partition)
        key, grant_id = names.named(ctx, arn, aliases=False), token.grant_id
    else:
        key, grant_id = names.named(ctx, req.key_id or "", aliases=False), req.grant_id or ""
    return Named(key, grant_id, _read(ctx, key, grant_id))


def _read(ctx: Context, key: names.Named, grant_id: str) -> LiveGrant | None:
    if key.found is None:
        return None
    row = ctx.tx.one(select("WHERE region = ? AND key_id = ? AND grant_id = ?"), key.found.region, key.found.key_id, grant_id)
    return None if row is None else LiveGrant.of(row)


def target(ctx: Context, req: api.RetireGrantRequest) -> Target:
    """The key, with the grant deciding in the place of its policy."""
    found = named(ctx, req)
    key = found.of.found
    if key is None:
        return found.of.target

    def allows(request: Request) -> Granted | None:
        level = _level(found.grant, key.account, request.principal)
        return Granted(found.grant_id, level, trusted=True) if level else None

    return structs.replace(found.of.target, policy=_denials(key.target.policy.document.text), policy_decides=True, grants=allows)


def _level(grant: LiveGrant | None, owner: str, principal: Principal) -> Grant:
    """How directly a caller may retire a grant."""
    levels = identities(principal)
    found = Grant.ACCOUNT if principal.account == owner else Grant.NONE
    if grant is None:
        return found
    if principal.account == grant.issuing_account:
        found = Grant.ACCOUNT
    if grant.retiring:
        found = max(found, levels.get(grant.retiring, Grant.NONE))
    if "RetireGrant" in grant.operations:
        found = max(found, levels.get(grant.grantee, Grant.NONE))
    return found


@lru_cache(maxsize=1024)
def _denials(text: str) -> Policy | None:
    """A key policy without its Allow statements."""
    document = json.loads(text)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    document["Statement"] = [statement for statement in statements if statement["Effect"] == "Deny"]
    if not document["Statement"]:
        return None
    return compile_policy(json.dumps(document), "resource", id="key policy", name="default")


def context(ctx: Context, req: api.RetireGrantRequest) -> dict[str, Any]:
    """The caller, and the constraints of the grant."""
    grant = named(ctx, req).grant
    found = conditions.caller(ctx)
    if grant is None:
        return found
    kind = next((name for name in grant.document if name != "SourceArn"), "")
    if kind:
        found |= {"kms:GrantConstraintType": kind, **conditions.encryption_context(grant.document[kind])}
    return found
