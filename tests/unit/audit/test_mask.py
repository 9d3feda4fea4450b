"""The last net for secrets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison.audit.mask import HIDDEN, SECRETS, is_secret, masked

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Password",
        "NewPassword",
        "new_password",
        "SecretAccessKey",
        "secretAccessKey",
        "session-token",
        "Plaintext",
        "SAMLAssertion",
    ],
)
def test_every_protocols_spelling(name: str):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["passwordPolicy", "PasswordResetRequired", "accessKeyId", "keyId", "tokens", "plaintextLength"])
def test_no_more_than_secrets(name: str):
    assert not is_secret(name)


@given(
    st.dictionaries(st.text(max_size=5), _json, max_size=3),
    st.sampled_from(sorted(SECRETS)),
    st.lists(st.integers(0, 1), max_size=8),
)
def test_a_secret_is_found_wherever_it_is(base: dict[str, object], name: str, path: list[int]):
    inner: object = {name: "the-secret-itself"}
    for step in path:
        inner = [inner, "x"] if step else {"deeper": inner, "y": None}
    shown = masked({**base, "place": inner})
    text = json.dumps(shown)
    assert "the-secret-itself" not in text
    assert HIDDEN in text


@given(st.dictionaries(st.text(max_size=5), _json, max_size=4))
def test_what_holds_no_secret_is_handed_on_untouched(members: dict[str, object]):
    if not any(is_secret(part) for part in json.dumps(members).split('"')):
        assert masked(members) is members


def test_an_empty_secret_stays_empty_and_depth_is_bounded():
    assert masked({"password": None}) == {"password": None}
    deep: object = {"password": "x"}
    for _ in range(500):
        deep = [deep]
    assert "'x'" not in repr(masked({"deep": deep}))
