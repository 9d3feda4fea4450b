"""The keys of the plugin, as KMS has them: the first encrypts, every one of them decrypts."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

MAX_PLAINTEXT = 4096
"""Bytes: what Encrypt takes. The API server sends seeds of 32."""
_PROBE_BYTES = 32
_SEPARATOR = "#"


class Refused(Exception):  # noqa: N818 - what KMS did, not what went wrong here
    """KMS did not do it. ``code`` is AWS's, ``Unreachable`` where there was no answer; the text holds no secret."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Encrypted:
    """What Encrypt made, and the id of the key that made it."""

    blob: bytes
    key_id: str


class Keys:
    """Encrypts and decrypts under keys of KMS, for several threads at once.

    A key's id is its ARN and, where KMS says it, the id of its current material, so that the API server sees a rotation and
    encrypts anew. An id that names none of these keys is refused before KMS is asked: who can write to etcd cannot make the
    plugin use a key of his own.
    """

    def __init__(self, client: Any, key_ids: Sequence[str], context: Mapping[str, str] | None = None) -> None:  # noqa: ANN401 - boto3's clients have no static type
        """``key_ids`` are ids, ARNs or aliases; ``context`` is the encryption context of every call."""
        self._client = client
        self._key_ids = tuple(key_ids)
        self._context = dict(context or {})
        self._arns: dict[str, str] = {}
        self._lock = threading.Lock()
        self._current = ""

    def current(self) -> str:
        """The id of the key that encrypts, as KMS says it now. Raises Refused."""
        metadata = self._described(self._key_ids[0])
        if metadata["KeyState"] != "Enabled":
            raise Refused("KMSInvalidStateException", f"the key is {metadata['KeyState']}")
        material = metadata.get("CurrentKeyMaterialId", "")
        with self._lock:
            self._current = f"{metadata['Arn']}{_SEPARATOR}{material}" if material else metadata["Arn"]
            return self._current

    def probe(self) -> str:
        """:meth:`current`, once what was encrypted came back. Raises Refused."""
        current = self.current()
        plaintext = os.urandom(_PROBE_BYTES)
        if self.decrypt(self.encrypt(plaintext).blob, current) != plaintext:
            raise Refused("KMSInternalException", "what was encrypted did not come back")
        return current

    def encrypt(self, plaintext: bytes) -> Encrypted:
        """Raises Refused."""
        with self._lock:
            current = self._current
        current = current or self.current()
        answer = self._call("encrypt", KeyId=_arn(current), Plaintext=plaintext, EncryptionContext=self._context)
        return Encrypted(answer["CiphertextBlob"], current)

    def decrypt(self, blob: bytes, key_id: str) -> bytes:
        """Raises Refused, also where ``key_id`` names none of these keys."""
        arn = _arn(key_id)
        self._must_be_ours(arn)
        answer = self._call("decrypt", KeyId=arn, CiphertextBlob=blob, EncryptionContext=self._context)
        plaintext: bytes = answer["Plaintext"]
        return plaintext

    def _must_be_ours(self, arn: str) -> None:
        """Raises Refused unless it is one of the keys; those whose ARN is not known yet are asked for."""
        missing: Refused | None = None
        for key_id in self._key_ids:
            try:
                if arn in {key_id, self._arns.get(key_id)} or self._described(key_id)["Arn"] == arn:
                    return
            except Refused as refusal:
                missing = refusal
        raise missing or Refused("IncorrectKeyException", "the key_id names no key of this plugin")

    def _described(self, key_id: str) -> dict[str, Any]:
        metadata: dict[str, Any] = self._call("describe_key", KeyId=key_id)["KeyMetadata"]
        with self._lock:
            self._arns[key_id] = metadata["Arn"]
        return metadata

    def _call(self, operation: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - members are of any type
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**members)
        except ClientError as error:
            found = error.response.get("Error", {})
            raise Refused(found.get("Code", "Unknown"), found.get("Message", "")) from error
        except BotoCoreError as error:
            raise Refused("Unreachable", type(error).__name__) from error
        return answer


def _arn(key_id: str) -> str:
    return key_id.partition(_SEPARATOR)[0]
