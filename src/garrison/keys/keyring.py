"""The keyring: the root key and what is derived from it.

The root key is 32 random bytes, kept apart from the data directory (``custody``): a copy of the data alone opens nothing.
It never encrypts anything itself. For each purpose a key is derived from it (HKDF-SHA-256, RFC 5869), so that a blob of one
purpose is noise to every other, and the derived cipher objects are kept, since building one costs more than using it.

A blob is ``version (1) | nonce (12) | ciphertext | tag (16)`` under AES-256-GCM (NIST SP 800-38D). Nonces are random, which is
safe for 2**32 blobs a purpose (SP 800-38D, 8.3); whatever may be asked for more often than that, KMS ciphertexts above all,
derives a key for each message instead (``keys.kms.ciphertext``).

While one root takes the place of another (``rewrap``) both open; which one a blob was sealed under is found by trying. The store
keeps a record of such a change, sealed under each root that may still be asked for: a process that has one of them learns of the
others from it. MACs stay under the root that the installation began with: a chain of events must verify for years.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from garrison.core.clock import Clock, system_clock
from garrison.core.ids import Random, system_random
from garrison.keys.gcm import IV_BYTES, TAG_BYTES, Forged, Gcm
from garrison.keys.ring import MOST, ROOT_BYTES, Ring

_RECORD = "root-ring"
ANNOUNCED, BEGUN, ENDED = "announced", "begun", "ended"
"""Stages of a change of roots: all open with the new one; it seals; it alone is asked for at a start."""
_VERSION = b"\x01"
_SMALLEST = len(_VERSION) + IV_BYTES + TAG_BYTES
_SALT = b"garrison root key"
"""Not secret: it separates these keys from any other use of the same 32 bytes."""


class RootKeyError(Exception):
    """The root key cannot be used as it lies there. The message names the file and what to do, never a byte of it."""


class Keyring:
    """Seals, unseals and authenticates under one root key. Implements ``core.ports.Sealer``.

    Purposes are constants of the code (``access-key``, ``kms-material``), never a client's words, so what is kept for each
    stays small.
    """

    __slots__ = ("_ciphers", "_clock", "_macs", "_random", "_ring", "_turns")

    def __init__(self, root: bytes, *, random: Random = system_random, clock: Clock = system_clock) -> None:
        if len(root) != ROOT_BYTES:
            msg = f"a root key has {ROOT_BYTES} bytes, not {len(root)}"
            raise RootKeyError(msg)
        self._ring = Ring(root)
        self._turns = self._ring.turns
        self._random = random
        self._clock = clock
        self._ciphers: dict[str, list[Gcm]] = {}
        self._macs: dict[str, HMAC] = {}

    def __repr__(self) -> str:
        return f"<Keyring {self.fingerprint}>"

    @classmethod
    def create(cls, path: Path, *, random: Random = system_random) -> Keyring:
        """Make a root key at ``path`` (0600, its folder 0700) and open it. Raises RootKeyError where one lies there already.

        The file appears whole or not at all: written beside, synced, then linked to its name.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = random(ROOT_BYTES)
        beside = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            _write_new(beside, root)
            os.link(beside, path)
        except FileExistsError:
            msg = f"{path} exists already: a root key is never overwritten, since all that it sealed would be lost"
            raise RootKeyError(msg) from None
        except OSError as error:
            msg = f"{path} cannot be written: {error.strerror}"
            raise RootKeyError(msg) from None
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(path.parent)
        return cls(root, random=random)

    @classmethod
    def open(cls, path: Path, *, random: Random = system_random) -> Keyring:
        """Read the root key at ``path``.

        Raises RootKeyError where it is missing, no plain file, another user's, open to others than its owner, or not 32 bytes.
        """
        root = read_private(path, ROOT_BYTES + 1)
        if len(root) != ROOT_BYTES:
            msg = (
                f"{path} must hold {ROOT_BYTES} bytes, holds {'more' if len(root) > ROOT_BYTES else len(root)}: it is no root key"
            )
            raise RootKeyError(msg)
        return cls(root, random=random)

    @classmethod
    def ephemeral(cls, *, random: Random = system_random) -> Keyring:
        """A root key that lives and dies with this process, for state that is kept in memory only."""
        return cls(random(ROOT_BYTES), random=random)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that tell root keys apart."""
        return fingerprint(self._ring.roots[0])

    def seal(self, purpose: str, plaintext: bytes, associated: bytes = b"") -> bytes:
        """A versioned blob that only this root key opens, for this purpose and these associated bytes."""
        return self.seal_with(self._random(IV_BYTES), purpose, plaintext, associated)

    def seal_with(self, nonce: bytes, purpose: str, plaintext: bytes, associated: bytes = b"") -> bytes:
        """:meth:`seal` with the nonce given (12 bytes, else ValueError is raised), for fixed vectors alone.

        A nonce used twice breaks the seal.
        """
        if len(nonce) != IV_BYTES:
            msg = f"a nonce has {IV_BYTES} bytes, not {len(nonce)}"
            raise ValueError(msg)
        return _VERSION + nonce + self._of_purpose(purpose)[0].seal(nonce, plaintext, _VERSION + associated)

    def unseal(self, purpose: str, blob: bytes, associated: bytes = b"") -> bytes:
        """The plaintext. Raises ValueError where the blob was altered, is of another purpose or another root key."""
        return self._opened(purpose, blob, associated)[0]

    def sealed_now(self, purpose: str, blob: bytes, associated: bytes = b"") -> bool:
        """Whether the root that seals now made the blob, and not one that it took the place of. Raises ValueError as unseal."""
        return self._opened(purpose, blob, associated)[1] == 0

    def _opened(self, purpose: str, blob: bytes, associated: bytes) -> tuple[bytes, int]:
        """The plaintext, and which of the roots sealed it."""
        if len(blob) < _SMALLEST or blob[:1] != _VERSION:
            msg = "not a sealed blob of a known version"
            raise ValueError(msg)
        nonce, sealed = blob[1 : 1 + IV_BYTES], blob[1 + IV_BYTES :]
        for at, cipher in enumerate(self._of_purpose(purpose)):
            try:
                return cipher.open(nonce, sealed, _VERSION + associated), at
            except Forged:
                continue
        msg = "the blob was altered, or sealed for another purpose, other associated data or under another root key"
        raise ValueError(msg)

    def mac(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA-256 (32 bytes) under a key derived for the purpose."""
        if self._turns != self._ring.turns:
            self._of_purpose(purpose)
        keyed = self._macs.get(purpose)
        if keyed is None:
            keyed = self._macs[purpose] = HMAC(_derived(self._ring.mac_root, "mac", purpose), SHA256())
        copy = keyed.copy()
        copy.update(message)
        return copy.finalize()

    def _of_purpose(self, purpose: str) -> list[Gcm]:
        """A cipher for each root, the one that seals first."""
        if self._turns != self._ring.turns:
            # Another process of this server, or another keyring of this one, turned to other roots.
            self._turns = self._ring.turns
            self._ciphers.clear()
            self._macs.clear()
        ciphers = self._ciphers.get(purpose)
        if ciphers is None:
            ciphers = self._ciphers[purpose] = [Gcm(_derived(root, "seal", purpose)) for root in self._ring.roots]
        return ciphers

    # One root in another's place

    def entrust(self, keep: Callable[[bytes], None]) -> None:
        """Give the root that seals to a custody."""
        keep(self._ring.roots[0])

    def announce(self, root: bytes) -> bytes:
        """The record by which everybody opens what ``root`` will seal, while the present one seals; :meth:`follow` takes it."""
        return self._shared([*self._ring.roots[: MOST - 1], root], ANNOUNCED)

    def begin_turn(self) -> bytes:
        """The record that makes the root that was announced the one that seals, while the present one still opens."""
        *others, root = self._ring.roots
        return self._shared([root, *others], BEGUN)

    def _shared(self, roots: list[bytes], stage: str) -> bytes:
        return _record(roots, self._ring.mac_root, stage=stage, readers=roots, random=self._random)

    def end_turn(self, retire_at: float) -> bytes:
        """The record once everything was sealed anew: the present root alone opens it, older ones go at ``retire_at``."""
        roots = self._ring.roots
        return _record(roots, self._ring.mac_root, retire_at=retire_at, stage=ENDED, readers=roots[:1], random=self._random)

    def follow(self, record: bytes) -> None:
        """Take the roots of a record that one of ours opens; nothing where none does. Raises ValueError where it is damaged."""
        state = self._read(record)
        if state is None:
            return
        roots = [bytes.fromhex(text) for text in state["roots"]]
        if state["retire_at"] is not None and self._clock() >= state["retire_at"]:
            del roots[1:]
        mac_root = bytes.fromhex(state["mac_root"])
        if (roots, mac_root) != (self._ring.roots, self._ring.mac_root):
            self._ring.turn(roots, mac_root)

    def stage_of(self, record: bytes) -> str:
        """How far the change of roots is that a record tells of: :data:`ANNOUNCED`, :data:`BEGUN` or :data:`ENDED`.

        Raises ValueError where the record is damaged, or is none of ours.
        """
        state = self._read(record)
        if state is None:
            msg = "the record of root keys is another root key's"
            raise ValueError(msg)
        # A record of the first form has no stage, and nothing was announced by it.
        return str(state.get("stage", ENDED if state["retire_at"] is not None else BEGUN))

    def _read(self, record: bytes) -> dict[str, Any] | None:
        """What the first entry says that a root of ours opens."""
        for entry in json.loads(record)["entries"]:
            for root in self._ring.roots:
                if entry["by"] == fingerprint(root):
                    return _state(root, bytes.fromhex(entry["sealed"]))
        return None


def _state(root: bytes, sealed: bytes) -> dict[str, Any]:
    try:
        opened = Gcm(_derived(root, "seal", _RECORD)).open(sealed[:IV_BYTES], sealed[IV_BYTES:], b"")
    except Forged:
        msg = "the record of root keys is damaged"
        raise ValueError(msg) from None
    state: dict[str, Any] = json.loads(opened)
    return state


def fingerprint(root: bytes) -> str:
    """Sixteen hex digits that tell root keys apart, and say nothing of them."""
    return _derived(root, "mac", "fingerprint")[:8].hex()


def _derived(root: bytes, use: str, purpose: str) -> bytes:
    """A key for one use (``seal`` or ``mac``) and purpose; uses hold no NUL, so no two pairs meet."""
    return derive(root, _SALT, f"{use}\0{purpose}".encode())


def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """A key of 32 bytes: HKDF-SHA-256 (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)


def _record(
    roots: list[bytes],
    mac_root: bytes,
    *,
    stage: str,
    readers: list[bytes],
    random: Random,
    retire_at: float | None = None,
) -> bytes:
    members = {"roots": [root.hex() for root in roots], "mac_root": mac_root.hex(), "retire_at": retire_at, "stage": stage}
    state = json.dumps(members).encode()
    entries = []
    for reader in readers:
        nonce = random(IV_BYTES)
        sealed = nonce + Gcm(_derived(reader, "seal", _RECORD)).seal(nonce, state, b"")
        entries.append({"by": fingerprint(reader), "sealed": sealed.hex()})
    return json.dumps({"entries": entries}).encode()


def read_private(path: Path, most: int) -> bytes:
    """At most so many bytes of a secret's file.

    Raises RootKeyError where it is missing, no plain file, another user's, or open to others than its owner.
    """
    with _opened(path) as descriptor:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            msg = f"{path} is no plain file"
            raise RootKeyError(msg)
        if found.st_uid not in {os.geteuid(), 0}:
            msg = f"{path} must belong to the user that runs Garrison (uid {os.geteuid()}), belongs to uid {found.st_uid}"
            raise RootKeyError(msg)
        if stat.S_IMODE(found.st_mode) & 0o177:
            msg = f"{path} must have mode 0600 or stricter, has {stat.S_IMODE(found.st_mode):04o}: run `chmod 600 {path}`"
            raise RootKeyError(msg)
        return os.read(descriptor, most)


def replace_private(path: Path, content: bytes) -> None:
    """Put a secret's file (0600) in the place of whatever was there: whole or not at all, and on disk. Raises RootKeyError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        _write_new(beside, content)
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise RootKeyError(msg) from None
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A descriptor of the file itself: a symbolic link is refused, and a pipe does not block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        msg = f"{path} does not exist: without the root key nothing that it sealed can be read"
        raise RootKeyError(msg) from None
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise RootKeyError(msg) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that did not exist, readable by its owner alone, and wait until it is on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    """A new name is on disk only once its folder is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
