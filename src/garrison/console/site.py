"""What all pages stand on: the gateway, and the calls that go through it."""

from __future__ import annotations

from dataclasses import dataclass

from garrison.audit import Event
from garrison.console.calls import Calls
from garrison.core.ids import Random, system_random
from garrison.core.ports import Sealer
from garrison.store import Store
from garrison.wire.gateway import Gateway


@dataclass(slots=True)
class Site:
    """The pages of one worker."""

    gateway: Gateway
    calls: Calls
    random: Random = system_random

    @property
    def store(self) -> Store:
        """The state."""
        return self.gateway.store

    @property
    def sealer(self) -> Sealer:
        """Seals what browsers carry."""
        return self.gateway.ports.sealer

    @property
    def region(self) -> str:
        """The Region that sign-ins are of."""
        return self.gateway.region

    def now(self) -> float:
        """Whole seconds since the epoch, as IAM's times are."""
        return float(int(self.gateway.clock()))

    def record(self, event: Event) -> None:
        """Put an event on record within the open unit of work."""
        self.gateway.recorder.write(event, None)
