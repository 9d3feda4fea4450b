"""One event a call, in CloudTrail's record format.

Source: AWS CloudTrail User Guide, "CloudTrail record contents for management, data, and network activity events" (event
version 1.11) and "CloudTrail userIdentity element".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from garrison.audit.mask import masked, scrubbed
from garrison.core.clock import from_iso8601, iso8601
from garrison.core.context import Call
from garrison.core.principal import Principal, Session

_MAX_TEXT = 1024
"""Characters of userAgent and errorMessage: the guide's 1 KB."""
_MAX_CONTENT = 100 * 1024
"""Bytes of requestParameters and of responseElements; larger content is left out, as the guide says."""
_USER_TYPES = {"root": "Root", "user": "IAMUser", "assumed-role": "AssumedRole", "federated-user": "FederatedUser"}
_VOUCHED = {"web-identity": "WebIdentityUser", "saml": "SAMLUser"}

iso_second = lru_cache(maxsize=8)(iso8601)
epoch_second = lru_cache(maxsize=64)(from_iso8601)


class Issuer(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``sessionIssuer``: whose credentials made the temporary ones."""

    type: str
    principal_id: str
    arn: str
    account_id: str
    user_name: str = ""


class Attributes(msgspec.Struct, rename="camel"):
    """``attributes``: both members are strings in CloudTrail."""

    creation_date: str
    mfa_authenticated: str


class FederationData(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``webIdFederationData``: the OpenID Connect provider that vouched for the session's caller."""

    federated_provider: str
    attributes: Mapping[str, Any] = {}


class SessionContext(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``sessionContext``: there only for temporary credentials."""

    attributes: Attributes
    session_issuer: Issuer | None = None
    source_identity: str = ""
    assumed_root: str = ""
    """``true`` in a session of sts:AssumeRoot."""
    web_id_federation_data: FederationData | None = None


class Delegate(msgspec.Struct, rename="camel"):
    """``invokedByDelegate``: the partner that acts with delegated access (IAM User Guide, temporary delegation, "CloudTrail")."""

    account_id: str


class UserIdentity(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``userIdentity``. Members that do not apply to the type are absent; a service by itself has none."""

    type: str = ""
    principal_id: str = ""
    arn: str = ""
    account_id: str = ""
    access_key_id: str = ""
    user_name: str = ""
    session_context: SessionContext | None = None
    invoked_by: str = ""
    identity_provider: str = ""
    """Of WebIdentityUser and SAMLUser: who vouches."""
    invoked_by_delegate: Delegate | None = None


class Resource(msgspec.Struct, omit_defaults=True, rename={"arn": "ARN", "account": "accountId"}):
    """A resource that the call touched. ``type`` is ``AWS::KMS::Key``."""

    arn: str
    account: str = ""
    type: str = ""


class Event(
    msgspec.Struct,
    kw_only=True,
    omit_defaults=True,
    tag_field="eventVersion",
    tag="1.11",
    rename={
        "user_identity": "userIdentity",
        "event_time": "eventTime",
        "event_source": "eventSource",
        "event_name": "eventName",
        "region": "awsRegion",
        "source_ip": "sourceIPAddress",
        "user_agent": "userAgent",
        "error_code": "errorCode",
        "error_message": "errorMessage",
        "request_parameters": "requestParameters",
        "response_elements": "responseElements",
        "additional": "additionalEventData",
        "request_id": "requestID",
        "event_id": "eventID",
        "read_only": "readOnly",
        "event_type": "eventType",
        "management": "managementEvent",
        "account": "recipientAccountId",
        "service_details": "serviceEventDetails",
        "category": "eventCategory",
        "tls": "tlsDetails",
    },
):
    """The record. A member without a default is always written, ``null`` included, as CloudTrail does."""

    user_identity: UserIdentity
    event_time: str
    event_source: str
    event_name: str
    region: str
    source_ip: str
    user_agent: str
    error_code: str = ""
    error_message: str = ""
    request_parameters: Mapping[str, Any] | None
    response_elements: Mapping[str, Any] | None
    additional: Mapping[str, Any] | None = None
    request_id: str
    event_id: str
    read_only: bool
    resources: Sequence[Resource] = ()
    event_type: str
    management: bool
    account: str
    service_details: Mapping[str, Any] | None = None
    category: str
    tls: Mapping[str, str] | None = None


class Matched(msgspec.Struct, omit_defaults=True):
    """A statement that decided: the policy's ARN or name, the statement's place in it (from 0) and its Sid."""

    policy: str
    statement: int
    sid: str = ""
    effect: str = ""


class DecisionRecord(msgspec.Struct, omit_defaults=True):
    """Why a call was allowed or denied. Kept beside the event, not inside it."""

    outcome: str
    """``allowed``, ``explicitDeny`` or ``implicitDeny``."""
    action: str = ""
    resource: str = ""
    policy_type: str = ""
    """What decided: ``identity``, ``resource``, ``boundary``, ``session``, ``scp``, ``rcp`` ..."""
    matched: Sequence[Matched] = ()
    grant: str = ""
    """The id of the grant that stood in for the resource's policy."""
    considered: Sequence[str] = ()
    """Every policy that was looked at."""
    marks: Sequence[str] = ()
    """Of each of them its kind and a digest of its text, ``identity:0123456789abcdef``."""
    keys: Mapping[str, Any] = {}
    """The condition keys and values of the request."""
    further: Sequence[DecisionRecord] = ()
    """The further permissions that the call needed (iam:PassRole), and cases of a call on many resources."""


def user_identity(principal: Principal) -> UserIdentity:
    """CloudTrail's view of a principal."""
    kind = _USER_TYPES.get(principal.kind)
    if kind is None:
        return _not_a_user(principal)
    name = principal.name if principal.kind == "user" else ""
    context = _session_context(principal, principal.session) if principal.session else None
    found = UserIdentity(kind, principal.id, principal.arn, principal.account, principal.access_key_id, name, context)
    if principal.session is not None and principal.session.delegate:
        found.invoked_by_delegate = Delegate(principal.session.delegate)
    return found


def _not_a_user(principal: Principal) -> UserIdentity:
    if principal.kind == "service":
        return UserIdentity("AWSService", invoked_by=principal.service)
    if principal.kind in _VOUCHED:
        kind = _VOUCHED[principal.kind]
        return UserIdentity(kind, principal.id, user_name=principal.name, identity_provider=principal.provider)
    # The form of S3's data events for callers without credentials.
    return UserIdentity("AWSAccount", account_id="anonymous")


def _session_context(principal: Principal, session: Session) -> SessionContext:
    attributes = Attributes(iso_second(int(session.issued_at)), "true" if session.mfa_at is not None else "false")
    issuer = None
    if session.issuer_arn and principal.kind in {"assumed-role", "federated-user"}:
        kind = "Role" if principal.kind == "assumed-role" else _issuer_kind(session.issuer_arn)
        issuer = Issuer(kind, session.issuer_id, session.issuer_arn, principal.account, session.issuer_name)
    federation = FederationData(session.provider, session.claims) if ":oidc-provider/" in session.provider else None
    assumed_root = "true" if session.kind == "assume-root" else ""
    return SessionContext(attributes, issuer, session.source_identity, assumed_root, federation)


def _issuer_kind(arn: str) -> str:
    return "Root" if arn.endswith(":root") else "IAMUser"


def make_event(  # noqa: PLR0913 - a record has that many members, all given by name
    *,
    event_id: str,
    request_id: str,
    now: float,
    principal: Principal,
    call: Call,
    account: str,
    region: str,
    source: str,
    name: str,
    read_only: bool,
    request: Mapping[str, Any] | None = None,
    response: Mapping[str, Any] | None = None,
    error: tuple[str, str] | None = None,
    resources: Sequence[Resource] = (),
    additional: Mapping[str, Any] | None = None,
    tls: Mapping[str, str] | None = None,
    data_event: bool = False,
) -> Event:
    """The event of one call.

    ``source`` is ``iam.amazonaws.com``, ``name`` the operation as modelled, ``account`` the account that receives the event,
    ``request`` and ``response`` the members with their secrets masked, ``error`` AWS's code and message of a failed call,
    ``data_event`` true for calls on a resource's content (S3 objects), which are no management events. ``event_id`` is fresh for
    each event, also where a call is recorded again as a failure.
    """
    code, message = error or ("", "")
    return Event(
        user_identity=user_identity(principal),
        event_time=iso_second(int(now)),
        event_source=source,
        event_name=name,
        region=region,
        source_ip=call.source_ip,
        user_agent=call.user_agent[:_MAX_TEXT],
        error_code=code,
        error_message=message[:_MAX_TEXT],
        request_parameters=request,
        response_elements=response,
        additional=additional,
        request_id=request_id,
        event_id=event_id,
        read_only=read_only,
        resources=resources,
        event_type="AwsApiCall",
        management=not data_event,
        account=account,
        category="Data" if data_event else "Management",
        tls=tls,
    )


def _stranger(value: object) -> str:
    # Not its text: that might hold what nobody masked.
    return f"<{type(value).__name__}>"


_ENCODER = msgspec.json.Encoder(enc_hook=_stranger)
_DECODER = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """The canonical bytes of an event: what is stored, shipped and hashed. Secrets that a caller forgot are masked here."""
    if event.request_parameters:
        event.request_parameters = masked(event.request_parameters)
    if event.response_elements:
        event.response_elements = masked(event.response_elements)
    record = _encoded(event)
    return record if len(record) <= _MAX_CONTENT else _shortened(event)


def encode_decision(decision: DecisionRecord | None) -> bytes:
    """The canonical bytes of a decision; ``null`` where there is none."""
    return b"null" if decision is None else _encoded(decision)


def encode_plain(members: Mapping[str, Any]) -> str:
    """JSON of a configuration item's members; secrets that a caller forgot are masked here too."""
    return _encoded(masked(members)).decode() if members else "{}"


def decode(record: bytes | str) -> Event:
    """The event of its canonical bytes. Raises msgspec.DecodeError, msgspec.ValidationError."""
    return _DECODER.decode(record)


def _encoded(value: Any) -> bytes:  # noqa: ANN401 - an event or a decision
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        # Half of a surrogate pair, from a client's escapes: JSON can carry it, UTF-8 cannot.
        return _ENCODER.encode(scrubbed(msgspec.to_builtins(value, enc_hook=_stranger)))


def _shortened(event: Event) -> bytes:
    if len(_encoded(event.request_parameters)) > _MAX_CONTENT:
        event.request_parameters = None
    if len(_encoded(event.response_elements)) > _MAX_CONTENT:
        event.response_elements = None
    return _encoded(event)


def user_name(identity: UserIdentity) -> str:
    """The name that LookupEvents finds an event under: the user's, a role's session name, ``root``."""
    if identity.user_name:
        return identity.user_name
    if identity.type in {"AssumedRole", "FederatedUser"}:
        return identity.principal_id.partition(":")[2]
    return "root" if identity.type == "Root" else identity.invoked_by
