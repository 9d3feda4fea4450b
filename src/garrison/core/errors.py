"""Errors that reach a client.

Two families, by who knows the code. A :class:`ModelledError` is a service's own, generated from its
model (``NoSuchEntity``, ``DisabledException``), and a handler raises it. A :class:`CommonError` may
happen to any call before a handler runs; each service spells it in its own way (``AccessDenied``
here, ``AccessDeniedException`` there), so it carries a *kind* and ``wire.faults`` gives it its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

CommonKind = Literal[
    "access_denied",  # authorized by nobody, or denied by somebody
    "missing_authentication",  # no signature at all
    "incomplete_signature",  # a signature header or parameter that cannot be read
    "signature_mismatch",  # the signature is not that of the named secret
    "unknown_access_key",  # no such access key, an inactive one, or a session token not ours
    "expired_token",  # the session token was ours, once
    "request_expired",  # the clock of the signature is outside the service's window
    "validation",  # the input breaks a constraint of the model
    "malformed",  # the body cannot be read in the protocol
    "unknown_operation",  # no such operation in the model
    "not_implemented",  # the model has it, Garrison has not
    "too_large",  # head or body over the limits
    "timeout",  # the client was too slow
    "throttled",
    "unavailable",  # the store refused the write: disk full, lock not had in time
    "internal",
]


class ServiceError(Exception):
    """Any error that becomes an AWS answer. ``message`` is AWS's wording and holds no secret."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class ModelledError(ServiceError):
    """An exception shape of a service's model. Subclasses are generated.

    ``code`` is what stands on the wire, ``shape`` the model's name for it, ``status`` the HTTP status.
    """

    code: ClassVar[str]
    shape: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, message: str = "", **members: Any) -> None:  # noqa: ANN401 - a shape's members are of any type
        super().__init__(message)
        self.members = members


class CommonError(ServiceError):
    """An error that every service has under a name of its own."""

    def __init__(
        self,
        kind: CommonKind,
        message: str = "",
        *,
        code: str | None = None,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.members: Mapping[str, Any] = members or {}
        """What the service's own error has beside its message, where it has one for this kind."""
        self.kind: CommonKind = kind
        self.code = code
        """Overrides the name that the service gives this kind, where one call differs from its service."""
        self.status = status
