"""KMS over a store in memory (``kms``), and places for stores on both engines (``place``)."""

from __future__ import annotations

from tests.support.kms import kms, memory_store
from tests.support.stores import *  # noqa: F403 - `place` stands on other fixtures, whichever they are

__all__ = ["kms", "memory_store"]
