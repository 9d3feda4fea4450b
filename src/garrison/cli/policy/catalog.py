"""AWS's service authorization reference, as far as it lies here: which actions, resource types and condition keys there are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec


@cache
def _reference() -> Mapping[str, Any]:
    found: Mapping[str, Any] = msgspec.json.decode((resources.files("garrison") / "api" / "authorization.json").read_bytes())
    return found


def services() -> frozenset[str]:
    """The services whose actions are known here, by their prefix in actions."""
    return frozenset(_reference()["services"])


@cache
def actions_of(service: str) -> Mapping[str, str]:
    """A service's actions by their lower-cased names; none where the service is not known here."""
    found = _reference()["services"].get(service.lower(), {})
    return {name.lower(): name for name in found.get("actions", {})}


def spelled(action: str) -> str:
    """An action as AWS spells it: ``kms:encrypt`` is ``kms:Encrypt``; one that is not known stays as it is."""
    service, _, name = action.partition(":")
    return f"{service.lower()}:{actions_of(service).get(name.lower(), name)}"


def exists(action: str) -> bool:
    """Whether an action exists, as far as anybody here can tell: of a service that is not known, any does."""
    service, _, name = action.partition(":")
    known = actions_of(service)
    return not known or name.lower() in known


def takes_resources(action: str) -> bool:
    """Whether an action can be bound to resources; of one that is not known it is not certain, and so False."""
    service, _, name = action.partition(":")
    found = (
        _reference()["services"].get(service.lower(), {}).get("actions", {}).get(actions_of(service).get(name.lower(), ""), {})
    )
    return bool(found.get("resourceTypes"))


def key_names(action: str) -> Mapping[str, str]:
    """The condition keys that an action's requests can bring, as AWS spells them, by their lower-cased names."""
    service, _, name = action.partition(":")
    found = (
        _reference()["services"].get(service.lower(), {}).get("actions", {}).get(actions_of(service).get(name.lower(), ""), {})
    )
    return {key.lower(): key for key in found.get("conditionKeys", ())}


@cache
def _global_keys() -> tuple[frozenset[str], tuple[str, ...]]:
    """The global condition keys, and the beginnings of those that end in a tag's key."""
    names = [name.lower() for name in _reference()["globalConditionKeys"]]
    return frozenset(names), tuple(name.partition("/")[0] + "/" for name in names if "/" in name)


def is_context_key(key: str) -> bool:
    """Whether a condition key can exist: of the global ones (``aws:…``) all are known."""
    lowered = key.lower()
    prefix, colon, name = lowered.partition(":")
    if not prefix or not colon or not name:
        return False
    exact, beginnings = _global_keys()
    return prefix != "aws" or lowered in exact or any(lowered.startswith(part) and lowered != part for part in beginnings)
