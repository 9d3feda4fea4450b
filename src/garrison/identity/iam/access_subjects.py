"""Whose last access a report is about: a user or role itself, a group's members, or everybody whom a policy is for."""

from __future__ import annotations

from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.arn import parse_arn
from garrison.core.ports import Transaction
from garrison.identity.iam import errors
from garrison.identity.iam.policies import document_of
from garrison.identity.iam.rows import Owner, iam_arn, policy_arn_account, role_by_id, user_by_id
from garrison.identity.iam.service_access import Reach, reach
from garrison.identity.iam.sources import Place, identity_sources, source_owner


class Where(NamedTuple):
    """``sources.Place`` of the background."""

    tx: Transaction
    account: str


class Entity(NamedTuple):
    """A user or role as reports show it."""

    id: str
    arn: str
    name: str
    kind: str
    path: str
    last: float | None
    """When it last tried the service."""


class Subject(NamedTuple):
    """What a report is about, and the query of the unique ids of those who count for it."""

    arn: str
    policies: list[Reach]
    entities: str
    parameters: tuple[str, ...]
    each: bool
    """Whether it stands for many entities: a group, or a policy."""


_MEMBERS = "SELECT user_id FROM iam_membership WHERE account = ? AND group_id = ?"
_HAVING = (
    "SELECT owner_id FROM iam_attachment WHERE account = ? AND policy_arn = ? UNION"
    " SELECT m.user_id FROM iam_membership m JOIN iam_attachment a ON a.account = m.account AND a.owner_id = m.group_id"
    " WHERE m.account = ? AND a.policy_arn = ?"
)


def subject_of(place: Place, arn: str) -> Subject:
    """The user, group, role or managed policy of an ARN. Raises InvalidInput, NoSuchEntity."""
    try:
        kind = parse_arn(arn).resource_type
    except ValueError:
        raise api.InvalidInputException(f"ARN {arn} is not valid.") from None
    if kind == "policy":
        return _of_policy(place, arn)
    owner = source_owner(place, arn)
    policies = [reach(source.text) for source in identity_sources(place, owner)]
    if owner.kind == "group":
        return Subject(arn, policies, _MEMBERS, (place.account, owner.id), each=True)
    return Subject(arn, policies, "SELECT ?", (owner.id,), each=False)


def _of_policy(place: Place, arn: str) -> Subject:
    if policy_arn_account(arn) not in {"aws", place.account}:
        raise errors.policy_not_found(arn)
    text = document_of(place.tx, arn)
    if text is None:
        raise errors.policy_not_found(arn)
    return Subject(arn, [reach(text)], _HAVING, (place.account, arn, place.account, arn), each=True)


def entity_arn(place: Place, entity_id: str) -> str | None:
    """The ARN that a user or role has now; None for who is gone."""
    row: Owner | None = user_by_id(place.tx, place.account, entity_id) or role_by_id(place.tx, place.account, entity_id)
    return None if row is None else row.arn


def entities_of(place: Place, subject: Subject, service: str) -> list[Entity]:
    """Users and roles that count for a subject, who tried the service last first, then by name; two reads."""
    found: list[Entity] = []
    for kind in ("user", "role"):
        rows = place.tx.all(
            f"SELECT e.{kind}_id, e.name, e.path, MAX(l.at) FROM iam_{kind} e"  # noqa: S608 - fixed words
            f" LEFT JOIN iam_last_access l ON l.account = e.account AND l.entity_id = e.{kind}_id AND l.service = ?"
            f" WHERE e.account = ? AND e.{kind}_id IN ({subject.entities}) GROUP BY e.{kind}_id, e.name, e.path",
            service,
            place.account,
            *subject.parameters,
        )
        found += [
            Entity(entity_id, iam_arn(place.account, kind, path, name), name, kind.upper(), path, at)
            for entity_id, name, path, at in rows
        ]
    return sorted(found, key=lambda entity: (-(entity.last or 0.0), entity.name.lower()))


class Last(NamedTuple):
    """The newest attempt of anybody who counts."""

    entity_id: str
    at: float
    region: str
    total: int
    """How many have tried."""


def last_by_service(place: Place, subject: Subject) -> dict[str, Last]:
    """The newest attempt at each service."""
    return {service: last for (service,), last in _last(place, subject, ("service",)).items()}


def last_by_action(place: Place, subject: Subject) -> dict[tuple[str, ...], Last]:
    """The newest attempt at each action, by service and action."""
    return _last(place, subject, ("service", "action"))


def _last(place: Place, subject: Subject, by: tuple[str, ...]) -> dict[tuple[str, ...], Last]:
    """``by`` are columns of iam_last_access."""
    who = f"account = ? AND entity_id IN ({subject.entities})"
    listed, each = ", ".join(by), ", ".join(f"l.{column}" for column in by)
    same = " AND ".join(f"t.{column} = l.{column}" for column in by)
    rows = place.tx.all(
        f"SELECT {each}, MIN(l.entity_id), t.newest, MIN(l.region), t.total FROM iam_last_access l"  # noqa: S608 - fixed words
        f" JOIN (SELECT {listed}, MAX(at) AS newest, COUNT(DISTINCT entity_id) AS total"
        f" FROM iam_last_access WHERE {who} GROUP BY {listed}) t ON {same} AND t.newest = l.at"
        f" WHERE l.{who.replace('entity_id', 'l.entity_id', 1)} GROUP BY {each}, t.newest, t.total",
        place.account,
        *subject.parameters,
        place.account,
        *subject.parameters,
    )
    return {row[: len(by)]: Last(*row[len(by) :]) for row in rows}
