"""Invitations, all features, transfers. Rules: AWS Organizations API Reference, and User Guide, "Inviting an account"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.organizations import MANAGEMENT, OTHER, Org, refused

NOT_FOUND = "You specified a handshake that doesn't exist."
PARTY = {"Id": OTHER, "Type": "ACCOUNT"}


def expired(org: Org, handshake: str) -> None:
    with org.house.state.store.writing() as tx:
        tx.run("UPDATE org_handshake SET expires = requested - 1 WHERE handshake_id = ?", handshake)
    org.house.state.store.commit()


def invited(org: Org, **party: str) -> str:
    target = {**PARTY, **party}
    return str(org.client.invite_account_to_organization(Target=target)["Handshake"]["Id"])


def test_invite_account_to_organization_and_accept_handshake(org: Org):
    key = org.other()
    tags = [{"Key": "team", "Value": "blue"}]
    made = org.client.invite_account_to_organization(Target=PARTY, Notes="come in", Tags=tags)["Handshake"]
    assert made["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:handshake/{org.id}/invite/{made['Id']}"
    assert (made["State"], made["Action"]) == ("REQUESTED", "INVITE")
    assert made["Parties"] == [{"Id": org.id, "Type": "ORGANIZATION"}, PARTY]
    assert (made["ExpirationTimestamp"] - made["RequestedTimestamp"]).days == 15
    whole, *rest = made["Resources"]
    assert (whole["Type"], whole["Value"]) == ("ORGANIZATION", org.id)
    assert {inner["Type"] for inner in whole["Resources"]} == {"MASTER_EMAIL", "MASTER_NAME", "ORGANIZATION_FEATURE_SET"}
    assert rest == [{"Type": "ACCOUNT", "Value": OTHER}, {"Type": "NOTES", "Value": "come in"}]
    theirs = org.of("organizations", key)
    assert theirs.describe_handshake(HandshakeId=made["Id"])["Handshake"] == made
    assert theirs.list_handshakes_for_account()["Handshakes"] == [made]
    assert org.client.list_handshakes_for_organization()["Handshakes"] == [made]
    assert theirs.accept_handshake(HandshakeId=made["Id"])["Handshake"]["State"] == "ACCEPTED"
    found = org.client.describe_account(AccountId=OTHER)["Account"]
    assert (found["JoinedMethod"], found["Paths"]) == ("INVITED", [f"{org.id}/{org.root}/{OTHER}/"])
    assert org.client.list_tags_for_resource(ResourceId=OTHER)["Tags"] == tags
    role = org.of("iam", key).get_role(RoleName="AWSServiceRoleForOrganizations")["Role"]
    assert role["Path"] == "/aws-service-role/organizations.amazonaws.com/"
    with refused("HandshakeAlreadyInStateException"):
        theirs.accept_handshake(HandshakeId=made["Id"])
    with refused("InvalidHandshakeTransitionException"):
        theirs.decline_handshake(HandshakeId=made["Id"])
    with refused("InvalidHandshakeTransitionException"):
        org.client.cancel_handshake(HandshakeId=made["Id"])
    theirs.leave_organization()


def test_an_invitation_by_its_address(org: Org):
    key = org.other(email="ann@example.com")
    stranger = org.of("organizations", org.other("777788889999", email="bob@example.com"))
    handshake = invited(org, Id="Ann@example.com", Type="EMAIL")
    for call in (stranger.describe_handshake, stranger.accept_handshake, stranger.decline_handshake, stranger.cancel_handshake):
        with refused("HandshakeNotFoundException", NOT_FOUND):
            call(HandshakeId=handshake)
    assert stranger.list_handshakes_for_account()["Handshakes"] == []
    org.of("organizations", key).accept_handshake(HandshakeId=handshake)
    assert len(org.client.list_accounts()["Accounts"]) == 2


def test_an_account_without_an_address_is_not_everybody(org: Org):
    """An empty address matches no invitation."""
    nameless = org.of("organizations", org.other())
    invited(org, Id="ann@example.com", Type="EMAIL")
    assert nameless.list_handshakes_for_account()["Handshakes"] == []


def test_decline_handshake_and_cancel_handshake(org: Org):
    theirs = org.of("organizations", org.other())
    handshake = invited(org)
    with refused("AccessDeniedException"):
        org.client.decline_handshake(HandshakeId=handshake)
    with refused("AccessDeniedException"):
        org.client.accept_handshake(HandshakeId=handshake)
    with refused("AccessDeniedException"):
        theirs.cancel_handshake(HandshakeId=handshake)
    assert theirs.decline_handshake(HandshakeId=handshake)["Handshake"]["State"] == "DECLINED"
    with refused("InvalidHandshakeTransitionException"):
        theirs.accept_handshake(HandshakeId=handshake)
    second = invited(org)
    assert org.client.cancel_handshake(HandshakeId=second)["Handshake"]["State"] == "CANCELED"
    with refused("HandshakeAlreadyInStateException"):
        org.client.cancel_handshake(HandshakeId=second)
    with refused("InvalidHandshakeTransitionException"):
        theirs.accept_handshake(HandshakeId=second)
    listed = org.client.list_handshakes_for_organization(Filter={"ActionType": "INVITE"})["Handshakes"]
    assert {found["State"] for found in listed} == {"DECLINED", "CANCELED"}
    assert org.client.list_handshakes_for_organization(Filter={"ActionType": "ENABLE_ALL_FEATURES"})["Handshakes"] == []


def test_an_invitation_ends_after_fifteen_days(org: Org):
    theirs = org.of("organizations", org.other())
    handshake = invited(org)
    with refused("DuplicateHandshakeException"):
        invited(org)
    expired(org, handshake)
    assert theirs.describe_handshake(HandshakeId=handshake)["Handshake"]["State"] == "EXPIRED"
    with refused("InvalidHandshakeTransitionException"):
        theirs.accept_handshake(HandshakeId=handshake)
    invited(org)


def test_who_is_in_an_organization_joins_no_other(org: Org):
    key = org.joined()
    with refused("HandshakeConstraintViolationException", reason="ALREADY_IN_AN_ORGANIZATION"):
        invited(org)
    rival = org.of("organizations", org.other("777788889999"))
    rival.create_organization()
    handshake = rival.invite_account_to_organization(Target=PARTY)["Handshake"]["Id"]
    theirs = org.of("organizations", key)
    with refused("HandshakeConstraintViolationException", reason="ALREADY_IN_AN_ORGANIZATION"):
        theirs.accept_handshake(HandshakeId=handshake)
    assert theirs.describe_handshake(HandshakeId=handshake)["Handshake"]["State"] == "REQUESTED", "the refused call left nothing"
    theirs.leave_organization()
    theirs.accept_handshake(HandshakeId=handshake)


@pytest.mark.parametrize(
    ("party", "reason"),
    [
        ({"Id": "12", "Type": "ACCOUNT"}, "INVALID_PATTERN_TARGET_ID"),
        ({"Id": "o-a1b2c3d4e5", "Type": "ORGANIZATION"}, "INVALID_PARTY_TYPE_TARGET"),
        ({"Id": "ann", "Type": "EMAIL"}, "INVALID_EMAIL_ADDRESS_TARGET"),
    ],
)
def test_who_cannot_be_invited(org: Org, party: dict[str, str], reason: str):
    with refused("InvalidInputException", reason=reason):
        org.client.invite_account_to_organization(Target=party)


def test_an_invitation_does_not_tell_whether_the_account_exists(org: Org):
    assert org.client.invite_account_to_organization(Target={"Id": "999999999999", "Type": "ACCOUNT"})["Handshake"]["Id"]


def test_a_handshake_that_is_not_there(org: Org):
    for call in (
        org.client.describe_handshake,
        org.client.accept_handshake,
        org.client.decline_handshake,
        org.client.cancel_handshake,
    ):
        with refused("HandshakeNotFoundException", NOT_FOUND):
            call(HandshakeId="h-a1b2c3d4")


def test_invitations_go_with_their_organization(org: Org):
    theirs = org.of("organizations", org.other())
    handshake = invited(org)
    org.client.delete_organization()
    with refused("InvalidHandshakeTransitionException"):
        theirs.accept_handshake(HandshakeId=handshake)


# All features


@pytest.fixture
def billing() -> Iterator[Org]:
    found = Org("CONSOLIDATED_BILLING")
    yield found
    found.close()


def test_enable_all_features_asks_every_invited_member(billing: Org):
    made, key = billing.account(), billing.joined()
    parent = billing.client.enable_all_features()["Handshake"]
    assert (parent["State"], parent["Action"]) == ("REQUESTED", "ENABLE_ALL_FEATURES")
    (asked,) = billing.client.list_handshakes_for_organization(Filter={"ParentHandshakeId": parent["Id"]})["Handshakes"]
    assert (asked["Action"], asked["Parties"][1]) == ("APPROVE_ALL_FEATURES", PARTY)
    assert billing.of("organizations", billing.administrator(made)).list_handshakes_for_account()["Handshakes"] == []
    with refused("HandshakeConstraintViolationException", reason="ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION"):
        billing.client.enable_all_features()
    with refused("HandshakeConstraintViolationException", reason="INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES"):
        invited(billing, Id="777788889999")
    with refused("InvalidHandshakeTransitionException"):
        billing.client.accept_handshake(HandshakeId=parent["Id"])
    with refused("InvalidHandshakeTransitionException"):
        billing.client.decline_handshake(HandshakeId=parent["Id"])
    billing.of("organizations", key).accept_handshake(HandshakeId=asked["Id"])
    assert billing.client.describe_organization()["Organization"]["FeatureSet"] == "CONSOLIDATED_BILLING"
    assert billing.client.describe_handshake(HandshakeId=parent["Id"])["Handshake"]["State"] == "OPEN"
    billing.client.accept_handshake(HandshakeId=parent["Id"])
    assert billing.client.describe_organization()["Organization"]["FeatureSet"] == "ALL"
    with refused("HandshakeConstraintViolationException", reason="ORGANIZATION_ALREADY_HAS_ALL_FEATURES"):
        billing.client.enable_all_features()
    billing.enable("SERVICE_CONTROL_POLICY")
    billing.bound(OTHER, {"Effect": "Deny", "Action": "iam:*", "Resource": "*"})
    with refused("AccessDenied", "with an explicit deny in a service control policy"):
        billing.of("iam", key).list_users()


def test_one_who_declines_keeps_it_from_being_finished(billing: Org):
    key = billing.joined()
    parent = billing.client.enable_all_features()["Handshake"]["Id"]
    (asked,) = billing.client.list_handshakes_for_organization(Filter={"ParentHandshakeId": parent})["Handshakes"]
    billing.of("organizations", key).decline_handshake(HandshakeId=asked["Id"])
    with refused("InvalidHandshakeTransitionException"):
        billing.client.accept_handshake(HandshakeId=parent)
    billing.client.cancel_handshake(HandshakeId=parent)
    assert billing.client.enable_all_features()["Handshake"]["State"] == "REQUESTED"


# Transfers of responsibility


def start_of_next_year() -> datetime:
    return datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC)


def asked(org: Org, **members: Any) -> dict[str, Any]:
    given = {"Type": "BILLING", "Target": PARTY, "SourceName": "bills", "StartTimestamp": start_of_next_year(), **members}
    found: dict[str, Any] = org.client.invite_organization_to_transfer_responsibility(**given)["Handshake"]
    return found


def test_a_transfer_of_responsibility(org: Org):
    theirs = org.of("organizations", org.other())
    theirs.create_organization()
    handshake = asked(org)
    assert handshake["Action"] == "TRANSFER_RESPONSIBILITY"
    (inbound,) = org.client.list_inbound_responsibility_transfers(Type="BILLING")["ResponsibilityTransfers"]
    assert (inbound["Status"], inbound["Name"], inbound["ActiveHandshakeId"]) == ("REQUESTED", "bills", handshake["Id"])
    assert inbound["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:transfer/{org.id}/billing/inbound/{inbound['Id']}"
    assert (inbound["Source"]["ManagementAccountId"], inbound["Target"]["ManagementAccountId"]) == (OTHER, MANAGEMENT)
    (outbound,) = theirs.list_outbound_responsibility_transfers(Type="BILLING")["ResponsibilityTransfers"]
    assert "/billing/outbound/" in outbound["Arn"]
    with refused("InvalidResponsibilityTransferTransitionException"):
        org.client.terminate_responsibility_transfer(Id=inbound["Id"])
    theirs.accept_handshake(HandshakeId=handshake["Id"])
    found = theirs.describe_responsibility_transfer(Id=inbound["Id"])["ResponsibilityTransfer"]
    assert (found["Status"], "ActiveHandshakeId" in found) == ("ACCEPTED", False)
    with refused("HandshakeConstraintViolationException", reason="RESPONSIBILITY_TRANSFER_ALREADY_EXISTS"):
        asked(org)
    renamed = org.client.update_responsibility_transfer(Id=inbound["Id"], Name="all")["ResponsibilityTransfer"]
    assert renamed["Name"] == "all"
    with refused("ConstraintViolationException", reason="TRANSFER_RESPONSIBILITY_UPDATE_NOT_ALLOWED"):
        theirs.update_responsibility_transfer(Id=inbound["Id"], Name="mine")
    with refused("InvalidInputException", reason="END_DATE_TOO_EARLY"):
        theirs.terminate_responsibility_transfer(Id=inbound["Id"], EndTimestamp=datetime(2020, 1, 31, tzinfo=UTC))
    with refused("InvalidInputException", reason="END_DATE_NOT_END_OF_MONTH"):
        theirs.terminate_responsibility_transfer(Id=inbound["Id"], EndTimestamp=start_of_next_year())
    ended = theirs.terminate_responsibility_transfer(Id=inbound["Id"])["ResponsibilityTransfer"]
    assert ended["Status"] == "WITHDRAWN"
    end = ended["EndTimestamp"].astimezone(UTC)
    assert (end.hour, end.minute, end.second) == (23, 59, 59)
    with refused("ResponsibilityTransferAlreadyInStatusException"):
        org.client.terminate_responsibility_transfer(Id=inbound["Id"])
    one = org.client.list_inbound_responsibility_transfers(Type="BILLING", Id=inbound["Id"])["ResponsibilityTransfers"]
    assert [each["Status"] for each in one] == ["WITHDRAWN"]
    with refused("ResponsibilityTransferNotFoundException"):
        theirs.list_inbound_responsibility_transfers(Type="BILLING", Id=inbound["Id"])


@pytest.mark.parametrize(("answer", "status"), [("decline", "DECLINED"), ("cancel", "CANCELED"), ("", "EXPIRED")])
def test_a_transfer_that_does_not_come_about(org: Org, answer: str, status: str):
    theirs = org.of("organizations", org.other())
    theirs.create_organization()
    handshake = asked(org)["Id"]
    if answer == "decline":
        theirs.decline_handshake(HandshakeId=handshake)
    elif answer:
        org.client.cancel_handshake(HandshakeId=handshake)
    else:
        expired(org, handshake)
    (found,) = org.client.list_inbound_responsibility_transfers(Type="BILLING")["ResponsibilityTransfers"]
    assert found["Status"] == status


def test_who_can_be_asked_for_a_transfer(org: Org):
    with refused("HandshakeConstraintViolationException", reason="TARGET_ACCOUNT_VALIDATION_FAILURE"):
        asked(org)
    with refused("HandshakeConstraintViolationException", reason="SOURCE_AND_TARGET_CANNOT_MATCH"):
        asked(org, Target={"Id": MANAGEMENT, "Type": "ACCOUNT"})
    org.of("organizations", org.other(email="ann@example.com")).create_organization()
    for start, reason in (
        (datetime(2030, 1, 2, tzinfo=UTC), "START_DATE_NOT_BEGINNING_OF_MONTH"),
        (datetime(2030, 1, 1, 12, tzinfo=UTC), "START_DATE_NOT_BEGINNING_OF_DAY"),
        (datetime(2020, 1, 1, tzinfo=UTC), "START_DATE_TOO_EARLY"),
    ):
        with refused("InvalidInputException", reason=reason):
            asked(org, StartTimestamp=start)
    asked(org, Target={"Id": "ann@example.com", "Type": "EMAIL"})
    with refused("DuplicateHandshakeException"):
        asked(org, Target={"Id": "ann@example.com", "Type": "EMAIL"})


def test_a_transfer_that_is_not_there(org: Org):
    stranger = org.of("organizations", org.other("777788889999"))
    stranger.create_organization()
    org.of("organizations", org.other()).create_organization()
    asked(org)
    (found,) = org.client.list_inbound_responsibility_transfers(Type="BILLING")["ResponsibilityTransfers"]
    for call, more in (
        (stranger.describe_responsibility_transfer, {}),
        (stranger.update_responsibility_transfer, {"Name": "mine"}),
        (stranger.terminate_responsibility_transfer, {}),
    ):
        with refused("ResponsibilityTransferNotFoundException"):
            call(Id=found["Id"], **more)
