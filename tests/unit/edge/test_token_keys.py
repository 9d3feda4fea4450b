"""Keys of tokens: sealed, taking turns, and known to every inspector before they sign."""

from __future__ import annotations

from garrison.edge.inspect import TokenState
from garrison.edge.token_keys import KEPT, KIND, ROTATION, SETTLING, TokenKeys, keep_rotated, load, rotate, rotation_due
from garrison.edge.tokens import issue, verify
from garrison.keys.keyring import Keyring
from garrison.store import open_store
from tests.support.solving import NOW

SESSION = bytes(range(16))
HOST = "www.example.com"


def state(text: str, known: TokenKeys, now: float) -> TokenState:
    return verify(known, [text], HOST, (), now).state


def test_keys_are_sealed_in_the_store_and_take_turns():
    sealer = Keyring.ephemeral()
    store = open_store("", sealer=sealer, memory=True)
    with store.writing() as tx:
        assert rotation_due(tx, NOW)
        rotate(tx, sealer, NOW)
        assert not rotation_due(tx, NOW + ROTATION - 1)
        rotate(tx, sealer, NOW + 1)
    store.commit()
    first = load(store.reading(), sealer)
    old = issue(first, HOST, NOW, session=SESSION)
    blob = store.reading().one("SELECT sealed FROM waf_token_key")
    assert blob is not None
    assert first.signing(NOW).secret not in bytes(blob[0])

    later = NOW + ROTATION
    with store.writing() as tx:
        assert rotation_due(tx, later)
        rotate(tx, sealer, later)
    store.commit()
    second = load(store.reading(), sealer)
    assert second.signing(later).id == first.signing(NOW).id
    assert second.signing(later + SETTLING).id != first.signing(NOW).id
    assert state(old, second, later + SETTLING) is TokenState.ACCEPTED
    # An inspector that has not read the new key yet need not: nothing is signed with it so far.
    assert state(issue(second, HOST, later, session=SESSION), first, later) is TokenState.ACCEPTED

    with store.writing() as tx:
        assert rotation_due(tx, NOW + KEPT)
        rotate(tx, sealer, NOW + KEPT)
    store.commit()
    third = load(store.reading(), sealer)
    assert third.get(first.signing(NOW).id, later) is None
    assert state(old, third, NOW + KEPT) is TokenState.INVALID


def test_keys_are_made_where_they_are_due_and_others_hear_of_it():
    sealer = Keyring.ephemeral()
    store = open_store("", sealer=sealer, memory=True)
    heard: list[str | None] = []
    store.on_change(KIND, heard.append)
    keep_rotated(store, sealer, NOW)
    keep_rotated(store, sealer, NOW + 1)
    assert heard == [load(store.reading(), sealer).signing(NOW).id]
    keep_rotated(store, sealer, NOW + ROTATION)
    assert len(heard) == 2


def test_a_key_shows_nothing_of_itself():
    sealer = Keyring.ephemeral()
    store = open_store("", sealer=sealer, memory=True)
    keep_rotated(store, sealer, NOW)
    key = load(store.reading(), sealer).signing(NOW)
    assert repr(key) == f"<TokenKey {key.id}>"
