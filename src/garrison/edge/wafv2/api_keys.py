"""API keys of the client integration: each stands for the domains whose pages may ask for tokens with it.

A key is made of nothing but randomness; what it stands for is in its row, so that it ends with the row.

Sources: AWS WAF API reference, CreateAPIKey; "AWS WAF quotas".
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Final

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.edge.wafv2 import errors
from garrison.edge.wafv2.names import checked_scope
from garrison.edge.wafv2.pages import Pager

_BYTES: Final = 96
VERSION: Final = 1
KEYS: Final = 30
"""An account's keys in a Region and scope."""
DOMAINS: Final = 5


@operation("wafv2", resource="*")
def create_api_key(ctx: Context, req: api.CreateAPIKeyRequest) -> api.CreateAPIKeyResponse:
    """Make a key for up to five domains. Raises WAFInvalidParameterException, WAFLimitsExceededException (30 keys)."""
    scope = checked_scope(ctx, req.scope)
    domains = list(dict.fromkeys(req.token_domains))
    if len(domains) > DOMAINS:
        raise errors.invalid("TOKEN_DOMAIN", "TokenDomains", f"A key is for {DOMAINS} domains at most.")
    for each in domains:
        if "/" in each or "." not in each.strip("."):
            raise errors.invalid("TOKEN_DOMAIN", each, "The domain is not valid.")
    count = ctx.tx.one(f"SELECT count(*) FROM waf_api_key WHERE {_PLACE}", ctx.account, ctx.region, scope)  # noqa: S608 - a constant
    if count is not None and count[0] >= KEYS:
        raise errors.limit("API_KEY")
    text = b64encode(ctx.random(_BYTES)).decode()
    ctx.tx.run(
        "INSERT INTO waf_api_key (account, region, scope, id, api_key, domains, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
        *(ctx.account, ctx.region, scope, ctx.uuid(), text, json.dumps(domains)),
        ctx.now,
    )
    return api.CreateAPIKeyResponse(api_key=text)


@operation("wafv2", resource="*", read=True)
def get_decrypted_api_key(ctx: Context, req: api.GetDecryptedAPIKeyRequest) -> api.GetDecryptedAPIKeyResponse:
    """The domains of a key, and when it was made. Raises WAFNonexistentItemException."""
    _, domains, created = _existing(ctx, checked_scope(ctx, req.scope), req.api_key)
    return api.GetDecryptedAPIKeyResponse(token_domains=json.loads(domains), creation_timestamp=created)


@operation("wafv2", resource="*")
def delete_api_key(ctx: Context, req: api.DeleteAPIKeyRequest) -> api.DeleteAPIKeyResponse:
    """Take a key away. Raises WAFNonexistentItemException."""
    scope = checked_scope(ctx, req.scope)
    identifier, _, _ = _existing(ctx, scope, req.api_key)
    ctx.tx.run(f"DELETE FROM waf_api_key WHERE {_PLACE} AND id = ?", ctx.account, ctx.region, scope, identifier)  # noqa: S608 - a constant
    return api.DeleteAPIKeyResponse()


@operation("wafv2", resource="*", read=True)
def list_api_keys(ctx: Context, req: api.ListAPIKeysRequest) -> api.ListAPIKeysResponse:
    """The keys of a scope, with their domains."""
    scope = checked_scope(ctx, req.scope)
    pager = Pager(ctx, req, scope)
    rows = ctx.tx.all(
        f"SELECT id, api_key, domains, created FROM waf_api_key WHERE {_PLACE} AND id > ? ORDER BY id LIMIT ?",  # noqa: S608 - a constant
        *(ctx.account, ctx.region, scope, pager.after),
        pager.limit + 1,
    )
    page, marker = pager.cut(rows, lambda row: str(row[0]))
    shown = [
        api.APIKeySummary(token_domains=json.loads(domains), api_key=text, creation_timestamp=created, version=VERSION)
        for _, text, domains, created in page
    ]
    return api.ListAPIKeysResponse(api_key_summaries=shown, next_marker=marker)


_PLACE: Final = "account = ? AND region = ? AND scope = ?"


def _existing(ctx: Context, scope: str, text: str) -> tuple[str, str, float]:
    """Id, domains (JSON) and time of a key. Raises WAFNonexistentItemException."""
    where = f"SELECT id, domains, created FROM waf_api_key WHERE {_PLACE} AND api_key = ?"  # noqa: S608 - a constant
    row = ctx.tx.one(where, ctx.account, ctx.region, scope, text)
    if row is None:
        raise errors.nonexistent()
    return row[0], row[1], row[2]
