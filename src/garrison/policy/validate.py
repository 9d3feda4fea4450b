"""What AWS refuses when a policy is put, in the order in which it objects, and in its words.

Identity policies (and boundaries and session policies, which have their form): the form; the version; what the older parser
cannot read (the effect's case, dates, unfinished ARNs); statement ids; actions; the form of resources; the vendors of actions;
resources at all.
Trust and resource policies: the form; principals; actions; resources. Control policies: one text for everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from garrison.policy.conditions import compile_condition, parse_operator
from garrison.policy.document import HARD_LIMIT, Condition, Document, PolicyKind, PrincipalElement, Statement, read_document
from garrison.policy.errors import MalformedPolicy
from garrison.policy.values import parse_boolean
from garrison.policy.variables import Variable, split_variables
from garrison.policy.wording import Wording, wording

LEGACY = "The policy failed legacy parsing"
_PREFACED = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
_ONE_COLON = "Actions/Condition can contain only one colon."
_SID_FORM = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
_VERSION = "Policy document must be version 2012-10-17 or greater."
_VENDOR_FORM = "Resource vendor must be fully qualified and cannot contain regexes."
_ALLOW_NOT_PRINCIPAL = "Allow with NotPrincipal is not allowed."
_TRUST_NOT_PRINCIPAL = "AssumeRole policy must not contain NotPrincipal field."
_TRUST_ACTIONS = "AssumeRole policy may only specify STS AssumeRole actions."
_S3_ACTION = "Policy has invalid action"
_S3_RESOURCE = "Policy has invalid resource"
PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc", "*"})
_IAM_PATHS = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
_NEWER_IAM_PATHS = ("role-template/", "delegation-request/")
"""Resource types that came after the text of the error."""
_S3_REGIONAL = ("accesspoint/", "job/", "storage-lens", "access-grants", "async-request/", "*")
_VENDOR = re.compile(r"[A-Za-z0-9.-]+", re.ASCII)
_SID = re.compile(r"[0-9A-Za-z]*", re.ASCII)
_AWS_PRINCIPAL = re.compile(
    r"\d{12}|A[A-Z0-9]{3}[A-Z0-9]{12,124}(?::[\w+=,.@-]+)?"
    r"|arn:[a-z-]+:iam::\d{12}:(?:root|(?:user|role)/[^\s*?]+)"
    r"|arn:[a-z-]+:sts::\d{12}:(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+)",
    re.ASCII,
)
_SERVICE_PRINCIPAL = re.compile(
    r"\*|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|aws\.internal|amazon\.com|aws)",
    re.ASCII,
)
_FEDERATED_PRINCIPAL = re.compile(
    r"\*|arn:[a-z-]+:iam::\d{12}:(?:saml-provider/[\w.-]+|oidc-provider/[\w.:/-]+)|[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[\w./-]*)?",
    re.ASCII,
)
_CANONICAL_USER = re.compile(r"[0-9a-f]{64}", re.ASCII)


def parse_policy(text: str, kind: PolicyKind, *, service: str = "", limit: int = HARD_LIMIT) -> Document:
    """Read and check a policy.

    ``service``: whose resource policy it is (``kms``, ``s3``). ``limit``: characters. Raises MalformedPolicy, and
    PolicyTooLarge over the limit.
    """
    words = wording(kind, service)
    document = read_document(text, kind, words, service=service, limit=limit)
    _operators(document, words)
    try:
        _CHECKS[kind](document, words)
    except MalformedPolicy as error:
        if kind in {"scp", "rcp"}:
            raise MalformedPolicy(words.syntax) from error
        raise
    return document


def _operators(document: Document, words: Wording) -> None:
    """An operator that does not exist is a fault of form; an empty block under one tests nothing and passes."""
    for statement in document.statements:
        if any(parse_operator(condition.operator) is None for condition in statement.conditions):
            raise MalformedPolicy(words.syntax)


# -- identity policies -----------------------------------------------------------------------------------------


def _identity(document: Document, words: Wording) -> None:
    if document.kind != "session" and document.version != "2012-10-17":
        raise MalformedPolicy(_VERSION)
    if any(statement.principal is not None for statement in document.statements):
        raise MalformedPolicy(words.prohibited_principal)
    _identity_body(document, words)


def _identity_body(document: Document, words: Wording) -> None:
    for statement in document.statements:
        if statement.effect not in {"Allow", "Deny"}:
            raise MalformedPolicy(LEGACY)
        _values(document, statement, words)
    fault = _first_fault(document.statements)
    if fault is None and any(_unfinished(text) for text in _resources(document.statements)):
        raise MalformedPolicy(LEGACY)
    _sids(document, words)
    if any(_SID.fullmatch(statement.sid) is None for statement in document.statements):
        raise MalformedPolicy(_SID_FORM)
    if any(not statement.actions for statement in document.statements):
        raise MalformedPolicy(words.no_action)
    if fault is not None:
        raise MalformedPolicy(fault)
    _vendors(document)
    if any(not statement.resources for statement in document.statements):
        raise MalformedPolicy(words.no_resource)


def _values(document: Document, statement: Statement, words: Wording) -> None:
    """Values that their operator cannot compare: dates, numbers, addresses, base64, booleans."""
    for condition in statement.conditions:
        if not _comparable(condition, variables=document.has_variables):
            raise MalformedPolicy(words.bad_value)


def _comparable(condition: Condition, *, variables: bool) -> bool:
    operator = parse_operator(condition.operator)
    if operator is not None and operator.base in {"bool", "null"}:
        known = [variables and operator.base == "bool" and _has_variable(value) for value in condition.values]
        return all(skip or parse_boolean(value) is not None for skip, value in zip(known, condition.values, strict=True))
    try:
        compile_condition(condition, variables=variables)
    except MalformedPolicy:
        return False
    return True


def _has_variable(text: str) -> bool:
    return any(isinstance(part, Variable) for part in split_variables(text))


def _sids(document: Document, words: Wording) -> None:
    sids = [statement.sid for statement in document.statements if statement.sid]
    if len(set(sids)) != len(sids):
        raise MalformedPolicy(words.duplicate_sid)


def _resources(statements: Iterable[Statement]) -> Iterable[str]:
    for statement in statements:
        yield from statement.resources or ()


def _first_fault(statements: Iterable[Statement]) -> str | None:
    """The fault that AWS reports: of a statement's entries the first in the order of their text."""
    for statement in statements:
        for text in sorted(statement.resources or ()):
            fault = resource_fault(text)
            if fault is not None:
                return fault
    return None


def _unfinished(text: str) -> bool:
    """An ARN with empty parts that ends before its resource, or has no vendor."""
    if text == "*":
        return False
    parts = text.split(":")
    return (len(parts) < 6 and "::" in text) or len(parts) < 3 or not parts[2]


def resource_fault(text: str) -> str | None:
    """What AWS says of a Resource entry that has not the form of an ARN; None where it has."""
    if text == "*":
        return None
    parts = text.split(":", 5)
    if len(parts) == 1:
        return f'Resource {text} must be in ARN format or "*".'
    if parts[1] not in PARTITIONS:
        padded = ":".join([*parts[2:], *["*"] * (6 - len(parts))])
        return f'Partition "{parts[1]}" is not valid for resource "arn:{parts[1]}:{padded}".'
    if parts[0] != "arn":
        return f'Resource {text} must be in ARN format or "*".'
    return _VENDOR_FORM if len(parts) == 2 or "*" in parts[2] or "?" in parts[2] else _region_fault(text, parts)


def _region_fault(text: str, parts: list[str]) -> str | None:
    """IAM and most of S3 are global, and IAM knows its resource types."""
    region = parts[3] if len(parts) > 3 else ""
    path = parts[5] if len(parts) > 5 else ""
    if parts[2] == "iam":
        return _iam_fault(text, region, path, complete=len(parts) == 6)
    if parts[2] == "s3" and region not in {"", "*"} and not path.startswith(_S3_REGIONAL):
        return f"Resource {text} can not contain region information."
    return None


def _iam_fault(text: str, region: str, path: str, *, complete: bool) -> str | None:
    if region not in {"", "*"}:
        return f"IAM resource {text} cannot contain region information."
    if not complete or path == "root" or path.startswith(("*", *_IAM_PATHS, *_NEWER_IAM_PATHS)):
        return None
    return f'IAM resource path must either be "*" or start with {", ".join(_IAM_PATHS)}.'


def _vendors(document: Document) -> None:
    for statement in document.statements:
        for action in statement.actions or ():
            fault = action_fault(action)
            if fault is not None:
                raise MalformedPolicy(fault)


def action_fault(action: str) -> str | None:
    """What AWS says of an Action entry that has not the form ``vendor:name``; None where it has."""
    if action in {"*", "*:*"}:
        return None
    vendor, *rest = action.split(":")
    if not rest:
        return _PREFACED
    if len(rest) > 1:
        return _ONE_COLON
    return None if _VENDOR.fullmatch(vendor) else f"Vendor {vendor} is not valid"


# -- trust and resource policies -------------------------------------------------------------------------------


def _resource_policy(document: Document, words: Wording) -> None:
    for statement in document.statements:
        _named(statement, document, words)
        if not statement.actions:
            raise MalformedPolicy(words.no_action)
        if not statement.resources:
            raise MalformedPolicy(words.no_resource)
        _values(document, statement, words)
        _own_service(statement, document, words)
    _sids(document, words)


def _own_service(statement: Statement, document: Document, words: Wording) -> None:
    """Actions and resources have the form of such, and of S3 they are S3's own."""
    s3 = document.service == "s3"
    for action in statement.actions or ():
        if action_fault(action) is not None or (s3 and action != "*" and not action.lower().startswith("s3")):
            raise MalformedPolicy(_S3_ACTION if s3 else action_fault(action) or words.syntax)
    for text in statement.resources or ():
        if s3 and not _s3_resource(text):
            raise MalformedPolicy(_S3_RESOURCE)
        if not s3 and resource_fault(text) is not None:
            raise MalformedPolicy(resource_fault(text) or words.syntax)


def _s3_resource(text: str) -> bool:
    parts = text.split(":", 5)
    return len(parts) == 6 and parts[0] == "arn" and parts[1] in PARTITIONS and parts[2].startswith("s3") and bool(parts[5])


def _trust(document: Document, words: Wording) -> None:
    for statement in document.statements:
        if statement.not_principal and statement.effect != "Allow":
            raise MalformedPolicy(_TRUST_NOT_PRINCIPAL)
        _named(statement, document, words)
        if not statement.actions:
            raise MalformedPolicy(words.no_action)
        if any(not action.lower().startswith("sts:") for action in statement.actions):
            raise MalformedPolicy(_TRUST_ACTIONS)
        if statement.resources is not None:
            raise MalformedPolicy(
                "AssumeRole policy must not contain resources." if statement.not_resource else "Has prohibited field Resource",
            )
        _values(document, statement, words)
    _sids(document, words)


def _named(statement: Statement, document: Document, words: Wording) -> None:
    """The statement names principals, in forms that can be principals."""
    if statement.effect not in {"Allow", "Deny"}:
        raise MalformedPolicy(words.bad_effect.format(statement.effect))
    if statement.principal is None:
        raise MalformedPolicy(words.no_principal)
    if statement.not_principal and statement.effect == "Allow":
        raise MalformedPolicy(_ALLOW_NOT_PRINCIPAL)
    for kind, entry, form in _entries(statement.principal):
        if form.fullmatch(entry) is None or (kind == "CANONICALUSER" and document.kind == "trust"):
            raise MalformedPolicy(words.bad_principal.format(f'"{kind}":"{entry}"'))


def _entries(element: PrincipalElement) -> Iterable[tuple[str, str, re.Pattern[str]]]:
    for entry in element.aws:
        yield "AWS", entry, _AWS_PRINCIPAL
    for entry in element.service:
        yield "SERVICE", entry, _SERVICE_PRINCIPAL
    for entry in element.federated:
        yield "FEDERATED", entry, _FEDERATED_PRINCIPAL
    for entry in element.canonical:
        yield "CANONICALUSER", entry, _CANONICAL_USER


# -- control policies ------------------------------------------------------------------------------------------


def _service_control(document: Document, words: Wording) -> None:
    if document.version != "2012-10-17" or any(statement.principal is not None for statement in document.statements):
        raise MalformedPolicy(words.syntax)
    _identity_body(document, words)


def _resource_control(document: Document, words: Wording) -> None:
    """Principal is everyone; statements deny. The only Allow is the one that AWS attaches everywhere: all of everything."""
    if document.version != "2012-10-17":
        raise MalformedPolicy(words.version)
    for statement in document.statements:
        if statement.principal != PrincipalElement(everyone=True) or statement.not_principal or statement.not_action:
            raise MalformedPolicy(words.syntax)
        everything = statement.actions == ("*",)
        allow_all = everything and statement.resources == ("*",) and not statement.not_resource and not statement.conditions
        if (statement.effect == "Allow") is not allow_all or (statement.effect != "Allow" and everything):
            raise MalformedPolicy(words.syntax)
    _identity_body(document, words)


_CHECKS = {
    "identity": _identity,
    "boundary": _identity,
    "session": _identity,
    "trust": _trust,
    "resource": _resource_policy,
    "scp": _service_control,
    "rcp": _resource_control,
}
