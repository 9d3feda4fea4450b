"""Refusals as AWS words them: the texts are those that clients recorded from IAM, S3 and Organizations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.policy import MalformedPolicy, PolicyKind, PolicyTooLarge, parse_policy

BUCKET = "arn:aws:s3:::example_bucket"
BASE = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET}
SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
VERSION = "Policy document must be version 2012-10-17 or greater."
PREFACED = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
IAM_PATHS = (
    'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, '
    "server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
)
ABSENT = object()


def statement(**changes: Any) -> dict[str, Any]:
    """The base statement, with elements changed or (ABSENT) taken out."""
    return {key: value for key, value in (BASE | changes).items() if value is not ABSENT}


def document(*statements: Any, **top: Any) -> str:
    body = {"Version": "2012-10-17", "Statement": list(statements) if len(statements) != 1 else statements[0]} | top
    return json.dumps({key: value for key, value in body.items() if value is not ABSENT})


def reason(text: str, kind: PolicyKind = "identity", service: str = "") -> str:
    with pytest.raises(MalformedPolicy) as caught:
        parse_policy(text, kind, service=service)
    return caught.value.reason


def dated(value: Any) -> dict[str, Any]:
    return statement(Condition={"DateLessThanEquals": {"a": value}})


@pytest.mark.parametrize(
    "text",
    [
        "This is not a json document",
        "",
        "[]",
        document(statement(), Version="2013-10-17"),
        document(Statement=ABSENT),
        document("afd", "b"),
        document(Statement=["afd"]),
        document(Statement=[]),
        document(Statement=None),
        document(statement(), **{"Extra field": "value"}),
        document(statement(**{"Extra field": "value"})),
        document(statement(), Id=["x"]),
        document(statement(), Id={}),
        document(statement(Effect="invalid")),
        document(statement(Effect=ABSENT)),
        document(statement(Effect=["Allow"])),
        document(statement(Resource={"a": BUCKET})),
        document(statement(Resource=["adfdf", {}])),
        document(statement(NotAction="s3:ListBucket", Action=ABSENT, NotResource=[])),
        document(statement(Action=[[]])),
        document(statement(Action=[], NotAction="s3s:ListBucket")),
        document(statement(Action={})),
        document(statement(Action=1)),
        document(statement(Condition=[])),
        document(statement(Condition="a")),
        document(statement(Condition={"a": "b"})),
        document(statement(Condition={"DateGreaterThan": "b"})),
        document(statement(Condition={"DateGreaterThan": []})),
        document(statement(Condition={"DateGreaterThan": {"a": {}}})),
        document(statement(Action=ABSENT, Condition={"DateGreaterThan": {"a": {}}})),
        document(statement(Condition={"StringEquals": {"a": None}})),
        document(statement(Condition={"x": {"a": "1"}})),
        document(statement(Condition={"ForAnyValue::StringEqualsIfExists": {"a": "asf"}})),
        document(statement(Condition=[{"ForAllValues:StringEquals": {"aws:TagKeys": "Department"}}])),
        document(statement(Sid={})),
        document(statement(Sid=[])),
        document(statement(NotAction="s3:ListBucket", Action="iam:dsf")),
        document(statement(NotResource="*")),
        '{"Version":"2012-10-17","Version":"2012-10-17","Statement":' + json.dumps(statement()) + "}",
        '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}',
        document(statement()) + "x",
        document(statement(Sid="x")).replace('"x"', '"\\ud800"'),
        document(statement(Condition={"NumericLessThan": {"a": float("nan")}})),
    ],
)
def test_faults_of_form(text: str) -> None:
    assert reason(text) == SYNTAX


@pytest.mark.parametrize(
    "name",
    [
        "StringMatches",
        "StringEqual",
        "NumericLike",
        "NotStringEquals",
        "NullIfExists",
        "ForAllValues:Null",
        "ForAll:StringEquals",
    ],
)
def test_unknown_operators_are_refused(name: str) -> None:
    assert reason(document(statement(Condition={name: {"aws:username": "true"}}))) == SYNTAX


@pytest.mark.parametrize(
    "text",
    [
        document(statement(), Version=ABSENT),
        document(statement(), Version="2008-10-17"),
        document(statement(Sid="sdf"), {"Sid": "sdf", "Effect": "Allow"}, Version=ABSENT),
        document(dated("sdfdsf"), Version=ABSENT),
        document(statement(Effect="denY"), Version=ABSENT),
    ],
)
def test_identity_policies_need_the_current_version(text: str) -> None:
    assert reason(text) == VERSION


@pytest.mark.parametrize(
    "stated",
    [
        statement(Resource="arn:aws:s3::example_bucket"),
        statement(Resource="arn:aws:s3::example_bucket", Action=ABSENT),
        statement(Resource=ABSENT, NotResource="arn:aws:s3::example_bucket"),
        statement(Resource="arn:aws::::example_bucket", Action=ABSENT, NotAction="s3:ListBucket"),
        statement(Resource="arn:aws::fdsasf"),
        statement(Effect="denY"),
        statement(Effect="allow", Action=ABSENT, Resource="arn:aws:s3:us-east-1::example_bucket"),
        dated("sdfdsf"),
        dated("234-13"),
        dated("2016-12-13t2:00:00.593194+1"),
        dated("2016-12-13t2:00:00.1999999999+10:59"),
        dated("9223372036854775808"),
        dated("sdfdsf") | {"Resource": "arn:error:s3:::example_bucket"},
        statement(Action=ABSENT, Resource=ABSENT, Condition={"DateGreaterThan": {"a": "sdfdsf"}}),
        statement(Condition={"NumericLessThan": {"a": "many"}}),
        statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}),
        statement(Condition={"IpAddress": {"aws:SourceIp": "${aws:SourceIp}"}}),
        statement(Condition={"Bool": {"a": "yes"}}),
        statement(Condition={"Null": {"a": "${aws:SecureTransport}"}}),
        statement(Condition={"BinaryEquals": {"a": "not base64!"}}),
    ],
)
def test_what_the_older_parser_cannot_read(stated: dict[str, Any]) -> None:
    assert reason(document(stated)) == LEGACY


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (statement(Action="invalid"), PREFACED),
        (statement(Action=ABSENT, NotAction=""), PREFACED),
        (statement(Action="invalid", Resource=ABSENT), PREFACED),
        (statement(Action="a a:ListBucket"), "Vendor a a is not valid"),
        (statement(Action="*:ListBucket"), "Vendor * is not valid"),
        (statement(Action="s3:List:Bucket"), "Actions/Condition can contain only one colon."),
        (statement(Resource="invalid resource"), 'Resource invalid resource must be in ARN format or "*".'),
        (statement(Resource=""), 'Resource  must be in ARN format or "*".'),
        (statement(Resource=["adf"]), 'Resource adf must be in ARN format or "*".'),
        (statement(Resource="sdfsadf", Action="s:3:ListBucket"), 'Resource sdfsadf must be in ARN format or "*".'),
        (statement(Resource="a:bsdfdsafsad"), 'Partition "bsdfdsafsad" is not valid for resource "arn:bsdfdsafsad:*:*:*:*".'),
        (statement(Resource="a:b:cadfsdf"), 'Partition "b" is not valid for resource "arn:b:cadfsdf:*:*:*".'),
        (statement(Resource="a:b:c:d:e:f:g:h"), 'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".'),
        (statement(Resource="aws:s3:::example_bucket"), 'Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".'),
        (
            statement(Resource=["arn:error:s3:::example_bucket", "arn:error:s3::example_bucket"]),
            'Partition "error" is not valid for resource "arn:error:s3:::example_bucket".',
        ),
        (statement(Resource="arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."),
        (statement(Resource="arn:aws:iam:::example_bucket"), IAM_PATHS),
        (
            statement(Resource="arn:aws:iam:us-east-1::example_bucket"),
            "IAM resource arn:aws:iam:us-east-1::example_bucket cannot contain region information.",
        ),
        (
            statement(Resource="arn:aws:s3:us-east-1::example_bucket"),
            "Resource arn:aws:s3:us-east-1::example_bucket can not contain region information.",
        ),
        (statement(Resource=ABSENT), "Policy statement must contain resources."),
        (statement(Resource=[]), "Policy statement must contain resources."),
        (statement(Action=ABSENT), "Policy statement must contain actions."),
        (statement(Action=[]), "Policy statement must contain actions."),
        (statement(Action=ABSENT, Resource=ABSENT), "Policy statement must contain actions."),
        (statement(Principal="*"), "Policy document should not specify a principal."),
        (statement(NotPrincipal={"AWS": "*"}), "Policy document should not specify a principal."),
        (
            statement(Sid="two words"),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
        ),
    ],
)
def test_refusals_of_identity_policies(stated: dict[str, Any], message: str) -> None:
    assert reason(document(stated)) == message


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ((statement(Sid="sdf"), {"Sid": "sdf", "Effect": "Allow"}), "Statement IDs (SID) in a single policy must be unique."),
        ((statement(Sid="sdf", Effect="aLLow"), {"Sid": "sdf", "Effect": "Allow"}), LEGACY),
        (({"Effect": "Deny"}, statement()), "Policy statement must contain actions."),
        (
            (statement(Action="s3s:ListBucket"), statement(Action="s:3s:ListBucket")),
            "Actions/Condition can contain only one colon.",
        ),
    ],
)
def test_the_order_of_refusals_over_statements(statements: tuple[dict[str, Any], ...], message: str) -> None:
    assert reason(document(*statements)) == message


@pytest.mark.parametrize(
    "stated",
    [
        statement(Resource=[BUCKET]),
        statement(Resource=[BUCKET, "*"]),
        statement(Action="iam: asdf safdsf af "),
        statement(Action="*"),
        statement(Action="service-prefix:action-name"),
        statement(Action="s3-s:ListBucket"),
        statement(Action="s3.s:ListBucket"),
        statement(Action=ABSENT, NotAction="s3:ListBucket"),
        statement(Resource=ABSENT, NotResource="*"),
        statement(Resource="arn:aws:iam:::user/example_bucket"),
        statement(Resource="arn:aws:iam::*:user/${aws:username}"),
        statement(Resource="arn:aws:iam::*:root"),
        statement(Resource="arn:aws:s33:::example_bucket"),
        statement(Resource="arn:aws:fdsasf"),
        statement(Resource="arn:aws:invalid-service:us-east-1::example_bucket"),
        statement(Resource="arn:aws:s3:us-west-2:123456789012:accesspoint/my-access-point/object/*"),
        statement(Resource="arn:aws:s3:::b/cognito/${cognito-identity.amazonaws.com:sub}/*"),
        statement(Condition={}),
        statement(Condition={"DateGreaterThan": {}}),
        statement(Condition={"DateGreaterThan": {"a": []}}),
        statement(Condition={"a": {}}),
        statement(Condition={"x": {}, "y": {}}),
        statement(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "Department"}}),
        statement(Condition={"ForAnyValue:StringEqualsIfExists": {"a": "asf"}}),
        statement(Condition={"stringequals": {"a": ["b", True, 1, 1.5]}}),
        statement(Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": False}}),
        statement(Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": 3600}}),
        statement(Condition={"Bool": {"aws:PrincipalIsAWSService": "${aws:SecureTransport}"}}),
        statement(Sid="dsfsdfsdfsdfsdfsadfsd"),
        statement(Sid=""),
        dated("01T"),
        dated("2019-07-01T13:20:15Z"),
        dated("2016-12-13T21:20:37.593194+00:00"),
        dated("2016-12-13t2:00:00.593194+23"),
        dated("-292275054"),
    ],
)
def test_policies_that_pass(stated: dict[str, Any]) -> None:
    assert len(parse_policy(document(stated), "identity").statements) == 1
    assert len(parse_policy(document(stated), "boundary").statements) == 1
    assert len(parse_policy(document(stated), "session").statements) == 1


def test_several_statements_without_ids_pass() -> None:
    assert len(parse_policy(document(statement(Sid=""), statement(Sid="")), "identity").statements) == 2


# -- trust policies --------------------------------------------------------------------------------------------

TRUST = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}


def trust(**changes: Any) -> str:
    return document({key: value for key, value in (TRUST | changes).items() if value is not ABSENT})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{invalid", "This policy contains invalid Json"),
        (document(Statement=[]), "Could not parse the policy: Statement is empty!"),
        (document(TRUST, Version="2020-01-01"), "The policy must contain a valid version string"),
        (document(TRUST | {"Sid": "a"}, TRUST | {"Sid": "a"}), "The Statement Ids in the policy are not unique"),
        (trust(Effect=ABSENT), "Missing required field Effect"),
        (trust(Effect="Maybe"), "Invalid effect: Maybe"),
        (trust(Effect="allow"), "Invalid effect: allow"),
        (trust(Principal=ABSENT), "Missing required field Principal"),
        (trust(Principal={}), "Missing required field Principal cannot be empty!"),
        (trust(Principal={"AWS": []}), "Missing required field Principal cannot be empty!"),
        (trust(Principal={"AWS": "arn:aws:iam::*:root"}), 'Invalid principal in policy: "AWS":"arn:aws:iam::*:root"'),
        (trust(Principal={"AWS": "12345"}), 'Invalid principal in policy: "AWS":"12345"'),
        (trust(Principal={"Service": "no service"}), 'Invalid principal in policy: "SERVICE":"no service"'),
        (trust(Principal={"CanonicalUser": "a" * 64}), f'Invalid principal in policy: "CANONICALUSER":"{"a" * 64}"'),
        (trust(Principal=ABSENT, NotPrincipal={"AWS": "*"}), "Allow with NotPrincipal is not allowed."),
        (trust(Effect="Deny", Principal=ABSENT, NotPrincipal="*"), "AssumeRole policy must not contain NotPrincipal field."),
        (trust(Action=ABSENT), "Missing required field Action"),
        (trust(Action="*"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Action=["sts:AssumeRole", "s3:GetObject"]), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Resource="*"), "Has prohibited field Resource"),
        (trust(NotResource="*"), "AssumeRole policy must not contain resources."),
        (trust(Condition={"StringEqual": {"sts:ExternalId": "1"}}), "Syntax error in policy."),
        (trust(Principal={"Group": "x"}), "Syntax error in policy."),
    ],
)
def test_refusals_of_trust_policies(text: str, message: str) -> None:
    assert reason(text, "trust") == message


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": ["123456789012", "arn:aws:iam::123456789012:root"]},
        {"AWS": "arn:aws:iam::123456789012:role/path/name"},
        {"AWS": "arn:aws:sts::123456789012:assumed-role/name/session@x"},
        {"AWS": "AROA0123456789ABCDEFG"},
        {"Service": ["ec2.amazonaws.com", "edgelambda.amazonaws.com"]},
        {"Federated": "arn:aws:iam::123456789012:saml-provider/corp"},
        {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.example.com/id"},
        {"Federated": "cognito-identity.amazonaws.com"},
    ],
)
def test_principals_that_pass(principal: Any) -> None:
    assert parse_policy(trust(Principal=principal), "trust").statements[0].principal is not None


# -- resource and control policies -----------------------------------------------------------------------------

OPEN = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}


@pytest.mark.parametrize(
    ("service", "changes", "message"),
    [
        ("s3", {"Principal": ABSENT}, "Missing required field Principal"),
        ("s3", {"Principal": {}}, "Missing required field Principal cannot be empty!"),
        ("s3", {"Principal": {"AWS": "nobody"}}, "Invalid principal in policy"),
        ("s3", {"Action": "kms:Decrypt"}, "Policy has invalid action"),
        ("s3", {"Action": "nothing"}, "Policy has invalid action"),
        ("s3", {"Action": ABSENT}, "Missing required field Action"),
        ("s3", {"Resource": ABSENT}, "Missing required field Resource"),
        ("s3", {"Resource": "example_bucket"}, "Policy has invalid resource"),
        ("s3", {"Resource": "arn:aws:kms:::x"}, "Policy has invalid resource"),
        ("s3", {"Condition": {"IpAddress": {"aws:SourceIp": "x"}}}, "Invalid policy syntax."),
        ("kms", {"Principal": {"AWS": "nobody"}}, "Policy contains a statement with one or more invalid principals."),
        ("", {"Resource": "x"}, 'Resource x must be in ARN format or "*".'),
    ],
)
def test_refusals_of_resource_policies(service: str, changes: dict[str, Any], message: str) -> None:
    body = {key: value for key, value in (OPEN | changes).items() if value is not ABSENT}
    assert reason(document(body), "resource", service) == message


def test_s3_words_for_what_is_no_json() -> None:
    assert reason("no", "resource", "s3") == "Policies must be valid JSON and the first byte must be '{'"


def test_resource_policies_may_leave_out_the_version_and_name_nobody_in_full() -> None:
    body = {key: value for key, value in OPEN.items() if key != "Principal"} | {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": "123456789012"},
    }
    assert parse_policy(document(body, Version=ABSENT), "resource", service="s3").statements[0].not_principal


CONTROL = "The provided policy document does not meet the requirements of the specified policy type."
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("scp", document(EVERYTHING | {"Principal": "*"})),
        ("scp", document(EVERYTHING, Version=ABSENT)),
        ("scp", document({"Effect": "Allow", "Action": "*"})),
        ("scp", document(EVERYTHING | {"Action": "nothing"})),
        ("scp", "no"),
        ("rcp", document(EVERYTHING)),
        ("rcp", document(EVERYTHING | {"Principal": {"AWS": "123456789012"}})),
        ("rcp", document(EVERYTHING | {"Principal": "*", "Action": "s3:*"})),
        ("rcp", document(EVERYTHING | {"Principal": "*", "Effect": "Deny"})),
        ("rcp", document({"Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "Resource": "*"})),
        ("rcp", document({"Effect": "Deny", "NotPrincipal": {"AWS": "*"}, "Action": "s3:*", "Resource": "*"})),
    ],
)
def test_refusals_of_control_policies(kind: PolicyKind, text: str) -> None:
    assert reason(text, kind) == CONTROL


def test_control_policies_that_pass() -> None:
    denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    assert parse_policy(document(EVERYTHING), "scp").kind == "scp"
    assert parse_policy(document(EVERYTHING | {"Principal": "*"}), "rcp").kind == "rcp"
    assert parse_policy(document(denial), "rcp").statements[0].effect == "Deny"


def test_the_size_limit_is_the_callers() -> None:
    text = document(statement())
    assert parse_policy(text, "identity", limit=len(text)).text == text
    with pytest.raises(PolicyTooLarge) as caught:
        parse_policy(text, "identity", limit=len(text) - 1)
    assert (caught.value.size, caught.value.limit) == (len(text), len(text) - 1)
