"""What KMS does by itself, as the trail has it.

Source: KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail": "DeleteKey", "DeleteExpiredKeyMaterial" and
"RotateKey".
"""

from __future__ import annotations

from garrison.audit import Event, Resource, UserIdentity
from garrison.core.clock import iso8601
from garrison.core.context import ConfigurationItem
from garrison.core.ids import Random, uuid4

_INTERNAL = "AWS Internal"


def service_event(name: str, item: ConfigurationItem, now: float, random: Random) -> Event:
    """The event of something that no request asked for, on the key of ``item``."""
    return Event(
        user_identity=UserIdentity(type="AWSService", account_id=item.account, invoked_by=_INTERNAL),
        event_time=iso8601(now),
        event_source="kms.amazonaws.com",
        event_name=name,
        region=item.region,
        source_ip=_INTERNAL,
        user_agent=_INTERNAL,
        request_parameters=None,
        response_elements=None,
        request_id=uuid4(random),
        event_id=uuid4(random),
        read_only=False,
        resources=[Resource(item.arn, item.account, item.type)],
        event_type="AwsServiceEvent",
        management=True,
        account=item.account,
        category="Management",
    )
