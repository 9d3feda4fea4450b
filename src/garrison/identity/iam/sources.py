"""The policies of one identity, as the simulator and the lister of context keys see them: under AWS's names for their sources."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from garrison.api import iam as api
from garrison.core.arn import parse_arn
from garrison.core.context import Context
from garrison.core.operation import Target
from garrison.core.ports import Transaction
from garrison.identity.iam import errors
from garrison.identity.iam.policies import document_of
from garrison.identity.iam.rows import GroupRow, Owner, RoleRow, UserRow, group_named, role_named, user_named
from garrison.identity.iam.targets import Asked


class Place(Protocol):
    """Where to look: a call's context, or what the background has of it."""

    @property
    def tx(self) -> Transaction:
        """The store."""
        ...

    @property
    def account(self) -> str:
        """Whose identities are meant."""
        ...


class Source(NamedTuple):
    """A policy with what AWS calls it: ``user_bob_name`` for an inline policy of bob's, else the managed policy's name."""

    id: str
    text: str
    arn: str = ""
    """Of a managed policy."""
    inline: tuple[str, str, str] | None = None
    """Kind and name of the owner, and the policy's name."""


def source_target(ctx: Context, req: Asked) -> Target:
    """The user, group or role of ``PolicySourceArn``."""
    return Target(req.policy_source_arn, ctx.account)


def source_owner(ctx: Place, arn: str) -> Owner:
    """The user, group or role of an ARN. Raises InvalidInput where it is none, NoSuchEntity where nobody has it."""
    try:
        parsed = parse_arn(arn)
    except ValueError:
        raise errors.arn_not_valid(arn) from None
    if parsed.service != "iam" or parsed.account != ctx.account:
        raise errors.arn_not_valid(arn)
    owner: UserRow | GroupRow | RoleRow
    if parsed.resource_type == "user":
        owner = user_named(ctx.tx, ctx.account, parsed.resource_name)
    elif parsed.resource_type == "group":
        owner = group_named(ctx.tx, ctx.account, parsed.resource_name)
    elif parsed.resource_type == "role":
        owner = role_named(ctx.tx, ctx.account, parsed.resource_name)
    else:
        raise errors.arn_not_valid(arn)
    if owner.arn != arn:
        raise errors.not_found(owner.kind, parsed.resource.partition("/")[2])
    return owner


def identity_sources(ctx: Place, owner: Owner) -> list[Source]:
    """All identity policies that apply to ``owner``: its own, and for a user those of its groups."""
    found = _of(ctx, owner)
    if owner.kind == "user":
        rows = ctx.tx.all(
            "SELECT g.account, g.group_id, g.name, g.path, g.created FROM iam_membership m"
            " JOIN iam_group g ON g.account = m.account AND g.group_id = m.group_id"
            " WHERE m.account = ? AND m.user_id = ? ORDER BY g.name_folded",
            ctx.account,
            owner.id,
        )
        for row in rows:
            found += _of(ctx, GroupRow(*row))
    return found


def boundary_source(ctx: Context, owner: Owner) -> Source | None:
    """The permissions boundary of ``owner``; one whose policy is gone is empty, and so allows nothing."""
    if owner.boundary is None:
        return None
    return Source(owner.boundary.rpartition("/")[2], document_of(ctx.tx, owner.boundary) or "", arn=owner.boundary)


def excluded(source: Source, exclusion: api.PolicyIdentifier) -> bool:
    """Whether a simulation is to leave this policy out."""
    if exclusion.policy_arn is not None:
        return source.arn == exclusion.policy_arn
    one = exclusion.inline_policy_identifier
    return one is not None and source.inline == (one.attachment_type, one.attachment_name, one.policy_name)


def _of(ctx: Place, owner: Owner) -> list[Source]:
    inline = ctx.tx.all(
        "SELECT name, document FROM iam_inline_policy WHERE account = ? AND owner_id = ? ORDER BY name", ctx.account, owner.id
    )
    attached = ctx.tx.all(
        "SELECT policy_arn FROM iam_attachment WHERE account = ? AND owner_id = ? ORDER BY attached, policy_arn",
        ctx.account,
        owner.id,
    )
    found = [
        Source(f"{owner.kind}_{owner.name}_{name}", document, inline=(owner.kind, owner.name, name)) for name, document in inline
    ]
    texts = [(arn, document_of(ctx.tx, arn)) for (arn,) in attached]
    return found + [Source(arn.rpartition("/")[2], text, arn=arn) for arn, text in texts if text is not None]
