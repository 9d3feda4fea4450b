from __future__ import annotations

from tests.support.kms import kms, memory_store
from tests.support.stores import cluster, migrated, place

__all__ = ["cluster", "kms", "memory_store", "migrated", "place"]
