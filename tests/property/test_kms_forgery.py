"""Signatures, MACs and ciphertexts that were altered are never accepted, by any algorithm.

``GARRISON_FORGERIES`` says how many are tried in all; the default is what a few seconds allow.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable

import pytest

from garrison.core.ids import system_random
from garrison.keys.kms.algorithms.base import Decrypter, Refused, Signer
from garrison.keys.kms.algorithms.mac import MacKey
from garrison.keys.kms.ciphertext import Material, Unreadable
from garrison.keys.kms.specs import SPECS
from tests.support.forging import SEED, bent

MESSAGE = hashlib.sha512(b"what was signed").digest()
CONTEXT = {"purpose": "forgery"}
SKIPPED = {"KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"}
"""These accept any input of the right form, and answer other bytes."""
CASES = [
    (spec.name, usage, algorithm)
    for spec in SPECS.values()
    for usage, names in spec.algorithms.items()
    if usage not in SKIPPED and spec.name not in {"RSA_3072", "RSA_4096"}
    for algorithm in names
]
TRIES = max(1, int(os.environ.get("GARRISON_FORGERIES", "20000")) // len(CASES))


def attempt(name: str, usage: str, algorithm: str) -> tuple[bytes, Callable[[bytes], object]]:
    """Something good of a new key, and what takes it (and raises for anything else)."""
    spec = SPECS[name]
    key = spec.load("ab" * 32, spec.make(system_random))
    if isinstance(key, Material):
        return key.encrypt(system_random, MESSAGE, CONTEXT), lambda blob: key.decrypt(blob, CONTEXT)
    if isinstance(key, MacKey):
        return key.generate(algorithm, MESSAGE), lambda mac: key.verify(algorithm, MESSAGE, mac)
    if usage == "SIGN_VERIFY" and isinstance(key, Signer):
        kind = "DIGEST" if algorithm == "ED25519_PH_SHA_512" else "RAW"
        return key.sign(algorithm, kind, MESSAGE), lambda signature: key.verify(algorithm, kind, MESSAGE, signature)
    assert isinstance(key, Decrypter)
    return key.encrypt(algorithm, MESSAGE), lambda blob: key.decrypt(algorithm, blob)


@pytest.mark.parametrize(("name", "usage", "algorithm"), CASES, ids=[f"{one[0]}-{one[2]}" for one in CASES])
def test_nothing_altered_is_accepted(name: str, usage: str, algorithm: str):
    good, take = attempt(name, usage, algorithm)
    take(good)
    chance = random.Random(f"{SEED}{name}{algorithm}")
    for _ in range(TRIES):
        forged = bent(chance, good)
        try:
            take(forged)
        except (Refused, Unreadable):
            continue
        pytest.fail(f"accepted: {forged.hex()} in the place of {good.hex()}")
    take(good)


def test_every_way_of_bending_is_tried():
    chance = random.Random(SEED)
    good = bytes(range(64))
    lengths = {len(bent(chance, good)) for _ in range(500)}
    assert min(lengths) < 64 < max(lengths)
    assert all(bent(chance, good) != good for _ in range(500))
