"""Encapsulation, whose randomness is its own. Other published vectors: ``test_published.py``."""

from __future__ import annotations

from hashlib import sha3_256, sha3_512

import pytest
from Crypto.PublicKey import MLKEM
from cryptography.hazmat.primitives.asymmetric import mlkem as library
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from garrison.keys.kms.algorithms import mlkem
from garrison.keys.kms.algorithms.base import Refused
from tests.support.published import wycheproof

ID = "00" * 32


def test_encapsulation_with_given_randomness():
    """The library that ML-KEM-512 comes from; the others give no place for the randomness."""
    seen = set()
    for _, test in wycheproof("Protocol/mlkem_512_encaps_test"):
        seen.add(test["result"])
        try:
            public = MLKEM.construct(param_set=MLKEM.ML_KEM_512, ek=bytes.fromhex(test["ek"]))
            secret, ciphertext = public._encaps(bytes.fromhex(test["m"]))
        except ValueError:
            assert test["result"] == "invalid", test["tcId"]
            continue
        assert (secret.hex(), ciphertext.hex()) == (test["K"], test["c"]), test["tcId"]
        assert test["result"] == "valid", test["tcId"]
    assert seen == {"valid", "invalid"}


@pytest.mark.parametrize(
    ("spec", "public", "ciphertext"),
    [("ML_KEM_512", 822, 768), ("ML_KEM_768", 1206, 1088), ("ML_KEM_1024", 1590, 1568)],
)
def test_sizes(spec: str, public: int, ciphertext: int):  # FIPS 203, table 3, and 22 bytes of DER
    key = mlkem.MlKemKey(spec, ID, bytes(range(64)))
    secret, blob = key.encapsulate()
    assert (len(key.public()), len(blob), len(secret)) == (public, ciphertext, 32)
    assert key.decapsulate(blob) == secret
    other = mlkem.MlKemKey(spec, ID, bytes(64))
    assert other.decapsulate(blob) != secret  # implicit rejection: no error
    assert key.decapsulate(bytes([blob[0] ^ 1]) + blob[1:]) != secret
    for bad in (b"", blob[:-1], blob + b"\0"):
        with pytest.raises(Refused):
            key.decapsulate(bad)
    assert len(mlkem.pkcs8(spec, bytes(range(64)))) == 86  # RFC 9935: the seed alone


@pytest.mark.parametrize(("spec", "level"), [("ML_KEM_768", MLKEM.ML_KEM_768), ("ML_KEM_1024", MLKEM.ML_KEM_1024)])
def test_two_libraries_agree(spec: str, level: MLKEM.ParamSet):
    seed = sha3_512(spec.encode()).digest()
    ours, theirs = mlkem.MlKemKey(spec, ID, seed), MLKEM.construct(param_set=level, seed=seed)
    assert ours.public() == theirs.public_key().export_key(format="DER")
    assert mlkem.pkcs8(spec, seed) == theirs.export_key(format="DER")
    secret, blob = ours.encapsulate()
    assert theirs._decaps(blob) == secret
    secret, blob = theirs._encaps(sha3_256(b"m").digest())
    assert ours.decapsulate(blob) == secret
    assert isinstance(
        load_der_private_key(mlkem.pkcs8(spec, seed), None), library.MLKEM768PrivateKey | library.MLKEM1024PrivateKey
    )
    assert load_der_public_key(ours.public()) is not None
