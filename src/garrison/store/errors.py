"""What can go wrong in the store, by whose fault it is."""

from __future__ import annotations

from garrison.core.errors import CommonError


class ConstraintError(Exception):
    """A row breaks a rule of its table (a missing parent, a value outside its bounds).

    The message is the driver's and names tables and columns; it is for the log, never for a client.
    """


class Conflict(ConstraintError):  # noqa: N818 - the name that core.ports promises
    """A uniqueness rule is broken: the row is there already. A handler turns it into its service's own error."""


class StoreUnavailable(CommonError):  # noqa: N818 - named as the answer it becomes
    """The database cannot take the work now: no lock in time, disk full, read-only, connection lost.

    Nothing of the group that raised it was kept. ``reason`` is for the log; the client sees AWS's sentence for it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("unavailable", "Service is unable to handle request.")
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class SchemaError(Exception):
    """The database and this program do not belong together: an edited or unknown migration, another root key."""
