"""Permission policies of rule groups: who of other accounts may use one.

Source: AWS WAF API reference, PutPermissionPolicy: statements that allow CreateWebACL, UpdateWebACL and
PutFirewallManagerRuleGroups, and may allow GetRuleGroup, to principals; without resource.
"""

from __future__ import annotations

import json
from typing import Any, Final

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.edge.wafv2 import errors, store
from garrison.edge.wafv2.names import by_arn, own
from garrison.identity.resource_principals import UnknownPrincipal, resolve
from garrison.policy import MalformedPolicy, parse_policy

NEEDED: Final = frozenset({"wafv2:createwebacl", "wafv2:updatewebacl", "wafv2:putfirewallmanagerrulegroups"})
ALLOWED: Final = NEEDED | {"wafv2:getrulegroup"}
VERSIONS: Final = ("2012-10-17", "2015-01-01")


@operation("wafv2", resource=by_arn("resource_arn"))
def put_permission_policy(ctx: Context, req: api.PutPermissionPolicyRequest) -> api.PutPermissionPolicyResponse:
    """Put a policy on a rule group, in the place of the one that it has.

    Raises WAFInvalidPermissionPolicyException, WAFNonexistentItemException.
    """
    entity = own(ctx, req.resource_arn, "rulegroup")
    resolved = _checked(ctx, req.policy)
    ctx.tx.run(
        "INSERT INTO waf_policy (rule_group, policy, resolved) VALUES (?, ?, ?)"
        " ON CONFLICT (rule_group) DO UPDATE SET policy = excluded.policy, resolved = excluded.resolved",
        entity.arn,
        req.policy,
        resolved,
    )
    store.changed(ctx, entity)
    return api.PutPermissionPolicyResponse()


@operation("wafv2", resource=by_arn("resource_arn"), read=True)
def get_permission_policy(ctx: Context, req: api.GetPermissionPolicyRequest) -> api.GetPermissionPolicyResponse:
    """The policy of a rule group, as it was put. Raises WAFNonexistentItemException where it has none."""
    entity = own(ctx, req.resource_arn, "rulegroup")
    row = ctx.tx.one("SELECT policy FROM waf_policy WHERE rule_group = ?", entity.arn)
    if row is None:
        raise errors.nonexistent()
    return api.GetPermissionPolicyResponse(policy=row[0])


@operation("wafv2", resource=by_arn("resource_arn"))
def delete_permission_policy(ctx: Context, req: api.DeletePermissionPolicyRequest) -> api.DeletePermissionPolicyResponse:
    """Take the policy of a rule group away. Web ACLs that use the group keep it. Raises WAFNonexistentItemException."""
    entity = own(ctx, req.resource_arn, "rulegroup")
    if not ctx.tx.run("DELETE FROM waf_policy WHERE rule_group = ?", entity.arn):
        raise errors.nonexistent()
    store.changed(ctx, entity)
    return api.DeletePermissionPolicyResponse()


def _checked(ctx: Context, text: str) -> str:
    """The policy for evaluation: users and roles as unique ids, on every resource, which is this rule group alone."""
    try:
        document = json.loads(text)
    except ValueError:
        raise errors.invalid_policy("it is not JSON.") from None
    if not isinstance(document, dict) or document.get("Version") not in VERSIONS:
        raise errors.invalid_policy("Version must be 2012-10-17 or 2015-01-01.")
    listed = document.get("Statement")
    statements = [_checked_statement(each) for each in (listed if isinstance(listed, list) else [listed])]
    whole = {"Version": "2012-10-17", "Statement": [{**each, "Resource": "*"} for each in statements]}
    rendered = json.dumps(whole)
    try:
        parse_policy(rendered, "resource", service="wafv2")
        return resolve(ctx.tx, rendered, lambda _kind, _name: False).text
    except MalformedPolicy as error:
        raise errors.invalid_policy(str(error)) from error
    except UnknownPrincipal as error:
        raise errors.invalid_policy("it names a principal that does not exist.") from error


def _checked_statement(statement: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(statement, dict):
        raise errors.invalid_policy("a statement must be an object.")
    if statement.get("Effect") != "Allow":
        raise errors.invalid_policy("Effect must be Allow.")
    if "Principal" not in statement:
        raise errors.invalid_policy("a statement must have a Principal.")
    for name in ("Resource", "NotResource", "NotAction", "NotPrincipal"):
        if name in statement:
            raise errors.invalid_policy(f"a statement must not have {name}.")
    actions = statement.get("Action")
    named = [actions] if isinstance(actions, str) else actions
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise errors.invalid_policy("a statement must have actions.")
    folded = {each.lower() for each in named}
    if NEEDED - folded or folded - ALLOWED:
        wanted = "wafv2:CreateWebACL, wafv2:UpdateWebACL and wafv2:PutFirewallManagerRuleGroups, and may be wafv2:GetRuleGroup"
        raise errors.invalid_policy(f"the actions must be {wanted}.")
    return statement
