"""Grants: made, listed, retired and revoked.

Sources: KMS API Reference, "CreateGrant", "ListGrants", "ListRetirableGrants", "RetireGrant", "RevokeGrant"; KMS Developer Guide,
"Grants in AWS KMS" with its pages; texts recorded on AWS.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import structs

from garrison.api import kms as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.core.ports import Value
from garrison.identity.resource_principals import principal_id, principal_name
from garrison.keys.kms import conditions, errors, grant_tokens, names, retiring, states
from garrison.keys.kms.grant_tokens import Named
from garrison.keys.kms.live import LiveKey, key_arn
from garrison.keys.kms.live_grants import Child, Constraints, LiveGrant, select
from garrison.keys.kms.pages import Pager

PER_KEY = 50_000
"""Grants of a key. Source: KMS Developer Guide, "Resource quotas"."""
PAIRS = 8
"""Encryption context pairs of a constraint."""
LONGEST = 384
"""Characters of a constraint's context value."""
ANY_KEY = frozenset({"CreateGrant", "DescribeKey", "RetireGrant"})
BY_USAGE: Mapping[str, frozenset[str]] = {
    "SIGN_VERIFY": frozenset({"Sign", "Verify", "GetPublicKey"}),
    "GENERATE_VERIFY_MAC": frozenset({"GenerateMac", "VerifyMac"}),
    "KEY_AGREEMENT": frozenset({"DeriveSharedSecret", "GetPublicKey"}),
    "ENCAPSULATE_DECAPSULATE": frozenset({"Encapsulate", "Decapsulate", "GetPublicKey"}),
    "ENCRYPT_DECRYPT": frozenset({"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"}),
}
"""Operations that a grant on a key of this usage may hold. Source: KMS Developer Guide, "Grant operations"."""
SYMMETRIC = frozenset(
    {
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    }
)
_GRANT_ID = re.compile(r"[0-9a-f]{64}")


def possible_operations(spec: str, usage: str) -> frozenset[str]:
    """What a grant on a key of this kind may hold."""
    return ANY_KEY | (SYMMETRIC if spec == conditions.SYMMETRIC else BY_USAGE[usage])


# CreateGrant


def _document(req: api.CreateGrantRequest) -> dict[str, Any]:
    """The constraints of a request by the model's names; an empty context is none, as clients send one."""
    given = req.constraints
    if given is None:
        return {}
    members = {
        "EncryptionContextEquals": given.encryption_context_equals,
        "EncryptionContextSubset": given.encryption_context_subset,
        "SourceArn": given.source_arn,
    }
    return {name: value for name, value in members.items() if value}


def _granting(ctx: Context, req: api.CreateGrantRequest) -> Target:
    """The key. A grant allows CreateGrant only for grants that give no more than itself."""
    named = names.named(ctx, req.key_id, aliases=False, tokens=req.grant_tokens)
    if named.found is None:
        return named.target
    key, child = named.found, Child(frozenset(req.operations), Constraints.of(_document(req)))
    grants = names.live_keys(ctx).grants
    return structs.replace(named.target, grants=lambda request: grants.granted(key.region, key.key_id, request, child))


def _grant_context(ctx: Context, req: api.CreateGrantRequest) -> dict[str, Any]:
    document = _document(req)
    found = {
        **conditions.managing_grants(ctx),
        "kms:GrantOperations": tuple(req.operations),
        **conditions.encryption_context(document.get("EncryptionContextEquals") or document.get("EncryptionContextSubset")),
    }
    given: dict[str, Any] = {
        "kms:GranteePrincipal": req.grantee_principal,
        "kms:GranteeServicePrincipal": req.grantee_service_principal,
        "kms:RetiringPrincipal": req.retiring_principal,
        "kms:RetiringServicePrincipal": req.retiring_service_principal,
        "kms:GrantConstraintSourceArn": document.get("SourceArn"),
        "kms:GrantConstraintType": next((name for name in document if name != "SourceArn"), None),
    }
    return {**found, **{name: value for name, value in given.items() if value}}


@operation("kms", resource=_granting, context=_grant_context)
def create_grant(ctx: Context, req: api.CreateGrantRequest) -> api.CreateGrantResponse:
    """Let a principal use a key for some operations. With a name, the same request again finds the same grant."""
    key = _locked(ctx, req.key_id)
    states.check("CreateGrant", key)
    _must_fit(key, req)
    row = _row(ctx, key, req)
    if req.dry_run:
        raise errors.dry_run()
    grant_id = _alike(ctx, key, row["likeness"]) or _insert(ctx, key, row)
    return api.CreateGrantResponse(grant_id=grant_id, grant_token=grant_tokens.make(ctx, Named(key.region, key.key_id, grant_id)))


def _locked(ctx: Context, key_id: str) -> LiveKey:
    """The key of this account or another, as it stands while this write holds the lock. Raises NotFoundException."""
    key = names.named(ctx, key_id, aliases=False).key
    found = names.live_keys(ctx).reread(ctx.tx, key.region, key.key_id)
    if found is None:
        raise errors.no_such_key(key.arn)
    return found


def _must_fit(key: LiveKey, req: api.CreateGrantRequest) -> None:
    """Raises ValidationException where operations, constraints or principals cannot be those of a grant on this key."""
    operations, document = frozenset(req.operations), _document(req)
    if not operations:
        raise errors.no_grant_operations()
    if operations == {"CreateGrant"}:
        raise errors.create_grant_alone()
    impossible = sorted(operations - possible_operations(key.spec, key.usage))
    if impossible:
        raise errors.grant_operation(impossible[0], key.arn, key.spec, key.usage)
    _must_be_constraints(key, document)
    if bool(req.grantee_principal) == bool(req.grantee_service_principal):
        raise errors.one_of("GranteePrincipal", "GranteeServicePrincipal")
    if req.retiring_principal and req.retiring_service_principal:
        raise errors.not_both("RetiringPrincipal", "RetiringServicePrincipal")
    if req.grantee_service_principal and "SourceArn" not in document:
        raise errors.service_grant("a SourceArn grant constraint")
    if req.grantee_service_principal and not (req.retiring_principal or req.retiring_service_principal):
        raise errors.service_grant("a RetiringPrincipal or a RetiringServicePrincipal")


def _must_be_constraints(key: LiveKey, document: Mapping[str, Any]) -> None:
    contexts = [document[name] for name in ("EncryptionContextEquals", "EncryptionContextSubset") if name in document]
    if len(contexts) > 1:
        raise errors.two_constraints()
    if contexts and key.spec != conditions.SYMMETRIC:
        raise errors.context_constraint(key.arn, key.spec)
    for context in contexts:
        if len(context) > PAIRS:
            raise errors.constraint_pairs(PAIRS)
        if any(len(value) > LONGEST for value in context.values()):
            raise errors.constraint_value(LONGEST)
        if len({name.lower() for name in context}) < len(context):
            raise errors.constraint_case()


def _row(ctx: Context, key: LiveKey, req: api.CreateGrantRequest) -> dict[str, Value]:
    """The columns of a new grant. Raises InvalidArnException for a principal that is nobody."""
    grantee, retires = req.grantee_principal, req.retiring_principal
    row: dict[str, Value] = {
        "region": key.region,
        "key_id": key.key_id,
        "name": req.name or "",
        "issuing_account": ctx.account,
        "grantee": _identity(ctx, grantee) if grantee else req.grantee_service_principal,
        "grantee_name": grantee or req.grantee_service_principal,
        "grantee_service": int(not grantee),
        "retiring": _identity(ctx, retires) if retires else req.retiring_service_principal or "",
        "retiring_name": retires or req.retiring_service_principal or "",
        "retiring_service": int(bool(req.retiring_service_principal)),
        "operations": json.dumps(sorted(set(req.operations))),
        "constraints": json.dumps(_document(req), sort_keys=True),
    }
    likeness = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest() if req.name else ""
    return {**row, "likeness": likeness}


def _identity(ctx: Context, name: str) -> str:
    found = principal_id(ctx.tx, name)
    if found is None:
        raise errors.no_principal(name)
    return found


def _alike(ctx: Context, key: LiveKey, likeness: Value) -> str | None:
    """The grant that an equal request with this name has made already."""
    if not likeness:
        return None
    row = ctx.tx.one(
        "SELECT grant_id FROM kms_grant WHERE region = ? AND key_id = ? AND likeness = ?", key.region, key.key_id, likeness
    )
    return None if row is None else str(row[0])


def _insert(ctx: Context, key: LiveKey, row: dict[str, Value]) -> str:
    count = ctx.tx.one("SELECT COUNT(*) FROM kms_grant WHERE region = ? AND key_id = ?", key.region, key.key_id)
    if count is not None and count[0] >= PER_KEY:
        raise errors.too_many_grants(PER_KEY)
    grant_id = ctx.random(32).hex()
    full = {**row, "grant_id": grant_id, "created_at": ctx.now}
    columns, marks = ", ".join(full), ", ".join("?" * len(full))
    ctx.tx.run(f"INSERT INTO kms_grant ({columns}) VALUES ({marks})", *full.values())  # noqa: S608 - constant names
    ctx.tx.changed("kms-grant", f"{key.region}/{key.key_id}")
    return grant_id


# ListGrants, ListRetirableGrants


def _listing(ctx: Context, req: api.ListGrantsRequest) -> Target:
    return names.named(ctx, req.key_id, aliases=False).target


def _managing(ctx: Context, _req: Any) -> dict[str, Any]:  # noqa: ANN401 - either request
    return conditions.managing_grants(ctx)


@operation("kms", resource=_listing, context=_managing, read=True)
def list_grants(ctx: Context, req: api.ListGrantsRequest) -> api.ListGrantsResponse:
    """List a key's grants, by id; those of one grantee, or one alone."""
    key = names.named(ctx, req.key_id, aliases=False).key
    if req.grantee_principal and req.grantee_service_principal:
        raise errors.not_both("GranteePrincipal", "GranteeServicePrincipal")
    _must_be_grant_id(req.grant_id)
    grantee = _wanted(ctx, req.grantee_principal, req.grantee_service_principal)
    pager = Pager(ctx, req, key.arn, req.grant_id, grantee, default=50, most=100)
    where, values = "WHERE region = ? AND key_id = ? AND grant_id > ?", [key.region, key.key_id, pager.after]
    for column, value in (("grant_id", req.grant_id), ("grantee", grantee)):
        if value is not None:
            where, values = f"{where} AND {column} = ?", [*values, value]
    rows = ctx.tx.all(select(f"{where} ORDER BY grant_id LIMIT ?"), *values, pager.limit + 1)
    return _page(ctx, pager, [LiveGrant.of(row) for row in rows], lambda grant: grant.id)


class _Retirable(NamedTuple):
    account: str
    identity: str


def _retirable(ctx: Context, req: api.ListRetirableGrantsRequest) -> _Retirable:
    """Whose retirable grants are asked for. Raises ValidationException, InvalidArnException."""
    if bool(req.retiring_principal) == bool(req.retiring_service_principal):
        raise errors.one_of("RetiringPrincipal", "RetiringServicePrincipal")
    if req.retiring_service_principal:
        # "This filter is only usable by callers in a service principal."
        raise errors.only_services("RetiringServicePrincipal")
    name = req.retiring_principal or ""
    parts = name.split(":", 5)
    if len(parts) < 6 or parts[4] != ctx.account:
        raise errors.no_principal(name)
    return _Retirable(parts[4], _identity(ctx, name))


_RETIRABLE = (
    "WHERE region = ? AND retiring = ? AND (key_id > ? OR (key_id = ? AND grant_id > ?)) ORDER BY key_id, grant_id LIMIT ?"
)


@operation("kms", resource="*", read=True)
def list_retirable_grants(ctx: Context, req: api.ListRetirableGrantsRequest) -> api.ListGrantsResponse:
    """List the grants in this Region, on keys of any account, that a principal of this account may retire."""
    wanted = _retirable(ctx, req)
    pager = Pager(ctx, req, wanted.identity, default=50, most=100)
    after = pager.after.partition("/")
    rows = ctx.tx.all(
        select(_RETIRABLE),
        ctx.region,
        wanted.identity,
        after[0],
        after[0],
        after[2],
        pager.limit + 1,
    )
    return _page(ctx, pager, [LiveGrant.of(row) for row in rows], lambda grant: f"{grant.key_id}/{grant.id}")


def _wanted(ctx: Context, principal: str | None, service: str | None) -> str | None:
    """The identity that a filter names. Somebody who is gone is found by the unique id that answers show."""
    if principal is None:
        return service
    found = principal_id(ctx.tx, principal)
    return principal if found is None else found


def _page(ctx: Context, pager: Pager, grants: Sequence[LiveGrant], position: Any) -> api.ListGrantsResponse:  # noqa: ANN401 - a key function
    page = pager.cut(grants, position)
    return api.ListGrantsResponse(
        grants=[_entry(ctx, grant) for grant in page.items], next_marker=page.marker, truncated=page.truncated
    )


def _entry(ctx: Context, grant: LiveGrant) -> api.GrantListEntry:
    document = grant.document
    constraints = api.GrantConstraints(
        encryption_context_equals=document.get("EncryptionContextEquals"),
        encryption_context_subset=document.get("EncryptionContextSubset"),
        source_arn=document.get("SourceArn"),
    )
    grantee = principal_name(ctx.tx, grant.grantee_name, grant.grantee)
    retires = principal_name(ctx.tx, grant.retiring_name, grant.retiring) or None
    return api.GrantListEntry(
        key_id=_arn_of(ctx, grant),
        grant_id=grant.id,
        name=grant.name,
        creation_date=grant.created_at,
        grantee_principal=None if grant.grantee_service else grantee,
        grantee_service_principal=grantee if grant.grantee_service else None,
        retiring_principal=None if grant.retiring_service else retires,
        retiring_service_principal=retires if grant.retiring_service else None,
        issuing_account=f"arn:{ctx.partition}:iam::{grant.issuing_account}:root",
        operations=sorted(grant.operations),
        constraints=constraints if document else None,
    )


def _arn_of(ctx: Context, grant: LiveGrant) -> str:
    key = names.live_keys(ctx).find(ctx.tx, ctx.region, grant.key_id)
    return key.arn if key is not None else key_arn(ctx.region, grant.issuing_account, grant.key_id, ctx.partition)


# RetireGrant, RevokeGrant


@operation("kms", resource=retiring.target, context=retiring.context)
def retire_grant(ctx: Context, req: api.RetireGrantRequest) -> None:
    """End a grant, by whom it names for that, or on the behalf of its accounts; in any state of the key."""
    named = retiring.named(ctx, req)
    _end(ctx, named.key, named.grant_id, dry_run=bool(req.dry_run))


def _revoking(ctx: Context, req: api.RevokeGrantRequest) -> Target:
    return names.named(ctx, req.key_id, aliases=False).target


@operation("kms", resource=_revoking, context=_managing)
def revoke_grant(ctx: Context, req: api.RevokeGrantRequest) -> None:
    """End a grant, by whom the key's policies allow it; in any state of the key."""
    key = names.named(ctx, req.key_id, aliases=False).key
    _must_be_grant_id(req.grant_id)
    _end(ctx, key, req.grant_id, dry_run=bool(req.dry_run))


def _end(ctx: Context, key: LiveKey, grant_id: str, *, dry_run: bool) -> None:
    where = "FROM kms_grant WHERE region = ? AND key_id = ? AND grant_id = ?"
    if ctx.tx.one(f"SELECT 1 {where}", key.region, key.key_id, grant_id) is None:
        raise errors.no_such_grant(grant_id)
    if dry_run:
        raise errors.dry_run()
    ctx.tx.run(f"DELETE {where}", key.region, key.key_id, grant_id)
    ctx.tx.changed("kms-grant", f"{key.region}/{key.key_id}")


def _must_be_grant_id(grant_id: str | None) -> None:
    if grant_id is not None and not _GRANT_ID.fullmatch(grant_id):
        raise errors.grant_id_form(grant_id)
