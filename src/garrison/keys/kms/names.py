"""What a ``KeyId`` names: key id, key ARN, alias name or alias ARN, of this account or another.

Nothing here raises for a key that is not there: the caller must be authorized first, and then hears AWS's text for it.
Sources: KMS API Reference, "DescribeKey", parameter KeyId; texts recorded on AWS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from msgspec import structs

from garrison.core.arn import parse_arn
from garrison.core.context import Context
from garrison.core.operation import Target
from garrison.core.principal import Principal
from garrison.keys.kms import errors, grant_tokens
from garrison.keys.kms.custom.outer import Outer
from garrison.keys.kms.live import LiveKey, LiveKeys, compiled, key_arn

_KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")

THIS_RESOURCE = "on this resource"
THIS_CIPHERTEXT = "on the resource associated with this ciphertext"
STRANGER = (
    "the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly"
    " denies access"
)
"""Why another account's key is refused: the same words whether it exists or not."""

_NOBODY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"kms:*","Resource":"*"}]}'
)
"""The key policy of a key of another account that does not exist: no account has that number, so it allows nobody."""


@dataclass(frozen=True, slots=True)
class Named:
    """A key as a request named it."""

    target: Target
    """What authorization decides on, also where there is no such key."""
    found: LiveKey | None
    missing: str
    """AWS's text where ``found`` is None."""
    alias: str = ""
    """``alias/…`` where the request named one."""
    check: Callable[[], None] | None = None
    """What else must hold before a handler gets the key."""

    @property
    def key(self) -> LiveKey:
        """The key. Raises NotFoundException, InvalidGrantTokenException; only a handler asks, after authorization."""
        if self.check is not None:
            self.check()
        if self.found is None:
            raise errors.not_found(self.missing)
        return self.found


def caller_of(ctx: Context, arn: str) -> dict[str, str]:
    """Who asks for what, for the other side of a custom key store (XKS Proxy API Specification, ``requestMetadata``)."""
    principal = ctx.principal
    role = principal.session.issuer_arn if principal.kind == "assumed-role" and principal.session is not None else ""
    found = {
        "awsPrincipalArn": role or principal.arn,
        "kmsKeyArn": arn,
        "kmsOperation": ctx.operation,
        "kmsRequestId": ctx.request_id,
    }
    return {**found, "kmsViaService": ctx.call.via} if ctx.call.via else found


def bound(ctx: Context, key: LiveKey) -> LiveKey:
    """The key for this call alone, where its material is in a custom key store, which is told who asks."""
    if key.custody is None:
        return key
    asked = caller_of(ctx, key.arn)
    mine = {name: one.asked_by(asked) for name, one in key.materials.items() if isinstance(one, Outer)}
    return replace(key, materials=mine, current=mine.get(key.current.id) if key.current is not None else None)


def waits(ctx: Context, key_id: str | None) -> bool:
    """Whether the key that a request names is in a custom key store: what uses it waits for the other side."""
    found = named(ctx, key_id).found if key_id is not None else None
    return found is not None and found.custody is not None


def live_keys(ctx: Context) -> LiveKeys:
    """The live keys of this process."""
    keys: LiveKeys = ctx.ports.keys
    return keys


def own(ctx: Context, key_id: str) -> Named:
    """What ``key_id`` names, for an operation that takes only keys of the caller's account, and no alias names."""
    found = named(ctx, key_id, aliases=False)
    if found.target.account == ctx.account:
        return found
    return _missing(ctx, found.target.arn, found.target.account, f"Key '{found.target.arn}' does not exist")


def last_use(ctx: Context, key: LiveKey | None) -> float | None:
    """When a key was last used; None where it never was, or where there is no key."""
    use = None if key is None else live_keys(ctx).uses.newest(ctx.tx, key.region, key.key_id)
    return None if use is None else use.at


def locked(ctx: Context, key_id: str) -> LiveKey:
    """The key that :func:`own` names, as it stands while this write holds the lock. Raises NotFoundException."""
    key = own(ctx, key_id).key
    found = live_keys(ctx).reread(ctx.tx, key.region, key.key_id)
    if found is None:
        raise errors.no_such_key(key.arn)
    return found


def named(ctx: Context, key_id: str, *, aliases: bool = True, tokens: Sequence[str] | None = None) -> Named:
    """What ``key_id`` names. ``aliases``: whether the operation takes alias names; most that change a key do not.

    Looked up once a call: declaration, condition keys and handler speak of the same key. ``tokens``: the request's grant tokens,
    which the declaration gives, so that their grants count; ``key`` raises InvalidGrantTokenException then where one is none.
    """
    memo = f"kms:{aliases}:{key_id}"
    found: Named | None = ctx.scratch.get(memo)
    if found is None:
        found = _look_up(ctx, key_id, aliases=aliases)
        if found.found is not None and found.found.custody is not None:
            found = replace(found, found=bound(ctx, found.found))
        ctx.scratch[memo] = found
    if tokens:
        grant_tokens.honour(ctx, tokens)
        found = ctx.scratch[memo] = replace(found, check=partial(grant_tokens.must_be_good, ctx))
    return found


def _look_up(ctx: Context, key_id: str, *, aliases: bool) -> Named:
    if not key_id.startswith("arn:"):
        return _local(ctx, ctx.account, key_id, aliases=aliases)
    try:
        arn = parse_arn(key_id)
    except ValueError:
        return _missing(ctx, key_id, ctx.account, f"Invalid arn {key_id}")
    if arn.service != "kms" or arn.partition != ctx.partition or arn.resource_type not in {"key", "alias"}:
        return _missing(ctx, key_id, arn.account or ctx.account, f"Invalid arn {key_id}")
    if arn.region != ctx.region:
        return _missing(ctx, key_id, arn.account, f"Invalid arn {arn.region}")
    name = arn.resource.removeprefix("key/") if arn.resource_type == "key" else arn.resource
    return _local(ctx, arn.account, name, aliases=aliases)


def _local(ctx: Context, account: str, name: str, *, aliases: bool) -> Named:
    """A key id or alias name of one account in this Region."""
    if not name.startswith("alias/"):
        return _by_id(ctx, account, name)
    arn = alias_arn(ctx, name, account)
    if not aliases:
        return _missing(ctx, arn, account, f"Invalid keyId '{name}'")
    key_id = live_keys(ctx).find_alias(ctx.tx, account, ctx.region, name)
    found = None if key_id is None else live_keys(ctx).find(ctx.tx, ctx.region, key_id)
    if found is None:
        return _missing(ctx, arn, account, f"Alias {arn} is not found.", name)
    return Named(target_of(ctx, found), found, "", name)


def _by_id(ctx: Context, account: str, key_id: str) -> Named:
    arn = key_arn(ctx.region, account, key_id, ctx.partition)
    if not _KEY_ID.fullmatch(key_id):
        return _missing(ctx, arn, account, f"Invalid keyId '{key_id}'")
    found = live_keys(ctx).find(ctx.tx, ctx.region, key_id)
    if found is None or found.account != account:
        return _missing(ctx, arn, account, f"Key '{arn}' does not exist")
    return Named(target_of(ctx, found), found, "")


def _missing(ctx: Context, arn: str, account: str, text: str, alias: str = "") -> Named:
    """What is not there: in the own account the caller's policies decide; in another's it looks like any refused key."""
    if account == ctx.account:
        return Named(Target(arn=arn, account=account), None, text, alias)
    target = Target(
        arn=arn, account=account, policy=compiled(_NOBODY), policy_decides=True, denied_on=THIS_RESOURCE, denied_because=STRANGER
    )
    return Named(target, None, text, alias)


def target_of(ctx: Context, key: LiveKey, *, ciphertext: bool = False) -> Target:
    """A key as authorization sees it. ``ciphertext``: the caller did not name it, so a denial does not either."""
    foreign = key.account != ctx.account
    if not foreign and not ciphertext:
        return key.target
    return structs.replace(
        key.target,
        denied_on=THIS_CIPHERTEXT if ciphertext else THIS_RESOURCE,
        denied_because=STRANGER if foreign else "",
    )


def unknown_ciphertext(principal: Principal, action: str) -> str:
    """The denial where a ciphertext names a key that does not exist here: as that of another account's key."""
    return f"User: {principal.arn} is not authorized to perform: {action} {THIS_CIPHERTEXT} because {STRANGER}"


def alias_arn(ctx: Context, name: str, account: str = "") -> str:
    """The ARN of an alias; ``name`` has its prefix."""
    return f"arn:{ctx.partition}:kms:{ctx.region}:{account or ctx.account}:{name}"


def alias_target(ctx: Context, name: str) -> Target:
    """An alias: a resource without a policy of its own, where the caller's policies decide."""
    return Target(arn=alias_arn(ctx, name), account=ctx.account)
