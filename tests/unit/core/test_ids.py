"""Identifiers have AWS's forms, and the same randomness gives the same id."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison.core import ids


@given(st.binary(min_size=16, max_size=16))
def test_uuid4_is_the_standard_librarys(raw: bytes) -> None:
    assert ids.uuid4(lambda _: raw) == str(uuid.UUID(bytes=raw, version=4))


@given(st.integers(min_value=0, max_value=10**12 - 1), st.binary(min_size=5, max_size=5))
def test_an_access_key_id_carries_its_account(account: int, raw: bytes) -> None:
    number = f"{account:012d}"
    key = ids.access_key_id("AKIA", number, lambda _: raw)
    assert len(key) == 20
    assert ids.account_of_access_key(key) == number


def test_the_account_of_a_published_key_id() -> None:
    """Tal Be'ery, "A short note on AWS KEY ID" (2023): the id and its account."""
    assert ids.account_of_access_key("ASIAQNZGKIQY56JQ7WML") == "029608264753"


@pytest.mark.parametrize("text", ["", "AKIA", "AIDAQNZGKIQY56JQ7WML", "AKIA0189ABCDEFGHIJKL", "akiaqnzgkiqy56jq7wml"])
def test_what_is_no_access_key_id(text: str) -> None:
    with pytest.raises(ValueError, match="not an access key id"):
        ids.account_of_access_key(text)


def test_forms() -> None:
    assert ids.unique_id("AIDA", lambda count: bytes(range(count))) == "AIDA" + "ABCDEFGHIJKLMNOPQ"
    account = ids.account_id()
    assert len(account) == 12
    assert account.isdecimal()
    assert account[0] != "0"


def test_a_secret_access_key_has_40_characters_of_6_bits_each():
    assert ids.secret_access_key(lambda size: bytes(range(size))) == "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
    assert ids.secret_access_key(lambda size: b"\xff" * size) == "/" * 40
    assert len({ids.secret_access_key() for _ in range(50)}) == 50


def test_uuid7_is_that_of_the_rfc():
    # RFC 9562, appendix A.6; the four bits that the version takes the place of may be any.
    random = bytes.fromhex("FCC318C4DC0C0C07398F")
    assert ids.uuid7(1645557742.0, lambda _: random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_uuid7_grows_with_time():
    made = [ids.uuid7(1_700_000_000 + number / 1000) for number in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000
