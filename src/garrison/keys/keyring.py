"""The keyring: the root key and what is derived from it.

The root key is 32 random bytes in a file of its own, apart from the data directory: a copy of the data alone opens nothing.
It never encrypts anything itself. For each purpose a key is derived from it (HKDF-SHA-256, RFC 5869), so that a blob of one
purpose is noise to every other, and the derived cipher objects are kept, since building one costs more than using it.

A blob is ``version (1) | nonce (12) | ciphertext | tag (16)`` under AES-256-GCM (NIST SP 800-38D). Nonces are random, which is
safe for 2**32 blobs a purpose (SP 800-38D, 8.3); whatever may be asked for more often than that, KMS ciphertexts above all,
derives a key for each message instead (``keys.kms.ciphertext``).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from garrison.core.ids import Random, system_random

ROOT_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_SMALLEST = len(_VERSION) + _NONCE_BYTES + _TAG_BYTES
_SALT = b"garrison root key"
"""Not secret: it separates these keys from any other use of the same 32 bytes."""


class RootKeyError(Exception):
    """The root key cannot be used as it lies there. The message names the file and what to do, never a byte of it."""


class Keyring:
    """Seals, unseals and authenticates under one root key. Implements ``core.ports.Sealer``.

    Purposes are constants of the code (``access-key``, ``kms-material``), never a client's words, so what is kept for each
    stays small.
    """

    __slots__ = ("_ciphers", "_macs", "_random", "_root")

    def __init__(self, root: bytes, *, random: Random = system_random) -> None:
        if len(root) != ROOT_BYTES:
            msg = f"a root key has {ROOT_BYTES} bytes, not {len(root)}"
            raise RootKeyError(msg)
        self._root = root
        self._random = random
        self._ciphers: dict[str, AESGCM] = {}
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
            root = os.read(descriptor, ROOT_BYTES + 1)
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
        """Sixteen hex digits that tell root keys apart: kept with the data, they show that a root key is the wrong one."""
        return self.mac("fingerprint", b"")[:8].hex()

    def seal(self, purpose: str, plaintext: bytes, associated: bytes = b"") -> bytes:
        """A versioned blob that only this root key opens, for this purpose and these associated bytes."""
        return self.seal_with(self._random(_NONCE_BYTES), purpose, plaintext, associated)

    def seal_with(self, nonce: bytes, purpose: str, plaintext: bytes, associated: bytes = b"") -> bytes:
        """:meth:`seal` with the nonce given (12 bytes, else ValueError is raised), for fixed vectors alone.

        A nonce used twice breaks the seal.
        """
        if len(nonce) != _NONCE_BYTES:
            msg = f"a nonce has {_NONCE_BYTES} bytes, not {len(nonce)}"
            raise ValueError(msg)
        return _VERSION + nonce + self._cipher(purpose).encrypt(nonce, plaintext, _VERSION + associated)

    def unseal(self, purpose: str, blob: bytes, associated: bytes = b"") -> bytes:
        """The plaintext. Raises ValueError where the blob was altered, is of another purpose or another root key."""
        if len(blob) < _SMALLEST or blob[:1] != _VERSION:
            msg = "not a sealed blob of a known version"
            raise ValueError(msg)
        try:
            return self._cipher(purpose).decrypt(blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :], _VERSION + associated)
        except InvalidTag:
            msg = "the blob was altered, or sealed for another purpose, other associated data or under another root key"
            raise ValueError(msg) from None

    def mac(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA-256 (32 bytes) under a key derived for the purpose."""
        keyed = self._macs.get(purpose)
        if keyed is None:
            keyed = self._macs[purpose] = HMAC(self._derive("mac", purpose), SHA256())
        copy = keyed.copy()
        copy.update(message)
        return copy.finalize()

    def _cipher(self, purpose: str) -> AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            cipher = self._ciphers[purpose] = AESGCM(self._derive("seal", purpose))
        return cipher

    def _derive(self, use: str, purpose: str) -> bytes:
        """A key for one use (``seal`` or ``mac``) and purpose; uses hold no NUL, so no two pairs meet."""
        info = f"{use}\0{purpose}".encode()
        return HKDF(algorithm=SHA256(), length=32, salt=_SALT, info=info).derive(self._root)


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
