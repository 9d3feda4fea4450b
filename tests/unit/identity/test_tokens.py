"""Session tokens: what is in them cannot be read, altered, swapped or used after its end."""

from __future__ import annotations

from base64 import b64decode, b64encode

import msgspec
import pytest

from garrison.core.errors import CommonError
from garrison.identity.sts.sessions import packed_percentage
from garrison.identity.tokens import MAX_TOKEN_CHARACTERS, PURPOSE, Grant, open_token, seal_token, seal_token_of_size
from garrison.keys.keyring import Keyring

KEY = "ASIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = 1_700_000_000.0
RING = Keyring(bytes(range(32)))
GRANT = Grant(
    "assume-role", "123456789012", "AROAEXAMPLE", SECRET, NOW, NOW + 900, session_name="me", tags={"team": "blue"},
    transitive_tags=("team",), source_identity="alice", policies=('{"Statement":[]}',), policy_arns=("arn:aws:iam::aws:policy/X",),
    mfa_at=NOW - 5, chained=True,
)  # fmt: skip


def refused(token: str, key: str = KEY, now: float = NOW, ring: Keyring = RING) -> str:
    with pytest.raises(CommonError) as caught:
        open_token(ring, key, token, now)
    assert SECRET not in str(caught.value)
    return caught.value.kind


def test_a_token_gives_back_all_that_was_granted():
    assert open_token(RING, KEY, seal_token(RING, KEY, GRANT), NOW) == GRANT


def test_nothing_of_it_can_be_read():
    token = seal_token(RING, KEY, GRANT)
    for text in (SECRET, "alice", "123456789012", "AROAEXAMPLE"):
        assert text.encode() not in b64decode(token)
    assert token != seal_token(RING, KEY, GRANT), "two of the same are not known for the same"


def test_it_ends_with_its_last_second():
    token = seal_token(RING, KEY, GRANT)
    assert open_token(RING, KEY, token, NOW + 899.999) == GRANT
    assert refused(token, now=NOW + 900) == "expired_token"


def test_it_is_good_for_one_key_and_one_root_key():
    token = seal_token(RING, KEY, GRANT)
    assert refused(token, "ASIAIOSFODNN7EXAMPLF") == "unknown_access_key"
    assert refused(token, KEY.lower()) == "unknown_access_key"
    assert refused(token, ring=Keyring(bytes(32))) == "unknown_access_key"
    other = b64encode(RING.seal("access-key", b64decode(token), KEY.encode())).decode()
    assert refused(other) == "unknown_access_key"


def test_no_bit_of_it_can_be_changed():
    raw = b64decode(seal_token(RING, KEY, GRANT))
    for place in range(len(raw)):
        altered = bytearray(raw)
        altered[place] ^= 1
        assert refused(b64encode(bytes(altered)).decode()) == "unknown_access_key"
    assert refused(b64encode(raw[:-1]).decode()) == "unknown_access_key"
    assert refused(b64encode(raw + b"\0").decode()) == "unknown_access_key"


@pytest.mark.parametrize("token", ["", "x", "====", "not base64!", "Zm9v\n", "é", "\ud800", "A" * (MAX_TOKEN_CHARACTERS + 4)])
def test_what_is_no_token(token: str):
    assert refused(token) == "unknown_access_key"


def test_what_is_sealed_but_no_grant_is_refused():
    for content in (
        b"",
        b"\xc1",
        msgspec.msgpack.encode(["assume-role", "1"]),
        msgspec.msgpack.encode(["other", "1", "2", "3", 4.0, 5.0]),
    ):
        assert refused(b64encode(RING.seal(PURPOSE, content, KEY.encode())).decode()) == "unknown_access_key"


def test_a_token_of_an_older_version_opens():
    """Fields are only ever added at the end."""
    old = msgspec.msgpack.encode(["session-token", "123456789012", "AIDAEXAMPLE", SECRET, NOW, NOW + 900])
    found = open_token(RING, KEY, b64encode(RING.seal(PURPOSE, old, KEY.encode())).decode(), NOW)
    assert (found.kind, found.owner_id, found.policies, found.mfa_at) == ("session-token", "AIDAEXAMPLE", (), None)


@pytest.mark.parametrize("least", [0, 400, 1000, 4096])
def test_a_token_is_as_long_as_was_asked(least: int):
    token = seal_token_of_size(RING, KEY, GRANT, least)
    assert len(token) >= least
    assert open_token(RING, KEY, token, NOW).secret == SECRET


def test_the_largest_session_that_may_be_made_fits():
    """4,096 bytes of policies and tags (`packed_percentage`), every tag transitive, every value at AWS's longest."""
    tags = {f"{number:0128}": "v" * 256 for number in range(10)}
    assert packed_percentage((), (), tags) in range(90, 101)
    grant = msgspec.structs.replace(
        GRANT, tags=tags, transitive_tags=tuple(tags), source_identity="s" * 64, session_name="n" * 64
    )
    assert len(seal_token(RING, KEY, grant)) <= MAX_TOKEN_CHARACTERS
    arns = tuple(f"arn:aws:iam::123456789012:policy/{number}{'p' * 360}" for number in range(10))
    assert packed_percentage((), arns, {}) in range(90, 101)
    policies = ('{"Version":"2012-10-17","Statement":[]' + " " * 2009 + "}",)
    grant = msgspec.structs.replace(GRANT, policy_arns=arns, policies=policies, tags={}, transitive_tags=())
    token = seal_token(RING, KEY, grant)
    assert len(token) <= MAX_TOKEN_CHARACTERS
    assert open_token(RING, KEY, token, NOW) == grant
