"""What a principal did, as the audit trail has it: the permissions that its calls used, and what was refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from garrison.audit import Trail
from garrison.cli.policy.reading import FileError
from garrison.core.clock import from_iso8601
from garrison.explaining import decisions_of, request_of
from garrison.policy.generate import Use
from garrison.wire.events import MAX_FURTHER

if TYPE_CHECKING:
    from garrison.core.principal import Principal

_PAGE = 1000
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)
_OF_THE_MOMENT = frozenset({"aws:currenttime", "aws:epochtime", "aws:tokenissuetime", "aws:multifactorauthage"})
"""Keys that make no two calls alike."""
_BY_THE_RESOURCE = frozenset({"resource", "trust", "grant"})


@dataclass(slots=True)
class Used:
    """The calls of one principal in a span of time."""

    calls: int = 0
    uses: list[Use] = field(default_factory=list)
    """Each kind once: what the principal's own policies had to allow."""
    by_resource: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Allowed by the resource's own policy or a grant: the principal needs no policy for it."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Actions on resources that were denied."""
    shortened: int = 0
    """Calls that needed more permissions than an event keeps."""


def since(text: str, now: float) -> float:
    """``7d``, ``12h``, ``30m``, ``2w``, or an instant of ISO 8601, as seconds since the epoch. Raises FileError."""
    span = _SPAN.fullmatch(text)
    if span:
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])}).total_seconds()
    try:
        return from_iso8601(text)
    except ValueError as error:
        msg = f"`{text}` is no time; must be like 7d, 12h, 30m, 2w or 2026-01-31T00:00:00Z"
        raise FileError(msg) from error


def used_by(state: Any, principal: Principal, start: float, end: float) -> Used:  # noqa: ANN401 - app.State
    """Read the trail; ``principal`` is a user or one of a role's sessions, with its unique id."""
    found = Used()
    kinds: set[str] = set()
    for event, decision in _events(state, principal, start, end):
        found.calls += 1
        for one in decisions_of(decision):
            _take(found, kinds, event, one)
        found.shortened += decision is not None and len(decision.get("further", ())) >= MAX_FURTHER
    return found


def _take(found: Used, kinds: set[str], event: Mapping[str, Any], decision: Mapping[str, Any]) -> None:
    asked = (decision.get("action", ""), decision.get("resource", "*"))
    if decision["outcome"] != "allowed":
        found.refused[asked] += 1
        return
    if decision.get("policy_type") in _BY_THE_RESOURCE:
        found.by_resource[asked] += 1
        return
    keys = {key: value for key, value in decision.get("keys", {}).items() if key not in _OF_THE_MOMENT}
    kind = json.dumps([asked, keys], sort_keys=True)
    if kind not in kinds:
        kinds.add(kind)
        found.uses.append(Use(*asked, request_of(event, decision).context))


def _events(
    state: Any,  # noqa: ANN401 - app.State
    principal: Principal,
    start: float,
    end: float,
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """The principal's own events, newest first."""
    trail = Trail(state.store, state.data_dir)
    after = None
    while True:
        page = trail.lookup(principal.account, start=int(start), end=int(end), limit=_PAGE, after=after)
        for entry in page:
            if _is_of(entry["event"]["userIdentity"], principal):
                yield entry["event"], entry["decision"]
        if len(page) < _PAGE:
            return
        after = page[-1]["position"]


def _is_of(identity: Mapping[str, Any], principal: Principal) -> bool:
    """By unique id: one that was made again under the same name is somebody else, and a renamed one is the same.

    A federated user's session may do no more than the user that made it: what it did, that user's policies had to allow.
    """
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {}).get("principalId")
    if principal.kind == "user":
        own: bool = identity.get("type") == "IAMUser" and identity.get("principalId") == principal.id
        return own or (identity.get("type") == "FederatedUser" and issuer == principal.id)
    return bool(identity.get("type") == "AssumedRole" and issuer == principal.id.partition(":")[0])
