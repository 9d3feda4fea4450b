"""What other servers get wrong in KMS: each test fails on the fault that its docstring names."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from garrison.keys.keyring import Keyring
from tests.support.attacks import allow, deny, policy, refused, unique
from tests.support.clients import boto, new_user
from tests.support.server import Server

MARK = b"a plaintext that is easy to find again"


@pytest.fixture
def kms(server: Server) -> Any:
    return boto(server, "kms")


@pytest.fixture
def key(kms: Any) -> str:
    arn: str = kms.create_key()["KeyMetadata"]["Arn"]
    return arn


def root_statement(server: Server) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{server.account_id}:root"}, "Action": "kms:*", "Resource": "*"}


def test_a_tampered_ciphertext_is_refused_wherever_it_was_changed(kms: Any, key: str):
    """Fault: a keystream by XOR, so that an altered ciphertext decrypts to an altered plaintext."""
    blob = kms.encrypt(KeyId=key, Plaintext=MARK)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == MARK
    for at in range(0, len(blob), 3):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        code = refused(kms.decrypt, CiphertextBlob=changed)[0]
        assert code in {"InvalidCiphertextException", "AccessDeniedException"}, at
        # With the key named nothing is left to look up: the ciphertext itself is refused.
        assert refused(kms.decrypt, CiphertextBlob=changed, KeyId=key)[0] in {
            "InvalidCiphertextException",
            "IncorrectKeyException",
            "AccessDeniedException",
        }, at
    for changed in (blob[:-1], blob + b"\0", blob[1:], b"\0" + blob, blob[:60], blob[::-1]):
        assert refused(kms.decrypt, CiphertextBlob=changed)[0] in {"InvalidCiphertextException", "AccessDeniedException"}


def test_a_blob_holds_no_plaintext_and_no_two_are_alike(kms: Any, key: str):
    """Fault: the blob is the plaintext in base64, or XORed with what stands beside it."""
    data = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    blobs = [kms.encrypt(KeyId=key, Plaintext=MARK)["CiphertextBlob"] for _ in range(4)]
    for secret, blob in [(MARK, blob) for blob in blobs] + [(data["Plaintext"], data["CiphertextBlob"])]:
        for spelled in (secret, base64.b64encode(secret), secret.hex().encode(), secret[::-1]):
            assert spelled not in blob
    tails = [blob[-len(MARK) :] for blob in blobs]
    assert len({bytes(one) for one in tails}) == 4
    zeros = kms.encrypt(KeyId=key, Plaintext=bytes(64))["CiphertextBlob"][-64 - 16 : -16]
    same = [bytes(a ^ b for a, b in zip(zeros, blob[-len(MARK) - 16 : -16], strict=False)) for blob in blobs]
    assert MARK not in same, "one keystream for all"


def test_no_key_stands_in_clear_on_disk(new_server: Callable[..., Server]):
    """Fault: key bytes in clear in the state file."""
    server = new_server().start()
    kms = boto(server, "kms")
    for _ in range(3):
        made = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.encrypt(KeyId=made, Plaintext=MARK)
    database = sqlite3.connect(f"file:{server.data_dir / 'garrison.db'}?mode=ro", uri=True)
    rows = database.execute("SELECT region, key_id, material_id, sealed FROM kms_material").fetchall()
    database.close()
    assert len(rows) == 3
    server.stop()
    (root_key,) = [path for path in server.directory.rglob("*root-key*") if path.is_file()]
    assert server.data_dir not in root_key.parents, "the root key lies apart from what it opens"
    keyring = Keyring.open(root_key)
    files = {path: path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()}
    for region, key_id, material_id, sealed in rows:
        secret = keyring.unseal("kms-material", sealed, f"{region}/{key_id}/{material_id}".encode())
        assert len(secret) == 32
        for spelled in (secret, base64.b64encode(secret), secret.hex().encode(), base64.urlsafe_b64encode(secret)):
            assert not [path for path, content in files.items() if spelled in content]


def test_the_wrong_key_is_named_as_such(kms: Any, key: str):
    """Fault: KeyId is ignored in Decrypt."""
    other = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=MARK)["CiphertextBlob"]
    code, message, status = refused(kms.decrypt, CiphertextBlob=blob, KeyId=other)
    assert (code, status) == ("IncorrectKeyException", 400)
    assert message == "The key ID in the request does not identify a CMK that can perform this operation."
    assert refused(kms.re_encrypt, CiphertextBlob=blob, SourceKeyId=other, DestinationKeyId=key)[0] == "IncorrectKeyException"
    assert kms.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"] == MARK


def test_an_encryption_context_is_honoured(kms: Any, key: str):
    """Fault: the context is ignored."""
    context = {"tenant": "a", "purpose": "test"}
    blob = kms.encrypt(KeyId=key, Plaintext=MARK, EncryptionContext=context)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(context.items())))["Plaintext"] == MARK
    wrong: list[dict[str, str]] = [
        {},
        {"tenant": "a"},
        {**context, "more": "x"},
        {"tenant": "b", "purpose": "test"},
        {"Tenant": "a", "purpose": "test"},
        {"tenant": "A", "purpose": "test"},
        {"tenant": "atest", "purpose": ""},
        {"tenanta": "", "purpose": "test"},
    ]
    for other in wrong:
        assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=other) == ("InvalidCiphertextException", "", 400), (
            other
        )
    plain = kms.encrypt(KeyId=key, Plaintext=MARK)["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=plain, EncryptionContext=context)[0] == "InvalidCiphertextException"


def test_key_policies_speak_of_real_principals(server: Server, kms: Any):
    """Fault: key policies are stored and not evaluated, and name anybody."""
    absent = f"arn:aws:iam::{server.account_id}:user/{unique('absent')}"
    statement = {"Effect": "Allow", "Principal": {"AWS": absent}, "Action": "kms:*", "Resource": "*"}
    code, _, status = refused(kms.create_key, Policy=json.dumps(policy(root_statement(server), statement)))
    assert (code, status) == ("MalformedPolicyDocumentException", 400)
    name, other = unique("named"), unique("other")
    mine, theirs = (boto(server, "kms", new_user(server, each)) for each in (name, other))
    arn = f"arn:aws:iam::{server.account_id}:user/{name}"
    grant = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Encrypt", "Resource": "*"}
    key = kms.create_key(Policy=json.dumps(policy(root_statement(server), grant)))["KeyMetadata"]["Arn"]
    assert mine.encrypt(KeyId=key, Plaintext=MARK)["KeyId"] == key
    assert refused(theirs.encrypt, KeyId=key, Plaintext=MARK)[0] == "AccessDeniedException"
    assert (
        refused(mine.decrypt, CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=MARK)["CiphertextBlob"])[0]
        == "AccessDeniedException"
    )


def test_without_the_key_policy_no_identity_policy_reaches_a_key(server: Server, kms: Any):
    """Fault: an identity policy alone is enough. In KMS the key policy decides, for administrators too."""
    name = unique("keeper")
    keeper = boto(server, "kms", new_user(server, name, policy(allow("kms:*"))))
    arn = f"arn:aws:iam::{server.account_id}:user/{name}"
    alone = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:*", "Resource": "*"}
    key = keeper.create_key(Policy=json.dumps(policy(alone)))["KeyMetadata"]["Arn"]
    keeper.encrypt(KeyId=key, Plaintext=MARK)
    assert refused(kms.encrypt, KeyId=key, Plaintext=MARK)[0] == "AccessDeniedException"
    assert refused(kms.put_key_policy, KeyId=key, Policy=json.dumps(policy(root_statement(server))))[0] == "AccessDeniedException"
    assert refused(boto(server, "kms", server.credentials.root).describe_key, KeyId=key)[0] == "AccessDeniedException"


def test_a_deny_of_the_key_policy_wins(server: Server, kms: Any, key: str):
    """Fault: statements of a key policy are not evaluated."""
    blob = kms.encrypt(KeyId=key, Plaintext=MARK)["CiphertextBlob"]
    closed = {"Principal": "*", **deny("kms:Decrypt")}
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy(root_statement(server), closed)))
    for caller in (server.credentials.admin, server.credentials.root):
        code, message, _ = refused(boto(server, "kms", caller).decrypt, CiphertextBlob=blob)
        assert (code, "with an explicit deny in a resource-based policy" in message) == ("AccessDeniedException", True)


@pytest.mark.parametrize("state", ["disabled", "deleting"])
def test_a_key_that_is_off_opens_nothing(kms: Any, key: str, state: str):
    """Fault: a disabled key, or one that waits for its deletion, goes on decrypting."""
    blob = kms.encrypt(KeyId=key, Plaintext=MARK)["CiphertextBlob"]
    if state == "disabled":
        kms.disable_key(KeyId=key)
    else:
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    wanted = "DisabledException" if state == "disabled" else "KMSInvalidStateException"
    for call, members in (
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.encrypt, {"KeyId": key, "Plaintext": MARK}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_without_plaintext, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": key}),
    ):
        assert refused(call, **members)[0] == wanted


def test_keys_survive_a_restart_and_a_kill(new_server: Callable[..., Server]):
    """Fault: keys are gone after a restart, and with them what they encrypted."""
    server = new_server().start()
    kms = boto(server, "kms")
    key = kms.create_key(Description="kept")["KeyMetadata"]
    context = {"a": "b"}
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=MARK, EncryptionContext=context)["CiphertextBlob"]
    for end in (server.stop, server.kill):
        end()
        server.start()
        kms = boto(server, "kms")
        assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] == key
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == MARK


def test_another_installations_blobs_do_not_open(new_server: Callable[..., Server], kms: Any, key: str):
    """Fault: one fixed key for every installation."""
    foreign = boto(new_server().start(), "kms")
    blob = foreign.encrypt(KeyId=foreign.create_key()["KeyMetadata"]["KeyId"], Plaintext=MARK)["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=blob)[0] in {"InvalidCiphertextException", "AccessDeniedException"}
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=key)[0] in {
        "InvalidCiphertextException",
        "AccessDeniedException",
        "IncorrectKeyException",
    }


def test_grants_are_evaluated(server: Server, kms: Any, key: str):
    """Fault: grants are stored and never evaluated: neither do they let in, nor do their limits hold, nor their end."""
    name = unique("grantee")
    mine = boto(server, "kms", new_user(server, name))
    arn = f"arn:aws:iam::{server.account_id}:user/{name}"
    assert refused(mine.encrypt, KeyId=key, Plaintext=MARK)[0] == "AccessDeniedException"
    limits = {"EncryptionContextEquals": {"tenant": "a"}}
    made = kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"], Constraints=limits)
    assert mine.encrypt(KeyId=key, Plaintext=MARK, EncryptionContext={"tenant": "a"})["KeyId"] == key
    for context in ({}, {"tenant": "b"}, {"tenant": "a", "more": "x"}):
        assert refused(mine.encrypt, KeyId=key, Plaintext=MARK, EncryptionContext=context)[0] == "AccessDeniedException"
    blob = kms.encrypt(KeyId=key, Plaintext=MARK, EncryptionContext={"tenant": "a"})["CiphertextBlob"]
    assert refused(mine.decrypt, CiphertextBlob=blob, EncryptionContext={"tenant": "a"})[0] == "AccessDeniedException"
    other = boto(server, "kms", new_user(server, unique("other")))
    taken = {"KeyId": key, "Plaintext": MARK, "EncryptionContext": {"tenant": "a"}, "GrantTokens": [made["GrantToken"]]}
    assert refused(other.encrypt, **taken)[0] in {"AccessDeniedException", "InvalidGrantTokenException"}
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert refused(mine.encrypt, KeyId=key, Plaintext=MARK, EncryptionContext={"tenant": "a"})[0] == "AccessDeniedException"


def test_keys_of_rsa_are_keys_of_rsa(kms: Any):
    """Fault: RSA done symmetrically (results of 65 or 84 bytes), or one key pair shared by all keys."""
    keys = [kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"] for _ in range(2)]
    publics = {kms.get_public_key(KeyId=one)["PublicKey"] for one in keys}
    assert len(publics) == 2
    blob = kms.encrypt(KeyId=keys[0], Plaintext=MARK, EncryptionAlgorithm="RSAES_OAEP_SHA_256")["CiphertextBlob"]
    assert len(blob) == 256
    assert kms.decrypt(KeyId=keys[0], CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")["Plaintext"] == MARK
    assert (
        refused(kms.decrypt, KeyId=keys[1], CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")[0]
        == "InvalidCiphertextException"
    )
    public = load_der_public_key(publics.pop())
    assert isinstance(public, RSAPublicKey)
    oaep = OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None)
    outside = public.encrypt(MARK, oaep)
    opened = [one for one in keys if opens(kms, one, outside)]
    assert len(opened) == 1, "what was encrypted outside with a key's public half opens with that key alone"


def opens(kms: Any, key: str, blob: bytes) -> bool:
    """Whether the key's private half opens what was encrypted elsewhere."""
    try:
        found: bytes = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")["Plaintext"]
    except kms.exceptions.InvalidCiphertextException:
        return False
    return found == MARK
