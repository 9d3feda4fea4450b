"""Grants as tests make and refuse them."""

from __future__ import annotations

from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from tests.support.kms import ACCOUNT, Caller, Kms, root

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
CONTEXT = {"Department": "IT"}


def grant(
    kms: Kms, key: api.KeyMetadata, grantee: str = ALICE, *operations: str, caller: Caller | None = None, **more: Any
) -> Any:
    wanted = list(operations or ("Encrypt", "Decrypt"))
    return kms(caller or root(), "CreateGrant", key_id=key.arn, grantee_principal=grantee, operations=wanted, **more)


def encrypt(kms: Kms, caller: Caller, key: api.KeyMetadata, **members: Any) -> bytes:
    blob: bytes = kms(caller, "Encrypt", key_id=key.arn, plaintext=b"x", **members).ciphertext_blob
    return blob


def refused(kms: Kms, caller: Caller, operation: str, **members: Any) -> str:
    with pytest.raises(CommonError) as error:
        kms(caller, operation, **members)
    assert error.value.kind == "access_denied"
    return error.value.message


@pytest.fixture
def key(kms: Kms) -> api.KeyMetadata:
    for name in ("alice", "bob", "carol"):
        kms.person("user", name)
    kms.person("role", "app")
    return kms.new_key()
