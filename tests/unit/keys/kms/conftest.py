from __future__ import annotations

from tests.support.kms import kms, memory_store

__all__ = ["kms", "memory_store"]
