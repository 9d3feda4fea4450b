from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from tools import fetch_clients


def archive(path: Path, *entries: tuple[str, int, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, mode, content in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            opened.writestr(info, content)
    return path


def test_modes_and_links_survive(tmp_path: Path):
    file = archive(
        tmp_path / "a.zip",
        ("v2/dist/aws", stat.S_IFREG | 0o755, b"program"),
        ("v2/dist/data", stat.S_IFREG | 0o644, b"data"),
        ("v2/bin/aws", stat.S_IFLNK | 0o777, b"../dist/aws"),
    )
    fetch_clients.unpack(file, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out/v2/dist/aws").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out/v2/dist/data").stat().st_mode) == 0o644
    assert (tmp_path / "out/v2/bin/aws").read_bytes() == b"program"


def test_a_path_that_leaves_the_target_is_refused(tmp_path: Path):
    file = archive(tmp_path / "a.zip", ("../outside", stat.S_IFREG | 0o644, b"x"))
    with pytest.raises(ValueError, match="outside of itself"):
        fetch_clients.unpack(file, tmp_path / "out")
    assert not (tmp_path / "outside").exists()
