"""Keys on curves, as they are made here. Published vectors: ``test_published.py``."""

from __future__ import annotations

import hashlib

import pytest

from garrison.keys.kms.algorithms import ecc
from garrison.keys.kms.algorithms.base import DIGEST, RAW, Refused

ID = "00" * 32


def test_a_key_of_another_kind_is_no_peer():
    key = ecc.EccKey(ID, ecc.make("ECC_NIST_P256"))
    other = ecc.EccKey(ID, ecc.make("ECC_NIST_P384"))
    for peer in (b"", b"0", other.public(), bytes.fromhex("302a300506032b6570032100" + "11" * 32)):
        with pytest.raises(Refused):
            key.agree(peer)


@pytest.mark.parametrize("spec", ecc.CURVES)
def test_made_keys_agree_and_sign(spec: str):
    one, two = ecc.EccKey(ID, ecc.make(spec)), ecc.EccKey(ID, ecc.make(spec))
    assert one.agree(two.public()) == two.agree(one.public())
    signature = one.sign("ECDSA_SHA_384", RAW, b"x")
    one.verify("ECDSA_SHA_384", DIGEST, hashlib.sha384(b"x").digest(), signature)
    with pytest.raises(Refused):
        two.verify("ECDSA_SHA_384", RAW, b"x", signature)
