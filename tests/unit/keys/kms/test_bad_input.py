"""Texts that no key, alias or tag has, on both engines: an AWS error each, never anything else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from garrison.api import kms as api
from garrison.core.errors import CommonError, ServiceError
from tests.support.kms import Calls, Kms, root
from tests.support.stores import Place

NASTY = [
    "\0",
    "alias/\0",
    "a\0b",
    "alias/",
    "arn:aws:kms:eu-central-1:111122223333:alias/\0",
    "arn:::::",
    "é" * 2048,
    "'; --",
    "%",
    "\U0010ffff",
]


def calls(text: str, key: api.KeyMetadata) -> Calls:
    return [
        ("DescribeKey", {"key_id": text}),
        ("EnableKey", {"key_id": text}),
        ("Encrypt", {"key_id": text, "plaintext": b"x", "encryption_context": {text: text}}),
        ("Encrypt", {"key_id": key.key_id, "plaintext": b"x", "encryption_context": {text: text}}),
        ("Decrypt", {"ciphertext_blob": text.encode()}),
        ("Decrypt", {"key_id": text, "ciphertext_blob": b"x"}),
        ("CreateAlias", {"alias_name": text, "target_key_id": key.key_id}),
        ("CreateAlias", {"alias_name": "alias/x", "target_key_id": text}),
        ("UpdateAlias", {"alias_name": text, "target_key_id": text}),
        ("DeleteAlias", {"alias_name": text}),
        ("ListAliases", {"key_id": text}),
        ("ListKeys", {"marker": text}),
        ("TagResource", {"key_id": key.key_id, "tags": [api.Tag(tag_key=text[:128], tag_value=text[:256])]}),
        ("UntagResource", {"key_id": key.key_id, "tag_keys": [text]}),
        ("UpdateKeyDescription", {"key_id": key.key_id, "description": text}),
        ("PutKeyPolicy", {"key_id": key.key_id, "policy": text}),
        ("GetKeyPolicy", {"key_id": key.key_id, "policy_name": text}),
        ("CreateKey", {"description": text, "tags": [api.Tag(tag_key=text[:128], tag_value=text[:256])]}),
    ]


def attempt(kms: Kms, text: str, key: api.KeyMetadata) -> None:
    for operation, members in calls(text, key):
        try:
            kms(root(), operation, **members)
        except ServiceError as error:
            if isinstance(error, CommonError):
                assert error.kind in {"validation", "access_denied"}, operation  # noqa: PT017 - any other error fails by itself


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_nasty_texts(place: Place, text: str):
    kms = Kms(place.open(), place.sealer)
    key = kms.new_key()
    attempt(kms, text, key)
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.arn == key.arn


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text(kms: Kms, text: str):
    attempt(kms, text, kms.new_key())
