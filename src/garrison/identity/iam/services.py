"""Which services and actions there are: AWS's Service Authorization Reference, as far as it lies in the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec


class _Service(msgspec.Struct):
    actions: dict[str, msgspec.Raw]


class _Reference(msgspec.Struct):
    service_names: dict[str, str] = msgspec.field(name="serviceNames")
    services: dict[str, _Service]


@cache
def _read() -> tuple[Mapping[str, str], Mapping[str, tuple[str, ...]]]:
    text = (resources.files("garrison") / "api" / "authorization.json").read_bytes()
    found = msgspec.json.decode(text, type=_Reference)
    return found.service_names, {name: tuple(service.actions) for name, service in found.services.items()}


def service_names() -> Mapping[str, str]:
    """Every service by the prefix of its actions: ``kms`` is ``AWS Key Management Service``."""
    return _read()[0]


def actions_of(service: str) -> tuple[str, ...]:
    """A service's actions; none where they are not known here."""
    return _read()[1].get(service, ())
