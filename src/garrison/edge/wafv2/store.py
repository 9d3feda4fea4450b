"""Entities as they are written: with their references, tags and configuration items."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from garrison.core.context import ConfigurationItem, Context
from garrison.core.ports import Transaction
from garrison.edge import entities
from garrison.edge.entities import CHANGED, Entity, Kind
from garrison.edge.wafv2 import errors
from garrison.edge.wafv2.names import checked_scope, entity_arn, tags_of

Document = Mapping[str, Any]
TYPES: Final[Mapping[Kind, str]] = {
    "webacl": "AWS::WAFv2::WebACL",
    "rulegroup": "AWS::WAFv2::RuleGroup",
    "ipset": "AWS::WAFv2::IPSet",
    "regexpatternset": "AWS::WAFv2::RegexPatternSet",
    "managedruleset": "AWS::WAFv2::ManagedRuleSet",
}
MOST: Final[Mapping[Kind, int]] = {
    "webacl": 100,
    "rulegroup": 100,
    "ipset": 100,
    "regexpatternset": 10,
    "managedruleset": 100,
}
"""How many an account may have in a Region and scope (AWS WAF Developer Guide, "AWS WAF quotas")."""
_SOURCE: Final[Mapping[Kind, str]] = {
    "webacl": "WEB_ACL",
    "rulegroup": "RULE_GROUP",
    "ipset": "IP_SET",
    "regexpatternset": "REGEX_PATTERN_SET",
    "managedruleset": "MANAGED_RULE_SET",
}


def create(ctx: Context, kind: Kind, scope: str, name: str, document: Document, refers_to: Iterable[str] = ()) -> Entity:
    """A new entity; its document gets name, id and ARN. Raises WAFDuplicateItemException, WAFLimitsExceededException."""
    checked_scope(ctx, scope)
    place = (ctx.account, ctx.region, scope, kind)
    where = "account = ? AND region = ? AND scope = ? AND kind = ?"
    if ctx.tx.one(f"SELECT arn FROM waf_entity WHERE {where} AND name = ?", *place, name):  # noqa: S608 - a constant
        raise errors.duplicate()
    count = ctx.tx.one(f"SELECT count(*) FROM waf_entity WHERE {where}", *place)  # noqa: S608 - a constant
    if count is not None and count[0] >= MOST[kind]:
        raise errors.limit(_SOURCE[kind])
    identifier = ctx.uuid()
    arn = entity_arn(ctx, kind, scope, name, identifier)
    whole = {"Name": name, "Id": identifier, "ARN": arn, **document}
    made = Entity(arn, kind, ctx.account, ctx.region, scope, name, identifier, ctx.uuid(), json.dumps(whole), ctx.now, ctx.now)
    ctx.tx.run(
        f"INSERT INTO waf_entity ({entities.COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        *(made.arn, made.kind, made.account, made.region, made.scope, made.name, made.id, made.lock_token, made.text),
        made.created,
        made.updated,
    )
    _refer(ctx, arn, refers_to)
    return made


def locked(entity: Entity, lock_token: str) -> None:
    """Raises WAFOptimisticLockException where a caller's lock token is not the present one."""
    if entity.lock_token != lock_token:
        raise errors.optimistic_lock()


def update(ctx: Context, entity: Entity, document: Document, refers_to: Iterable[str] = ()) -> Entity:
    """Another document in the place of the one that is there, under a new lock token."""
    whole = {"Name": entity.name, "Id": entity.id, "ARN": entity.arn, **document}
    made = replace(entity, lock_token=ctx.uuid(), text=json.dumps(whole), updated=ctx.now)
    ctx.tx.run(
        "UPDATE waf_entity SET lock_token = ?, document = ?, updated = ? WHERE arn = ?",
        made.lock_token,
        made.text,
        made.updated,
        made.arn,
    )
    ctx.tx.run("DELETE FROM waf_reference WHERE owner = ?", entity.arn)
    _refer(ctx, entity.arn, refers_to)
    return made


def delete(ctx: Context, entity: Entity) -> None:
    """Take an entity away with all that is its own. Raises WAFAssociatedItemException where something refers to it."""
    used = "SELECT owner FROM waf_reference WHERE target = ?"
    if ctx.tx.one(used, entity.arn) or ctx.tx.one("SELECT resource FROM waf_association WHERE web_acl = ?", entity.arn):
        raise errors.associated()
    for table, column in (
        ("waf_reference", "owner"),
        ("waf_logging", "web_acl"),
        ("waf_policy", "rule_group"),
        ("waf_tag", "arn"),
        ("waf_entity", "arn"),
    ):
        ctx.tx.run(f"DELETE FROM {table} WHERE {column} = ?", entity.arn)  # noqa: S608 - constants
    ctx.changed(item(ctx.tx, entity, deleted=True), (CHANGED, entity.arn))


def changed(ctx: Context, entity: Entity) -> None:
    """Record that an entity was written: every inspector reads it anew, and its new state becomes a configuration item."""
    ctx.changed(item(ctx.tx, entity), (CHANGED, entity.arn))


def item(tx: Transaction, entity: Entity, *, deleted: bool = False) -> ConfigurationItem:
    """The configuration item of an entity. Search strings stay base64, as in the API's JSON."""
    return ConfigurationItem(
        type=TYPES[entity.kind],
        id=entity.id,
        arn=entity.arn,
        account=entity.account,
        region=entity.region,
        name=entity.name,
        tags={} if deleted else tags_of(tx, entity.arn),
        configuration={} if deleted else {**entity.document, "Scope": entity.scope},
        facts={} if deleted else facts(tx, entity),
        deleted=deleted,
    )


def facts(tx: Transaction, entity: Entity) -> dict[str, Any]:
    """What audits ask of an entity."""
    rules: Sequence[Document] = entity.document.get("Rules") or ()
    if entity.kind == "webacl":
        return {**_rules(rules), **_web_acl(tx, entity)}
    if entity.kind == "rulegroup":
        row = tx.one("SELECT rule_group FROM waf_policy WHERE rule_group = ?", entity.arn)
        return {**_rules(rules), "shared": row is not None}
    return {}


def _rules(rules: Sequence[Document]) -> dict[str, Any]:
    visible = [each.get("VisibilityConfig") or {} for each in rules]
    return {
        "ruleCount": len(rules),
        "everyRuleHasMetrics": all(each.get("CloudWatchMetricsEnabled", False) for each in visible),
        "rateBased": any("RateBasedStatement" in each["Statement"] for each in rules),
        "managedRuleGroups": sorted(
            f"{each['VendorName']}#{each['Name']}"
            for each in (rule["Statement"].get("ManagedRuleGroupStatement") for rule in rules)
            if each is not None
        ),
    }


def _web_acl(tx: Transaction, entity: Entity) -> dict[str, Any]:
    resources = tx.all("SELECT resource FROM waf_association WHERE web_acl = ? ORDER BY resource", entity.arn)
    logged = tx.one("SELECT web_acl FROM waf_logging WHERE web_acl = ?", entity.arn)
    return {
        "associatedResources": [row[0] for row in resources],
        "logging": logged is not None,
        "defaultAction": next(iter(entity.document["DefaultAction"]), ""),
    }


def listed(ctx: Context, kind: Kind, scope: str, after: str, limit: int) -> list[Entity]:
    """Entities of the caller's account by name, after this one."""
    rows = ctx.tx.all(
        f"SELECT {entities.COLUMNS} FROM waf_entity WHERE account = ? AND region = ? AND scope = ? AND kind = ? AND name > ?"  # noqa: S608 - a constant
        " ORDER BY name LIMIT ?",
        ctx.account,
        ctx.region,
        scope,
        kind,
        after,
        limit,
    )
    return [Entity(*row) for row in rows]


def _refer(ctx: Context, owner: str, targets: Iterable[str]) -> None:
    for target in dict.fromkeys(targets):
        ctx.tx.run("INSERT INTO waf_reference (owner, target) VALUES (?, ?)", owner, target)
