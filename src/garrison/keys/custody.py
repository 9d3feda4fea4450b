"""Where the root key is kept: a file, a file under a passphrase, a file under a token's key, or a file under another KMS's key.

``file:PATH`` holds the 32 bytes themselves. Every other form holds them sealed, in a JSON document that says how; without the
passphrase, the token or the other KMS it is of no use. No secret is ever an argument of a command: passphrases and PINs come
from a file, an open descriptor or the terminal.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from garrison.core.arn import parse_arn
from garrison.core.ids import Random, system_random
from garrison.keys.gcm import IV_BYTES, Gcm
from garrison.keys.hsm.agent import Agent, HsmError, Token
from garrison.keys.keyring import RootKeyError, read_private, replace_private
from garrison.keys.ring import ROOT_BYTES

SHORTEST_PASSPHRASE = 12
_FORMAT = "garrison-root-key"
_SALT_BYTES = 16
_MOST_SECRET = 4096


@dataclass(frozen=True, slots=True)
class Stretching:
    """Argon2id's parameters (RFC 9106). The default is the RFC's second recommended option: 64 MiB, three passes, four lanes."""

    iterations: int = 3
    lanes: int = 4
    memory_kib: int = 64 * 1024

    def derive(self, passphrase: bytes, salt: bytes) -> bytes:
        """A key of 32 bytes."""
        return Argon2id(salt=salt, length=32, iterations=self.iterations, lanes=self.lanes, memory_cost=self.memory_kib).derive(
            passphrase
        )


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where a passphrase or PIN comes from: the first of these that is given."""

    file: Path | None = None
    descriptor: int | None = None
    ask: Callable[[str], str] = field(default=getpass.getpass)
    terminal: Callable[[], bool] = field(default=lambda: sys.stdin is not None and sys.stdin.isatty())

    def get(self, what: str) -> bytes:
        """The secret, without the line end that an editor leaves. Raises RootKeyError where there is none to be had."""
        if self.file is not None:
            found = read_private(self.file, _MOST_SECRET)
        elif self.descriptor is not None:
            found = self._from_descriptor(self.descriptor)
        elif self.terminal():
            found = self.ask(f"{what}: ").encode()
        else:
            msg = f"the {what} is asked for, and there is neither --passphrase-file, nor --passphrase-fd, nor a terminal"
            raise RootKeyError(msg)
        found = found.rstrip(b"\r\n")
        if not found:
            msg = f"the {what} is empty"
            raise RootKeyError(msg)
        return found

    def get_new(self, what: str) -> bytes:
        """A secret that is being chosen: asked for twice at a terminal. Raises RootKeyError where it is too short or differs."""
        first = self.get(what)
        if len(first) < SHORTEST_PASSPHRASE:
            msg = f"the {what} must have at least {SHORTEST_PASSPHRASE} bytes"
            raise RootKeyError(msg)
        if self.file is None and self.descriptor is None and self.get(f"{what} again") != first:
            msg = f"the {what} was not the same twice"
            raise RootKeyError(msg)
        return first

    @staticmethod
    def _from_descriptor(descriptor: int) -> bytes:
        try:
            with os.fdopen(os.dup(descriptor), "rb") as pipe:
                return pipe.read(_MOST_SECRET)
        except OSError as error:
            msg = f"descriptor {descriptor} cannot be read: {error.strerror}"
            raise RootKeyError(msg) from None


class Custody:
    """One way of keeping a root key. ``path`` is the file that holds it, or holds it sealed."""

    kind = ""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return f"{self.kind}:{self.path}"

    @property
    def exists(self) -> bool:
        """Whether a root key is kept there."""
        return self.path.exists()

    def load(self) -> bytes:
        """The root key (32 bytes). Raises RootKeyError."""
        raise NotImplementedError

    def keep(self, root: bytes) -> None:
        """Keep a root key in the place of whatever was there; on disk once this returns. Raises RootKeyError."""
        raise NotImplementedError


class FileCustody(Custody):
    """``file:PATH``."""

    kind = "file"

    def load(self) -> bytes:
        """The bytes. Raises RootKeyError."""
        root = read_private(self.path, ROOT_BYTES + 1)
        if len(root) != ROOT_BYTES:
            held = "more" if len(root) > ROOT_BYTES else str(len(root))
            msg = f"{self.path} must hold {ROOT_BYTES} bytes, holds {held}: it is no root key"
            raise RootKeyError(msg)
        return root

    def keep(self, root: bytes) -> None:
        """Raises RootKeyError."""
        replace_private(self.path, root)


class SealedCustody(Custody):
    """A document with the root key sealed by something else."""

    def load(self) -> bytes:
        """Raises RootKeyError."""
        root = self.unseal(self._document())
        if len(root) != ROOT_BYTES:
            raise self._damaged()
        return root

    def keep(self, root: bytes) -> None:
        """Raises RootKeyError."""
        document = {"format": _FORMAT, "version": 1, "custody": self.kind, **self.seal(root)}
        replace_private(self.path, json.dumps(document, indent=2).encode() + b"\n")

    def seal(self, root: bytes) -> dict[str, Any]:
        """What the document says beside its head."""
        raise NotImplementedError

    def unseal(self, document: Mapping[str, Any]) -> bytes:
        """The root key of a document of this kind."""
        raise NotImplementedError

    def _document(self) -> Mapping[str, Any]:
        try:
            found = json.loads(read_private(self.path, 65_536))
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("format") != _FORMAT or found.get("version") != 1:
            raise self._damaged()
        if found.get("custody") != self.kind:
            msg = f"{self.path} is kept by `{found.get('custody')}`, not `{self.kind}`"
            raise RootKeyError(msg)
        return found

    def _damaged(self) -> RootKeyError:
        return RootKeyError(f"{self.path} holds no root key that can be read: it was altered, or is of a newer version")

    def _bytes(self, document: Mapping[str, Any], name: str) -> bytes:
        try:
            return b64decode(document[name], validate=True)
        except (KeyError, TypeError, ValueError):
            raise self._damaged() from None


class PassphraseCustody(SealedCustody):
    """``passphrase:PATH``: AES-256-GCM under Argon2id (RFC 9106) of a passphrase; the parameters stand beside it."""

    kind = "passphrase"

    def __init__(
        self, path: Path, secrets: Secrets, *, stretching: Stretching | None = None, random: Random = system_random
    ) -> None:
        super().__init__(path)
        self._secrets = secrets
        self._stretching = stretching or Stretching()
        self._random = random

    def seal(self, root: bytes) -> dict[str, Any]:
        """Raises RootKeyError."""
        salt, nonce = self._random(_SALT_BYTES), self._random(IV_BYTES)
        shown = {
            "iterations": self._stretching.iterations,
            "lanes": self._stretching.lanes,
            "memory_kib": self._stretching.memory_kib,
            "salt": _text(salt),
        }
        key = self._stretching.derive(self._secrets.get_new("passphrase"), salt)
        return {"argon2id": shown, "sealed": _text(nonce + Gcm(key).seal(nonce, root, _bound(shown)))}

    def unseal(self, document: Mapping[str, Any]) -> bytes:
        """Raises RootKeyError."""
        shown = document.get("argon2id")
        if not isinstance(shown, dict):
            raise self._damaged()
        stretching = self._read(shown)
        salt, sealed = self._bytes(shown, "salt"), self._bytes(document, "sealed")
        try:
            key = stretching.derive(self._secrets.get("passphrase"), salt)
            return Gcm(key).open(sealed[:IV_BYTES], sealed[IV_BYTES:], _bound(shown))
        except ValueError:
            msg = f"the passphrase does not open {self.path}, or the file was altered"
            raise RootKeyError(msg) from None

    def _read(self, shown: Mapping[str, Any]) -> Stretching:
        """Parameters within bounds: an altered file may neither weaken the next one nor eat the machine's memory."""
        found = [shown.get(name) for name in ("iterations", "lanes", "memory_kib")]
        bounds = ((1, 64), (1, 64), (8, 4 * 1024 * 1024))
        if not all(isinstance(value, int) and low <= value <= high for value, (low, high) in zip(found, bounds, strict=True)):
            raise self._damaged()
        return Stretching(*[int(value or 0) for value in found])


class TokenCustody(SealedCustody):
    """``pkcs11:PATH?module=LIBRARY&token=LABEL&key=LABEL``: AES-256-GCM in a token, under a key that never leaves it."""

    kind = "pkcs11"

    def __init__(
        self, path: Path, module: str, token: str, key: str, secrets: Secrets, *, random: Random = system_random
    ) -> None:
        super().__init__(path)
        self._module, self._token, self._key = module, token, key
        self._secrets = secrets
        self._random = random

    def __str__(self) -> str:
        return f"{self.kind}:{self.path}?module={self._module}&token={self._token}&key={self._key}"

    def seal(self, root: bytes) -> dict[str, Any]:
        """The token's key is made where it is not there. Raises RootKeyError."""
        nonce = self._random(IV_BYTES)
        with self._agent() as agent:
            if not agent.has_key(self._key):
                agent.make_key(self._key)
            sealed = agent.encrypt(self._key, nonce, self._bound(), root)
            # A token that cannot give it back would be found out at the next start.
            if agent.decrypt(self._key, nonce, self._bound(), sealed) != root:
                msg = "the token does not decrypt what it encrypted"
                raise RootKeyError(msg)
        return {"token": self._token, "key": self._key, "nonce": _text(nonce), "sealed": _text(sealed)}

    def unseal(self, document: Mapping[str, Any]) -> bytes:
        """Raises RootKeyError."""
        with self._agent() as agent:
            root: bytes = agent.decrypt(self._key, self._bytes(document, "nonce"), self._bound(), self._bytes(document, "sealed"))
        return root

    def _bound(self) -> bytes:
        return _bound({"token": self._token, "key": self._key})

    @contextlib.contextmanager
    def _agent(self) -> Any:  # noqa: ANN401 - a context manager of an Agent
        pin = self._secrets.get(f"PIN of the token `{self._token}`").decode("utf-8", "replace")
        agent = Agent(Token(self._module, self._token, pin))
        try:
            agent.log_in()
            yield agent
        except HsmError as error:
            msg = f"the token `{self._token}` does not give the root key: {error.kind}"
            raise RootKeyError(msg) from None
        finally:
            agent.close()


class KmsCustody(SealedCustody):
    """``kms:KEY_ARN[@ENDPOINT]``: a ciphertext of another KMS's key, AWS's own or another Garrison's."""

    kind = "kms"
    _CONTEXT: Mapping[str, str] = {"garrison": "root key"}

    def __init__(self, path: Path, key_arn: str, endpoint: str | None) -> None:
        super().__init__(path)
        self._key_arn = key_arn
        self._endpoint = endpoint

    def __str__(self) -> str:
        return f"{self.kind}:{self._key_arn}" + (f"@{self._endpoint}" if self._endpoint else "")

    def seal(self, root: bytes) -> dict[str, Any]:
        """Raises RootKeyError."""
        with self._asking():
            found = self._client().encrypt(KeyId=self._key_arn, Plaintext=root, EncryptionContext=dict(self._CONTEXT))
        return {"key": self._key_arn, "sealed": _text(found["CiphertextBlob"])}

    def unseal(self, document: Mapping[str, Any]) -> bytes:
        """Raises RootKeyError."""
        with self._asking():
            found = self._client().decrypt(
                KeyId=self._key_arn, CiphertextBlob=self._bytes(document, "sealed"), EncryptionContext=dict(self._CONTEXT)
            )
        root: bytes = found["Plaintext"]
        return root

    def _client(self) -> Any:  # noqa: ANN401 - boto3 has no types at run time
        try:
            import boto3  # noqa: PLC0415 - an extra, which only this custody needs
            import botocore.config  # noqa: PLC0415 - the same
        except ImportError:
            msg = "the root key is kept by another KMS, which needs the extra `kms`: pip install 'garrison[kms]'"
            raise RootKeyError(msg) from None
        config = botocore.config.Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 3})
        region = parse_arn(self._key_arn).region
        return boto3.client("kms", region_name=region, endpoint_url=self._endpoint, config=config)

    @contextlib.contextmanager
    def _asking(self) -> Any:  # noqa: ANN401 - a context manager
        try:
            yield
        except RootKeyError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever boto3 raises: its texts hold no secret, and name what is wrong
            msg = f"the KMS at {self._endpoint or 'AWS'} does not give the root key: {error}"
            raise RootKeyError(msg) from None


def custody_of(text: str, default: Path, secrets: Secrets) -> Custody:
    """The custody that a setting names; ``default`` is the file where it names none.

    Raises ValueError with what is wrong with the setting.
    """
    kind, _, rest = text.partition(":")
    if kind == "kms":
        return _kms(rest, default)
    path_text, _, query = rest.partition("?")
    path = Path(path_text).expanduser().absolute() if path_text else default
    if kind == "file" and not query:
        return FileCustody(path)
    if kind == "passphrase" and not query:
        return PassphraseCustody(path, secrets)
    if kind == "pkcs11":
        given = dict(parse_qsl(query))
        if set(given) != {"module", "token", "key"}:
            msg = "pkcs11:PATH?module=LIBRARY&token=LABEL&key=LABEL"
            raise ValueError(msg)
        return TokenCustody(path, given["module"], given["token"], given["key"], secrets)
    msg = "file:PATH, passphrase:PATH, pkcs11:PATH?module=LIBRARY&token=LABEL&key=LABEL or kms:KEY_ARN@ENDPOINT"
    raise ValueError(msg)


def _kms(rest: str, default: Path) -> Custody:
    arn, _, endpoint = rest.partition("@")
    try:
        parsed = parse_arn(arn)
    except ValueError:
        parsed = None
    if parsed is None or parsed.service != "kms" or parsed.resource_type not in {"key", "alias"}:
        msg = "kms:KEY_ARN@ENDPOINT"
        raise ValueError(msg)
    path = default if default.suffix == ".kms" else default.with_name(f"{default.name}.kms")
    return KmsCustody(path, arn, endpoint or None)


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _bound(shown: Mapping[str, Any]) -> bytes:
    """What a seal says of itself, as bytes that are sealed with it."""
    return json.dumps([_FORMAT, 1, shown], sort_keys=True).encode()
