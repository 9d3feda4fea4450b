"""Every test of the store runs on both engines."""

from __future__ import annotations

from tests.support.stores import cluster, migrated, new_place, place, shared, store

__all__ = ["cluster", "migrated", "new_place", "place", "shared", "store"]
