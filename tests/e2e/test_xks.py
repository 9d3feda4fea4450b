"""Two Garrisons: one keeps the other half of the other's keys, is cut off, and comes back. Then real clients of the proxy alone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ServerFactory
from tests.support.clients import boto
from tests.support.needs import program
from tests.support.server import Server, free_port

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"], "Resource": "*"}],
}
CONTEXT = {"team": "red"}


def client(service: str, server: Server) -> Any:
    authority = server.data_dir / "tls" / "ca.pem"
    return boto(server, service, verify=str(authority) if server.scheme == "https" else None)


@dataclass
class Pair:
    """``inner`` is a KMS; ``outer`` is the proxy that it trusts its keys to."""

    inner: Server
    outer: Server
    credential: dict[str, Any]

    @property
    def kms(self) -> Any:
        return client("kms", self.inner)

    @property
    def outer_kms(self) -> Any:
        return client("kms", self.outer)

    def new_store(self, name: str = "store", **changes: Any) -> str:
        members = {
            "XksProxyUriEndpoint": "https://localhost",
            "XksProxyUriPath": self.credential["XksProxyUriPath"],
            "XksProxyAuthenticationCredential": self.credential["XksProxyAuthenticationCredential"],
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
            **changes,
        }
        made = self.kms.create_custom_key_store(CustomKeyStoreName=name, CustomKeyStoreType="EXTERNAL_KEY_STORE", **members)
        return str(made["CustomKeyStoreId"])

    def new_key(self, store_id: str) -> tuple[str, str]:
        """The key here, and its other half there."""
        outer = self.outer_kms.create_key()["KeyMetadata"]["KeyId"]
        made = self.kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store_id, XksKeyId=outer)
        return made["KeyMetadata"]["KeyId"], outer


def garrison(server: Server, *arguments: str) -> str:
    line = [sys.executable, "-m", "garrison", *arguments, "--data-dir", str(server.data_dir)]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def pair(new_server: ServerFactory) -> Pair:
    port = free_port()
    outer = new_server(options=("--tls",), scheme="https", port=port).start()
    iam = client("iam", outer)
    iam.create_user(UserName="other-kms")
    iam.put_user_policy(UserName="other-kms", PolicyName="use", PolicyDocument=json.dumps(POLICY))
    credential = json.loads(garrison(outer, "xks", "create-credential", "--user", "other-kms", "--prefix", "/one"))
    authority = outer.data_dir / "tls" / "ca.pem"
    inner = new_server(
        options=("--xks-routes", f"localhost=127.0.0.1:{port}", "--xks-authorities", str(authority), "--xks-timeout", "10")
    ).start()
    return Pair(inner, outer, credential)


def refused(code: str, call: Any, **members: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**members)
    assert raised.value.response["Error"]["Code"] == code
    return str(raised.value.response["Error"]["Message"])


def test_one_garrison_keeps_the_other_half_of_anothers_keys_is_cut_off_and_brought_back(pair: Pair):
    store_id = pair.new_store()
    pair.kms.connect_custom_key_store(CustomKeyStoreId=store_id)
    key, outer = pair.new_key(store_id)
    described = pair.kms.describe_key(KeyId=key)["KeyMetadata"]
    assert described["XksKeyConfiguration"] == {"Id": outer}

    blob = pair.kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
    data = pair.kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert pair.kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == b"secret"
    assert pair.kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"] == data["Plaintext"]

    # The proxy rotates its key: what was encrypted before still opens.
    pair.outer_kms.rotate_key_on_demand(KeyId=outer)
    newer = pair.kms.encrypt(KeyId=key, Plaintext=b"newer")["CiphertextBlob"]
    assert pair.kms.decrypt(CiphertextBlob=newer)["Plaintext"] == b"newer"
    assert pair.kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == b"secret"

    # Cut off: at the proxy's key, at its policy, at the proxy itself.
    pair.outer_kms.disable_key(KeyId=outer)
    assert "is not enabled" in refused("KMSInvalidStateException", pair.kms.decrypt, CiphertextBlob=newer)
    pair.outer_kms.enable_key(KeyId=outer)
    client("iam", pair.outer).delete_user_policy(UserName="other-kms", PolicyName="use")
    assert "denied access" in refused("KMSInvalidStateException", pair.kms.decrypt, CiphertextBlob=newer)
    client("iam", pair.outer).put_user_policy(UserName="other-kms", PolicyName="use", PolicyDocument=json.dumps(POLICY))
    pair.outer.kill()
    assert "cannot communicate" in refused("KMSInvalidStateException", pair.kms.decrypt, CiphertextBlob=newer)
    assert pair.kms.generate_random(NumberOfBytes=4)["Plaintext"], "whatever needs no proxy goes on"
    pair.kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)
    pair.kms.connect_custom_key_store(CustomKeyStoreId=store_id)
    shown = pair.kms.describe_custom_key_stores(CustomKeyStoreId=store_id)["CustomKeyStores"][0]
    assert (shown["ConnectionState"], shown["ConnectionErrorCode"]) == ("FAILED", "XKS_PROXY_NOT_REACHABLE")
    assert pair.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Unavailable"

    # Brought back, both of them.
    pair.outer.start()
    pair.inner.stop()
    pair.inner.start()
    pair.kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)
    pair.kms.connect_custom_key_store(CustomKeyStoreId=store_id)
    assert pair.kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == b"secret"
    assert pair.kms.decrypt(CiphertextBlob=newer)["Plaintext"] == b"newer"


def test_what_the_other_kms_did_is_on_record_here_with_its_callers_name(pair: Pair):
    store_id = pair.new_store()
    pair.kms.connect_custom_key_store(CustomKeyStoreId=store_id)
    key, outer = pair.new_key(store_id)
    pair.kms.encrypt(KeyId=key, Plaintext=b"to be kept out of logs")
    found = client("cloudtrail", pair.outer).lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}]
    )
    event = json.loads(found["Events"][0]["CloudTrailEvent"])
    assert event["userIdentity"]["userName"] == "other-kms"
    assert event["requestParameters"]["keyId"].endswith(outer)
    told = event["requestParameters"]["xksProxy"]
    assert told["awsPrincipalArn"] == f"arn:aws:iam::{pair.inner.account_id}:user/admin"
    assert told["kmsKeyArn"].endswith(key)
    theirs = client("cloudtrail", pair.inner).lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}]
    )
    assert json.loads(theirs["Events"][0]["CloudTrailEvent"])["requestID"] == told["kmsRequestId"]
    assert b"to be kept out of logs" not in (pair.outer.directory / "server.log").read_bytes()
    assert garrison(pair.outer, "audit", "verify")


def test_wrong_credentials_and_addresses_make_no_store(pair: Pair):
    wrong = {"AccessKeyId": "A" * 20, "RawSecretAccessKey": "b" * 43}
    refused("XksProxyIncorrectAuthenticationCredentialException", pair.new_store, XksProxyAuthenticationCredential=wrong)
    secret = {**pair.credential["XksProxyAuthenticationCredential"], "RawSecretAccessKey": "b" * 43}
    refused("XksProxyIncorrectAuthenticationCredentialException", pair.new_store, XksProxyAuthenticationCredential=secret)
    refused("XksProxyInvalidConfigurationException", pair.new_store, XksProxyUriPath="/two/kms/xks/v1")
    refused("XksProxyUriUnreachableException", pair.new_store, XksProxyUriEndpoint="https://nowhere.invalid")
    access_key_id = pair.credential["XksProxyAuthenticationCredential"]["AccessKeyId"]
    store_id = pair.new_store()
    assert access_key_id in garrison(pair.outer, "xks", "list-credentials")
    garrison(pair.outer, "xks", "delete-credential", access_key_id)
    pair.kms.connect_custom_key_store(CustomKeyStoreId=store_id)
    shown = pair.kms.describe_custom_key_stores(CustomKeyStoreId=store_id)["CustomKeyStores"][0]
    assert shown["ConnectionErrorCode"] == "XKS_PROXY_ACCESS_DENIED"


def test_curl_speaks_to_the_proxy_as_the_specification_shows(pair: Pair, tmp_path: Path):
    """Appendix D's script: `curl --aws-sigv4`, Encrypt and GetHealthStatus."""
    outer = pair.outer_kms.create_key()["KeyMetadata"]["KeyId"]
    document = {
        "requestMetadata": {
            "awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice",
            "kmsKeyArn": "arn:aws:kms:us-east-2:123456789012:/key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "kmsOperation": "GenerateDataKey",
            "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
        },
        "plaintext": "SGVsbG8gV29ybGQh",
        "encryptionAlgorithm": "AES_GCM",
    }
    made = curl(pair, tmp_path, f"/keys/{outer}/encrypt", document)
    assert set(made) == {"ciphertext", "ciphertextMetadata", "initializationVector", "authenticationTag"}
    opened = curl(pair, tmp_path, f"/keys/{outer}/decrypt", {**document, **made})
    assert opened == {"plaintext": "SGVsbG8gV29ybGQh"}
    health = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "1124f4d6-db54-4af4-ae30-c55a22a8abcd"}}
    assert curl(pair, tmp_path, "/health", health)["ekmFleetDetails"][0]["healthStatus"] == "ACTIVE"


def curl(pair: Pair, folder: Path, path: str, document: dict[str, Any]) -> dict[str, Any]:
    body = folder / "request.json"
    body.write_text(json.dumps(document))
    credential = pair.credential["XksProxyAuthenticationCredential"]
    line = [program("curl"), "--silent", "--cacert", str(pair.outer.data_dir / "tls" / "ca.pem")]
    line += ["--aws-sigv4", "aws:amz:us-east-1:kms-xks-proxy", "-X", "POST", "-H", "Content-Type:application/json"]
    line += ["--user", f"{credential['AccessKeyId']}:{credential['RawSecretAccessKey']}", "--data", f"@{body}"]
    where = f"https://127.0.0.1:{pair.outer.port}{pair.credential['XksProxyUriPath']}{path}"
    done = subprocess.run([*line, where], check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
