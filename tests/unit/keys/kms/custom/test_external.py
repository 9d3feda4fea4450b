"""External key stores: what a proxy is asked, and what becomes of a key when it fails."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError, ModelledError
from garrison.keys.kms.custom import faults
from garrison.keys.xks import client as xks
from garrison.keys.xks.client import XksClient
from tests.support.key_stores import CREDENTIAL, External, external
from tests.support.kms import OTHER, kms, memory_store, root, user
from tests.support.xks import Reply, fake_proxy

__all__ = ["external", "fake_proxy", "kms", "memory_store"]

CONTEXT = {"purpose": "test"}


def encrypted(external: External, key: api.KeyMetadata, plaintext: bytes = b"secret") -> bytes:
    blob: bytes = external.kms(
        root(), "Encrypt", key_id=key.key_id, plaintext=plaintext, encryption_context=CONTEXT
    ).ciphertext_blob
    return blob


def decrypted(external: External, blob: bytes, **members: Any) -> bytes:
    members = {"encryption_context": CONTEXT, **members}
    plaintext: bytes = external.kms(root(), "Decrypt", ciphertext_blob=blob, **members).plaintext
    return plaintext


# Stores


def test_a_store_is_made_of_a_proxy_that_answers(external: External):
    store_id = external.new_store()
    assert store_id.startswith("cks-")
    shown = external.shown(store_id)
    assert (shown.connection_state, shown.custom_key_store_type) == ("DISCONNECTED", "EXTERNAL_KEY_STORE")
    assert shown.xks_proxy_configuration == api.XksProxyConfigurationType(
        connectivity="PUBLIC_ENDPOINT",
        access_key_id=CREDENTIAL.access_key_id,
        uri_endpoint="https://localhost",
        uri_path="/kms/xks/v1",
    )
    path, _, asked = external.fake.asked[0]
    assert path == "/kms/xks/v1/health"
    assert asked["requestMetadata"]["kmsOperation"] == "CreateCustomKeyStore"


def test_the_secret_is_kept_sealed_and_shown_to_nobody(external: External):
    store_id = external.new_store()
    secret = CREDENTIAL.raw_secret_access_key
    (sealed,) = external.kms.store.reading().one("SELECT sealed FROM kms_key_store WHERE store_id = ?", store_id) or ()
    assert secret.encode() not in sealed
    assert secret not in repr(external.shown(store_id))
    store = external.kms.live.stores.find(external.kms.store.reading(), "eu-central-1", store_id)
    assert store is not None
    assert store.secret == secret
    assert secret not in repr(store)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("AuthenticationFailedException", api.XksProxyIncorrectAuthenticationCredentialException),
        ("InvalidUriPathException", api.XksProxyInvalidConfigurationException),
        ("ValidationException", api.XksProxyInvalidResponseException),
        ("InternalException", api.XksProxyInvalidResponseException),
        ("ThrottlingException", api.XksProxyUriUnreachableException),
        ("DependencyTimeoutException", api.XksProxyUriUnreachableException),
        ("Nonsense", api.XksProxyInvalidResponseException),
    ],
)
def test_a_proxy_that_refuses_makes_no_store(external: External, kind: str, wanted: type[ModelledError]):
    external.good.error = kind
    with pytest.raises(wanted) as refused:
        external.new_store()
    assert refused.value.message == faults.TEXTS.get(kind, faults.TEXTS[xks.MALFORMED])
    assert "of the proxy" not in refused.value.message
    external.good.error = ""
    assert external.kms(root(), "DescribeCustomKeyStores").custom_key_stores == []


def test_a_proxy_whose_key_managers_are_gone_makes_no_store(external: External):
    external.good.managers = [{"healthStatus": "UNAVAILABLE"}]
    with pytest.raises(api.XksProxyUriUnreachableException):
        external.new_store()


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"xks_proxy_connectivity": None}, "xksProxyConnectivity"),
        ({"xks_proxy_uri_endpoint": None}, "xksProxyUriEndpoint"),
        ({"xks_proxy_uri_path": None}, "xksProxyUriPath"),
        ({"xks_proxy_authentication_credential": None}, "xksProxyAuthenticationCredential"),
        ({"key_store_password": "1234567"}, "CloudHSM cluster parameters"),
        ({"custom_key_store_type": None}, "external key store proxy parameters"),
        ({"xks_proxy_vpc_endpoint_service_name": "com.amazonaws.vpce.us-east-1.vpce-svc-1"}, "VPC_ENDPOINT_SERVICE"),
    ],
)
def test_members_that_are_missing_or_of_the_other_type(external: External, change: dict[str, Any], wanted: str):
    with pytest.raises(CommonError, match=wanted):
        external.new_store(**change)
    assert external.fake.asked == []


def test_there_are_no_vpc_endpoint_services_here(external: External):
    with pytest.raises(api.XksProxyVpcEndpointServiceNotFoundException):
        external.new_store(xks_proxy_connectivity="VPC_ENDPOINT_SERVICE")


def test_names_and_addresses_belong_to_one_store(external: External):
    external.new_store()
    with pytest.raises(api.CustomKeyStoreNameInUseException):
        external.new_store(xks_proxy_uri_path="/two/kms/xks/v1")
    with pytest.raises(api.XksProxyUriInUseException):
        external.new_store(custom_key_store_name="two")
    assert external.new_store(custom_key_store_name="two", xks_proxy_uri_path="/two/kms/xks/v1")


def test_an_account_has_ten_stores_in_a_region(external: External):
    for number in range(10):
        external.new_store(custom_key_store_name=str(number), xks_proxy_uri_path=f"/p{number}/kms/xks/v1")
    with pytest.raises(api.LimitExceededException):
        external.new_store(custom_key_store_name="more", xks_proxy_uri_path="/more/kms/xks/v1")


def test_stores_are_listed_in_pages_and_by_name(external: External):
    made = {
        external.new_store(custom_key_store_name=str(number), xks_proxy_uri_path=f"/p{number}/kms/xks/v1") for number in range(3)
    }
    first = external.kms(root(), "DescribeCustomKeyStores", limit=2)
    rest = external.kms(root(), "DescribeCustomKeyStores", limit=2, marker=first.next_marker)
    assert (first.truncated, rest.truncated) == (True, False)
    assert {one.custom_key_store_id for one in (*first.custom_key_stores, *rest.custom_key_stores)} == made
    assert (
        external.kms(root(), "DescribeCustomKeyStores", custom_key_store_name="1").custom_key_stores[0].custom_key_store_name
        == "1"
    )
    with pytest.raises(api.CustomKeyStoreNotFoundException):
        external.kms(root(), "DescribeCustomKeyStores", custom_key_store_name="nobody")
    with pytest.raises(CommonError):
        external.kms(root(), "DescribeCustomKeyStores", custom_key_store_name="1", custom_key_store_id="cks-1")
    with pytest.raises(api.CustomKeyStoreNotFoundException):
        external.kms(root(OTHER), "DescribeCustomKeyStores", custom_key_store_id=made.pop())


def test_a_stranger_may_do_nothing_with_stores(external: External):
    store_id = external.new_store()
    asked = len(external.fake.asked)
    for operation in ("ConnectCustomKeyStore", "DisconnectCustomKeyStore", "DeleteCustomKeyStore", "UpdateCustomKeyStore"):
        with pytest.raises(CommonError) as denied:
            external.kms(user("nobody"), operation, custom_key_store_id=store_id)
        assert denied.value.kind == "access_denied"
        with pytest.raises(api.CustomKeyStoreNotFoundException):
            external.kms(root(OTHER), operation, custom_key_store_id=store_id)
    assert len(external.fake.asked) == asked, "whoever is refused makes KMS speak to no proxy"


# Connection states


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("AuthenticationFailedException", "XKS_PROXY_ACCESS_DENIED"),
        ("InvalidUriPathException", "XKS_PROXY_INVALID_CONFIGURATION"),
        ("Nonsense", "XKS_PROXY_INVALID_RESPONSE"),
        ("DependencyTimeoutException", "XKS_PROXY_TIMED_OUT"),
    ],
)
def test_a_store_that_cannot_be_connected_says_why(external: External, error: str, code: str):
    store_id = external.new_store()
    external.good.error = error
    external.kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    shown = external.shown(store_id)
    assert (shown.connection_state, shown.connection_error_code) == ("FAILED", code)
    with pytest.raises(api.CustomKeyStoreInvalidStateException):
        external.kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    external.good.error = ""
    external.kms(root(), "DisconnectCustomKeyStore", custom_key_store_id=store_id)
    external.kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    assert external.shown(store_id).connection_state == "CONNECTED"


def test_what_each_connection_state_refuses(external: External):
    store_id = external.new_store()
    with pytest.raises(api.CustomKeyStoreInvalidStateException):
        external.kms(root(), "DisconnectCustomKeyStore", custom_key_store_id=store_id)
    with pytest.raises(api.CustomKeyStoreInvalidStateException, match="not connected to its external key store proxy"):
        external.new_key(store_id)
    external.kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    with pytest.raises(api.CustomKeyStoreInvalidStateException):
        external.kms(root(), "DeleteCustomKeyStore", custom_key_store_id=store_id)
    with pytest.raises(api.CustomKeyStoreInvalidStateException):
        external.kms(
            root(), "UpdateCustomKeyStore", custom_key_store_id=store_id, xks_proxy_uri_endpoint="https://elsewhere.example"
        )
    external.kms(
        root(),
        "UpdateCustomKeyStore",
        custom_key_store_id=store_id,
        new_custom_key_store_name="new",
        xks_proxy_uri_path="/n/kms/xks/v1",
    )
    assert external.shown(store_id).custom_key_store_name == "new"


def test_an_update_is_tried_before_it_is_kept(external: External):
    store_id = external.connected()
    external.good.error = "AuthenticationFailedException"
    new = api.XksProxyAuthenticationCredentialType(access_key_id="A" * 20, raw_secret_access_key="b" * 43)
    with pytest.raises(api.XksProxyIncorrectAuthenticationCredentialException):
        external.kms(root(), "UpdateCustomKeyStore", custom_key_store_id=store_id, xks_proxy_authentication_credential=new)
    external.good.error = ""
    external.kms(root(), "UpdateCustomKeyStore", custom_key_store_id=store_id, xks_proxy_authentication_credential=new)
    key = external.new_key(store_id)
    encrypted(external, key)
    assert f"Credential={'A' * 20}/" in external.fake.asked[-1][1]["Authorization"]


def test_a_store_with_keys_stays(external: External):
    store_id = external.connected()
    external.new_key(store_id)
    external.kms(root(), "DisconnectCustomKeyStore", custom_key_store_id=store_id)
    with pytest.raises(api.CustomKeyStoreHasCMKsException):
        external.kms(root(), "DeleteCustomKeyStore", custom_key_store_id=store_id)


def test_a_deleted_store_is_gone(external: External):
    store_id = external.new_store()
    external.kms(root(), "DeleteCustomKeyStore", custom_key_store_id=store_id)
    with pytest.raises(api.CustomKeyStoreNotFoundException):
        external.kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)


# Keys


def test_a_key_shows_where_its_other_half_is(external: External):
    store_id = external.connected()
    key = external.new_key(store_id)
    assert (key.origin, key.custom_key_store_id, key.key_state) == ("EXTERNAL_KEY_STORE", store_id, "Enabled")
    assert key.xks_key_configuration == api.XksKeyConfigurationType(id="ext-1")
    path, _, asked = external.fake.asked[-1]
    assert path.endswith("/keys/ext-1/metadata")
    assert asked["requestMetadata"]["kmsOperation"] == "CreateKey"
    assert "kmsKeyArn" not in asked["requestMetadata"], "there is no key yet"


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        ("KeyNotFoundException", api.XksKeyNotFoundException),
        ("InvalidStateException", api.XksKeyInvalidConfigurationException),
        ("InvalidKeyUsageException", api.XksKeyInvalidConfigurationException),
        ("AccessDeniedException", api.KMSInvalidStateException),
        ("AuthenticationFailedException", api.CustomKeyStoreInvalidStateException),
        ("Nonsense", api.CustomKeyStoreInvalidStateException),
    ],
)
def test_a_proxy_that_does_not_vouch_for_a_key_makes_none(external: External, error: str, wanted: type[ModelledError]):
    store_id = external.connected()
    external.good.error = error
    with pytest.raises(wanted):
        external.new_key(store_id)
    assert external.kms(root(), "ListKeys").keys == []


@pytest.mark.parametrize("change", [{"keySpec": "AES_128"}, {"keyUsage": ["ENCRYPT"]}, {"keyStatus": "DISABLED"}])
def test_only_a_whole_aes_256_key_will_do(external: External, change: dict[str, Any]):
    store_id = external.connected()
    external.good.metadata.update(change)
    with pytest.raises(api.XksKeyInvalidConfigurationException):
        external.new_key(store_id)


def test_an_external_key_belongs_to_one_key(external: External):
    store_id = external.connected()
    external.new_key(store_id)
    with pytest.raises(api.XksKeyAlreadyInUseException):
        external.new_key(store_id)
    external.new_key(store_id, "ext-2")


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({"origin": "EXTERNAL_KEY_STORE", "xks_key_id": "ext-1"}, CommonError),
        ({"origin": "EXTERNAL_KEY_STORE", "custom_key_store_id": "STORE"}, CommonError),
        ({"origin": "AWS_CLOUDHSM", "custom_key_store_id": "STORE", "xks_key_id": "ext-1"}, CommonError),
        ({"origin": "AWS_CLOUDHSM", "custom_key_store_id": "STORE"}, CommonError),
        ({"custom_key_store_id": "STORE"}, CommonError),
        ({"xks_key_id": "ext-1"}, CommonError),
        (
            {"origin": "EXTERNAL_KEY_STORE", "custom_key_store_id": "cks-none", "xks_key_id": "x"},
            api.CustomKeyStoreNotFoundException,
        ),
        (
            {
                "origin": "EXTERNAL_KEY_STORE",
                "custom_key_store_id": "STORE",
                "xks_key_id": "x",
                "key_spec": "HMAC_256",
                "key_usage": "GENERATE_VERIFY_MAC",
            },
            api.UnsupportedOperationException,
        ),
        (
            {"origin": "EXTERNAL_KEY_STORE", "custom_key_store_id": "STORE", "xks_key_id": "x", "multi_region": True},
            api.UnsupportedOperationException,
        ),
    ],
)
def test_what_no_key_in_a_store_can_be(external: External, members: dict[str, Any], wanted: type[Exception]):
    store_id = external.connected()
    members = {name: store_id if value == "STORE" else value for name, value in members.items()}
    with pytest.raises(wanted):
        external.kms.new_key(**members)


# Use


def test_what_a_key_encrypts_is_encrypted_twice(external: External):
    key = external.new_key(external.connected())
    blob = encrypted(external, key)
    path, _, asked = external.fake.asked[-1]
    assert path.endswith("/keys/ext-1/encrypt")
    assert asked["requestMetadata"] == {
        "awsPrincipalArn": root().principal.arn,
        "kmsKeyArn": key.arn,
        "kmsOperation": "Encrypt",
        "kmsRequestId": asked["requestMetadata"]["kmsRequestId"],
    }
    assert b"secret" not in xks._bytes(asked["plaintext"])
    assert decrypted(external, blob) == b"secret"
    assert decrypted(external, blob, key_id=key.key_id) == b"secret"


def test_data_keys_and_re_encryption_pass_through_the_proxy(external: External):
    store_id = external.connected()
    key, inside = external.new_key(store_id), external.kms.new_key()
    made = external.kms(root(), "GenerateDataKey", key_id=key.key_id, key_spec="AES_256", encryption_context=CONTEXT)
    assert decrypted(external, made.ciphertext_blob) == made.plaintext
    there = external.kms(
        root(),
        "ReEncrypt",
        ciphertext_blob=made.ciphertext_blob,
        source_encryption_context=CONTEXT,
        destination_key_id=inside.key_id,
    )
    assert external.kms(root(), "Decrypt", ciphertext_blob=there.ciphertext_blob).plaintext == made.plaintext
    back = external.kms(root(), "ReEncrypt", ciphertext_blob=there.ciphertext_blob, destination_key_id=key.key_id)
    assert external.kms(root(), "Decrypt", ciphertext_blob=back.ciphertext_blob).plaintext == made.plaintext
    pair = external.kms(root(), "GenerateDataKeyPair", key_id=key.key_id, key_pair_spec="ECC_NIST_P256")
    opened = external.kms(root(), "Decrypt", ciphertext_blob=pair.private_key_ciphertext_blob).plaintext
    assert opened == pair.private_key_plaintext


def test_the_longest_plaintext_and_context_fit_a_proxy_of_the_specifications_size(external: External):
    key = external.new_key(external.connected())
    context = {"k" * 100: "v" * 8000}
    blob = external.kms(root(), "Encrypt", key_id=key.key_id, plaintext=bytes(4096), encryption_context=context).ciphertext_blob
    asked = external.fake.asked[-1][2]
    assert len(xks._bytes(asked["plaintext"])) <= 4300
    assert len(xks._bytes(asked["additionalAuthenticatedData"])) <= 8192
    assert len(blob) <= 6144
    assert decrypted(external, blob, encryption_context=context) == bytes(4096)


def test_every_bit_counts(external: External):
    key = external.new_key(external.connected())
    blob = encrypted(external, key, b"x")
    for at in range(len(blob)):
        altered = bytearray(blob)
        altered[at] ^= 1 << (at % 8)
        with pytest.raises((ModelledError, CommonError)) as refused:
            decrypted(external, bytes(altered))
        if isinstance(refused.value, ModelledError):
            assert isinstance(refused.value, api.InvalidCiphertextException | api.KMSInvalidStateException)
        elif isinstance(refused.value, CommonError):
            assert refused.value.kind == "access_denied", "the id of no material"
    with pytest.raises(api.KMSInvalidStateException, match="rejected the request because the specified ciphertext"):
        decrypted(external, blob, encryption_context={"purpose": "other"})
    for length in range(len(blob)):
        with pytest.raises((api.InvalidCiphertextException, api.KMSInvalidStateException)):
            decrypted(external, blob[:length], key_id=key.key_id)


def test_a_ciphertext_of_another_key_is_told_apart(external: External):
    store_id = external.connected()
    one, two = external.new_key(store_id), external.new_key(store_id, "ext-2")
    blob = encrypted(external, one)
    with pytest.raises(api.IncorrectKeyException):
        decrypted(external, blob, key_id=two.key_id)


@pytest.mark.parametrize("error", [*sorted(xks.PROXY_ERRORS), "Nonsense"])
def test_a_proxy_that_fails_makes_the_call_fail_with_awss_text(external: External, error: str):
    key = external.new_key(external.connected())
    blob = encrypted(external, key)
    external.good.error = error
    with pytest.raises(api.KMSInvalidStateException) as failed:
        encrypted(external, key)
    assert failed.value.message == faults.TEXTS.get(error, faults.TEXTS[xks.MALFORMED])
    with pytest.raises(api.KMSInvalidStateException) as failed:
        decrypted(external, blob)
    assert failed.value.message == faults.TEXTS.get(error, faults.TEXTS[xks.MALFORMED])
    external.good.error = ""
    assert decrypted(external, blob) == b"secret"


def test_a_proxy_that_decrypts_to_something_else_is_found_out(external: External):
    key = external.new_key(external.connected())
    blob = encrypted(external, key)

    def lying(path: str, asked: Any) -> Reply:
        said = external.good(path, asked)
        assert said is not None
        made = xks._document(*said)["plaintext"]
        wrong = bytearray(xks._bytes(made))
        wrong[-20] ^= 1
        return 200, b'{"plaintext": "%s"}' % xks._text(bytes(wrong)).encode()

    external.fake.reply = lying
    with pytest.raises(api.KMSInvalidStateException, match="cannot interpret the response"):
        decrypted(external, blob)


def test_a_proxy_with_other_keys_opens_nothing(external: External):
    key = external.new_key(external.connected())
    blob = encrypted(external, key)
    external.good.keys["ext-1"] = bytes(32)
    with pytest.raises(api.KMSInvalidStateException):
        decrypted(external, blob)


def test_a_proxy_that_is_silent_is_given_up_on(external: External):
    key = external.new_key(external.connected())
    over = threading.Event()

    def silent(_path: str, _asked: Any) -> Reply:
        over.wait(20)
        return None

    external.fake.reply = silent
    stores = external.kms.live.stores
    stores.client.close()
    stores.client = XksClient(external.fake.routes, seconds=0.25)
    external.kms.live._keys.clear()
    with pytest.raises(api.KMSInvalidStateException, match="did not respond in time"):
        encrypted(external, key)
    over.set()


def test_the_inner_ciphertext_alone_opens_nothing(external: External):
    """Who breaks the proxy has what KMS encrypted, and KMS takes it from nobody."""
    key = external.new_key(external.connected())
    encrypted(external, key)
    inner = xks._bytes(external.fake.asked[-1][2]["plaintext"])
    with pytest.raises(api.InvalidCiphertextException):
        decrypted(external, inner)


# Connected or not


def test_a_disconnected_stores_keys_are_unavailable_until_it_is_connected_again(external: External):
    store_id = external.connected()
    key = external.new_key(store_id)
    blob = encrypted(external, key)
    external.kms(root(), "DisconnectCustomKeyStore", custom_key_store_id=store_id)
    assert external.kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.key_state == "Unavailable"
    asked = len(external.fake.asked)
    for operation, members in (
        ("Encrypt", {"plaintext": b"x"}),
        ("Decrypt", {"ciphertext_blob": blob, "encryption_context": CONTEXT}),
        ("GenerateDataKey", {"key_spec": "AES_256"}),
    ):
        with pytest.raises(api.KMSInvalidStateException) as refused:
            external.kms(root(), operation, key_id=key.key_id, **members)
        assert refused.value.message == faults.NOT_CONNECTED
    assert len(external.fake.asked) == asked
    external.kms(root(), "ConnectCustomKeyStore", custom_key_store_id=store_id)
    assert decrypted(external, blob) == b"secret"


def test_a_disabled_key_speaks_to_no_proxy(external: External):
    key = external.new_key(external.connected())
    external.kms(root(), "DisableKey", key_id=key.key_id)
    asked = len(external.fake.asked)
    with pytest.raises(api.DisabledException):
        encrypted(external, key)
    assert len(external.fake.asked) == asked


def test_a_store_that_is_changed_is_changed_for_keys_in_use(external: External):
    store_id = external.connected()
    key = external.new_key(store_id)
    encrypted(external, key)
    external.kms(root(), "UpdateCustomKeyStore", custom_key_store_id=store_id, xks_proxy_uri_path="/moved/kms/xks/v1")
    encrypted(external, key)
    assert external.fake.asked[-1][0] == "/moved/kms/xks/v1/keys/ext-1/encrypt"


def test_a_scheduled_and_deleted_key_frees_its_external_key(external: External):
    from garrison.audit import Recorder  # noqa: PLC0415 - here alone
    from garrison.keys.kms.deletion import due_deletions  # noqa: PLC0415 - the same

    store_id = external.connected()
    key = external.new_key(store_id)
    external.kms(root(), "ScheduleKeyDeletion", key_id=key.key_id, pending_window_in_days=7)
    recorder = Recorder(external.kms.store, None, external.kms.sealer)
    assert due_deletions(external.kms.store, recorder, external.kms.now + 8 * 86_400) == 1
    external.kms.store.commit()
    assert external.new_key(store_id).key_id != key.key_id
    recorder.close()


def test_credentials_differ_only_where_they_should():
    assert replace(xks.Proxy("https://a", "/p", "k", "s", "r"), secret="t") != xks.Proxy("https://a", "/p", "k", "s", "r")
