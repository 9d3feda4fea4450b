"""Organizational units, roots, and the tree that they make."""

from __future__ import annotations

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.memberships import ancestors
from garrison.identity.organizations import access, errors, ids, items
from garrison.identity.organizations.attaching import attach_defaults, detach_all
from garrison.identity.organizations.pages import Pager
from garrison.identity.organizations.rows import (
    OrganizationRow,
    UnitRow,
    children_after,
    count,
    enabled_types,
    find_account,
    find_unit,
    path_of,
    units_after,
)
from garrison.identity.organizations.tagging import drop_tags, put_tags
from garrison.identity.organizations.targets import anything, of_child, of_parent, of_unit, request_tags

UNITS = 2000
"""Units of an organization."""
DEPTH = 5
"""Units that may stand one in another below the root."""


@operation("organizations", resource=of_parent, context=request_tags)
def create_organizational_unit(ctx: Context, req: api.CreateOrganizationalUnitRequest) -> api.CreateOrganizationalUnitResponse:
    """Make a unit under a root or unit. Names are unique under one parent.

    Raises ParentNotFound, DuplicateOrganizationalUnit, ConstraintViolation (five deep, 2,000 units), InvalidInput (tags).
    """
    row = access.management(ctx)
    parent = existing_parent(ctx, row, req.parent_id)
    if len(ancestors(ctx.tx, parent)) > DEPTH:
        raise errors.constraint("OU_DEPTH_LIMIT_EXCEEDED", "You attempted to create an OU tree that is too many levels deep.")
    if count(ctx.tx, "org_unit", "organization = ?", row.id) >= UNITS:
        raise errors.constraint(
            "OU_NUMBER_LIMIT_EXCEEDED", "You attempted to exceed the number of OUs that you can have in an organization."
        )
    _refuse_taken(ctx, row, parent, req.name)
    unit = UnitRow(row.id, ids.unit_id(ctx, row.root), parent, req.name, ctx.now)
    ctx.tx.run("INSERT INTO org_unit (organization, unit_id, parent_id, name, created) VALUES (?, ?, ?, ?, ?)", *unit)
    put_tags(ctx, row, unit.id, req.tags)
    attach_defaults(ctx, row, unit.id)
    items.unit_changed(ctx, row, unit)
    return api.CreateOrganizationalUnitResponse(organizational_unit=shown(ctx, row, unit))


@operation("organizations", resource=of_unit, read=True)
def describe_organizational_unit(
    ctx: Context, req: api.DescribeOrganizationalUnitRequest
) -> api.DescribeOrganizationalUnitResponse:
    """A unit. Raises OrganizationalUnitNotFound."""
    row = access.administrator(ctx)
    return api.DescribeOrganizationalUnitResponse(
        organizational_unit=shown(ctx, row, _unit(ctx, row, req.organizational_unit_id))
    )


@operation("organizations", resource=of_unit)
def update_organizational_unit(ctx: Context, req: api.UpdateOrganizationalUnitRequest) -> api.UpdateOrganizationalUnitResponse:
    """Rename a unit; its id and all below it stay. Raises OrganizationalUnitNotFound, DuplicateOrganizationalUnit."""
    row = access.management(ctx)
    unit = _unit(ctx, row, req.organizational_unit_id)
    if req.name is not None and req.name != unit.name:
        _refuse_taken(ctx, row, unit.parent, req.name)
        unit = unit._replace(name=req.name)
        ctx.tx.run("UPDATE org_unit SET name = ? WHERE unit_id = ?", req.name, unit.id)
    items.unit_changed(ctx, row, unit)
    return api.UpdateOrganizationalUnitResponse(organizational_unit=shown(ctx, row, unit))


@operation("organizations", resource=of_unit)
def delete_organizational_unit(ctx: Context, req: api.DeleteOrganizationalUnitRequest) -> None:
    """Delete a unit that holds neither units nor accounts. Raises OrganizationalUnitNotFound, OrganizationalUnitNotEmpty."""
    row = access.management(ctx)
    unit = _unit(ctx, row, req.organizational_unit_id)
    below = "organization = ? AND parent_id = ?"
    if count(ctx.tx, "org_unit", below, row.id, unit.id) or count(ctx.tx, "org_account", below, row.id, unit.id):
        message = (
            "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the"
            " operation again."
        )
        raise api.OrganizationalUnitNotEmptyException(message)
    detach_all(ctx, row, unit.id)
    drop_tags(ctx, row.id, unit.id)
    ctx.tx.run("DELETE FROM org_unit WHERE unit_id = ?", unit.id)
    items.unit_changed(ctx, row, unit, ("org-node", unit.id), deleted=True)


@operation("organizations", resource=anything, read=True)
def list_roots(ctx: Context, req: api.ListRootsRequest) -> api.ListRootsResponse:
    """The organization's one root."""
    row = access.administrator(ctx)
    page = Pager(ctx, req).cut([row.root], str)
    return api.ListRootsResponse(roots=[shown_root(ctx, row) for _ in page.items], next_token=page.token)


@operation("organizations", resource=of_parent, read=True)
def list_organizational_units_for_parent(
    ctx: Context, req: api.ListOrganizationalUnitsForParentRequest
) -> api.ListOrganizationalUnitsForParentResponse:
    """The units right under a root or unit. Raises ParentNotFound."""
    row = access.administrator(ctx)
    parent = existing_parent(ctx, row, req.parent_id)
    pager = Pager(ctx, req, parent)
    page = pager.page(units_after(ctx.tx, row.id, parent, pager.after, pager.limit + 1), lambda unit: unit.id)
    units = [shown(ctx, row, unit) for unit in page.items]
    return api.ListOrganizationalUnitsForParentResponse(organizational_units=units, next_token=page.token)


@operation("organizations", resource=of_parent, read=True)
def list_children(ctx: Context, req: api.ListChildrenRequest) -> api.ListChildrenResponse:
    """The units or the accounts right under a root or unit, by id alone. Raises ParentNotFound."""
    row = access.administrator(ctx)
    parent = existing_parent(ctx, row, req.parent_id)
    pager = Pager(ctx, req, parent, req.child_type)
    find = units_after if req.child_type == "ORGANIZATIONAL_UNIT" else children_after
    found = [child.id for child in find(ctx.tx, row.id, parent, pager.after, pager.limit + 1)]
    page = pager.page(found, str)
    return api.ListChildrenResponse(
        children=[api.Child(id=child, type=req.child_type) for child in page.items], next_token=page.token
    )


@operation("organizations", resource=of_child, read=True)
def list_parents(ctx: Context, req: api.ListParentsRequest) -> api.ListParentsResponse:
    """The one parent of a unit or account. Raises ChildNotFound."""
    row = access.administrator(ctx)
    unit = req.child_id.startswith("ou-")
    child = find_unit(ctx.tx, row.id, req.child_id) if unit else find_account(ctx.tx, row.id, req.child_id)
    if child is None:
        raise api.ChildNotFoundException("You specified a child that doesn't exist.")
    page = Pager(ctx, req, req.child_id).cut([child.parent], str)
    parents = [api.Parent(id=parent, type=node_type(parent)) for parent in page.items]
    return api.ListParentsResponse(parents=parents, next_token=page.token)


def existing_parent(ctx: Context, row: OrganizationRow, parent: str) -> str:
    """A root or unit of the organization. Raises ParentNotFound."""
    if parent != row.root and find_unit(ctx.tx, row.id, parent) is None:
        raise errors.parent_not_found()
    return parent


def node_type(node: str) -> str:
    """ROOT, ORGANIZATIONAL_UNIT or ACCOUNT."""
    return "ROOT" if node.startswith("r-") else "ORGANIZATIONAL_UNIT" if node.startswith("ou-") else "ACCOUNT"


def shown_root(ctx: Context, row: OrganizationRow) -> api.Root:
    """The root as answers show it."""
    types = [api.PolicyTypeSummary(type=kind, status="ENABLED") for kind in enabled_types(ctx.tx, row.id)]
    return api.Root(id=row.root, arn=row.root_arn, name="Root", policy_types=types)


def shown(ctx: Context, row: OrganizationRow, unit: UnitRow) -> api.OrganizationalUnit:
    """A unit as answers show it."""
    path = path_of(ctx.tx, row.id, unit.id)
    return api.OrganizationalUnit(id=unit.id, arn=row.arn_of("ou", unit.id), name=unit.name, path=path)


def _unit(ctx: Context, row: OrganizationRow, unit: str) -> UnitRow:
    found = find_unit(ctx.tx, row.id, unit)
    if found is None:
        raise errors.unit_not_found()
    return found


def _refuse_taken(ctx: Context, row: OrganizationRow, parent: str, name: str) -> None:
    if count(ctx.tx, "org_unit", "organization = ? AND parent_id = ? AND name = ?", row.id, parent, name):
        raise api.DuplicateOrganizationalUnitException("An OU with the same name already exists.")
