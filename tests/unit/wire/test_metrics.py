"""Counters of one process and of all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from garrison.wire.metrics import FOLDER_VARIABLE, Metrics, forget_folder, prepare_folder


def test_counts_are_handed_over_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    metrics = Metrics()
    calls = Counter({("iam", "ListUsers", 200): 2})
    metrics.hand_over(calls, 1)
    metrics.hand_over(calls, 1)
    calls["iam", "ListUsers", 200] += 1
    metrics.hand_over(calls, 3)
    page, kind = metrics.exposition()
    assert kind.startswith("text/plain")
    assert b'garrison_requests_total{operation="ListUsers",service="iam",status="200"} 3.0' in page
    assert b"garrison_audit_suppressed_total 3.0" in page


def test_the_folder_is_empty_and_the_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FOLDER_VARIABLE, "before")
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "old.db").touch()
    prepare_folder(folder)
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700
    assert os.environ[FOLDER_VARIABLE] == str(folder)
    forget_folder()
    assert FOLDER_VARIABLE not in os.environ


def test_any_process_shows_the_counts_of_all(tmp_path: Path):
    program = (
        "from collections import Counter\nfrom garrison.wire.metrics import Metrics\n"
        "metrics = Metrics()\nmetrics.hand_over(Counter({('kms', 'Encrypt', 200): 5}), 0)\n"
        "print(metrics.exposition()[0].decode())\n"
    )
    environment = {**os.environ, FOLDER_VARIABLE: str(tmp_path)}
    pages = [
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert 'garrison_requests_total{operation="Encrypt",service="kms",status="200"} 5.0' in pages[0]
    assert 'garrison_requests_total{operation="Encrypt",service="kms",status="200"} 10.0' in pages[1]
