"""A call on its way through the gateway: each step fills in what the next ones need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from garrison.core.context import Call, Context
from garrison.core.errors import ServiceError
from garrison.core.http import Request, Response
from garrison.core.model import OperationModel
from garrison.core.operation import Declaration
from garrison.core.principal import ANONYMOUS, Principal
from garrison.identity.principals import Credential
from garrison.wire.sigv4 import Claim

if TYPE_CHECKING:
    from garrison.policy import Decision
    from garrison.wire.codec import Codec
    from garrison.wire.routing import Route


class Exchange(Struct):
    """One request and what became of it."""

    request: Request
    call: Call
    now: float
    request_id: str
    codec: Codec
    """Of the service as far as it is known; STS's until then."""
    service: str = ""
    operation_name: str = ""
    claim: Claim | None = None
    credential: Credential | None = None
    route: Route | None = None
    declaration: Declaration | None = None
    ctx: Context | None = None
    struct: Any = None
    result: Any = None
    decision: Decision | None = None
    response: Response | None = None
    error: ServiceError | None = None
    steps: Iterator[Callable[[Any, Exchange], None]] = iter(())
    """What is still to be done, in order (``gateway._STEPS``)."""
    waits_for: Callable[[], None] | None = None
    """What must be done beside the loop before the call goes on."""
    page: Awaitable[Response] | None = None
    """The answer, where it is a page of the console."""
    ran_beside: bool = False
    """True where the handler has run there: ``result`` is its answer."""

    @property
    def operation(self) -> OperationModel | None:
        """The operation, once the route is known."""
        return self.route.operation if self.route is not None else None

    @property
    def principal(self) -> Principal:
        """The caller as proven so far."""
        return self.credential.principal if self.credential is not None else ANONYMOUS
