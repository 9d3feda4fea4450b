"""What a handler gets beside its request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from garrison.core.ids import Random, system_random, unique_id, uuid4, uuid7

if TYPE_CHECKING:
    from garrison.core.ports import Ports, Transaction
    from garrison.core.principal import Principal


ADDITIONAL = "additional"
"""Where in ``Context.scratch`` a handler leaves what its event says beside parameters and answer (``additionalEventData``)."""


@dataclass(frozen=True, slots=True)
class ConfigurationItem:
    """The state of one resource after a change, as the compliance room will read it.

    ``configuration`` is the resource as its Describe or Get call shows it; ``facts`` are derived truths
    (``{"public": False}``). No secret may stand in either.
    """

    type: str
    """``AWS::IAM::User``"""
    id: str
    arn: str
    account: str
    region: str
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False


class Call(Struct, frozen=True):
    """The request as the network brought it."""

    source_ip: str
    user_agent: str = ""
    host: str = ""
    """The Host header: what a signature and an absolute URL in an answer are made of."""
    secure: bool = False
    """True over TLS: ``aws:SecureTransport``."""
    referer: str = ""
    via: str = ""
    """The service that calls on the principal's behalf (``s3``); empty where the principal calls itself."""
    tls: tuple[str, str] | None = None
    """Version and cipher suite of the connection, as OpenSSL names them."""
    proofs: tuple[str, ...] = ()
    """The DPoP headers (RFC 9449) of a request to the token endpoint."""
    fronted: bool = False
    """True of a browser's request that a proxy took over TLS. No condition key: whoever is behind the proxy can say the same."""

    @property
    def https(self) -> bool:
        """Whether the browser speaks HTTPS, to this server or to a proxy before it."""
        return self.secure or self.fronted


EVENT_ID = "event-id"
"""Where in ``Context.scratch`` the id is that the audit event is to have; without one the event gets any."""


class Context(Struct):
    """One signed call on its way through the house. Time, randomness and ids come from here."""

    request_id: str
    service: str
    operation: str
    now: float
    """Seconds since the epoch, one value for the whole call."""
    account: str
    """The account whose resources the call means by a bare name: the principal's."""
    region: str
    principal: Principal
    call: Call
    tx: Transaction
    ports: Ports
    partition: str = "aws"
    random: Random = system_random
    items: list[ConfigurationItem] = []
    """Written with the audit event when the transaction commits."""
    events: list[Any] = []
    """What the service did of itself in the course of a write (``audit.Event``); on record after the call, if it succeeds."""
    scratch: dict[str, Any] = {}
    """What the declaration looked up and the handler uses again (one read, not two)."""
    decision: Any = None
    """The policy room's Decision, once made."""
    though_failed: list[Callable[[Transaction], object]] = []
    """What is written where the call fails, in a unit of work of its own: a wrong code is counted though nothing else of its call
    stays. Nothing of it is called where the call succeeds."""

    def unique_id(self, prefix: str, length: int = 17) -> str:
        """An IAM unique id such as ``AIDA…``."""
        return unique_id(prefix, self.random, length)

    def uuid(self) -> str:
        """A random UUID."""
        return uuid4(self.random)

    def event_id(self) -> str:
        """The id that the call's audit event is to have, for what is stored beside it."""
        found: str = self.scratch.setdefault(EVENT_ID, uuid7(self.now, self.random))
        return found

    def changed(self, item: ConfigurationItem, *touched: tuple[str, str]) -> None:
        """Record what a write did: the resource's new item, and which cached entries it makes stale.

        ``touched`` are ``(kind, key)`` pairs of the store's change log: every worker drops what it holds under them.
        """
        self.items.append(item)
        for kind, key in touched:
            self.tx.changed(kind, key)
