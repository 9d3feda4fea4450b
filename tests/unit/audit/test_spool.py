"""The spool keeps whole lines, in order, whatever happens to its process or its disk."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from garrison.audit.spool import Line, Spool, encode_line, read_lines, spool_files

CHAIN = "0123456789abcdef" * 2


def lines(first: int, last: int) -> list[Line]:
    return [Line(seq, bytes([seq]) * 32, b'{"n":%d}' % seq, b"null") for seq in range(first, last + 1)]


def test_a_line_is_json():
    assert json.loads(encode_line(lines(1, 1)[0])) == [1, "01" * 32, {"n": 1}, None]


def test_lines_come_back_and_files_take_turns(tmp_path: Path):
    spool = Spool(tmp_path, CHAIN)
    assert spool.rotate() == []
    assert spool.append(lines(1, 3)) == 3
    assert spool.append(lines(4, 4)) == 1
    assert spool.rotate() == lines(1, 4)
    spool.append(lines(5, 6))
    assert spool.rotate() == lines(1, 6), "what is not shipped yet is offered again"
    assert [path.name for path in spool_files(tmp_path)[CHAIN]] == [f"spool-{CHAIN}.{number}.jsonl" for number in (0, 1, 2)]
    spool.append(lines(7, 7))
    spool.shipped(6, list(spool.full))
    assert spool.rotate() == lines(7, 7)
    spool.close()


def test_an_empty_last_file_is_not_left_behind(tmp_path: Path):
    spool = Spool(tmp_path, CHAIN)
    spool.append(lines(1, 1))
    spool.turn()
    spool.turn()
    assert [path.name.split(".")[1] for path in spool_files(tmp_path)[CHAIN]] == ["0", "1"]
    spool.end()
    assert [path.name.split(".")[1] for path in spool_files(tmp_path)[CHAIN]] == ["0"]
    spool.append(lines(2, 2))
    spool.end()
    assert [path.name.split(".")[1] for path in spool_files(tmp_path)[CHAIN]] == ["0", "1"]


def test_in_memory(tmp_path: Path):
    spool = Spool(None, CHAIN)
    spool.append(lines(1, 3))
    assert spool.rotate() == lines(1, 3)
    spool.append(lines(4, 4))
    spool.shipped(3, [])
    assert spool.rotate() == lines(4, 4)


def test_a_torn_last_line_is_dropped(tmp_path: Path):
    spool = Spool(tmp_path, CHAIN)
    spool.append(lines(1, 2))
    path = spool_files(tmp_path)[CHAIN][0]
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert list(read_lines(path)) == lines(1, whole[:length].count(b"\n"))
    spool.close()


def test_a_line_that_is_none_is_passed_over(tmp_path: Path):
    path = tmp_path / f"spool-{CHAIN}.0.jsonl"
    one, two = (encode_line(line) for line in lines(1, 2))
    path.write_bytes(one + b'{"not": "ours"}\n[1,"zz",{},null]\n\xff\n' + two)
    assert list(read_lines(path)) == lines(1, 2)
    assert list(read_lines(tmp_path / "gone")) == []


def test_a_full_disk_keeps_whole_lines_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spool = Spool(tmp_path, CHAIN)
    spool.append(lines(1, 1))
    real = os.write
    size = len(encode_line(lines(2, 2)[0]))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: real(file, data[: size + size // 2]))
        assert spool.append(lines(2, 4)) == 1
    assert spool.append(lines(3, 3)) == 1

    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_room)
        assert spool.append(lines(4, 5)) == 0
    assert spool.append(lines(4, 4)) == 1
    assert spool.rotate() == lines(1, 4)


def test_other_files_are_none_of_its_business(tmp_path: Path):
    for name in ("spool-x.0.jsonl", f"spool-{CHAIN}.jsonl", f".spool-{CHAIN}.0.jsonl", "head-x"):
        (tmp_path / name).touch()
    for number in (10, 9, 0):
        (tmp_path / f"spool-{CHAIN}.{number}.jsonl").touch()
    assert [path.name.split(".")[1] for path in spool_files(tmp_path)[CHAIN]] == ["0", "9", "10"]
