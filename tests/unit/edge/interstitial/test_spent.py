"""Each puzzle is answered once, whoever of a node's processes is asked."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from garrison.edge.interstitial import SpentHere, SpentTogether
from garrison.edge.interstitial.spent import BUCKETS

NAME = bytes(range(16))


def test_a_puzzle_is_spent_once_until_it_expires():
    spent = SpentHere()
    assert spent.spend(NAME, 100.0, 50.0)
    assert not spent.spend(NAME, 100.0, 51.0)
    assert spent.spend(NAME, 200.0, 100.0)


def test_a_full_bucket_gives_up_what_expires_first():
    spent = SpentHere()
    names = [number.to_bytes(4) + bytes([number // BUCKETS]) * 12 for number in range(0, 9 * BUCKETS, BUCKETS)]
    for age, name in enumerate(names[:8]):
        assert spent.spend(name, 100.0 + age, 50.0)
    assert spent.spend(names[8], 200.0, 50.0)
    assert not any(spent.spend(name, 100.0, 50.0) for name in names[1:])
    assert spent.spend(names[0], 300.0, 50.0)


def _spend(path: Path, names: list[bytes], results: multiprocessing.Queue[int]) -> None:
    spent = SpentTogether(path)
    results.put(sum(spent.spend(name, 1e12, 1.0) for name in names))
    spent.close()


def test_processes_of_a_node_spend_together(tmp_path: Path):
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[int] = context.Queue()
    names = [os.urandom(16) for _ in range(500)]
    started = [context.Process(target=_spend, args=(tmp_path / "spent", names, results)) for _ in range(4)]
    for each in started:
        each.start()
    assert sum(results.get(timeout=60) for _ in started) == len(names)
    for each in started:
        each.join()


def test_the_file_is_its_owners_alone(tmp_path: Path):
    SpentTogether(tmp_path / "spent").close()
    assert (tmp_path / "spent").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("table", [SpentHere()])
def test_a_name_of_zeros_is_a_name(table: SpentHere):
    assert table.spend(bytes(16), 100.0, 50.0)
    assert not table.spend(bytes(16), 100.0, 50.0)
