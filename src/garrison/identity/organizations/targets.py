"""What Organizations' operations act on, as authorization sees it.

An id that nobody has still makes an ARN, so that a caller without the permission learns nothing from it. Source: Service
Authorization Reference, "Actions, resources, and condition keys for AWS Organizations".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from garrison.core.context import Context
from garrison.core.operation import Keys, Target
from garrison.identity.organizations import access, ids
from garrison.identity.organizations.items import tags_of
from garrison.identity.organizations.rows import NOWHERE, OrganizationRow, PolicyRow, find_policy

Asked = Any
"""Any request that has the member which the function reads."""
_NEW = "organizations:new"


def anything(ctx: Context, _req: Asked) -> Target:
    """Actions without a resource."""
    return access.target(ctx, "*")


def oneself(ctx: Context, _req: Asked) -> Target:
    """What every member may ask or do for itself: no resource policy of the organization is asked."""
    return Target("*", ctx.account)


def of_effective(ctx: Context, req: Asked) -> Target:
    """The account of ``TargetId``; of itself every member may ask."""
    target = req.target_id or ctx.account
    found = node(ctx, target)
    return Target(found.arn, ctx.account, tags=found.tags) if target == ctx.account else found


def _organization(ctx: Context) -> OrganizationRow:
    return access.here(ctx).organization or OrganizationRow(NOWHERE, ctx.account, "", "", 0.0)


def node(ctx: Context, node_id: str) -> Target:
    """A root, unit or account by its id."""
    row = _organization(ctx)
    kind = "root" if node_id.startswith("r-") else "ou" if node_id.startswith("ou-") else "account"
    return access.target(ctx, row.arn_of(kind, node_id), tags_of(ctx.tx, row.id, node_id))


def of_account(ctx: Context, req: Asked) -> Target:
    """The account of ``AccountId``."""
    return node(ctx, req.account_id)


def of_unit(ctx: Context, req: Asked) -> Target:
    """The unit of ``OrganizationalUnitId``."""
    return node(ctx, req.organizational_unit_id)


def of_parent(ctx: Context, req: Asked) -> Target:
    """The root or unit of ``ParentId``."""
    return node(ctx, req.parent_id)


def of_child(ctx: Context, req: Asked) -> Target:
    """The unit or account of ``ChildId``."""
    return node(ctx, req.child_id)


def of_root(ctx: Context, req: Asked) -> Target:
    """The root of ``RootId``."""
    return node(ctx, req.root_id)


def of_target(ctx: Context, req: Asked) -> Target:
    """The root, unit or account of ``TargetId``; the caller's own account where it is left out."""
    return node(ctx, req.target_id or ctx.account)


def moved(ctx: Context, req: Asked) -> Sequence[Target]:
    """An account and both its parents."""
    return [node(ctx, req.account_id), node(ctx, req.source_parent_id), node(ctx, req.destination_parent_id)]


def declared_policy(ctx: Context, policy_id: str) -> PolicyRow | None:
    """A policy of the caller's organization, read once a call."""
    name = f"organizations:policy:{policy_id}"
    if name not in ctx.scratch:
        row = access.here(ctx).organization
        ctx.scratch[name] = None if row is None else find_policy(ctx.tx, row.id, policy_id)
    found: PolicyRow | None = ctx.scratch[name]
    return found


def policy(ctx: Context, policy_id: str) -> Target:
    """A policy by its id."""
    row, found = _organization(ctx), declared_policy(ctx, policy_id)
    arn = found.arn if found else row.arn_of("policy", "service_control_policy", policy_id)
    return access.target(ctx, arn, tags_of(ctx.tx, row.id, policy_id))


def of_policy(ctx: Context, req: Asked) -> Target:
    """The policy of ``PolicyId``."""
    return policy(ctx, req.policy_id)


def attachment(ctx: Context, req: Asked) -> Sequence[Target]:
    """A policy and what it is attached to."""
    return [policy(ctx, req.policy_id), node(ctx, req.target_id)]


def new_id(ctx: Context, make: Callable[[Context], str]) -> str:
    """The id of what the call is about to make: its ARN is authorized before it exists."""
    if _NEW not in ctx.scratch:
        ctx.scratch[_NEW] = make(ctx)
    found: str = ctx.scratch[_NEW]
    return found


def new_policy(ctx: Context, req: Asked) -> Target:
    """The policy that is about to be made."""
    return access.target(ctx, _organization(ctx).arn_of("policy", req.type.lower(), new_id(ctx, ids.policy_id)))


def resource_policy(ctx: Context, _req: Asked) -> Target:
    """The organization's resource policy, the one that is there or the one that is about to be made."""
    row = _organization(ctx)
    found = ctx.tx.one("SELECT policy_id FROM org_resource_policy WHERE organization = ?", row.id)
    name = found[0] if found else new_id(ctx, ids.resource_policy_id)
    return access.target(ctx, row.arn_of("resourcepolicy", name), tags_of(ctx.tx, row.id, name))


def handshake(ctx: Context, req: Asked) -> Target:
    """The handshake of ``HandshakeId``; it belongs to the organization that began it, and either side acts on it as its own."""
    row = ctx.tx.one("SELECT organization, management, action FROM org_handshake WHERE handshake_id = ?", req.handshake_id)
    organization, management, action = row or (NOWHERE, ctx.account, "invite")
    return Target(handshake_arn(management, organization, action, req.handshake_id), ctx.account)


def handshake_arn(management: str, organization: str, action: str, handshake_id: str) -> str:
    """``arn:aws:organizations::111122223333:handshake/o-…/invite/h-…``."""
    return f"arn:aws:organizations::{management}:handshake/{organization}/{action.lower()}/{handshake_id}"


def invited(ctx: Context, req: Asked) -> Target:
    """The account that is invited; who is known by an e-mail address alone has no ARN."""
    return node(ctx, req.target.id) if req.target.type == "ACCOUNT" else access.target(ctx, "*")


def tagged(ctx: Context, req: Asked) -> Target:
    """The resource of ``ResourceId``, of any kind that can have tags."""
    resource: str = req.resource_id
    if resource.startswith("p-"):
        return policy(ctx, resource)
    if resource.startswith("rp-"):
        row = _organization(ctx)
        return access.target(ctx, row.arn_of("resourcepolicy", resource), tags_of(ctx.tx, row.id, resource))
    return transfer(ctx, resource) if resource.startswith("rt-") else node(ctx, resource)


def transfer(ctx: Context, transfer_id: str) -> Target:
    """A transfer of responsibility, as the caller's side sees it."""
    row = _organization(ctx)
    arn, direction = transfer_arn(ctx, row, transfer_id)
    keys: Keys = {"organizations:TransferDirection": direction, "organizations:TransferType": "billing"}
    return access.target(ctx, arn, tags_of(ctx.tx, row.id, transfer_id), keys)


def transfer_arn(ctx: Context, row: OrganizationRow, transfer_id: str) -> tuple[str, str]:
    """ARN and direction of a transfer for one side: inbound for who takes over, outbound for whose bills they are."""
    found = ctx.tx.one("SELECT source_organization FROM org_transfer WHERE transfer_id = ?", transfer_id)
    direction = "outbound" if found is not None and found[0] == row.id else "inbound"
    return row.arn_of("transfer", "billing", direction, transfer_id), direction


def of_transfer(ctx: Context, req: Asked) -> Target:
    """The transfer of ``Id``."""
    return transfer(ctx, req.id)


# Condition keys


def request_tags(_ctx: Context, req: Asked) -> Keys:
    """``aws:RequestTag/…`` and ``aws:TagKeys``."""
    if not req.tags:
        return {}
    return {"aws:TagKeys": [tag.key for tag in req.tags], **{f"aws:RequestTag/{tag.key}": tag.value for tag in req.tags}}


def policy_type(ctx: Context, req: Asked) -> Keys:
    """``organizations:PolicyType``: of the request, or of its policy."""
    given = getattr(req, "policy_type", None) or getattr(req, "filter", None) or getattr(req, "type", None)
    found = None if given else declared_policy(ctx, req.policy_id)
    kind = given or (found.type if found else None)
    return {"organizations:PolicyType": kind} if kind else {}


def policy_type_and_tags(ctx: Context, req: Asked) -> Keys:
    """The keys of a new policy."""
    return {**policy_type(ctx, req), **request_tags(ctx, req)}


def tagged_policy_type(ctx: Context, req: Asked) -> Keys:
    """``organizations:PolicyType`` where a policy is tagged."""
    found = declared_policy(ctx, req.resource_id) if req.resource_id.startswith("p-") else None
    return {"organizations:PolicyType": found.type} if found else {}


def tagging(ctx: Context, req: Asked) -> Keys:
    """The keys of setting tags."""
    return {**tagged_policy_type(ctx, req), **request_tags(ctx, req)}


def untagging(ctx: Context, req: Asked) -> Keys:
    """The keys of taking tags away."""
    return {**tagged_policy_type(ctx, req), "aws:TagKeys": list(req.tag_keys)}


def service_principal(_ctx: Context, req: Asked) -> Keys:
    """``organizations:ServicePrincipal``."""
    return {"organizations:ServicePrincipal": req.service_principal} if req.service_principal else {}
