"""Every algorithm that is offered, against every published vector that there is for it: Project Wycheproof's, NIST's and the RFCs'.

``docs/explanation/vectors.md`` says how many; what it says is what ran.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from garrison.keys.kms import wrapping
from garrison.keys.kms.specs import SPECS
from tests.support import vectors

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "explanation" / "vectors.md"
OFFERED = [(spec.name, algorithm) for spec in SPECS.values() for all_of in spec.algorithms.values() for algorithm in all_of]
WRAPPINGS = [(f"import {spec}", algorithm) for spec in wrapping.SPECS for algorithm in (*wrapping.DIRECT, *wrapping.TWICE)]
NOTHING_TO_ACCEPT = {("RSA_3072", "RSASSA_PSS_SHA_512")}
"""No published signature of this size and hash has a salt as long as the hash and is valid. Two libraries are held against each
other instead (``algorithms/test_rsa.py``)."""


@cache
def table() -> dict[tuple[str, str], dict[str, str]]:
    """The rows of the page: key spec and algorithm, and the cell of each source."""
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        (spec, algorithm): dict(zip(vectors.SOURCES, (cell.strip() for cell in cells.split("|")), strict=True))
        for spec, algorithm, cells in rows
    }


def test_the_page_has_a_row_for_each_algorithm_offered_and_no_other():
    assert list(table()) == OFFERED + WRAPPINGS


@pytest.mark.parametrize(("spec", "algorithm"), OFFERED + WRAPPINGS)
def test_published_vectors(spec: str, algorithm: str):
    tally = Counter((one.source, vectors.accepted(one)) for one in vectors.of(spec, algorithm))
    cells = {
        source: f"{tally[source, True]} + {tally[source, False]}" if {(source, True), (source, False)} & {*tally} else "-"
        for source in vectors.SOURCES
    }
    assert table()[spec, algorithm] == cells
    assert {cells["Wycheproof"], cells["ACVP"]} != {"-"}, "neither Wycheproof nor NIST"
    accepted, refused = (sum(tally[source, answer] for source in vectors.SOURCES) for answer in (True, False))
    assert refused > 0
    assert (accepted == 0) is ((spec, algorithm) in NOTHING_TO_ACCEPT)


def test_vectors_are_as_they_were_published():
    """Nobody edits them: each file under ``tests/vectors`` that came from elsewhere has its sum."""
    folder = ROOT / "tests" / "vectors"
    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text(encoding="ascii").splitlines())
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in ("acvp", "wycheproof")
        for path in (folder / kind).rglob("*")
        if path.is_file() and path.suffix != ".md"
    }
    assert found == sums
