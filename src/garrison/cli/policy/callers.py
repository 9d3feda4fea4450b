"""Who asks, by an ARN alone: the principal of a case, without any state.

Source: IAM User Guide, "IAM identifiers" and "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from garrison.core.principal import ANONYMOUS, Principal, Session

_USER = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):user/(?:[^\s*?]+/)?(?P<name>[\w+=,.@-]{1,64})", re.ASCII)
_ROLE = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>\d{12}):role/(?:[^\s*?]+/)?(?P<name>[\w+=,.@-]{1,64})", re.ASCII
)
_SESSION = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sts::(?P<account>\d{12}):assumed-role/(?P<name>[\w+=,.@-]{1,64})/[\w+=,.@-]{2,64}", re.ASCII
)
_FEDERATED = re.compile(r"arn:aws[a-z-]*:sts::(?P<account>\d{12}):federated-user/(?P<name>[\w+=,.@-]{2,32})", re.ASCII)
_ROOT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?(?P<account>\d{12})(?::root)?", re.ASCII)
_OIDC = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):oidc-provider/[\w.:/-]+", re.ASCII)
_SAML = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):saml-provider/[\w.-]+", re.ASCII)
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?", re.ASCII)
SESSION_NAME = "garrison-policy-test"
_LONGEST = 2048


def caller(text: str) -> Principal:
    """The principal of an ARN; a role's is one of its sessions. Raises ValueError.

    Also an account's number (its root user), a service principal (``lambda.amazonaws.com``), ``anonymous``, and an identity
    provider: somebody whom it vouches for while a role is assumed, who has no policies. Condition keys tell who that is.
    """
    if len(text) > _LONGEST:
        msg = "a principal's name has at most 2,048 characters"
        raise ValueError(msg)
    if text == "anonymous":
        return ANONYMOUS
    if _SERVICE.fullmatch(text):
        return Principal(kind="service", account="", arn="", id="", service=text)
    for form, make in _FORMS:
        found = form.fullmatch(text)
        if found:
            return make(text, found)
    kinds = "an ARN of a user, role, session, root or identity provider, an account, a service, `anonymous`"
    msg = f"`{text}` is no principal; must be {kinds}"
    raise ValueError(msg)


def _root(_text: str, found: re.Match[str]) -> Principal:
    account = found["account"]
    return Principal(kind="root", account=account, arn=f"arn:aws:iam::{account}:root", id=account)


def _user(text: str, found: re.Match[str]) -> Principal:
    return Principal(kind="user", account=found["account"], arn=text, id="", name=found["name"])


def _role(text: str, found: re.Match[str]) -> Principal:
    account, name = found["account"], found["name"]
    arn = f"arn:{found['partition']}:sts::{account}:assumed-role/{name}/{SESSION_NAME}"
    return Principal(kind="assumed-role", account=account, arn=arn, id="", name=name, session=_session(text, name))


def _of_session(text: str, found: re.Match[str]) -> Principal:
    """The role's path is not in its sessions' ARNs: the role is taken to have none."""
    account, name = found["account"], found["name"]
    issuer = f"arn:{found['partition']}:iam::{account}:role/{name}"
    return Principal(kind="assumed-role", account=account, arn=text, id="", name=name, session=_session(issuer, name))


def _federated(text: str, found: re.Match[str]) -> Principal:
    session = Session(issued_at=0.0, expires_at=0.0, kind="federation-token")
    account, name = found["account"], found["name"]
    return Principal(kind="federated-user", account=account, arn=text, id=f"{account}:{name}", name=name, session=session)


def _web_identity(text: str, found: re.Match[str]) -> Principal:
    return Principal(kind="web-identity", account=found["account"], arn="", id="", provider=text)


def _saml(text: str, found: re.Match[str]) -> Principal:
    return Principal(kind="saml", account=found["account"], arn="", id="", provider=text)


def _session(issuer: str, name: str) -> Session:
    return Session(issued_at=0.0, expires_at=0.0, issuer_arn=issuer, issuer_name=name)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[str, re.Match[str]], Principal]], ...] = (
    (_ROOT, _root),
    (_USER, _user),
    (_ROLE, _role),
    (_SESSION, _of_session),
    (_FEDERATED, _federated),
    (_OIDC, _web_identity),
    (_SAML, _saml),
)
