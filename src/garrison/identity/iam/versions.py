"""Versions of managed policies."""

from __future__ import annotations

from typing import Any

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import errors, managed
from garrison.identity.iam.details import policy_version
from garrison.identity.iam.documents import checked_managed, encoded
from garrison.identity.iam.items import policy_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.policies import insert_version, own_policy
from garrison.identity.iam.rows import PolicyRow, count, find_policy, policy_arn_account
from garrison.identity.iam.targets import declared_policy, policy_target, written_policy

VERSIONS_PER_POLICY = 5


@operation("iam", resource=written_policy)
def create_policy_version(ctx: Context, req: api.CreatePolicyVersionRequest) -> api.CreatePolicyVersionResponse:
    """Add a version, and put it in force where asked. Numbers are not used twice.

    Raises NoSuchEntity, LimitExceeded (5 versions; 6,144 characters), MalformedPolicyDocument.
    """
    row = own_policy(ctx, req.policy_arn)
    checked_managed(req.policy_document)
    if count(ctx.tx, "iam_policy_version", "account = ? AND policy_id = ?", ctx.account, row.id) >= VERSIONS_PER_POLICY:
        raise api.LimitExceededException(
            f"A managed policy can have up to {VERSIONS_PER_POLICY} versions."
            " Before you create a new version, you must delete an existing version."
        )
    number = row.last_version + 1
    insert_version(ctx, row.id, number, req.policy_document)
    default = bool(req.set_as_default)
    _write(ctx, row._replace(last_version=number, default_version=number if default else row.default_version))
    return api.CreatePolicyVersionResponse(policy_version=policy_version(number, ctx.now, default=default))


@operation("iam", resource=policy_target, read=True)
def get_policy_version(ctx: Context, req: api.GetPolicyVersionRequest) -> api.GetPolicyVersionResponse:
    """A version with its document. Of AWS's policies only the version in force is kept. Raises NoSuchEntity."""
    if policy_arn_account(req.policy_arn) == "aws":
        policy = managed.find(req.policy_arn)
        if policy is None or _number(req.version_id) != policy.version:
            raise errors.version_not_found(req.policy_arn, req.version_id)
        text = encoded(managed.document(req.policy_arn) or "")
        found = policy_version(policy.version, policy.version_created, default=True, document=text)
        return api.GetPolicyVersionResponse(policy_version=found)
    row, version = _existing(ctx, declared_policy(ctx, req.policy_arn), req.policy_arn, req.version_id)
    number, document, created = version
    default = number == row.default_version
    return api.GetPolicyVersionResponse(
        policy_version=policy_version(number, created, default=default, document=encoded(document))
    )


@operation("iam", resource=policy_target, read=True)
def list_policy_versions(ctx: Context, req: api.ListPolicyVersionsRequest) -> api.ListPolicyVersionsResponse:
    """Versions without their documents, newest first. Raises NoSuchEntity."""
    if policy_arn_account(req.policy_arn) == "aws":
        policy = managed.find(req.policy_arn)
        if policy is None:
            raise errors.policy_not_found(req.policy_arn)
        versions = [policy_version(policy.version, policy.version_created, default=True)]
    else:
        row = declared_policy(ctx, req.policy_arn)
        if row is None:
            raise errors.policy_not_found(req.policy_arn)
        versions = [
            policy_version(number, created, default=number == row.default_version)
            for number, created in ctx.tx.all(
                "SELECT version, created FROM iam_policy_version WHERE account = ? AND policy_id = ? ORDER BY version DESC",
                ctx.account,
                row.id,
            )
        ]
    page = Pager(ctx, req, req.policy_arn).cut(versions, _newest_first)
    return api.ListPolicyVersionsResponse(versions=page.items, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=written_policy)
def set_default_policy_version(ctx: Context, req: api.SetDefaultPolicyVersionRequest) -> None:
    """Put a version in force. Raises NoSuchEntity."""
    account = policy_arn_account(req.policy_arn)
    found = find_policy(ctx.tx, req.policy_arn) if account == ctx.account else None
    row, version = _existing(ctx, found, req.policy_arn, req.version_id)
    _write(ctx, row._replace(default_version=version[0]))


@operation("iam", resource=written_policy)
def delete_policy_version(ctx: Context, req: api.DeletePolicyVersionRequest) -> None:
    """Delete a version that is not in force. Raises NoSuchEntity, DeleteConflict."""
    row, version = _existing(ctx, own_policy(ctx, req.policy_arn), req.policy_arn, req.version_id)
    if version[0] == row.default_version:
        raise api.DeleteConflictException("Cannot delete the default version of a policy.")
    ctx.tx.run(
        "DELETE FROM iam_policy_version WHERE account = ? AND policy_id = ? AND version = ?", ctx.account, row.id, version[0]
    )
    policy_changed(ctx, row)


def _existing(ctx: Context, row: PolicyRow | None, arn: str, version_id: str) -> tuple[PolicyRow, tuple[Any, ...]]:
    """The policy, and number, document and creation of its version. Raises NoSuchEntity."""
    found = row and ctx.tx.one(
        "SELECT version, document, created FROM iam_policy_version WHERE account = ? AND policy_id = ? AND version = ?",
        ctx.account,
        row.id,
        _number(version_id),
    )
    if row is None or not found:
        raise errors.version_not_found(arn, version_id)
    return row, found


def _write(ctx: Context, row: PolicyRow) -> None:
    """A new version, or another in force: the policy's date of update is that of its newest decision."""
    row = row._replace(updated=ctx.now)
    ctx.tx.run(
        "UPDATE iam_policy SET updated = ?, default_version = ?, last_version = ? WHERE account = ? AND policy_id = ?",
        row.updated,
        row.default_version,
        row.last_version,
        ctx.account,
        row.id,
    )
    policy_changed(ctx, row, ("policy", row.arn))


def _number(version_id: str) -> int:
    """3 of ``v3``; versions of the form ``v3.label``, and numbers past a column's range, are nobody's: 0."""
    digits = version_id.removeprefix("v")
    return int(digits) if digits.isdigit() and digits.isascii() and len(digits) < 18 else 0


def _newest_first(version: api.PolicyVersion) -> str:
    return f"{10**18 - _number(version.version_id or ''):018}"
