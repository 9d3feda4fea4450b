"""Altered and made-up grant tokens, import tokens and wrapped material: never taken, and never an error of ours.

``GARRISON_FUZZ_EXAMPLES`` raises the number of tries.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from garrison.api import kms as api
from garrison.core.errors import ServiceError
from garrison.keys.keyring import Keyring
from garrison.store import open_store
from tests.support.importing import wrapped
from tests.support.kms import ACCOUNT, Kms, root, user

EXAMPLES = int(os.environ.get("GARRISON_FUZZ_EXAMPLES", "200"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
MATERIAL = bytes(range(32))


def altered(value: bytes) -> st.SearchStrategy[bytes]:
    """Anything but ``value``: bits flipped, cut, lengthened, spliced, or of no relation to it."""
    flip = st.tuples(st.integers(0, len(value) - 1), st.integers(1, 255)).map(
        lambda at: value[: at[0]] + bytes([value[at[0]] ^ at[1]]) + value[at[0] + 1 :]
    )
    cut = st.integers(0, len(value) - 1).map(lambda at: value[:at])
    longer = st.binary(min_size=1, max_size=8).map(lambda more: value + more)
    splice = st.tuples(st.integers(0, len(value)), st.binary(max_size=64)).map(lambda at: value[: at[0]] + at[1])
    return st.one_of(flip, cut, longer, splice, st.binary(max_size=600)).filter(lambda found: found not in {value, b""})


class World:
    """A key with a grant, and one that waits for material."""

    def __init__(self) -> None:
        sealer = Keyring(bytes(32))
        self.kms = Kms(open_store("", sealer=sealer, memory=True), sealer)
        self.grantee = self.kms.person("user", "alice")
        self.key = self.kms.new_key()
        self.token = self.kms(
            root(), "CreateGrant", key_id=self.key.key_id, grantee_principal=self.grantee, operations=["Encrypt"]
        ).grant_token
        self.waiting = self.kms.new_key(origin="EXTERNAL")
        self.members = {
            algorithm: wrapped(self.kms, self.waiting, MATERIAL, algorithm)
            for algorithm in ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")
        }


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@FUZZ
@given(st.data())
def test_grant_tokens(world: World, data: st.DataObject):
    raw = data.draw(altered(b64decode(world.token)))
    for token in (b64encode(raw).decode(), raw.decode("latin-1")):
        with pytest.raises(api.InvalidGrantTokenException):
            world.kms(user("alice"), "Encrypt", key_id=world.key.arn, plaintext=b"x", grant_tokens=[token])
        with pytest.raises(api.InvalidGrantTokenException):
            world.kms(root(), "RetireGrant", grant_token=token)


@FUZZ
@given(st.data(), st.sampled_from(["import_token", "encrypted_key_material"]))
def test_import_blobs(world: World, data: st.DataObject, member: str):
    members = data.draw(st.sampled_from(sorted(world.members)).map(lambda name: world.members[name]))
    with pytest.raises(ServiceError) as error:
        world.kms(root(), "ImportKeyMaterial", **{**members, member: data.draw(altered(members[member]))})
    assert type(error.value) in {
        api.InvalidImportTokenException,
        api.InvalidCiphertextException,
        api.IncorrectKeyMaterialException,
    }
    assert world.kms(root(), "DescribeKey", key_id=world.waiting.key_id).key_metadata.key_state == "PendingImport"


@FUZZ
@given(st.text(max_size=200))
def test_principals_of_a_grant(world: World, name: str):
    for principal in (name, f"arn:aws:iam::{ACCOUNT}:{name}", f"arn:aws:sts::{ACCOUNT}:{name}"):
        try:
            made = world.kms(root(), "CreateGrant", key_id=world.key.key_id, grantee_principal=principal, operations=["Decrypt"])
        except ServiceError:
            continue
        known = {world.grantee, f"arn:aws:iam::{ACCOUNT}:root"}
        assert made.grant_id
        assert principal in known or principal.startswith(f"arn:aws:sts::{ACCOUNT}:federated-user/")
