"""Hardware tokens: seeds brought in, one owner at a time. Least seed: RFC 4226, section 4, R6 (128 bits)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from garrison.identity.mfa import devices, tokens
from garrison.keys.keyring import Keyring
from garrison.store import Store, open_store

SEALER = Keyring(bytes(32))
SEED = bytes(range(20))
NOW = 1_700_000_000.0


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store("", sealer=SEALER, memory=True)
    yield found
    found.close()


def bring_in(store: Store, serial: str = "GAHT12345678", seed: bytes = SEED) -> str:
    with store.writing() as tx:
        return tokens.bring_in(tx, SEALER, serial, seed, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "000102030405060708090a0b0c0d0e0f10111213",
        "00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13\n",
        "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT",
        "aaaq eaye auda ocaj bifq ydio b4ib ceqt",
    ],
)
def test_a_seed_is_read(text: str):
    assert tokens.read_seed(text) == SEED


@pytest.mark.parametrize("text", ["", "no seed!", "0102", "00" * 15, "00" * 65, "1" * 31, "AAAQEAYE"])
def test_what_is_no_seed_is_refused(text: str):
    with pytest.raises(ValueError, match="the seed must"):
        tokens.read_seed(text)


def test_the_shortest_seed_has_128_bits():
    assert tokens.read_seed("00" * 16) == bytes(16)


@pytest.mark.parametrize("serial", ["", "short", "arn:aws:iam::1:mfa/x", "GAHT 12345678", "G" * 65, "-GAHT1234567"])
def test_a_bad_number_is_refused(store: Store, serial: str):
    with pytest.raises(ValueError, match="serial number"):
        bring_in(store, serial)


def test_a_token_is_brought_in_once(store: Store):
    assert bring_in(store, " gaht12345678 ") == "GAHT12345678"
    with pytest.raises(ValueError, match="there already"):
        bring_in(store)
    ((seed,),) = store.reading().all("SELECT seed FROM identity_token_seed")
    assert SEED not in seed


def test_a_token_is_free_until_it_is_taken_and_again_when_it_is_given_back(store: Store):
    bring_in(store)
    device = tokens.free_token(store.reading(), SEALER, "111122223333", "gaht12345678", NOW)
    assert device is not None
    assert devices.opened_seed(SEALER, device) == SEED
    with store.writing() as tx:
        tokens.taken(tx, device)
    assert tokens.free_token(store.reading(), SEALER, "444455556666", "GAHT12345678", NOW) is None
    assert tokens.known(store.reading()) == [("GAHT12345678", "111122223333")]
    with pytest.raises(ValueError, match="enabled in account 111122223333"), store.writing() as tx:
        tokens.take_away(tx, "GAHT12345678")
    with store.writing() as tx:
        tokens.given_back(tx, device._replace(last_counter=77))
    again = tokens.free_token(store.reading(), SEALER, "444455556666", "GAHT12345678", NOW)
    assert again is not None
    assert again.last_counter == 77, "the next owner cannot use the codes of the last one"
    with store.writing() as tx:
        tokens.take_away(tx, "gaht12345678")
    assert tokens.known(store.reading()) == []
    with pytest.raises(ValueError, match="not there"), store.writing() as tx:
        tokens.take_away(tx, "GAHT12345678")
