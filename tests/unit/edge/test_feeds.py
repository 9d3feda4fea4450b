"""Lists of managed groups from files."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from garrison.edge.feeds import read_feeds


def test_a_directory_of_lists_is_read(tmp_path: Path) -> None:
    (tmp_path / "reputation.txt").write_text("# bad\n198.51.100.0/24\n2001:db8::1\n")
    (tmp_path / "hosting-asns.txt").write_text("AS64500\n64501\n")
    (tmp_path / "verified-googlebot.txt").write_text("192.0.2.0/24\n")
    (tmp_path / "stolen.txt").write_text("5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8:3730471\n")
    feeds = read_feeds(tmp_path)
    assert ip_address("198.51.100.7") in feeds.reputation
    assert ip_address("2001:db8::1") in feeds.reputation
    assert ip_address("198.51.100.7") not in feeds.ddos
    assert feeds.hosting_asns == {64500, 64501}
    assert ip_address("192.0.2.9") in feeds.verified["googlebot"]
    assert feeds.stolen == {"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8"}


def test_an_empty_directory_finds_nothing(tmp_path: Path) -> None:
    assert ip_address("192.0.2.1") not in read_feeds(tmp_path).reputation


@pytest.mark.parametrize(("name", "text"), [("ddos.txt", "nowhere"), ("hosting-asns.txt", "ASX"), ("stolen.txt", "hunter2")])
def test_a_line_of_another_kind_is_refused_and_the_file_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=name) as refused:
        read_feeds(tmp_path)
    assert "hunter2" not in str(refused.value)
