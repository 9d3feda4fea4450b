from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from garrison.keys.kms.ciphertext import Material, Unreadable, canonical_context

MATERIAL = Material("ab" * 32, bytes(range(32)))
TEXT = st.text(max_size=12)
CONTEXTS = st.dictionaries(TEXT, TEXT, max_size=5)
PLAINTEXTS = st.binary(min_size=1, max_size=200)


@given(PLAINTEXTS, CONTEXTS, st.randoms(use_true_random=False))
def test_any_order_of_the_same_context_decrypts(plaintext: bytes, context: dict[str, str], random: Random):
    blob = MATERIAL.encrypt(os.urandom, plaintext, context)
    pairs = list(context.items())
    random.shuffle(pairs)
    assert MATERIAL.decrypt(blob, dict(pairs)) == plaintext


@given(PLAINTEXTS, CONTEXTS, CONTEXTS)
def test_any_other_context_is_refused(plaintext: bytes, context: dict[str, str], other: dict[str, str]):
    assume(context != other)
    blob = MATERIAL.encrypt(os.urandom, plaintext, context)
    with pytest.raises(Unreadable):
        MATERIAL.decrypt(blob, other)


@given(CONTEXTS, CONTEXTS)
def test_the_canonical_form_is_injective(one: dict[str, str], two: dict[str, str]):
    assert (canonical_context(one) == canonical_context(two)) == (one == two)


@given(PLAINTEXTS, CONTEXTS, st.data())
def test_any_other_bytes_are_refused(plaintext: bytes, context: dict[str, str], data: st.DataObject):
    blob = MATERIAL.encrypt(os.urandom, plaintext, context)
    position = data.draw(st.integers(0, len(blob) - 1))
    cut = data.draw(st.integers(0, len(blob) - 1))
    more = data.draw(st.binary(min_size=1, max_size=40))
    altered = bytearray(blob)
    altered[position] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(altered), blob[:cut], blob + more, more + blob, blob[cut:] if cut else b""):
        with pytest.raises(Unreadable):
            MATERIAL.decrypt(wrong, context)


@given(st.binary(max_size=300), CONTEXTS)
def test_arbitrary_bytes_are_refused_and_nothing_else_happens(blob: bytes, context: dict[str, str]):
    with pytest.raises(Unreadable):
        MATERIAL.decrypt(blob, context)
