"""Signing keys, derived once a day for each secret and scope.

Source: IAM User Guide, "Create a signed AWS API request", step 4.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from threading import Lock
from typing import Final

_SHA256: Final = "sha256"


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key (32 bytes) of a day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode("latin-1"), _SHA256)
    return key


class SigningKeys:
    """The keys last used, ready to be copied and fed; the least recently used one goes where the limit is reached.

    An entry is found by a digest of the secret: the cache holds keys of one day and scope, never the secret itself.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._lock = Lock()
        self._keys: OrderedDict[tuple[bytes, str, str, str], hmac.HMAC] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def mac(self, secret: str, date: str, region: str, service: str) -> hmac.HMAC:
        """A fresh HMAC-SHA-256 under the signing key."""
        name = (hashlib.sha256(secret.encode()).digest(), date, region, service)
        with self._lock:
            keyed = self._keys.get(name)
            if keyed is not None:
                self._keys.move_to_end(name)
                return keyed.copy()
        keyed = hmac.new(signing_key(secret, date, region, service), digestmod=_SHA256)
        with self._lock:
            self._keys[name] = keyed
            if len(self._keys) > self._limit:
                self._keys.popitem(last=False)
        return keyed.copy()
