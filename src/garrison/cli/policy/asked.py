"""One case, out of the arguments of a command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison.cli.policy.callers import caller
from garrison.cli.policy.cases import (
    DEFAULT_KEY_POLICY,
    Case,
    Files,
    Policies,
    ResourceKind,
    check_account,
    check_action,
    check_key,
    check_resource,
    default_key_policy,
)
from garrison.cli.policy.reading import FileError
from garrison.cli.policy.sources import Source
from garrison.core.principal import Principal
from garrison.policy import PolicyKind, Value

WHERE = "arguments"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a question, as they were given."""

    principal: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    resource_account: str
    context: tuple[str, ...]
    identity: tuple[str, ...]
    boundary: str
    session: tuple[str, ...]
    scps: tuple[str, ...]
    rcps: tuple[str, ...]
    resource_policy: str


def case_of(asked: Asked, expect: str = "") -> Case:
    """The case of the arguments. Raises FileError."""
    resources = asked.resources or ("*",)
    _refuse([*map(check_action, asked.actions), *map(check_resource, resources)])
    if asked.resource_account:
        _refuse([check_account(asked.resource_account)])
    return Case(
        name="arguments",
        where=WHERE,
        principal=_principal(asked.principal),
        actions=asked.actions,
        resources=resources,
        policies=_policies(asked, resources),
        resource_account=asked.resource_account,
        context=context_of(asked.context),
        expect=expect,
    )


def _policies(asked: Asked, resources: Sequence[str]) -> Policies:
    files = Files(Path())

    def several(names: Sequence[str], kind: PolicyKind) -> tuple[Source, ...]:
        return tuple(files.policy(name, kind) for name in names)

    return Policies(
        identity=several(asked.identity, "identity") or None,
        boundary=files.policy(asked.boundary, "boundary") if asked.boundary else None,
        session=several(asked.session, "session") or None,
        scps=tuple((source,) for source in several(asked.scps, "scp")),
        rcps=tuple((source,) for source in several(asked.rcps, "rcp")),
        resource={resource: _resource_policy(asked, files, resource) for resource in resources if asked.resource_policy},
    )


def _resource_policy(asked: Asked, files: Files, resource: str) -> Source:
    kinds = [kind for action in asked.actions if (kind := ResourceKind(action, resource)).possible]
    if not kinds:
        msg = f"{resource} can have no policy of its own that speaks of {', '.join(asked.actions)}"
        raise FileError(msg)
    if asked.resource_policy == DEFAULT_KEY_POLICY and kinds[0].key:
        return default_key_policy(resource)
    return files.policy(asked.resource_policy, kinds[0].kind, "" if kinds[0].trust else kinds[0].service)


def _principal(text: str) -> Principal:
    try:
        return caller(text)
    except ValueError as error:
        raise FileError(str(error)) from error


def context_of(pairs: Sequence[str]) -> dict[str, Value]:
    """``KEY=VALUE``; a key given more than once has several values. Raises FileError."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            msg = f"`{pair}` is no context; must be KEY=VALUE"
            raise FileError(msg)
        _refuse([check_key(key, set())])
        same = next((known for known in found if known.lower() == key.lower()), key)
        found[same] = value if same not in found else [*_listed(found[same]), value]
    return found


def _listed(value: Value) -> list[str]:
    return [value] if isinstance(value, str) else [str(entry) for entry in value]  # type: ignore[union-attr] # texts and lists of them alone


def _refuse(faults: Sequence[str]) -> None:
    for fault in faults:
        if fault:
            raise FileError(fault)
