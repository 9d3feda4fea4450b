"""Callers whom an identity provider vouches for: no identities of an account. Each case is asked of both evaluators.

Sources: AWS Organizations User Guide, "SCP evaluation" (they bound IAM users and roles alone) and "Resource control policies (RCPs)"
(they bound every caller, federated ones too); IAM User Guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.core.context import Call
from garrison.core.operation import Target
from garrison.core.principal import Principal, PrincipalKind
from garrison.policy import Policy, PolicyInputs, PolicyKind, PolicySet, Request, authorize, compile_policy, global_context
from garrison.policy.reference import reference_authorize

ACCOUNT = "111122223333"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/work"
ACTION = "sts:AssumeRoleWithWebIdentity"
KINDS: list[PrincipalKind] = ["web-identity", "saml"]


def policy(kind: PolicyKind, effect: str = "Allow", **elements: Any) -> Policy:
    statement = {"Effect": effect, "Action": "sts:*", **({} if kind == "trust" else {"Resource": "*"}), **elements}
    return compile_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}), kind, id=kind)


def decide(
    kind: PrincipalKind,
    trust: Policy,
    inputs: PolicyInputs | None = None,
    rcps: tuple[PolicySet, ...] = (),
    subject: str = "someone",
) -> str:
    caller = Principal(kind=kind, account=ACCOUNT, arn="", id="x:someone", name="someone", provider=PROVIDER)
    target = Target(ROLE, ACCOUNT)
    extra = {"idp.example.com:sub": subject}
    context = global_context(caller, Call(source_ip="192.0.2.1"), now=0.0, region="us-east-1", target=target, extra=extra)
    request = Request(ACTION, ROLE, ACCOUNT, caller, context)
    found = authorize(request, inputs or PolicyInputs(), resource_policy=trust, resource_policy_decides=True, rcps=rcps)
    plain = reference_authorize(request, inputs or PolicyInputs(), resource_policy=trust, resource_policy_decides=True, rcps=rcps)
    assert found.outcome == plain.outcome
    return found.outcome


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("principal", "outcome"),
    [
        ({"Federated": PROVIDER}, "allowed"),
        ("*", "allowed"),
        ({"Federated": PROVIDER.replace("idp", "other")}, "implicitDeny"),
        ({"AWS": ACCOUNT}, "implicitDeny"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "implicitDeny"),
        ({"Service": "ec2.amazonaws.com"}, "implicitDeny"),
    ],
)
def test_whom_a_trust_policy_speaks_of(kind: PrincipalKind, principal: Any, outcome: str):
    assert decide(kind, policy("trust", Principal=principal)) == outcome


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_s_policies_do_not_bound_them_and_give_them_nothing(kind: PrincipalKind):
    trust = policy("trust", Principal={"Federated": PROVIDER})
    nothing = PolicyInputs(scps=(PolicySet([policy("scp", "Deny")]),))
    assert decide(kind, trust, nothing) == "allowed"
    everything = PolicyInputs(identity=PolicySet([policy("identity")]))
    assert decide(kind, policy("trust", Principal={"AWS": ACCOUNT}), everything) == "implicitDeny"


@pytest.mark.parametrize("kind", KINDS)
def test_resource_control_policies_bound_them(kind: PrincipalKind):
    trust = policy("trust", Principal={"Federated": PROVIDER})
    full = PolicySet([policy("rcp", Principal="*", Action="*")])
    other = {"StringNotEquals": {"idp.example.com:sub": "someone"}}
    wall = PolicySet([policy("rcp", Principal="*", Action="*"), policy("rcp", "Deny", Principal="*", Condition=other)])
    assert decide(kind, trust, rcps=(full,)) == "allowed"
    assert decide(kind, trust, rcps=(full, wall)) == "allowed"
    assert decide(kind, trust, rcps=(full, wall), subject="else") == "explicitDeny"
    assert decide(kind, trust, rcps=(PolicySet([]),)) == "implicitDeny"


@pytest.mark.parametrize("kind", KINDS)
def test_the_keys_that_they_have(kind: PrincipalKind):
    caller = Principal(kind=kind, account=ACCOUNT, arn="", id="x:someone", name="someone", provider=PROVIDER)
    target = Target(ROLE, ACCOUNT)
    context = global_context(caller, Call(source_ip="192.0.2.1"), now=0.0, region="us-east-1", target=target, extra={})
    assert context.get("aws:federatedprovider") == PROVIDER
    for absent in ("aws:principalaccount", "aws:principalarn", "aws:username", "aws:principalorgid", "aws:principaltype"):
        assert context.get(absent) is None
