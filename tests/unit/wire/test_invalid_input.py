"""Constraints of the model in Organizations' own words (AWS Organizations API Reference, InvalidInputException)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from garrison.wire.invalid_input import invalid_input
from tests.support.house import House
from tests.support.organizations import refused


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("operation", "members", "reason"),
    [
        ("describe_account", {"AccountId": "12"}, "INVALID_PATTERN:ACCOUNT_ID"),
        ("describe_account", {"AccountId": "1" * 13}, "MAX_LENGTH_EXCEEDED:ACCOUNT_ID"),
        ("list_accounts", {"MaxResults": 21}, "MAX_VALUE_EXCEEDED:MAX_RESULTS"),
        ("list_policies", {"Filter": "MINE"}, "INVALID_ENUM:FILTER"),
        ("list_create_account_status", {"States": ["DONE"]}, "INVALID_LIST_MEMBER:STATES"),
        ("invite_account_to_organization", {"Target": {"Id": "1", "Type": "WHO"}}, "INVALID_ENUM:TYPE"),
        (
            "move_account",
            {"AccountId": "1" * 12, "SourceParentId": "x", "DestinationParentId": "r-ab12"},
            "INVALID_PATTERN:SOURCE_PARENT_ID",
        ),
    ],
)
def test_what_breaks_a_constraint(house: House, operation: str, members: dict[str, object], reason: str):
    with refused("InvalidInputException", "You ", reason):
        getattr(house.client("organizations"), operation)(**members)


def test_the_recorded_words(house: House):
    with refused(
        "InvalidInputException", "You provided a value that does not match the required pattern.", "INVALID_PATTERN:RESOURCE_ID"
    ):
        house.client("organizations").list_tags_for_resource(ResourceId="arn:aws:organizations::1:account/o-1/2")


def test_what_is_missing():
    error = invalid_input("target.type", "Member must not be null")
    assert error.message == "You must include a value for all required parameters."
    assert error.members == {"Reason": "INPUT_REQUIRED:TYPE"}
