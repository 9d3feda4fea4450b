"""An inspector as a process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = """
import os, re, socket, sys
from garrison.edge.proxy import inspector

inspector.STUCK_SECONDS = 0.5

class Source:
    def poll(self):
        return None

def answer(question):
    if b"/stuck" in question.head:
        re.search(b"(?:a|aa)+$", b"a" * 60 + b"b")
    return b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n"

sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen()
print("ready", flush=True)
reading, _writing = os.pipe()
inspector.Inspector(sock, None, answer, Source(), None, lambda: (b"", "")).run(reading)
"""


def ask(path: Path, target: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(60)
        one.connect(str(path))
        one.sendall(b"GET " + target + b" HTTP/1.1\r\n\r\n")
        return one.recv(1000)


@pytest.fixture
def inspector(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    path = tmp_path / "s"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process, path
        process.kill()


def test_a_request_that_never_ends_ends_the_process_and_not_the_service(inspector: tuple[subprocess.Popen[bytes], Path]):
    process, path = inspector
    assert ask(path, b"/").startswith(b"HTTP/1.1 200 ")
    assert ask(path, b"/stuck") == b""
    assert process.wait(60) == -signal.SIGVTALRM


def test_a_process_that_has_nothing_to_do_lives_on_until_it_is_told(inspector: tuple[subprocess.Popen[bytes], Path]):
    process, path = inspector
    assert ask(path, b"/").startswith(b"HTTP/1.1 200 ")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
