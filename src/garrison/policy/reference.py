"""The slow, obvious evaluator: the oracle of the fast one.

It reads parsed documents, never compiled policies, and shares no code with matching, conditions or the decision order of the rest
of the room. Each rule is written as the IAM User Guide states it, one statement, one key, one value at a time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from garrison.core.principal import OUTSIDE, Principal
from garrison.policy.document import Condition, Document, PrincipalElement, Statement

if TYPE_CHECKING:
    from garrison.policy.compile import Policy, PolicySet
    from garrison.policy.evaluate import Grants, PolicyInputs, Request
    from garrison.policy.variables import Value


_CLOCK = r"(?:([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,9}))?)?)?)?(?:[zZ]|([+-])([0-9]{2}):?([0-9]{2})?)?"


class Answer(NamedTuple):
    """The outcome, and the type of policy that settled it."""

    outcome: str
    decided_by: str


class Atom(NamedTuple):
    """One character of a pattern. ``wild``: it stands for others. ``narrow``: but never for a colon."""

    character: str
    wild: bool = False
    narrow: bool = False
    inserted: bool = False
    """It came out of a variable."""


class Unresolved(Exception):  # noqa: N818 - an answer, not a fault
    """A variable without a value."""


def reference_authorize(
    request: Request,
    inputs: PolicyInputs,
    *,
    resource_policy: Policy | None = None,
    resource_policy_decides: bool = False,
    rcps: tuple[PolicySet, ...] = (),
    grants: Grants | None = None,
) -> Answer:
    """The same question as ``evaluate.authorize``, the slow way."""
    plain = _without_grants(
        request, inputs, resource_policy=resource_policy, resource_policy_decides=resource_policy_decides, rcps=rcps
    )
    found = grants(request) if grants is not None else None
    if plain.outcome != "implicitDeny" or plain.decided_by in {"rcp", "scp"} or found is None or found.level == 0:
        return plain
    if _scoped_out(request, inputs):
        return plain
    if request.principal.kind in OUTSIDE:
        return Answer("allowed", "grant")
    foreign = request.resource_account not in {"", "aws", request.principal.account}
    limits = [("boundary", _documents(inputs.boundary))] if inputs.boundary is not None else []
    limits += [("session", _documents(level)) for level in inputs.sessions]
    by_account, by_itself = found.level == 1, found.level == 3
    if by_account or (foreign and not found.trusted):
        return _own(request, _documents(inputs.identity), limits)
    return Answer("allowed", "grant") if by_itself else _within(request, limits, "grant")


def _scoped_out(request: Request, inputs: PolicyInputs) -> bool:
    """Whether a policy that scoped the session down does not allow it: nothing else counts then."""
    own_policies = request.principal.kind not in OUTSIDE
    return own_policies and not all(_allows(_documents(level), request) for level in inputs.scopes)


def _without_grants(  # noqa: C901, PLR0911 - the whole order of evaluation on one page is the point
    request: Request,
    inputs: PolicyInputs,
    *,
    resource_policy: Policy | None,
    resource_policy_decides: bool,
    rcps: tuple[PolicySet, ...],
) -> Answer:
    own_policies = request.principal.kind not in OUTSIDE
    levels: list[tuple[str, list[Document]]] = [("rcp", _documents(level)) for level in rcps]
    if own_policies:
        levels += [("scp", _documents(level)) for level in inputs.scps]
    resource_kind = "resource" if resource_policy is None else resource_policy.document.kind
    resource_documents = [] if resource_policy is None else [resource_policy.document]
    identity = _documents(inputs.identity) if own_policies else []
    boundary = _documents(inputs.boundary) if own_policies and inputs.boundary is not None else None
    sessions = [_documents(level) for level in inputs.sessions] if own_policies else []
    scopes = [("session", _documents(level)) for level in inputs.scopes] if own_policies else []

    in_play = [
        *levels,
        (resource_kind, resource_documents),
        ("identity", identity),
        ("boundary", boundary or []),
        *(("session", documents) for documents in sessions),
        *scopes,
    ]
    for kind, documents in in_play:
        if any(_denies(statement, document, request, bounded=boundary is not None) for document, statement in _all(documents)):
            return Answer("explicitDeny", kind)
    for kind, documents in [*levels, *scopes]:
        if not _allows(documents, request):
            return Answer("implicitDeny", kind)

    grants = {
        _grant(statement, request)
        for document, statement in _all(resource_documents)
        if statement.effect == "Allow" and _matches(statement, document, request)
    } - {"none"}
    limits = [("boundary", boundary)] if boundary is not None else []
    limits += [("session", documents) for documents in sessions]

    if not own_policies:
        return Answer("allowed" if grants else "implicitDeny", resource_kind)
    if request.resource_account not in {"", "aws", request.principal.account}:
        mine = _own(request, identity, limits)
        if mine.outcome == "allowed" and not grants:
            return Answer("implicitDeny", resource_kind)
        return mine
    if "direct" in grants:
        return Answer("allowed", resource_kind)
    if resource_policy_decides and not grants:
        return Answer("implicitDeny", resource_kind)
    if "entity" in grants:
        return _within(request, limits, resource_kind)
    return _own(request, identity, limits)


def _own(request: Request, identity: list[Document], limits: list[tuple[str, list[Document]]]) -> Answer:
    if request.principal.kind == "root":
        return _within(request, limits, "root")
    if not _allows(identity, request):
        return Answer("implicitDeny", "identity")
    return _within(request, limits, "identity")


def _within(request: Request, limits: list[tuple[str, list[Document]]], by: str) -> Answer:
    for kind, documents in limits:
        if not _allows(documents, request):
            return Answer("implicitDeny", kind)
    return Answer("allowed", by)


def _documents(policies: PolicySet) -> list[Document]:
    return [policy.document for policy in policies.policies]


def _all(documents: Iterable[Document]) -> list[tuple[Document, Statement]]:
    return [(document, statement) for document in documents for statement in document.statements]


def _allows(documents: Iterable[Document], request: Request) -> bool:
    return any(statement.effect == "Allow" and _matches(statement, document, request) for document, statement in _all(documents))


def _denies(statement: Statement, document: Document, request: Request, *, bounded: bool) -> bool:
    if statement.effect != "Deny" or not _matches(statement, document, request):
        return False
    if document.kind not in {"resource", "trust", "rcp"}:
        return True
    if statement.principal is None:
        return False
    if not statement.not_principal:
        return _names(statement.principal, request) != "none"
    return bounded or not _spared(statement.principal, request)


# -- principals ------------------------------------------------------------------------------------------------


def _grant(statement: Statement, request: Request) -> str:
    """An Allow with NotPrincipal cannot be put, and would grant nothing."""
    if statement.principal is None or statement.not_principal:
        return "none"
    return _names(statement.principal, request)


def _names(element: PrincipalElement, request: Request) -> str:  # noqa: PLR0911 - a return for each rule of the documentation
    """``direct``, ``entity``, ``account`` or ``none``: the most direct way in which the element names the caller."""
    caller = request.principal
    if element.everyone or request.context.get("aws:federatedprovider") in element.federated:
        return "direct"
    if caller.kind == "service":
        return "direct" if "*" in element.service or caller.service in element.service else "none"
    if caller.kind in OUTSIDE:
        return "none"
    if caller.kind != "root" and (caller.arn in element.aws or caller.id in element.aws):
        return "direct"
    if _issuers(caller) & set(element.aws):
        return "entity"
    if any(entry == caller.account or _root_account(entry) == caller.account for entry in element.aws):
        return "account"
    return "account" if request.canonical_id in element.canonical else "none"


def _issuers(caller: Principal) -> set[str]:
    if caller.kind not in {"assumed-role", "federated-user"} or caller.session is None:
        return set()
    return {caller.session.issuer_arn, caller.session.issuer_id}


def _root_account(entry: str) -> str:
    found = re.fullmatch(r"arn:[^:]*:iam:[^:]*:([^:]*):root", entry)
    return found.group(1) if found else ""


def _spared(element: PrincipalElement, request: Request) -> bool:  # noqa: PLR0911 - a return for each rule of the documentation
    """A NotPrincipal spares whom it lists in full: the account, the role behind a session, and the caller."""
    caller = request.principal
    if element.everyone or request.context.get("aws:federatedprovider") in element.federated:
        return True
    if caller.kind == "service":
        return "*" in element.service or caller.service in element.service
    if caller.kind in OUTSIDE:
        return False
    account = any(entry == caller.account or _root_account(entry) == caller.account for entry in element.aws)
    if not account and request.canonical_id not in element.canonical:
        return False
    if caller.kind == "root":
        return True
    if caller.arn not in element.aws and caller.id not in element.aws:
        return False
    return caller.kind == "user" or bool(_issuers(caller) & set(element.aws))


# -- statements ------------------------------------------------------------------------------------------------


def _matches(statement: Statement, document: Document, request: Request) -> bool:
    """Action, resource and conditions; the principal is asked for apart."""
    return (
        _action_matches(statement, request.action)
        and _resource_matches(statement, document, request)
        and all(_condition_holds(condition, document, request) for condition in statement.conditions)
    )


def _action_matches(statement: Statement, action: str) -> bool:
    named = any(_like(_pattern(entry.lower()), action.lower()) for entry in statement.actions or ())
    return named != statement.not_action


def _resource_matches(statement: Statement, document: Document, request: Request) -> bool:
    if statement.resources is None:  # a trust policy stands for its role
        return True
    results: list[bool | None] = []
    for entry in statement.resources:
        try:
            results.append(_like(_resource_pattern(entry, document, request), request.resource))
        except Unresolved:
            results.append(None)
    if statement.not_resource:
        return all(result is False for result in results)
    return any(results)


def _pattern(text: str) -> list[Atom]:
    return [Atom(character, wild=character in "*?") for character in text]


def _resource_pattern(entry: str, document: Document, request: Request) -> list[Atom]:
    if entry == "*":
        return _pattern(entry)
    if document.kind in {"scp", "rcp"}:
        while entry.count(":") < 5:
            entry += ":*"
    if document.version == "2012-10-17" and _early_variable(entry):
        return [Atom(character) for character in entry]  # no variables before the fifth colon: plain text
    narrowed: list[Atom] = []
    colons = 0
    atoms = _substitute(entry, document, request)
    for at, atom in enumerate(atoms):
        follower = atoms[at + 1] if at + 1 < len(atoms) else None
        ends_segment = follower is None or (follower.character == ":" and not follower.inserted)
        colons += atom.character == ":" and not atom.inserted
        narrow = atom.wild and colons < 5 and not (atom.character == "*" and ends_segment)
        narrowed.append(atom._replace(narrow=narrow))
    return narrowed


def _early_variable(entry: str) -> bool:
    """Whether a variable stands before the fifth colon of the text around the variables."""
    colons = 0
    for key, text, _ in _pieces(entry):
        if key is not None and colons < 5:
            return True
        colons += text.count(":") if key is None else 0
    return False


def _pieces(text: str) -> list[tuple[str | None, str, bool]]:
    """The text cut at its variables, as (key, default or text, whether there is a default).

    The escapes ``${*}``, ``${?}`` and ``${$}`` are text, marked by the flag.
    """
    pieces: list[tuple[str | None, str, bool]] = []
    plain = ""
    at = 0
    while at < len(text):
        end = text.find("}", at)
        inner = text[at + 2 : end] if text.startswith("${", at) and end > 0 else ""
        key, comma, default = inner.partition(",")
        default = default.strip()
        quoted = len(default) > 1 and default[0] == default[-1] == "'" and "'" not in default[1:-1]
        if "{" in inner or not key.strip() or (comma and not quoted):
            plain += text[at]
            at += 1
            continue
        pieces.append((None, plain, False))
        plain = ""
        at = end + 1
        if inner in {"*", "?", "$"}:
            pieces.append((None, inner, True))
        else:
            pieces.append((key.strip().lower(), default[1:-1], bool(comma)))
    return [*pieces, (None, plain, False)]


def _substitute(text: str, document: Document, request: Request) -> list[Atom]:
    """The pattern with its variables filled in. Raises Unresolved."""
    if document.version != "2012-10-17":
        return _pattern(text)
    atoms: list[Atom] = []
    for key, content, flag in _pieces(text):
        if key is None:
            atoms += [Atom(character, inserted=True) for character in content] if flag else _pattern(content)
            continue
        value = request.context.get(key)
        if value is None and flag:
            value = content
        if value is None or isinstance(value, (list, tuple)):
            raise Unresolved
        atoms += [Atom(character, inserted=True) for character in _as_text(value)]
    return atoms


def _like(pattern: Sequence[Atom], text: str) -> bool:
    """Whether the pattern matches the whole text: a table of which beginnings match which, row by row."""
    row = [True] + [False] * len(text)
    for atom in pattern:
        fits = [not (atom.narrow and character == ":") for character in text]
        if atom.wild and atom.character == "*":
            for to in range(1, len(text) + 1):
                row[to] = row[to] or (row[to - 1] and fits[to - 1])
            continue
        if not atom.wild:
            fits = [character == atom.character for character in text]
        row = [False] + [row[to] and fits[to] for to in range(len(text))]
    return row[-1]


# -- conditions ------------------------------------------------------------------------------------------------


def _condition_holds(condition: Condition, document: Document, request: Request) -> bool:
    name = condition.operator.lower()
    which = "all" if name.startswith("forallvalues:") else "any" if name.startswith("foranyvalue:") else ""
    name = name.rpartition(":")[2]
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    negated = "not" in name
    name = name.replace("not", "")
    value = request.context.get(condition.key.lower())
    if name == "null":
        return any((wanted.lower() == "true") == _empty(value) for wanted in condition.values if _is_boolean(wanted))
    if which == "all":
        return _empty(value) or all(_one(name, text, condition, document, request, negated=negated) for text in _texts(value))
    if value is None:
        return if_exists or (negated and not which)
    if which == "any":
        return any(_one(name, text, condition, document, request, negated=negated) for text in _texts(value))
    if isinstance(value, (list, tuple)):
        return False
    return _one(name, _as_text(value), condition, document, request, negated=negated)


def _one(name: str, text: str, condition: Condition, document: Document, request: Request, *, negated: bool) -> bool:
    """One value of the key against all values of the policy: any of them, or none of them for a negated operator."""
    unknown = False
    found = False
    for wanted in condition.values:
        try:
            found = found or _compare(name, wanted, text, document, request)
        except Unresolved:
            unknown = True
    return (not found and not unknown) if negated else found


def _compare(name: str, wanted: str, text: str, document: Document, request: Request) -> bool:  # noqa: PLR0911 - a return for each rule of the documentation
    if name.startswith(("string", "arn", "bool")):
        atoms = _substitute(wanted, document, request)
        plain = "".join(atom.character for atom in atoms)
        if name == "stringequals":
            return plain == text
        if name in {"stringequalsignorecase", "bool"}:
            return plain.lower() == text.lower()
        return _like(atoms, text) if name == "stringlike" else _arn_like(atoms, text)
    if name == "ipaddress":
        return _address_in(text, wanted)
    if name == "binaryequals":
        decoded = _decoded(text)
        return decoded is not None and decoded == _decoded(wanted)
    numeric = name.startswith("numeric")
    left = _number(text) if numeric else _instant(text)
    right = _number(wanted) if numeric else _instant(wanted)
    if left is None or right is None:
        return False
    return {
        "equals": left == right,
        "lessthan": left < right,
        "lessthanequals": left <= right,
        "greaterthan": left > right,
        "greaterthanequals": left >= right,
    }[name.removeprefix("numeric").removeprefix("date")]


def _arn_like(pattern: Sequence[Atom], text: str) -> bool:
    """Six parts, each for itself."""
    parts: list[list[Atom]] = [[]]
    for atom in pattern:
        if atom.character == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(atom)
    found = text.split(":", 5)
    return len(parts) == len(found) == 6 and all(_like(part, piece) for part, piece in zip(parts, found, strict=True))


def _empty(value: Value | None) -> bool:
    return value is None or value in ("", b"", (), [])


def _texts(value: Value | None) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(entry) for entry in value]
    return [] if value is None else [_as_text(value)]


def _as_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


def _is_boolean(text: str) -> bool:
    return text.lower() in {"true", "false"}


def _number(text: str) -> Fraction | None:
    plain = len(text) <= 64 and set(text) <= set("0123456789+-.eE") and len(text.lower().partition("e")[2].lstrip("+-")) <= 3
    try:
        return Fraction(text) if plain else None
    except (ValueError, ZeroDivisionError):
        return None


def _instant(text: str) -> Fraction | None:
    """Seconds since the epoch, from digits or from a date; far years by whole cycles of 400 years."""
    if re.fullmatch(r"[0-9]{1,19}(\.[0-9]{1,9})?", text):
        return Fraction(text) if Fraction(text) < 2**63 else None
    found = re.fullmatch(r"(-?[0-9]{1,9})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?(?:[Tt](.*))?", text)
    if found is None or not -292_275_054 <= int(found[1]) <= 292_278_993:
        return None
    clock = re.fullmatch(_CLOCK, found[4] or "")
    if clock is None:
        return None
    month, day = int(found[2] or 1), int(found[3] or 1)
    hour, minute, second, zone_hour, zone_minute = (int(clock[group] or 0) for group in (1, 2, 3, 6, 7))
    if not (1 <= day <= 31 and zone_hour < 24 and zone_minute < 60):
        return None
    cycles, year = divmod(int(found[1]) - 2000, 400)
    try:
        moment = datetime(2000 + year, month, 1, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    zone = (zone_hour * 3600 + zone_minute * 60) * (-1 if clock[5] == "+" else 1)
    days = day - 1 + cycles * 146_097  # the days of 400 years; a day past a month's end is the next month's
    return Fraction(int(moment.timestamp())) + days * 86_400 + zone + Fraction(f"0.{clock[4] or 0}")


def _address_in(text: str, block: str) -> bool:
    try:
        address, network = ip_address(text), ip_network(block, strict=False)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        network = IPv4Network(f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}")
    return address in network


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
