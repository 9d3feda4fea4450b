"""The decision order, row by row. Source: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access",
"Policy evaluation for requests within a single account", "Cross-account policy evaluation logic", "Permissions boundaries for IAM
entities", "Session policies"; KMS Developer Guide, "Key policies". Every case is asked of both evaluators."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from garrison.core.principal import Principal
from garrison.policy import (
    Decision,
    Grant,
    Granted,
    MalformedPolicy,
    Policy,
    PolicyInputs,
    PolicyKind,
    PolicySet,
    Request,
    Value,
    authorize,
    compile_policy,
    explain,
    fold_keys,
)
from garrison.policy.reference import reference_authorize
from tests.support.policies import FEDERATED, MINE, OTHER, PRINCIPALS, PROVIDER, ROLE, SESSION, USER

ROOT, ANN, JOB, GUEST, TRAIL, NOBODY = PRINCIPALS
OBJECT = "arn:aws:s3:::data/x"


def policy(kind: PolicyKind, effect: str = "Allow", action: Any = "s3:*", **elements: Any) -> Policy:
    statement = {"Effect": effect, "Action": action, "Resource": "*"} | elements
    if kind == "trust":
        del statement["Resource"]
    if kind == "rcp":
        statement |= {"Principal": "*"}
    return compile_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), kind, id=kind)


def allow(kind: PolicyKind = "identity", **elements: Any) -> PolicySet:
    return PolicySet([policy(kind, **elements)])


def deny(kind: PolicyKind = "identity", **elements: Any) -> PolicySet:
    return PolicySet([policy(kind, **elements), policy(kind, "Deny", **elements)])


def bucket(principal: Any, **elements: Any) -> Policy:
    return policy("resource", Principal=principal, **elements)


NOTHING = PolicySet()
ELSE = allow("boundary", action="ec2:*")
ELSE_SESSION = allow("session", action="ec2:*")


def ask(
    caller: Principal,
    *,
    identity: PolicySet = NOTHING,
    boundary: PolicySet | None = None,
    session: PolicySet | tuple[PolicySet, ...] | None = None,
    scps: tuple[PolicySet, ...] = (),
    resource: Policy | None = None,
    decides: bool = False,
    rcps: tuple[PolicySet, ...] = (),
    owner: str = MINE,
    action: str = "s3:GetObject",
    keys: Mapping[str, Value] | None = None,
    granted: Granted | None = None,
) -> Decision:
    request = Request(action, OBJECT, owner, caller, fold_keys(keys or {}))
    inputs = PolicyInputs(identity, boundary, session, scps)
    grants = (lambda _request: granted) if granted is not None else None
    decision = authorize(request, inputs, resource_policy=resource, resource_policy_decides=decides, rcps=rcps, grants=grants)
    slow = reference_authorize(
        request, inputs, resource_policy=resource, resource_policy_decides=decides, rcps=rcps, grants=grants
    )
    assert not decision.errors
    assert (decision.outcome, decision.decided_by) == slow
    return decision


def verdict(caller: Principal, **situation: Any) -> str:
    decision = ask(caller, **situation)
    return f"{decision.outcome} {decision.decided_by}"


# -- within one account ----------------------------------------------------------------------------------------

ACCOUNT_ROOT = {"AWS": f"arn:aws:iam::{MINE}:root"}


@pytest.mark.parametrize(
    ("caller", "principal", "identity", "boundary", "session"),
    [
        # the resource policy names … ; then the answer without identity Allow, with a silent boundary, with a silent session policy
        (ANN, {"AWS": USER}, "allowed resource", "allowed resource", "allowed resource"),
        (JOB, {"AWS": SESSION}, "allowed resource", "allowed resource", "allowed resource"),
        (GUEST, {"AWS": FEDERATED}, "allowed resource", "allowed resource", "allowed resource"),
        (JOB, {"AWS": ROLE}, "allowed resource", "implicitDeny boundary", "implicitDeny session"),
        (GUEST, {"AWS": USER}, "allowed resource", "implicitDeny boundary", "implicitDeny session"),
        (ANN, ACCOUNT_ROOT, "implicitDeny identity", "implicitDeny boundary", "implicitDeny session"),
        (JOB, {"AWS": MINE}, "implicitDeny identity", "implicitDeny boundary", "implicitDeny session"),
        (ANN, "*", "allowed resource", "allowed resource", "allowed resource"),
        (JOB, {"AWS": "*"}, "allowed resource", "allowed resource", "allowed resource"),
        (ANN, {"AWS": OTHER}, "implicitDeny identity", "implicitDeny boundary", "implicitDeny session"),
    ],
)
def test_what_limits_a_grant_of_a_resource_policy(
    caller: Principal, principal: Any, identity: str, boundary: str, session: str
) -> None:
    resource = bucket(principal)
    assert verdict(caller, resource=resource) == identity
    assert verdict(caller, resource=resource, identity=allow(), boundary=ELSE) == boundary
    assert verdict(caller, resource=resource, identity=allow(), session=ELSE_SESSION) == session


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_most_direct_of_several_grants_counts(order: tuple[int, ...]) -> None:
    names = (MINE, ROLE, SESSION)
    statements = [{"Effect": "Allow", "Principal": {"AWS": names[at]}, "Action": "s3:*", "Resource": "*"} for at in order]
    resource = compile_policy(json.dumps({"Statement": statements}), "resource")
    assert verdict(JOB, resource=resource, session=ELSE_SESSION) == "allowed resource"
    without_session = [statement for statement, at in zip(statements, order, strict=True) if at != 2]
    resource = compile_policy(json.dumps({"Statement": without_session}), "resource")
    assert verdict(JOB, resource=resource) == "allowed resource"


@pytest.mark.parametrize("kind", ["identity", "boundary", "session"])
@pytest.mark.parametrize(
    ("caller", "principal"), [(ANN, {"AWS": USER}), (JOB, {"AWS": SESSION}), (JOB, {"AWS": ROLE}), (ANN, "*")]
)
def test_explicit_denies_always_win(caller: Principal, principal: Any, kind: PolicyKind) -> None:
    situation: dict[str, Any] = {"identity": allow(), kind: deny(kind)}
    assert verdict(caller, resource=bucket(principal), **situation) == f"explicitDeny {kind}"


def test_identity_boundary_and_session_must_all_allow() -> None:
    assert verdict(ANN) == "implicitDeny identity"
    assert verdict(ANN, identity=allow()) == "allowed identity"
    assert verdict(ANN, identity=allow(), boundary=allow("boundary")) == "allowed identity"
    assert verdict(ANN, identity=allow(), boundary=ELSE) == "implicitDeny boundary"
    assert verdict(ANN, boundary=allow("boundary")) == "implicitDeny identity"
    assert verdict(JOB, identity=allow(), session=allow("session")) == "allowed identity"
    assert verdict(JOB, identity=allow(), session=ELSE_SESSION) == "implicitDeny session"
    assert verdict(JOB, identity=allow(), session=NOTHING) == "implicitDeny session"
    assert verdict(JOB, session=allow("session")) == "implicitDeny identity"
    assert verdict(JOB, identity=allow(), session=(allow("session"), ELSE_SESSION)) == "implicitDeny session"
    assert verdict(ANN, identity=PolicySet([policy("identity", action="ec2:*"), policy("identity")])) == "allowed identity"


def test_a_condition_that_fails_on_an_allow_is_no_deny() -> None:
    """One policy's Allow does not hold; another's does: the request is allowed."""
    guarded = policy("identity", Condition={"Bool": {"aws:SecureTransport": "true"}})
    assert verdict(ANN, identity=PolicySet([guarded])) == "implicitDeny identity"
    assert verdict(ANN, identity=PolicySet([guarded, policy("identity")])) == "allowed identity"


def test_not_resource_and_not_action() -> None:
    spare = PolicySet([policy("identity"), compile_policy(_not_resource("arn:aws:s3:::data/*"), "identity")])
    assert verdict(ANN, identity=spare) == "allowed identity"
    strike = PolicySet([policy("identity"), compile_policy(_not_resource("arn:aws:s3:::other/*"), "identity")])
    assert verdict(ANN, identity=strike) == "explicitDeny identity"
    listed = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}}'
    assert verdict(ANN, identity=PolicySet([compile_policy(listed, "identity")])) == "allowed identity"
    assert verdict(ANN, identity=PolicySet([compile_policy(listed, "identity")]), action="iam:GetUser") == "implicitDeny identity"


def _not_resource(entry: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "NotResource": entry}})


def test_a_not_resource_that_cannot_be_resolved_strikes_nobody() -> None:
    entry = compile_policy(_not_resource("arn:aws:s3:::data/${aws:username}"), "identity")
    assert verdict(ANN, identity=PolicySet([policy("identity"), entry])) == "allowed identity"
    assert verdict(ANN, identity=PolicySet([policy("identity"), entry]), keys={"aws:username": "ann"}) == "explicitDeny identity"
    assert verdict(ANN, identity=PolicySet([policy("identity"), entry]), keys={"aws:username": "x"}) == "allowed identity"


# -- organizations ---------------------------------------------------------------------------------------------


def test_every_level_of_service_control_policies_must_allow() -> None:
    everything = allow("scp", action="*")
    assert verdict(ANN, identity=allow(), scps=(everything, everything)) == "allowed identity"
    assert verdict(ANN, identity=allow(), scps=(everything, allow("scp", action="ec2:*"))) == "implicitDeny scp"
    assert verdict(ANN, identity=allow(), scps=(deny("scp"), everything)) == "explicitDeny scp"
    assert verdict(ANN, scps=(everything,)) == "implicitDeny identity"
    assert verdict(ANN, resource=bucket({"AWS": USER}), scps=(allow("scp", action="ec2:*"),)) == "implicitDeny scp"


def test_resource_control_policies_deny_whoever_asks() -> None:
    full = allow("rcp", action="*")
    corp = PolicySet(
        [policy("rcp", action="*"), policy("rcp", "Deny", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}})]
    )
    assert verdict(ANN, identity=allow(), rcps=(full,)) == "allowed identity"
    assert verdict(ANN, identity=allow(), rcps=(full, NOTHING)) == "implicitDeny rcp"
    assert verdict(ANN, identity=allow(), rcps=(corp,)) == "explicitDeny rcp"
    assert verdict(ANN, identity=allow(), rcps=(corp,), keys={"aws:PrincipalOrgID": "o-1"}) == "allowed identity"
    assert verdict(NOBODY, resource=bucket("*"), rcps=(corp,)) == "explicitDeny rcp"
    assert verdict(TRAIL, resource=bucket({"Service": TRAIL.service}), rcps=(corp,)) == "explicitDeny rcp"


def test_the_first_type_in_the_order_of_evaluation_is_named() -> None:
    situation: dict[str, Any] = {
        "identity": deny(),
        "boundary": deny("boundary"),
        "session": deny("session"),
        "scps": (deny("scp"),),
    }
    assert verdict(ANN, **situation) == "explicitDeny scp"
    del situation["scps"]
    assert verdict(ANN, **situation, resource=policy("resource", "Deny", Principal="*")) == "explicitDeny resource"
    assert verdict(ANN, **situation) == "explicitDeny identity"


# -- root, services, everyone ----------------------------------------------------------------------------------


def test_the_root_user_may_do_everything_that_nothing_denies() -> None:
    assert verdict(ROOT) == "allowed root"
    assert verdict(ROOT, scps=(allow("scp", action="ec2:*"),)) == "implicitDeny scp"
    assert verdict(ROOT, scps=(deny("scp"),)) == "explicitDeny scp"
    assert verdict(ROOT, resource=policy("resource", "Deny", Principal="*")) == "explicitDeny resource"
    assert verdict(ROOT, session=ELSE_SESSION) == "implicitDeny session"
    assert verdict(ROOT, owner=OTHER) == "implicitDeny resource"
    assert verdict(ROOT, owner=OTHER, resource=bucket({"AWS": MINE})) == "allowed root"


def test_service_principals_and_strangers_live_by_the_resource_policy_alone() -> None:
    assert verdict(TRAIL, resource=bucket({"Service": TRAIL.service})) == "allowed resource"
    assert verdict(TRAIL, resource=bucket({"Service": "config.amazonaws.com"})) == "implicitDeny resource"
    assert verdict(TRAIL, identity=allow()) == "implicitDeny resource"
    assert verdict(NOBODY, resource=bucket("*"), owner=OTHER, scps=(deny("scp"),)) == "allowed resource"
    assert verdict(NOBODY, resource=bucket({"AWS": MINE})) == "implicitDeny resource"
    assert verdict(NOBODY, identity=allow()) == "implicitDeny resource"
    assert verdict(NOBODY) == "implicitDeny resource"


# -- across accounts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "principal"),
    [(ANN, {"AWS": USER}), (ANN, {"AWS": MINE}), (ANN, "*"), (JOB, {"AWS": ROLE}), (JOB, {"AWS": SESSION})],
)
def test_both_accounts_must_allow(caller: Principal, principal: Any) -> None:
    assert verdict(caller, owner=OTHER, identity=allow(), resource=bucket(principal)) == "allowed identity"
    assert verdict(caller, owner=OTHER, resource=bucket(principal)) == "implicitDeny identity"
    assert verdict(caller, owner=OTHER, identity=allow()) == "implicitDeny resource"
    assert verdict(caller, owner=OTHER, identity=allow(), resource=bucket({"AWS": OTHER})) == "implicitDeny resource"
    assert verdict(caller, owner=OTHER, identity=allow(), resource=bucket(principal), boundary=ELSE) == "implicitDeny boundary"
    assert (
        verdict(caller, owner=OTHER, identity=allow(), resource=bucket(principal), session=ELSE_SESSION) == "implicitDeny session"
    )
    assert verdict(caller, owner=OTHER, identity=deny(), resource=bucket(principal)) == "explicitDeny identity"


@pytest.mark.parametrize("owner", ["", "aws", MINE])
def test_what_is_nobodys_or_awss_own_counts_as_the_callers(owner: str) -> None:
    assert verdict(ANN, identity=allow(), owner=owner) == "allowed identity"


# -- resource policies that must allow -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "principal", "identity", "expected"),
    [
        (ANN, {"AWS": USER}, NOTHING, "allowed resource"),
        (ANN, ACCOUNT_ROOT, allow(), "allowed identity"),
        (ANN, ACCOUNT_ROOT, NOTHING, "implicitDeny identity"),
        (ANN, {"AWS": ROLE}, allow(), "implicitDeny resource"),
        (ROOT, ACCOUNT_ROOT, NOTHING, "allowed root"),
        (ROOT, {"AWS": USER}, NOTHING, "implicitDeny resource"),
        (JOB, {"AWS": ROLE}, NOTHING, "allowed resource"),
    ],
)
def test_a_key_policy_decides(caller: Principal, principal: Any, identity: PolicySet, expected: str) -> None:
    assert verdict(caller, resource=bucket(principal), decides=True, identity=identity) == expected


def test_without_delegation_identity_allows_have_no_effect_and_denies_do() -> None:
    resource = bucket({"AWS": USER})
    assert verdict(ANN, resource=resource, decides=True, identity=deny()) == "explicitDeny identity"
    assert verdict(JOB, resource=resource, decides=True, identity=allow()) == "implicitDeny resource"
    assert verdict(JOB, decides=True, identity=allow()) == "implicitDeny resource"


def trust(principal: Any, **elements: Any) -> Policy:
    return policy("trust", action="sts:AssumeRole", Principal=principal, **elements)


def test_trust_policies() -> None:
    situation: dict[str, Any] = {"decides": True, "action": "sts:AssumeRole"}
    may = allow(action="sts:AssumeRole")
    assert verdict(ANN, resource=trust({"AWS": USER}), **situation) == "allowed trust"
    assert verdict(ANN, resource=trust({"AWS": MINE}), **situation) == "implicitDeny identity"
    assert verdict(ANN, resource=trust({"AWS": MINE}), identity=may, **situation) == "allowed identity"
    assert verdict(ANN, resource=trust({"AWS": OTHER}), identity=may, **situation) == "implicitDeny trust"
    assert verdict(ANN, resource=trust({"AWS": USER}), owner=OTHER, **situation) == "implicitDeny identity"
    assert verdict(ANN, resource=trust({"AWS": USER}), owner=OTHER, identity=may, **situation) == "allowed identity"
    guarded = trust({"AWS": USER}, Condition={"StringEquals": {"sts:ExternalId": "s3cret"}})
    assert verdict(ANN, resource=guarded, **situation) == "implicitDeny trust"
    assert verdict(ANN, resource=guarded, keys={"sts:ExternalId": "other"}, **situation) == "implicitDeny trust"
    assert verdict(ANN, resource=guarded, keys={"sts:ExternalId": "s3cret"}, **situation) == "allowed trust"
    federated = trust({"Federated": PROVIDER})
    assert verdict(NOBODY, resource=federated, **situation) == "implicitDeny trust"
    assert verdict(NOBODY, resource=federated, keys={"aws:FederatedProvider": PROVIDER}, **situation) == "allowed trust"
    assert verdict(TRAIL, resource=trust({"Service": TRAIL.service}), **situation) == "allowed trust"


# -- NotPrincipal ----------------------------------------------------------------------------------------------


def stranger(effect: str, *listed: str) -> Policy:
    statement = {"Effect": effect, "NotPrincipal": {"AWS": list(listed)}, "Action": "s3:*", "Resource": "*"}
    return compile_policy(json.dumps({"Statement": statement}), "resource")


def test_not_principal() -> None:
    assert verdict(ANN, identity=allow(), resource=stranger("Deny", MINE, USER)) == "allowed identity"
    assert verdict(ANN, identity=allow(), resource=stranger("Deny", USER)) == "explicitDeny resource"
    assert verdict(JOB, identity=allow(), resource=stranger("Deny", MINE, ROLE, SESSION)) == "allowed identity"
    assert verdict(JOB, identity=allow(), resource=stranger("Deny", MINE, ROLE)) == "explicitDeny resource"
    with pytest.raises(MalformedPolicy, match="Allow with NotPrincipal is not allowed"):
        stranger("Allow", USER)


def test_not_principal_denies_every_principal_with_a_boundary() -> None:
    resource = stranger("Deny", MINE, USER)
    assert verdict(ANN, identity=allow(), resource=resource, boundary=allow("boundary")) == "explicitDeny resource"


# -- what a decision carries -----------------------------------------------------------------------------------


def test_the_statements_that_decided_are_named() -> None:
    decision = ask(ANN, identity=allow(Sid="Mine"), boundary=allow("boundary"), resource=bucket(ACCOUNT_ROOT))
    assert [(ref.kind, ref.sid, ref.effect) for ref in decision.matched_statements] == [
        ("identity", "Mine", "Allow"),
        ("resource", "", "Allow"),
        ("boundary", "", "Allow"),
    ]
    assert [found.kind for found in decision.considered()] == ["resource", "identity", "boundary"]


def test_everything_in_play_is_named_once_and_in_order() -> None:
    shared = policy("scp", action="*")
    decision = ask(
        JOB,
        identity=allow(),
        boundary=allow("boundary"),
        session=(allow("session"), allow("session")),
        scps=(PolicySet([shared]), PolicySet([shared])),
        rcps=(allow("rcp", action="*"),),
        resource=bucket(ACCOUNT_ROOT),
    )
    assert [found.kind for found in decision.considered()] == [
        "rcp",
        "scp",
        "resource",
        "identity",
        "boundary",
        "session",
        "session",
    ]


# -- grants, which a resource has beside its policy: KMS Developer Guide, "Troubleshooting key access", "Grants in AWS KMS" ----------

BY_NAME, BY_ROLE, BY_ACCOUNT = (Granted("g", level, trusted=False) for level in (Grant.DIRECT, Grant.ENTITY, Grant.ACCOUNT))


@pytest.mark.parametrize(
    ("caller", "granted", "alone", "bounded", "in_session"),
    [
        (ANN, BY_NAME, "allowed grant", "allowed grant", "allowed grant"),
        (JOB, BY_ROLE, "allowed grant", "implicitDeny boundary", "implicitDeny session"),
        (ANN, BY_ACCOUNT, "implicitDeny identity", "implicitDeny identity", "implicitDeny identity"),
        (ROOT, BY_ACCOUNT, "allowed root", "implicitDeny boundary", "implicitDeny session"),
        (TRAIL, BY_NAME, "allowed grant", "allowed grant", "allowed grant"),
        (ANN, Granted("g", Grant.NONE, trusted=True), "implicitDeny resource", "implicitDeny resource", "implicitDeny resource"),
    ],
)
def test_a_grant_stands_in_for_the_resource_policy(
    caller: Principal, granted: Granted, alone: str, bounded: str, in_session: str
) -> None:
    situation: dict[str, Any] = {"granted": granted, "decides": True, "resource": bucket({"AWS": OTHER})}
    assert verdict(caller, **situation) == alone
    assert verdict(caller, boundary=ELSE, **situation) == bounded
    assert verdict(caller, session=ELSE_SESSION, **situation) == in_session


@pytest.mark.parametrize("where", ["identity", "boundary", "session", "scps", "resource", "rcps"])
def test_no_grant_outweighs_a_deny(where: str) -> None:
    kind: Any = {"scps": "scp", "rcps": "rcp"}.get(where, where)
    denied: Any = {"resource": bucket("*", Effect="Deny"), "rcp": PolicySet([policy("rcp", "Deny")])}.get(kind) or deny(kind)
    situation: dict[str, Any] = {where: (denied,) if where in {"scps", "rcps"} else denied, "granted": BY_NAME}
    assert verdict(ANN, **situation) == f"explicitDeny {kind}"


def test_no_grant_reaches_past_an_organization() -> None:
    assert verdict(ANN, scps=(NOTHING,), granted=BY_NAME) == "implicitDeny scp"
    assert verdict(ANN, rcps=(NOTHING,), granted=BY_NAME) == "implicitDeny rcp"


def test_a_grant_on_another_accounts_resource_needs_trust_of_the_callers_own_account() -> None:
    """By an identity policy, or because the caller's account issued it."""
    assert verdict(ANN, owner=OTHER, granted=BY_NAME) == "implicitDeny identity"
    assert verdict(ANN, owner=OTHER, granted=BY_NAME, identity=allow()) == "allowed identity"
    assert verdict(ANN, owner=OTHER, granted=BY_NAME._replace(trusted=True)) == "allowed grant"
    assert verdict(ANN, owner=OTHER, granted=BY_ACCOUNT._replace(trusted=True)) == "implicitDeny identity"
    assert verdict(JOB, owner=OTHER, granted=BY_ROLE._replace(trusted=True), session=ELSE_SESSION) == "implicitDeny session"


def test_the_decision_names_its_grant() -> None:
    decision = ask(ANN, granted=BY_NAME)
    assert (decision.grant, decision.matched) == ("g", ())
    assert explain(decision).as_json()["grantId"] == "g"
    assert "- grant g names the caller and the action" in explain(decision).as_text()
    assert ask(ANN, granted=BY_NAME, identity=allow()).grant == ""


def test_a_grant_that_cannot_be_evaluated_allows_nothing() -> None:
    def broken(_request: Request) -> Granted | None:
        raise LookupError

    request = Request("s3:GetObject", OBJECT, MINE, ANN, {})
    decision = authorize(request, PolicyInputs(), grants=broken)
    assert (decision.outcome, decision.decided_by, decision.errors) == ("implicitDeny", "grant", ("LookupError",))


class Broken(dict[str, Value]):
    """A context that cannot answer."""

    def get(self, key: str, default: Value | None = None) -> Value | None:  # type: ignore[override]  # as Mapping has it
        raise RuntimeError(key, default)


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_what_cannot_be_evaluated_is_never_an_allow(effect: str) -> None:
    guarded = policy("identity", effect, Condition={"StringEquals": {"aws:username": "ann"}})
    request = Request("s3:GetObject", OBJECT, MINE, ANN, Broken())
    decision = authorize(request, PolicyInputs(PolicySet([guarded, policy("identity", action="ec2:*")])))
    assert (decision.outcome, decision.errors) == ("implicitDeny", ("RuntimeError",))
