"""What signing in leaves in the trail.

Sources: AWS CloudTrail User Guide, "AWS Management Console sign-in events"; IAM User Guide, "Logging IAM and AWS STS API calls
with AWS CloudTrail" (SwitchRole).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from garrison.audit import Event, UserIdentity, make_event
from garrison.core.context import Call
from garrison.core.ids import uuid4
from garrison.core.principal import ANONYMOUS

SOURCE = "signin.amazonaws.com"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
FAILED = "Failed authentication"
UNKNOWN = "No username found in supplied account"


class Facts(NamedTuple):
    """What an act of a page shows of itself: neither may hold a secret."""

    request: Mapping[str, Any] | None = None
    response: Mapping[str, Any] | None = None


def sign_in_event(
    call: Call,
    name: str,
    who: UserIdentity,
    *,
    now: float,
    region: str,
    outcome: str = "Success",
    error: str = "",
    additional: Mapping[str, Any] | None = None,
) -> Event:
    """An event of type AwsConsoleSignIn: ``ConsoleLogin``, ``CheckMfa``, ``SwitchRole``, ``ExitRole``, ``PasswordUpdated``."""
    tls = None
    if call.tls is not None:
        tls = {"tlsVersion": call.tls[0], "cipherSuite": call.tls[1], "clientProvidedHostHeader": call.host}
    event = make_event(
        event_id=uuid4(),
        request_id=uuid4(),
        now=now,
        principal=ANONYMOUS,
        call=call,
        account=who.account_id,
        region="us-east-1" if who.type == "Root" else region,
        source=SOURCE,
        name=name,
        read_only=False,
        response={name: outcome},
        additional=additional,
        tls=tls,
    )
    event.user_identity = who
    event.error_message = error
    event.event_type = "AwsConsoleSignIn"
    return event


def identity_of(account: str, owner_id: str, arn: str, name: str) -> UserIdentity:
    """Who signed in, or tried to: a user or the root user."""
    if owner_id == account:
        return UserIdentity("Root", account, f"arn:aws:iam::{account}:root", account)
    return UserIdentity("IAMUser", owner_id, arn, account, user_name=name)


def stranger(account: str) -> UserIdentity:
    """Somebody whose name is no user's: what was typed may be a password, and is not shown."""
    return UserIdentity("IAMUser", account_id=account, user_name=HIDDEN)
