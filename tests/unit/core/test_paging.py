"""A page token opens only the list it was made for."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

import pytest

from garrison.core.paging import page_token, read_token


def mac(message: bytes) -> bytes:
    return hmac.digest(b"k" * 32, message, "sha256")


def other_mac(message: bytes) -> bytes:
    return hmac.digest(b"o" * 32, message, "sha256")


@pytest.mark.parametrize("position", ["", "a", "jürgen", "user/with/slash", "x" * 200])
def test_a_token_gives_its_position_back(position: str):
    assert read_token(mac, "iam:ListUsers:1", page_token(mac, "iam:ListUsers:1", position)) == position


def test_another_scope_is_refused():
    token = page_token(mac, "iam:ListUsers:1", "bob")
    with pytest.raises(ValueError, match="not a token"):
        read_token(mac, "iam:ListUsers:2", token)


def test_scope_and_position_do_not_run_together():
    token = page_token(mac, "scope", "1x")
    with pytest.raises(ValueError, match="not a token"):
        read_token(mac, "scope1", token)


def test_another_key_is_refused():
    with pytest.raises(ValueError, match="not a token"):
        read_token(other_mac, "s", page_token(mac, "s", "bob"))


@pytest.mark.parametrize("token", ["", "A", "AAAA", "bob", "ü", "====", "a b", urlsafe_b64encode(b"\0" * 40).decode()])
def test_what_is_no_token_is_refused(token: str):
    with pytest.raises(ValueError, match="not a token"):
        read_token(mac, "s", token)


def test_every_altered_character_is_refused():
    token = page_token(mac, "s", "bob")
    for index, letter in enumerate(token):
        altered = token[:index] + ("A" if letter != "A" else "B") + token[index + 1 :]
        with pytest.raises(ValueError, match="not a token"):
            read_token(mac, "s", altered)
    with pytest.raises(ValueError, match="not a token"):
        read_token(mac, "s", token + "=")
