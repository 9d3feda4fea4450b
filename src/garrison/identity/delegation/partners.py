"""Partners: who may ask for delegations, with which policies, and where they hear of them.

The operator stands where AWS's onboarding of partners does. Templates and boundaries never change once they are registered; a new
version has a new name, which ends with its date, as AWS has it.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from garrison.core.arn import parse_arn
from garrison.core.ids import Random
from garrison.core.net import is_loopback
from garrison.core.ports import Sealer, Transaction
from garrison.identity.delegation.templates import BadTemplateError, check_boundary, check_template

NAMESPACE = "arn:aws:iam::partner:"
_TEMPLATES = f"{NAMESPACE}delegation-template/"
BOUNDARIES = f"{NAMESPACE}policy/permissions-boundary/"
PURPOSE = "delegation-topic"
_DOMAIN = re.compile(r"(?=.{1,128}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_DATED = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,100}_(\d{4}_\d{2}_\d{2}|\d{8}|\d{4}-\d{2}-\d{2})")
_NAME = re.compile(r"[\t\n\r -~\u00A1-\u00FF]{1,30}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,256}(\.fifo)?")


class RegistrationError(Exception):
    """A registration that is refused; the text says why."""


class Topic(msgspec.Struct, forbid_unknown_fields=True):
    """Where the messages of a topic go."""

    url: str = ""
    """``https://`` (``http://`` to this machine alone); empty: they wait for the operator."""
    authority: str = ""
    """PEM that vouches for the URL's server; empty: the system's authorities."""


class Registration(msgspec.Struct, forbid_unknown_fields=True):
    """What the operator writes of a partner."""

    domain: str
    name: str
    accounts: list[str]
    topics: dict[str, Topic]
    templates: dict[str, msgspec.Raw]
    """By name: a policy with parameters."""
    boundaries: dict[str, msgspec.Raw] = {}
    single_use: bool = False
    """Whether an exchange token is good for one trade; AWS lets it be traded until the access ends."""


class Partner(NamedTuple):
    """A partner as a request knows it."""

    domain: str
    name: str
    single_use: bool


def read(text: bytes) -> Registration:
    """A registration, checked as a whole. Raises RegistrationError."""
    try:
        found = msgspec.json.decode(text, type=Registration)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RegistrationError(str(error)) from error
    _check_names(found)
    for topic, target in found.topics.items():
        _check_topic(topic, target, found.accounts)
    _check_policies(found)
    return found


def template_arn(domain: str, name: str) -> str:
    """``arn:aws:iam::partner:delegation-template/partner.com/SetUp_20260101``."""
    return f"{_TEMPLATES}{domain}/{name}"


def boundary_arn(domain: str, name: str) -> str:
    """``arn:aws:iam::partner:policy/permissions-boundary/partner.com/Reader_20260101``."""
    return f"{BOUNDARIES}{domain}/{name}"


def register(tx: Transaction, sealer: Sealer, found: Registration, random: Random) -> dict[str, str]:
    """Admit a partner, or change what is known of it: from now on its accounts, topics and templates are these.

    Answers the new secrets that messages are signed with, by topic. Raises RegistrationError where something is another
    partner's, or a template or boundary would change.
    """
    _take(tx, "iam_delegation_account", "account", found.domain, found.accounts)
    _take(tx, "iam_delegation_topic", "topic_arn", found.domain, list(found.topics))
    tx.run("DELETE FROM iam_delegation_partner WHERE domain = ?", found.domain)
    sql = "INSERT INTO iam_delegation_partner (domain, name, single_use) VALUES (?, ?, ?)"
    tx.run(sql, found.domain, found.name, int(found.single_use))
    tx.run("DELETE FROM iam_delegation_account WHERE domain = ?", found.domain)
    for account in found.accounts:
        tx.run("INSERT INTO iam_delegation_account (account, domain) VALUES (?, ?)", account, found.domain)
    _keep_templates(tx, found)
    _keep_boundaries(tx, found)
    return _keep_topics(tx, sealer, found, random)


def partner_of(tx: Transaction, account: str) -> Partner | None:
    """The partner that an account is of."""
    row = tx.one(
        "SELECT p.domain, p.name, p.single_use FROM iam_delegation_account a"
        " JOIN iam_delegation_partner p ON p.domain = a.domain WHERE a.account = ?",
        account,
    )
    return Partner(row[0], row[1], bool(row[2])) if row else None


def template_of(tx: Transaction, partner: Partner, arn: str) -> str | None:
    """The document of one of a partner's templates that requests may name."""
    sql = "SELECT document FROM iam_delegation_template WHERE arn = ? AND domain = ? AND withdrawn = 0"
    row = tx.one(sql, arn, partner.domain)
    return str(row[0]) if row else None


def has_topic(tx: Transaction, partner: Partner, arn: str) -> bool:
    """Whether a topic is one of the partner's."""
    sql = "SELECT topic_arn FROM iam_delegation_topic WHERE topic_arn = ? AND domain = ?"
    return tx.one(sql, arn, partner.domain) is not None


def boundary_document(tx: Transaction, arn: str) -> str | None:
    """The document of a partner's permissions boundary."""
    row = tx.one("SELECT document FROM iam_delegation_boundary WHERE arn = ?", arn)
    return str(row[0]) if row else None


# Checks


def _check_names(found: Registration) -> None:
    if not _DOMAIN.fullmatch(found.domain):
        raise RegistrationError(f"`{found.domain}` is no domain name in lower case")
    if not _NAME.fullmatch(found.name):
        raise RegistrationError("the name that customers are shown has 1 to 30 characters")
    if not found.accounts or not found.templates or not found.topics:
        raise RegistrationError("a partner has accounts, topics and templates")
    for account in found.accounts:
        if not (len(account) == 12 and account.isascii() and account.isdecimal()):
            raise RegistrationError(f"the account `{account}` is not 12 digits")
    for name in (*found.templates, *found.boundaries):
        if not _DATED.fullmatch(name):
            raise RegistrationError(f"`{name}` does not end with its date: `_YYYY_MM_DD` or `_YYYYMMDD`")


def _check_topic(arn: str, topic: Topic, accounts: list[str]) -> None:
    try:
        named = parse_arn(arn)
    except ValueError as error:
        raise RegistrationError(f"`{arn}` is no ARN") from error
    if named.service != "sns" or not named.region or not _TOPIC.fullmatch(named.resource):
        raise RegistrationError(f"`{arn}` is no ARN of an SNS topic")
    if named.account not in accounts:
        raise RegistrationError(f"the topic `{arn}` is in none of the partner's accounts")
    if topic.url and not _sendable(topic.url):
        raise RegistrationError(f"`{topic.url}` is no https:// URL (http:// leads to this machine alone)")
    if topic.authority:
        try:
            ssl.create_default_context().load_verify_locations(cadata=topic.authority)
        except (ssl.SSLError, ValueError) as error:
            raise RegistrationError(f"the authority of `{arn}` is no certificate in PEM") from error


def _sendable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    return (
        named
        and url.isascii()
        and url.isprintable()
        and " " not in url
        and parts.username is None
        and (parts.scheme == "https" or plain)
    )


def _check_policies(found: Registration) -> None:
    own = [boundary_arn(found.domain, name) for name in found.boundaries]
    for name, raw in found.boundaries.items():
        _checked(name, check_boundary, raw)
    for name, raw in found.templates.items():
        _checked(name, lambda text: check_template(text, own), raw)


def _checked(name: str, check: Callable[[str], None], raw: msgspec.Raw) -> None:
    try:
        check(_text(raw))
    except BadTemplateError as error:
        raise RegistrationError(f"`{name}`: {error}") from error


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


# Rows


def _take(tx: Transaction, table: str, key: str, domain: str, wanted: list[str]) -> None:
    for each in wanted:
        row = tx.one(f"SELECT domain FROM {table} WHERE {key} = ?", each)  # noqa: S608 - constants
        if row is not None and row[0] != domain:
            raise RegistrationError(f"`{each}` is registered for the partner {row[0]}")


def _keep_templates(tx: Transaction, found: Registration) -> None:
    """A template that is not named any more stays for those who look at old requests, and makes no new ones."""
    tx.run("UPDATE iam_delegation_template SET withdrawn = 1 WHERE domain = ?", found.domain)
    for name, raw in found.templates.items():
        arn = template_arn(found.domain, name)
        if _is_new(tx, "iam_delegation_template", arn, raw):
            sql = "INSERT INTO iam_delegation_template (arn, domain, document, withdrawn) VALUES (?, ?, ?, 0)"
            tx.run(sql, arn, found.domain, _text(raw))
        tx.run("UPDATE iam_delegation_template SET withdrawn = 0 WHERE arn = ?", arn)


def _keep_boundaries(tx: Transaction, found: Registration) -> None:
    """A boundary is never taken away: roles have it, and could do nothing any more without it."""
    for name, raw in found.boundaries.items():
        arn = boundary_arn(found.domain, name)
        if _is_new(tx, "iam_delegation_boundary", arn, raw):
            sql = "INSERT INTO iam_delegation_boundary (arn, domain, document) VALUES (?, ?, ?)"
            tx.run(sql, arn, found.domain, _text(raw))
            tx.changed("policy", arn)


def _is_new(tx: Transaction, table: str, arn: str, raw: msgspec.Raw) -> bool:
    row = tx.one(f"SELECT document FROM {table} WHERE arn = ?", arn)  # noqa: S608 - constants
    if row is not None and _plain(row[0]) != _plain(_text(raw)):
        raise RegistrationError(f"{arn} is registered with another text: a new version has a new date")
    return row is None


def _plain(text: str) -> object:
    found: object = json.loads(text)
    return found


def _keep_topics(tx: Transaction, sealer: Sealer, found: Registration, random: Random) -> dict[str, str]:
    known = dict(tx.all("SELECT topic_arn, secret FROM iam_delegation_topic WHERE domain = ?", found.domain))
    tx.run("DELETE FROM iam_delegation_topic WHERE domain = ?", found.domain)
    made: dict[str, str] = {}
    for arn, topic in found.topics.items():
        sealed = known.get(arn)
        if sealed is None:
            made[arn] = random(32).hex()
            sealed = sealer.seal(PURPOSE, made[arn].encode(), arn.encode())
        sql = "INSERT INTO iam_delegation_topic (topic_arn, domain, url, authority, secret) VALUES (?, ?, ?, ?, ?)"
        tx.run(sql, arn, found.domain, topic.url, topic.authority, sealed)
    return made


def registered(tx: Transaction) -> list[Mapping[str, object]]:
    """Every partner with what is registered for it, by domain; no secrets."""
    rows = tx.all("SELECT domain, name, single_use FROM iam_delegation_partner ORDER BY domain")
    return [
        {
            "domain": domain,
            "name": name,
            "single_use": bool(single_use),
            "accounts": _column(tx, "account", "iam_delegation_account", domain),
            "topics": _column(tx, "topic_arn", "iam_delegation_topic", domain),
            "templates": [
                arn
                for (arn,) in tx.all(
                    "SELECT arn FROM iam_delegation_template WHERE domain = ? AND withdrawn = 0 ORDER BY arn", domain
                )
            ],
            "boundaries": _column(tx, "arn", "iam_delegation_boundary", domain),
        }
        for domain, name, single_use in rows
    ]


def _column(tx: Transaction, column: str, table: str, domain: str) -> list[str]:
    rows = tx.all(f"SELECT {column} FROM {table} WHERE domain = ? ORDER BY {column}", domain)  # noqa: S608 - constants
    return [value for (value,) in rows]
