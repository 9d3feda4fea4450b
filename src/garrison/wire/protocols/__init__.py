"""The protocols of AWS by the names that models give them. Pure: bytes and values in, values out."""

from __future__ import annotations

from garrison.wire.protocols.base import WireProtocol
from garrison.wire.protocols.cbor import CborProtocol
from garrison.wire.protocols.ec2 import Ec2Protocol
from garrison.wire.protocols.json import JsonProtocol
from garrison.wire.protocols.query import QueryProtocol
from garrison.wire.protocols.restjson import RestJsonProtocol
from garrison.wire.protocols.restxml import RestXmlProtocol

_ALL: tuple[WireProtocol, ...] = (
    JsonProtocol(), QueryProtocol(), Ec2Protocol(), RestJsonProtocol(), RestXmlProtocol(), CborProtocol(),
)  # fmt: skip

PROTOCOLS: dict[str, WireProtocol] = {protocol.name: protocol for protocol in _ALL}
"""One stateless instance of each."""
