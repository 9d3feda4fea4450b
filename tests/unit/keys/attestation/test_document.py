"""Attestation documents: AWS's own is believed, and no altered one is."""

from __future__ import annotations

import base64
import datetime as dt
import random
import re
import uuid
from fractions import Fraction
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from garrison.keys.attestation import Untrusted, aws_roots, chain, document, verify_document
from tests.support.needs import ROOT
from tests.support.nitro import ES384, Authority, Hypervisor, make_certificate, public_der, recipient_key

NOW = 1_790_000_000.0
AWS_TIME = 1_726_587_374.133
AWS_DOCUMENT = base64.b64decode((ROOT / "tests" / "vectors" / "nitro" / "enclave.b64").read_text(encoding="ascii"))
FINGERPRINT = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
"""Nitro Enclaves User Guide, "Verifying the root of trust"."""


@pytest.fixture(scope="module")
def hypervisor() -> Hypervisor:
    return Hypervisor(NOW)


def refused(blob: bytes, hypervisor: Hypervisor, now: float = NOW) -> str:
    with pytest.raises(Untrusted) as caught:
        verify_document(blob, hypervisor.roots, now)
    return str(caught.value)


def test_the_root_is_the_one_that_aws_publishes():
    (root,) = aws_roots()
    assert root.fingerprint(SHA256()).hex() == FINGERPRINT
    assert root.subject.rfc4514_string() == "CN=aws.nitro-enclaves,OU=AWS,O=Amazon,C=US"


def test_a_document_that_aws_signed(monkeypatch: pytest.MonkeyPatch):
    # All of it holds but the key, which is the text `dummy`: the last check.
    with pytest.raises(Untrusted, match="brings no RSA public key"):
        verify_document(AWS_DOCUMENT, aws_roots(), AWS_TIME)
    monkeypatch.setattr(document, "_recipient", lambda der: der)
    found = verify_document(AWS_DOCUMENT, aws_roots(), AWS_TIME)
    assert (found.module_id, found.tpm) == ("i-0bbf1bfe232b8c2ce-enc01920092bd47cdd9", False)
    assert sorted(found.registers) == list(range(16))
    assert found.registers[0] == bytes(48)
    assert found.registers[4].hex().startswith("d352cfa31b8dc5f4856c9fa8181b19ed")


def test_aws_s_document_after_its_time():
    for later in (400.0, 86_400.0):
        with pytest.raises(Untrusted, match="made more than 300 seconds ago"):
            verify_document(AWS_DOCUMENT, aws_roots(), AWS_TIME + later)
    _, _, payload, _ = cbor2.loads(AWS_DOCUMENT)
    fields = cbor2.loads(payload)
    with pytest.raises(Untrusted, match="no chain of valid certificates"):
        chain.signer_of(fields["certificate"], fields["cabundle"], aws_roots(), AWS_TIME + 4 * 3600)


def test_aws_s_document_under_another_root(hypervisor: Hypervisor):
    assert "no chain of valid certificates" in refused(AWS_DOCUMENT, hypervisor, AWS_TIME)


def test_a_document_of_an_enclave(hypervisor: Hypervisor):
    for blob in (hypervisor.document(), hypervisor.sign(cbor2.dumps(hypervisor.fields()), tagged=True)):
        found = verify_document(blob, hypervisor.roots, NOW)
        assert found.module_id == "i-0123456789abcdef0-enc0123456789abcdef"
        assert not found.tpm
        assert found.registers[3] == bytes([4]) * 48
        assert found.public_key == recipient_key().public_key()


def test_a_document_of_a_nitro_tpm(hypervisor: Hypervisor):
    registers = {index: bytes([index]) * 48 for index in range(24)}
    found = verify_document(hypervisor.document(pcrs=None, nitrotpm_pcrs=registers), hypervisor.roots, NOW)
    assert (found.tpm, found.registers) == (True, registers)


def test_no_byte_of_a_document_can_be_changed(hypervisor: Hypervisor):
    blob = hypervisor.document()
    chosen = random.Random(4)
    for _ in range(400):
        at, mask = chosen.randrange(len(blob)), 1 << chosen.randrange(8)
        altered = bytearray(blob)
        altered[at] ^= mask
        with pytest.raises(Untrusted):
            verify_document(bytes(altered), hypervisor.roots, NOW)


def test_no_document_can_be_cut_or_lengthened(hypervisor: Hypervisor):
    blob = hypervisor.document()
    for length in [*range(64), *range(64, len(blob), 97), len(blob) - 1]:
        refused(blob[:length], hypervisor)
    assert "bytes after its end" in refused(blob + b"\0", hypervisor)


@pytest.mark.parametrize(
    "changed",
    [
        {"module_id": ""},
        {"module_id": None},
        {"module_id": 3},
        {"digest": "SHA256"},
        {"timestamp": 0},
        {"timestamp": "now"},
        {"timestamp": True},
        {"pcrs": None},
        {"pcrs": {}},
        {"pcrs": {32: bytes(48)}},
        {"pcrs": {-1: bytes(48)}},
        {"pcrs": {"0": bytes(48)}},
        {"pcrs": {True: bytes(48)}},
        {"pcrs": {0: bytes(20)}},
        {"pcrs": {0: "text"}},
        {"pcrs": {index: bytes(48) for index in range(33)}},
        {"nitrotpm_pcrs": {0: bytes(48)}},
        {"pcrs": None, "nitrotpm_pcrs": {24: bytes(48)}},
        {"certificate": b""},
        {"certificate": bytes(1025)},
        {"cabundle": []},
        {"cabundle": [b""]},
        {"cabundle": "none"},
        {"public_key": bytes(1025)},
        {"public_key": "text"},
        {"user_data": bytes(1025)},
        {"nonce": 7},
        {"surprise": 1},
    ],
    ids=str,
)
def test_fields_that_no_document_has(changed: dict[str, Any], hypervisor: Hypervisor):
    assert "field" in refused(hypervisor.document(**changed), hypervisor)


def test_times(hypervisor: Hypervisor):
    for age, holds in ((299, True), (301, False), (-59, True), (-61, False)):
        blob = hypervisor.document(timestamp=int((NOW - age) * 1000))
        if holds:
            verify_document(blob, hypervisor.roots, NOW)
        else:
            assert "made more than" in refused(blob, hypervisor)


def test_headers(hypervisor: Hypervisor):
    payload = cbor2.dumps(hypervisor.fields())
    for protected in (cbor2.dumps({1: -7}), cbor2.dumps({}), cbor2.dumps({1: -35, 4: b"x"}), b"", b"\xff"):
        refused(hypervisor.sign(payload, protected=protected), hypervisor)
    assert "other headers" in refused(hypervisor.sign(payload, unprotected={4: b"key"}), hypervisor)


def test_forms_that_are_no_cose_sign1(hypervisor: Hypervisor):
    deep = b"\x81" * 2000 + b"\x01"
    signed = hypervisor.document()
    for blob in (
        *(b"", b"\x01", cbor2.dumps({}), cbor2.dumps([1, 2, 3, 4]), cbor2.dumps([ES384, {}, b"", bytes(96)]), deep),
        cbor2.dumps([ES384, {}, bytes(20000), bytes(96)]),
        cbor2.dumps(cbor2.CBORTag(17, cbor2.loads(signed))),
        b"\x9f" + signed[1:] + b"\xff",  # the same array, of indefinite length
        bytes(document.MAX_BYTES + 1),
    ):
        refused(blob, hypervisor)


@pytest.mark.parametrize(
    "value", [re.compile("a+"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC), Fraction(1, 3), uuid.UUID(int=1), 1 << 70]
)
def test_nothing_is_made_of_tags(value: Any, hypervisor: Hypervisor):
    assert "no CBOR" in refused(cbor2.dumps(value), hypervisor)
    assert "no CBOR" in refused(hypervisor.document(user_data=value), hypervisor)
    assert "no CBOR" in refused(cbor2.dumps([ES384, {4: value}, b"x", bytes(96)]), hypervisor)


def test_a_key_twice_in_a_map(hypervisor: Hypervisor):
    payload = cbor2.dumps(hypervisor.fields())
    assert payload[0] == 0xA0 + 7
    twice = bytes([0xA0 + 8]) + payload[1:] + cbor2.dumps("module_id") + cbor2.dumps("i-other")
    assert "no CBOR" in refused(hypervisor.sign(twice), hypervisor)


def test_a_signature_of_somebody_else(hypervisor: Hypervisor):
    other = ec.generate_private_key(ec.SECP384R1())
    assert "not that of its certificate" in refused(hypervisor.document(key=other), hypervisor)
    for signature in (bytes(96), b"\xff" * 96, bytes(64)):
        whole = cbor2.loads(hypervisor.document())
        refused(cbor2.dumps([*whole[:3], signature]), hypervisor)


def chained(hypervisor: Hypervisor, leaf: Authority, bundle: list[Authority]) -> bytes:
    """A document that ``leaf`` signs, with these certificates."""
    return hypervisor.document(key=leaf.key, certificate=leaf.der, cabundle=[one.der for one in bundle])


def test_chains_that_lead_nowhere(hypervisor: Hypervisor):
    root, between = hypervisor.root, hypervisor.between
    stranger = make_certificate("test.nitro-enclaves", NOW)
    of_stranger = make_certificate("leaf", NOW, stranger, ca=False)
    too_deep = make_certificate("deeper", NOW, between[-1], path_length=0)
    no_authority = make_certificate("end", NOW, between[-1], ca=False)
    for leaf, bundle in (
        (of_stranger, [stranger]),
        (of_stranger, [root]),
        (hypervisor.leaf, [root, *between[:-1]]),  # one is missing
        (make_certificate("leaf", NOW, too_deep, ca=False), [root, *between, too_deep]),  # past the path length
        (make_certificate("leaf", NOW, no_authority, ca=False), [root, *between, no_authority]),  # signed by no authority
        (make_certificate("leaf", NOW - 7200 * 2, between[-1], ca=False), [root, *between]),  # over
        (make_certificate("leaf", NOW + 7200, between[-1], ca=False), [root, *between]),  # not yet valid
        (make_certificate("leaf", NOW, between[-1], ca=False, sign=False), [root, *between]),  # not for signing
        (make_certificate("leaf", NOW), [root]),  # signed by itself
    ):
        assert "no chain of valid certificates" in refused(chained(hypervisor, leaf, bundle), hypervisor)
    no_signer = make_certificate("between", NOW, root, sign=False)
    leaf = make_certificate("leaf", NOW, no_signer, ca=False)
    assert "no chain of valid certificates" in refused(chained(hypervisor, leaf, [root, no_signer]), hypervisor)


def test_the_order_of_the_bundle_does_not_decide(hypervisor: Hypervisor):
    bundle = [hypervisor.root, *reversed(hypervisor.between)]
    verify_document(chained(hypervisor, hypervisor.leaf, bundle), hypervisor.roots, NOW)


def test_certificates_that_are_none(hypervisor: Hypervisor):
    assert "no chain" in refused(hypervisor.document(certificate=b"\x30\x03\x02\x01\x01"), hypervisor)
    assert "no chain" in refused(hypervisor.document(cabundle=[b"x"]), hypervisor)


def test_a_certificate_on_another_curve(hypervisor: Hypervisor):
    leaf = make_certificate("leaf", NOW, hypervisor.between[-1], ca=False, curve=ec.SECP256R1())
    assert "not for a key on P-384" in refused(chained(hypervisor, leaf, [hypervisor.root, *hypervisor.between]), hypervisor)


@pytest.mark.parametrize("key", [None, b"", b"x", "small", "curve"], ids=str)
def test_keys_that_nothing_is_encrypted_to(key: Any, hypervisor: Hypervisor):
    made = {
        "small": lambda: public_der(recipient_key(1024)),
        "curve": lambda: public_der(ec.generate_private_key(ec.SECP384R1())),
    }
    value = made[key]() if isinstance(key, str) else key
    assert "no RSA public key" in refused(hypervisor.document(public_key=value), hypervisor)


def test_a_refusal_holds_nothing_of_the_document(hypervisor: Hypervisor):
    secret = "i-secret-module"
    assert secret not in refused(hypervisor.document(module_id=secret, digest="SHA1"), hypervisor)


def test_a_certificate_of_no_known_version_is_not_trusted(hypervisor: Hypervisor):
    """``cryptography`` says InvalidVersion of it, which is no ValueError."""
    certificate = hypervisor.leaf.der
    version = bytes.fromhex("a003020102")
    assert version in certificate
    with pytest.raises(Untrusted):
        chain.signer_of(certificate.replace(version, bytes.fromhex("a003020112"), 1), [], hypervisor.roots, NOW)
