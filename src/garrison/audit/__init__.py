"""The audit trail: one event for each call, with the decision behind it, chained so that nothing can be taken out unseen."""

from __future__ import annotations

from garrison.audit.adopt import accept_restore, adopt, drain, gather
from garrison.audit.event import DecisionRecord, Event, Matched, Resource, UserIdentity, make_event, user_identity
from garrison.audit.recorder import Recorder
from garrison.audit.trail import Trail
from garrison.audit.verify import Finding, Report, verify

__all__ = [
    "DecisionRecord",
    "Event",
    "Finding",
    "Matched",
    "Recorder",
    "Report",
    "Resource",
    "Trail",
    "UserIdentity",
    "accept_restore",
    "adopt",
    "drain",
    "gather",
    "make_event",
    "user_identity",
    "verify",
]
