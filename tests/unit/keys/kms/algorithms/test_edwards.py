"""RFC 8032's and Project Wycheproof's vectors, through the code that Sign and Verify run."""

from __future__ import annotations

import pytest

from garrison.keys.kms.algorithms import edwards
from garrison.keys.kms.algorithms.base import DIGEST, RAW, Refused
from tests.support.published import wycheproof

ID = "00" * 32
ORDER = 2**252 + 27742317777372353535851937790883648493


def key(seed: str) -> edwards.EdwardsKey:
    return edwards.EdwardsKey(ID, bytes.fromhex("302e020100300506032b657004220420" + seed))  # RFC 8410, section 7


def test_signatures():
    seen = set()
    for group, test in wycheproof("Signature/ed25519_test"):
        public = bytes.fromhex(group["publicKeyDer"])[-32:]
        seen.add(test["result"])  # acceptable ones differ between implementations: either answer is right
        try:
            edwards.verify(public, edwards.PURE, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
        except Refused:
            assert test["result"] != "valid", test["tcId"]
        else:
            assert test["result"] != "invalid", test["tcId"]
    assert {"valid", "invalid"} <= seen


# RFC 8032, 7.1, tests 1 to 3, and 7.3: seed, public key, message, signature.
PURE = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
PREHASHED = (
    "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    "616263",
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), PURE)
def test_pure(seed: str, public: str, message: str, signature: str):
    made = key(seed)
    assert made.public().hex() == "302a300506032b6570032100" + public
    assert made.sign(edwards.PURE, RAW, bytes.fromhex(message)).hex() == signature
    made.verify(edwards.PURE, RAW, bytes.fromhex(message), bytes.fromhex(signature))


def test_prehashed():
    seed, public, message, signature = PREHASHED
    made = key(seed)
    assert made.public().hex().endswith(public)
    assert made.sign(edwards.PREHASHED, DIGEST, bytes.fromhex(message)).hex() == signature
    made.verify(edwards.PREHASHED, DIGEST, bytes.fromhex(message), bytes.fromhex(signature))


def test_the_two_are_not_one():
    seed, _, message, signature = PREHASHED
    with pytest.raises(Refused):
        key(seed).verify(edwards.PURE, RAW, bytes.fromhex(message), bytes.fromhex(signature))
    seed, _, message, signature = PURE[1]
    with pytest.raises(Refused):
        key(seed).verify(edwards.PREHASHED, DIGEST, bytes.fromhex(message), bytes.fromhex(signature))


def test_prehashed_signatures_cannot_be_bent():
    """The same faults that Wycheproof tries on pure signatures: S + order, other lengths, and a point that is none."""
    seed, _, text, published = PREHASHED
    message, signature = bytes.fromhex(text), bytes.fromhex(published)
    high = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    for bad in (
        signature[:32] + high,
        signature[:-1],
        signature + b"\0",
        b"",
        b"\xff" * 64,
        bytes(64),
        bytes(32) + signature[32:],
        signature[:32] + bytes(32),
    ):
        with pytest.raises(Refused):
            key(seed).verify(edwards.PREHASHED, DIGEST, message, bad)
