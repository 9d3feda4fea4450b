"""Passkeys and security keys, with an authenticator in software. Checks: WebAuthn Level 3, sections 7.1 and 7.2.

Attacks: another origin or site, another challenge, a copied key, somebody else's key, no verification of the user, garbage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrison.core.ids import system_random
from garrison.identity import attempts
from garrison.identity.mfa import devices, passkeys
from garrison.identity.mfa.devices import Device, Judged
from garrison.identity.mfa.passkeys import Ceremony, RefusedKeyError, Site
from garrison.keys.keyring import Keyring
from garrison.store import Store, open_store
from tests.support.authenticator import Authenticator, decoded, encoded

SEALER = Keyring(bytes(32))
ACCOUNT, BOB, EVE = "111122223333", "AIDABOB", "AIDAEVE"
SITE = Site("localhost", "http://localhost:4566")
NOW = 1_700_000_000.0


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store("", sealer=SEALER, memory=True)
    yield found
    found.close()


def ask(store: Store, owner: str = BOB) -> Ceremony:
    return passkeys.registration(store.reading(), SITE, account=ACCOUNT, owner_id=owner, owner_name="bob", random=system_random)


def register(
    store: Store, key: Authenticator, owner: str = BOB, *, asked: Ceremony | None = None, answer: str | None = None, **more: Any
) -> Device:
    asked = asked or ask(store, owner)
    given = {"owner_name": "bob", "name": "laptop", "challenge": asked.challenge, "site": SITE, **more}
    with store.writing() as tx:
        return passkeys.register(
            tx,
            given.pop("site"),
            account=ACCOUNT,
            owner_id=owner,
            credential=answer if answer is not None else key.create(asked.options),
            now=NOW,
            random=system_random,
            **given,
        )


def challenge(store: Store, owner: str = BOB) -> Ceremony:
    return passkeys.authentication(store.reading(), SITE, account=ACCOUNT, owner_id=owner, random=system_random)


def prove(store: Store, asked: Ceremony, answer: str, owner: str = BOB, site: Site = SITE) -> Judged:
    with store.writing() as tx:
        return passkeys.verify(
            tx, SEALER, site, account=ACCOUNT, owner_id=owner, credential=answer, challenge=asked.challenge, now=NOW
        )


def signs_in(store: Store, key: Authenticator, owner: str = BOB, **changes: Any) -> bool:
    asked = challenge(store, owner)
    return prove(store, asked, key.get(asked.options, **changes), owner).accepted


def test_a_key_is_registered_and_proves_its_owner(store: Store):
    key = Authenticator()
    made = register(store, key)
    assert made.serial.startswith(f"arn:aws:iam::{ACCOUNT}:u2f/user/bob/laptop-")
    assert (made.kind, made.owner_id, made.enabled, made.seed) == ("key", BOB, NOW, None)
    assert devices.of_owner(store.reading(), ACCOUNT, BOB) == [made]
    assert signs_in(store, key)
    assert signs_in(store, key)


def test_the_root_users_key(store: Store):
    made = register(store, Authenticator(), ACCOUNT, owner_name="")
    assert made.serial.startswith(f"arn:aws:iam::{ACCOUNT}:u2f/root-account/laptop-")


def test_what_the_browser_is_asked(store: Store):
    made = register(store, Authenticator())
    asked = json.loads(ask(store).options)
    assert asked["rp"]["id"] == "localhost"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert [each["id"] for each in asked["excludeCredentials"]] == [encoded(made.credential_id or b"")]
    proof = json.loads(challenge(store).options)
    assert (proof["rpId"], proof["userVerification"]) == ("localhost", "required")
    assert [each["id"] for each in proof["allowCredentials"]] == [encoded(made.credential_id or b"")]
    one, other = challenge(store), challenge(store)
    assert one.challenge != other.challenge
    assert len(one.challenge) == 32


BAD_CLIENTS = [
    {"origin": "http://evil.example"},
    {"origin": "http://localhost:4567"},
    {"origin": "https://localhost:4566"},
    {"challenge": encoded(bytes(32))},
    {"type": "webauthn.payment"},
]


@pytest.mark.parametrize("changes", BAD_CLIENTS)
def test_a_registration_for_something_else_is_refused(store: Store, changes: dict[str, Any]):
    key, asked = Authenticator(), ask(store)
    with pytest.raises(RefusedKeyError):
        register(store, key, asked=asked, answer=key.create(asked.options, **changes))
    assert devices.of_owner(store.reading(), ACCOUNT, BOB) == []


@pytest.mark.parametrize("changes", BAD_CLIENTS)
def test_a_proof_for_something_else_is_refused(store: Store, changes: dict[str, Any]):
    key = Authenticator()
    register(store, key)
    assert not signs_in(store, key, **changes)
    assert signs_in(store, key)


def test_a_proof_is_no_registration_and_the_other_way_round(store: Store):
    key = Authenticator()
    register(store, key)
    asked = challenge(store)
    with pytest.raises(RefusedKeyError):
        register(store, Authenticator(credential_id=b"2" * 32), asked=asked, answer=key.get(asked.options))
    assert not prove(store, asked, key.create(asked.options)).accepted


@pytest.mark.parametrize("key", [Authenticator(rp_id="evil.example"), Authenticator(verifies=False)])
def test_another_site_and_no_verification_of_the_user_are_refused(store: Store, key: Authenticator):
    with pytest.raises(RefusedKeyError):
        register(store, key)
    good = Authenticator()
    register(store, good)
    good.rp_id, good.verifies = key.rp_id, key.verifies
    assert not signs_in(store, good)


def test_another_keys_signature_is_refused(store: Store):
    register(store, Authenticator())
    assert not signs_in(store, Authenticator()), "the same credential id, another key"
    assert not signs_in(store, Authenticator(credential_id=b"x" * 32))


def test_somebody_elses_key_is_refused(store: Store):
    bob, eve = Authenticator(), Authenticator(credential_id=b"e" * 32)
    register(store, bob)
    register(store, eve, EVE)
    assert not signs_in(store, eve)
    assert not signs_in(store, bob, user_handle=f"{ACCOUNT}/{EVE}".encode())
    assert signs_in(store, bob, user_handle=f"{ACCOUNT}/{BOB}".encode())
    assert signs_in(store, eve, EVE)


def test_an_answer_is_good_for_its_challenge_alone(store: Store):
    key = Authenticator(counts=False)
    register(store, key)
    asked = challenge(store)
    answer = key.get(asked.options)
    assert prove(store, asked, answer).accepted
    assert not prove(store, challenge(store), answer).accepted


def test_a_copied_key_is_found_out(store: Store):
    key = Authenticator()
    register(store, key)
    copy = Authenticator(key=key.key, count=key.count)
    assert signs_in(store, key)
    assert signs_in(store, key)
    assert not signs_in(store, copy), "its counter fell behind"
    asked = challenge(store)
    answer = key.get(asked.options)
    assert prove(store, asked, answer).accepted
    assert not prove(store, asked, answer).accepted, "nor does the same answer count twice"


def test_a_key_is_registered_once(store: Store):
    key = Authenticator()
    register(store, key)
    with pytest.raises(RefusedKeyError, match="registered already"):
        register(store, key, EVE)


def test_eight_devices_and_good_names_alone(store: Store):
    with pytest.raises(RefusedKeyError, match="name"):
        register(store, Authenticator(), name="a/b")
    for number in range(devices.PER_OWNER):
        register(store, Authenticator(credential_id=bytes([number]) * 32))
    with pytest.raises(RefusedKeyError, match="more than 8"):
        register(store, Authenticator(credential_id=b"9" * 32))


def test_a_flood_of_bad_proofs_is_locked_out(store: Store):
    key = Authenticator()
    register(store, key)
    for _ in range(attempts.CODE.free):
        assert not signs_in(store, Authenticator())
    asked = challenge(store)
    assert prove(store, asked, key.get(asked.options)).refusal == "locked"


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", "{" * 1000, '{"id": 1}', "x" * 70_000])
def test_garbage_is_refused(store: Store, text: str):
    register(store, Authenticator())
    with pytest.raises(RefusedKeyError):
        register(store, Authenticator(), answer=text)
    assert not prove(store, challenge(store), text).accepted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_answer_that_was_tampered_with_is_refused(data: st.DataObject):
    store = open_store("", sealer=SEALER, memory=True)
    try:
        key, asked = Authenticator(), ask(store)
        answer = json.loads(key.create(asked.options))
        where = data.draw(st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "attestationObject"]))
        part = answer["response"] if where in answer["response"] else answer
        if isinstance(part[where], str) and data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(part[where]) - 1))
            other = data.draw(st.sampled_from("ABCxyz019-_=%\u20ac"))
            if part[where][at] == other:
                return
            part[where] = part[where][:at] + other + part[where][at + 1 :]
        else:
            part[where] = data.draw(JSON)
        try:
            made = register(store, key, asked=asked, answer=json.dumps(answer))
        except RefusedKeyError:
            return
        # What was changed said nothing: the last bits of base64url, or a member of the client's that is not signed.
        assert made.credential_id == key.credential_id or where == "attestationObject"
    finally:
        store.close()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]), st.integers(0, 10_000), st.integers(1, 255))
def test_a_proof_with_any_byte_changed_is_refused(where: str, at: int, by: int):
    store = open_store("", sealer=SEALER, memory=True)
    try:
        key = Authenticator()
        register(store, key)
        asked = challenge(store)
        answer = json.loads(key.get(asked.options))
        raw = bytearray(decoded(answer["response"][where]))
        raw[at % len(raw)] ^= by
        answer["response"][where] = encoded(bytes(raw))
        assert not prove(store, asked, json.dumps(answer)).accepted
    finally:
        store.close()


def test_the_condition_keys_of_a_registration():
    assert passkeys.registration_keys() == {"iam:RegisterSecurityKey": "Activate"}
    assert passkeys.registration_keys({"FIDO": "L1", "FIPS-140-2": "L2", "FIPS-140-3": "L3", "other": "x"}) == {
        "iam:RegisterSecurityKey": "Activate",
        "iam:FIDO-certification": "L1",
        "iam:FIDO-FIPS-140-2-certification": "L2",
        "iam:FIDO-FIPS-140-3-certification": "L3",
    }
