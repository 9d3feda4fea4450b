"""How AWS says that a policy is malformed. Two parsers answer, each with words of its own.

The older one reads identity policies and says ``Syntax errors in policy.`` to any fault of form; the newer one reads role trust
policies and resource policies and names the field. Texts as clients recorded them from AWS.
"""

from __future__ import annotations

from typing import NamedTuple

from garrison.policy.document import PolicyKind


class Wording(NamedTuple):
    """The texts of one parser. ``{}`` stands for the value at fault."""

    json: str
    syntax: str
    version: str
    no_statement: str
    no_effect: str
    bad_effect: str
    duplicate_sid: str
    no_principal: str
    empty_principal: str
    bad_principal: str
    """``{}`` is ``"AWS":"arn:…"``."""
    prohibited_principal: str
    no_action: str
    no_resource: str
    bad_value: str
    """A value that its condition operator cannot compare."""


_SYNTAX = "Syntax errors in policy."
_ORGANIZATIONS = "The provided policy document does not meet the requirements of the specified policy type."

IDENTITY = Wording(
    json=_SYNTAX,
    syntax=_SYNTAX,
    version=_SYNTAX,
    no_statement=_SYNTAX,
    no_effect=_SYNTAX,
    bad_effect=_SYNTAX,
    duplicate_sid="Statement IDs (SID) in a single policy must be unique.",
    no_principal=_SYNTAX,
    empty_principal=_SYNTAX,
    bad_principal=_SYNTAX,
    prohibited_principal="Policy document should not specify a principal.",
    no_action="Policy statement must contain actions.",
    no_resource="Policy statement must contain resources.",
    bad_value="The policy failed legacy parsing",
)
RESOURCE = Wording(
    json="This policy contains invalid Json",
    syntax="Syntax error in policy.",
    version="The policy must contain a valid version string",
    no_statement="Could not parse the policy: Statement is empty!",
    no_effect="Missing required field Effect",
    bad_effect="Invalid effect: {}",
    duplicate_sid="The Statement Ids in the policy are not unique",
    no_principal="Missing required field Principal",
    empty_principal="Missing required field Principal cannot be empty!",
    bad_principal="Invalid principal in policy: {}",
    prohibited_principal="Has prohibited field Principal",
    no_action="Missing required field Action",
    no_resource="Missing required field Resource",
    bad_value="Syntax error in policy.",
)
_S3 = RESOURCE._replace(
    json="Policies must be valid JSON and the first byte must be '{'",
    syntax="Invalid policy syntax.",
    bad_principal="Invalid principal in policy",
    bad_value="Invalid policy syntax.",
)
_KMS = RESOURCE._replace(bad_principal="Policy contains a statement with one or more invalid principals.")
_CONTROL = Wording(*[_ORGANIZATIONS] * len(Wording._fields))


def wording(kind: PolicyKind, service: str) -> Wording:
    """The texts for a kind of policy; ``service`` is whose resource policy it is."""
    if kind in {"scp", "rcp"}:
        return _CONTROL
    if kind in {"resource", "trust"}:
        return {"s3": _S3, "kms": _KMS}.get(service, RESOURCE)
    return IDENTITY
