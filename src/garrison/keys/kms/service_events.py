"""What KMS does by itself, as the trail has it.

Source: KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail": "DeleteKey" (which names the key in
responseElements), "DeleteExpiredKeyMaterial" and "RotateKey" (which say what they did in serviceEventDetails).
"""

from __future__ import annotations

from collections.abc import Mapping

from garrison.audit import Event, Resource, UserIdentity
from garrison.core.clock import iso8601
from garrison.core.context import ConfigurationItem
from garrison.core.ids import Random, uuid4
from garrison.keys.kms.live import LiveKey

_INTERNAL = "AWS Internal"


def rotation(kind: str, key: LiveKey, current: str) -> dict[str, str]:
    """What the event of a rotation says: ``kind`` of it, the key as it was, and the id of its material now."""
    return {
        "rotationType": kind,
        "keyOrigin": key.origin,
        **({"previousKeyMaterialId": key.current.id} if key.current is not None else {}),
        "currentKeyMaterialId": current,
        "keyId": key.key_id,
    }


def service_event(
    name: str,
    item: ConfigurationItem,
    now: float,
    random: Random,
    *,
    response: Mapping[str, str] | None = None,
    details: Mapping[str, str] | None = None,
) -> Event:
    """The event of something that no request asked for, on the key of ``item``."""
    return Event(
        user_identity=UserIdentity(account_id=item.account, invoked_by=_INTERNAL),
        event_time=iso8601(now),
        event_source="kms.amazonaws.com",
        event_name=name,
        region=item.region,
        source_ip=_INTERNAL,
        user_agent=_INTERNAL,
        request_parameters=None,
        response_elements=response,
        request_id=uuid4(random),
        event_id=uuid4(random),
        read_only=False,
        resources=[Resource(item.arn, item.account, item.type)],
        event_type="AwsServiceEvent",
        management=True,
        account=item.account,
        service_details=details,
        category="Management",
    )
