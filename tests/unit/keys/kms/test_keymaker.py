from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from garrison.core.errors import CommonError
from garrison.core.ids import Random, system_random
from garrison.keys.kms.algorithms.base import Secret
from garrison.keys.kms.keymaker import Keymaker
from garrison.keys.kms.specs import SPECS, Spec


class Slow:
    """A key spec whose keys are made when the test says so."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Event()
        self.threads: set[str] = set()

    def make(self, random: Random) -> bytes:
        self.threads.add(threading.current_thread().name)
        self.begun.release()
        assert self.go_on.wait(30)
        return random(4)

    @property
    def spec(self) -> Spec:
        return Spec("SLOW", {}, self.make, lambda id, _: Secret(id), bits=1)  # noqa: A006 - AWS's word for it


def test_quick_keys_are_made_here():
    seen: list[str] = []

    def make(random: Random) -> bytes:
        seen.append(threading.current_thread().name)
        return random(2)

    assert Keymaker().make(replace(SPECS["HMAC_256"], make=make), bytes) == b"\0\0"
    assert seen == [threading.current_thread().name]


def test_whoever_comes_when_too_many_wait_is_told_to_come_back():
    slow, maker = Slow(), Keymaker(waiting=3)
    with ThreadPoolExecutor(3) as callers:
        waiting = [callers.submit(maker.make, slow.spec, system_random) for _ in range(3)]
        assert slow.begun.acquire(timeout=30)
        while maker._waiting._value:
            pass
        with pytest.raises(CommonError) as caught:
            maker.make(slow.spec, system_random)
        assert caught.value.kind == "throttled"
        slow.go_on.set()
        assert all(len(one.result()) == 4 for one in waiting)
    assert all(name.startswith("keymaker") for name in slow.threads)
    assert len(maker.make(slow.spec, system_random)) == 4  # there is room again


def test_a_key_that_cannot_be_made_leaves_its_place():
    def fail(_: Random) -> bytes:
        msg = "no entropy"
        raise OSError(msg)

    slow, maker = replace(Slow().spec, make=fail), Keymaker(waiting=1)
    for _ in range(3):
        with pytest.raises(OSError, match="no entropy"):
            maker.make(slow, system_random)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives threads priorities of their own")
def test_only_the_threads_of_the_keymaker_step_back():
    def own(_: Random) -> bytes:
        return bytes([os.getpriority(os.PRIO_PROCESS, threading.get_native_id())])

    here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    there = Keymaker().make(replace(Slow().spec, make=own), system_random)[0]
    assert there > here or here >= 10
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == here
