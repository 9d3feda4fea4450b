from __future__ import annotations

from pathlib import Path

import pytest

from bench import run
from bench.load import Result


def seen(cpu: float) -> run.Seen:
    results = {name: [Result(10, 1.0, cpu * factor, 1.5, 9.0, 800.0) for factor in (1, 2, 30)] for name in run.OPERATIONS}
    return run.Seen(results, results, (50.0, 60.0), (70.0, 80.0), [0.5, 0.4, 0.9], 10)


def test_the_table_shows_medians_and_ratios():
    lines = run.table({"garrison": seen(0.1), "peer": seen(0.4)})
    assert lines[0] == "|  | garrison | peer | peer / garrison, CPU |"
    assert lines[2] == "| GetCallerIdentity | 0.20 / 1.50 / 800 | 0.80 / 1.50 / 800 | 4.0 |"
    assert "| start to first signed answer, s | 0.40 / 0.50 (10 users stored) | 0.40 / 0.50 (10 users stored) |  |" in lines
    assert all(line.count("|") == lines[0].count("|") for line in lines)


def test_the_section_of_the_page_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{run.BEGIN}\nold\n{run.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(run, "PAGE", page)
    text = run.section({"garrison": seen(0.1), "peer": seen(0.4)}, 3)
    run.write_page(text)
    run.write_page(text)
    assert page.read_text(encoding="utf-8") == f"before\n{text}\nafter\n"
    assert "old" not in text
    assert "medians of 3 rounds" in text


def test_a_page_without_markers_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "performance.md"
    page.write_text("no markers\n", encoding="utf-8")
    monkeypatch.setattr(run, "PAGE", page)
    with pytest.raises(ValueError, match="has no"):
        run.write_page("x")
    assert page.read_text(encoding="utf-8") == "no markers\n"
