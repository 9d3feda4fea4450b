"""Who keeps the root key, and that nobody else opens it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from garrison.keys import custody as module
from garrison.keys.custody import (
    Custody,
    FileCustody,
    KmsCustody,
    PassphraseCustody,
    Secrets,
    Stretching,
    TokenCustody,
    custody_of,
)
from garrison.keys.keyring import RootKeyError
from tests.support.softhsm import SoftHsm, soft_hsm

__all__ = ["soft_hsm"]

ROOT = bytes(range(32))
QUICK = Stretching(iterations=1, lanes=1, memory_kib=64)
"""For tests of everything but the stretching."""
PASSPHRASE = "correct horse battery staple"


def saying(*words: str) -> Secrets:
    """A terminal at which these words are typed, one each time it asks."""
    left = list(words)
    return Secrets(ask=lambda _what: left.pop(0), terminal=lambda: True)


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def kept(tmp_path: Path, *words: str) -> PassphraseCustody:
    return PassphraseCustody(tmp_path / "root", saying(*words), stretching=QUICK)


# Argon2id


def test_argon2id_is_that_of_the_rfc():
    """RFC 9106, 5.3: the library's, with the RFC's secret and associated data."""
    derived = Argon2id(
        salt=b"\x02" * 16, length=32, iterations=3, lanes=4, memory_cost=32, secret=b"\x03" * 8, ad=b"\x04" * 12
    ).derive(b"\x01" * 32)
    assert derived.hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"


@pytest.mark.parametrize(
    ("passphrase", "key"),
    [
        (b"\x01" * 32, "03aab965c12001c9d7d0d2de33192c0494b684bb148196d73c1df1acaf6d0c2e"),
        (b"", "0a34f1abde67086c82e785eaf17c68382259a264f4e61b91cd2763cb75ac189a"),
    ],
)
def test_a_key_is_argon2id_of_the_passphrase(passphrase: bytes, key: str):
    """OpenSSL's vectors without secret and associated data (``evpkdf_argon2.txt``)."""
    assert Stretching(iterations=3, lanes=4, memory_kib=32).derive(passphrase, b"\x02" * 16).hex() == key


def test_the_default_is_the_rfcs_second_recommended_option():
    """RFC 9106, 4: t=3, p=4, m=2^16 KiB, 128-bit salt, 256-bit tag."""
    assert Stretching() == Stretching(iterations=3, lanes=4, memory_kib=2**16)
    assert module._SALT_BYTES == 16
    assert len(QUICK.derive(b"x", bytes(16))) == 32


# Passphrase


def test_a_passphrase_keeps_the_root_key(tmp_path: Path):
    kept(tmp_path, PASSPHRASE, PASSPHRASE).keep(ROOT)
    raw = (tmp_path / "root").read_bytes()
    assert ROOT not in raw
    assert ROOT.hex().encode() not in raw
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o600
    document = json.loads(raw)
    assert document["argon2id"] | {"salt": ""} == {"iterations": 1, "lanes": 1, "memory_kib": 64, "salt": ""}
    assert kept(tmp_path, PASSPHRASE).load() == ROOT


def test_another_passphrase_opens_nothing_and_is_not_repeated(tmp_path: Path):
    kept(tmp_path, PASSPHRASE, PASSPHRASE).keep(ROOT)
    with pytest.raises(RootKeyError, match="does not open") as refused:
        kept(tmp_path, "a wrong passphrase").load()
    assert "wrong" not in str(refused.value).replace("does not open", "")


def test_the_same_passphrase_never_makes_the_same_file(tmp_path: Path):
    files = []
    for _ in range(2):
        kept(tmp_path, PASSPHRASE, PASSPHRASE).keep(ROOT)
        files.append((tmp_path / "root").read_bytes())
    assert files[0] != files[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["argon2id"].update(iterations=2),
        lambda d: d["argon2id"].update(memory_kib=128),
        lambda d: d["argon2id"].update(lanes=0),
        lambda d: d["argon2id"].update(memory_kib=2**40),
        lambda d: d["argon2id"].update(iterations="3"),
        lambda d: d["argon2id"].update(salt="AAAA"),
        lambda d: d["argon2id"].pop("salt"),
        lambda d: d.pop("argon2id"),
        lambda d: d.update(sealed=d["sealed"][:-4] + "AAA="),
        lambda d: d.update(sealed=""),
        lambda d: d.update(version=2),
        lambda d: d.update(format="x"),
        lambda d: d.update(custody="pkcs11"),
    ],
)
def test_a_file_that_was_altered_opens_nothing(tmp_path: Path, change: Callable[[dict[str, Any]], object]):
    kept(tmp_path, PASSPHRASE, PASSPHRASE).keep(ROOT)
    document = json.loads((tmp_path / "root").read_text())
    change(document)
    (tmp_path / "root").write_text(json.dumps(document))
    with pytest.raises(RootKeyError):
        kept(tmp_path, PASSPHRASE).load()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", bytes(32), b"\xff" * 40])
def test_a_file_that_is_something_else_opens_nothing(tmp_path: Path, raw: bytes):
    (tmp_path / "root").write_bytes(raw)
    (tmp_path / "root").chmod(0o600)
    with pytest.raises(RootKeyError):
        kept(tmp_path, PASSPHRASE).load()


@pytest.mark.parametrize(
    ("words", "text"), [(("short",), "at least 12"), ((PASSPHRASE, "another passphrase"), "same twice"), (("",), "empty")]
)
def test_a_passphrase_that_will_not_do_makes_no_file(tmp_path: Path, words: tuple[str, ...], text: str):
    with pytest.raises(RootKeyError, match=text):
        kept(tmp_path, *words).keep(ROOT)
    assert not (tmp_path / "root").exists()


def test_a_new_root_key_takes_the_place_of_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept(tmp_path, PASSPHRASE, PASSPHRASE).keep(ROOT)
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(RootKeyError, match="cannot be written"):
        kept(tmp_path, PASSPHRASE, PASSPHRASE).keep(bytes(32))
    monkeypatch.undo()
    assert kept(tmp_path, PASSPHRASE).load() == ROOT
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def fails(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")


# Where secrets come from


def test_a_file_with_the_secret(tmp_path: Path):
    assert Secrets(private(tmp_path / "p", "secret\n")).get("passphrase") == b"secret"
    (tmp_path / "p").chmod(0o644)
    with pytest.raises(RootKeyError, match="0600"):
        Secrets(tmp_path / "p").get("passphrase")


def test_a_descriptor_with_the_secret():
    reading, writing = os.pipe()
    os.write(writing, b"secret\r\n")
    os.close(writing)
    assert Secrets(descriptor=reading).get("PIN") == b"secret"
    os.close(reading)
    with pytest.raises(RootKeyError, match="descriptor 999"):
        Secrets(descriptor=999).get("PIN")


def test_without_a_terminal_nobody_is_asked():
    with pytest.raises(RootKeyError, match="nor a terminal"):
        Secrets(terminal=lambda: False).get("passphrase")


# File


def test_a_file_keeps_the_bytes(tmp_path: Path):
    custody = FileCustody(tmp_path / "root")
    assert not custody.exists
    custody.keep(ROOT)
    assert custody.load() == ROOT
    custody.keep(bytes(32))
    assert custody.load() == bytes(32)
    (tmp_path / "root").write_bytes(b"x")
    with pytest.raises(RootKeyError, match="holds 1"):
        custody.load()


# Token

PIN = "1234567"


def in_token(soft_hsm: SoftHsm, path: Path, pin: str = PIN, **changes: str) -> TokenCustody:
    names = {"module": soft_hsm.module, "token": "root", "key": "garrison", **changes}
    return TokenCustody(path, names["module"], names["token"], names["key"], saying(pin))


def test_a_token_keeps_the_root_key(soft_hsm: SoftHsm, tmp_path: Path):
    soft_hsm.new_token("root", PIN)
    in_token(soft_hsm, tmp_path / "root").keep(ROOT)
    assert ROOT not in (tmp_path / "root").read_bytes()
    assert in_token(soft_hsm, tmp_path / "root").load() == ROOT
    in_token(soft_hsm, tmp_path / "root").keep(bytes(32))
    assert in_token(soft_hsm, tmp_path / "root").load() == bytes(32)


def test_what_keeps_the_token_from_giving_it(soft_hsm: SoftHsm, tmp_path: Path):
    soft_hsm.new_token("root", PIN)
    in_token(soft_hsm, tmp_path / "root").keep(ROOT)
    for custody, text in (
        (in_token(soft_hsm, tmp_path / "root", "7654321"), "bad pin"),
        (in_token(soft_hsm, tmp_path / "root", token="other"), "no token"),
        (in_token(soft_hsm, tmp_path / "root", module="/nowhere.so"), "no token"),
        (in_token(soft_hsm, tmp_path / "root", key="other"), "no key"),
    ):
        with pytest.raises(RootKeyError, match=text):
            custody.load()
    document = json.loads((tmp_path / "root").read_text())
    document["nonce"] = "AAAAAAAAAAAAAAAA"
    (tmp_path / "root").write_text(json.dumps(document))
    with pytest.raises(RootKeyError, match="refused"):
        in_token(soft_hsm, tmp_path / "root").load()


# The words of the setting


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [
        ("file:", FileCustody, "default"),
        ("file:/k", FileCustody, "/k"),
        ("passphrase:/k", PassphraseCustody, "/k"),
        ("pkcs11:/k?module=/m.so&token=t&key=k", TokenCustody, "/k"),
        ("kms:arn:aws:kms:eu-west-1:111122223333:key/x@https://kms.example", KmsCustody, "default.kms"),
        ("kms:arn:aws:kms:eu-west-1:111122223333:alias/x", KmsCustody, "default.kms"),
    ],
)
def test_a_setting_names_a_custody(text: str, kind: type[Custody], path: str):
    found = custody_of(text, Path("default"), Secrets())
    assert (type(found), str(found.path)) == (kind, path)
    if path != "default":
        assert str(found) == text


@pytest.mark.parametrize(
    "text", ["", "vault:x", "pkcs11:/k", "pkcs11:/k?module=m&token=t", "file:/k?x=1", "kms:key/x", "kms:arn:aws:iam::1:user/x"]
)
def test_a_setting_that_names_none(text: str):
    with pytest.raises(ValueError, match=":"):
        custody_of(text, Path("default"), Secrets())
