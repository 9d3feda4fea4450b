"""Key stores in an HSM: SoftHSM stands for a cluster."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.keys.hsm.agent import Agent
from garrison.keys.kms.custom.stores import Cluster, read_clusters
from tests.support.key_stores import ANCHOR, CLOUDHSM, CLUSTER, PIN, hsm_kms
from tests.support.kms import Kms, kms, memory_store, root
from tests.support.softhsm import SoftHsm, soft_hsm

__all__ = ["hsm_kms", "kms", "memory_store", "soft_hsm"]


def new_store(kms: Kms, **members: Any) -> str:
    made = kms(root(), "CreateCustomKeyStore", **{"custom_key_store_name": "hsm", **CLOUDHSM, **members})
    store_id: str = made.custom_key_store_id
    return store_id


def connected(kms: Kms) -> str:
    store_id = new_store(kms)
    kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    assert shown(kms, store_id).connection_state == "CONNECTED"
    return store_id


def shown(kms: Kms, store_id: str) -> api.CustomKeyStoresListEntry:
    found: api.CustomKeyStoresListEntry = kms(root(), "DescribeCustomKeyStores", custom_key_store_id=store_id).custom_key_stores[
        0
    ]
    return found


def new_key(kms: Kms, store_id: str) -> api.KeyMetadata:
    return kms.new_key(origin="AWS_CLOUDHSM", custom_key_store_id=store_id)


def agent_of(kms: Kms) -> Agent:
    (agent,) = kms.live.stores._agents.values()
    return agent


def test_a_key_is_made_in_the_token_and_works_there(hsm_kms: Kms, soft_hsm: SoftHsm):
    store_id = connected(hsm_kms)
    key = new_key(hsm_kms, store_id)
    assert (key.origin, key.custom_key_store_id, key.cloud_hsm_cluster_id) == ("AWS_CLOUDHSM", store_id, CLUSTER)
    listed = soft_hsm.objects("cloudhsm", PIN)
    assert "garrison-" in listed
    assert "never extractable" in listed
    blob = hsm_kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"secret", encryption_context={"a": "b"}).ciphertext_blob
    assert hsm_kms(root(), "Decrypt", ciphertext_blob=blob, encryption_context={"a": "b"}).plaintext == b"secret"
    for context in ({}, {"a": "c"}):
        with pytest.raises(api.InvalidCiphertextException):
            hsm_kms(root(), "Decrypt", ciphertext_blob=blob, encryption_context=context)
    altered = blob[:-1] + bytes([blob[-1] ^ 1])
    with pytest.raises(api.InvalidCiphertextException):
        hsm_kms(root(), "Decrypt", ciphertext_blob=altered, encryption_context={"a": "b"})


def test_without_the_token_nothing_opens(hsm_kms: Kms):
    key = new_key(hsm_kms, connected(hsm_kms))
    blob = hsm_kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"secret").ciphertext_blob
    (label,) = hsm_kms.store.reading().one("SELECT outer_id FROM kms_store_key") or ("",)
    agent_of(hsm_kms).destroy_key(label)
    with pytest.raises(api.KMSInvalidStateException, match="was not found"):
        hsm_kms(root(), "Decrypt", ciphertext_blob=blob)


def test_a_token_that_dies_or_hangs_fails_the_call_and_no_other(hsm_kms: Kms):
    key = new_key(hsm_kms, connected(hsm_kms))
    blob = hsm_kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"secret").ciphertext_blob
    agent = agent_of(hsm_kms)
    process = agent._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    agent._seconds = 0.2
    with pytest.raises(api.DependencyTimeoutException):
        hsm_kms(root(), "Decrypt", ciphertext_blob=blob)
    agent._seconds = 20.0
    assert hsm_kms(root(), "Decrypt", ciphertext_blob=blob).plaintext == b"secret"
    agent._token = Cluster("/nowhere.so", "cloudhsm").opened_with(PIN)
    agent._end()
    with pytest.raises(api.KMSInvalidStateException, match="cannot log in"):
        hsm_kms(root(), "Decrypt", ciphertext_blob=blob)


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({"cloud_hsm_cluster_id": "cluster-zzzzzzzzzzz"}, api.CloudHsmClusterNotFoundException),
        ({"trust_anchor_certificate": "another"}, api.IncorrectTrustAnchorException),
        ({"cloud_hsm_cluster_id": None}, CommonError),
        ({"trust_anchor_certificate": None}, CommonError),
        ({"key_store_password": None}, CommonError),
        ({"xks_proxy_uri_path": "/kms/xks/v1"}, CommonError),
    ],
)
def test_what_makes_no_store(hsm_kms: Kms, members: dict[str, Any], wanted: type[Exception]):
    with pytest.raises(wanted):
        new_store(hsm_kms, **members)


def test_a_cluster_belongs_to_one_store(hsm_kms: Kms):
    new_store(hsm_kms)
    with pytest.raises(api.CloudHsmClusterInUseException):
        new_store(hsm_kms, custom_key_store_name="two")


def test_a_wrong_password_fails_the_connection_until_it_is_put_right(hsm_kms: Kms):
    store_id = new_store(hsm_kms, key_store_password="7654321")
    hsm_kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    entry = shown(hsm_kms, store_id)
    assert (entry.connection_state, entry.connection_error_code) == ("FAILED", "INVALID_CREDENTIALS")
    assert (entry.cloud_hsm_cluster_id, entry.trust_anchor_certificate) == (CLUSTER, ANCHOR)
    with pytest.raises(api.CustomKeyStoreInvalidStateException):
        hsm_kms(root(), "UpdateCustomKeyStore", custom_key_store_id=store_id, key_store_password=PIN)
    hsm_kms(root(), "DisconnectCustomKeyStore", custom_key_store_id=store_id)
    hsm_kms(root(), "UpdateCustomKeyStore", custom_key_store_id=store_id, key_store_password=PIN)
    hsm_kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    assert shown(hsm_kms, store_id).connection_state == "CONNECTED"


def test_a_cluster_that_is_gone_fails_the_connection(hsm_kms: Kms):
    store_id = new_store(hsm_kms)
    hsm_kms.live.stores.clusters = {}
    hsm_kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    assert shown(hsm_kms, store_id).connection_error_code == "CLUSTER_NOT_FOUND"


def test_random_bytes_of_the_hsm(hsm_kms: Kms):
    store_id = connected(hsm_kms)
    prepare: dict[str, Any] = {"custom_key_store_id": store_id, "number_of_bytes": 32}
    assert len(hsm_kms(root(), "GenerateRandom", **prepare).plaintext) == 32
    hsm_kms(root(), "DisconnectCustomKeyStore", custom_key_store_id=store_id)
    with pytest.raises(api.CustomKeyStoreInvalidStateException):
        hsm_kms(root(), "GenerateRandom", **prepare)
    with pytest.raises(api.CustomKeyStoreNotFoundException):
        hsm_kms(root(), "GenerateRandom", custom_key_store_id="cks-none", number_of_bytes=1)


def test_clusters_are_read_from_a_file(tmp_path: Any):
    file = tmp_path / "clusters.toml"
    file.write_text('["cluster-1"]\nmodule = "/lib.so"\ntoken = "t"\nuser = "kmsuser"\n')
    assert read_clusters(file)["cluster-1"].opened_with("pw").pin == "kmsuser:pw"
    assert read_clusters(None) == {}
    for text in (
        "a = 1\n",
        '["c"]\nmodule = "x"\n',
        '["c"]\nmodule = "x"\ntoken = 3\n',
        '["c"]\nmodule="x"\ntoken="t"\npin="1"\n',
        "nonsense",
    ):
        file.write_text(text)
        with pytest.raises(ValueError):
            read_clusters(file)
