"""Every test of the store runs on both engines."""

from __future__ import annotations

from tests.support.stores import cluster, place, store

__all__ = ["cluster", "place", "store"]
