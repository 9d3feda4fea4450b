"""Policies of every type: create, describe, update, delete, list."""

from __future__ import annotations

from garrison.api import organizations as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.organizations import access, errors, ids, items
from garrison.identity.organizations.content import TYPES, Wrong, check_content
from garrison.identity.organizations.pages import Pager
from garrison.identity.organizations.rows import OrganizationRow, PolicyRow, count, find_policy, policies_of_type
from garrison.identity.organizations.tagging import drop_tags, put_tags
from garrison.identity.organizations.targets import (
    anything,
    new_id,
    new_policy,
    of_policy,
    policy_type,
    policy_type_and_tags,
)


@operation("organizations", resource=new_policy, context=policy_type_and_tags)
def create_policy(ctx: Context, req: api.CreatePolicyRequest) -> api.CreatePolicyResponse:
    """Make a policy, which bounds nobody until it is attached. Names are unique among policies of a type.

    Raises DuplicatePolicy, MalformedPolicyDocument, ConstraintViolation (number, size, tags), InvalidInput (tags),
    PolicyTypeNotAvailableForOrganization.
    """
    row = access.administrator(ctx)
    available(row)
    limits = TYPES[req.type]
    if count(ctx.tx, "org_policy", "organization = ? AND type = ?", row.id, req.type) >= limits.policies:
        message = "You attempted to exceed the number of policies that you can have in an organization."
        raise errors.constraint("POLICY_NUMBER_LIMIT_EXCEEDED", message)
    _refuse_taken(ctx, row, req.type, req.name)
    _check(req.type, req.content)
    name = new_id(ctx, ids.policy_id)
    arn = row.arn_of("policy", req.type.lower(), name)
    made = PolicyRow(row.id, name, arn, req.type, req.name, req.description, req.content, ctx.now, ctx.now)
    ctx.tx.run(
        "INSERT INTO org_policy (organization, policy_id, arn, type, name, description, content, created, updated)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *made,
    )
    put_tags(ctx, row, name, req.tags)
    items.policy_changed(ctx, row, made)
    return api.CreatePolicyResponse(policy=_whole(made))


@operation("organizations", resource=of_policy, context=policy_type, read=True)
def describe_policy(ctx: Context, req: api.DescribePolicyRequest) -> api.DescribePolicyResponse:
    """A policy with its content. Raises PolicyNotFound."""
    row = access.administrator(ctx)
    return api.DescribePolicyResponse(policy=_whole(existing(ctx, row, req.policy_id)))


@operation("organizations", resource=of_policy, context=policy_type)
def update_policy(ctx: Context, req: api.UpdatePolicyRequest) -> api.UpdatePolicyResponse:
    """Change a policy; new content is in force from the next request on, everywhere it is attached.

    Raises PolicyNotFound, InvalidInput (AWS's own), DuplicatePolicy, MalformedPolicyDocument, ConstraintViolation (size).
    """
    row = access.administrator(ctx)
    found = _own(ctx, row, req.policy_id)
    if req.name is not None and req.name != found.name:
        _refuse_taken(ctx, row, found.type, req.name)
    if req.content is not None:
        _check(found.type, req.content)
    new = found._replace(
        name=found.name if req.name is None else req.name,
        description=found.description if req.description is None else req.description,
        content=found.content if req.content is None else req.content,
        updated=ctx.now,
    )
    ctx.tx.run(
        "UPDATE org_policy SET name = ?, description = ?, content = ?, updated = ? WHERE policy_id = ?",
        new.name,
        new.description,
        new.content,
        new.updated,
        new.id,
    )
    items.policy_changed(ctx, row, new, ("org-policy", new.id))
    return api.UpdatePolicyResponse(policy=_whole(new))


@operation("organizations", resource=of_policy, context=policy_type)
def delete_policy(ctx: Context, req: api.DeletePolicyRequest) -> None:
    """Delete a policy that is attached to nothing. Raises PolicyNotFound, InvalidInput (AWS's own), PolicyInUse."""
    row = access.administrator(ctx)
    found = _own(ctx, row, req.policy_id)
    if count(ctx.tx, "org_attachment", "organization = ? AND policy_id = ?", row.id, found.id):
        message = (
            "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before"
            " performing this operation."
        )
        raise api.PolicyInUseException(message)
    drop_tags(ctx, row.id, found.id)
    ctx.tx.run("DELETE FROM org_policy WHERE policy_id = ?", found.id)
    items.policy_changed(ctx, row, found, ("org-policy", found.id), deleted=True)


@operation("organizations", resource=anything, context=policy_type, read=True)
def list_policies(ctx: Context, req: api.ListPoliciesRequest) -> api.ListPoliciesResponse:
    """The policies of a type, AWS's own among them, without their content."""
    row = access.administrator(ctx)
    page = Pager(ctx, req, req.filter).cut(policies_of_type(ctx.tx, row.id, req.filter), lambda policy: policy.id)
    return api.ListPoliciesResponse(policies=[summary(policy) for policy in page.items], next_token=page.token)


def available(row: OrganizationRow) -> None:
    """Raises PolicyTypeNotAvailableForOrganization: policies are for organizations with all features."""
    if row.feature_set != "ALL":
        message = "You can't use the specified policy type with the feature set currently enabled for this organization."
        raise api.PolicyTypeNotAvailableForOrganizationException(message)


def existing(ctx: Context, row: OrganizationRow, policy: str) -> PolicyRow:
    """A policy, the organization's or AWS's. Raises PolicyNotFound."""
    found = find_policy(ctx.tx, row.id, policy)
    if found is None:
        raise errors.policy_not_found()
    return found


def summary(policy: PolicyRow) -> api.PolicySummary:
    """A policy as lists show it."""
    return api.PolicySummary(
        id=policy.id,
        arn=policy.arn,
        name=policy.name,
        description=policy.description,
        type=policy.type,
        aws_managed=policy.aws_managed,
    )


def _whole(policy: PolicyRow) -> api.Policy:
    return api.Policy(policy_summary=summary(policy), content=policy.content)


def _own(ctx: Context, row: OrganizationRow, policy: str) -> PolicyRow:
    found = existing(ctx, row, policy)
    if found.aws_managed:
        raise errors.invalid("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.")
    return found


def _check(kind: str, content: str) -> None:
    if len(content) > TYPES[kind].size:
        raise errors.constraint("POLICY_CONTENT_LIMIT_EXCEEDED", "You have exceeded the maximum policy size.")
    try:
        check_content(kind, content)
    except Wrong as error:
        raise errors.malformed() from error


def _refuse_taken(ctx: Context, row: OrganizationRow, kind: str, name: str) -> None:
    if count(ctx.tx, "org_policy", "organization = ? AND type = ? AND name = ?", row.id, kind, name):
        raise api.DuplicatePolicyException("A policy with the same name already exists.")
