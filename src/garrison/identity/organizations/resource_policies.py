"""The organization's resource policy: what its members may do in its name.

Source: AWS Organizations User Guide, "Delegated administrator for AWS Organizations" and "Create a resource-based delegation
policy": principals are accounts, users and roles of members, actions those that read and those on policies.
"""

from __future__ import annotations

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.organizations import access, errors, ids, items
from garrison.identity.organizations.access import DELEGABLE, reads
from garrison.identity.organizations.rows import OrganizationRow, find_account
from garrison.identity.organizations.tagging import drop_tags, put_tags
from garrison.identity.organizations.targets import anything, new_id, request_tags, resource_policy
from garrison.identity.resource_principals import UnknownPrincipal, resolve
from garrison.policy import Document, MalformedPolicy, parse_policy

_OPERATIONS = frozenset(name.lower() for name in (*DELEGABLE, *api.OPERATIONS) if name in DELEGABLE or reads(name))


@operation("organizations", resource=resource_policy, context=request_tags)
def put_resource_policy(ctx: Context, req: api.PutResourcePolicyRequest) -> api.PutResourcePolicyResponse:
    """Put the organization's resource policy in the place of the one that is there.

    Raises InvalidInput (no policy; a principal outside the organization; an action that is not delegated), ConstraintViolation.
    """
    row = access.management(ctx)
    if row.feature_set != "ALL":
        raise errors.all_features_needed()
    resolved = _checked(ctx, row, req.content)
    found = ctx.tx.one("SELECT policy_id FROM org_resource_policy WHERE organization = ?", row.id)
    name = found[0] if found else new_id(ctx, ids.resource_policy_id)
    ctx.tx.run("DELETE FROM org_resource_policy WHERE organization = ?", row.id)
    ctx.tx.run(
        "INSERT INTO org_resource_policy (organization, policy_id, content, resolved) VALUES (?, ?, ?, ?)",
        row.id,
        name,
        req.content,
        resolved,
    )
    put_tags(ctx, row, name, req.tags)
    items.resource_policy_changed(ctx, row, name, req.content)
    return api.PutResourcePolicyResponse(resource_policy=_shown(row, name, req.content))


@operation("organizations", resource=anything, read=True)
def describe_resource_policy(ctx: Context, _req: None) -> api.DescribeResourcePolicyResponse:
    """The organization's resource policy. Raises ResourcePolicyNotFound."""
    row = access.administrator(ctx)
    return api.DescribeResourcePolicyResponse(resource_policy=_shown(row, *_existing(ctx, row)))


@operation("organizations", resource=anything)
def delete_resource_policy(ctx: Context, _req: None) -> None:
    """Take the organization's resource policy away. Raises ResourcePolicyNotFound."""
    row = access.management(ctx)
    name, _ = _existing(ctx, row)
    drop_tags(ctx, row.id, name)
    ctx.tx.run("DELETE FROM org_resource_policy WHERE organization = ?", row.id)
    items.resource_policy_changed(ctx, row, name, None)


def _existing(ctx: Context, row: OrganizationRow) -> tuple[str, str]:
    found = ctx.tx.one("SELECT policy_id, content FROM org_resource_policy WHERE organization = ?", row.id)
    if found is None:
        raise api.ResourcePolicyNotFoundException("You specified a resource policy that doesn't exist.")
    return found[0], found[1]


def _shown(row: OrganizationRow, name: str, content: str) -> api.ResourcePolicy:
    summary = api.ResourcePolicySummary(id=name, arn=row.arn_of("resourcepolicy", name))
    return api.ResourcePolicy(resource_policy_summary=summary, content=content)


def _checked(ctx: Context, row: OrganizationRow, text: str) -> str:
    """The policy with its users and roles as unique ids."""
    try:
        document = parse_policy(text, "resource", service="organizations")
    except MalformedPolicy as error:
        raise errors.invalid("INVALID_RESOURCE_POLICY_JSON", "You provided a resource policy that isn't valid.") from error
    _check_principals(ctx, row, document)
    _check_actions(document)
    try:
        return resolve(ctx.tx, text, lambda _kind, _name: False).text
    except UnknownPrincipal as error:
        raise _invalid_principal() from error


def _check_principals(ctx: Context, row: OrganizationRow, document: Document) -> None:
    for statement in document.statements:
        principal = statement.principal
        if principal is None or statement.not_principal or principal.service or principal.federated or principal.canonical:
            raise _invalid_principal()
        if principal.everyone:
            # Members alone are ever asked about: "*" means all of them.
            continue
        for name in principal.aws:
            account = name.split(":")[4] if name.startswith("arn:") else name
            if find_account(ctx.tx, row.id, account) is None:
                raise _invalid_principal()


def _check_actions(document: Document) -> None:
    for statement in document.statements:
        if statement.not_action:
            raise _unsupported()
        for action in statement.actions or ():
            service, _, name = action.lower().partition(":")
            known = name in _OPERATIONS or name.startswith(("describe*", "list*"))
            if service != "organizations" or not known:
                raise _unsupported()


def _unsupported() -> api.InvalidInputException:
    message = "The resource policy includes actions that aren't supported."
    return errors.invalid("UNSUPPORTED_ACTION_IN_RESOURCE_POLICY", message)


def _invalid_principal() -> api.InvalidInputException:
    return errors.invalid("INVALID_PRINCIPAL", "You specified an invalid principal element in the policy.")
