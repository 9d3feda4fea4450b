"""One-time codes. Vectors: RFC 4226, appendix D; RFC 6238, appendix B (SHA-1; the last 6 of its 8 digits)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison.identity.mfa import totp

SEED = b"12345678901234567890"
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
TOTP = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.parametrize(("counter", "code"), list(enumerate(HOTP)))
def test_rfc_4226(counter: int, code: str):
    assert totp.code_of(SEED, counter) == code


@pytest.mark.parametrize(("now", "code"), list(TOTP.items()))
def test_rfc_6238(now: int, code: str):
    assert totp.code_of(SEED, totp.counter_at(now)) == code[2:]
    assert totp.accepted(SEED, code[2:], float(now)) == now // 30


NOW = 1_700_000_010.0
HERE = totp.counter_at(NOW)


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_before_and_after_is_taken(steps: int, taken: bool):
    assert totp.accepted(SEED, totp.code_of(SEED, HERE + steps), NOW) == (HERE + steps if taken else None)


def test_the_window_moves_with_the_drift():
    ahead = totp.code_of(SEED, HERE + 10)
    assert totp.accepted(SEED, ahead, NOW) is None
    assert totp.accepted(SEED, ahead, NOW, drift=10) == HERE + 10
    assert totp.accepted(SEED, totp.code_of(SEED, HERE), NOW, drift=10) is None


@pytest.mark.parametrize(
    ("drift", "taken"), [(0, range(-1, 2)), (-2, range(-3, 2)), (4, range(-1, 6)), (5, range(4, 7)), (-5, range(-6, -3))]
)
def test_a_small_drift_may_be_somebody_who_typed_slowly(drift: int, taken: range):
    found = [steps for steps in range(-12, 13) if totp.accepted(SEED, totp.code_of(SEED, HERE + steps), NOW, drift=drift)]
    assert found == list(taken)


@pytest.mark.parametrize("steps", [-100, -1, 0, 1, 100])
def test_a_drift_is_what_was_seen(steps: int):
    assert totp.drift_of(HERE + steps, NOW) == steps


@given(st.integers(min_value=-3, max_value=3), st.integers(min_value=-3, max_value=3))
def test_no_code_of_a_counter_that_was_passed_is_taken(steps: int, after: int):
    found = totp.accepted(SEED, totp.code_of(SEED, HERE + steps), NOW, after=HERE + after)
    assert found is None or found > HERE + after


def test_two_in_a_row():
    first, second, third = (totp.code_of(SEED, HERE + steps) for steps in (-1, 0, 1))
    assert totp.consecutive(SEED, first, second, NOW) == HERE
    assert totp.consecutive(SEED, second, third, NOW) == HERE + 1
    assert totp.consecutive(SEED, second, first, NOW) is None
    assert totp.consecutive(SEED, first, third, NOW) is None
    assert totp.consecutive(SEED, first, first, NOW) is None


@pytest.mark.parametrize(("steps", "found"), [(-121, False), (-120, True), (120, True), (121, False)])
def test_two_in_a_row_are_looked_for_within_an_hour(steps: int, found: bool):
    two = totp.code_of(SEED, HERE + steps), totp.code_of(SEED, HERE + steps + 1)
    assert (totp.consecutive(SEED, *two, NOW) == HERE + steps + 1) is found


def test_two_in_a_row_that_were_passed_count_for_nothing():
    two = totp.code_of(SEED, HERE - 5), totp.code_of(SEED, HERE - 4)
    assert totp.consecutive(SEED, *two, NOW, after=HERE - 6) == HERE - 4
    assert totp.consecutive(SEED, *two, NOW, after=HERE - 5) is None


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "\uff17\uff15\uff15\uff12\uff12\uff14", "755 224", "\ud800", "0" * 100_000]
)
def test_anything_else_is_wrong(code: str):
    assert totp.accepted(SEED, code, 0.0) is None
    assert totp.consecutive(SEED, code, code, 0.0) is None


def test_a_seed_of_fewer_than_128_bits_is_refused():
    with pytest.raises(ValueError, match="128"):
        totp.code_of(bytes(15), 1)
    assert len(totp.code_of(bytes(16), 1)) == 6
