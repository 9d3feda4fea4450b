"""What the engine knows of detectors and managed rule groups. Their rules are elsewhere; here are the words both sides speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.state import State

Sensitivity = Literal["LOW", "HIGH"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector found.

    ``matched`` are the pieces of the value that made it an attack, as for AWS's ``matchedData``. ``labels`` are added to the
    request beside those of the rule; one that does not start with ``awswaf:`` is completed by the group's namespace.
    """

    matched: tuple[bytes, ...] = ()
    labels: tuple[str, ...] = ()
    condition: str = ""
    """``SQL_INJECTION`` or ``XSS``, or another name of what was found. This and the rest: of detectors of whole requests."""
    location: str = ""
    field: str = ""


class Detectors(Protocol):
    """The two detectors of the rule language itself. Pure, linear in time, never raising on any bytes."""

    def sqli(self, value: bytes, level: Sensitivity) -> Finding | None:
        """SQL injection in ``value`` (``SqliMatchStatement``); HIGH finds more."""
        ...

    def xss(self, value: bytes) -> Finding | None:
        """Cross-site scripting in ``value`` (``XssMatchStatement``)."""
        ...


class Context(NamedTuple):
    """What a detector of whole requests sees beside the request."""

    state: State
    labels: Sequence[str]
    """Fully qualified labels that earlier rules added."""
    config: Mapping[str, Any]
    """The statement's ``ManagedRuleGroupConfigs``, merged into one mapping."""
    body_limit: int


Detector = Callable[[bytes], Finding | None]
"""Looks at one transformed value: ``{"DetectorStatement": {"Name", "FieldToMatch", "TextTransformations"}}``."""
RequestDetector = Callable[[WebRequest, Context], Finding | None]
"""Looks at the whole request: ``{"RequestDetectorStatement": {"Name"}}``."""
Quiet = Callable[[WebRequest, int], bool]
"""Whether a request, with so many bytes of its body, has nothing that a detector which names this in ``quiet`` could find."""


@dataclass(frozen=True, slots=True)
class ManagedGroup:
    """One version of a managed rule group.

    ``rules`` are rules in the API's JSON shape; beside the API's statements they may use the two detector statements above,
    by a name in ``detectors`` or ``request_detectors``. ``label_namespace`` ends in a colon
    (``awswaf:managed:aws:core-rule-set:``).
    """

    vendor: str
    name: str
    version: str
    capacity: int
    label_namespace: str
    rules: Sequence[Mapping[str, Any]]
    detectors: Mapping[str, Detector] = field(default_factory=dict)
    request_detectors: Mapping[str, RequestDetector] = field(default_factory=dict)


class Location(NamedTuple):
    """Where an address is: ISO 3166 codes, empty where unknown; AS number 0 where unknown."""

    country: str = ""
    region: str = ""
    asn: int = 0


class Resources(Protocol):
    """What a web ACL refers to. Each method raises KeyError for what does not exist."""

    def ip_set(self, arn: str) -> Sequence[str]:
        """The addresses of an IP set, in CIDR notation."""
        ...

    def regex_set(self, arn: str) -> Sequence[str]:
        """The regular expressions of a regex pattern set."""
        ...

    def rule_group(self, arn: str) -> Mapping[str, Any]:
        """A customer's rule group in the API's shape: ``Name``, ``ARN``, ``Capacity``, ``Rules``, ``LabelNamespace`` ..."""
        ...

    def managed_group(self, vendor: str, name: str, version: str | None) -> ManagedGroup:
        """A managed rule group; the vendor's default version for None."""
        ...

    def locate(self, ip: str) -> Location:
        """Where an address is. Called for forwarded addresses; the request carries its own. Never raises."""
        ...
