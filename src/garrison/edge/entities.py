"""Rows of web ACLs, rule groups and sets, as the services of this room read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from garrison.core.ports import Transaction

Kind = Literal["webacl", "rulegroup", "ipset", "regexpatternset", "managedruleset"]
COLUMNS: Final = "arn, kind, account, region, scope, name, id, lock_token, document, created, updated"
CHANGED: Final = "wafv2"
"""Kind of the changes that writes of entities, associations and logging configurations note; the key is an ARN."""


@dataclass(frozen=True)
class Entity:
    """One row. ``text`` is the document's JSON; times are seconds since the epoch."""

    arn: str
    kind: Kind
    account: str
    region: str
    scope: str
    name: str
    id: str
    lock_token: str
    text: str
    created: float
    updated: float

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The entity in the API's JSON shape."""
        found: dict[str, Any] = json.loads(self.text)
        return found


def find(tx: Transaction, arn: str) -> Entity | None:
    """The entity of this ARN, None where there is none."""
    row = tx.one(f"SELECT {COLUMNS} FROM waf_entity WHERE arn = ?", arn)  # noqa: S608 - the columns are a constant
    return None if row is None else Entity(*row)


def targets(tx: Transaction, owner: str) -> list[str]:
    """The ARNs that the rules of a web ACL or rule group refer to."""
    return [row[0] for row in tx.all("SELECT target FROM waf_reference WHERE owner = ? ORDER BY target", owner)]


def closure(tx: Transaction, owners: Iterable[str]) -> dict[str, Entity]:
    """Everything that these refer to, directly and through rule groups, by ARN."""
    found: dict[str, Entity] = {}
    waiting = list(owners)
    while waiting:
        for arn in targets(tx, waiting.pop()):
            entity = find(tx, arn) if arn not in found else None
            if entity is not None:
                found[arn] = entity
                if entity.kind == "rulegroup":
                    waiting.append(arn)
    return found
