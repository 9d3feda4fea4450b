"""The table of "Key states of AWS KMS keys" in the KMS Developer Guide: every operation on an existing key, in every state.

The lines below are that table as it stands there: ✓ succeeds, X fails with the numbered note, ? depends on the key. They are run
against keys of the kind that each column speaks of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import ServiceError
from garrison.keys.kms import states
from tests.support.importing import wrapped
from tests.support.kms import ACCOUNT, REGION, Kms, root

NOTES = {
    1: (api.DisabledException, "{arn} is disabled."),
    3: (api.KMSInvalidStateException, "{arn} is pending deletion."),
    4: (api.KMSInvalidStateException, "{arn} is not pending deletion."),
    5: (api.KMSInvalidStateException, "{arn} is pending import."),
    6: (api.UnsupportedOperationException, "{arn} origin is EXTERNAL which is not valid for this operation."),
    8: (api.KMSInvalidStateException, "{arn} is pending deletion."),
    11: (api.KMSInvalidStateException, "{arn} is unavailable."),
    14: (api.KMSInvalidStateException, "{arn} is creating."),
    15: (api.KMSInvalidStateException, "{arn} is updating."),
}
COLUMNS = ("Enabled", "Disabled", "PendingDeletion", "PendingImport", "Unavailable", "Creating", "Updating")
YES = 0
USE = (YES, 1, 3, 5, 11, 14, YES)
FREE = (YES,) * 7
MARK = (YES, YES, 3, YES, YES, YES, YES)
"""CreateAlias and others that a pending deletion alone refuses."""
TABLE: dict[str, tuple[int, ...]] = {
    "CancelKeyDeletion": (4, 4, YES, 4, 4, 4, 4),
    "CreateAlias": MARK,
    "CreateGrant": (YES, 1, 3, 5, YES, 14, YES),
    "Decrypt": USE,
    "DeleteAlias": FREE,
    "DescribeKey": FREE,
    "DisableKey": (YES, YES, 3, 5, YES, 14, 15),
    "DisableKeyRotation": (YES, 1, 3, 6, YES, 14, YES),
    "EnableKey": (YES, YES, 3, 5, YES, 14, 15),
    "EnableKeyRotation": (YES, 1, 3, 6, YES, 14, YES),
    "Encrypt": USE,
    "GenerateDataKey": USE,
    "GenerateDataKeyPair": USE,
    "GenerateDataKeyPairWithoutPlaintext": USE,
    "GenerateDataKeyWithoutPlaintext": USE,
    "GenerateMac": USE,
    "GetKeyPolicy": FREE,
    "GetKeyRotationStatus": (YES, YES, YES, 6, YES, YES, YES),
    "GetPublicKey": USE,
    "ListAliases": FREE,
    "ListGrants": FREE,
    "ListKeyPolicies": FREE,
    "ListResourceTags": FREE,
    "PutKeyPolicy": FREE,
    "ReEncrypt": USE,
    "ReplicateKey": (YES, 1, 3, 5, 11, 14, 15),
    "RetireGrant": FREE,
    "RevokeGrant": FREE,
    "ScheduleKeyDeletion": (YES, YES, 3, YES, YES, YES, 15),
    "Sign": USE,
    "TagResource": MARK,
    "UntagResource": MARK,
    "UpdateAlias": MARK,
    "UpdateKeyDescription": MARK,
    "UpdatePrimaryRegion": (YES, 1, 3, 5, 11, 14, YES),
    "Verify": USE,
    "VerifyMac": USE,
    # With keys that take imported material:
    "DeleteImportedKeyMaterial": (YES, YES, YES, YES, YES, 14, 15),
    "GetParametersForImport": (YES, YES, 8, YES, YES, 14, 15),
    "ImportKeyMaterial": (YES, YES, 8, YES, YES, 14, YES),
    # Not in the table, which is older; described with each operation:
    "ListKeyRotations": FREE,
    "RotateKeyOnDemand": (YES, 1, 3, 5, YES, 14, YES),
    "DeriveSharedSecret": USE,
    "Encapsulate": USE,
    "Decapsulate": USE,
}
NA = {
    # Custom key stores hold regional symmetric keys, which make their own material; and a note of another column stands for them.
    *((name, "Unavailable") for name in ("DeleteImportedKeyMaterial", "GetParametersForImport", "ImportKeyMaterial")),
    *((name, "Unavailable") for name in ("ReplicateKey", "UpdatePrimaryRegion", "GenerateMac", "VerifyMac", "Sign", "Verify")),
    *((name, "Unavailable") for name in ("GetPublicKey", "DeriveSharedSecret", "Encapsulate", "Decapsulate")),
    *((name, "Unavailable") for name in ("EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus", "RotateKeyOnDemand")),
    ("Unavailable", "ListKeyRotations"),
    # Rotation on demand while the primary Region changes waits for that to end.
    ("RotateKeyOnDemand", "Updating"),
    # Without material there is none that these could have been made with.
    *((name, "PendingImport") for name in ("Encapsulate", "Decapsulate")),
}
OTHER_REGION = "us-west-2"


def cells() -> Iterator[tuple[str, str, int]]:
    for name, notes in TABLE.items():
        for column, note in zip(COLUMNS, notes, strict=True):
            if (name, column) not in NA:
                yield name, column, note


class Situation:
    """A key of the kind that an operation needs, and its members."""

    def __init__(self, kms: Kms, operation: str, column: str) -> None:
        self.kms, self.operation = kms, operation
        self.external = column == "PendingImport" or operation in {
            "DeleteImportedKeyMaterial",
            "GetParametersForImport",
            "ImportKeyMaterial",
        }
        self.key = kms.new_key(**self.kind())
        if self.external and operation != "ImportKeyMaterial" and self.key.key_spec == "SYMMETRIC_DEFAULT":
            self.put_material()
        self.members = self.prepare()

    def kind(self) -> dict[str, Any]:
        kinds: dict[str, dict[str, Any]] = {
            "Sign": {"key_spec": "ECC_NIST_P256", "key_usage": "SIGN_VERIFY"},
            "GenerateMac": {"key_spec": "HMAC_256", "key_usage": "GENERATE_VERIFY_MAC"},
            "DeriveSharedSecret": {"key_spec": "ECC_NIST_P256", "key_usage": "KEY_AGREEMENT"},
            "Encapsulate": {"key_spec": "ML_KEM_768", "key_usage": "ENCAPSULATE_DECAPSULATE"},
            "ReplicateKey": {"multi_region": True},
        }
        alike = {
            "Verify": "Sign",
            "GetPublicKey": "Sign",
            "VerifyMac": "GenerateMac",
            "Decapsulate": "Encapsulate",
            "UpdatePrimaryRegion": "ReplicateKey",
        }
        found = kinds.get(alike.get(self.operation, self.operation), {})
        return {**found, "origin": "EXTERNAL"} if self.external else found

    def put_material(self) -> None:
        self.kms(root(), "ImportKeyMaterial", **wrapped(self.kms, self.key, bytes(32)))

    def prepare(self) -> dict[str, Any]:
        kms, key = self.kms, self.key
        by_id: dict[str, Any] = {"key_id": key.key_id}
        usable = self.operation == "ImportKeyMaterial" or not (self.external and key.key_spec != "SYMMETRIC_DEFAULT")
        if self.operation == "UpdatePrimaryRegion":
            kms(root(), "ReplicateKey", key_id=key.key_id, replica_region=OTHER_REGION)
            if self.external:
                kms(root(), "ImportKeyMaterial", region=OTHER_REGION, **wrapped(kms, key, bytes(32), region=OTHER_REGION))
        if self.operation == "CancelKeyDeletion":
            return by_id
        if self.operation in {"UpdateAlias", "DeleteAlias"}:
            target = kms.new_key() if self.operation == "UpdateAlias" and not self.external else key
            kms(root(), "CreateAlias", alias_name="alias/a", target_key_id=target.key_id)
        made = {}
        if self.operation in {"RetireGrant", "RevokeGrant"}:
            made = {"grant_id": self.grant().grant_id}
        special: dict[str, Any] = {
            "CreateAlias": lambda: {"alias_name": "alias/b", "target_key_id": key.key_id},
            "UpdateAlias": lambda: {"alias_name": "alias/a", "target_key_id": key.key_id},
            "DeleteAlias": lambda: {"alias_name": "alias/a"},
            "CreateGrant": lambda: {**by_id, "grantee_principal": f"arn:aws:iam::{ACCOUNT}:root", "operations": ["DescribeKey"]},
            "RetireGrant": lambda: {**by_id, **made},
            "RevokeGrant": lambda: {**by_id, **made},
            "Encrypt": lambda: {**by_id, "plaintext": b"x"},
            "Decrypt": lambda: {"ciphertext_blob": self.blob()},
            "ReEncrypt": lambda: {"ciphertext_blob": self.blob(), "destination_key_id": key.key_id},
            "GenerateDataKey": lambda: {**by_id, "key_spec": "AES_256"},
            "GenerateDataKeyWithoutPlaintext": lambda: {**by_id, "key_spec": "AES_256"},
            "GenerateDataKeyPair": lambda: {**by_id, "key_pair_spec": "ECC_NIST_P256"},
            "GenerateDataKeyPairWithoutPlaintext": lambda: {**by_id, "key_pair_spec": "ECC_NIST_P256"},
            "GenerateMac": lambda: {**by_id, "message": b"x", "mac_algorithm": "HMAC_SHA_256"},
            "VerifyMac": lambda: {
                **by_id,
                "message": b"x",
                "mac_algorithm": "HMAC_SHA_256",
                "mac": kms(root(), "GenerateMac", **by_id, message=b"x", mac_algorithm="HMAC_SHA_256").mac if usable else b"x",
            },
            "Sign": lambda: {**by_id, "message": b"x", "signing_algorithm": "ECDSA_SHA_256"},
            "Verify": lambda: {
                **by_id,
                "message": b"x",
                "signing_algorithm": "ECDSA_SHA_256",
                "signature": kms(root(), "Sign", **by_id, message=b"x", signing_algorithm="ECDSA_SHA_256").signature
                if usable
                else b"x",
            },
            "DeriveSharedSecret": lambda: {
                **by_id,
                "key_agreement_algorithm": "ECDH",
                "public_key": kms(
                    root(), "GetPublicKey", key_id=kms.new_key(key_spec="ECC_NIST_P256", key_usage="KEY_AGREEMENT").key_id
                ).public_key,
            },
            "Encapsulate": lambda: {**by_id, "encapsulation_algorithm": "ML_KEM"},
            "Decapsulate": lambda: {
                **by_id,
                "encapsulation_algorithm": "ML_KEM",
                "shared_secret_ciphertext_blob": kms(
                    root(), "Encapsulate", **by_id, encapsulation_algorithm="ML_KEM"
                ).shared_secret_ciphertext_blob,
            },
            "PutKeyPolicy": lambda: {**by_id, "policy": kms(root(), "GetKeyPolicy", **by_id).policy},
            "ListAliases": lambda: by_id,
            "TagResource": lambda: {**by_id, "tags": [api.Tag(tag_key="a", tag_value="b")]},
            "UntagResource": lambda: {**by_id, "tag_keys": ["a"]},
            "UpdateKeyDescription": lambda: {**by_id, "description": "d"},
            "ReplicateKey": lambda: {**by_id, "replica_region": OTHER_REGION},
            "UpdatePrimaryRegion": lambda: {**by_id, "primary_region": OTHER_REGION},
            "GetParametersForImport": lambda: {
                **by_id,
                "wrapping_algorithm": "RSAES_OAEP_SHA_256",
                "wrapping_key_spec": "RSA_2048",
            },
            "ImportKeyMaterial": lambda: wrapped(kms, key, bytes(32)),
        }
        found: dict[str, Any] = special.get(self.operation, lambda: by_id)()
        return found

    def grant(self) -> Any:
        return self.kms(
            root(),
            "CreateGrant",
            key_id=self.key.key_id,
            grantee_principal=f"arn:aws:iam::{ACCOUNT}:root",
            operations=["DescribeKey"],
        )

    def blob(self) -> bytes:
        blob: bytes = self.kms(root(), "Encrypt", key_id=self.key.key_id, plaintext=b"x").ciphertext_blob
        return blob

    def enter(self, state: str) -> None:
        """Bring the key into a state: by calls where calls lead there."""
        kms, by_id = self.kms, {"key_id": self.key.key_id}
        if state == "Disabled" and not (self.external and self.operation == "ImportKeyMaterial"):
            kms(root(), "DisableKey", **by_id)
        elif state == "PendingDeletion":
            if self.operation == "UpdatePrimaryRegion":
                self.force(state)
            else:
                kms(root(), "ScheduleKeyDeletion", **by_id)
        elif state == "PendingImport" and self.key.key_spec == "SYMMETRIC_DEFAULT" and self.operation != "ImportKeyMaterial":
            kms(root(), "DeleteImportedKeyMaterial", **by_id)
        elif state in {"Unavailable", "Creating", "Updating", "Disabled"}:
            self.force(state)

    def force(self, state: str) -> None:
        with self.kms.store.writing() as tx:
            tx.run("UPDATE kms_key SET state = ? WHERE region = ? AND key_id = ?", state, REGION, self.key.key_id)
            tx.changed("kms-key", f"{REGION}/{self.key.key_id}")
        self.kms.store.commit()


@pytest.mark.parametrize(("operation", "column", "note"), list(cells()))
def test_an_operation_in_a_state(kms: Kms, operation: str, column: str, note: int):
    situation = Situation(kms, operation, column)
    situation.enter(column)
    if note == YES:
        kms(root(), operation, **situation.members)
        return
    kind, text = NOTES[note]
    with pytest.raises(ServiceError) as error:
        kms(root(), operation, **situation.members)
    assert (type(error.value), error.value.message) == (kind, text.format(arn=situation.key.arn))


@pytest.mark.parametrize("operation", ["DeleteImportedKeyMaterial", "GetParametersForImport", "ImportKeyMaterial"])
def test_note_9_keys_that_make_their_own_material(kms: Kms, operation: str):
    key, taking = kms.new_key(), kms.new_key(origin="EXTERNAL")
    members = Situation(kms, operation, "PendingImport").members | {"key_id": key.key_id}
    assert taking.key_state == "PendingImport"
    for state in ("Enabled", "Disabled"):
        kms(root(), "EnableKey" if state == "Enabled" else "DisableKey", key_id=key.key_id)
        with pytest.raises(api.UnsupportedOperationException, match="origin is AWS_KMS which is not valid"):
            kms(root(), operation, **members)


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus"])
def test_note_7_keys_with_imported_material(kms: Kms, operation: str):
    key = kms.new_key(origin="EXTERNAL")
    kms(root(), "ImportKeyMaterial", **wrapped(kms, key, bytes(32)))
    with pytest.raises(api.UnsupportedOperationException, match="origin is EXTERNAL which is not valid"):
        kms(root(), operation, key_id=key.key_id)


def test_pending_replica_deletion_is_said_by_its_name(kms: Kms):
    key = kms.new_key(multi_region=True)
    kms(root(), "ReplicateKey", key_id=key.key_id, replica_region=OTHER_REGION)
    kms(root(), "ScheduleKeyDeletion", key_id=key.key_id)
    with pytest.raises(api.KMSInvalidStateException, match=r"is pending replica deletion\.$"):
        kms(root(), "Encrypt", key_id=key.key_id, plaintext=b"x")
    kms(root(), "CancelKeyDeletion", key_id=key.key_id)
    assert kms(root(), "DescribeKey", key_id=key.key_id).key_metadata.key_state == "Disabled"


def test_every_state_of_the_model_is_in_the_table():
    assert set(states.STATES) == {*COLUMNS, "PendingReplicaDeletion"}
    for name, refused in states.REFUSED.items():
        assert ("PendingDeletion" in refused) == ("PendingReplicaDeletion" in refused), name
        assert name in TABLE
