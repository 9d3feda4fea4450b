"""Key policies: the default one, what is refused when one is put, and the check against locking oneself out.

Sources: KMS Developer Guide, "Default key policy", "Creating a key policy"; KMS API Reference, "PutKeyPolicy".
"""

from __future__ import annotations

from garrison.core.context import Context
from garrison.core.operation import Target
from garrison.identity.resource_principals import Resolved, UnknownPrincipal, resolve
from garrison.keys.kms import errors
from garrison.policy import (
    MalformedPolicy,
    PolicyInputs,
    PolicySet,
    Request,
    authorize,
    compile_policy,
    global_context,
    parse_policy,
)

POLICY_NAME = "default"
"""The only name that a key policy may have."""
LIMIT = 32 * 1024
"""Bytes of a key policy. Source: KMS Developer Guide, "Resource quotas"."""
_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'


def default_policy(account: str, partition: str = "aws") -> str:
    """What a key gets that is made without a policy: its account decides."""
    return f"""{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"""


def checked(ctx: Context, text: str, target: Target, *, bypass: bool) -> Resolved:
    """A key policy that may be put on ``target``.

    Raises MalformedPolicyDocumentException with the reason: its form, a principal that does not exist, or (unless ``bypass``)
    that the caller could not change it afterwards; LimitExceededException over 32 KiB.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LIMIT:
        raise errors.policy_too_large(LIMIT)
    try:
        parse_policy(text, "resource", service="kms")
    except MalformedPolicy as error:
        raise errors.malformed_policy(error.reason) from error
    try:
        # Key policies take every other principal as it is; its form was checked.
        resolved = resolve(ctx.tx, text, lambda _kind, _name: True)
    except UnknownPrincipal:
        raise errors.invalid_principals() from None
    if not bypass:
        _must_stay_manageable(ctx, resolved.text, target)
    return resolved


def _must_stay_manageable(ctx: Context, resolved: str, target: Target) -> None:
    """The policy must let the caller put another one, by name or through the account; identity policies do not matter here."""
    action = "kms:PutKeyPolicy"
    request = Request(
        action=action,
        resource=target.arn,
        resource_account=target.account,
        principal=ctx.principal,
        context=global_context(
            ctx.principal,
            ctx.call,
            now=ctx.now,
            region=ctx.region,
            target=target,
            extra={"kms:CallerAccount": ctx.principal.account},
        ),
    )
    inputs = PolicyInputs(identity=PolicySet([compile_policy(_ALL, "identity", id="assumed")]))
    policy = compile_policy(resolved, "resource", id="key policy", name=POLICY_NAME)
    if not authorize(request, inputs, resource_policy=policy, resource_policy_decides=True).allowed:
        raise errors.lockout()
