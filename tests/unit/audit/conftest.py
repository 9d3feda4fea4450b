"""Every test of the trail runs on both engines."""

from __future__ import annotations

from tests.support.stores import cluster, place, store

__all__ = ["cluster", "place", "store"]
