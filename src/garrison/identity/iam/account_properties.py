"""Account properties: what PutAccountProperties sets is kept and read again.

AWS has one namespace, ``RoleManager``, with one documented property, ``Enabled``: whether AWS's console makes roles from
templates for whoever needs one. No such console is here, so that it steers nothing; policies on
``iam:AccountPropertyNamespaces`` hold all the same, and enabling takes iam:CreateServiceLinkedRole as it does at AWS. Sources:
IAM API Reference, both operations; IAM User Guide, "Manage access to role manager".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import Check, Keys, Target, operation
from garrison.core.ports import Transaction
from garrison.identity.iam.items import account_changed
from garrison.identity.iam.targets import anything

_ENABLED = "RoleManager/Enabled"
_DEFAULTS: Mapping[str, str] = {_ENABLED: "false"}
_VALUES: Mapping[str, Callable[[str], bool]] = {_ENABLED: lambda value: value in {"true", "false"}}
_SERVICE = "role-manager.iam.amazonaws.com"


def all_namespaces(_ctx: Context, _req: object) -> Keys:
    """Those that an account has properties of."""
    return {"iam:AccountPropertyNamespaces": sorted({name.partition("/")[0] for name in _DEFAULTS})}


def set_namespaces(_ctx: Context, req: api.PutAccountPropertiesRequest) -> Keys:
    """Those that the request sets properties of."""
    return {"iam:AccountPropertyNamespaces": sorted({name.partition("/")[0] for name in req.properties})}


def enabling(ctx: Context, req: api.PutAccountPropertiesRequest) -> Sequence[Check]:
    """The role that role manager works as would be made."""
    if req.properties.get(_ENABLED) != "true":
        return ()
    role = f"arn:aws:iam::{ctx.account}:role/aws-service-role/{_SERVICE}/AWSServiceRoleForIAMRoleManager"
    return (Check("iam:CreateServiceLinkedRole", Target(role, ctx.account), {"iam:AWSServiceName": _SERVICE}),)


@operation("iam", resource=anything, context=all_namespaces, read=True)
def get_account_properties(ctx: Context, _req: object) -> api.GetAccountPropertiesResponse:
    """Every property of the account, by ``Namespace/PropertyName``."""
    return api.GetAccountPropertiesResponse(properties=_properties(ctx.tx, ctx.account))


@operation("iam", resource=anything, context=set_namespaces, checks=enabling)
def put_account_properties(ctx: Context, req: api.PutAccountPropertiesRequest) -> api.PutAccountPropertiesResponse:
    """Set properties of one namespace. Raises InvalidInput (two namespaces, an unknown property, a value of another type)."""
    if len({name.partition("/")[0] for name in req.properties}) != 1:
        raise api.InvalidInputException("All properties of a request must belong to the same namespace.")
    for name, value in req.properties.items():
        if name not in _VALUES:
            raise api.InvalidInputException(f"The property {name} is not supported.")
        if not _VALUES[name](value):
            raise api.InvalidInputException(f"The value {value} is not valid for the property {name}.")
    for name, value in req.properties.items():
        ctx.tx.run("DELETE FROM iam_account_property WHERE account = ? AND name = ?", ctx.account, name)
        ctx.tx.run("INSERT INTO iam_account_property (account, name, value) VALUES (?, ?, ?)", ctx.account, name, value)
    account_changed(ctx, {"Properties": _properties(ctx.tx, ctx.account)})
    return api.PutAccountPropertiesResponse()


def _properties(tx: Transaction, account: str) -> dict[str, str]:
    kept = dict(tx.all("SELECT name, value FROM iam_account_property WHERE account = ? ORDER BY name", account))
    return {**_DEFAULTS, **kept}
