"""The background's rounds: messages in order, again after a pause, given up in the end, and never kept once they arrived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrison.config import load_settings
from garrison.identity.delegation import due
from garrison.identity.delegation.delivery import NotDeliveredError
from garrison.identity.delegation.due import FIRST_PAUSE, GIVE_UP_SECONDS, LONGEST_PAUSE, due_delegations
from garrison.identity.delegation.notices import Notice
from tests.support.delegation import PARTNER, TOPIC, Delegating, refusal
from tests.support.house import House
from tests.support.postgres import Cluster

SECOND = f"arn:aws:sns:us-east-1:{PARTNER}:second"


class Sender:
    """Where messages go; it fails for the topics that it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.failing: set[str] = set()
        self.secrets: set[bytes] = set()

    def __call__(self, notice: Notice, secret: bytes, _now: float) -> None:
        if notice.topic_arn in self.failing:
            raise NotDeliveredError("503")
        self.secrets.add(secret)
        message: dict[str, Any] = json.loads(json.loads(notice.body)["Message"])
        self.sent.append((notice.topic_arn, message["Type"] + " " + message["State"]))


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


@pytest.fixture
def world(house: House, monkeypatch: pytest.MonkeyPatch) -> Delegating:
    return Delegating(
        house, monkeypatch, topics={TOPIC: {"url": "https://partner.com/hook"}, SECOND: {"url": "https://partner.com/2"}}
    )


def at(world: Delegating, seconds: float, sender: Sender) -> None:
    now = world.house.worker.gateway.clock() + seconds
    due_delegations(world.house.state.store, world.house.state.keyring, now, send=sender)
    world.house.state.store.commit()


def kept(world: Delegating) -> int:
    row = world.house.state.store.reading().one("SELECT count(*) FROM iam_delegation_notice")
    assert row is not None
    return int(row[0])


STEPS = ["StateChange ASSIGNED", "StateChange ACCEPTED", "StateChange FINALIZED", "ExchangeToken FINALIZED"]


def test_messages_are_sent_in_order_and_forgotten(world: Delegating):
    world.release()
    sender = Sender()
    at(world, 0, sender)
    assert [text for _, text in sender.sent] == STEPS
    assert sender.secrets == {world.secrets[TOPIC].encode()}
    assert kept(world) == 0
    at(world, 0, sender)
    assert len(sender.sent) == len(STEPS)


def test_a_topic_that_fails_waits_longer_each_time_and_holds_up_no_other(world: Delegating):
    world.release()
    world.release(NotificationChannel=SECOND)
    sender = Sender()
    sender.failing = {TOPIC}
    at(world, 0, sender)
    assert [topic for topic, _ in sender.sent] == [SECOND] * 4
    assert kept(world) == 4
    sender.failing = set()
    at(world, FIRST_PAUSE - 1, sender)
    assert [text for topic, text in sender.sent if topic == TOPIC] == [], "those after the first do not overtake it"
    at(world, FIRST_PAUSE, sender)
    assert [text for topic, text in sender.sent if topic == TOPIC] == STEPS


def test_pauses_are_bounded_and_an_old_message_is_given_up(world: Delegating):
    world.release()
    sender = Sender()
    sender.failing = {TOPIC}
    seconds = 0.0
    for _ in range(40):
        at(world, seconds, sender)
        seconds += LONGEST_PAUSE
    row = world.house.state.store.reading().one("SELECT count(*) FROM iam_delegation_notice WHERE next_at IS NULL")
    assert row is not None
    assert row[0] == 4
    assert seconds > GIVE_UP_SECONDS
    sender.failing = set()
    at(world, seconds, sender)
    assert sender.sent == []
    assert len(world.messages()) == 4, "the operator can still read them"
    at(world, 8 * 86_400, sender)
    assert kept(world) == 0


def test_a_round_ends_in_time(world: Delegating, monkeypatch: pytest.MonkeyPatch):
    world.release()
    monkeypatch.setattr(due, "ROUND_SECONDS", -1.0)
    sender = Sender()
    at(world, 0, sender)
    assert (sender.sent, kept(world)) == ([], 4)


def test_messages_without_a_url_wait_for_the_operator(house: House):
    world = Delegating(house)
    world.release()
    sender = Sender()
    at(world, 0, sender)
    assert (sender.sent, kept(world)) == ([], 4)


def test_a_whole_delegation_on_postgresql(cluster: Cluster, tmp_path: Path):
    settings = load_settings({"data_dir": str(tmp_path / "data"), "store": cluster.database()}, {"GARRISON_CONFIG": ""})
    house = House(settings)
    try:
        world = Delegating(house, topics={TOPIC: {"url": "https://partner.com/hook"}}, single_use=True)
        token = world.release()
        key = world.trade(token)
        assert house.client("iam", key).list_users()["Users"]
        assert refusal(house.client("sts", world.key).get_delegated_access_token, TradeInToken=token) == "AccessDenied"
        listed = house.client("iam").list_delegation_requests()["DelegationRequests"]
        assert [each["State"] for each in listed] == ["FINALIZED"]
        sender = Sender()
        sender.failing = {TOPIC}
        at(world, 0, sender)
        sender.failing = set()
        at(world, FIRST_PAUSE, sender)
        assert [text for _, text in sender.sent] == STEPS
        at(world, 40 * 86_400, sender)
        assert house.client("iam").list_delegation_requests()["DelegationRequests"] == []
        assert refusal(house.client("iam", key).list_users) == "InvalidClientTokenId"
    finally:
        house.close()
