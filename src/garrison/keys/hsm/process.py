"""The process that holds a token: reads a request a line, answers a line, ends with its input.

Run by :mod:`garrison.keys.hsm.agent` alone. PINs come over the pipe, never as arguments, and nothing is ever written but answers.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass, exceptions

from garrison.keys.memory import no_core_dumps

_TAG_BITS = 128

_KINDS: Mapping[type[Exception], str] = {
    exceptions.NoSuchToken: "no token",
    exceptions.TokenNotPresent: "no token",
    exceptions.TokenNotRecognised: "no token",
    exceptions.NoSuchKey: "no key",
    exceptions.PinIncorrect: "bad pin",
    exceptions.PinInvalid: "bad pin",
    exceptions.PinLenRange: "bad pin",
    exceptions.PinLocked: "locked pin",
    exceptions.UserPinNotInitialized: "locked pin",
}
_BROKEN = (
    exceptions.DeviceError,
    exceptions.DeviceMemory,
    exceptions.DeviceRemoved,
    exceptions.FunctionFailed,
    exceptions.HostMemory,
    exceptions.SessionClosed,
    exceptions.SessionHandleInvalid,
    exceptions.UserNotLoggedIn,
)


class Refused(Exception):  # noqa: N818 - what the token did
    """It does not decrypt this."""


class Holder:
    """One session with one token, logged in."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        token = pkcs11.lib(request["module"]).get_token(token_label=request["token"])
        self._session = token.open(rw=True, user_pin=request["pin"])
        self._keys: dict[str, Any] = {}

    def log_in(self, _request: Mapping[str, Any]) -> None:
        """Nothing more: there is a session."""

    def make_key(self, request: Mapping[str, Any]) -> None:
        """Generate an AES-256 key that never leaves."""
        template = {
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.ENCRYPT: True,
            Attribute.DECRYPT: True,
            Attribute.WRAP: False,
            Attribute.UNWRAP: False,
            Attribute.MODIFIABLE: False,
        }
        self._session.generate_key(KeyType.AES, 256, label=request["label"], store=True, template=template)

    def has_key(self, request: Mapping[str, Any]) -> bool:
        """Whether there is a key of this label."""
        try:
            self._key(request["label"])
        except exceptions.NoSuchKey:
            return False
        return True

    def destroy_key(self, request: Mapping[str, Any]) -> None:
        """Destroy the key, if there is one."""
        if self.has_key(request):
            self._keys.pop(request["label"]).destroy()

    def encrypt(self, request: Mapping[str, Any]) -> str:
        """Ciphertext and tag."""
        return _text(self._key(request["label"]).encrypt(_bytes(request["data"]), **_gcm(request)))

    def decrypt(self, request: Mapping[str, Any]) -> str:
        """The plaintext. Raises Refused."""
        key = self._key(request["label"])
        try:
            return _text(key.decrypt(_bytes(request["data"]), **_gcm(request)))
        except _BROKEN:
            raise
        except exceptions.PKCS11Error:
            # Tokens say it in many ways; one that still decrypts its own has refused this.
            self._prove(key, request)
            raise Refused from None

    def random(self, request: Mapping[str, Any]) -> str:
        """Bytes of the token's generator."""
        return _text(self._session.generate_random(request["length"] * 8))

    def _key(self, label: str) -> Any:  # noqa: ANN401 - the library's key
        found = self._keys.get(label)
        if found is None:
            found = self._keys[label] = self._session.get_key(ObjectClass.SECRET_KEY, KeyType.AES, label=label)
        return found

    @staticmethod
    def _prove(key: Any, request: Mapping[str, Any]) -> None:  # noqa: ANN401 - the library's key
        made = {"iv": _text(os.urandom(12)), "associated": request["associated"]}
        key.decrypt(key.encrypt(b"proof", **_gcm(made)), **_gcm(made))


def _gcm(request: Mapping[str, Any]) -> dict[str, Any]:
    parameters = GCMParams(_bytes(request["iv"]), _bytes(request["associated"]), _TAG_BITS)
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": parameters}


def _bytes(value: str) -> bytes:
    return b64decode(value)


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _kind(error: Exception) -> str:
    if isinstance(error, Refused):
        return "refused"
    for kind, name in _KINDS.items():
        if isinstance(error, kind):
            return name
    # A library that cannot be loaded at all.
    return "no token" if type(error) is exceptions.PKCS11Error else "failed"


def answer(holders: dict[tuple[str, str], Holder], request: Mapping[str, Any]) -> dict[str, Any]:
    """One answer. A failed session is not used again."""
    name = (request["module"], request["token"])
    try:
        if name not in holders:
            holders[name] = Holder(request)
        asked: Callable[[Mapping[str, Any]], Any] = getattr(holders[name], request["request"])
        return {"answer": asked(request)}
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises becomes one of our kinds
        kind = _kind(error)
        if kind == "failed":
            holders.pop(name, None)
        return {"error": kind}


def main() -> None:
    """Answer until the input ends."""
    no_core_dumps()
    holders: dict[tuple[str, str], Holder] = {}
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(answer(holders, json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
