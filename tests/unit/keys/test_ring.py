"""Root keys in memory that forked processes share."""

from __future__ import annotations

import os

import pytest

from garrison.keys.keyring import Keyring
from garrison.keys.ring import MOST, Ring

ONE, TWO = b"1" * 32, b"2" * 32


def test_a_ring_begins_with_one_root():
    ring = Ring(ONE)
    assert (ring.roots, ring.mac_root) == ([ONE], ONE)


def test_a_turn_is_seen_by_a_child_and_by_the_parent():
    ring = Ring(ONE)
    before = ring.turns
    child = os.fork()
    if not child:
        ring.turn([TWO, ONE], ONE)
        os._exit(0)
    os.waitpid(child, 0)
    assert ring.turns != before
    assert (ring.roots, ring.mac_root) == ([TWO, ONE], ONE)


def test_a_keyring_seals_with_the_new_root_once_another_process_turned():
    keyring = Keyring(ONE)
    old = keyring.seal("purpose", b"x")
    child = os.fork()
    if not child:
        keyring.follow(keyring.announce(TWO))
        keyring.follow(keyring.begin_turn())
        os._exit(0)
    os.waitpid(child, 0)
    assert keyring.unseal("purpose", old) == b"x"
    assert not keyring.sealed_now("purpose", old)
    assert Keyring(TWO).unseal("purpose", keyring.seal("purpose", b"y")) == b"y"


@pytest.mark.parametrize("roots", [[], [b"short"], [ONE] * (MOST + 1)])
def test_roots_that_are_none(roots: list[bytes]):
    with pytest.raises(ValueError):
        Ring(ONE).turn(roots, ONE)


def test_forgetting_overwrites_everything():
    ring = Ring(ONE)
    ring.forget()
    assert ONE not in bytes(ring._memory)
