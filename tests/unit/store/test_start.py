"""Several processes may make the same new state at one moment."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from garrison.audit import Recorder, verify
from garrison.store import open_store
from garrison.store.migrate import migrations
from tests.support.stores import Place, TestSealer

STARTERS = 4


def _start(where: str, data_dir: Path, slot: int, ready: Barrier) -> None:
    ready.wait()
    store = open_store(where, sealer=TestSealer(), slot=slot, data_dir=data_dir, lock_wait=30)
    recorder = Recorder(store, data_dir, TestSealer(), slot)
    recorder.close()
    store.close()


@pytest.mark.parametrize("attempt", range(3))
def test_first_starts_beside_each_other(new_place: Place, attempt: int):
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(STARTERS)
    where = new_place.url or str(new_place.data_dir)
    starters = [context.Process(target=_start, args=(where, new_place.data_dir, slot, ready)) for slot in range(STARTERS)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert [starter.exitcode for starter in starters] == [0] * STARTERS
    store = new_place.open()
    assert store.reading().one("SELECT count(*) FROM migration") == (len(migrations()),)
    report = verify(store, new_place.data_dir, new_place.sealer)
    assert (report.chains, report.findings) == (STARTERS, [])
