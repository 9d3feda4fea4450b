"""A connected socket each of whose waits ends at one deadline: what ``http.client`` needs of a socket.

A timeout of a socket bounds each wait alone, so that a peer that sends a byte now and then is waited for without end.
"""

from __future__ import annotations

import io
import socket
import time


class TimedSocket:
    """Every read and write raises TimeoutError once ``deadline`` (monotonic seconds) has passed."""

    def __init__(self, sock: socket.socket, deadline: float = 0.0) -> None:
        self._sock = sock
        self.deadline = deadline
        self._readers = 0
        self._closed = False

    def wait_no_longer(self) -> None:
        """Let the next wait end at the deadline. Raises TimeoutError where it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self.wait_no_longer()
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What an answer is read from. The connection stays open until it is closed too, as ``socket.makefile`` has it."""
        self._readers += 1
        return io.BufferedReader(_Reader(self, self._sock))

    def close(self) -> None:
        """Close the connection, once nobody reads from it any more."""
        self._closed = True
        self._close_if_free()

    def reader_closed(self) -> None:
        """A reader is done."""
        self._readers -= 1
        self._close_if_free()

    def _close_if_free(self) -> None:
        if self._closed and self._readers <= 0:
            self._sock.close()


class _Reader(io.RawIOBase):
    def __init__(self, timed: TimedSocket, sock: socket.socket) -> None:
        self._timed = timed
        self._sock = sock

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._timed.reader_closed()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's own buffer type is private
        self._timed.wait_no_longer()
        return self._sock.recv_into(buffer)
