"""Hypothesis strategies for policies and requests that meet often: everything comes from small alphabets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from garrison.core.principal import Principal, Session
from garrison.policy import Policy, PolicyInputs, PolicyKind, PolicySet, Request, compile_policy
from garrison.policy.variables import Value

MINE, OTHER = "111111111111", "222222222222"
CANONICAL = "a" * 64
ROLE = f"arn:aws:iam::{MINE}:role/app"
USER = f"arn:aws:iam::{MINE}:user/ann"
SESSION = f"arn:aws:sts::{MINE}:assumed-role/app/job"
FEDERATED = f"arn:aws:sts::{MINE}:federated-user/guest"
PROVIDER = f"arn:aws:iam::{MINE}:saml-provider/corp"

PRINCIPALS = (
    Principal("root", MINE, f"arn:aws:iam::{MINE}:root", MINE),
    Principal("user", MINE, USER, "AIDAANN0000000000000", "ann"),
    Principal(
        "assumed-role", MINE, SESSION, "AROAAPP0000000000000:job", "app", session=Session(0, 9, ROLE, "AROAAPP0000000000000")
    ),
    Principal("federated-user", MINE, FEDERATED, f"{MINE}:guest", session=Session(0, 9, USER, "AIDAANN0000000000000")),
    Principal("service", "", "", "", service="cloudtrail.amazonaws.com"),
    Principal("anonymous", "", "", ""),
)
ACTIONS = ("s3:GetObject", "s3:PutObject", "S3:getobject", "kms:Decrypt", "iam:GetUser", "sts:AssumeRole")
ACTION_ENTRIES = (
    "*",
    "s3:*",
    "s3:GetObject",
    "S3:GET*",
    "s3:?etObject",
    "kms:*crypt",
    "iam:Get*",
    "kms:Decrypt",
    "s3:*e*b*t",
    "*:*",
)
RESOURCES = (
    "*",
    "arn:aws:s3:::data",
    "arn:aws:s3:::data/a/ann.txt",
    "arn:aws:s3:::data/b:c/*",
    "arn:aws:s3:us-east-1:111111111111:accesspoint/data",
    "arn:aws:kms:us-east-1:111111111111:key/k1",
    "arn:aws:iam::111111111111:user/ann",
)
RESOURCE_ENTRIES = (
    "*",
    "arn:aws:s3:::data",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::d*a/*/*",
    "arn:aws:s3:::*ta*n*",
    "arn:aws:s3:::data/?/*",
    "arn:aws:s3:::data/${aws:username}/*",
    "arn:aws:s3:::data/a/${aws:username}.txt",
    "arn:aws:s3:::data/*/${aws:PrincipalTag/team, 'ann'}.txt",
    "arn:aws:s3:::data/b:c/${*}",
    "arn:aws:s3:*:*:data",
    "arn:aws:s3:us-*-1:*:accesspoint/*",
    "arn:aws:s3:us-?ast-1:11*11:accesspoint/d*",
    "arn:aws:s3:*",
    "arn:aws:s3",
    "arn:aws:kms:*:111111111111:key/k?",
    "arn:aws:kms:us-east-1:*:key/*",
    "arn:aws:kms:us-east-1:${aws:PrincipalAccount}:key/*",
    "arn:*:kms:*:*:*",
    "arn:aws:iam::*:user/${aws:username}",
    "arn:aws:iam::111111111111:user/a**n",
)
TEXTS = ("", "ann", "Ann", "an*", "a?n", "*", "x", "${aws:username}", "${aws:username}*", "${nobody}", "${nobody, 'x'}", "a${*}")
VALUES: dict[str, tuple[str, ...]] = {
    "String": TEXTS,
    "Numeric": ("0", "10", "10.50", "-3", "1e2", "+7"),
    "Date": ("2024-01-01T00:00:00Z", "2024-01-01", "2024", "1704067200", "2024-01-01T01:00:00.5+01:00", "-5", "400000-02-29"),
    "Bool": ("true", "False", "TRUE", "${aws:SecureTransport}"),
    "Binary": ("YWJj", "", "YWJk"),
    "IpAddress": ("10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "::ffff:10.0.0.0/104", "0.0.0.0/0"),
    "Arn": (
        USER,
        "arn:aws:iam::*:user/*",
        "arn:aws:*:*:*:*",
        "arn:aws:iam::${aws:PrincipalAccount}:user/a?n",
        "arn:aws:iam::*",
        "*",
    ),
    "Null": ("true", "false"),
}
OPERATORS: dict[str, tuple[str, ...]] = {
    "String": ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"),
    "Numeric": ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
    "Date": ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
    "Bool": ("",),
    "Binary": ("Equals",),
    "IpAddress": ("", "NOT"),
    "Arn": ("Equals", "NotEquals", "Like", "NotLike"),
    "Null": ("",),
}
KEYS = (
    "aws:username",
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:PrincipalAccount",
    "aws:TagKeys",
    "k:number",
    "k:date",
    "k:bytes",
    "k:arn",
)
CONTEXT: dict[str, tuple[Value, ...]] = {
    "aws:username": ("ann", "Ann", "a*", "", "x:y", ("ann",)),
    "aws:securetransport": (True, False, "true"),
    "aws:sourceip": ("10.1.2.3", "192.0.2.1", "2001:db8::1", "::ffff:10.9.9.9", "nowhere"),
    "aws:principalaccount": (MINE, OTHER),
    "aws:principaltag/team": ("ann", "b"),
    "aws:tagkeys": ((), ("ann",), ("ann", "x"), ("x", "y"), "ann", ""),
    "aws:federatedprovider": (PROVIDER, "other"),
    "k:number": (10, 10.5, -3, "100", "many", ("10", "0")),
    "k:date": ("2024-01-01T00:00:00Z", 1704067200, 1704067200.5, "2023-12-31T23:59:59Z", "-5-01-01", "400000-02-29", "never"),
    "k:bytes": (b"abc", b"", "YWJj", "YWJk"),
    "k:arn": (USER, ROLE, f"{USER}:x", "no arn", (USER, ROLE)),
}
AWS_NAMES = (
    "*",
    MINE,
    OTHER,
    f"arn:aws:iam::{MINE}:root",
    USER,
    ROLE,
    SESSION,
    FEDERATED,
    "AIDAANN0000000000000",
    "AROAAPP0000000000000",
)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """A Condition element of at most three operators."""
    found: dict[str, Any] = {}
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2)))):
        family = draw(st.sampled_from(sorted(OPERATORS)))
        suffix = draw(st.sampled_from(OPERATORS[family]))
        name = "NotIpAddress" if suffix == "NOT" else family + suffix
        if family != "Null":
            name = (
                draw(st.sampled_from(("", "", "ForAllValues:", "ForAnyValue:"))) + name + draw(st.sampled_from(("", "IfExists")))
            )
        name = draw(st.sampled_from((name, name.lower())))
        keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=2, unique=True))
        found[name] = {key: draw(st.lists(st.sampled_from(VALUES[family]), max_size=3)) for key in keys}
    return found


@st.composite
def principal_elements(draw: st.DrawFn) -> Any:
    """A Principal or NotPrincipal."""
    if draw(st.booleans()):
        return {"AWS": draw(st.lists(st.sampled_from(AWS_NAMES), min_size=1, max_size=4))}
    return draw(
        st.sampled_from(
            (
                "*",
                {"Service": "cloudtrail.amazonaws.com"},
                {"Service": "other.amazonaws.com", "AWS": MINE},
                {"Federated": PROVIDER},
                {"CanonicalUser": CANONICAL},
                {"AWS": [MINE, USER, ROLE, SESSION]},
            ),
        ),
    )


@st.composite
def statements(draw: st.DrawFn, kind: PolicyKind) -> dict[str, Any]:
    """One statement of a kind of policy."""
    found: dict[str, Any] = {"Effect": draw(st.sampled_from(("Allow", "Allow", "Allow", "Deny")))}
    entries = st.lists(st.sampled_from(ACTION_ENTRIES), min_size=1, max_size=3)
    found[draw(st.sampled_from(("Action", "Action", "NotAction")))] = draw(entries)
    resources = st.lists(st.sampled_from(RESOURCE_ENTRIES) | st.just("*"), min_size=1, max_size=3)
    found[draw(st.sampled_from(("Resource", "Resource", "NotResource")))] = draw(resources)
    found["Condition"] = draw(conditions())
    if kind == "resource":
        negated = found["Effect"] == "Deny" and draw(st.booleans())
        found["NotPrincipal" if negated else "Principal"] = draw(principal_elements())
    if kind == "trust":
        trusted = principal_elements().filter(lambda element: "CanonicalUser" not in element)
        return {
            "Effect": found["Effect"],
            "Principal": draw(trusted),
            "Action": draw(st.sampled_from(("sts:*", "sts:AssumeRole", "sts:TagSession"))),
            "Condition": found["Condition"],
        }
    if kind == "rcp":
        return draw(
            st.sampled_from(
                (
                    {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": "arn:aws:s3:::d*",
                        "Condition": found["Condition"],
                    },
                ),
            ),
        )
    return found


@st.composite
def policies(draw: st.DrawFn, kind: PolicyKind) -> Policy:
    """A policy of up to four statements, some of them in the old version, which knows no variables."""
    found: dict[str, Any] = {"Statement": draw(st.lists(statements(kind), min_size=1, max_size=4))}
    if kind not in {"resource", "trust"} or draw(st.booleans()) or "${aws:SecureTransport}" in json.dumps(found):
        found["Version"] = "2012-10-17"
    return compile_policy(json.dumps(found), kind, id=draw(st.sampled_from("abc")))


def policy_sets(kind: PolicyKind) -> st.SearchStrategy[PolicySet]:
    """Up to two policies of one kind."""
    return st.lists(policies(kind), min_size=1, max_size=2).map(PolicySet)


@dataclass(slots=True)
class World:
    """Everything that one decision looks at, but for the request."""

    inputs: PolicyInputs
    resource_policy: Policy | None
    resource_policy_decides: bool
    rcps: tuple[PolicySet, ...]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Policies of all kinds at once, most of them optional."""
    inputs = PolicyInputs(
        identity=draw(policy_sets("identity")),
        boundary=draw(st.none() | policy_sets("boundary")),
        session=draw(st.none() | policy_sets("session") | st.tuples(policy_sets("session"), policy_sets("session"))),
        scps=draw(st.sampled_from((0, 0, 1, 2)).flatmap(lambda count: st.tuples(*[policy_sets("scp")] * count))),
        scopes=draw(st.sampled_from((0, 0, 0, 1, 2)).flatmap(lambda count: st.tuples(*[policy_sets("session")] * count))),
    )
    rcps = draw(st.sampled_from((0, 0, 0, 1)).flatmap(lambda count: st.tuples(*[policy_sets("rcp")] * count)))
    return World(
        inputs, draw(st.none() | policies("resource") | policies("resource") | policies("trust")), draw(st.booleans()), rcps
    )


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request by one of the principals, with some of the keys."""
    context = {key: draw(st.sampled_from(values)) for key, values in CONTEXT.items() if draw(st.booleans())}
    return Request(
        action=draw(st.sampled_from(ACTIONS)),
        resource=draw(st.sampled_from(RESOURCES)),
        resource_account=draw(st.sampled_from((MINE, MINE, OTHER, "", "aws"))),
        principal=draw(st.sampled_from(PRINCIPALS)),
        context=context,
        canonical_id=draw(st.sampled_from(("", CANONICAL))),
    )
