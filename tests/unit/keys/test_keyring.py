from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from garrison.core.ports import Sealer
from garrison.keys.keyring import Keyring, RootKeyError, derive
from tests.support.published import wycheproof

ROOT = bytes(range(32))


def hkdf(root: bytes, info: bytes, salt: bytes = b"garrison root key") -> bytes:
    """RFC 5869 written out, for one block of output."""
    prk = hmac.digest(salt, root, hashlib.sha256)
    return hmac.digest(prk, info + b"\x01", hashlib.sha256)


def test_the_hkdf_of_this_file_agrees_with_rfc_5869_test_case_1() -> None:
    okm = hkdf(bytes([0x0B] * 22), bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"), bytes.fromhex("000102030405060708090a0b0c"))
    assert okm.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


def test_hkdf_is_wycheproofs() -> None:
    """Ours has 32 bytes: what was published of another length begins as ours does, or ours begins as it does (RFC 5869, 2.3)."""
    count = 0
    for _, test in wycheproof("Protocol/hkdf_sha256_test"):
        if test["result"] == "valid":
            secret, salt, info, published = (bytes.fromhex(test[name]) for name in ("ikm", "salt", "info", "okm"))
            made = derive(secret, salt, info)
            assert made[: len(published)] == published[: len(made)], test["tcId"]
            count += 1
    assert count == 83


def test_a_blob_is_aes_256_gcm_under_the_hkdf_of_its_purpose() -> None:
    nonce = bytes(12)
    blob = Keyring(ROOT).seal_with(nonce, "access-key", b"secret", b"AKIAEXAMPLE")
    expected = AESGCM(hkdf(ROOT, b"seal\0access-key")).encrypt(nonce, b"secret", b"\x01AKIAEXAMPLE")
    assert blob == b"\x01" + nonce + expected


def test_a_mac_is_hmac_sha_256_under_the_hkdf_of_its_purpose() -> None:
    expected = hmac.digest(hkdf(ROOT, b"mac\0page"), b"message", hashlib.sha256)
    ring = Keyring(ROOT)
    assert ring.mac("page", b"message") == expected
    assert ring.mac("page", b"message") == expected  # the kept object is copied, not used up


def test_it_is_the_sealer_of_the_ports() -> None:
    sealer: Sealer = Keyring(ROOT)
    assert sealer.unseal("p", sealer.seal("p", b"x", b"a"), b"a") == b"x"


def test_every_altered_bit_is_refused() -> None:
    ring = Keyring(ROOT)
    blob = ring.seal("p", b"plaintext", b"a")
    for position in range(len(blob) * 8):
        altered = bytearray(blob)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(ValueError):
            ring.unseal("p", bytes(altered), b"a")


@pytest.mark.parametrize("cut", range(38))
def test_every_truncation_is_refused(cut: int) -> None:
    ring = Keyring(ROOT)
    blob = ring.seal("p", b"plaintext")
    assert len(blob) == 38
    with pytest.raises(ValueError):
        ring.unseal("p", blob[:cut])


def test_another_purpose_associated_data_root_or_length_is_refused() -> None:
    ring = Keyring(ROOT)
    blob = ring.seal("p", b"plaintext", b"a")
    for sealer, purpose, associated, given in [
        (ring, "q", b"a", blob),
        (ring, "p", b"b", blob),
        (ring, "p", b"", blob),
        (Keyring(bytes(32)), "p", b"a", blob),
        (ring, "p", b"a", blob + b"\0"),
    ]:
        with pytest.raises(ValueError, match="altered"):
            sealer.unseal(purpose, given, associated)


def test_seals_of_the_same_bytes_differ() -> None:
    ring = Keyring(ROOT)
    assert ring.seal("p", b"x") != ring.seal("p", b"x")


def test_a_nonce_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        Keyring(ROOT).seal_with(b"short", "p", b"x")


def test_the_root_key_does_not_show(tmp_path: Path) -> None:
    ring = Keyring.create(tmp_path / "root.key")
    root = (tmp_path / "root.key").read_bytes()
    assert root.hex() not in repr(ring)
    assert root not in repr(ring).encode("latin-1")


def test_create_then_open(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "root.key"
    made = Keyring.create(path)
    assert len(path.read_bytes()) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["root.key"]
    opened = Keyring.open(path)
    assert opened.unseal("p", made.seal("p", b"x")) == b"x"
    assert opened.fingerprint == made.fingerprint
    assert Keyring.ephemeral().fingerprint != made.fingerprint


def test_a_root_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    Keyring.create(path)
    before = path.read_bytes()
    with pytest.raises(RootKeyError, match="never overwritten"):
        Keyring.create(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["root.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o700, 0o610])
def test_a_looser_mode_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root.key"
    Keyring.create(path)
    path.chmod(mode)
    with pytest.raises(RootKeyError, match=f"has {mode:04o}"):
        Keyring.open(path)


def test_a_stricter_mode_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    Keyring.create(path)
    path.chmod(0o400)
    Keyring.open(path)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_a_file_of_another_size_is_no_root_key(tmp_path: Path, size: int) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(RootKeyError, match="no root key"):
        Keyring.open(path)


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    Keyring.create(tmp_path / "root.key")
    (tmp_path / "link").symlink_to(tmp_path / "root.key")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ["link", "pipe", "folder", "missing"]:
        with pytest.raises(RootKeyError, match=name):
            Keyring.open(tmp_path / name)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((RootKeyError, OSError)):
        Keyring.create(tmp_path / "file" / "root.key")


def test_a_root_key_of_another_length_is_refused() -> None:
    with pytest.raises(RootKeyError, match="32 bytes, not 16"):
        Keyring(bytes(16))


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "root.key"
    Keyring.create(path)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(RootKeyError, match="must belong"):
        Keyring.open(Path(path))
