"""AssumeRoot: the root user of a member account, for one privileged task, for a quarter of an hour.

What a session may do is what the root user may, without what the task's policy denies: the five policies of AWS only deny.
Source: STS API Reference, AssumeRoot; IAM User Guide, "Perform a privileged task on an AWS Organizations member account".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.ids import secret_access_key
from garrison.core.operation import Keys, Target, operation
from garrison.identity.root_access import Feature, administers, features, organization_of, trusted
from garrison.identity.sts.sessions import mint, token_use, within_delegation
from garrison.identity.tokens import Grant

SECONDS = 900
_PREFIX = "arn:aws:iam::aws:policy/root-task/"
TASKS: Mapping[str, Feature] = {
    f"{_PREFIX}IAMAuditRootUserCredentials": "RootCredentialsManagement",
    f"{_PREFIX}IAMCreateRootUserPassword": "RootCredentialsManagement",
    f"{_PREFIX}IAMDeleteRootUserCredentials": "RootCredentialsManagement",
    f"{_PREFIX}S3UnlockBucketPolicy": "RootSessions",
    f"{_PREFIX}SQSUnlockQueuePolicy": "RootSessions",
}
"""The policies that bound a session to a task, and what the organization must have enabled for it."""
_MEMBER = re.compile(r"(?:arn:aws:iam::)?(\d{12})(?::root)?", re.ASCII)


def root_user(ctx: Context, req: api.AssumeRootRequest) -> Target:
    """``arn:aws:iam::111122223333:root`` of the member. Raises ValidationError where the principal is neither ARN nor account."""
    return Target(f"arn:aws:iam::{_account(req)}:root", ctx.account)


def task(_ctx: Context, req: api.AssumeRootRequest) -> Keys:
    """``sts:TaskPolicyArn``."""
    return {"sts:TaskPolicyArn": req.task_policy_arn.arn or ""}


@operation("sts", resource=root_user, context=task, read=True)
def assume_root(ctx: Context, req: api.AssumeRootRequest) -> api.AssumeRootResponse:
    """Credentials of a member's root user for one task, for at most 900 seconds.

    Raises AccessDenied (the caller is a root user, or neither in the management account nor in IAM's delegated administrator; the
    account is no active member; the organization has not enabled it), ValidationError (no task's policy).
    """
    account, policy = _account(req), req.task_policy_arn.arn or ""
    if policy not in TASKS:
        message = f"{policy} is not a policy of a privileged task."
        raise CommonError("validation", message)
    if ctx.principal.kind == "root" or not _may(ctx, account, TASKS[policy]):
        denial = (
            f"User: {ctx.principal.arn} is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::{account}:root"
        )
        raise CommonError("access_denied", denial)
    session = ctx.principal.session
    grant = Grant(
        kind="assume-root",
        account=account,
        owner_id=account,
        secret=secret_access_key(ctx.random),
        issued_at=ctx.now,
        expires_at=ctx.now + (SECONDS if req.duration_seconds is None else req.duration_seconds),
        source_identity=session.source_identity if session is not None else "",
        policy_arns=(policy,),
        chained=ctx.principal.kind == "assumed-role",
    )
    credentials = mint(ctx, within_delegation(session, grant), req.minimum_session_token_size)
    return api.AssumeRootResponse(
        credentials=credentials, source_identity=grant.source_identity or None, **token_use(credentials)
    )


def _account(req: api.AssumeRootRequest) -> str:
    found = _MEMBER.fullmatch(req.target_principal)
    whole = req.target_principal.startswith("arn:")
    if found is None or whole is not req.target_principal.endswith(":root"):
        message = f"{req.target_principal} is not a valid target principal."
        raise CommonError("validation", message)
    return found[1]


def _may(ctx: Context, account: str, feature: Feature) -> bool:
    """Whether the caller's account administers the root users of this one, and the organization has the feature."""
    organization = organization_of(ctx.tx, ctx.account)
    if organization is None or account == organization.management or organization_of(ctx.tx, account) != organization:
        return False
    state = ctx.tx.one("SELECT state FROM account WHERE id = ?", account)
    active = state is not None and state[0] == "ACTIVE"
    enabled = trusted(ctx.tx, organization) and feature in features(ctx.tx, organization)
    return active and enabled and administers(ctx.tx, organization, ctx.account)
