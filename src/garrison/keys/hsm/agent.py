"""The server's side of a token: requests to the process that holds it, each bounded in time.

A process that does not answer in time is killed; the next request starts a new one. Threads may share an agent; they take turns.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import IO, Any

SECONDS = 5.0
"""How long a token may take over one request: a network HSM answers in milliseconds."""
_LARGEST = 1 << 20
_COMMAND = (sys.executable, "-I", "-m", "garrison.keys.hsm.process")

NO_TOKEN = "no token"  # noqa: S105 - a kind of failure
BAD_PIN = "bad pin"
LOCKED_PIN = "locked pin"
NO_KEY = "no key"
REFUSED = "refused"
"""The token works, and does not decrypt this: it was altered, or is of another key."""
FAILED = "failed"
TIMED_OUT = "timed out"
_KINDS = frozenset({NO_TOKEN, BAD_PIN, LOCKED_PIN, NO_KEY, REFUSED, FAILED})


class HsmError(Exception):
    """A token that did not do what it was asked. ``kind`` is one of the constants of this module; no word of the library's."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the user who logs in to it."""

    module: str
    """The vendor's PKCS#11 library: the path of a shared object."""
    label: str
    pin: str = field(repr=False)


class Agent:
    """Speaks to one token. The process starts with the first request."""

    def __init__(self, token: Token, *, seconds: float = SECONDS) -> None:
        self._token = token
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    # What a token does. Each raises HsmError.

    def log_in(self) -> None:
        """Find the token and log in."""
        self._ask("log_in")

    def make_key(self, label: str) -> None:
        """Generate an AES-256 key in the token: sensitive, never extractable."""
        self._ask("make_key", label=label)

    def has_key(self, label: str) -> bool:
        """Whether there is a key of that label."""
        return bool(self._ask("has_key", label=label))

    def destroy_key(self, label: str) -> None:
        """Destroy a key; nothing where there is none."""
        self._ask("destroy_key", label=label)

    def encrypt(self, label: str, iv: bytes, associated: bytes, plaintext: bytes) -> bytes:
        """AES-256-GCM: ciphertext and tag (16 bytes)."""
        found = self._ask("encrypt", label=label, iv=_text(iv), associated=_text(associated), data=_text(plaintext))
        return self._bytes(found)

    def decrypt(self, label: str, iv: bytes, associated: bytes, ciphertext: bytes) -> bytes:
        """The plaintext of ciphertext and tag; HsmError REFUSED where they are not this key's."""
        found = self._ask("decrypt", label=label, iv=_text(iv), associated=_text(associated), data=_text(ciphertext))
        return self._bytes(found)

    def random(self, length: int) -> bytes:
        """Random bytes of the token's own generator."""
        found = self._bytes(self._ask("random", length=length))
        if len(found) != length:
            raise HsmError(FAILED)
        return found

    def close(self) -> None:
        """End the process; whoever waits for its answer hears of a failure. Waits for nobody."""
        self._closed = True
        process = self._process
        if self._lock.acquire(blocking=False):
            self._end()
            self._lock.release()
        elif process is not None:
            process.kill()

    # The process

    def _ask(self, request: str, **members: Any) -> Any:  # noqa: ANN401 - JSON values
        deadline = time.monotonic() + self._seconds
        if not self._lock.acquire(timeout=self._seconds):
            raise HsmError(TIMED_OUT)
        try:
            answer = self._exchange({"request": request, **members}, deadline)
        finally:
            if self._closed:
                self._end()
            self._lock.release()
        kind = answer.get("error")
        if kind is not None:
            raise HsmError(kind if kind in _KINDS else FAILED)
        return answer.get("answer")

    def _exchange(self, document: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Send and receive; the process does not outlive a failure, since what it would say next is unknown."""
        token = {"module": self._token.module, "token": self._token.label, "pin": self._token.pin}
        try:
            sending, receiving = self._pipes()
            sending.write(json.dumps({**document, **token}).encode() + b"\n")
            sending.flush()
            found: dict[str, Any] = dict(json.loads(_line(receiving.fileno(), deadline)))
        except HsmError:
            self._end()
            raise
        except (OSError, TypeError, ValueError):  # it is gone, or what it says is no answer
            self._end()
            raise HsmError(FAILED) from None
        return found

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """Its input and its output; of a new process where there is none."""
        process = self._process
        if process is None or process.poll() is not None:
            self._end()
            process = self._process = subprocess.Popen(  # noqa: S603 - this program's own interpreter and module
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
            )
        if process.stdin is None or process.stdout is None:
            msg = "a process without its pipes"
            raise ValueError(msg)
        return process.stdin, process.stdout

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    @staticmethod
    def _bytes(value: Any) -> bytes:  # noqa: ANN401 - a JSON value
        try:
            return b64decode(value, validate=True)
        except (TypeError, ValueError):
            raise HsmError(FAILED) from None


def _line(descriptor: int, deadline: float) -> bytes:
    """What comes until the end of a line. Raises HsmError TIMED_OUT; FAILED where the process ended or says too much."""
    parts = b""
    while not parts.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise HsmError(TIMED_OUT)
        chunk = os.read(descriptor, 65536)
        parts += chunk
        if not chunk or len(parts) > _LARGEST:
            raise HsmError(FAILED)
    return parts


def _text(value: bytes) -> str:
    return b64encode(value).decode()
