"""Codes used up and counted. Attacks: a code again, a code of somebody else's device, guesses, one code on two workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest

from garrison.identity import attempts
from garrison.identity.mfa import devices, totp
from garrison.identity.mfa.devices import Device, Judged
from garrison.keys.keyring import Keyring
from garrison.store import Conflict, Store, StoreUnavailable, open_store

SEALER = Keyring(bytes(32))
ACCOUNT, BOB, EVE = "111122223333", "AIDABOB", "AIDAEVE"
NOW = 1_700_000_010.0
HERE = totp.counter_at(NOW)
SEEDS = {"bob": bytes(range(20)), "second": bytes(range(1, 21)), "eve": bytes(range(2, 22))}


def arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:mfa/{name}"


def made(name: str, owner: str | None, account: str = ACCOUNT) -> Device:
    serial = arn(name)
    seed = devices.sealed_seed(SEALER, account, serial, SEEDS[name])
    return Device(account, serial, "virtual", NOW, owner, NOW if owner else None, seed, 0, -1)


def fill(store: Store) -> Store:
    with store.writing() as tx:
        for name, owner in (("bob", BOB), ("second", BOB), ("eve", EVE)):
            devices.add(tx, made(name, owner))
    store.commit()
    return store


@pytest.fixture
def store() -> Iterator[Store]:
    found = fill(open_store("", sealer=SEALER, memory=True))
    yield found
    found.close()


def give(store: Store, code: str, now: float = NOW, *, owner: str = BOB, serial: str = "bob", account: str = ACCOUNT) -> Judged:
    with store.writing() as tx:
        found = devices.verify_code(tx, SEALER, account=account, owner_id=owner, serial=arn(serial), code=code, now=now)
    store.commit()
    return found


def code(steps: int = 0, device: str = "bob") -> str:
    return totp.code_of(SEEDS[device], HERE + steps)


def test_a_right_code_is_accepted(store: Store):
    found = give(store, code())
    assert found.accepted
    assert found.device is not None
    assert (found.device.serial, found.counter) == (arn("bob"), HERE)


def test_a_code_is_good_once_and_none_before_it(store: Store):
    assert give(store, code()).accepted
    assert give(store, code()).refusal == "code"
    assert give(store, code(-1)).refusal == "code"
    assert give(store, code(1)).accepted


def test_a_code_of_another_device_is_wrong(store: Store):
    assert give(store, code(device="second")).refusal == "code"
    assert give(store, code(device="second"), serial="second").accepted
    assert give(store, code(device="eve")).refusal == "code"


@pytest.mark.parametrize(
    ("owner", "serial", "account"),
    [(BOB, "eve", ACCOUNT), (BOB, "nobody", ACCOUNT), ("", "bob", ACCOUNT), (BOB, "bob", "444455556666")],
)
def test_a_device_that_is_not_the_owners_proves_nothing_and_counts_for_nothing(
    store: Store, owner: str, serial: str, account: str
):
    for _ in range(20):
        right = code(device=serial) if serial in SEEDS else code()
        assert give(store, right, owner=owner, serial=serial, account=account).refusal == "device"
    assert give(store, code()).accepted


def test_a_flood_of_guesses_is_locked_out_and_then_the_right_code_too(store: Store):
    for _ in range(attempts.CODE.free):
        assert give(store, "000000").refusal == "code"
    assert give(store, code()).refusal == "locked"
    assert give(store, code(device="second"), serial="second").refusal == "locked", "eight devices are no easier than one"
    assert give(store, code(device="eve"), owner=EVE, serial="eve").accepted, "nobody else is locked out"
    later = NOW + attempts.CODE.first
    assert give(store, totp.code_of(SEEDS["bob"], totp.counter_at(later)), later).accepted


def test_a_restart_forgets_no_guess(tmp_path: Path):
    first = fill(open_store(tmp_path, sealer=SEALER))
    for _ in range(attempts.CODE.free):
        give(first, "000000")
    assert give(first, code(1)).refusal == "locked"
    first.close()
    second = open_store(tmp_path, sealer=SEALER)
    assert give(second, code()).refusal == "locked"
    second.close()


def test_guesses_that_were_looked_at_before_the_lock_tell_nothing_after_it(store: Store):
    """Many calls at one time: each is judged while nothing is locked, and the right one among them comes last."""
    asked = {"account": ACCOUNT, "owner_id": BOB, "serial": arn("bob"), "now": NOW}
    judged = [devices.judge(store.reading(), SEALER, code=f"{number:06}", **asked) for number in range(10)]  # type: ignore[arg-type] # members by name
    right = devices.judge(store.reading(), SEALER, code=code(), **asked)  # type: ignore[arg-type] # members by name
    assert right.accepted
    with store.writing() as tx:
        for each in judged:
            devices.settle(tx, each, NOW)
        assert devices.settle(tx, right, NOW).refusal == "locked"


def test_of_two_that_settle_one_code_one_wins(store: Store):
    asked = {"account": ACCOUNT, "owner_id": BOB, "serial": arn("bob"), "code": code(), "now": NOW}
    one, other = (devices.judge(store.reading(), SEALER, **asked) for _ in range(2))  # type: ignore[arg-type] # members by name
    assert one.accepted
    assert other.accepted
    with store.writing() as tx:
        assert devices.settle(tx, one, NOW).accepted
        assert devices.settle(tx, other, NOW).refusal == "code"


def test_of_many_workers_that_are_given_one_code_one_wins(tmp_path: Path):
    fill(open_store(tmp_path, sealer=SEALER)).close()
    results: list[bool] = []
    gate = Barrier(4)

    def worker(slot: int) -> None:
        store = open_store(tmp_path, sealer=SEALER, slot=slot)
        asked = {"account": ACCOUNT, "owner_id": BOB, "serial": arn("bob"), "code": code(), "now": NOW}
        judged = devices.judge(store.reading(), SEALER, **asked)  # type: ignore[arg-type] # members by name
        gate.wait()
        with store.writing() as tx:
            results.append(devices.settle(tx, judged, NOW).accepted)
        store.commit()
        store.close()

    threads = [Thread(target=worker, args=(slot,)) for slot in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, False, True]


def test_a_device_that_changed_hands_meanwhile_takes_no_code(store: Store):
    asked = {"account": ACCOUNT, "owner_id": BOB, "serial": arn("bob"), "code": code(), "now": NOW}
    judged = devices.judge(store.reading(), SEALER, **asked)  # type: ignore[arg-type] # members by name
    with store.writing() as tx:
        (device,) = [each for each in devices.of_owner(tx, ACCOUNT, BOB) if each.name == "bob"]
        devices.release(tx, device)
        assert not devices.settle(tx, judged, NOW).accepted


def test_resynchronization_moves_the_window(store: Store):
    """A clock that is 10 minutes ahead: its codes are wrong until two in a row were shown."""
    late = code(20)
    assert give(store, late).refusal == "code"
    device = devices.find(store.reading(), ACCOUNT, arn("bob"))
    assert device is not None
    judged = devices.judge_two(store.reading(), SEALER, device, code(20), code(21), NOW, owner_id=BOB)
    assert (judged.accepted, judged.counter, judged.drift) == (True, HERE + 21, 21)
    with store.writing() as tx:
        assert devices.settle(tx, judged, NOW).accepted
    assert give(store, code(21)).refusal == "code", "both are used"
    assert give(store, code(22)).accepted
    assert give(store, code(1)).refusal == "code", "the old window is gone"


def test_who_typed_slowly_is_not_out_of_step(store: Store):
    """The second of two codes was two minutes old when it arrived, and the clock is right all the same."""
    device = devices.find(store.reading(), ACCOUNT, arn("bob"))
    assert device is not None
    with store.writing() as tx:
        devices.settle(tx, devices.judge_two(tx, SEALER, device, code(-5), code(-4), NOW, owner_id=BOB), NOW)
    assert give(store, code()).accepted
    later = devices.find(store.reading(), ACCOUNT, arn("bob"))
    assert later is not None
    assert later.drift == 0


def test_a_clock_that_runs_slow_is_followed(store: Store):
    """A token that loses a step a month stays in step as long as it is used, and that without resynchronization."""
    now = NOW
    for lost in range(8):
        now += 30 * 86_400
        shown = totp.code_of(SEEDS["bob"], totp.counter_at(now) - lost)
        assert give(store, shown, now).accepted
    late = totp.code_of(SEEDS["bob"], totp.counter_at(now + 60) - 20)
    assert give(store, late, now + 60).refusal == "code"


def test_codes_that_were_recorded_do_not_turn_a_device_back(store: Store):
    """Attack: two old codes in a row are shown again, so that the third one recorded would be new to a device turned back."""
    recorded = [code(steps) for steps in (-8, -7, -6)]
    assert give(store, code()).accepted
    device = devices.find(store.reading(), ACCOUNT, arn("bob"))
    assert device is not None
    judged = devices.judge_two(store.reading(), SEALER, device, recorded[0], recorded[1], NOW, owner_id=BOB)
    assert judged.refusal == "code"
    assert give(store, recorded[2]).refusal == "code"


def test_a_released_device_remembers_its_codes(store: Store):
    assert give(store, code()).accepted
    with store.writing() as tx:
        device = devices.find(tx, ACCOUNT, arn("bob"))
        assert device is not None
        devices.release(tx, device)
    free = devices.find(store.reading(), ACCOUNT, arn("bob"))
    assert free is not None
    assert (free.owner_id, free.enabled, free.last_counter) == (None, None, HERE)
    assert devices.judge_two(store.reading(), SEALER, free, code(-1), code(), NOW).refusal == "code"
    assert devices.judge_two(store.reading(), SEALER, free, code(1), code(2), NOW).accepted


def test_a_seed_is_sealed_to_its_device(store: Store):
    bob, eve = (devices.find(store.reading(), ACCOUNT, arn(name)) for name in ("bob", "eve"))
    assert bob is not None
    assert eve is not None
    assert bob.seed is not None
    assert SEEDS["bob"] not in bob.seed
    with pytest.raises(ValueError):
        devices.opened_seed(SEALER, eve._replace(seed=bob.seed))
    with pytest.raises(ValueError):
        devices.opened_seed(Keyring(bytes([1] * 32)), bob)
    with pytest.raises(ValueError, match="no seed"):
        devices.opened_seed(SEALER, bob._replace(seed=None))


def test_serial_numbers_are_unique_regardless_of_case(store: Store):
    assert devices.find(store.reading(), ACCOUNT, arn("BOB")) == devices.find(store.reading(), ACCOUNT, arn("bob"))
    with pytest.raises((Conflict, StoreUnavailable)), store.writing() as tx:
        devices.add(tx, made("bob", None)._replace(serial=arn("Bob")))


def test_counts_and_owners(store: Store):
    with store.writing() as tx:
        devices.add(tx, made("bob", ACCOUNT)._replace(serial="GAHT12345678", kind="token"))
        devices.add(tx, made("bob", None)._replace(serial=arn("free")))
    assert devices.counts(store.reading(), ACCOUNT) == (4, 4, True)
    assert devices.counts(store.reading(), "444455556666") == (0, 0, False)
    assert devices.owners(store.reading(), ACCOUNT) == {ACCOUNT, BOB, EVE}
