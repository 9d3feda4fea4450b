"""Values kept in memory, each with what it was made of, so that a change drops all that stood on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

LIMIT = 20_000
"""Entries that each cache holds before the older half goes."""

Dependency = tuple[str, str]
"""Kind and key of the store's change log."""


class Cache:
    """Values by key, each with what it was made of."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.values: dict[Any, Any] = {}
        self._limit = limit
        self._made_of: dict[Any, tuple[Dependency, ...]] = {}
        self._dependents: dict[Dependency, set[Any]] = {}

    def put(self, key: Any, value: Any, made_of: Iterable[Dependency]) -> None:  # noqa: ANN401 - any kind of entry
        """Keep an entry until one of the things that it was made of changes."""
        if len(self.values) >= self._limit:
            for old in list(self.values)[: self._limit // 2]:
                self._forget(old)
        self._forget(key)
        self.values[key] = value
        self._made_of[key] = dependencies = tuple(made_of)
        for dependency in dependencies:
            self._dependents.setdefault(dependency, set()).add(key)

    def drop(self, dependency: Dependency) -> None:
        """Forget every entry that was made of this."""
        for key in list(self._dependents.get(dependency, ())):
            self._forget(key)

    def clear(self) -> None:
        """Forget everything."""
        self.values.clear()
        self._made_of.clear()
        self._dependents.clear()

    def _forget(self, key: Any) -> None:  # noqa: ANN401 - any kind of key
        """Drop an entry from every index: what came and went leaves nothing behind."""
        self.values.pop(key, None)
        for dependency in self._made_of.pop(key, ()):
            keys = self._dependents.get(dependency, set())
            keys.discard(key)
            if not keys:
                self._dependents.pop(dependency, None)
