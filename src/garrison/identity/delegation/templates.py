"""Policy templates of partners: what one may hold, and the policy that it makes with a request's parameters. Pure.

Sources: IAM User Guide, "Policy templates" and "Policy evaluation guidelines" of temporary delegation. What AWS's people decide
when they look at a partner's policies is decided here by rules, and what no rule lets pass is refused.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from garrison.policy import MalformedPolicy, parse_policy

LONGEST_POLICY = 2048
"""Characters of the policy that a request makes of its template."""
LONGEST_DOCUMENT = 6144
"""Characters of a template or a boundary, without white space."""
_PLACEHOLDER = re.compile(r"@\{([A-Za-z][A-Za-z0-9_.-]{4,255})\}")
_SWITCH = re.compile(r"!?([A-Za-z][A-Za-z0-9_.-]{4,255})")
_ENABLED = "@Enabled"
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+")
_WIDENING = re.compile(r"[*?]|\$\{|@\{")
"""What would make a parameter's value mean more than itself."""
_SENSITIVE = frozenset({"identitystore", "iam", "kms", "organizations", "ram", "secretsmanager", "signin", "sso", "sts"})
"""Services that guard access, credentials and keys."""
_BOUNDED = frozenset({"attachrolepolicy", "createrole", "putrolepermissionsboundary", "putrolepolicy"})
"""Only of roles that have one of the partner's boundaries."""
_SCOPED = frozenset(
    {
        "createpolicy", "createpolicyversion", "createservicelinkedrole", "deletepolicy", "deletepolicyversion", "deleterole",
        "deleterolepolicy", "detachrolepolicy", "passrole", "setdefaultpolicyversion", "tagpolicy", "tagrole", "untagpolicy",
        "untagrole", "updateassumerolepolicy", "updaterole", "updateroledescription",
    }
)  # fmt: skip
"""Writes to roles and policies, which must name their resources."""
_READING = ("get", "list", "simulate")
_SECRET = frozenset({"batchgetsecretvalue", "getsecretvalue"})
"""What reads a secret though its name is a read's."""
_HARMLESS = frozenset({"sts:decodeauthorizationmessage", "sts:getcalleridentity"})
_AWS_POLICY = "arn:aws:iam::aws:policy/"


class BadTemplateError(Exception):
    """A template or boundary that may not be registered."""


class BadParametersError(Exception):
    """Parameters that do not fit the template."""


class Parameter(NamedTuple):
    """One parameter of a request."""

    name: str
    values: tuple[str, ...]
    many: bool
    """Whether it is a list: each value makes an entry of its own."""


def check_template(text: str, boundaries: Sequence[str]) -> None:
    """Raises BadTemplateError, whose text says what is wrong. ``boundaries``: the ARNs of the partner's own."""
    document = _document(text)
    for at, statement in _numbered(document):
        _check_switch(at, statement)
        _check_places(at, statement)
        _check_statement(at, statement, boundaries, template=True)
    names = parameters_of(document)
    try:
        parse_policy(json.dumps(_rendered(document, dict.fromkeys(names, ("value",)), keep=True)), "identity")
    except MalformedPolicy as error:
        raise BadTemplateError(str(error)) from error


def check_boundary(text: str) -> None:
    """Raises BadTemplateError. A boundary is the same for all customers: it has no parameters."""
    document = _document(text)
    for at, statement in _numbered(document):
        if _ENABLED in statement or _PLACEHOLDER.search(json.dumps(statement)):
            raise _bad(at, "a boundary has no parameters")
        _check_statement(at, statement, (), template=False)
    try:
        parse_policy(text, "boundary")
    except MalformedPolicy as error:
        raise BadTemplateError(str(error)) from error


def parameters_of(document: Mapping[str, Any]) -> frozenset[str]:
    """The names of a template's parameters."""
    switches = {_SWITCH.fullmatch(statement[_ENABLED]) for statement in document["Statement"] if _ENABLED in statement}
    return frozenset(_PLACEHOLDER.findall(json.dumps(document))) | {found[1] for found in switches if found}


def render(text: str, parameters: Sequence[Parameter]) -> str:
    """The policy of a registered template with these parameters. Raises BadParametersError."""
    document = _document(text)
    values = _values(parameters)
    wanted = parameters_of(document)
    if missing := sorted(wanted - values.keys()):
        raise BadParametersError(f"The policy template needs the parameter {missing[0]}.")
    if unknown := sorted(values.keys() - wanted):
        raise BadParametersError(f"The policy template has no parameter {unknown[0]}.")
    rendered = _rendered(document, values, keep=False)
    if not rendered["Statement"]:
        raise BadParametersError("The parameters leave no statement of the policy template.")
    made = json.dumps(rendered, separators=(",", ":"))
    if len(made) > LONGEST_POLICY:
        raise BadParametersError(f"The policy is longer than {LONGEST_POLICY} characters.")
    try:
        parse_policy(made, "session")
    except MalformedPolicy as error:
        raise BadParametersError(f"The parameters make no valid policy: {error}") from error
    return made


def restrictions(policy: str) -> list[str]:
    """The boundaries that roles must have which a policy lets be made: RolePermissionRestrictionArns."""
    found: dict[str, None] = {}
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] == "Allow" and any(
            action.lower() == "iam:createrole" for action in _texts(statement.get("Action"))
        ):
            found.update(dict.fromkeys(_bounds(statement)))
    return list(found)


# What may stand in one


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadTemplateError("it is no JSON") from error
    if (
        not isinstance(document, dict)
        or set(document) - {"Version", "Id", "Statement"}
        or document.get("Version") != "2012-10-17"
    ):
        raise BadTemplateError('it needs "Version": "2012-10-17" and a Statement')
    statements = document.get("Statement")
    if isinstance(statements, dict):
        document["Statement"] = statements = [statements]
    if not isinstance(statements, list) or not statements or not all(isinstance(each, dict) for each in statements):
        raise BadTemplateError("its Statement is no list of statements")
    if len(json.dumps(document, separators=(",", ":"))) > LONGEST_DOCUMENT:
        raise BadTemplateError(f"it is longer than {LONGEST_DOCUMENT} characters")
    return document


def _numbered(document: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    yield from enumerate(document["Statement"], 1)


def _bad(at: int, text: str) -> BadTemplateError:
    return BadTemplateError(f"statement {at}: {text}")


def _check_switch(at: int, statement: Mapping[str, Any]) -> None:
    if _ENABLED in statement and not (isinstance(statement[_ENABLED], str) and _SWITCH.fullmatch(statement[_ENABLED])):
        raise _bad(at, f"{_ENABLED} names no parameter")


def _check_places(at: int, statement: Mapping[str, Any]) -> None:
    """Parameters stand in resources and in the values of conditions; nowhere else could a customer tell what they change."""
    plain = {key: value for key, value in statement.items() if key not in {"Resource", "NotResource", "Condition", _ENABLED}}
    keys = [key for tests in _tests(at, statement) for key in tests]
    if "@{" in json.dumps([plain, keys]):
        raise _bad(at, "parameters stand only in Resource and in values of Condition")
    for text in _strings(statement):
        if text.count("@{") != len(_PLACEHOLDER.findall(text)):
            raise _bad(at, f"`{text}` names no parameter: a letter, then 4 to 255 letters, digits and _ . -")


def _tests(at: int, statement: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(tests, dict) for tests in condition.values()):
        raise _bad(at, "its Condition is no object of objects")
    return list(condition.values())


def _check_statement(at: int, statement: Mapping[str, Any], boundaries: Sequence[str], *, template: bool) -> None:
    if statement.get("Effect") != "Allow":
        return
    if "NotAction" in statement or "NotResource" in statement:
        raise _bad(at, "an Allow lists its actions and resources: NotAction and NotResource are for Deny")
    actions = _texts(statement.get("Action"))
    if not actions:
        raise _bad(at, "an Allow lists its actions")
    _tests(at, statement)
    for action in actions:
        _check_action(at, action, statement, boundaries, template=template)


def _check_action(at: int, action: str, statement: Mapping[str, Any], boundaries: Sequence[str], *, template: bool) -> None:
    if not _ACTION.fullmatch(action):
        raise _bad(at, f"`{action}` is no action of a named service")
    service, _, name = action.lower().partition(":")
    if service not in _SENSITIVE:
        return
    if name.strip("*?") == "" or (template and re.search(r"[*?]", name)):
        raise _bad(at, f"`{action}`: actions of {service} are written out")
    if service == "iam":
        _check_iam(at, action, name, statement, boundaries, template=template)
    elif action.lower() not in _HARMLESS and (name in _SECRET or not name.startswith(("describe", *_READING))):
        _check_scoped(at, action, statement)


def _check_iam(
    at: int, action: str, name: str, statement: Mapping[str, Any], boundaries: Sequence[str], *, template: bool
) -> None:
    if name.startswith(_READING):
        return
    if name in _SCOPED:
        _check_scoped(at, action, statement)
    elif template and name in _BOUNDED:
        bounds = _bounds(statement)
        if not bounds or not all(arn in boundaries or arn.startswith(_AWS_POLICY) for arn in bounds):
            raise _bad(at, f"`{action}` needs StringEquals of iam:PermissionsBoundary with the partner's own boundaries")
        _check_scoped(at, action, statement)
    else:
        raise _bad(at, f"`{action}` is nothing that a partner may be given")


def _check_scoped(at: int, action: str, statement: Mapping[str, Any]) -> None:
    resources = _texts(statement.get("Resource"))
    if not resources or any(text.strip("*?") == "" for text in resources):
        raise _bad(at, f"`{action}` names its resources")


def _bounds(statement: Mapping[str, Any]) -> list[str]:
    """The boundaries that a statement asks for, by conditions that fail where there is none."""
    found: list[str] = []
    for operator, tests in statement.get("Condition", {}).items():
        if operator.lower() in {"stringequals", "arnequals"}:
            found += [arn for key, value in tests.items() if key.lower() == "iam:permissionsboundary" for arn in _texts(value)]
    return [] if any("*" in arn or "?" in arn for arn in found) else found


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)


# Parameters in their places


def _values(parameters: Sequence[Parameter]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in parameters:
        if each.name in found:
            raise BadParametersError(f"The parameter {each.name} is given twice.")
        if not each.values or (not each.many and len(each.values) != 1):
            raise BadParametersError(f"The parameter {each.name} of type string has one value; of type stringList, at least one.")
        if any(_WIDENING.search(value) for value in each.values):
            raise BadParametersError(f"The values of the parameter {each.name} may hold no wildcards and no variables.")
        found[each.name] = each.values
    return found


def _rendered(document: Mapping[str, Any], values: Mapping[str, Sequence[str]], *, keep: bool) -> dict[str, Any]:
    """``keep``: with every statement, whatever switches it on."""
    statements = [
        {key: _filled(value, values) for key, value in statement.items() if key != _ENABLED}
        for statement in document["Statement"]
        if keep or _on(statement, values)
    ]
    return {**document, "Statement": statements}


def _on(statement: Mapping[str, Any], values: Mapping[str, Sequence[str]]) -> bool:
    switch: str = statement.get(_ENABLED, "")
    if not switch:
        return True
    on = list(values[switch.removeprefix("!")]) == ["True"]
    return on is not switch.startswith("!")


def _filled(value: Any, values: Mapping[str, Sequence[str]]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [text for each in value for text in (_spread(each, values) if isinstance(each, str) else [_filled(each, values)])]
    if isinstance(value, str):
        spread = _spread(value, values)
        return spread[0] if len(spread) == 1 else spread
    return value


def _spread(text: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """One text for each combination of the values of the parameters in it."""
    names = list(dict.fromkeys(_PLACEHOLDER.findall(text)))
    lists = [values[name] for name in names]
    if math.prod(map(len, lists)) > LONGEST_POLICY:
        raise BadParametersError(f"The policy is longer than {LONGEST_POLICY} characters.")
    return [_PLACEHOLDER.sub(_chosen(dict(zip(names, each, strict=True))), text) for each in itertools.product(*lists)]


def _chosen(choice: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    return lambda found: choice[found[1]]
