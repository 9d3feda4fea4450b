"""Role trust policies: their principals must exist, and are kept by unique id.

A user or role that a trust policy names is stored as its unique id (``AIDA…``, ``AROA…``), so that one that is deleted and made
again under its name is not trusted. What is shown is the document as it was put, with the ARN that each id has now, and the bare
id where the principal is gone; such an id is not taken back. Source: IAM User Guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from garrison.api import iam as api
from garrison.core.arn import Arn, parse_arn
from garrison.core.ports import Transaction
from garrison.identity.iam import errors
from garrison.identity.iam.documents import TRUST_LIMIT, checked, size
from garrison.identity.iam.rows import RoleRow, find_role, find_user, role_by_id, user_by_id

_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com|amazon\.com|aws\.internal)(\.cn)?")
_PROVIDER_HOSTS = frozenset({"cognito-identity.amazonaws.com", "www.amazon.com", "graph.facebook.com", "accounts.google.com"})
_ACCOUNT = re.compile("[0-9]{12}")


class Trust(NamedTuple):
    """A checked trust policy in the three forms of its columns."""

    text: str
    resolved: str
    principals: str


def checked_trust(tx: Transaction, text: str) -> Trust:
    """Check a trust policy and resolve whom it names. Raises MalformedPolicyDocument, LimitExceeded."""
    checked(text, "trust")
    if size(text) > TRUST_LIMIT:
        raise errors.quota("ACLSizePerRole", TRUST_LIMIT)
    document = json.loads(text)
    ids: dict[str, str] = {}
    for element in _elements(document):
        for kind, names in element.items():
            element[kind] = _mapped(names, kind, tx, ids)
    return Trust(text, json.dumps(document), json.dumps(ids))


def shown_trust(tx: Transaction, role: RoleRow) -> str:
    """A role's trust policy as answers show it now."""
    ids: dict[str, str] = json.loads(role.trust_principals)
    now = {arn: _current(tx, arn, unique) for arn, unique in ids.items()}
    if all(arn == current for arn, current in now.items()):
        return role.trust_policy
    document = json.loads(role.trust_policy)
    for element in _elements(document):
        names = element.get("AWS", [])
        element["AWS"] = [now.get(name, name) for name in names] if isinstance(names, list) else now.get(names, names)
    return json.dumps(document)


def _elements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every Principal and NotPrincipal that is a map, in place."""
    statements = document["Statement"]
    found = [
        statement[name]
        for statement in (statements if isinstance(statements, list) else [statements])
        for name in ("Principal", "NotPrincipal")
        if name in statement
    ]
    return [element for element in found if isinstance(element, dict)]


def _mapped(names: str | list[str], kind: str, tx: Transaction, ids: dict[str, str]) -> str | list[str]:
    if isinstance(names, list):
        return [_resolved(name, kind, tx, ids) for name in names]
    return _resolved(names, kind, tx, ids)


def _resolved(name: str, kind: str, tx: Transaction, ids: dict[str, str]) -> str:
    """The name as evaluation wants it. Raises MalformedPolicyDocument where nobody has it."""
    if kind == "AWS":
        unique = _unique_id(tx, name)
        if unique is not None:
            if unique != name:
                ids[name] = unique
            return unique
    elif kind == "Service":
        if _SERVICE.fullmatch(name):
            return name
    elif kind == "Federated":
        if _is_provider(name):
            return name
    elif kind == "CanonicalUser" and re.fullmatch("[0-9a-f]{64}", name):
        return name
    raise invalid_principal(kind, name)


def invalid_principal(kind: str, name: str) -> api.MalformedPolicyDocumentException:
    """AWS's words for a principal that does not exist."""
    return api.MalformedPolicyDocumentException(f'Invalid principal in policy: "{kind.upper()}":"{name}"')


def _unique_id(tx: Transaction, name: str) -> str | None:
    """The unique id of a user, a role or a role's session; the name itself where it has none; None where nobody has it."""
    if name == "*" or _ACCOUNT.fullmatch(name):
        return name
    try:
        arn = parse_arn(name)
    except ValueError:
        return None
    if arn.region or not _ACCOUNT.fullmatch(arn.account):
        return None
    if arn.service == "sts":
        return _session_id(tx, arn, name)
    if arn.service == "iam" and arn.resource == "root":
        return name
    row = _principal(tx, arn) if arn.service == "iam" else None
    return row[0] if row and row[1] == name else None


def _principal(tx: Transaction, arn: Arn) -> tuple[str, str] | None:
    """Unique id and ARN of the user or role that an ARN's last part names."""
    if arn.resource_type == "user":
        user = find_user(tx, arn.account, arn.resource_name)
        return (user.id, user.arn) if user else None
    if arn.resource_type == "role":
        role = find_role(tx, arn.account, arn.resource_name)
        return (role.id, role.arn) if role else None
    return None


def _session_id(tx: Transaction, arn: Arn, name: str) -> str | None:
    """``AROA…:session`` of a role's session; a federated user's session goes by its name."""
    kind, _, rest = arn.resource.partition("/")
    if kind == "federated-user" and rest:
        return name
    role_name, _, session = rest.partition("/")
    role = find_role(tx, arn.account, role_name) if kind == "assumed-role" and session else None
    return f"{role.id}:{session}" if role else None


def _is_provider(name: str) -> bool:
    """A well-known provider, or an ARN of a SAML or OpenID Connect provider."""
    return name in _PROVIDER_HOSTS or bool(re.fullmatch(r"arn:aws:iam::\d{12}:(saml|oidc)-provider/\S+", name))


def _current(tx: Transaction, put: str, unique: str) -> str:
    """The ARN that a unique id has now; the bare id where nobody has it any more."""
    account = put.split(":")[4]
    identity, colon, session = unique.partition(":")
    if identity.startswith("AIDA"):
        user = user_by_id(tx, account, identity)
        return user.arn if user else unique
    role = role_by_id(tx, account, identity)
    if role is None:
        return identity
    return f"arn:aws:sts::{account}:assumed-role/{role.name}/{session}" if colon else role.arn
