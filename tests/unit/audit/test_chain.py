"""Links, heads and their proofs."""

from __future__ import annotations

import fcntl
import os
from hashlib import sha256
from pathlib import Path

import pytest

from garrison.audit.chain import CLOSED, OPEN, Head, HeadFile, chain_mac, genesis, head_mac, head_path, link, read_head
from tests.support.stores import TestSealer

SEALER = TestSealer()


def test_a_link_is_sha256_over_what_came_before_the_length_the_event_and_the_decision():
    previous = bytes(range(32))
    assert link(previous, b"{}", b"null") == sha256(previous + b"\0\0\0\0\0\0\0\x02{}null").digest()


def test_bytes_cannot_move_between_event_and_decision():
    assert link(bytes(32), b"ab", b"c") != link(bytes(32), b"a", b"bc")


def test_each_chain_starts_elsewhere():
    assert genesis("a") != genesis("b")


def test_macs_cover_everything():
    head = Head(5, bytes(32))
    proofs = {
        head_mac(SEALER, "c", head, OPEN),
        head_mac(SEALER, "d", head, OPEN),
        head_mac(SEALER, "c", head, CLOSED),
        head_mac(SEALER, "c", Head(6, bytes(32)), OPEN),
        head_mac(SEALER, "c", Head(5, b"\1" * 32), OPEN),
        head_mac(TestSealer(b"other"), "c", head, OPEN),
        chain_mac(SEALER, 1, "c", b""),
        chain_mac(SEALER, 2, "c", b""),
        chain_mac(SEALER, 1, "d", b""),
        chain_mac(SEALER, 1, "c", b"\1"),
    }
    assert len(proofs) == 10


def test_a_head_file_tells_the_newest_head(tmp_path: Path):
    file = HeadFile(tmp_path, "c", SEALER)
    path = head_path(tmp_path, "c")
    assert read_head(path, "c", SEALER) == Head(0, genesis("c"))
    for seq in range(1, 6):
        file.write(Head(seq, bytes([seq]) * 32))
        assert read_head(path, "c", SEALER) == Head(seq, bytes([seq]) * 32)
    assert read_head(path, "d", SEALER) is None, "it proves no other chain"
    assert read_head(path, "c", TestSealer(b"other")) is None
    assert read_head(tmp_path / "none", "c", SEALER) is None
    file.close(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_record_leaves_the_one_before(tmp_path: Path):
    file = HeadFile(tmp_path, "c", SEALER)
    path = head_path(tmp_path, "c")
    for seq in (1, 2):
        file.write(Head(seq, bytes([seq]) * 32))
    whole = path.read_bytes()
    start = whole.index((2).to_bytes(8) + b"\2" * 32)
    path.write_bytes(whole[: start + 20] + bytes(60) + whole[start + 80 :])
    assert read_head(path, "c", SEALER) == Head(1, b"\1" * 32)
    file.close(remove=False)


def test_a_living_chain_is_locked(tmp_path: Path):
    file = HeadFile(tmp_path, "c", SEALER)
    other = os.open(head_path(tmp_path, "c"), os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.close(remove=False)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
