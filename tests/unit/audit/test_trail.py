"""Lookups find what was written, whoever wrote it and wherever it waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from garrison.audit import Recorder, Resource, Trail
from tests.support.events import ACCOUNT, ALICE, decision, event, write_event
from tests.support.stores import Place

T0 = 1_700_000_000
OTHER = "210987654321"


@pytest.fixture
def trail(place: Place) -> Trail:
    store = place.open(0)
    recorder = Recorder(store, place.data_dir, place.sealer)
    key = Resource(f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k1", ACCOUNT, "AWS::KMS::Key")
    bob = replace(ALICE, name="Bob", id="AIDABOB", arn=f"arn:aws:iam::{ACCOUNT}:user/Bob", access_key_id="AKIABOB")
    for number, one in enumerate(
        [
            event("ListUsers", now=T0 + 1, event_id="e0"),
            event("GetUser", now=T0 + 2, event_id="e1", principal=bob),
            write_event(now=T0 + 3, event_id="e2"),
            event("Decrypt", now=T0 + 3, event_id="e3", source="kms.amazonaws.com", resources=[key], region="eu-west-1"),
            event("GetUser", now=T0 + 4, event_id="e4", error=("AccessDenied", "no"), principal=bob),
            event("GetUser", now=T0 + 5, event_id="e5", account=OTHER),
        ]
    ):
        if one.read_only:
            recorder.observe(one, decision() if number else None)
        else:
            with store.writing():
                recorder.write(one, decision())
        recorder.flush()
    return Trail(store, place.data_dir, recorder)


def ids(trail: Trail, **criteria: object) -> list[str]:
    return [entry["event"]["eventID"] for entry in trail.lookup(ACCOUNT, **criteria)]


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({}, ["e4", "e3", "e2", "e1", "e0"]),
        ({"event_name": "GetUser"}, ["e4", "e1"]),
        ({"user_name": "Bob"}, ["e4", "e1"]),
        ({"user_name": "bob"}, []),
        ({"access_key_id": "AKIABOB"}, ["e4", "e1"]),
        ({"event_id": "e2"}, ["e2"]),
        ({"event_id": "e5"}, []),
        ({"event_source": "kms.amazonaws.com"}, ["e3"]),
        ({"read_only": False}, ["e2"]),
        ({"read_only": True, "event_name": "GetUser"}, ["e4", "e1"]),
        ({"error_code": "AccessDenied"}, ["e4"]),
        ({"region": "eu-west-1"}, ["e3"]),
        ({"resource_type": "AWS::KMS::Key"}, ["e3"]),
        ({"resource_name": "k1"}, ["e3"]),
        ({"resource_name": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k1"}, ["e3"]),
        ({"resource_name": "Bob"}, ["e2"]),
        ({"start": T0 + 2, "end": T0 + 3}, ["e3", "e2", "e1"]),
        ({"start": T0 + 3, "end": T0 + 3, "user_name": "Alice"}, ["e3", "e2"]),
        ({"start": T0 + 100}, []),
        ({"event_name": None}, ["e4", "e3", "e2", "e1", "e0"]),
    ],
)
def test_lookup(trail: Trail, criteria: dict[str, object], found: list[str]):
    assert sorted(ids(trail, **criteria), reverse=True) == found
    times = [entry["event"]["eventTime"] for entry in trail.lookup(ACCOUNT, **criteria)]
    assert times == sorted(times, reverse=True)


def test_pages_join_without_a_hole(trail: Trail):
    whole = ids(trail)
    paged: list[str] = []
    after = None
    while page := trail.lookup(ACCOUNT, limit=2, after=after):
        assert len(page) <= 2
        paged += [entry["event"]["eventID"] for entry in page]
        after = page[-1]["position"]
    assert paged == whole


def test_an_entry_has_everything(trail: Trail):
    (entry,) = trail.lookup(ACCOUNT, event_id="e3")
    assert entry["event"]["eventName"] == "Decrypt"
    assert entry["resources"] == [{"type": "AWS::KMS::Key", "name": "k1", "arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k1"}]
    assert (entry["user_name"], entry["access_key_id"]) == ("Alice", "AKIAIOSFODNN7EXAMPLE")
    assert entry["decision"]["matched"][0]["policy"] == "arn:aws:iam::aws:policy/IAMFullAccess"
    assert entry["record"].startswith('{"eventVersion":"1.11"')


def test_a_request_is_found_with_its_decision(trail: Trail):
    (entry,) = trail.lookup(ACCOUNT, event_id="e4")
    request_id = entry["event"]["requestID"]
    found = trail.find(request_id)
    assert found == entry
    assert trail.find(request_id, ACCOUNT) == entry
    assert trail.find(request_id, OTHER) is None
    assert trail.find("none") is None


def test_an_unknown_criterion_is_an_error(trail: Trail):
    with pytest.raises(TypeError, match="`colour`"):
        trail.lookup(ACCOUNT, colour="blue")


def test_another_worker_and_the_command_line_see_what_still_waits(trail: Trail, place: Place):
    before = set(ids(trail))
    beside = place.open(1)
    recorder = Recorder(beside, place.data_dir, place.sealer, 1)
    recorder.observe(event(event_id="near", now=T0 + 6), None)
    recorder.flush()
    assert set(ids(trail)) == before | {"near"}
    assert set(ids(Trail(place.open(2), place.data_dir))) == before | {"near"}
    recorder.ship()
    assert set(ids(trail)) == before | {"near"}


def test_values_are_values(trail: Trail):
    assert ids(trail, user_name="' OR '1'='1") == []
