"""One root key in another's place: nothing is lost on the way, and the old one opens nothing afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from garrison.keys import rewrap as module
from garrison.keys.keyring import Keyring, _derived, fingerprint
from garrison.keys.rewrap import COLUMNS, GRACE, rewrap, sweep, unfinished
from garrison.store import SchemaError, Store, open_store
from tests.support.needs import ROOT
from tests.support.stores import Place, migrated, place, shared

__all__ = ["migrated", "place", "shared"]

OLD = bytes(range(32))
NOW = 1_790_000_000.0
KEYS = 450
"""More than two batches."""


@dataclass
class House:
    """A store on disk, a keyring, and a custody that can be made to fail."""

    folder: Path
    store: Store
    keyring: Keyring
    kept: list[bytes] = field(default_factory=list)

    def keep(self, root: bytes) -> None:
        self.kept.append(root)

    def rewrap(self, keep: Callable[[bytes], None] | None = None, settle: Callable[[float], None] = lambda _seconds: None) -> int:
        return rewrap(self.store, self.keyring, keep or self.keep, now=lambda: NOW, settle=settle)

    def secrets(self, keyring: Keyring) -> list[str]:
        rows = self.store.reading().all("SELECT access_key_id, secret FROM iam_access_key ORDER BY access_key_id")
        return [keyring.unseal("access-key", blob, name.encode()).decode() for name, blob in rows]

    def reopened(self, root: bytes, now: float = NOW) -> Store:
        return open_store(self.folder, sealer=Keyring(root, clock=lambda: now), slot=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    keyring = Keyring(OLD, clock=lambda: NOW)
    store = open_store(tmp_path, sealer=keyring, slot=0)
    with store.writing() as tx:
        for number in range(KEYS):
            name = f"AKIA{number:016}"
            tx.run(
                "INSERT INTO iam_access_key (access_key_id, account, owner_id, secret, status, created) VALUES (?, ?, ?, ?, ?, ?)",
                name,
                "111122223333",
                "111122223333",
                keyring.seal("access-key", f"secret {number}".encode(), name.encode()),
                "Active",
                0.0,
            )
    store.commit()
    yield House(tmp_path, store, keyring)
    store.close()


def everything() -> list[str]:
    return [f"secret {number}" for number in range(KEYS)]


def opens(house: House, root: bytes, now: float = NOW) -> bool:
    """Whether a process that starts with this root finds everything."""
    keyring = Keyring(root, clock=lambda: now)
    try:
        store = open_store(house.folder, sealer=keyring, slot=2)
    except SchemaError:
        return False
    try:
        return house.secrets(keyring) == everything()
    finally:
        store.close()


def test_every_secret_is_sealed_anew_and_the_old_root_opens_nothing(house: House):
    assert house.rewrap() == KEYS
    (new,) = house.kept
    assert new != OLD
    assert house.secrets(house.keyring) == everything()
    assert opens(house, new)
    assert not opens(house, OLD)
    assert not unfinished(house.store, house.keyring)
    assert sweep(house.store, house.keyring) == 0
    with pytest.raises(SchemaError, match="another root key"):
        house.reopened(OLD)
    old = Keyring(OLD)
    (blob,) = house.store.reading().one("SELECT secret FROM iam_access_key LIMIT 1") or ()
    with pytest.raises(ValueError):
        old.unseal("access-key", blob, b"AKIA0000000000000000")


def test_it_can_be_done_again_and_again(house: House):
    for count in range(1, 6):
        assert house.rewrap() == KEYS
        assert len(set(house.kept)) == count
    assert opens(house, house.kept[-1])
    assert not any(opens(house, root) for root in (OLD, *house.kept[:-1]))


@pytest.mark.parametrize("stage", range(14))
def test_stopped_at_any_point_both_roots_open_everything_and_it_goes_on(
    house: House, stage: int, monkeypatch: pytest.MonkeyPatch
):
    steps = iter(range(1000))

    def stop_here() -> None:
        if next(steps) == stage:
            raise KeyboardInterrupt

    def keep(root: bytes) -> None:
        stop_here()
        house.keep(root)
        stop_here()

    real_turn, real_anew = house.store.turn_root, module._anew

    def turn_root(record: bytes, *, prove: bool = False) -> None:
        stop_here()
        real_turn(record, prove=prove)
        stop_here()

    def anew(*arguments: object) -> int:
        stop_here()
        return real_anew(*arguments)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(house.store, "turn_root", turn_root)
    monkeypatch.setattr(module, "_anew", anew)
    try:
        house.rewrap(keep)
        finished = True
    except KeyboardInterrupt:
        finished = False
    monkeypatch.undo()
    house.store.rollback()
    last = house.kept[-1] if house.kept else OLD
    assert opens(house, last), "what is in custody opens everything"
    if unfinished(house.store, house.keyring):
        assert opens(house, OLD), "and so does what was there before"
    house.rewrap()
    assert opens(house, house.kept[-1])
    assert not opens(house, OLD)
    assert finished or stage < 14


def test_another_process_follows_before_its_next_call(house: House):
    other = house.reopened(OLD)
    other_keyring = other._sealer
    assert isinstance(other_keyring, Keyring)
    # As a worker does each second, and before each call.
    house.rewrap(settle=lambda _seconds: other.refresh())
    assert house.secrets(other_keyring) == everything()
    blob = other_keyring.seal("access-key", b"x")
    assert house.keyring.sealed_now("access-key", blob)
    other.close()


def test_a_node_that_hears_late_never_meets_what_it_cannot_open(place: Place):
    """Two nodes on one database: one hears of the other's changes when it looks, between the steps and not before."""
    rings = [Keyring(OLD, clock=lambda: NOW) for _ in range(2)]
    here, there = (
        open_store(
            place.url or place.data_dir, sealer=ring, slot=number, data_dir=place.data_dir / f"{number}" if place.url else None
        )
        for number, ring in enumerate(rings)
    )
    turn_root, opened = here.turn_root, list[bytes]()

    def turned(record: bytes, *, prove: bool = False) -> None:
        turn_root(record, prove=prove)
        # At once, as a call would whose material was made on the other node a moment ago; and the other way round.
        opened.append(rings[1].unseal("purpose", rings[0].seal("purpose", b"from here")))
        opened.append(rings[0].unseal("purpose", rings[1].seal("purpose", b"from there")))

    def look(_seconds: float) -> None:
        there.poll()

    here.turn_root = turned  # type: ignore[method-assign] # watched
    rewrap(here, rings[0], lambda _root: None, now=lambda: NOW, settle=look)
    there.poll()
    assert opened == [b"from here", b"from there"] * 3
    assert rings[0].fingerprint == rings[1].fingerprint != Keyring(OLD).fingerprint
    for store in (here, there):
        store.close()


def earlier(roots: list[bytes], readers: list[bytes], retire_at: float | None) -> bytes:
    """A record of the first form, without a stage."""
    state = json.dumps({"roots": [one.hex() for one in roots], "mac_root": OLD.hex(), "retire_at": retire_at}).encode()
    entries = []
    for reader in readers:
        cipher, nonce = AESGCM(_derived(reader, "seal", "root-ring")), bytes(12)
        entries.append({"by": fingerprint(reader), "sealed": (nonce + cipher.encrypt(nonce, state, b"")).hex()})
    return json.dumps({"entries": entries}).encode()


def test_a_record_of_an_earlier_form_is_gone_on_with(house: House):
    new = b"n" * 32
    house.store.turn_root(earlier([new, OLD], [new, OLD], None))
    assert unfinished(house.store, house.keyring)
    assert house.rewrap() == KEYS
    assert house.kept == [new]
    house.store.turn_root(earlier([new, OLD], [new], NOW + GRACE))
    assert not unfinished(house.store, house.keyring)
    assert house.rewrap() == KEYS
    assert opens(house, house.kept[-1])
    assert not opens(house, new)


def test_the_stage_cannot_be_changed_by_who_writes_the_database(house: House):
    """Not even in the form of the record: what it says is sealed."""
    record = house.keyring.announce(bytes(32))
    document = json.loads(record)
    for entry in document["entries"]:
        entry["stage"] = "ended"
    document["stage"] = "ended"
    assert house.keyring.stage_of(json.dumps(document).encode()) == "announced"
    with pytest.raises(ValueError, match="another root key's"):
        Keyring(b"x" * 32).stage_of(record)


def test_what_a_straggler_sealed_under_the_old_root_is_found(house: House):
    old = Keyring(OLD)

    def straggle(_seconds: float) -> None:
        with house.store.writing() as tx:
            sealed = old.seal("access-key", b"secret 0", b"AKIA" + b"0" * 16)
            tx.run("UPDATE iam_access_key SET secret = ? WHERE access_key_id = ?", sealed, "AKIA" + "0" * 16)
        house.store.commit()
        stragglers.append(1)

    stragglers: list[int] = []
    house.rewrap(settle=lambda seconds: straggle(seconds) if len(stragglers) < 2 else None)
    assert opens(house, house.kept[-1])


def test_tokens_of_before_open_until_the_grace_is_over(house: House):
    token = Keyring(OLD).seal("session-token", b"grant")
    house.rewrap()
    assert house.keyring.unseal("session-token", token) == b"grant"
    (new,) = house.kept
    for now, good in ((NOW + GRACE - 1, True), (NOW + GRACE, False)):
        late = Keyring(new, clock=partial(float, now))
        store = open_store(house.folder, sealer=late, slot=3)
        if good:
            assert late.unseal("session-token", token) == b"grant"
        else:
            with pytest.raises(ValueError):
                late.unseal("session-token", token)
        store.close()


def test_macs_stay_what_they_were(house: House):
    before = house.keyring.mac("audit", b"x")
    house.rewrap()
    assert house.keyring.mac("audit", b"x") == before
    late = house.reopened(house.kept[-1])
    assert late._sealer.mac("audit", b"x") == before
    late.close()


def test_a_copy_of_before_is_restored_with_the_old_root_alone(house: House, tmp_path: Path):
    house.store.backup(tmp_path / "backup")
    house.rewrap()
    with pytest.raises(SchemaError, match="another root key"):
        house.store.restore(tmp_path / "backup")
    assert house.secrets(house.keyring) == everything()
    house.store.backup(tmp_path / "newer")
    house.store.restore(tmp_path / "newer")
    elsewhere = open_store(tmp_path / "elsewhere", sealer=Keyring(OLD), slot=0)
    elsewhere.restore(tmp_path / "backup")
    elsewhere.close()


def test_a_custody_that_fails_leaves_the_old_root_good(house: House):
    def fails(_root: bytes) -> None:
        raise OSError

    with pytest.raises(OSError):
        house.rewrap(fails)
    assert opens(house, OLD)
    house.rewrap()
    assert not opens(house, OLD)


def test_a_record_that_was_altered_is_not_followed(house: House):
    record = house.keyring.announce(bytes(32))
    mine = record.index(b'"sealed": "') + 40
    for at in range(mine, mine + 20):
        altered = bytearray(record)
        altered[at] = ord("0") if altered[at] != ord("0") else ord("1")
        with pytest.raises(ValueError, match="damaged"):
            Keyring(OLD).follow(bytes(altered))
    stranger = Keyring(b"x" * 32)
    stranger.follow(record)
    assert stranger.fingerprint == Keyring(b"x" * 32).fingerprint


OPEN = {
    ("meta", "value"),  # sealed in part, under keys of its own: the record of roots, and the proof of the root
    ("audit_chain", "mac"),
    ("audit_head", "hash"),
    ("audit_head", "mac"),
    ("audit_event", "hash"),
    ("iam_mfa_device", "credential_id"),
    ("iam_mfa_device", "public_key"),
    ("iam_delegation_request", "token_mac"),
    ("signin_session", "proof"),
    ("signin_code", "code_hash"),
    ("signin_used", "id"),
}
"""Bytes of the schema that are not sealed: MACs, digests and public keys."""


def test_every_sealed_column_is_on_the_list():
    """Each BLOB of the schema is sealed and on it, or named here as what needs no seal."""
    found: set[tuple[str, str]] = set()
    for path in (ROOT / "src" / "garrison" / "store" / "migrations").glob("*.sql"):
        table = ""
        for line in path.read_text().splitlines():
            begun = re.match(r"(?:CREATE TABLE|ALTER TABLE) (\w+)", line)
            table = begun[1] if begun else table
            column = re.match(r"(?:\s+|ALTER TABLE \w+ ADD COLUMN )(\w+) BLOB", line)
            if column:
                found.add((table, column[1]))
    assert found == {(column.table, column.column) for column in COLUMNS} | OPEN


def test_messages_to_partners_are_sealed_anew(place: Place):
    """They are bound to a number among other things, and kept by it."""
    keyring = Keyring(OLD, clock=lambda: NOW)
    house = House(place.data_dir, place.open(sealer=keyring), keyring)
    topic, bodies = "arn:aws:sns:us-east-1:111122223333:t", [b"one", b"two", b"three"]
    with house.store.writing() as tx:
        tx.run(
            "INSERT INTO iam_delegation_topic (topic_arn, domain, url, authority, secret) VALUES (?, 'example.com', '', '', ?)",
            topic,
            house.keyring.seal("delegation-topic", b"key", topic.encode()),
        )
        for position, body in enumerate(bodies, 9):
            sealed = house.keyring.seal("delegation-notice", body, f"{topic} {position}".encode())
            tx.run(
                "INSERT INTO iam_delegation_notice (position, topic_arn, body, created, attempts) VALUES (?, ?, ?, 0, 0)",
                position,
                topic,
                sealed,
            )
    house.store.commit()
    assert house.rewrap() == 4
    new = Keyring(house.kept[0])
    ((secret,),) = house.store.reading().all("SELECT secret FROM iam_delegation_topic")
    assert new.unseal("delegation-topic", secret, topic.encode()) == b"key"
    rows = house.store.reading().all("SELECT position, body FROM iam_delegation_notice ORDER BY position")
    assert [new.unseal("delegation-notice", body, f"{topic} {at}".encode()) for at, body in rows] == bodies
