"""Principals that a resource's policy names: they must exist, and are kept by unique id.

A policy that names a user or role speaks of that very one: made again under the same name, it is somebody else. So evaluation
gets a copy of the document in which each stands as its unique id (``AIDA…``, ``AROA…``), and what is shown is the ARN that
the id has now, or the bare id once it is gone. Source: IAM User Guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from garrison.core.arn import Arn, parse_arn
from garrison.core.ports import Transaction
from garrison.identity.iam.rows import find_role, find_user, role_by_id, user_by_id


class UnknownPrincipal(ValueError):  # noqa: N818 - what it is
    """A user, role or session that a policy names and nobody has. The message is the name."""


class Resolved(NamedTuple):
    """A policy as it is stored beside its text."""

    text: str
    """With unique ids: for evaluation."""
    principals: str
    """JSON object: ARN as it was put, to unique id."""


def resolve(tx: Transaction, text: str) -> Resolved:
    """Look up everyone whom a policy names; its form was checked before. Raises UnknownPrincipal."""
    document = json.loads(text)
    ids: dict[str, str] = {}

    def unique(name: str) -> str:
        found = _unique_id(tx, name)
        if found is None:
            raise UnknownPrincipal(name)
        if found != name:
            ids[name] = found
        return found

    _replace(document, unique)
    return Resolved(json.dumps(document), json.dumps(ids)) if ids else Resolved(text, "{}")


def shown(tx: Transaction, text: str, principals: str) -> str:
    """A policy as answers show it now: the text as it was put, unless somebody in it was renamed or is gone."""
    ids: dict[str, str] = json.loads(principals)
    now = {put: _current(tx, put, unique) for put, unique in ids.items()}
    if all(put == current for put, current in now.items()):
        return text
    document = json.loads(text)
    _replace(document, lambda name: now.get(name, name))
    return json.dumps(document)


def _replace(document: dict[str, Any], new: Callable[[str], str]) -> None:
    """Put ``new(name)`` for every AWS principal of a document, in place."""
    for element in _elements(document):
        names = element.get("AWS")
        if isinstance(names, str):
            element["AWS"] = new(names)
        elif isinstance(names, list):
            element["AWS"] = [new(name) for name in names]


def _elements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for name in ("Principal", "NotPrincipal"):
            element = statement.get(name)
            if isinstance(element, dict):
                yield element


def _unique_id(tx: Transaction, name: str) -> str | None:
    """The unique id of a user, role or role's session; the name itself where it has none; None where nobody has it."""
    if not name.startswith("arn:"):
        # "*", an account, or the unique id of somebody who is gone, as it was shown.
        return name
    arn = parse_arn(name)
    if arn.service == "sts":
        return _session_id(tx, arn, name)
    if arn.resource_type == "user":
        user = find_user(tx, arn.account, arn.resource_name)
        return user.id if user and user.arn == name else None
    if arn.resource_type == "role":
        role = find_role(tx, arn.account, arn.resource_name)
        return role.id if role and role.arn == name else None
    return name


def _session_id(tx: Transaction, arn: Arn, name: str) -> str | None:
    """``AROA…:session`` of a role's session; a federated user's goes by its name."""
    kind, _, rest = arn.resource.partition("/")
    if kind == "federated-user":
        return name
    role_name, _, session = rest.partition("/")
    role = find_role(tx, arn.account, role_name)
    return f"{role.id}:{session}" if role else None


def _current(tx: Transaction, put: str, unique: str) -> str:
    """The ARN that a unique id has now; the bare id where nobody has it any more."""
    account = parse_arn(put).account
    identity, colon, session = unique.partition(":")
    if identity.startswith("AIDA"):
        user = user_by_id(tx, account, identity)
        return user.arn if user else unique
    role = role_by_id(tx, account, identity)
    if role is None:
        return unique
    return f"arn:aws:sts::{account}:assumed-role/{role.name}/{session}" if colon else role.arn
