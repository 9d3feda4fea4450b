"""Principals that a trust policy or a resource's policy names: they must exist, and are kept by unique id.

A policy that names a user or role speaks of that very one: made again under the same name, it is somebody else. So evaluation
gets a copy of the document in which each stands as its unique id (``AIDA…``, ``AROA…``), and what is shown is the ARN that
the id has now, or the bare id once it is gone; such an id is not taken back. Source: IAM User Guide, "AWS JSON policy elements:
Principal".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from garrison.core.arn import Arn, parse_arn
from garrison.core.ports import Transaction

Known = Callable[[str, str], bool]
"""Whether there is a principal of this kind (``Service``, ``Federated``, ``CanonicalUser``) and name."""


class UnknownPrincipal(ValueError):  # noqa: N818 - what it is
    """A principal that a policy names and nobody is."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind}:{name}")
        self.kind, self.name = kind, name


class Resolved(NamedTuple):
    """A policy as it is stored beside its text."""

    text: str
    """With unique ids: for evaluation."""
    principals: str
    """JSON object: ARN as it was put, to unique id."""


class _Identity(NamedTuple):
    """A user or a role."""

    id: str
    name: str
    arn: str


_BY_NAME = {
    "user": "SELECT user_id, name, path FROM iam_user WHERE account = ? AND name_folded = ?",
    "role": "SELECT role_id, name, path FROM iam_role WHERE account = ? AND name_folded = ?",
}
_AT_ONCE = 500
"""Ids in one read, at most: databases bound the parameters of a statement."""
_BY_ID = {
    "user": "SELECT user_id, name, path FROM iam_user WHERE account = ? AND user_id IN ({keys})",
    "role": "SELECT role_id, name, path FROM iam_role WHERE account = ? AND role_id IN ({keys})",
}


def resolve(tx: Transaction, text: str, known: Known) -> Resolved:
    """Look up everyone whom a policy names; its form was checked before.

    Users, roles and roles' sessions are looked up in the store; ``known`` decides on principals of other kinds than ``AWS``.
    Raises UnknownPrincipal for the first that does not exist.
    """
    document = json.loads(text)
    ids: dict[str, str] = {}

    def unique(kind: str, name: str) -> str:
        found = _unique_id(tx, name) if kind == "AWS" else name if known(kind, name) else None
        if found is None:
            raise UnknownPrincipal(kind, name)
        if found != name:
            ids[name] = found
        return found

    _replace(document, unique)
    return Resolved(json.dumps(document), json.dumps(ids)) if ids else Resolved(text, "{}")


def shown(tx: Transaction, text: str, principals: str) -> str:
    """A policy as answers show it now: the text as it was put, unless somebody in it was renamed or is gone."""
    return shown_all(tx, [(text, principals)])[0]


def shown_all(tx: Transaction, policies: Sequence[tuple[str, str]]) -> list[str]:
    """Many policies, each its text and its principals, as answers show them now; two reads for each account that they name."""
    named: list[dict[str, str]] = [json.loads(principals) for _, principals in policies]
    living = _living(tx, {(parse_arn(put).account, unique.partition(":")[0]) for ids in named for put, unique in ids.items()})
    return [_shown(text, ids, living) for (text, _), ids in zip(policies, named, strict=True)]


def _shown(text: str, ids: dict[str, str], living: Mapping[str, _Identity]) -> str:
    now = {put: _current(put, unique, living) for put, unique in ids.items()}
    if all(put == current for put, current in now.items()):
        return text
    document = json.loads(text)
    _replace(document, lambda kind, name: now.get(name, name) if kind == "AWS" else name)
    return json.dumps(document)


def _replace(document: dict[str, Any], new: Callable[[str, str], str]) -> None:
    """Put ``new(kind, name)`` for every principal of a document, in place and in its order."""
    for element in _elements(document):
        for kind, names in element.items():
            element[kind] = [new(kind, name) for name in names] if isinstance(names, list) else new(kind, names)


def _elements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every Principal and NotPrincipal that is a map."""
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for name in ("Principal", "NotPrincipal"):
            element = statement.get(name)
            if isinstance(element, dict):
                yield element


def _unique_id(tx: Transaction, name: str) -> str | None:
    """The unique id of a user, role or role's session; the name itself where it has none; None where nobody has it."""
    if name == "*" or (len(name) == 12 and name.isascii() and name.isdigit()):
        return name
    try:
        arn = parse_arn(name)
    except ValueError:
        return None
    if arn.service == "sts":
        return _session_id(tx, arn, name)
    if arn.service != "iam":
        return None
    if arn.resource == "root":
        return name
    found = _find(tx, arn.resource_type, arn.account, arn.resource_name)
    return found.id if found is not None and found.arn == name else None


def _session_id(tx: Transaction, arn: Arn, name: str) -> str | None:
    """``AROA…:session`` of a role's session; a federated user's goes by its name."""
    kind, _, rest = arn.resource.partition("/")
    if kind == "federated-user" and rest:
        return name
    role_name, _, session = rest.partition("/")
    role = _find(tx, "role", arn.account, role_name) if kind == "assumed-role" and session else None
    return f"{role.id}:{session}" if role is not None else None


def _current(put: str, unique: str, living: Mapping[str, _Identity]) -> str:
    """The ARN that a unique id has now; the bare id where nobody has it any more."""
    identity, colon, session = unique.partition(":")
    found = living.get(identity)
    if found is None:
        return unique
    return f"arn:aws:sts::{parse_arn(put).account}:assumed-role/{found.name}/{session}" if colon else found.arn


def _living(tx: Transaction, wanted: Iterable[tuple[str, str]]) -> dict[str, _Identity]:
    """The users and roles of these accounts and unique ids that there are, by unique id."""
    by_place: dict[tuple[str, str], list[str]] = {}
    for account, unique in wanted:
        by_place.setdefault((account, "user" if unique.startswith("AIDA") else "role"), []).append(unique)
    found: dict[str, _Identity] = {}
    for (account, kind), ids in by_place.items():
        for some in (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE)):
            rows = tx.all(_BY_ID[kind].format(keys=",".join("?" * len(some))), account, *some)
            found |= {row[0]: _identity(account, kind, row) for row in rows}
    return found


def _find(tx: Transaction, kind: str, account: str, name: str) -> _Identity | None:
    """The user or role of a name, regardless of case; None for every other kind."""
    row = tx.one(_BY_NAME[kind], account, name.lower()) if kind in _BY_NAME else None
    return None if row is None else _identity(account, kind, row)


def _identity(account: str, kind: str, row: tuple[str, ...]) -> _Identity:
    unique, name, path = row
    return _Identity(unique, name, f"arn:aws:iam::{account}:{kind}{path}{name}")


def principal_id(tx: Transaction, name: str) -> str | None:
    """What one principal is kept as: its unique id, the account of a root ARN, else the name; None where there is nobody.

    ``name`` is the ARN of a root user, user, role, role's session or federated user; anything else is nobody.
    """
    try:
        arn = parse_arn(name)
    except ValueError:
        return None
    if arn.service == "iam" and arn.resource == "root":
        return arn.account or None
    if arn.service not in {"iam", "sts"} or (arn.service == "iam" and arn.resource_type not in {"user", "role"}):
        return None
    return _unique_id(tx, name)


def principal_name(tx: Transaction, name: str, unique: str) -> str:
    """The ARN that a principal has now, who was named and is kept as :func:`principal_id` has it; its bare id once it is gone."""
    if not unique.startswith(("AIDA", "AROA")):
        return name
    return _current(name, unique, _living(tx, [(parse_arn(name).account, unique.partition(":")[0])]))
