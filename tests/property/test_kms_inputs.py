"""Whatever bytes a caller sends to a cryptographic operation, the answer is an answer or one of AWS's errors."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from garrison.api import kms as api
from garrison.core.errors import ServiceError
from garrison.core.model import load_model
from garrison.keys.keyring import Keyring
from garrison.keys.kms.algorithms import ecc
from garrison.keys.kms.algorithms.base import Refused
from garrison.keys.kms.specs import SPECS
from garrison.store import open_store
from tests.support.kms import Kms, root

ID = "ab" * 32
TRIES = max(100, int(os.environ.get("GARRISON_FORGERIES", "20000")) // 20)
MODEL = load_model("kms")


def modelled(shape: str) -> st.SearchStrategy[str]:
    return st.sampled_from(MODEL.shape(shape).enum)


@pytest.fixture(scope="module")
def world() -> tuple[Kms, list[str]]:
    """KMS with a key of every spec and usage."""
    kms = Kms(open_store("", sealer=Keyring(bytes(32)), slot=0, memory=True), Keyring(bytes(32)))
    kinds = [
        (spec.name, usage) for spec in SPECS.values() for usage in spec.algorithms if spec.name not in {"RSA_3072", "RSA_4096"}
    ]
    return kms, [kms.new_key(key_spec=spec, key_usage=usage).key_id for spec, usage in kinds]


BLOB = st.binary(min_size=1, max_size=600)
MESSAGE = st.one_of(BLOB, st.sampled_from([20, 28, 32, 48, 64]).map(bytes))
CALLS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Encrypt": {
        "plaintext": BLOB,
        "encryption_algorithm": modelled("EncryptionAlgorithmSpec"),
        "encryption_context": st.none() | st.just({"a": "b"}),
    },
    "Decrypt": {"ciphertext_blob": BLOB, "encryption_algorithm": modelled("EncryptionAlgorithmSpec")},
    "Sign": {"message": MESSAGE, "message_type": modelled("MessageType"), "signing_algorithm": modelled("SigningAlgorithmSpec")},
    "Verify": {
        "message": MESSAGE,
        "message_type": modelled("MessageType"),
        "signing_algorithm": modelled("SigningAlgorithmSpec"),
        "signature": BLOB,
    },
    "GenerateMac": {"message": MESSAGE, "mac_algorithm": modelled("MacAlgorithmSpec")},
    "VerifyMac": {"message": MESSAGE, "mac_algorithm": modelled("MacAlgorithmSpec"), "mac": BLOB},
    "DeriveSharedSecret": {"public_key": BLOB, "key_agreement_algorithm": modelled("KeyAgreementAlgorithmSpec")},
    "Encapsulate": {"encapsulation_algorithm": modelled("EncapsulationAlgorithmSpec")},
    "Decapsulate": {
        "shared_secret_ciphertext_blob": BLOB | st.sampled_from([768, 1088, 1568]).map(bytes),
        "encapsulation_algorithm": modelled("EncapsulationAlgorithmSpec"),
    },
    "GetPublicKey": {},
    "GenerateDataKeyPair": {"key_pair_spec": modelled("DataKeyPairSpec").filter(lambda name: not name.startswith("RSA"))},
}


@pytest.mark.parametrize("operation", CALLS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes(world: tuple[Kms, list[str]], operation: str, data: st.DataObject):
    kms, keys = world
    members = {name: data.draw(strategy, name) for name, strategy in CALLS[operation].items()}
    key_id = data.draw(st.sampled_from(keys), "key")
    try:
        answer = kms(root(), operation, key_id=key_id, **members)
    except ServiceError:
        return
    assert isinstance(answer, api.OPERATIONS[operation][1] or object)
    assert operation not in {"Verify", "VerifyMac", "Decrypt"}, members  # nobody guesses these


def test_bent_public_keys():
    """Peers near a good one: each is refused, or gives a secret that its own private key would give too."""
    own = ecc.EccKey(ID, ecc.make("ECC_NIST_P256"))
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    goods = [
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*form),
        ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*form),
        ec.generate_private_key(ec.BrainpoolP256R1()).public_key().public_bytes(*form),
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*form),
        rsa.generate_private_key(65537, 2048).public_key().public_bytes(*form),
    ]
    chance = random.Random(20_261_125)
    refused = agreed = 0
    for number in range(TRIES):
        raw = bytearray(goods[number % len(goods)])
        for _ in range(chance.randrange(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            assert len(own.agree(bytes(raw))) == 32
            agreed += 1
        except Refused:
            refused += 1
    assert refused > agreed
