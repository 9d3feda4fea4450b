"""``garrison policy check``: would AWS take this policy, and does everything in it exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from garrison.cli.policy import catalog
from garrison.cli.policy.reading import FileError
from garrison.cli.policy.sources import Source, from_file
from garrison.policy import PolicyKind
from garrison.policy.match import ActionPattern

KINDS: tuple[str, ...] = get_args(PolicyKind)


def check_file(file: Path, kind: Any, service: str) -> tuple[str, list[str]]:  # noqa: ANN401 - one of KINDS
    """What AWS refuses (empty: nothing), and warnings of what does not exist."""
    try:
        source = from_file(file, str(file), kind, service if kind == "resource" else "")
    except FileError as error:
        return str(error), []
    return "", list(_warnings(source))


def _warnings(source: Source) -> Iterator[str]:
    for statement in source.policy.document.statements:
        where = source.where(statement.index)
        for action in statement.actions or ():
            if not _speaks(action):
                yield f"{where}: `{action}` matches no action that is known here"
        for condition in statement.conditions:
            if not catalog.is_context_key(condition.key):
                yield f"{where}: `{condition.key}` is no condition key that is known here"


def _speaks(entry: str) -> bool:
    """Whether an Action entry matches any action; of a service that is not known here any may exist."""
    service = entry.partition(":")[0].lower()
    known = catalog.actions_of(service)
    if not known:
        return True
    pattern = ActionPattern([entry], negated=False)
    return any(pattern.matches(f"{service}:{name}") for name in known)
