"""Role trust policies: checked when they are put, and shown with the names that their principals have now."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.ports import Transaction
from garrison.identity.iam import errors
from garrison.identity.iam.documents import TRUST_LIMIT, checked, size
from garrison.identity.iam.rows import RoleRow
from garrison.identity.resource_principals import UnknownPrincipal, resolve, shown, shown_all

_PROVIDER_HOSTS = frozenset({"cognito-identity.amazonaws.com", "www.amazon.com", "graph.facebook.com", "accounts.google.com"})
_OTHER_KINDS = {
    "Service": re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com|amazon\.com|aws\.internal)(\.cn)?"),
    "Federated": re.compile(r"arn:aws:iam::\d{12}:(saml|oidc)-provider/\S+"),
    "CanonicalUser": re.compile("[0-9a-f]{64}"),
}


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
    try:
        return Trust(text, *resolve(tx, text, _known))
    except UnknownPrincipal as error:
        message = f'Invalid principal in policy: "{error.kind.upper()}":"{error.name}"'
        raise api.MalformedPolicyDocumentException(message) from error


def shown_trust(tx: Transaction, role: RoleRow) -> str:
    """A role's trust policy as answers show it now."""
    return shown(tx, role.trust_policy, role.trust_principals)


def shown_trusts(tx: Transaction, roles: Sequence[RoleRow]) -> list[str]:
    """The same of many roles."""
    return shown_all(tx, [(role.trust_policy, role.trust_principals) for role in roles])


def _known(kind: str, name: str) -> bool:
    """A service, a provider by its ARN or as a well-known host, a canonical user."""
    form = _OTHER_KINDS.get(kind)
    return (kind == "Federated" and name in _PROVIDER_HOSTS) or (form is not None and form.fullmatch(name) is not None)
