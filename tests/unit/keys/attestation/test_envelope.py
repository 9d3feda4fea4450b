"""What is sealed to a recipient opens for nobody else, and has the form of AWS's answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from garrison.core.ids import system_random
from garrison.keys.attestation import seal_to
from tests.support import needs
from tests.support.nitro import opened, recipient_key


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 32, 4096])
def test_the_recipient_reads_it(length: int):
    plaintext = bytes(range(256)) * 16
    sealed = seal_to(recipient_key().public_key(), plaintext[:length], system_random)
    assert opened(sealed, recipient_key()) == plaintext[:length]
    assert plaintext[:16] not in sealed


def test_nobody_else_reads_it():
    sealed = seal_to(recipient_key().public_key(), b"secret", system_random)
    with pytest.raises(ValueError, match=r"Decryption failed|decrypt"):
        opened(sealed, rsa.generate_private_key(65537, 2048))


def test_no_two_are_alike():
    first, second = (cms.ContentInfo.load(seal_to(recipient_key().public_key(), b"x", system_random)) for _ in range(2))
    for part in ("encrypted_content", "content_encryption_algorithm"):
        infos = [one["content"]["encrypted_content_info"][part].dump() for one in (first, second)]
        assert infos[0] != infos[1]


def test_the_form_is_that_of_aws():
    published = bytes.fromhex(
        (needs.ROOT / "tests/vectors/nitro/recipient-info.hex").read_text(encoding="ascii").replace("\n", "")
    )
    (info,) = cms.ContentInfo.load(seal_to(recipient_key().public_key(), b"x", system_random))["content"]["recipient_infos"]
    ours = info.chosen
    head = ours["version"].dump() + ours["rid"].dump() + ours["key_encryption_algorithm"].dump()
    # Version, kind and length of the identifier, then (after the identifier itself) all of the algorithm, byte for byte.
    assert head[:5] == published[:5]
    assert head[5 + 32 :] == published[5 + 32 :]


def test_openssl_reads_it(tmp_path: Path):
    sealed, key = tmp_path / "sealed.der", tmp_path / "key.pem"
    sealed.write_bytes(seal_to(recipient_key().public_key(), b"for openssl", system_random))
    key.write_bytes(recipient_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    line = [needs.program("openssl"), "cms", "-decrypt", "-inform", "DER", "-in", str(sealed), "-inkey", str(key)]
    done = subprocess.run(line, capture_output=True, check=False)
    assert done.stdout == b"for openssl", done.stderr
