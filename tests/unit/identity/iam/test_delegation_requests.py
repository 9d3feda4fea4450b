"""Delegation requests through boto3: who may do what with them, in which state, and what partners are told.

Expected values: IAM API Reference, the operations of delegation requests; IAM User Guide, "IAM temporary delegation" and "Building
your integration".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison import app
from garrison.identity.delegation import due, partners
from tests.support.delegation import (
    BOUNDARY,
    DOMAIN,
    EVERYTHING,
    PARTNER,
    TOPIC,
    Delegating,
    refusal,
)
from tests.support.house import House
from tests.support.server import AccessKey

DAY = 86_400
OTHER = "777788889999"


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


@pytest.fixture
def world(house: House, monkeypatch: pytest.MonkeyPatch) -> Delegating:
    return Delegating(house, monkeypatch)


def state(world: Delegating, request: str) -> str:
    found: str = world.house.client("iam").get_delegation_request(DelegationRequestId=request)["DelegationRequest"]["State"]
    return found


def in_state(world: Delegating, wanted: str, **given: Any) -> str:
    """A request that came to a state by the admin's hand."""
    iam = world.house.client("iam")
    request = world.ask(**given)
    steps: dict[str, list[Callable[..., Any]]] = {
        "UNASSIGNED": [],
        "ASSIGNED": [iam.associate_delegation_request],
        "PENDING_APPROVAL": [iam.associate_delegation_request, iam.update_delegation_request],
        "ACCEPTED": [iam.associate_delegation_request, iam.accept_delegation_request],
        "REJECTED": [iam.associate_delegation_request, iam.reject_delegation_request],
        "FINALIZED": [iam.associate_delegation_request, iam.accept_delegation_request, iam.send_delegation_token],
    }
    for step in steps[wanted]:
        step(DelegationRequestId=request)
    assert state(world, request) == wanted
    return request


# Asking


def test_create_delegation_request_renders_the_template(world: Delegating):
    given = [
        {"Name": "bucketNames", "Values": ["bucket-1", "bucket-2"], "Type": "stringList"},
        {"Name": "AccountId", "Values": [world.account], "Type": "string"},
        {"Name": "EnableKeys", "Values": ["True"], "Type": "string"},
    ]
    request = world.ask(
        Permissions={"PolicyTemplateArn": partners.template_arn(DOMAIN, "SetUp_20260101"), "Parameters": given},
        RequestMessage="again",
        RedirectUrl="https://partner.com/back",
        OnlySendByOwner=True,
    )
    shown = world.partner.get_delegation_request
    assert refusal(shown, DelegationRequestId=request) == "NoSuchEntity", "it is for another account than the partner's"
    found = world.house.client("iam").get_delegation_request(DelegationRequestId=request)["DelegationRequest"]
    policy = json.loads(found["PermissionPolicy"])
    assert policy["Statement"][0]["Resource"] == ["arn:aws:s3:::bucket-1/*", "arn:aws:s3:::bucket-2/*"]
    assert [each["Action"] for each in policy["Statement"]][2] == "iam:ListAccessKeys"
    assert "@" not in found["PermissionPolicy"]
    assert found["RolePermissionRestrictionArns"] == [partners.boundary_arn(DOMAIN, BOUNDARY)]
    assert found["Permissions"]["Parameters"] == given
    assert (found["RequestorId"], found["RequestorName"], found["State"]) == (PARTNER, "Example Partner", "UNASSIGNED")
    assert (found["RequestMessage"], found["RedirectUrl"], found["OnlySendByOwner"]) == (
        "again",
        "https://partner.com/back",
        True,
    )
    assert (found["ExpirationTime"] - found["CreateDate"]).total_seconds() == DAY
    assert found["SessionDuration"] == 3600


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Permissions": {"PolicyTemplateArn": partners.template_arn(DOMAIN, "Nothing_20260101")}}, "InvalidInput"),
        ({"Permissions": {"PolicyTemplateArn": partners.template_arn("else.com", "Whole_20260101")}}, "InvalidInput"),
        ({"Permissions": {"Parameters": [{"Name": "AccountId", "Values": ["x"], "Type": "string"}]}}, "InvalidInput"),
        ({"Permissions": {"PolicyTemplateArn": partners.template_arn(DOMAIN, "SetUp_20260101")}}, "InvalidInput"),
        ({"NotificationChannel": f"arn:aws:sns:us-east-1:{PARTNER}:another"}, "InvalidInput"),
        ({"NotificationChannel": "arn:aws:sns:us-east-1:111122223333:delegations"}, "InvalidInput"),
        ({"RequestorWorkflowId": "workflow-1"}, "EntityAlreadyExists"),
        ({"SessionDuration": 43_201}, "ValidationError"),
        ({"OwnerAccountId": "11112222333"}, "ValidationError"),
        ({"RedirectUrl": "javascript:alert(1)"}, "ValidationError"),
    ],
)
def test_what_cannot_be_asked_for(world: Delegating, members: dict[str, Any], code: str):
    world.ask()
    assert refusal(world.ask, **members) == code


def test_only_a_registered_partner_asks(world: Delegating):
    iam = world.house.client("iam")
    members = {
        "Description": "x",
        "Permissions": {"PolicyTemplateArn": partners.template_arn(DOMAIN, "Whole_20260101")},
        "RequestorWorkflowId": "workflow-x",
        "NotificationChannel": TOPIC,
        "SessionDuration": 3600,
    }
    assert refusal(iam.create_delegation_request, **members) == "AccessDenied"


def test_a_partner_has_at_most_a_thousand_open_requests(world: Delegating):
    request = world.ask()
    with world.house.state.store.writing() as tx:
        sql = "SELECT * FROM iam_delegation_request WHERE request_id = ?"
        row = tx.one(sql, request)
        assert row is not None
        for number in range(999):
            copy = (f"dr-{number:032}", *row[1:3], f"copy-{number}", *row[4:])
            tx.run(f"INSERT INTO iam_delegation_request VALUES ({', '.join('?' * len(row))})", *copy)  # noqa: S608 - marks
    world.house.state.store.commit()
    assert refusal(world.ask) == "LimitExceeded"
    world.later(DAY)
    assert world.ask()


def test_the_partners_administrator_bounds_requests_by_condition_keys(world: Delegating):
    iam = world.house.client("iam", world.key)
    iam.create_user(UserName="asker")
    made = iam.create_access_key(UserName="asker")["AccessKey"]
    allowed = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "iam:CreateDelegationRequest",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"iam:DelegationDuration": "3600", "iam:NotificationChannel": TOPIC},
                "ArnEquals": {"iam:TemplateArn": partners.template_arn(DOMAIN, "Whole_20260101")},
            },
        },
    }
    iam.put_user_policy(UserName="asker", PolicyName="own", PolicyDocument=json.dumps(allowed))
    world.partner = world.house.client("iam", AccessKey(made["AccessKeyId"], made["SecretAccessKey"]))
    assert world.ask()
    assert refusal(world.ask, SessionDuration=3601) == "AccessDenied"


# Taking up, forwarding, accepting, rejecting, sending


def test_associate_delegation_request_makes_the_caller_the_owner(world: Delegating):
    request = world.ask(OwnerAccountId=None)
    nobody = world.user("nobody", None)
    iam = world.house.client("iam", nobody)
    found = iam.get_delegation_request(DelegationRequestId=request)["DelegationRequest"]
    assert "OwnerId" not in found
    assert "OwnerAccountId" not in found
    iam.associate_delegation_request(DelegationRequestId=request)
    found = iam.get_delegation_request(DelegationRequestId=request)["DelegationRequest"]
    assert found["OwnerId"] == f"arn:aws:iam::{world.account}:user/nobody"
    assert (found["OwnerAccountId"], found["State"]) == (world.account, "ASSIGNED")
    assert (found["ExpirationTime"] - found["UpdatedTime"]).total_seconds() == 7 * DAY


def test_who_took_a_request_up_needs_no_policy_but_to_accept_it(world: Delegating):
    """IAM User Guide, "Managing Permissions for Delegation Requests"."""
    request = world.ask()
    iam = world.house.client("iam", world.user("initiator", None))
    iam.associate_delegation_request(DelegationRequestId=request)
    iam.update_delegation_request(DelegationRequestId=request, Notes="please look")
    own = f"arn:aws:iam::{world.account}:user/initiator"
    assert [each["DelegationRequestId"] for each in iam.list_delegation_requests(OwnerId=own)["DelegationRequests"]] == [request]
    assert refusal(iam.list_delegation_requests) == "AccessDenied"
    assert refusal(iam.list_delegation_requests, OwnerId=f"{own}s") == "AccessDenied"
    assert refusal(iam.accept_delegation_request, DelegationRequestId=request) == "AccessDenied"
    world.house.client("iam").accept_delegation_request(DelegationRequestId=request)
    found = iam.get_delegation_request(DelegationRequestId=request)["DelegationRequest"]
    assert (found["Notes"], found["ApproverId"]) == ("please look", f"arn:aws:iam::{world.account}:user/admin")
    iam.send_delegation_token(DelegationRequestId=request)
    assert state(world, request) == "FINALIZED"


def test_a_deny_overrules_what_owners_may_by_default(world: Delegating):
    denying = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iam:*Delegation*", "Resource": "*"}}
    iam = world.house.client("iam", world.user("held", denying))
    request = world.ask()
    assert refusal(iam.get_delegation_request, DelegationRequestId=request) == "AccessDenied"
    assert refusal(iam.associate_delegation_request, DelegationRequestId=request) == "AccessDenied"


def test_others_of_the_account_need_a_policy(world: Delegating):
    request = in_state(world, "ASSIGNED")
    stranger = world.house.client("iam", world.user("stranger", None))
    for call in (
        stranger.get_delegation_request,
        stranger.update_delegation_request,
        stranger.reject_delegation_request,
        stranger.send_delegation_token,
        stranger.accept_delegation_request,
    ):
        assert refusal(call, DelegationRequestId=request) == "AccessDenied"
    only = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "iam:GetDelegationRequest",
            "Resource": f"arn:aws:iam::{world.account}:delegation-request/*",
            "Condition": {"ArnEquals": {"iam:DelegationRequestOwner": f"arn:aws:iam::{world.account}:user/admin"}},
        },
    }
    reader = world.house.client("iam", world.user("reader", only))
    assert reader.get_delegation_request(DelegationRequestId=request)


def test_a_later_namesake_of_the_owner_is_somebody_else(world: Delegating):
    admin = world.house.client("iam")
    first = world.user("phoenix", None)
    request = world.ask()
    world.house.client("iam", first).associate_delegation_request(DelegationRequestId=request)
    admin.delete_access_key(UserName="phoenix", AccessKeyId=first.access_key_id)
    admin.delete_user(UserName="phoenix")
    again = world.house.client("iam", world.user("phoenix", None))
    assert refusal(again.get_delegation_request, DelegationRequestId=request) == "AccessDenied"


def test_a_request_is_not_there_for_other_accounts(world: Delegating):
    other = app.new_account(world.house.state, OTHER, name="other")
    iam = world.house.client("iam", AccessKey(*other.admin_key))
    theirs = in_state(world, "ASSIGNED")
    for_one = world.ask()
    unknown = "dr-00000000-0000-4000-8000-000000000000"
    for call in (
        iam.get_delegation_request,
        iam.associate_delegation_request,
        iam.accept_delegation_request,
        iam.send_delegation_token,
    ):
        answers = []
        for request in (theirs, for_one, unknown):
            with pytest.raises(ClientError) as caught:
                call(DelegationRequestId=request)
            answers.append(str(caught.value.response["Error"]["Message"]).replace(request, "ID"))
            assert caught.value.response["Error"]["Code"] == "NoSuchEntity"
        assert len(set(answers)) == 1, "nobody learns whether a request exists"
    entity = f"arn:aws:iam::{world.account}:delegation-request/{theirs}"
    assert refusal(iam.get_human_readable_summary, EntityArn=entity) == "NoSuchEntity"


@pytest.mark.parametrize(
    ("operation", "allowed"),
    [
        ("associate_delegation_request", {"UNASSIGNED": "ASSIGNED"}),
        ("update_delegation_request", {"ASSIGNED": "PENDING_APPROVAL", "PENDING_APPROVAL": "PENDING_APPROVAL"}),
        ("accept_delegation_request", {"ASSIGNED": "ACCEPTED", "PENDING_APPROVAL": "ACCEPTED"}),
        ("reject_delegation_request", {"ASSIGNED": "REJECTED", "PENDING_APPROVAL": "REJECTED", "ACCEPTED": "REJECTED"}),
        ("send_delegation_token", {"ACCEPTED": "FINALIZED"}),
    ],
)
def test_the_states_that_each_operation_leads_to(world: Delegating, operation: str, allowed: dict[str, str]):
    iam = world.house.client("iam")
    for before in ("UNASSIGNED", "ASSIGNED", "PENDING_APPROVAL", "ACCEPTED", "REJECTED", "FINALIZED"):
        request = in_state(world, before)
        answer = refusal(getattr(iam, operation), DelegationRequestId=request)
        assert answer == ("" if before in allowed else "InvalidInput"), before
        assert state(world, request) == allowed.get(before, before)


def test_reject_delegation_request_keeps_the_reason(world: Delegating):
    request = in_state(world, "ACCEPTED")
    iam = world.house.client("iam")
    iam.reject_delegation_request(DelegationRequestId=request, Notes="not now")
    found = iam.get_delegation_request(DelegationRequestId=request)["DelegationRequest"]
    assert (found["State"], found["RejectionReason"]) == ("REJECTED", "not now")


def test_only_send_by_owner(world: Delegating):
    owner = world.house.client("iam", world.user("owner", None))
    request = world.ask(OnlySendByOwner=True)
    owner.associate_delegation_request(DelegationRequestId=request)
    admin = world.house.client("iam")
    admin.accept_delegation_request(DelegationRequestId=request)
    assert refusal(admin.send_delegation_token, DelegationRequestId=request) == "AccessDenied"
    assert state(world, request) == "ACCEPTED"
    owner.send_delegation_token(DelegationRequestId=request)
    assert world.token(request)


def test_root_accepts_four_hours_at_most(world: Delegating):
    root = world.house.client("iam", AccessKey(*world.house.first.root_key))
    request = in_state(world, "ASSIGNED", SessionDuration=14_401)
    assert refusal(root.accept_delegation_request, DelegationRequestId=request) == "InvalidInput"
    request = in_state(world, "ASSIGNED", SessionDuration=14_400)
    root.accept_delegation_request(DelegationRequestId=request)
    assert state(world, request) == "ACCEPTED"


# Time, lists, messages


@pytest.mark.parametrize(
    ("before", "days"),
    [("UNASSIGNED", 1), ("ASSIGNED", 7), ("PENDING_APPROVAL", 7), ("ACCEPTED", 7), ("REJECTED", 7), ("FINALIZED", 7)],
)
def test_a_request_expires(world: Delegating, before: str, days: int):
    request = in_state(world, before)
    world.later(days * DAY - 60)
    assert state(world, request) == before
    world.later(60)
    assert state(world, request) == "EXPIRED"
    iam = world.house.client("iam")
    for call in (iam.associate_delegation_request, iam.accept_delegation_request, iam.send_delegation_token):
        assert refusal(call, DelegationRequestId=request) == "InvalidInput"
    told = len(world.messages())
    now = world.house.worker.gateway.clock()
    due.expire(world.house.state.store, world.house.state.keyring, now)
    world.house.state.store.commit()
    tells = before in {"UNASSIGNED", "ASSIGNED", "PENDING_APPROVAL", "ACCEPTED"}
    states = [each["State"] for each in world.messages()]
    assert states[-1:] == ["EXPIRED"] if tells else len(states) <= told
    assert state(world, request) == "EXPIRED"
    due.expire(world.house.state.store, world.house.state.keyring, now + 31 * DAY)
    world.house.state.store.commit()
    assert refusal(iam.get_delegation_request, DelegationRequestId=request) == "NoSuchEntity"
    assert world.messages() == []


def test_list_delegation_requests_shows_those_that_somebody_owns(world: Delegating):
    iam = world.house.client("iam")
    owned = sorted(in_state(world, "ASSIGNED") for _ in range(3))
    world.ask()
    mine = world.house.client("iam", world.user("second", EVERYTHING))
    other = world.ask()
    mine.associate_delegation_request(DelegationRequestId=other)
    listed = [each["DelegationRequestId"] for each in iam.list_delegation_requests()["DelegationRequests"]]
    assert listed == sorted([*owned, other])
    of_admin = f"arn:aws:iam::{world.account}:user/admin"
    page = iam.list_delegation_requests(OwnerId=of_admin, MaxItems=2)
    assert (page["isTruncated"], [each["DelegationRequestId"] for each in page["DelegationRequests"]]) == (True, owned[:2])
    page = iam.list_delegation_requests(OwnerId=of_admin, MaxItems=2, Marker=page["Marker"])
    assert (page["isTruncated"], [each["DelegationRequestId"] for each in page["DelegationRequests"]]) == (False, owned[2:])
    assert refusal(iam.list_delegation_requests, Marker="nonsense") == "ValidationError"


def test_the_partner_is_told_of_every_step_in_order(world: Delegating):
    iam = world.house.client("iam")
    request = in_state(world, "PENDING_APPROVAL")
    iam.accept_delegation_request(DelegationRequestId=request)
    iam.send_delegation_token(DelegationRequestId=request)
    messages = world.messages()
    assert [(each["Type"], each["State"]) for each in messages] == [
        ("StateChange", "ASSIGNED"),
        ("StateChange", "PENDING_APPROVAL"),
        ("StateChange", "ACCEPTED"),
        ("StateChange", "FINALIZED"),
        ("ExchangeToken", "FINALIZED"),
    ]
    assert {each["RequestId"] for each in messages} == {request}
    assert {each["RequestorWorkflowId"] for each in messages} == {"workflow-1"}
    assert {each["OwnerAccountId"] for each in messages} == {world.account}
    assert set(messages[0]) == {"Type", "RequestId", "RequestorWorkflowId", "State", "OwnerAccountId", "UpdatedAt"}
    assert set(messages[-1]) - set(messages[0]) == {"ExchangeToken", "ExpiresAt"}


def test_nothing_that_is_kept_holds_the_token(world: Delegating):
    token = world.release()
    store = world.house.state.store.reading()
    tables = ("iam_delegation_request", "iam_delegation_notice", "iam_delegation_topic", "audit_event", "config_item")
    world.house.events()
    for table in tables:
        rows = store.all(f"SELECT * FROM {table}")  # noqa: S608 - constants
        assert rows
        for value in (value for row in rows for value in row):
            assert token.encode() not in (value if isinstance(value, bytes) else str(value).encode()), table


# The permission check


def test_get_delegation_request_checks_the_callers_permissions(world: Delegating):
    request = world.ask()

    def check(policy: dict[str, Any] | None, name: str) -> tuple[str, str]:
        iam = world.house.client("iam", world.user(name, policy))
        found = iam.get_delegation_request(DelegationRequestId=request, DelegationPermissionCheck=True)
        return found["PermissionCheckStatus"], found["PermissionCheckResult"]

    users = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}}
    permission = {"PolicyTemplateArn": partners.template_arn(DOMAIN, "Users_20260101")}
    world.register(templates={"Users_20260101": users})
    request = world.ask(Permissions=permission)
    assert check(EVERYTHING, "may") == ("COMPLETE", "ALLOWED")
    assert check(None, "may-not") == ("COMPLETE", "DENIED")
    at_times = {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    assert check({"Version": "2012-10-17", "Statement": at_times}, "at-times") == ("COMPLETE", "UNSURE")
    but = {"Effect": "Deny", "Action": "iam:List*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.1"}}}
    assert check({"Version": "2012-10-17", "Statement": [EVERYTHING["Statement"][0], but]}, "but") == ("COMPLETE", "UNSURE")
    denied = {"Effect": "Deny", "Action": "iam:List*", "Resource": "*"}
    assert check({"Version": "2012-10-17", "Statement": [EVERYTHING["Statement"][0], denied]}, "denied") == ("COMPLETE", "DENIED")
    plain = world.house.client("iam").get_delegation_request(DelegationRequestId=request)
    assert "PermissionCheckStatus" not in plain


# Summaries


def test_get_human_readable_summary_says_that_it_is_not_supported(world: Delegating):
    request = in_state(world, "ASSIGNED")
    iam = world.house.client("iam")
    entity = f"arn:aws:iam::{world.account}:delegation-request/{request}"
    found = iam.get_human_readable_summary(EntityArn=entity, Locale="de")
    assert (found["SummaryState"], found.get("SummaryContent", ""), found["Locale"]) == ("NOT_SUPPORTED", "", "de")
    assert refusal(iam.get_human_readable_summary, EntityArn=f"arn:aws:iam::{world.account}:role/name") == "InvalidInput"
    assert refusal(iam.get_human_readable_summary, EntityArn=f"{entity}0") == "NoSuchEntity"
    stranger = world.house.client("iam", world.user("stranger", None))
    assert refusal(stranger.get_human_readable_summary, EntityArn=entity) == "AccessDenied"
