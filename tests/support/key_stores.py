"""Custom key stores in a KMS without a network: a proxy that does what a test says, and tokens of SoftHSM."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from garrison.api import kms as api
from garrison.keys.kms.custom.stores import Cluster, LiveStores
from garrison.keys.xks.client import Wrapped, XksClient, integrity_value
from tests.support.kms import Kms, root
from tests.support.softhsm import SoftHsm
from tests.support.xks import FakeProxy, Reply

SECONDS = 20.0
"""For a proxy whose speed is not what is tested."""
CREDENTIAL = api.XksProxyAuthenticationCredentialType(
    access_key_id="HGIE2BUAFNDMBCMSQVWLGCEXAMPLE", raw_secret_access_key="VU6W2byoiBrhDqNGbx703oL0syCAmhlQgwNUT123456"
)
CLUSTER = "cluster-2a23b4cdefg"
PIN = "1234567"
ANCHOR = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
EXTERNAL: dict[str, Any] = {
    "custom_key_store_type": "EXTERNAL_KEY_STORE",
    "xks_proxy_connectivity": "PUBLIC_ENDPOINT",
    "xks_proxy_uri_endpoint": "https://localhost",
    "xks_proxy_uri_path": "/kms/xks/v1",
    "xks_proxy_authentication_credential": CREDENTIAL,
}
CLOUDHSM: dict[str, Any] = {
    "cloud_hsm_cluster_id": CLUSTER,
    "trust_anchor_certificate": ANCHOR,
    "key_store_password": PIN,
}


@dataclass
class GoodProxy:
    """Does what the specification says, with keys of its own; ``errors`` makes it answer an error instead."""

    keys: dict[str, bytes] = field(default_factory=lambda: {"ext-1": bytes(range(32)), "ext-2": bytes(range(1, 33))})
    error: str = ""
    managers: list[dict[str, str]] = field(default_factory=lambda: [{"healthStatus": "ACTIVE"}])
    metadata: dict[str, Any] = field(
        default_factory=lambda: {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}
    )

    def __call__(self, path: str, asked: Any) -> Reply:
        if self.error:
            return 400, json.dumps({"errorName": self.error, "errorMessage": "of the proxy"}).encode()
        if path.endswith("/health"):
            return _said({"xksProxyFleetSize": 1, "ekmFleetDetails": self.managers})
        *_, key_id, operation = path.split("/")
        key = self.keys.get(key_id)
        if key is None:
            return 404, b'{"errorName": "KeyNotFoundException"}'
        if operation == "metadata":
            return _said(self.metadata)
        return self._encrypt(key, asked) if operation == "encrypt" else self._decrypt(key, asked)

    @staticmethod
    def _encrypt(key: bytes, asked: Any) -> Reply:
        associated, iv = b64decode(asked["additionalAuthenticatedData"]), os.urandom(12)
        sealed = AESGCM(key).encrypt(iv, b64decode(asked["plaintext"]), associated)
        made = Wrapped(sealed[:-16], iv, sealed[-16:])
        return _said(
            {
                "ciphertext": _text(made.ciphertext),
                "initializationVector": _text(iv),
                "authenticationTag": _text(made.tag),
                "ciphertextDataIntegrityValue": _text(integrity_value(associated, made)),
            }
        )

    @staticmethod
    def _decrypt(key: bytes, asked: Any) -> Reply:
        sealed = b64decode(asked["ciphertext"]) + b64decode(asked["authenticationTag"])
        try:
            plaintext = AESGCM(key).decrypt(
                b64decode(asked["initializationVector"]), sealed, b64decode(asked["additionalAuthenticatedData"])
            )
        except InvalidTag:
            return 400, b'{"errorName": "InvalidCiphertextException"}'
        return _said({"plaintext": _text(plaintext)})


def _said(document: dict[str, Any]) -> Reply:
    return 200, json.dumps(document).encode()


def _text(value: bytes) -> str:
    return b64encode(value).decode()


@dataclass
class External:
    """A KMS with an external key store whose proxy can be told what to do."""

    kms: Kms
    fake: FakeProxy
    good: GoodProxy

    def new_store(self, **members: Any) -> str:
        """The id of a store; it is not connected."""
        made = self.kms(root(), "CreateCustomKeyStore", **{"custom_key_store_name": "store", **EXTERNAL, **members})
        store_id: str = made.custom_key_store_id
        return store_id

    def connected(self) -> str:
        """The id of a connected store."""
        store_id = self.new_store()
        self.kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
        return store_id

    def new_key(self, store_id: str, xks_key_id: str = "ext-1", **members: Any) -> api.KeyMetadata:
        """A key in it."""
        return self.kms.new_key(origin="EXTERNAL_KEY_STORE", custom_key_store_id=store_id, xks_key_id=xks_key_id, **members)

    def shown(self, store_id: str) -> api.CustomKeyStoresListEntry:
        """The store as DescribeCustomKeyStores shows it."""
        found: api.CustomKeyStoresListEntry = self.kms(
            root(), "DescribeCustomKeyStores", custom_key_store_id=store_id
        ).custom_key_stores[0]
        return found


@pytest.fixture
def external(kms: Kms, fake_proxy: FakeProxy) -> Iterator[External]:
    client = XksClient(fake_proxy.routes, seconds=SECONDS)
    kms.live.stores = LiveStores(kms.store, kms.sealer, client=client)
    good = GoodProxy()
    fake_proxy.reply = good
    yield External(kms, fake_proxy, good)
    kms.live.stores.close()


@pytest.fixture
def hsm_kms(kms: Kms, soft_hsm: SoftHsm) -> Iterator[Kms]:
    """A KMS that knows one cluster, whose token takes PIN."""
    soft_hsm.new_token("cloudhsm", PIN)
    kms.live.stores = LiveStores(
        kms.store, kms.sealer, clusters={CLUSTER: Cluster(soft_hsm.module, "cloudhsm", certificate=ANCHOR)}
    )
    yield kms
    kms.live.stores.close()
