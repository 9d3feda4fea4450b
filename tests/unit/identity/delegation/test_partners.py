"""Registering partners: what is checked, what never changes, and what is whose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from garrison.core.ids import system_random
from garrison.identity.delegation import partners
from garrison.identity.delegation.delivery import signature
from garrison.identity.delegation.partners import Registration, RegistrationError
from garrison.keys.keyring import Keyring
from garrison.store import Store, open_store
from tests.support.delegation import BOUNDARY, DOMAIN, PARTNER, TOPIC, registration
from tests.support.needs import ROOT

ELSE = "111122223333"


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store("", sealer=SEALER, memory=True)
    yield found
    found.close()


SEALER = Keyring(bytes(32))


def register(store: Store, **given: Any) -> dict[str, str]:
    with store.writing() as tx:
        made = partners.register(tx, SEALER, partners.read(registration(**given)), system_random)
    store.commit()
    return made


def read(**given: Any) -> Registration:
    return partners.read(registration(**given))


def test_what_is_registered_is_found(store: Store):
    secrets = register(store)
    assert set(secrets) == {TOPIC}
    assert len(secrets[TOPIC]) == 64
    tx = store.reading()
    partner = partners.partner_of(tx, PARTNER)
    assert partner == (DOMAIN, "Example Partner", False)
    assert partners.partner_of(tx, ELSE) is None
    assert partner is not None
    assert partners.has_topic(tx, partner, TOPIC)
    assert partners.template_of(tx, partner, partners.template_arn(DOMAIN, "SetUp_20260101"))
    assert partners.boundary_document(tx, partners.boundary_arn(DOMAIN, BOUNDARY))
    (shown,) = partners.registered(tx)
    assert (shown["domain"], shown["accounts"], shown["topics"]) == (DOMAIN, [PARTNER], [TOPIC])
    assert secrets[TOPIC] not in json.dumps(shown)
    (sealed,) = [row[0] for row in tx.all("SELECT secret FROM iam_delegation_topic")]
    assert secrets[TOPIC].encode() not in bytes(sealed)


def test_a_second_registration_replaces_what_may_change(store: Store):
    register(store)
    another = f"arn:aws:sns:eu-west-1:{ELSE}:more"
    whole = json.loads(registration())["templates"]["Whole_20260101"]
    made = register(
        store, name="Renamed", accounts=[PARTNER, ELSE], topics={TOPIC: {}, another: {}}, templates={"Whole_20260101": whole}
    )
    assert set(made) == {another}, "the secret of a topic stays"
    tx = store.reading()
    partner = partners.partner_of(tx, ELSE)
    assert partner is not None
    assert partner.name == "Renamed"
    assert partners.template_of(tx, partner, partners.template_arn(DOMAIN, "Whole_20260101"))
    assert partners.template_of(tx, partner, partners.template_arn(DOMAIN, "SetUp_20260101")) is None, "withdrawn"
    register(store, boundaries={}, templates={"Whole_20260101": whole})
    assert partners.partner_of(store.reading(), ELSE) is None
    assert partners.boundary_document(store.reading(), partners.boundary_arn(DOMAIN, BOUNDARY)), "roles may still have it"


@pytest.mark.parametrize("what", ["templates", "boundaries"])
def test_a_registered_policy_never_changes(store: Store, what: str):
    register(store)
    found = json.loads(registration())
    name = next(name for name in found[what] if name != "SetUp_20260101")
    same = {**found[what], name: dict(reversed(found[what][name].items()))}
    register(store, **{what: same})
    changed = {
        **found[what],
        name: {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]},
    }
    with pytest.raises(RegistrationError, match="another text"):
        register(store, **{what: changed})


def test_what_is_another_partners_is_taken_by_nobody(store: Store):
    register(store)
    other = {
        "domain": "other.com",
        "boundaries": {},
        "templates": {"T_20260101": json.loads(registration())["templates"]["Whole_20260101"]},
    }
    with pytest.raises(RegistrationError, match="is registered for"):
        register(store, **other)
    theirs = f"arn:aws:sns:us-east-1:{ELSE}:theirs"
    register(store, **other, accounts=[ELSE], topics={theirs: {}})
    partner = partners.partner_of(store.reading(), ELSE)
    assert partner is not None
    assert partners.template_of(store.reading(), partner, partners.template_arn(DOMAIN, "Whole_20260101")) is None
    assert not partners.has_topic(store.reading(), partner, TOPIC)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"domain": "Partner.com"}, "domain"),
        ({"domain": "partner"}, "domain"),
        ({"domain": "a/b.com"}, "domain"),
        ({"domain": "partner.com\n"}, "domain"),
        ({"name": ""}, "30 characters"),
        ({"name": "x" * 31}, "30 characters"),
        ({"accounts": []}, "has accounts"),
        ({"accounts": ["44445555666"]}, "12 digits"),
        ({"accounts": ["\uff14" * 12]}, "12 digits"),
        ({"templates": {}}, "has accounts"),
        ({"templates": {"SetUp": {}}}, "date"),
        ({"templates": {"SetUp_2026": {}}}, "date"),
        ({"templates": {"a/b_20260101": {}}}, "date"),
        ({"templates": {"SetUp_20260101": {}}}, "SetUp_20260101"),
        ({"boundaries": {BOUNDARY: {"Version": "2012-10-17", "Statement": []}}}, BOUNDARY),
        ({"topics": {}}, "has accounts"),
        ({"topics": {"nothing": {}}}, "no ARN"),
        ({"topics": {f"arn:aws:sqs:us-east-1:{PARTNER}:x": {}}}, "SNS topic"),
        ({"topics": {f"arn:aws:sns:us-east-1:{ELSE}:x": {}}}, "none of the partner's accounts"),
        ({"topics": {TOPIC: {"url": "http://partner.com/"}}}, "https"),
        ({"topics": {TOPIC: {"url": "https://user@partner.com/"}}}, "https"),
        ({"topics": {TOPIC: {"url": "https:///x"}}}, "https"),
        ({"topics": {TOPIC: {"url": "https://partner.com/a b"}}}, "https"),
        ({"topics": {TOPIC: {"url": "file:///etc/passwd"}}}, "https"),
        ({"topics": {TOPIC: {"url": "https://partner.com/", "authority": "no certificate"}}}, "certificate"),
        ({"topics": {TOPIC: {"unknown": 1}}}, "unknown"),
        ({"unknown": 1}, "unknown"),
        ({"accounts": "x"}, "accounts"),
    ],
)
def test_what_no_registration_may_say(given: dict[str, Any], why: str):
    with pytest.raises(RegistrationError, match=why):
        read(**given)


def test_what_is_no_json_is_no_registration():
    for text in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(RegistrationError):
            partners.read(text)
    assert read(topics={TOPIC: {"url": "http://127.0.0.1:8080/hook"}}).topics[TOPIC].url


def test_the_how_to_page_is_registered_as_it_stands(store: Store):
    page = (ROOT / "docs" / "how-to" / "delegate-access.md").read_text(encoding="utf-8")
    (block,) = re.findall(r'^```json title="partner.json"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL)
    found = partners.read(block.encode())
    with store.writing() as tx:
        partners.register(tx, SEALER, found, system_random)
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - what the page shows
    header = signature(b"secret", b"body", 1000)
    assert names["is_genuine"]("secret", header, b"body", 1001.0)
    assert not names["is_genuine"]("secret", header, b"other", 1001.0)
    assert not names["is_genuine"]("secret", header, b"body", 2000.0)
