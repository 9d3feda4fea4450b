"""An enclave's calls as boto3 makes them: the answer is sealed, the event tells of the document."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ServerFactory
from tests.support.clients import boto
from tests.support.nitro import Hypervisor, opened, recipient_key
from tests.support.server import ServerError


def recipient(hypervisor: Hypervisor, **changed: Any) -> dict[str, Any]:
    document = hypervisor.document(timestamp=int(time.time() * 1000), **changed)
    return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}


def test_an_enclave_decrypts(new_server: ServerFactory, tmp_path: Path):
    hypervisor = Hypervisor(time.time())
    roots = tmp_path / "roots.pem"
    roots.write_text(hypervisor.root.pem, encoding="ascii")
    server = new_server(options=("--attestation-roots", str(roots))).start()
    kms = boto(server, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"for the enclave alone")["CiphertextBlob"]
    answer = kms.decrypt(CiphertextBlob=blob, Recipient=recipient(hypervisor))
    assert "Plaintext" not in answer
    assert opened(answer["CiphertextForRecipient"], recipient_key()) == b"for the enclave alone"
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="RSA_2048", Recipient=recipient(hypervisor))
    assert "PrivateKeyPlaintext" not in pair
    assert opened(pair["CiphertextForRecipient"], recipient_key())[:1] == b"\x30"
    with pytest.raises(ClientError) as caught:
        kms.decrypt(CiphertextBlob=blob, Recipient=recipient(Hypervisor(time.time())))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    trail = boto(server, "cloudtrail")
    events = [json.loads(one["CloudTrailEvent"]) for one in trail.lookup_events()["Events"]]
    found = next(one for one in events if one["eventName"] == "Decrypt" and "errorCode" not in one)
    assert found["additionalEventData"]["recipient"]["attestationDocumentModuleId"].startswith("i-0123456789abcdef0-enc")
    assert found["additionalEventData"]["recipient"]["attestationDocumentEnclaveImageDigest"] == "01" * 48
    assert "AttestationDocument" not in json.dumps(found["requestParameters"])


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_roots_that_cannot_be_used_stop_the_start(content: str | None, new_server: ServerFactory, tmp_path: Path):
    roots = tmp_path / "roots.pem"
    if content is not None:
        roots.write_text(content, encoding="ascii")
    with pytest.raises(ServerError, match="attestation roots"):
        new_server(options=("--attestation-roots", str(roots))).start()
