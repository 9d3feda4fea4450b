"""The protocols of AWS by the names that models give them. Pure: bytes and values in, values out."""

from __future__ import annotations

from garrison.wire.protocols.base import WireProtocol
from garrison.wire.protocols.json import JsonProtocol
from garrison.wire.protocols.query import QueryProtocol

PROTOCOLS: dict[str, WireProtocol] = {protocol.name: protocol for protocol in (JsonProtocol(), QueryProtocol())}
"""One stateless instance of each."""
