"""Text that a caller chose, as the indexes hold it."""

from __future__ import annotations

import pytest

from garrison.audit.rows import indexed

POSTGRESQL_ENTRY = 2704
"""Bytes: what an index of PostgreSQL takes (its documentation, "B-Tree Indexes")."""


@pytest.mark.parametrize("text", ["", "ListUsers", "arn:aws:iam::123456789012:role" + "/a" * 256 + "/" + "r" * 64, "ä" * 400])
def test_names_of_aws_stay_whole(text: str):
    assert indexed(text) == text


@pytest.mark.parametrize("text", ["a" * 5000, "ä" * 5000, "\U00020000" * 2048, "\0" * 5000, "a\U00020000" * 1000])
def test_long_text_is_cut_at_a_character(text: str):
    kept = indexed(text)
    assert len(kept.encode()) < POSTGRESQL_ENTRY - 100
    assert text.replace("\0", "\ufffd").startswith(kept)
    assert len(kept) > 400


def test_a_null_character_is_replaced():
    assert indexed("Get\0User") == "Get\ufffdUser"
