"""SimulateCustomPolicy and SimulatePrincipalPolicy: the decisions of the real engine, with what made them.

Source: IAM API Reference, both operations and EvaluationResult; names of sources and positions are those of AWS's answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from garrison.api import iam as api
from garrison.core.arn import parse_arn
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import Target, operation
from garrison.core.principal import Principal
from garrison.identity.iam import errors
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import Owner, find_user
from garrison.identity.iam.sources import (
    Source,
    boundary_source,
    excluded,
    identity_sources,
    source_owner,
    source_target,
)
from garrison.identity.iam.tagging import tags_of
from garrison.identity.iam.targets import anything
from garrison.policy import (
    Decision,
    MalformedPolicy,
    Policy,
    PolicyInputs,
    PolicyKind,
    PolicySet,
    Position,
    Request,
    StatementRef,
    Value,
    authorize,
    compile_policy,
    fold_keys,
    global_context,
    parse_policy,
)

_ACTION = re.compile(r"[a-zA-Z0-9-]+:[a-zA-Z0-9]+")
_LISTS = frozenset({"stringList", "numericList", "booleanList", "ipList", "binaryList", "dateList"})
_SOURCE_TYPE = "IAM Policy"
"""What AWS calls every source, beside the values that its model names."""


class _Case(NamedTuple):
    """What every combination of action and resource is decided from."""

    principal: Principal
    inputs: PolicyInputs
    resource_policy: Policy | None
    owner: str
    """The account of resources whose ARN names none."""
    context: Mapping[str, Value]
    texts: Mapping[str, str]
    """Documents by source, for positions."""


class _Asked(NamedTuple):
    """One combination."""

    action: str
    resource: str


Simulation = api.SimulateCustomPolicyRequest | api.SimulatePrincipalPolicyRequest


@operation("iam", resource=anything, read=True)
def simulate_custom_policy(ctx: Context, req: api.SimulateCustomPolicyRequest) -> api.SimulatePolicyResponse:
    """Decide actions by the policies in the request alone. Raises InvalidInput."""
    caller = _caller(ctx, req.caller_arn) or _nobody(ctx)
    sources = _inputs("PolicyInputList", req.policy_input_list)
    levels = [level.service_control_policy_input_list or [] for level in req.ordered_organization_policy_input_list or []]
    scps = tuple(PolicySet(_compiled(_inputs("ServiceControlPolicyInputList", level), "scp")) for level in levels)
    return _simulate(ctx, req, caller, sources, boundary=None, scps=scps)


@operation("iam", resource=source_target, read=True)
def simulate_principal_policy(ctx: Context, req: api.SimulatePrincipalPolicyRequest) -> api.SimulatePolicyResponse:
    """Decide actions by the policies that a user, group or role has, and by those in the request.

    Raises NoSuchEntity, InvalidInput.
    """
    owner = source_owner(ctx, req.policy_source_arn)
    caller = _caller(ctx, req.caller_arn) or _principal(ctx, owner)
    if req.resource_policy and req.caller_arn is None and owner.kind != "user":
        raise api.InvalidInputException("CallerArn is required where ResourcePolicy is given and PolicySourceArn is not a user.")
    own = [
        source
        for source in identity_sources(ctx, owner)
        if not any(excluded(source, exclusion) for exclusion in req.policy_exclusion_list or [])
    ]
    sources = [*own, *_inputs("PolicyInputList", req.policy_input_list)]
    return _simulate(ctx, req, caller, sources, boundary=boundary_source(ctx, owner), scps=_service_controls(ctx, owner))


def _service_controls(ctx: Context, owner: Owner) -> tuple[PolicySet, ...]:
    """The service control policies over a user or role; a group is no principal, and nothing bounds it."""
    principals = ctx.ports.principals
    if principals is None or owner.kind == "group":
        return ()
    inputs: PolicyInputs = principals.owner_inputs(owner.account, owner.id)
    return inputs.scps


def _simulate(
    ctx: Context,
    req: Simulation,
    caller: Principal,
    sources: list[Source],
    *,
    boundary: Source | None,
    scps: tuple[PolicySet, ...],
) -> api.SimulatePolicyResponse:
    if req.resource_handling_option is not None:
        raise CommonError("not_implemented", "ResourceHandlingOption is not supported.")
    given = _inputs("PermissionsBoundaryPolicyInputList", req.permissions_boundary_policy_input_list)
    if len(given) > 1:
        raise api.InvalidInputException("Only one permissions boundary policy can be simulated.")
    boundaries = given or ([boundary] if boundary else [])
    resource = [Source("ResourcePolicy", req.resource_policy)] if req.resource_policy else []
    case = _Case(
        principal=caller,
        inputs=PolicyInputs(
            identity=PolicySet(_compiled(sources, "identity")),
            boundary=PolicySet(_compiled(boundaries, "boundary")) if boundaries else None,
            scps=scps,
        ),
        resource_policy=_compiled(resource, "resource")[0] if resource else None,
        owner=_owner_account(req.resource_owner) or caller.account,
        context=_context(ctx, caller, req.context_entries or []),
        texts={source.id: source.text for source in (*sources, *boundaries, *resource)},
    )
    actions, resources = [_action(action) for action in req.action_names], req.resource_arns or ["*"]
    pager = Pager(ctx, req, _fingerprint(req))
    # A few thousand of each are millions of combinations: only those of this page are made.
    first = int(pager.after) + 1 if pager.after else 0
    following = range(first, min(first + pager.limit + 1, len(actions) * len(resources)))
    page = pager.page([str(index) for index in following], str)
    asked = [divmod(int(index), len(resources)) for index in page.items]
    return api.SimulatePolicyResponse(
        evaluation_results=[_result(case, _Asked(actions[action], resources[resource])) for action, resource in asked],
        is_truncated=page.truncated,
        marker=page.marker,
    )


def _result(case: _Case, asked: _Asked) -> api.EvaluationResult:
    request = _request(case, asked)
    decision = authorize(request, case.inputs, resource_policy=case.resource_policy)
    statements = [_statement(ref, case) for ref in _matched(case, request, decision)]
    missing = list(decision.missing_keys)
    by_boundary = None
    if case.inputs.boundary is not None:
        alone = authorize(request, PolicyInputs(identity=case.inputs.boundary))
        by_boundary = api.PermissionsBoundaryDecisionDetail(allowed_by_permissions_boundary=alone.allowed)
    result = api.EvaluationResult(
        eval_action_name=asked.action,
        eval_resource_name=asked.resource,
        eval_decision=decision.outcome,
        matched_statements=statements,
        missing_context_values=missing,
        permissions_boundary_decision_detail=by_boundary,
    )
    if case.inputs.scps:
        allowed = all(authorize(request, PolicyInputs(identity=level)).allowed for level in case.inputs.scps)
        result.organizations_decision_detail = api.OrganizationsDecisionDetail(allowed_by_organizations=allowed)
    if asked.resource != "*":
        # What is said of one resource stands under it: the missing keys move there.
        result.missing_context_values = []
        result.eval_decision_details = _details(case, request)
        result.resource_specific_results = [
            api.ResourceSpecificResult(
                eval_resource_name=asked.resource,
                eval_resource_decision=decision.outcome,
                matched_statements=statements,
                missing_context_values=missing,
                permissions_boundary_decision_detail=by_boundary,
            )
        ]
    return result


def _request(case: _Case, asked: _Asked) -> Request:
    account = case.owner
    if asked.resource != "*":
        try:
            account = parse_arn(asked.resource).account or case.owner
        except ValueError:
            raise api.InvalidInputException(f"Invalid resource: {asked.resource}") from None
    return Request(asked.action, asked.resource, account, case.principal, case.context)


def _details(case: _Case, request: Request) -> dict[str, str]:
    """How each side of a cross-account request decides alone; nothing to say within one account."""
    if case.resource_policy is None or request.resource_account == case.principal.account:
        return {}
    alone = authorize(request, PolicyInputs(), resource_policy=case.resource_policy)
    own = Request(request.action, request.resource, case.principal.account, case.principal, request.context)
    granted = any(ref.kind == "resource" and ref.effect == "Allow" for ref in alone.matched_statements) or _grants(case, request)
    return {
        "IAM Policy": authorize(own, case.inputs).outcome,
        "Resource Policy": alone.outcome if alone.outcome == "explicitDeny" else "allowed" if granted else "implicitDeny",
    }


def _grants(case: _Case, request: Request) -> bool:
    """Whether the resource policy would allow a caller whose own side allows everything."""
    everything = compile_policy(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}', "identity", id="everything"
    )
    return authorize(request, PolicyInputs(identity=PolicySet([everything])), resource_policy=case.resource_policy).allowed


def _matched(case: _Case, request: Request, decision: Decision) -> list[StatementRef]:
    """The statements that determine the answer: all Denies of an explicit deny, all Allows of an allowance, none otherwise."""
    if decision.outcome == "implicitDeny":
        return []
    effect = "Deny" if decision.outcome == "explicitDeny" else "Allow"
    get = case.context.get
    found = [
        statement.ref
        for policy in case.inputs.identity.policies
        for statement in policy.speaking_of(request.action.lower())
        if statement.ref.effect == effect and statement.applies(request.resource, get)
    ]
    return (
        found
        + [ref for ref in decision.matched_statements if ref.effect == effect and ref.kind not in {"identity", "boundary"}]
        + [ref for ref in decision.matched_statements if effect == "Deny" and ref.kind == "boundary"]
    )


def _statement(ref: StatementRef, case: _Case) -> api.Statement:
    start = _start(case.texts.get(ref.policy_id, ""), ref.start)
    return api.Statement(
        source_policy_id=ref.policy_id,
        source_policy_type=_SOURCE_TYPE,
        start_position=api.Position(line=start.line, column=start.column),
        end_position=api.Position(line=ref.end.line, column=ref.end.column),
    )


def _start(text: str, brace: Position) -> Position:
    """AWS counts a statement from right behind the bracket or comma before it: back over the white space."""
    lines = text.split("\n")
    line, column = brace.line, brace.column
    while line >= 1 and line <= len(lines):
        before = lines[line - 1][: column - 1].rstrip()
        if before:
            return Position(line, len(before) + 1)
        line -= 1
        column = len(lines[line - 1]) + 1 if line else 1
    return brace


def _compiled(sources: Sequence[Source], kind: PolicyKind) -> list[Policy]:
    """Compiled under their source's name. A boundary without a document is left out, and so allows nothing."""
    found = []
    for source in sources:
        if not source.text:
            continue
        try:
            document = parse_policy(source.text, kind)
        except MalformedPolicy as error:
            raise api.InvalidInputException(error.reason) from error
        found.append(compile_policy(document, kind, id=source.id, arn=source.arn, name=source.id))
    return found


def _inputs(name: str, texts: Sequence[str] | None) -> list[Source]:
    """Policies of the request, called ``PolicyInputList.1`` and so on."""
    return [Source(f"{name}.{number}", text) for number, text in enumerate(texts or [], 1)]


def _action(name: str) -> str:
    if not _ACTION.fullmatch(name):
        raise api.InvalidInputException(f"Invalid action: {name}")
    return name


def _context(ctx: Context, caller: Principal, entries: Sequence[api.ContextEntry]) -> dict[str, Value]:
    """The caller's own keys, and over them the entries of the request."""
    known = global_context(caller, ctx.call, now=ctx.now, region=ctx.region, target=Target("*", caller.account), extra={})
    found = {key: value for key in _OF_CALLER if (value := known.get(key)) is not None}
    found.update({f"aws:principaltag/{key.lower()}": value for key, value in caller.tags.items()})
    return {**found, **fold_keys(dict(_entry(entry) for entry in entries))}


_OF_CALLER = ("aws:username", "aws:userid", "aws:principalarn", "aws:principalaccount", "aws:principaltype")
"""What is certain of the simulated caller. Everything else is the request's to say, and is missing where it does not."""


def _entry(entry: api.ContextEntry) -> tuple[str, Value]:
    values = entry.context_key_values or []
    if entry.context_key_name is None or entry.context_key_type is None:
        raise api.InvalidInputException("A context entry needs a name, a type and values.")
    if entry.context_key_type in _LISTS:
        return entry.context_key_name, values
    if len(values) != 1:
        raise api.InvalidInputException(f"Context key {entry.context_key_name} of type {entry.context_key_type} takes one value.")
    return entry.context_key_name, values[0]


def _caller(ctx: Context, arn: str | None) -> Principal | None:
    """The user of CallerArn; a user of another account is taken at its word. Raises InvalidInput."""
    if arn is None:
        return None
    try:
        parsed = parse_arn(arn)
    except ValueError:
        raise errors.arn_not_valid(arn) from None
    if parsed.service != "iam" or parsed.resource_type != "user":
        raise api.InvalidInputException("CallerArn must be the ARN of an IAM user.")
    row = find_user(ctx.tx, parsed.account, parsed.resource_name) if parsed.account == ctx.account else None
    if row is not None:
        return _principal(ctx, row)
    return Principal(kind="user", account=parsed.account, arn=arn, id="", name=parsed.resource_name)


def _principal(ctx: Context, owner: Owner) -> Principal:
    """A user as itself; a role as one of its sessions would be, a group as a member would be, without a name of its own."""
    if owner.kind == "role":
        return Principal(
            kind="assumed-role", account=owner.account, arn=owner.arn, id=owner.id, tags=tags_of(ctx.tx, owner.account, owner.id)
        )
    if owner.kind == "group":
        return Principal(kind="user", account=owner.account, arn=owner.arn, id="")
    tags = tags_of(ctx.tx, owner.account, owner.id)
    return Principal(kind="user", account=owner.account, arn=owner.arn, id=owner.id, name=owner.name, tags=tags)


def _nobody(ctx: Context) -> Principal:
    """Whoever has only the policies of the request."""
    return Principal(kind="user", account=ctx.account, arn="", id="")


def _owner_account(owner: str | None) -> str | None:
    """The account of ResourceOwner: an account's ARN, or its number."""
    if owner is None:
        return None
    if owner.isdigit() and len(owner) == 12:
        return owner
    try:
        return parse_arn(owner).account
    except ValueError:
        raise api.InvalidInputException(f"Invalid ResourceOwner: {owner}") from None


def _fingerprint(req: Simulation) -> str:
    """Everything that a simulation depends on beside the page: a marker of one is none of another."""
    members = msgspec.to_builtins(req)
    members.pop("Marker", None)
    members.pop("MaxItems", None)
    return sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()
