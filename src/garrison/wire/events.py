"""Step 9: what a call leaves in the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from garrison.audit import DecisionRecord, Event, Matched, Resource, make_event
from garrison.core.context import ADDITIONAL, EVENT_ID, Call
from garrison.core.errors import ServiceError
from garrison.core.ids import uuid7
from garrison.core.model import load_metadata
from garrison.core.operation import Declaration
from garrison.policy import Decision, GlobalContext
from garrison.wire.exchange import Exchange
from garrison.wire.faults import fault

_GLOBAL = {"iam", "sts", "organizations", "artifact", "shield"}
"""Services without Regions, which CloudTrail records in us-east-1 (CloudTrail User Guide, "Global service events")."""
MAX_FURTHER = 16
"""Decisions beside the first that one event keeps."""
_MAX_NAME = 128
"""Characters of a name that only an unproven request gave: no operation of AWS's has a longer one."""

_TYPES = {
    "user": "AWS::IAM::User",
    "group": "AWS::IAM::Group",
    "role": "AWS::IAM::Role",
    "policy": "AWS::IAM::Policy",
    "instance-profile": "AWS::IAM::InstanceProfile",
    "server-certificate": "AWS::IAM::ServerCertificate",
    "key": "AWS::KMS::Key",
    "alias": "AWS::KMS::Alias",
}
"""CloudFormation's names of the resource types that an ARN's first part tells."""


def success(exchange: Exchange) -> tuple[Event, DecisionRecord | None]:
    """The event of a call that was answered; a write's answer is kept, a read's is not (CloudTrail record contents)."""
    declaration = exchange.declaration
    response = None
    if declaration is not None and declaration.audit_response and exchange.result is not None and exchange.operation is not None:
        response = exchange.codec.masked_response(exchange.operation, exchange.result)
    return _event(exchange, None, response), decision_record(exchange)


def failure(exchange: Exchange, error: ServiceError) -> tuple[Event, DecisionRecord | None]:
    """The event of a call that was refused or failed."""
    found = fault(exchange.codec.model, error)
    return _event(exchange, (found.code, found.message), None), decision_record(exchange)


def fault_of(exchange: Exchange) -> str:
    """The code of a failed call, as its service names it; empty for one that succeeded."""
    return fault(exchange.codec.model, exchange.error).code if exchange.error is not None else ""


def _event(exchange: Exchange, error: tuple[str, str] | None, response: Any) -> Event:  # noqa: ANN401 - a document
    principal = exchange.principal
    declaration = exchange.declaration
    region = exchange.ctx.region if exchange.ctx is not None else exchange.claim.region if exchange.claim is not None else ""
    return make_event(
        event_id=(exchange.ctx.scratch.get(EVENT_ID) if exchange.ctx is not None else None) or uuid7(exchange.now),
        request_id=exchange.request_id,
        now=exchange.now,
        principal=principal,
        call=exchange.call,
        account=principal.account,
        region="us-east-1" if exchange.service in _GLOBAL else region,
        source=event_source(exchange.service),
        name=exchange.operation_name[:_MAX_NAME],
        read_only=declaration is not None and declaration.read,
        request=_parameters(exchange, declaration),
        response=response,
        error=error,
        resources=_resources(exchange.decision),
        tls=_tls(exchange.call),
        additional=exchange.ctx.scratch.get(ADDITIONAL) if exchange.ctx is not None else None,
    )


def _tls(call: Call) -> dict[str, str] | None:
    """``tlsDetails`` (CloudTrail record contents)."""
    if call.tls is None:
        return None
    return {"tlsVersion": call.tls[0], "cipherSuite": call.tls[1], "clientProvidedHostHeader": call.host}


def _parameters(exchange: Exchange, declaration: Declaration | None) -> Any:  # noqa: ANN401 - a document
    if exchange.struct is None or exchange.operation is None:
        return None
    if declaration is not None and declaration.audit_request is not None:
        return declaration.audit_request(exchange.struct)
    return exchange.codec.masked(exchange.operation, exchange.struct) or None


@lru_cache(maxsize=64)
def event_source(service: str) -> str:
    """``kms.amazonaws.com``."""
    if not service:
        return "unknown.amazonaws.com"
    metadata = load_metadata(service)
    return f"{metadata.get('signingName', metadata['endpointPrefix'])}.amazonaws.com"


def _resources(decision: Decision | None) -> Sequence[Resource]:
    if decision is None or decision.request.resource == "*":
        return ()
    arn, account = decision.request.resource, decision.request.resource_account
    return (Resource(arn, account, _resource_type(arn)),)


@lru_cache(maxsize=1024)
def _resource_type(arn: str) -> str:
    parts = arn.split(":", 5)
    return _TYPES.get(parts[-1].partition("/")[0], "") if len(parts) == 6 else ""


def decision_record(exchange: Exchange) -> DecisionRecord | None:
    """The decision with its reasons, as it is kept beside the event; None where no policy was asked.

    The one that settled the call, and with it the others that the call needed, at most MAX_FURTHER.
    """
    decision = exchange.decision
    if decision is None:
        return None
    record = _record(decision)
    asked = exchange.ctx.scratch.get("decisions", ()) if exchange.ctx is not None else ()
    if len(asked) > 1:
        record.further = [_record(other) for other in asked if other is not decision][:MAX_FURTHER]
    return record


def _record(decision: Decision) -> DecisionRecord:
    request = decision.request
    considered, marks = decision.labels()
    return DecisionRecord(
        outcome=decision.outcome,
        action=request.action,
        resource=request.resource,
        policy_type=decision.decided_by,
        matched=[Matched(ref.policy_arn or ref.policy_id, ref.index, ref.sid, ref.effect) for ref in decision.matched_statements],
        grant=decision.grant,
        considered=considered,
        marks=marks,
        keys=request.context.known() if isinstance(request.context, GlobalContext) else {},
    )
