"""Grants. Sources: KMS API Reference, "CreateGrant" and its relatives; KMS Developer Guide, "Grants in AWS KMS", "Creating grants",
"Managing grants"; error texts as recorded on AWS where there is a record."""

from __future__ import annotations

from typing import Any

import pytest

from garrison.api import kms as api
from garrison.core.errors import CommonError
from garrison.core.principal import Principal
from garrison.keys.kms.live_grants import Constraints, identities
from garrison.policy import Grant
from garrison.store.store import Unit
from tests.support.grants import ALICE, CONTEXT, encrypt, grant, key, refused
from tests.support.kms import ACCOUNT, OTHER, Caller, Kms, allow, key_policy, role_session, root, root_statement, user

__all__ = ["key"]

# -- what a grant allows --------------------------------------------------------------------------------------------


def test_a_grant_allows_its_operations_and_no_other(kms: Kms, key: api.KeyMetadata):
    assert "no identity-based policy allows the kms:Encrypt action" in refused(
        kms, user("alice"), "Encrypt", key_id=key.arn, plaintext=b"x"
    )
    made = grant(kms, key, ALICE, "Encrypt", "DescribeKey")
    blob = encrypt(kms, user("alice"), key)
    assert kms.decision is not None
    assert (kms.decision.decided_by, kms.decision.grant) == ("grant", made.grant_id)
    assert kms(user("alice"), "DescribeKey", key_id=key.arn).key_metadata.key_id == key.key_id
    refused(kms, user("alice"), "Decrypt", ciphertext_blob=blob)
    refused(kms, user("alice"), "DisableKey", key_id=key.arn)
    refused(kms, user("bob"), "Encrypt", key_id=key.arn, plaintext=b"x")


def test_a_key_policy_that_admits_nobody_leaves_grants_in_force(kms: Kms, key: api.KeyMetadata):
    grant(kms, key)
    alone = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/carol"}, "Action": "kms:*"}
    kms(
        root(),
        "PutKeyPolicy",
        key_id=key.key_id,
        policy=key_policy(alone),
        bypass_policy_lockout_safety_check=True,
    )
    assert encrypt(kms, user("alice"), key)
    refused(kms, root(), "Encrypt", key_id=key.arn, plaintext=b"x")


def test_an_explicit_deny_wins(kms: Kms, key: api.KeyMetadata):
    grant(kms, key)
    refused(kms, user("alice", allow("kms:Encrypt", effect="Deny")), "Encrypt", key_id=key.arn, plaintext=b"x")
    deny = {"Effect": "Deny", "Principal": {"AWS": ALICE}, "Action": "kms:Encrypt"}
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=key_policy(root_statement(), deny))
    assert "explicit deny in a resource-based policy" in refused(kms, user("alice"), "Encrypt", key_id=key.arn, plaintext=b"x")


@pytest.mark.parametrize(
    ("grantee", "caller", "allowed"),
    [
        (ALICE, user("alice"), True),
        (f"arn:aws:iam::{ACCOUNT}:role/app", role_session("app"), True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s", role_session("app"), True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/app/other", role_session("app"), False),
        (f"arn:aws:iam::{ACCOUNT}:root", user("alice"), False),
        (f"arn:aws:iam::{ACCOUNT}:root", user("alice", allow("kms:Encrypt")), True),
    ],
)
def test_who_the_grantee_is(kms: Kms, key: api.KeyMetadata, grantee: str, caller: Caller, *, allowed: bool):
    grant(kms, key, grantee)
    kms(
        root(),
        "PutKeyPolicy",
        key_id=key.key_id,
        policy=key_policy({"Principal": {"AWS": ALICE[:-5] + "bob"}, "Action": "kms:*"}),
        bypass_policy_lockout_safety_check=True,
    )
    if allowed:
        assert encrypt(kms, caller, key)
    else:
        refused(kms, caller, "Encrypt", key_id=key.arn, plaintext=b"x")


def test_identities_of_other_kinds():
    service = Principal(kind="service", account=ACCOUNT, arn="", id="", service="rds.amazonaws.com")
    assert identities(service) == {"rds.amazonaws.com": Grant.DIRECT}
    assert identities(Principal(kind="anonymous", account="", arn="", id="")) == {}
    assert identities(root().principal) == {ACCOUNT: Grant.ACCOUNT}


def test_a_principal_made_again_under_its_name_inherits_nothing(kms: Kms, key: api.KeyMetadata):
    grant(kms, key)
    again = user("alice").principal
    again = Principal(kind="user", account=ACCOUNT, arn=again.arn, id="AIDAANOTHERALICE00000", name="alice")
    refused(kms, Caller(again), "Encrypt", key_id=key.arn, plaintext=b"x")
    with kms.store.writing() as tx:
        tx.run("DELETE FROM iam_user WHERE name = 'alice'")
    kms.store.commit()
    assert kms(root(), "ListGrants", key_id=key.key_id).grants[0].grantee_principal == user("alice").principal.id


def test_another_account(kms: Kms, key: api.KeyMetadata):
    """Both sides must agree; the grantee's account does by an identity policy, or by having issued the grant."""
    eve = f"arn:aws:iam::{OTHER}:user/eve"
    kms.person("user", "eve", OTHER)
    grant(kms, key, eve)
    refused(kms, user("eve", account=OTHER), "Encrypt", key_id=key.arn, plaintext=b"x")
    assert encrypt(kms, user("eve", allow("kms:Encrypt"), account=OTHER), key)
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=key_policy(root_statement(), root_statement(OTHER)))
    made = grant(kms, key, eve, caller=root(OTHER))
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=key_policy(root_statement()))
    assert encrypt(kms, user("eve", account=OTHER), key)
    assert kms.decision is not None
    assert kms.decision.grant == made.grant_id
    listed = {one.grant_id: one.issuing_account for one in kms(root(), "ListGrants", key_id=key.key_id).grants}
    assert listed[made.grant_id] == f"arn:aws:iam::{OTHER}:root"


# -- constraints: the examples of "Using grant constraints" ------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "context", "allowed"),
    [
        ("equals", {"Department": "IT"}, True),
        ("equals", {"department": "IT"}, True),
        ("equals", {"Department": "it"}, False),
        ("equals", {"Department": "IT", "Purpose": "Test"}, False),
        ("equals", {"Department": "IT", "department": "IT"}, False),
        ("equals", None, False),
        ("subset", {"Department": "IT"}, True),
        ("subset", {"Department": "IT", "Purpose": "Test"}, True),
        ("subset", {"Purpose": "Test"}, False),
        ("subset", {"Department": "IT", "department": "HR"}, False),
        ("subset", None, False),
    ],
)
def test_constraints_on_the_encryption_context(
    kms: Kms, key: api.KeyMetadata, constraint: str, context: dict[str, str] | None, *, allowed: bool
):
    wanted: Any = {f"encryption_context_{constraint}": CONTEXT}
    grant(
        kms,
        key,
        ALICE,
        "Encrypt",
        "DescribeKey",
        constraints=api.GrantConstraints(**wanted),
    )
    if allowed:
        assert encrypt(kms, user("alice"), key, encryption_context=context)
    else:
        refused(kms, user("alice"), "Encrypt", key_id=key.arn, plaintext=b"x", encryption_context=context)
    assert kms(user("alice"), "DescribeKey", key_id=key.arn), "the constraint does not apply to DescribeKey"


def test_a_source_constraint_needs_a_service_that_calls_for_the_source(kms: Kms, key: api.KeyMetadata):
    grant(kms, key, ALICE, "Encrypt", "DescribeKey", constraints=api.GrantConstraints(source_arn="arn:aws:s3:::data"))
    refused(kms, user("alice"), "Encrypt", key_id=key.arn, plaintext=b"x")
    refused(kms, user("alice"), "DescribeKey", key_id=key.arn)


@pytest.mark.parametrize(
    ("child", "parent", "fits"),
    [
        ({}, {}, True),
        ({"EncryptionContextSubset": CONTEXT}, {}, True),
        ({}, {"EncryptionContextSubset": CONTEXT}, False),
        ({"EncryptionContextSubset": {**CONTEXT, "a": "b"}}, {"EncryptionContextSubset": CONTEXT}, True),
        ({"EncryptionContextSubset": {"a": "b"}}, {"EncryptionContextSubset": CONTEXT}, False),
        ({"EncryptionContextEquals": CONTEXT}, {"EncryptionContextSubset": CONTEXT}, True),
        ({"EncryptionContextSubset": CONTEXT}, {"EncryptionContextEquals": CONTEXT}, False),
        ({"EncryptionContextEquals": CONTEXT}, {"EncryptionContextEquals": CONTEXT}, True),
        ({"EncryptionContextEquals": {**CONTEXT, "a": "b"}}, {"EncryptionContextEquals": CONTEXT}, False),
        ({"SourceArn": "arn:aws:s3:::a"}, {}, True),
        ({}, {"SourceArn": "arn:aws:s3:::a"}, False),
        ({"SourceArn": "arn:aws:s3:::b"}, {"SourceArn": "arn:aws:s3:::a"}, False),
    ],
)
def test_how_strict_a_grant_through_a_grant_must_be(child: dict[str, Any], parent: dict[str, Any], *, fits: bool):
    assert Constraints.of(child).as_strict_as(Constraints.of(parent)) is fits


def test_a_grant_passes_on_no_more_than_itself(kms: Kms, key: api.KeyMetadata):
    grant(
        kms,
        key,
        ALICE,
        "CreateGrant",
        "Decrypt",
        "GenerateDataKey",
        constraints=api.GrantConstraints(encryption_context_subset=CONTEXT),
    )
    bob = ALICE.replace("alice", "bob")
    strict = api.GrantConstraints(encryption_context_equals=CONTEXT)
    made = grant(kms, key, bob, "CreateGrant", "Decrypt", caller=user("alice"), constraints=strict)
    for operations, constraints in ((["Encrypt"], strict), (["Decrypt"], None), (["Decrypt", "DescribeKey"], strict)):
        refused(
            kms,
            user("alice"),
            "CreateGrant",
            key_id=key.arn,
            grantee_principal=bob,
            operations=operations,
            constraints=constraints,
        )
    grant(kms, key, ALICE.replace("alice", "carol"), "Decrypt", caller=user("bob"), constraints=strict)
    assert kms.decision is not None
    assert kms.decision.grant == made.grant_id


# -- tokens, names, lists ----------------------------------------------------------------------------------------------


def test_a_token_makes_a_worker_look_that_has_not_heard(kms: Kms, key: api.KeyMetadata, monkeypatch: pytest.MonkeyPatch):
    refused(kms, user("alice"), "Encrypt", key_id=key.arn, plaintext=b"x")
    with monkeypatch.context() as deaf:
        deaf.setattr(Unit, "changed", lambda *_: None)
        made = grant(kms, key)
        refused(kms, user("alice"), "Encrypt", key_id=key.arn, plaintext=b"x")
    assert encrypt(kms, user("alice"), key, grant_tokens=[made.grant_token])


def test_a_token_is_no_permission(kms: Kms, key: api.KeyMetadata):
    made = grant(kms, key)
    refused(kms, user("bob"), "Encrypt", key_id=key.arn, plaintext=b"x", grant_tokens=[made.grant_token])


def test_a_token_that_was_altered_or_is_of_elsewhere(kms: Kms, key: api.KeyMetadata):
    token = grant(kms, key).grant_token
    flipped = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(len(token))]
    for bad in ("token", token[:-4], token + "AAAA", "\u00e9", *flipped):
        with pytest.raises(api.InvalidGrantTokenException):
            encrypt(kms, root(), key, grant_tokens=[bad])
        with pytest.raises(api.InvalidGrantTokenException):
            kms(root(), "RetireGrant", grant_token=bad)
    with pytest.raises(api.InvalidGrantTokenException):
        kms(root(), "RetireGrant", grant_token=token, region="us-west-2")


def test_a_name_makes_a_retry_find_the_same_grant(kms: Kms, key: api.KeyMetadata):
    first, again = grant(kms, key, name="retry"), grant(kms, key, name="retry")
    assert (first.grant_id, first.grant_token != again.grant_token) == (again.grant_id, True)
    other = grant(kms, key, ALICE, "Decrypt", name="retry")
    nameless = [grant(kms, key).grant_id for _ in range(2)]
    assert len({first.grant_id, other.grant_id, *nameless}) == 4
    assert len(kms(root(), "ListGrants", key_id=key.key_id).grants) == 4


def test_list_grants(kms: Kms, key: api.KeyMetadata):
    bob = ALICE.replace("alice", "bob")
    constraints = api.GrantConstraints(encryption_context_equals=CONTEXT)
    mine = grant(kms, key, ALICE, "Decrypt", name="n", retiring_principal=bob, constraints=constraints)
    others = [grant(kms, key, bob).grant_id for _ in range(4)]
    found = kms(root(), "ListGrants", key_id=key.key_id, grant_id=mine.grant_id).grants
    assert found == [
        api.GrantListEntry(
            key_id=key.arn,
            grant_id=mine.grant_id,
            name="n",
            creation_date=kms.now,
            grantee_principal=ALICE,
            retiring_principal=bob,
            issuing_account=f"arn:aws:iam::{ACCOUNT}:root",
            operations=["Decrypt"],
            constraints=constraints,
        )
    ]
    seen: list[str] = []
    marker = None
    while True:
        page = kms(root(), "ListGrants", key_id=key.arn, grantee_principal=bob, limit=3, marker=marker)
        seen += [one.grant_id for one in page.grants]
        marker = page.next_marker
        if not page.truncated:
            break
    assert seen == sorted(others)
    assert kms(root(), "ListGrants", key_id=key.key_id, grant_id="0" * 64).grants == []
    with pytest.raises(api.InvalidGrantIdException):
        kms(root(), "ListGrants", key_id=key.key_id, grant_id="x")
    with pytest.raises(CommonError, match="limit"):
        kms(root(), "ListGrants", key_id=key.key_id, limit=101)


def test_list_retirable_grants(kms: Kms, key: api.KeyMetadata):
    bob = ALICE.replace("alice", "bob")
    wanted = {grant(kms, one, retiring_principal=bob).grant_id for one in (key, kms.new_key(), kms.new_key())}
    grant(kms, key, retiring_principal=ALICE)
    found: list[str] = []
    marker = None
    while True:
        page = kms(root(), "ListRetirableGrants", retiring_principal=bob, limit=2, marker=marker)
        found += [one.grant_id for one in page.grants]
        marker = page.next_marker
        if not page.truncated:
            break
    assert (set(found), len(found)) == (wanted, 3)
    with pytest.raises(api.InvalidArnException):
        kms(root(), "ListRetirableGrants", retiring_principal=f"arn:aws:iam::{OTHER}:root")
    refused(kms, user("alice"), "ListRetirableGrants", retiring_principal=bob)
    with pytest.raises(CommonError, match="either RetiringPrincipal or"):
        kms(root(), "ListRetirableGrants")


# -- the end of a grant ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "operations", "allowed"),
    [
        (user("bob"), ("Decrypt",), True),  # the retiring principal
        (user("alice"), ("Decrypt", "RetireGrant"), True),  # the grantee, where the grant says so
        (user("alice"), ("Decrypt",), False),
        (root(), ("Decrypt",), True),  # the account that issued it and owns the key
        (user("carol"), ("Decrypt",), False),
        (user("carol", allow("kms:RetireGrant")), ("Decrypt",), True),  # the account delegates
        (user("bob", allow("kms:RetireGrant", effect="Deny")), ("Decrypt",), False),
        (root(OTHER), ("Decrypt",), False),
    ],
)
def test_who_may_retire_a_grant(kms: Kms, key: api.KeyMetadata, caller: Caller, operations: tuple[str, ...], *, allowed: bool):
    made = grant(kms, key, ALICE, *operations, retiring_principal=ALICE.replace("alice", "bob"))
    for named in ({"grant_token": made.grant_token, "dry_run": True}, {"key_id": key.arn, "grant_id": made.grant_id}):
        if not allowed:
            refused(kms, caller, "RetireGrant", **named)
        elif "dry_run" in named:
            with pytest.raises(api.DryRunOperationException):
                kms(caller, "RetireGrant", **named)
        else:
            kms(caller, "RetireGrant", **named)
    assert bool(kms(root(), "ListGrants", key_id=key.key_id).grants) is not allowed


def test_a_key_policy_denies_retiring_but_does_not_allow_it(kms: Kms, key: api.KeyMetadata):
    made = grant(kms, key, retiring_principal=ALICE.replace("alice", "bob"))
    everyone = {"Principal": {"AWS": "*"}, "Action": "kms:RetireGrant"}
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=key_policy(root_statement(), everyone))
    refused(kms, user("carol"), "RetireGrant", key_id=key.arn, grant_id=made.grant_id)
    kms(root(), "PutKeyPolicy", key_id=key.key_id, policy=key_policy(root_statement(), {**everyone, "Effect": "Deny"}))
    refused(kms, user("bob"), "RetireGrant", key_id=key.arn, grant_id=made.grant_id)


def test_a_retiring_account_delegates_by_its_own_policies(kms: Kms, key: api.KeyMetadata):
    made = grant(kms, key, retiring_principal=f"arn:aws:iam::{OTHER}:root")
    refused(kms, user("eve", account=OTHER), "RetireGrant", key_id=key.arn, grant_id=made.grant_id)
    kms(user("eve", allow("kms:RetireGrant"), account=OTHER), "RetireGrant", key_id=key.arn, grant_id=made.grant_id)


def test_what_is_ended_allows_nothing_any_more(kms: Kms, key: api.KeyMetadata):
    made = grant(kms, key)
    assert encrypt(kms, user("alice"), key)
    with pytest.raises(api.DryRunOperationException):
        kms(root(), "RevokeGrant", key_id=key.key_id, grant_id=made.grant_id, dry_run=True)
    assert encrypt(kms, user("alice"), key)
    kms(root(), "RevokeGrant", key_id=key.key_id, grant_id=made.grant_id)
    refused(kms, user("alice"), "Encrypt", key_id=key.arn, plaintext=b"x", grant_tokens=[made.grant_token])
    for name, members in (
        ("RevokeGrant", {"key_id": key.key_id, "grant_id": made.grant_id}),
        ("RetireGrant", {"grant_token": made.grant_token}),
    ):
        with pytest.raises(api.NotFoundException):
            kms(root(), name, **members)
    with pytest.raises(api.InvalidGrantIdException):
        kms(root(), "RevokeGrant", key_id=key.key_id, grant_id="x")


def test_revoking_is_the_key_policys_to_allow(kms: Kms, key: api.KeyMetadata):
    made = grant(kms, key, ALICE, "Decrypt", "RetireGrant", retiring_principal=ALICE)
    refused(kms, user("alice"), "RevokeGrant", key_id=key.arn, grant_id=made.grant_id)
    kms(user("carol", allow("kms:RevokeGrant")), "RevokeGrant", key_id=key.arn, grant_id=made.grant_id)


def test_which_grant_to_retire_must_be_said_in_one_way(kms: Kms, key: api.KeyMetadata):
    token = grant(kms, key).grant_token
    for members in ({}, {"key_id": key.arn}, {"grant_id": "0" * 64}, {"grant_token": token, "key_id": key.arn}):
        with pytest.raises(CommonError, match="To identify the grant"):
            kms(root(), "RetireGrant", **members)
