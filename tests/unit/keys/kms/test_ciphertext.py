from __future__ import annotations

import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from garrison.keys.kms.ciphertext import OVERHEAD, Material, Unreadable, canonical_context, material_id_of

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors" / "kms" / "ciphertext-v1.json").read_text())
CASES: list[dict[str, Any]] = VECTORS["cases"]
MATERIAL = Material(VECTORS["material_id"], bytes.fromhex(VECTORS["material"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_ciphertext_of_version_1_decrypts_for_ever(case: dict[str, Any]):
    blob = bytes.fromhex(case["blob"])
    assert material_id_of(blob) == MATERIAL.id
    assert MATERIAL.decrypt(blob, case["context"]).hex() == case["plaintext"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_with_salt_and_iv_given_it_is_made_again(case: dict[str, Any]):
    salt, iv = bytes.fromhex(VECTORS["salt"]), bytes.fromhex(VECTORS["iv"])
    made = MATERIAL.encrypt_with(salt, iv, bytes.fromhex(case["plaintext"]), case["context"])
    assert made.hex() == case["blob"]


def test_the_key_derivation_is_sp_800_108_in_counter_mode():
    """One block: HMAC(key, [1]_32 || label || 0x00 || context || [256]_32)."""
    key, label, context = bytes(range(32)), b"label", b"context"
    fixed = label + b"\0" + context + (256).to_bytes(4)
    expected = hmac.digest(key, (1).to_bytes(4) + fixed, hashlib.sha256)
    library = KBKDFHMAC(SHA256(), Mode.CounterMode, 32, 4, 4, CounterLocation.BeforeFixed, label, context, None)
    assert library.derive(key) == expected


def test_the_overhead_is_what_the_form_says():
    assert len(MATERIAL.encrypt(os.urandom, b"x" * 4096)) == 4096 + OVERHEAD
    assert 4096 + OVERHEAD <= 6144  # the model's bound on CiphertextBlob


def test_every_altered_bit_is_refused():
    blob = MATERIAL.encrypt(os.urandom, b"plain", {"a": "b"})
    for position in range(len(blob) * 8):
        altered = bytearray(blob)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(Unreadable):
            MATERIAL.decrypt(bytes(altered), {"a": "b"})


def test_every_truncation_and_extension_is_refused():
    blob = MATERIAL.encrypt(os.urandom, b"plain")
    for end in range(len(blob)):
        with pytest.raises(Unreadable):
            MATERIAL.decrypt(blob[:end])
    for more in (b"\0", blob, bytes(16)):
        with pytest.raises(Unreadable):
            MATERIAL.decrypt(blob + more)


@pytest.mark.parametrize("other", [None, {}, {"a": "B"}, {"A": "b"}, {"a": "b", "c": ""}, {"ab": ""}, {"": "ab"}, {"b": "a"}])
def test_another_context_is_refused(other: dict[str, str] | None):
    blob = MATERIAL.encrypt(os.urandom, b"plain", {"a": "b"})
    with pytest.raises(Unreadable):
        MATERIAL.decrypt(blob, other)


def test_no_context_and_an_empty_one_are_the_same():
    assert MATERIAL.decrypt(MATERIAL.encrypt(os.urandom, b"plain", {}), None) == b"plain"


def test_other_material_is_refused_even_under_the_same_id():
    blob = MATERIAL.encrypt(os.urandom, b"plain")
    with pytest.raises(Unreadable):
        Material(MATERIAL.id, bytes(32)).decrypt(blob)
    with pytest.raises(Unreadable):
        Material("00" * 32, bytes.fromhex(VECTORS["material"])).decrypt(blob)


def test_two_ciphertexts_of_one_plaintext_share_nothing_but_the_material():
    one, two = (MATERIAL.encrypt(os.urandom, bytes(32)) for _ in range(2))
    assert one[:33] == two[:33]
    assert one[33:49] != two[33:49]
    assert one[61:93] != two[61:93]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"ab": "c"}, {"a": "bc"}),
        ({"a": "b", "c": "d"}, {"a": "b\x00\x00\x00\x01c\x00\x00\x00\x01d"}),
        ({"a": ""}, {}),
        ({"": ""}, {}),
        ({"a": "b"}, {"b": "a"}),
    ],
)
def test_different_contexts_have_different_bytes(one: dict[str, str], two: dict[str, str]):
    assert canonical_context(one) != canonical_context(two)


def test_the_order_is_that_of_the_bytes_of_utf_8():
    # U+FF5E comes before U+1F600 in UTF-8, and after its surrogates in UTF-16.
    names = ["\U0001f600", "\uff5e", "z", "Z", "é"]
    raw = canonical_context(dict.fromkeys(names, ""))
    encoded = [name.encode() for name in names]
    positions = [raw.index(name) for name in sorted(encoded)]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    "blob", [b"", b"\x01", b"\x03" + bytes(100), b"\x00" + bytes(100), b"\x01" + bytes(OVERHEAD - 1), b"AQICAH"]
)
def test_what_is_no_ciphertext_names_no_material(blob: bytes):
    with pytest.raises(Unreadable):
        material_id_of(blob)


def test_the_secret_does_not_show():
    secret = os.urandom(32)
    shown = repr(Material("00" * 32, secret))
    assert secret.hex() not in shown
    assert repr(secret) not in shown


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_material_of_another_length_is_refused(length: int):
    with pytest.raises(ValueError, match="32 bytes"):
        Material("00" * 32, bytes(length))


@pytest.mark.parametrize(("salt", "iv"), [(15, 12), (16, 11), (17, 12), (0, 0)])
def test_salt_and_iv_of_another_length_are_refused(salt: int, iv: int):
    with pytest.raises(ValueError, match="salt and IV"):
        MATERIAL.encrypt_with(bytes(salt), bytes(iv), b"x")
