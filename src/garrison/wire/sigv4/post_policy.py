"""The policy document of an S3 POST form.

Source: S3 API Reference, "POST Policy"; texts recorded on S3.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, NoReturn

from garrison.core.errors import CommonError
from garrison.wire.sigv4 import faults

LONGEST: Final = 20_480
"""Characters; all fields before the file may take no more bytes (``MaxPostPreDataLengthExceeded``)."""
_EXPIRATION: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?[0-9]*Z").fullmatch
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}").fullmatch
_EXEMPT: Final = frozenset(("x-amz-signature", "file", "policy"))
_RANGE: Final = "content-length-range"


class Bounds(NamedTuple):
    """The smallest and the largest size of the file in bytes; None where the policy sets none."""

    smallest: int | None = None
    largest: int | None = None

    def check(self, size: int) -> None:
        """Raise CommonError where a file of this size is outside."""
        if self.largest is not None and size > self.largest:
            raise faults.s3_too_large()
        if self.smallest is not None and size < self.smallest:
            raise faults.s3_too_small()


@dataclass(frozen=True, slots=True)
class Condition:
    """``["starts-with", "$key", "user/"]``; a simple condition is an ``eq``."""

    operation: str
    name: str
    """The field with its ``$``, as the policy spells it."""
    value: str

    @property
    def field(self) -> str:
        """The field in lower case; empty where the ``$`` is missing, so that no field meets the condition."""
        return self.name[1:].lower() if self.name.startswith("$") else ""

    def holds(self, values: Mapping[str, str]) -> bool:
        """Whether the form meets it. A field that is absent meets none, not even a prefix of nothing."""
        given = values.get(self.field)
        if given is None:
            return False
        if self.operation == "eq":
            return given == self.value
        # A list of content types has to meet the prefix in each of its items.
        items = given.split(",") if self.field == "content-type" else [given]
        return all(item.strip().startswith(self.value) if len(items) > 1 else item.startswith(self.value) for item in items)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as read."""

    expiration: float
    """Seconds since the epoch."""
    conditions: tuple[Condition, ...]
    ranges: tuple[tuple[Any, Any], ...]
    """Content-length ranges as written: numbers, or text of numbers."""

    def check_expiration(self, now: float) -> None:
        """Raise CommonError once the time has come."""
        if now >= self.expiration:
            raise faults.s3_denied(faults.S3_POLICY_EXPIRED, expired=True)

    def check_fields(self, fields: Sequence[tuple[str, str]], values: Mapping[str, str]) -> Bounds:
        """Raise CommonError unless every condition holds and every field is named by one. ``values`` has lower-case names."""
        for condition in self.conditions:
            if not condition.holds(values):
                raise _failed([condition.operation, condition.name, condition.value])
        bounds = _bounds(self.ranges)
        covered = {condition.field for condition in self.conditions} | _EXEMPT
        extra = [name for name, _ in fields if name.lower() not in covered and not name.lower().startswith("x-ignore-")]
        if extra:
            raise faults.s3_extra_fields(extra)
        return bounds


def parse_policy(text: str) -> Policy:
    """Read a policy, base64 of JSON. Raises CommonError with S3's InvalidPolicyDocument."""
    document = _document(text)
    for member in document:
        if member not in {"expiration", "conditions"}:
            _refuse(f"Unexpected: '{member.lower()}'")
    if "expiration" not in document:
        _refuse("Policy missing expiration.")
    if "conditions" not in document:
        _refuse("Policy missing conditions.")
    if not isinstance(document["conditions"], list):
        _refuse("Invalid 'conditions' value: must be a List.")
    conditions: list[Condition] = []
    ranges: list[tuple[Any, Any]] = []
    for item in document["conditions"]:
        if isinstance(item, list) and item and isinstance(item[0], str) and item[0].lower() == _RANGE:
            ranges.append(_range(item))
        else:
            conditions.append(_condition(item))
    return Policy(_expiration(document["expiration"]), tuple(conditions), tuple(ranges))


def _document(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        _refuse("Invalid JSON.")
    try:
        raw = binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        _refuse("invalid Base64 encoding.")
    try:
        document = json.loads(raw, parse_float=_no_number, parse_constant=_no_number, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        _refuse("Invalid JSON.")
    if not isinstance(document, dict):
        _refuse("Invalid JSON.")
    return document


def _no_number(text: str) -> NoReturn:
    msg = f"no number of a policy: `{text}`"
    raise ValueError(msg)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        msg = "a member stands twice"
        raise ValueError(msg)
    return names


def _expiration(value: object) -> float:
    match = _EXPIRATION(value) if isinstance(value, str) else None
    if match is None:
        _refuse(f"Invalid 'expiration' value: '{value}'")
    try:
        return datetime.fromisoformat(f"{match[0][:19]}{match[1] or ''}+00:00").timestamp()
    except ValueError:
        _refuse(f"Invalid 'expiration' value: '{value}'")


def _condition(item: object) -> Condition:
    if isinstance(item, dict):
        return _simple(item)
    if not isinstance(item, list):
        _refuse("Invalid condition test: must be a List or Object.")
    if not item:
        _refuse("Invalid Condition: missing operation identifier.")
    operation = item[0].lower() if isinstance(item[0], str) else ""
    if operation not in {"eq", "starts-with"}:
        _refuse(f"Invalid Condition: unknown operation '{item[0]}'.")
    if len(item) != 3:
        _refuse(f"Invalid {operation}: wrong number of arguments.")
    if not isinstance(item[1], str) or not isinstance(item[2], str):
        _refuse("Invalid JSON.")
    return Condition(operation, item[1], item[2])


def _simple(item: dict[str, Any]) -> Condition:
    if len(item) != 1:
        _refuse("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
    ((name, value),) = item.items()
    if value is None:
        _refuse("Invalid JSON.")
    if not isinstance(value, str):
        _refuse("Invalid Simple-Condition: value must be a string.")
    return Condition("eq", f"${name}", value)


def _range(item: list[Any]) -> tuple[Any, Any]:
    if len(item) != 3:
        _refuse(f"Invalid {_RANGE}: wrong number of arguments.")
    for bound in item[1:]:
        if not isinstance(bound, (int, str)) or isinstance(bound, bool):
            _refuse("Invalid JSON.")
    return item[1], item[2]


def _bounds(ranges: tuple[tuple[Any, Any], ...]) -> Bounds:
    """The intersection of the ranges. One whose bounds are no numbers is a condition that fails."""
    smallest: list[int] = []
    largest: list[int] = []
    for low, high in ranges:
        if not _NUMBER(str(low)) or not _NUMBER(str(high)):
            raise _failed([_RANGE, low, high])
        smallest.append(int(low))
        largest.append(int(high))
    return Bounds(max(smallest), min(largest)) if ranges else Bounds()


def _refuse(detail: str) -> NoReturn:
    raise faults.s3_policy(detail) from None


def _failed(condition: list[Any]) -> CommonError:
    return faults.s3_denied(f"Invalid according to Policy: Policy Condition failed: {json.dumps(condition, ensure_ascii=False)}")
