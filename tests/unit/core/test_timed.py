"""A socket whose waits end at one deadline."""

from __future__ import annotations

import http.client
import socket
import time

import pytest

from garrison.core.timed import TimedSocket


def test_each_wait_ends_at_the_same_deadline():
    ours, theirs = socket.socketpair()
    with theirs:
        timed = TimedSocket(ours, time.monotonic() + 0.05)
        reader = timed.makefile("rb")
        theirs.sendall(b"a")
        assert reader.read(1) == b"a"
        with pytest.raises(TimeoutError):
            reader.read(1)
        with pytest.raises(TimeoutError):
            timed.sendall(b"b")
        reader.close()
        timed.close()
        assert ours.fileno() == -1


def test_an_answer_whose_connection_ends_is_read_to_its_end():
    ours, theirs = socket.socketpair()
    timed = TimedSocket(ours, time.monotonic() + 5)
    connection = http.client.HTTPConnection("localhost")
    connection.sock = timed
    connection.request("GET", "/")
    assert theirs.recv(4096).startswith(b"GET / ")
    theirs.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst ")
    with connection.getresponse() as response:
        assert ours.fileno() != -1, "the client has closed its side, and the answer is not read yet"
        theirs.sendall(b"second")
        theirs.close()
        assert response.read() == b"first second"
    assert ours.fileno() == -1
