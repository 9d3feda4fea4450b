"""Grants: their condition keys, what is refused, and what is kept in memory. Sources as in ``test_grants``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.context import Call
from garrison.core.errors import CommonError, ServiceError
from garrison.keys.kms import grants
from garrison.keys.kms.live_grants import LiveGrants
from garrison.policy import Request
from tests.support.grants import ALICE, CONTEXT, encrypt, grant, key, refused
from tests.support.kms import ACCOUNT, OTHER, REGION, Kms, allow, root, user

__all__ = ["key"]

# -- condition keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}}, True),
        ({"StringEquals": {"kms:GrantConstraintType": "EncryptionContextSubset"}}, False),
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt", "Encrypt"]}}, True),
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]}}, False),
        ({"StringEquals": {"kms:GranteePrincipal": ALICE}}, True),
        ({"StringEquals": {"kms:GranteePrincipal": "arn:aws:iam::111122223333:user/bob"}}, False),
        ({"StringEquals": {"kms:RetiringPrincipal": ALICE}}, True),
        ({"Null": {"kms:RetiringPrincipal": "true"}}, False),
        ({"Bool": {"kms:GrantIsForAWSResource": "false"}}, True),
        ({"Bool": {"kms:GrantIsForAWSResource": "true"}}, False),
        ({"StringEquals": {"kms:EncryptionContext:Department": "IT"}}, True),
        ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, True),
        ({"Null": {"kms:ViaService": "true"}}, True),
        ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}, True),
    ],
)
def test_condition_keys_of_create_grant(kms: Kms, key: api.KeyMetadata, condition: dict[str, Any], *, allowed: bool):
    members: dict[str, Any] = {
        "key_id": key.arn,
        "grantee_principal": ALICE,
        "retiring_principal": ALICE,
        "operations": ["Decrypt"],
        "constraints": api.GrantConstraints(encryption_context_equals=CONTEXT),
    }
    caller = user("carol", allow("kms:CreateGrant", Condition=condition))
    if allowed:
        kms(caller, "CreateGrant", **members)
    else:
        refused(kms, caller, "CreateGrant", **members)


@pytest.mark.parametrize("operation", ["CreateGrant", "ListGrants", "RevokeGrant"])
def test_a_service_may_manage_grants_for_a_user_where_the_user_may_not(kms: Kms, key: api.KeyMetadata, operation: str):
    """The example of kms:GrantIsForAWSResource, and kms:ViaService beside it."""
    made = grant(kms, key)
    condition = {
        "Bool": {"kms:GrantIsForAWSResource": "true"},
        "StringEquals": {"kms:ViaService": f"rds.{REGION}.amazonaws.com"},
        "BoolIfExists": {"aws:ViaAWSService": "true"},
    }
    members: dict[str, Any] = {
        "CreateGrant": {"grantee_principal": ALICE, "operations": ["Decrypt"]},
        "RevokeGrant": {"grant_id": made.grant_id},
    }.get(operation, {})
    caller = user("carol", allow(f"kms:{operation}", Condition=condition))
    refused(kms, caller, operation, key_id=key.arn, **members)
    kms.call = Call(source_ip="127.0.0.1", via="rds")
    kms(caller, operation, key_id=key.arn, **members)


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"operations": ["CreateGrant"]}, "Grants must not contain only the CreateGrant operation."),
        ({"operations": []}, "at least one operation"),
        ({"operations": ["Sign"]}, "Grant operation Sign is not valid"),
        ({"operations": ["Decrypt", "GenerateMac"]}, "Grant operation GenerateMac is not valid"),
        (
            {"constraints": api.GrantConstraints(encryption_context_equals=CONTEXT, encryption_context_subset=CONTEXT)},
            "More than one constraint supplied",
        ),
        ({"constraints": api.GrantConstraints(encryption_context_subset={str(at): "x" for at in range(9)})}, "at most 8"),
        ({"constraints": api.GrantConstraints(encryption_context_subset={"a": "x" * 385})}, "at most 384"),
        ({"constraints": api.GrantConstraints(encryption_context_subset={"a": "x", "A": "x"})}, "more than their case"),
        ({"grantee_principal": None}, "either GranteePrincipal or GranteeServicePrincipal"),
        ({"grantee_service_principal": "rds.amazonaws.com"}, "either GranteePrincipal or GranteeServicePrincipal"),
        ({"grantee_principal": None, "grantee_service_principal": "rds.amazonaws.com"}, "SourceArn grant constraint"),
        (
            {"retiring_principal": ALICE, "retiring_service_principal": "rds.amazonaws.com"},
            "either RetiringPrincipal or RetiringServicePrincipal",
        ),
        (
            {
                "grantee_principal": None,
                "grantee_service_principal": "rds.amazonaws.com",
                "constraints": api.GrantConstraints(source_arn="arn:aws:rds:eu-central-1:111122223333:db:x"),
            },
            "a RetiringPrincipal or a RetiringServicePrincipal",
        ),
    ],
)
def test_what_cannot_be_granted(kms: Kms, key: api.KeyMetadata, change: dict[str, Any], text: str):
    members: dict[str, Any] = {"key_id": key.key_id, "grantee_principal": ALICE, "operations": ["Decrypt"], **change}
    with pytest.raises(CommonError, match=text) as error:
        kms(root(), "CreateGrant", **members)
    assert error.value.kind == "validation"
    assert kms(root(), "ListGrants", key_id=key.key_id).grants == []


@pytest.mark.parametrize(
    "name",
    [
        "alice",
        "arn:aws:iam::111122223333:user/nobody",
        "arn:aws:iam::111122223333:role/nobody",
        "arn:aws:iam::111122223333:group/admins",
        "arn:aws:sts::111122223333:assumed-role/nobody/s",
        "arn:aws:s3:::bucket",
        "rds.amazonaws.com",
        "arn:aws:iam::111122223333:user",
    ],
)
@pytest.mark.parametrize("member", ["grantee_principal", "retiring_principal"])
def test_a_principal_who_is_nobody(kms: Kms, key: api.KeyMetadata, name: str, member: str):
    members: dict[str, Any] = {"key_id": key.key_id, "grantee_principal": ALICE, "operations": ["Decrypt"], member: name}
    with pytest.raises(api.InvalidArnException):
        kms(root(), "CreateGrant", **members)


def test_a_grant_to_a_service_is_listed_as_one(kms: Kms, key: api.KeyMetadata):
    kms(
        root(),
        "CreateGrant",
        key_id=key.key_id,
        operations=["Decrypt"],
        grantee_service_principal="rds.amazonaws.com",
        retiring_service_principal="rds.amazonaws.com",
        constraints=api.GrantConstraints(source_arn="arn:aws:rds:eu-central-1:111122223333:db:x"),
    )
    (found,) = kms(root(), "ListGrants", key_id=key.key_id).grants
    assert (found.grantee_principal, found.grantee_service_principal) == (None, "rds.amazonaws.com")
    assert (found.retiring_principal, found.retiring_service_principal) == (None, "rds.amazonaws.com")


def test_a_dry_run_makes_nothing(kms: Kms, key: api.KeyMetadata):
    with pytest.raises(api.DryRunOperationException):
        grant(kms, key, dry_run=True)
    assert kms(root(), "ListGrants", key_id=key.key_id).grants == []


def test_a_key_has_so_many_grants_and_no_more(kms: Kms, key: api.KeyMetadata, monkeypatch: pytest.MonkeyPatch):
    assert grants.PER_KEY == 50_000
    monkeypatch.setattr(grants, "PER_KEY", 2)
    grant(kms, key, name="a")
    grant(kms, key)
    with pytest.raises(api.LimitExceededException):
        grant(kms, key)
    grant(kms, key, name="a")


def test_possible_operations():
    """The table of "Grant operations"."""
    symmetric = grants.possible_operations("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    assert "GenerateDataKeyPairWithoutPlaintext" in symmetric
    assert "GetPublicKey" not in symmetric
    assert grants.possible_operations("RSA_2048", "ENCRYPT_DECRYPT") >= {"GetPublicKey", "ReEncryptTo", "DescribeKey"}
    assert "GenerateDataKey" not in grants.possible_operations("RSA_2048", "ENCRYPT_DECRYPT")
    assert grants.possible_operations("HMAC_256", "GENERATE_VERIFY_MAC") == {
        "GenerateMac", "VerifyMac", "CreateGrant", "DescribeKey", "RetireGrant"
    }  # fmt: skip


# -- memory ------------------------------------------------------------------------------------------------------------


def test_a_warm_grant_is_used_without_a_database_read(kms: Kms, key: api.KeyMetadata, monkeypatch: pytest.MonkeyPatch):
    grant(kms, key)
    encrypt(kms, user("alice"), key)
    refused(kms, user("bob"), "Encrypt", key_id=key.arn, plaintext=b"x")

    class NoReads:
        def all(self, sql: str, *_: object) -> None:
            raise AssertionError(sql)

        def one(self, sql: str, *_: object) -> None:
            raise AssertionError(sql)

    monkeypatch.setattr(kms.store, "reading", NoReads)
    encrypt(kms, user("alice"), key)
    refused(kms, user("bob"), "Encrypt", key_id=key.arn, plaintext=b"x")


def test_memory_is_bounded_and_counted(kms: Kms, key: api.KeyMetadata):
    few = kms.live.grants = LiveGrants(kms.store, held=6)
    keys = [key, *(kms.new_key() for _ in range(4))]
    for one in keys:
        grant(kms, one)
    for _ in range(3):
        for one in keys:
            for name in ("alice", "bob"):
                allowed = few.granted(REGION, one.key_id, _request(name)) is not None
                assert allowed is (name == "alice")
                assert few._held <= few._limit
                assert few._held == sum(
                    1 + sum(1 + len(found) for found in known.by_grantee.values()) for known in few._keys.values()
                )
    few._drop(None)
    assert (few._held, few._keys) == (0, {})


def _request(name: str) -> Any:
    return Request("kms:Encrypt", "*", ACCOUNT, user(name).principal, {})


def test_the_audit_of_a_grant_shows_no_token(kms: Kms, key: api.KeyMetadata):
    made = grant(kms, key)
    row = kms.store.reading().one("SELECT * FROM kms_grant")
    assert made.grant_token not in json.dumps(row)


@pytest.mark.usefixtures("key")
def test_unknown_keys(kms: Kms):
    missing = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
    cases: dict[str, dict[str, Any]] = {
        "CreateGrant": {"grantee_principal": ALICE, "operations": ["Decrypt"]},
        "ListGrants": {},
        "RevokeGrant": {"grant_id": "0" * 64},
        "RetireGrant": {"grant_id": "0" * 64},
    }
    for operation, members in cases.items():
        with pytest.raises(ServiceError, match="does not exist"):
            kms(root(), operation, key_id=missing, **members)
        refused(kms, root(), operation, key_id=missing.replace(ACCOUNT, OTHER), **members)
