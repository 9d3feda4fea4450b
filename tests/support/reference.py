"""AWS's Service Authorization Reference, asked whether a check that an operation declares is one that AWS knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from garrison.core.operation import Check

NO_RESOURCE = "*"


@cache
def reference() -> dict[str, Any]:
    """``authorization.json``"""
    found: dict[str, Any] = json.loads((resources.files("garrison") / "api" / "authorization.json").read_text(encoding="utf-8"))
    return found


def service(action: str) -> dict[str, Any]:
    """The reference of the service that an action or condition key belongs to; empty where it has none."""
    found: dict[str, Any] = reference()["services"].get(action.partition(":")[0], {})
    return found


def known_action(action: str) -> dict[str, Any] | None:
    """An action of the reference, ``kms:Encrypt``."""
    found: dict[str, Any] | None = service(action).get("actions", {}).get(action.partition(":")[2])
    return found


@cache
def key_pattern(key: str) -> re.Pattern[str]:
    """A condition key of the reference; ``aws:ResourceTag/${TagKey}`` and ``aws:RequestTag/tag-key`` stand for any tag."""
    template = re.sub(r"/tag-key$", "/${TagKey}", key)
    parts = re.split(r"\$\{[^}]*\}", template)
    return re.compile(".+".join(re.escape(part) for part in parts), re.IGNORECASE | re.DOTALL)


@cache
def arn_pattern(template: str) -> re.Pattern[str]:
    """An ARN template: ``arn:${Partition}:kms:${Region}:${Account}:key/${KeyId}``."""
    parts = re.split(r"\$\{[^}]*\}", template)
    return re.compile(".*".join(re.escape(part) for part in parts), re.DOTALL)


def is_key(key: str, among: list[str]) -> bool:
    """Whether a condition key is one of these of the reference."""
    return any(key_pattern(known).fullmatch(key) for known in among)


def known_key(key: str) -> bool:
    """Whether any service, or all of them, have the condition key."""
    return is_key(key, [*reference()["globalConditionKeys"], *service(key).get("conditionKeys", {})])


def faults(check: Check) -> Iterator[str]:
    """What of a check the reference does not know."""
    entry = known_action(check.action)
    if entry is None:
        yield f"{check.action}: no such action"
        return
    types = entry["resourceTypes"]
    described = {name: service(check.action)["resourceTypes"].get(name) for name in types}
    matching = [name for name, one in described.items() if one and arn_pattern(one["arn"]).fullmatch(check.target.arn)]
    if check.target.arn != NO_RESOURCE and types and not matching:
        yield f"{check.action}: {check.target.arn} is none of {sorted(types)}"
    if check.target.arn != NO_RESOURCE and not types:
        yield f"{check.action}: knows no resource, and is asked about {check.target.arn}"
    if check.target.arn == NO_RESOURCE and types:
        yield f"{check.action}: acts on {sorted(types)}, and is asked about no resource"
    among = [*entry["conditionKeys"], *reference()["globalConditionKeys"]]
    for name in matching:
        among += [*(described[name] or {}).get("conditionKeys", ()), *types[name]["conditionKeys"]]
    for key in (*check.keys, *check.target.keys):
        if not is_key(key, among):
            yield f"{check.action}: does not know the condition key {key}"
