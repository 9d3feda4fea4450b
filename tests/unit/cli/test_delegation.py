"""``garrison delegation``: partners are admitted from a file, and their access is seen and ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from garrison.config import load_settings
from garrison.identity.delegation import partners
from tests.support.delegation import BOUNDARY, DOMAIN, PARTNER, TOPIC, Delegating, refusal, registration
from tests.support.house import House
from tests.unit.cli.conftest import Garrison


@pytest.fixture
def house(home: Path, data_dir: Path) -> Iterator[House]:
    found = House(load_settings({"data_dir": str(data_dir)}, {"GARRISON_CONFIG": ""}))
    yield found
    found.close()


def test_a_partner_is_registered_from_a_file(house: House, garrison: Garrison, tmp_path: Path):
    file = tmp_path / "partner.json"
    file.write_bytes(registration())
    first = garrison("delegation", "register", str(file))
    assert first.exit_code == 0, first.output
    found = json.loads(first.output)
    assert found["templates"] == [partners.template_arn(DOMAIN, name) for name in ("SetUp_20260101", "Whole_20260101")]
    assert found["boundaries"] == [partners.boundary_arn(DOMAIN, BOUNDARY)]
    assert set(found["secrets"]) == {TOPIC}
    again = json.loads(garrison("delegation", "register", str(file)).output)
    assert again["secrets"] == {}, "shown once"
    listed = json.loads(garrison("delegation", "list").output)
    assert [each["domain"] for each in listed["partners"]] == [DOMAIN]
    assert listed["access"] == []
    house.state.store.refresh()
    names = [json.loads(event.record)["eventName"] for event in house.events()]
    assert names.count("DelegationPartnerRegistered") == 2


def test_what_is_not_checked_is_not_registered(house: House, garrison: Garrison, tmp_path: Path):
    file = tmp_path / "partner.json"
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for text in (registration(templates={"All_20260101": everything}), registration(accounts=["1"]), b"{", b"\xff\xfe"):
        file.write_bytes(text)
        result = garrison("delegation", "register", str(file))
        assert (result.exit_code, "was not registered" in result.output) == (2, True)
    file.write_bytes(b" " * (1024 * 1024 + 1))
    assert garrison("delegation", "register", str(file)).exit_code == 2
    assert json.loads(garrison("delegation", "list").output)["partners"] == []
    assert house.state.store.reading().all("SELECT domain FROM iam_delegation_partner") == []


def test_messages_are_read_and_access_is_revoked(house: House, garrison: Garrison):
    world = Delegating(house)
    token = world.release()
    house.state.store.commit()
    printed = [json.loads(json.loads(line)["Message"]) for line in garrison("delegation", "messages", TOPIC).output.splitlines()]
    assert printed[-1]["ExchangeToken"] == token
    assert garrison("delegation", "messages", f"{TOPIC}s").output == ""
    request = printed[-1]["RequestId"]
    (access,) = json.loads(garrison("delegation", "list").output)["access"]
    assert (access["request"], access["partner"], access["account"]) == (request, PARTNER, world.account)
    key = world.trade(token)
    assert house.client("iam", key).list_users()
    revoked = garrison("delegation", "revoke", request)
    assert revoked.exit_code == 0, revoked.output
    assert refusal(house.client("iam", key).list_users) == "InvalidClientTokenId"
    assert refusal(house.client("sts", world.key).get_delegated_access_token, TradeInToken=token) == "AccessDenied"
    assert json.loads(garrison("delegation", "list").output)["access"] == []
    for unknown in (request, "dr-nothing"):
        result = garrison("delegation", "revoke", unknown)
        assert (result.exit_code, "no access" in result.output) == (1, True)
    events = [json.loads(event.record) for event in house.events()]
    (event,) = [each for each in events if each["eventName"] == "DelegationRevoked"]
    assert event["recipientAccountId"] == world.account
