"""Durable state: SQLite or PostgreSQL behind one interface. The only room that knows a database driver."""

from __future__ import annotations

from garrison.store.errors import Conflict, ConstraintError, SchemaError, StoreUnavailable
from garrison.store.store import Reading, Store, Unit, open_store

__all__ = ["Conflict", "ConstraintError", "Reading", "SchemaError", "Store", "StoreUnavailable", "Unit", "open_store"]
