"""Garrison as an external key store proxy, request by request. The specification's rules, and its published examples."""

from __future__ import annotations

import hashlib
import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from garrison import app
from garrison.core.http import Request, Response
from garrison.keys.kms import proxied, xks_credentials
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.xks_credentials import XksCredential
from garrison.keys.xks import answers
from garrison.keys.xks.answers import Refusal
from garrison.keys.xks.rate import MOST, Rate
from garrison.keys.xks.signing import signed_headers
from garrison.wire.xks import XksProxy
from tests.support.inprocess import InProcess

HOST = "xks.example.com"
METADATA = {
    "awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice",
    "kmsKeyArn": "arn:aws:kms:us-east-2:123456789012:/key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "kmsOperation": "Encrypt",
    "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
    "kmsViaService": "ebs",
}
ENCRYPT: dict[str, Any] = {
    "requestMetadata": METADATA,
    "additionalAuthenticatedData": "cHJvamVjdD1uaWxlLGRlcGFydG1lbnQ9bWFya2V0aW5n",
    "plaintext": "SGVsbG8gV29ybGQh",
    "encryptionAlgorithm": "AES_GCM",
    "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
}
"""The specification's example of an Encrypt request."""
ALLOW = {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"], "Resource": "*"}


class Proxy:
    """A worker, a user, its credential and a key."""

    def __init__(self, prefix: str = "/p") -> None:
        self.one = InProcess()
        self.one.new_user("kms", ALLOW)
        owner = app.user_named(self.one.state, None, "KMS")
        assert owner is not None
        self.credential: XksCredential = app.new_xks_credential(self.one.state, owner, prefix)
        self.key = self.new_key()

    def new_key(self, **members: Any) -> str:
        made: str = json.loads(self.one.kms("CreateKey", **members).body)["KeyMetadata"]["KeyId"]
        return made

    def ask(self, path: str, document: Any, **changes: Any) -> Response:
        """One signed request."""
        return self.one.send(self.request(path, document, **changes))

    def request(self, path: str, document: Any, **changes: Any) -> Request:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        whole = changes.get("prefix", self.credential.prefix) + "/kms/xks/v1" + path
        headers = signed_headers(
            HOST,
            whole,
            body,
            access_key_id=changes.get("access_key_id", self.credential.access_key_id),
            secret=changes.get("secret", self.credential.secret),
            region="us-east-1",
            now=changes.get("now", time.time()),
        )
        return Request("POST", whole, headers=[(name.lower(), value) for name, value in headers.items()], body=body)

    def encrypted(self, **changes: Any) -> dict[str, str]:
        answer = self.ask(f"/keys/{self.key}/encrypt", {**ENCRYPT, **changes})
        assert answer.status == 200, answer.body
        found: dict[str, str] = json.loads(answer.body)
        return found

    def decrypt(self, made: dict[str, Any], **changes: Any) -> Response:
        asked = {name: value for name, value in {**ENCRYPT, **made, **changes}.items() if value is not None}
        return self.ask(f"/keys/{self.key}/decrypt", asked)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.one.close()


def failed(answer: Response) -> tuple[int, str]:
    document = json.loads(answer.body)
    assert set(document) <= {"errorName", "errorMessage"}
    message = document.get("errorMessage", "")
    assert len(message) < 512
    assert all(" " <= letter <= "~" for letter in message)
    return answer.status, document["errorName"]


# The four operations


def test_what_is_encrypted_decrypts_and_the_integrity_value_is_right(proxy: Proxy):
    made = proxy.encrypted()
    assert set(made) == {
        "ciphertext",
        "ciphertextMetadata",
        "initializationVector",
        "authenticationTag",
        "ciphertextDataIntegrityValue",
    }
    sizes = {name: len(b64decode(value)) for name, value in made.items()}
    assert sizes["ciphertext"] == len(b"Hello World!")
    assert (sizes["initializationVector"], sizes["authenticationTag"]) == (12, 16)
    assert sizes["ciphertextMetadata"] <= 20
    whole = b"".join(
        (
            b64decode(ENCRYPT["additionalAuthenticatedData"]),
            b64decode(made["ciphertextMetadata"]),
            b64decode(made["initializationVector"]),
            b64decode(made["ciphertext"]),
            b64decode(made["authenticationTag"]),
        )
    )
    digest = hashlib.sha256(whole).digest()
    assert b64decode(made["ciphertextDataIntegrityValue"]) == digest
    assert json.loads(proxy.decrypt(made).body) == {"plaintext": ENCRYPT["plaintext"]}


def test_the_cipher_is_the_documented_one():
    """Opened with pyca/cryptography's own primitives, from the form that ``proxied`` describes."""
    secret, material_id = bytes(range(32)), bytes(range(100, 132))
    material = Material(material_id.hex(), secret)
    note = b"\x01" + material_id[:7] + b"s" * 12
    wrapped = proxied.wrap(material, b"i" * 12, note, b"plaintext", b"aad")
    key = KBKDFHMAC(
        algorithm=SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=b"garrison kms xks 1",
        context=b"s" * 12,
        fixed=None,
    ).derive(secret)
    opened = AESGCM(key).decrypt(b"i" * 12, wrapped.ciphertext + wrapped.tag, b"\x00\x03aad\x14" + note)
    assert opened == b"plaintext"


def test_without_associated_data_and_integrity_value(proxy: Proxy):
    short = {
        name: value
        for name, value in ENCRYPT.items()
        if name not in {"additionalAuthenticatedData", "ciphertextDataIntegrityValueAlgorithm"}
    }
    made = json.loads(proxy.ask(f"/keys/{proxy.key}/encrypt", short).body)
    assert "ciphertextDataIntegrityValue" not in made
    assert proxy.decrypt(made, additionalAuthenticatedData=None).status == 200
    # The metadata passed as associated data, and none in its own place: the trap that lengths are for.
    trap = proxy.decrypt(made, additionalAuthenticatedData=made["ciphertextMetadata"], ciphertextMetadata=None)
    assert failed(trap) == (400, "InvalidCiphertextException")


def test_the_sizes_that_the_specification_asks_for(proxy: Proxy):
    plaintext, associated = b64encode(os.urandom(4300)).decode(), b64encode(os.urandom(8192)).decode()
    arn = "arn:aws:iam::123456789012:user/".ljust(2048, "x")
    metadata = {**METADATA, "awsPrincipalArn": arn, "kmsKeyArn": arn}
    made = proxy.encrypted(plaintext=plaintext, additionalAuthenticatedData=associated, requestMetadata=metadata)
    opened = proxy.decrypt(made, additionalAuthenticatedData=associated)
    assert json.loads(opened.body) == {"plaintext": plaintext}


def test_metadata_of_a_key(proxy: Proxy):
    asked = {"requestMetadata": {name: value for name, value in METADATA.items() if name != "kmsKeyArn"}}
    found = proxy.ask(f"/keys/{proxy.key}/metadata", asked)
    assert json.loads(found.body) == {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}
    proxy.one.kms("DisableKey", KeyId=proxy.key)
    assert json.loads(proxy.ask(f"/keys/{proxy.key}/metadata", asked).body)["keyStatus"] == "DISABLED"
    mac = proxy.new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    assert json.loads(proxy.ask(f"/keys/{mac}/metadata", asked).body) == {
        "keySpec": "HMAC_256",
        "keyUsage": [],
        "keyStatus": "ENABLED",
    }


def test_health(proxy: Proxy):
    asked = {"requestMetadata": {"kmsRequestId": "x", "kmsOperation": "SomethingNewer"}}
    found = json.loads(proxy.ask("/health", asked).body)
    assert set(found) == {"xksProxyFleetSize", "xksProxyVendor", "xksProxyModel", "ekmVendor", "ekmFleetDetails"}
    assert [set(one) for one in found["ekmFleetDetails"]] == [{"id", "model", "healthStatus"}]


def test_old_material_opens_what_it_encrypted(proxy: Proxy):
    made = proxy.encrypted()
    proxy.one.kms("RotateKeyOnDemand", KeyId=proxy.key)
    again = proxy.encrypted()
    assert made["ciphertextMetadata"][:10] != again["ciphertextMetadata"][:10]
    assert proxy.decrypt(made).status == proxy.decrypt(again).status == 200


# What is refused


def test_every_bit_counts(proxy: Proxy):
    made = proxy.encrypted()
    for name in ("ciphertext", "ciphertextMetadata", "initializationVector", "authenticationTag"):
        raw = b64decode(made[name])
        for at in range(len(raw)):
            altered = bytearray(raw)
            altered[at] ^= 1 << (at % 8)
            answer = proxy.decrypt({**made, name: b64encode(altered).decode()})
            assert failed(answer) == (400, "InvalidCiphertextException"), (name, at)
    assert failed(proxy.decrypt(made, additionalAuthenticatedData="AAAA")) == (400, "InvalidCiphertextException")
    other = proxy.new_key()
    asked = {**ENCRYPT, **made}
    assert failed(proxy.ask(f"/keys/{other}/decrypt", asked)) == (400, "InvalidCiphertextException")


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "x" * 43},
        {"access_key_id": "A" * 20},
        {"now": 1_600_000_000.0},
    ],
)
def test_a_request_that_is_not_rightly_signed_fails_authentication(proxy: Proxy, change: dict[str, Any]):
    assert failed(proxy.ask(f"/keys/{proxy.key}/encrypt", ENCRYPT, **change)) == (401, "AuthenticationFailedException")
    event = proxy.one.last_event()
    assert (event["eventName"], event["errorCode"]) == ("XksProxy", "AuthenticationFailedException")


def test_more_than_five_minutes_are_too_old_or_too_early(proxy: Proxy):
    for seconds in (-310, 310):
        answer = proxy.ask("/health", {"requestMetadata": METADATA}, now=time.time() + seconds)
        assert failed(answer) == (401, "AuthenticationFailedException")


def test_a_body_path_or_key_that_was_exchanged_fails_authentication(proxy: Proxy):
    request = proxy.request(f"/keys/{proxy.key}/encrypt", ENCRYPT)
    request.body = request.body.replace(b"SGVsbG8gV29ybGQh", b"SGVsbG8gV29ybGQi")
    assert failed(proxy.one.send(request)) == (401, "AuthenticationFailedException")
    request = proxy.request(f"/keys/{proxy.key}/encrypt", ENCRYPT)
    request.path = request.path.replace("/encrypt", "/decrypt")
    assert failed(proxy.one.send(request)) == (401, "AuthenticationFailedException")
    request = proxy.request(f"/keys/{proxy.key}/encrypt", ENCRYPT)
    request.headers = [pair for pair in request.headers if pair[0] != "authorization"]
    assert failed(proxy.one.send(request)) == (401, "AuthenticationFailedException")


def test_an_access_key_of_iam_is_no_credential_of_the_proxy(proxy: Proxy):
    admin = proxy.one.admin
    answer = proxy.ask(
        "/health", {"requestMetadata": METADATA}, access_key_id=admin.access_key_id, secret=admin.secret_access_key
    )
    assert failed(answer) == (401, "AuthenticationFailedException")


def test_a_credential_of_the_proxy_is_no_access_key_of_iam(proxy: Proxy):
    from tests.support.server import AccessKey  # noqa: PLC0415 - here alone

    key = AccessKey(proxy.credential.access_key_id, proxy.credential.secret)
    assert proxy.one.kms("ListKeys", key).status == 400


def test_get_is_not_allowed(proxy: Proxy):
    request = proxy.request("/health", {"requestMetadata": METADATA})
    request.method = "GET"
    assert proxy.one.send(request).status == 405


@pytest.mark.parametrize(
    "path", ["/keys", "/keys/x/wrap", "/keys/x y/encrypt", f"/keys/{'k' * 129}/encrypt", "/", "/health/more"]
)
def test_a_path_that_names_no_operation(proxy: Proxy, path: str):
    request = proxy.request(path, {"requestMetadata": METADATA})
    assert failed(proxy.one.send(request)) in {(404, "InvalidUriPathException"), (401, "AuthenticationFailedException")}
    with pytest.raises(Refusal, match="InvalidUriPathException"):
        answers.read_path(f"/kms/xks/v1{path}")


def test_a_prefix_belongs_to_its_credential(proxy: Proxy):
    for prefix in ("", "/q", "/p/p"):
        answer = proxy.ask("/health", {"requestMetadata": METADATA}, prefix=prefix)
        assert failed(answer) == (404, "InvalidUriPathException")


@pytest.mark.parametrize(
    "change",
    [
        {"requestMetadata": None},
        {"requestMetadata": []},
        {"requestMetadata": {**METADATA, "kmsRequestId": ""}},
        {"requestMetadata": {**METADATA, "awsPrincipalArn": 7}},
        {"requestMetadata": {**METADATA, "kmsKeyArn": "x" * 2049}},
        {"encryptionAlgorithm": "AES_CBC"},
        {"encryptionAlgorithm": None},
        {"ciphertextDataIntegrityValueAlgorithm": "MD5"},
        {"plaintext": None},
        {"plaintext": ""},
        {"plaintext": 5},
        {"plaintext": "not Base64!"},
        {"plaintext": "é"},
        {"additionalAuthenticatedData": ["x"]},
    ],
)
def test_members_of_the_wrong_form(proxy: Proxy, change: dict[str, Any]):
    assert failed(proxy.ask(f"/keys/{proxy.key}/encrypt", {**ENCRYPT, **change})) == (400, "ValidationException")


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{", b"[" * 100_000, b"null"])
def test_a_body_that_is_no_object(proxy: Proxy, body: bytes):
    assert failed(proxy.ask(f"/keys/{proxy.key}/encrypt", body)) == (400, "ValidationException")


def test_more_than_is_supported_is_said_to_be_so(proxy: Proxy):
    for name, size in (("plaintext", answers.MOST_PLAINTEXT + 1), ("additionalAuthenticatedData", answers.MOST_ASSOCIATED + 1)):
        answer = proxy.ask(f"/keys/{proxy.key}/encrypt", {**ENCRYPT, name: b64encode(bytes(size)).decode()})
        assert failed(answer) == (501, "UnsupportedOperationException")


@pytest.mark.parametrize("member", ["initializationVector", "authenticationTag", "ciphertextMetadata"])
def test_decrypt_with_members_of_other_lengths(proxy: Proxy, member: str):
    made = proxy.encrypted()
    for size in (0, 1, 11, 13, 17, 21, 64):
        answer = proxy.decrypt(made, **{member: b64encode(bytes(size)).decode()})
        assert failed(answer)[1] in {"ValidationException", "InvalidCiphertextException"}


def test_a_key_that_is_not_there_or_not_fit_or_not_ready(proxy: Proxy):
    assert failed(proxy.ask("/keys/nothing/encrypt", ENCRYPT)) == (404, "KeyNotFoundException")
    mac = proxy.new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    assert failed(proxy.ask(f"/keys/{mac}/encrypt", ENCRYPT)) == (400, "InvalidKeyUsageException")
    made = proxy.encrypted()
    proxy.one.kms("DisableKey", KeyId=proxy.key)
    assert failed(proxy.ask(f"/keys/{proxy.key}/encrypt", ENCRYPT)) == (400, "InvalidStateException")
    assert failed(proxy.decrypt(made)) == (400, "InvalidStateException")


# Authorization, and the trail


def test_policies_decide_at_once(proxy: Proxy):
    made = proxy.encrypted()
    document = json.dumps({"Version": "2012-10-17", "Statement": [{**ALLOW, "Action": "kms:Encrypt"}]})
    assert proxy.one.iam("PutUserPolicy", UserName="kms", PolicyName="p", PolicyDocument=document).status == 200
    assert proxy.encrypted()
    assert failed(proxy.decrypt(made)) == (403, "AccessDeniedException")
    event = proxy.one.last_event()
    assert (event["eventName"], event["errorCode"]) == ("Decrypt", "AccessDeniedException")
    assert event["decision"]["outcome"] == "implicitDeny"
    assert proxy.ask("/health", {"requestMetadata": METADATA}).status == 200, "health is not a matter of policy"


def test_a_key_policy_alone_can_deny(proxy: Proxy):
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{proxy.one.account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Effect": "Deny",
                "Principal": {"AWS": f"arn:aws:iam::{proxy.one.account}:user/kms"},
                "Action": "kms:Encrypt",
                "Resource": "*",
            },
        ],
    }
    put = proxy.one.kms("PutKeyPolicy", KeyId=proxy.key, PolicyName="default", Policy=json.dumps(policy))
    assert put.status == 200
    assert failed(proxy.ask(f"/keys/{proxy.key}/encrypt", ENCRYPT)) == (403, "AccessDeniedException")


def test_a_deleted_credential_or_user_is_refused_at_once(proxy: Proxy):
    proxy.encrypted()
    assert app.delete_xks_credential(proxy.one.state, proxy.credential.access_key_id)
    assert not app.delete_xks_credential(proxy.one.state, proxy.credential.access_key_id)
    assert failed(proxy.ask("/health", {"requestMetadata": METADATA})) == (401, "AuthenticationFailedException")
    names = [event["eventName"] for event in proxy.one.events()]
    assert {"CreateXksCredential", "DeleteXksCredential"} <= set(names)


def test_a_call_is_on_record_without_its_bytes(proxy: Proxy):
    proxy.encrypted()
    event = proxy.one.last_event()
    assert (event["eventName"], event["readOnly"]) == ("Encrypt", True)
    assert event["userIdentity"]["userName"] == "kms"
    assert event["requestParameters"] == {
        "keyId": f"arn:aws:kms:us-east-1:{proxy.one.account}:key/{proxy.key}",
        "xksProxy": {**METADATA},
    }
    assert event["resources"][0]["ARN"].endswith(proxy.key)
    assert event["decision"]["outcome"] == "allowed"
    assert "SGVsbG8" not in json.dumps(event)


def test_the_secret_is_sealed_and_has_the_specifications_form(proxy: Proxy):
    tx = proxy.one.state.store.reading()
    (sealed,) = tx.one("SELECT sealed FROM kms_xks_credential") or ()
    assert proxy.credential.secret.encode() not in sealed
    assert proxy.credential.secret not in repr(proxy.credential)
    assert set(proxy.credential.access_key_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    assert 20 <= len(proxy.credential.access_key_id) <= 30
    assert 43 <= len(proxy.credential.secret) <= 64
    assert xks_credentials.find(tx, proxy.one.state.keyring, "A" * 24) is None


def test_a_request_signed_for_another_service_is_none_of_the_proxys(proxy: Proxy):
    request = proxy.request("/health", {"requestMetadata": METADATA})
    request.headers = [(name, value.replace("/kms-xks-proxy/", "/s3/")) for name, value in request.headers]
    assert b"errorName" not in proxy.one.send(request).body


# Too many requests


def proxy_of(proxy: Proxy) -> XksProxy:
    """The worker's own, which answers before the gateway."""
    found: XksProxy = next(
        cell.cell_contents
        for cell in cast("Any", proxy.one.gateway.internal).__closure__
        if isinstance(cell.cell_contents, XksProxy)
    )
    return found


def test_too_many_requests_are_throttled_and_others_are_not(proxy: Proxy):
    """XKS Proxy API Specification, "Error Codes": ThrottlingException with HTTP status 429."""
    owner = app.user_named(proxy.one.state, None, "KMS")
    assert owner is not None
    other = app.new_xks_credential(proxy.one.state, owner, "/p")
    now = time.time()
    at = proxy_of(proxy)
    at.clock = lambda: now
    at.rate = Rate(per_second=5)
    path = f"/keys/{proxy.key}/encrypt"
    answers_ = [proxy.ask(path, ENCRYPT, now=now) for _ in range(8)]
    assert [answer.status for answer in answers_] == [200] * 5 + [429] * 3
    assert failed(answers_[-1]) == (429, "ThrottlingException")
    others = {"access_key_id": other.access_key_id, "secret": other.secret}
    assert proxy.ask(path, ENCRYPT, now=now, **others).status == 200
    # Without the secret nobody uses up what the credential may send.
    forged = [proxy.ask(path, ENCRYPT, now=now, access_key_id=other.access_key_id, secret="x" * 43) for _ in range(10)]
    assert {answer.status for answer in forged} == {401}
    assert proxy.ask(path, ENCRYPT, now=now, **others).status == 200
    now += 1
    assert proxy.ask(path, ENCRYPT, now=now).status == 200


def test_throttled_requests_are_on_record_but_do_not_fill_it(proxy: Proxy):
    now = time.time()
    at = proxy_of(proxy)
    at.clock = lambda: now
    at.rate = Rate(per_second=1)
    before = len(proxy.one.events())
    for _ in range(200):
        proxy.ask("/health", {"requestMetadata": METADATA}, now=now)
    found = [event for event in proxy.one.events()[before:] if event.get("errorCode") == "ThrottlingException"]
    assert 0 < len(found) <= 50
    assert found[0]["userIdentity"]["userName"] == "kms"


def test_a_rate_fills_steadily_forgets_in_bounds_and_trusts_no_clock():
    rate = Rate(per_second=10)
    assert [rate.admit("a", 100.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert rate.admit("b", 100.0), "each name has its own"
    assert [rate.admit("a", 100.25) for _ in range(3)] == [True, True, False]
    assert not rate.admit("a", 90.0), "a clock that goes back fills nothing"
    assert not rate.admit("a", 100.25), "nor does its coming forth again"
    assert [rate.admit("a", 500.0) for _ in range(12)] == [True] * 10 + [False] * 2, "no more than a second's worth is kept"
    for number in range(3 * MOST):
        rate.admit(f"{number}", 500.0)
    assert len(rate._buckets) <= MOST
