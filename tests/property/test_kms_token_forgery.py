"""Grant tokens, import tokens, wrapped material and ciphertexts that were altered: none is taken, and no answer is an error of ours.

Each is tried where it is opened, which is cheap, and a fiftieth of that through a whole worker, signed. ``GARRISON_FORGERIES`` says
how many tries each kind gets; the default is what a few seconds allow.
"""

from __future__ import annotations

import json
import os
import random
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.ids import system_random
from garrison.core.ports import Sealer
from garrison.keys.keyring import Keyring
from garrison.keys.kms import grant_tokens, wrapping
from garrison.keys.kms.algorithms.base import Refused, Signer
from garrison.keys.kms.ciphertext import Material, Unreadable
from garrison.keys.kms.specs import SPECS
from tests.support.forging import SEED, bent
from tests.support.importing import wrap
from tests.support.inprocess import InProcess

TRIES = max(100, int(os.environ.get("GARRISON_FORGERIES", "20000")))
THROUGH = max(50, TRIES // 50)
"""Tries through the whole worker."""
REGION, KEY, OTHER_KEY = "us-east-1", "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
SMALL_RSA = 1024
"""Bits of the wrapping keys that are tried at length: the code is the same for each size, and this one costs least."""
MATERIAL = bytes(range(32))


def context(sealer: Sealer, region: str = REGION) -> Context:
    """As much of a call as grant tokens look at."""
    return cast("Context", SimpleNamespace(ports=SimpleNamespace(sealer=sealer), region=region))


def refusing(take: Callable[[Any], object], *refusals: type[Exception]) -> Callable[[Any], None]:
    """Fails the test where ``take`` takes something, and lets through what is no refusal."""

    def check(forged: Any) -> None:
        try:
            take(forged)
        except refusals:
            return
        pytest.fail(f"accepted: {forged!r}")

    return check


# Where they are opened


def test_grant_tokens():
    sealer = Keyring(bytes(32))
    ctx = context(sealer)
    named = grant_tokens.Named(REGION, KEY, "ab" * 32)
    good, other = (grant_tokens.make(ctx, one) for one in (named, named._replace(key_id=OTHER_KEY)))
    assert grant_tokens.read(ctx, good) == named
    refused = refusing(lambda token: grant_tokens.read(ctx, token), api.InvalidGrantTokenException)
    chance = random.Random(f"{SEED} grant tokens")
    raw, other_raw = b64decode(good), b64decode(other)
    for number in range(TRIES):
        if number % 4:
            refused(b64encode(bent(chance, raw, other_raw)).decode())
        else:
            refused(bent(chance, good.encode(), other.encode()).decode("latin-1"))


def test_tokens_of_others():
    """Sealed well, and none of these: for another purpose, under another root key, for another Region."""
    sealer = Keyring(bytes(32))
    ctx = context(sealer)
    named = grant_tokens.Named(REGION, KEY, "ab" * 32)
    token = wrapping.Token(REGION, KEY, "RSAES_OAEP_SHA_256", 2e9, b"private")
    refused = refusing(lambda one: grant_tokens.read(ctx, one), api.InvalidGrantTokenException)
    refused(b64encode(wrapping.seal(sealer, token)).decode())
    refused(grant_tokens.make(context(Keyring(b"\1" * 32)), named))
    refused(grant_tokens.make(ctx, named._replace(region="eu-west-1")))
    for blob in (b64decode(grant_tokens.make(ctx, named)), wrapping.seal(Keyring(b"\1" * 32), token)):
        refusing(lambda one: wrapping.unseal(sealer, one), ValueError)(blob)


def test_import_tokens():
    sealer = Keyring(bytes(32))
    private = rsa_key(2048)
    tokens = [wrapping.Token(REGION, key, "RSAES_OAEP_SHA_256", 2e9, private) for key in (KEY, OTHER_KEY)]
    good, other = (wrapping.seal(sealer, token) for token in tokens)
    assert wrapping.unseal(sealer, good) == tokens[0]
    refused = refusing(lambda raw: wrapping.unseal(sealer, raw), ValueError)
    chance = random.Random(f"{SEED} import tokens")
    for _ in range(TRIES):
        refused(bent(chance, good, other))


def test_ciphertexts():
    material = Material("ab" * 32, bytes(range(32)))
    pairs = {"purpose": "forgery"}
    good, other = (material.encrypt(system_random, plaintext, pairs) for plaintext in (b"one", b"another"))
    refused = refusing(lambda blob: material.decrypt(blob, pairs), Unreadable)
    chance = random.Random(f"{SEED} ciphertexts")
    for _ in range(TRIES):
        refused(bent(chance, good, other))
    for elsewhere in ({}, {"purpose": "forgerY"}, {"Purpose": "forgery"}, {**pairs, "more": ""}):
        refusing(partial(material.decrypt, good), Unreadable)(elsewhere)
    assert material.decrypt(good, pairs) == b"one"


def rsa_key(bits: int) -> bytes:
    return rsa.generate_private_key(65537, bits).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


WRAPPINGS = sorted({**wrapping.DIRECT, **wrapping.TWICE})


@pytest.mark.parametrize("algorithm", WRAPPINGS)
def test_wrapped_material(algorithm: str):
    private = rsa_key(SMALL_RSA)
    public = load_der_private_key(private, None).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    token = wrapping.Token(REGION, KEY, algorithm, 2e9, private)
    good, other = wrap(public, algorithm, MATERIAL), wrap(public, algorithm, MATERIAL[::-1], aes=b"K" * 32)
    assert wrapping.unwrap(token, good) == MATERIAL
    refused = refusing(lambda blob: wrapping.unwrap(token, blob), wrapping.Unwrappable)
    chance = random.Random(f"{SEED}{algorithm}")
    size = SMALL_RSA // 8
    for number in range(TRIES // len(WRAPPINGS)):
        if number % 2 and len(good) > size:  # the AES half alone, since nothing hides behind RSA's check then
            refused(good[:size] + bent(chance, good[size:], other[size:]))
        else:
            refused(bent(chance, good, other))
    for elsewhere in WRAPPINGS:
        if elsewhere != algorithm:
            refused(wrap(public, elsewhere, MATERIAL))


KEYS: dict[str, Callable[[], ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey]] = {
    "ECC_NIST_P256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ECC_NIST_P384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ECC_NIST_P521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ECC_SECG_P256K1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey.generate,
    "RSA_2048": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("spec", KEYS)
def test_material_that_its_owner_bent(spec: str):
    """Private keys near good ones, wrapped well: each is refused, or signs what its own public half verifies."""
    good = KEYS[spec]().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    chance = random.Random(f"{SEED}{spec}")
    refused = 0
    for _ in range(TRIES // (200 if spec.startswith("RSA") else 20)):
        try:
            kept = wrapping.canonical(spec, bent(chance, good))
        except wrapping.Unfit:
            refused += 1
            continue
        assert must_work(spec, kept), kept.hex()
    assert refused > TRIES // 500


def must_work(spec: str, kept: bytes) -> bool:
    """Whether a key of this material verifies what it signed itself."""
    key = SPECS[spec].load("ab" * 32, kept)
    assert isinstance(key, Signer)
    algorithm = SPECS[spec].algorithms["SIGN_VERIFY"][0]
    try:
        key.verify(algorithm, "RAW", b"message", key.sign(algorithm, "RAW", b"message"))
    except Refused:
        return False
    return True


# Through a whole worker


class World:
    """A worker with a key, a grant of it, and a key that waits for material."""

    def __init__(self) -> None:
        self.worker = InProcess()
        self.key = self.call("CreateKey")["KeyMetadata"]["KeyId"]
        self.waiting = self.call("CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        grantee = f"arn:aws:iam::{self.worker.account}:root"
        self.tokens = [
            self.call("CreateGrant", KeyId=key, GranteePrincipal=grantee, Operations=["Encrypt"])["GrantToken"]
            for key in (self.key, self.call("CreateKey")["KeyMetadata"]["KeyId"])
        ]
        self.blobs = [b64decode(self.call("Encrypt", KeyId=self.key, Plaintext="a2VwdA==")["CiphertextBlob"]) for _ in range(2)]
        self.members = [self.parameters(algorithm) for algorithm in WRAPPINGS]

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        answer = self.worker.kms(operation, **members)
        assert answer.status == 200, answer.body
        return cast("dict[str, Any]", json.loads(answer.body))

    def parameters(self, algorithm: str) -> dict[str, bytes]:
        found = self.call("GetParametersForImport", KeyId=self.waiting, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
        blob = wrap(b64decode(found["PublicKey"]), algorithm, MATERIAL)
        return {"ImportToken": b64decode(found["ImportToken"]), "EncryptedKeyMaterial": blob}

    def refused(self, operation: str, *codes: str, **members: Any) -> None:
        answer = self.worker.kms(operation, **members)
        assert (answer.status, json.loads(answer.body)["__type"].rpartition("#")[2] in codes) == (400, True), (members, answer)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    found = World()
    yield found
    found.worker.close()


def test_grant_tokens_through_the_worker(world: World):
    chance = random.Random(f"{SEED} grant tokens through")
    good, other = (b64decode(token) for token in world.tokens)
    for number in range(THROUGH):
        token = b64encode(bent(chance, good, other)).decode()
        # Cut to nothing, the token is too short for the model.
        codes = ("InvalidGrantTokenException", *(("ValidationException",) if not token else ()))
        if number % 2:
            world.refused("Encrypt", *codes, KeyId=world.key, Plaintext="eA==", GrantTokens=[token])
        else:
            world.refused("RetireGrant", *codes, GrantToken=token)
    assert len(world.call("ListGrants", KeyId=world.key)["Grants"]) == 1


def test_imports_through_the_worker(world: World):
    chance = random.Random(f"{SEED} imports through")
    codes = ("InvalidImportTokenException", "InvalidCiphertextException", "IncorrectKeyMaterialException")
    for number in range(THROUGH):
        members, other = chance.sample(world.members, 2)
        name = ("ImportToken", "EncryptedKeyMaterial")[number % 2]
        forged = {**members, name: bent(chance, members[name], other[name])}
        expected = codes if all(forged.values()) else ("ValidationException",)
        sent = {member: b64encode(value).decode() for member, value in forged.items()}
        world.refused("ImportKeyMaterial", *expected, KeyId=world.waiting, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE", **sent)
    assert world.call("DescribeKey", KeyId=world.waiting)["KeyMetadata"]["KeyState"] == "PendingImport"


def test_ciphertexts_through_the_worker(world: World):
    chance = random.Random(f"{SEED} ciphertexts through")
    # Where the material's id was bent too, the ciphertext is that of a key that is not here: as another account's is refused.
    codes = ("InvalidCiphertextException", "AccessDeniedException")
    for number in range(THROUGH):
        forged = bent(chance, *world.blobs)
        named = {"KeyId": world.key} if number % 2 else {}
        expected = ("ValidationException",) if not forged else ("InvalidCiphertextException", "IncorrectKeyException")
        world.refused("Decrypt", *expected, *(() if named else codes), CiphertextBlob=b64encode(forged).decode(), **named)
