"""Role templates: AWS's services own them, and publish what is in them nowhere. None is here, and both operations say so.

Source: IAM User Guide, "Manage access to role manager": AcquireRole is authorized by the actions under it, the first of which
looks for a role that the template has made before (iam:GetRole).
"""

from __future__ import annotations

from typing import NoReturn

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import Keys, Target, operation

_PREFIX = "arn:aws:iam::aws:role-template/"


def template_target(ctx: Context, req: api.GetRoleTemplateVersionRequest) -> Target:
    """The role template of ``TemplateArn``: AWS's, as its managed policies are."""
    return Target(req.template_arn if req.template_arn.startswith(_PREFIX) else f"{_PREFIX}*/*:*", ctx.account)


def acquired_roles(ctx: Context, _req: api.AcquireRoleRequest) -> Target:
    """The roles of the account: the template alone knows the name of the one that is asked for."""
    return Target(f"arn:aws:iam::{ctx.account}:role/*", ctx.account)


def template_key(_ctx: Context, req: api.AcquireRoleRequest) -> Keys:
    """``iam:RoleTemplateARN``."""
    return {"iam:RoleTemplateARN": req.template_arn}


@operation("iam", resource=acquired_roles, action="iam:GetRole", context=template_key)
def acquire_role(_ctx: Context, req: api.AcquireRoleRequest) -> api.AcquireRoleResponse:
    """Make a role from a template. Raises NoSuchEntity: there is none; InvalidInput where the ARN is no template's."""
    _missing(req.template_arn)


@operation("iam", resource=template_target, read=True)
def get_role_template_version(_ctx: Context, req: api.GetRoleTemplateVersionRequest) -> api.GetRoleTemplateVersionResponse:
    """What is in a template. Raises NoSuchEntity: there is none; InvalidInput where the ARN is none of a template."""
    _missing(req.template_arn)


def _missing(arn: str) -> NoReturn:
    if not arn.startswith(_PREFIX):
        raise api.InvalidInputException(f"ARN {arn} is not valid.")
    raise api.NoSuchEntityException(f"The role template {arn} cannot be found.")
