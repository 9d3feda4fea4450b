"""A token behind a process: what it does, and that it can fail without taking anybody with it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from garrison.keys.hsm import agent as module
from garrison.keys.hsm.agent import Agent, HsmError, Token
from tests.support.softhsm import SoftHsm, soft_hsm

__all__ = ["soft_hsm"]

PIN = "1234567"
IV = bytes(range(12))


@pytest.fixture
def agent(soft_hsm: SoftHsm) -> Iterator[Agent]:
    soft_hsm.new_token("store", PIN)
    made = Agent(Token(soft_hsm.module, "store", PIN))
    yield made
    made.close()


def test_a_key_encrypts_and_decrypts_in_the_token(agent: Agent):
    agent.log_in()
    assert not agent.has_key("one")
    agent.make_key("one")
    assert agent.has_key("one")
    sealed = agent.encrypt("one", IV, b"aad", b"secret")
    assert len(sealed) == len(b"secret") + 16
    assert agent.decrypt("one", IV, b"aad", sealed) == b"secret"


def test_the_key_never_leaves_the_token(agent: Agent, soft_hsm: SoftHsm):
    agent.make_key("one")
    listed = soft_hsm.objects("store", PIN)
    assert "one" in listed
    assert "never extractable" in listed
    assert "sensitive" in listed


def test_what_was_altered_is_refused_and_the_token_goes_on(agent: Agent):
    agent.make_key("one")
    agent.make_key("two")
    sealed = agent.encrypt("one", IV, b"aad", b"secret")
    altered = [
        ("one", IV, b"aad", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("one", IV, b"aaD", sealed),
        ("one", bytes(12), b"aad", sealed),
        ("two", IV, b"aad", sealed),
    ]
    for arguments in altered:
        with pytest.raises(HsmError) as refused:
            agent.decrypt(*arguments)
        assert refused.value.kind == module.REFUSED
    assert agent.decrypt("one", IV, b"aad", sealed) == b"secret"


def test_a_destroyed_key_is_gone(agent: Agent):
    agent.make_key("one")
    agent.destroy_key("one")
    agent.destroy_key("one")
    assert not agent.has_key("one")
    with pytest.raises(HsmError, match=module.NO_KEY):
        agent.encrypt("one", IV, b"", b"x")


def test_random_bytes_come_from_the_token(agent: Agent):
    assert len(agent.random(32)) == 32
    assert agent.random(32) != agent.random(32)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"pin": "7654321"}, module.BAD_PIN),
        ({"label": "elsewhere"}, module.NO_TOKEN),
        ({"module": "/nowhere/lib.so"}, module.NO_TOKEN),
    ],
)
def test_what_cannot_be_logged_in_to_says_why(soft_hsm: SoftHsm, change: dict[str, str], kind: str):
    soft_hsm.new_token("store", PIN)
    token = Token(**{"module": soft_hsm.module, "label": "store", "pin": PIN, **change})
    agent = Agent(token)
    with pytest.raises(HsmError) as refused:
        agent.log_in()
    agent.close()
    assert refused.value.kind == kind
    assert "7654321" not in repr(token)


def test_a_process_that_was_killed_is_started_again(agent: Agent):
    agent.log_in()
    for _ in range(3):
        process = agent._process
        assert process is not None
        process.kill()
        process.wait()
        assert len(agent.random(4)) == 4


def test_a_process_that_hangs_is_ended_in_time(agent: Agent):
    agent.log_in()
    process = agent._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    agent._seconds = 0.2
    with pytest.raises(HsmError, match=module.TIMED_OUT):
        agent.random(4)
    assert process.poll() == -signal.SIGKILL
    agent._seconds = module.SECONDS
    assert len(agent.random(4)) == 4


@pytest.mark.parametrize(
    "program",
    [
        "print('garbage', flush=True)",
        "print('[]', flush=True)",
        "print('17', flush=True)",
        "print('{\"answer\": 17}', flush=True)",
        'print(\'{"error": "/etc/shadow"}\', flush=True)',
        "raise SystemExit",
        "import sys; sys.stdout.write('x' * 3_000_000)",
    ],
)
def test_whatever_the_library_says_is_a_failure_and_no_answer(monkeypatch: pytest.MonkeyPatch, program: str):
    monkeypatch.setattr(module, "_COMMAND", (sys.executable, "-c", f"input(); {program}"))
    agent = Agent(Token("m", "t", "p"))
    with pytest.raises(HsmError) as failed:
        agent.encrypt("k", IV, b"", b"x")
    agent.close()
    assert failed.value.kind == module.FAILED


def test_whoever_waits_for_their_turn_waits_no_longer_than_the_time(agent: Agent):
    agent.log_in()
    agent._seconds = 0.2
    agent._lock.acquire()
    with pytest.raises(HsmError, match=module.TIMED_OUT):
        agent.random(1)
    agent._lock.release()


def test_threads_take_turns(agent: Agent):
    agent.make_key("one")
    opened: list[bytes] = []

    def work(number: int) -> None:
        text = str(number).encode()
        opened.append(agent.decrypt("one", IV, text, agent.encrypt("one", IV, text, text)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    every(threads, threading.Thread.start)
    every(threads, threading.Thread.join)
    assert sorted(opened) == [str(number).encode() for number in range(8)]


def every(things: list[Any], action: Callable[[Any], None]) -> None:
    for thing in things:
        action(thing)
