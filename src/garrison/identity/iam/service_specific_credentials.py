"""Service-specific credentials: passwords for CodeCommit and Keyspaces, long-term API keys for Bedrock and CloudWatch Logs.

A secret is shown once, when it is made; what is kept is its hash, sealed. Sources: IAM API Reference, the operations named here;
IAM User Guide, "Service-specific credentials"; Bedrock User Guide, "API keys" (the alias and the secret in a key's text).
"""

from __future__ import annotations

import base64
import hashlib
from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import Keys, operation
from garrison.identity.iam import errors
from garrison.identity.iam.holders import Holder, checked_status, credential_changed, holder_by_id, holder_of
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import count
from garrison.identity.iam.targets import Asked, anyones_credentials, user_target

PASSWORDS = frozenset({"codecommit.amazonaws.com", "cassandra.amazonaws.com"})
API_KEYS = {"bedrock.amazonaws.com": "ABSK", "logs.amazonaws.com": "ACWL"}
"""Services that take long-term API keys, and how such a key begins."""
PER_SERVICE = 2
PURPOSE = "service-credential"
"""What hashes of secrets are sealed for; the associated bytes are account and id."""
DAY = 86_400
_COLUMNS = "credential_id, owner_id, service, public_name, status, created, expires"


class _Row(NamedTuple):
    id: str
    owner_id: str
    service: str
    name: str
    status: str
    created: float
    expires: float | None

    def status_at(self, now: float) -> str:
        """``Expired`` once its days are over, whatever it was."""
        return "Expired" if self.expires is not None and self.expires <= now else self.status


def new_keys(_ctx: Context, req: api.CreateServiceSpecificCredentialRequest) -> Keys:
    """``iam:ServiceSpecificCredentialServiceName``, and how many days it is to last."""
    keys: dict[str, str | int] = {"iam:ServiceSpecificCredentialServiceName": req.service_name}
    if req.credential_age_days is not None:
        keys["iam:ServiceSpecificCredentialAgeDays"] = req.credential_age_days
    return keys


def present_keys(ctx: Context, req: Asked) -> Keys:
    """``iam:ServiceSpecificCredentialServiceName`` of a credential that is there."""
    sql = "SELECT service FROM iam_service_credential WHERE account = ? AND credential_id = ?"
    row = ctx.tx.one(sql, ctx.account, req.service_specific_credential_id)
    return {"iam:ServiceSpecificCredentialServiceName": row[0]} if row else {}


@operation("iam", resource=user_target, context=new_keys)
def create_service_specific_credential(
    ctx: Context, req: api.CreateServiceSpecificCredentialRequest
) -> api.CreateServiceSpecificCredentialResponse:
    """Make a user's credential for one service.

    Raises NoSuchEntity (user, or a service that takes none), LimitExceeded (2 a service), ValidationError (days for a password).
    """
    owner = holder_of(ctx, req.user_name)
    _check_service(req.service_name)
    if req.credential_age_days is not None and req.service_name not in API_KEYS:
        raise CommonError("validation", f"CredentialAgeDays is not supported for service {req.service_name}")
    taken = _names(ctx, owner, req.service_name)
    if len(taken) >= PER_SERVICE:
        raise errors.quota("ServiceSpecificCredentialsPerUser", PER_SERVICE)
    days = req.credential_age_days
    row = _Row(
        ctx.unique_id("ACCA"),
        owner.id,
        req.service_name,
        _free_name(ctx, owner.name, req.service_name),
        "Active",
        ctx.now,
        None if days is None else ctx.now + days * DAY,
    )
    secret = _new_secret(ctx, row)
    ctx.tx.run(
        f"INSERT INTO iam_service_credential (account, proof, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        ctx.account,
        _sealed(ctx, row, secret),
        *row,
    )
    _changed(ctx, row, owner)
    return api.CreateServiceSpecificCredentialResponse(service_specific_credential=_shown(ctx, row, owner, secret))


@operation("iam", resource=anyones_credentials, read=True)
def list_service_specific_credentials(
    ctx: Context, req: api.ListServiceSpecificCredentialsRequest
) -> api.ListServiceSpecificCredentialsResponse:
    """A user's credentials without their secrets, or all users'; for one service where it is given.

    Raises NoSuchEntity, ValidationError where a user is named and all are asked for.
    """
    if req.service_name is not None:
        _check_service(req.service_name)
    if req.all_users and req.user_name is not None:
        raise CommonError("validation", "UserName and AllUsers cannot be specified together")
    owner = None if req.all_users else holder_of(ctx, req.user_name)
    pager = Pager(ctx, req, owner.id if owner else "*", req.service_name)
    page = pager.page(_listed(ctx, owner, req.service_name, pager), lambda row: row.id)
    return api.ListServiceSpecificCredentialsResponse(
        service_specific_credentials=[_metadata(ctx, row, owner or holder_by_id(ctx, row.owner_id)) for row in page.items],
        is_truncated=page.truncated,
        marker=page.marker,
    )


@operation("iam", resource=user_target, context=present_keys)
def update_service_specific_credential(ctx: Context, req: api.UpdateServiceSpecificCredentialRequest) -> None:
    """Switch a credential on or off. Raises NoSuchEntity, InvalidInput."""
    owner = holder_of(ctx, req.user_name)
    row = _row(ctx, owner, req.service_specific_credential_id)._replace(status=checked_status(req.status))
    ctx.tx.run(
        "UPDATE iam_service_credential SET status = ? WHERE account = ? AND credential_id = ?", row.status, ctx.account, row.id
    )
    _changed(ctx, row, owner)


@operation("iam", resource=user_target, context=present_keys)
def reset_service_specific_credential(
    ctx: Context, req: api.ResetServiceSpecificCredentialRequest
) -> api.ResetServiceSpecificCredentialResponse:
    """Put another secret in the place of a credential's; the old one is worth nothing from then on. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    row = _row(ctx, owner, req.service_specific_credential_id)
    secret = _new_secret(ctx, row)
    ctx.tx.run(
        "UPDATE iam_service_credential SET proof = ? WHERE account = ? AND credential_id = ?",
        _sealed(ctx, row, secret),
        ctx.account,
        row.id,
    )
    _changed(ctx, row, owner)
    return api.ResetServiceSpecificCredentialResponse(service_specific_credential=_shown(ctx, row, owner, secret))


@operation("iam", resource=user_target, context=present_keys)
def delete_service_specific_credential(ctx: Context, req: api.DeleteServiceSpecificCredentialRequest) -> None:
    """Delete a credential. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    row = _row(ctx, owner, req.service_specific_credential_id)
    ctx.tx.run("DELETE FROM iam_service_credential WHERE account = ? AND credential_id = ?", ctx.account, row.id)
    credential_changed(ctx, "ServiceSpecificCredential", row.id, owner, None)


def _check_service(name: str) -> None:
    if name not in PASSWORDS and name not in API_KEYS:
        raise api.NoSuchEntityException(f"No such service {name} is supported for Service Specific Credentials")


def _names(ctx: Context, owner: Holder, service: str) -> list[str]:
    sql = "SELECT public_name FROM iam_service_credential WHERE account = ? AND owner_id = ? AND service = ?"
    return [name for (name,) in ctx.tx.all(sql, ctx.account, owner.id, service)]


def _free_name(ctx: Context, user: str, service: str) -> str:
    """``jane-at-123456789012``, then ``jane+1-at-123456789012``: names are unique for a service, whoever has them."""
    used = "account = ? AND service = ? AND public_name = ?"
    number, name = 0, f"{user}-at-{ctx.account}"
    while count(ctx.tx, "iam_service_credential", used, ctx.account, service, name):
        number += 1
        name = f"{user}+{number}-at-{ctx.account}"
    return name


def _new_secret(ctx: Context, row: _Row) -> str:
    """A password of 32 random bytes; as an API key it carries its alias, as AWS's do."""
    password = base64.b64encode(ctx.random(32)).decode()
    prefix = API_KEYS.get(row.service)
    return password if prefix is None else prefix + base64.b64encode(f"{row.name}:{password}".encode()).decode()


def _sealed(ctx: Context, row: _Row, secret: str) -> bytes:
    """A hash is enough for 256 random bits: there is nothing to guess."""
    return ctx.ports.sealer.seal(PURPOSE, hashlib.sha256(secret.encode()).digest(), f"{ctx.account}/{row.id}".encode())


def _listed(ctx: Context, owner: Holder | None, service: str | None, pager: Pager) -> list[_Row]:
    where, parameters = "account = ? AND credential_id > ?", [ctx.account, pager.after]
    if owner is not None:
        where, parameters = f"{where} AND owner_id = ?", [*parameters, owner.id]
    if service is not None:
        where, parameters = f"{where} AND service = ?", [*parameters, service]
    sql = f"SELECT {_COLUMNS} FROM iam_service_credential WHERE {where} ORDER BY credential_id LIMIT ?"  # noqa: S608 - this function's own words
    return [_Row(*row) for row in ctx.tx.all(sql, *parameters, pager.limit + 1)]


def _row(ctx: Context, owner: Holder, credential_id: str) -> _Row:
    sql = f"SELECT {_COLUMNS} FROM iam_service_credential WHERE account = ? AND owner_id = ? AND credential_id = ?"  # noqa: S608 - constant columns
    row = ctx.tx.one(sql, ctx.account, owner.id, credential_id)
    if row is None:
        raise api.NoSuchEntityException(f"No such credential {credential_id} exists")
    return _Row(*row)


def _shown(ctx: Context, row: _Row, owner: Holder, secret: str) -> api.ServiceSpecificCredential:
    key = row.service in API_KEYS
    return api.ServiceSpecificCredential(
        create_date=row.created,
        expiration_date=row.expires,
        service_name=row.service,
        service_user_name=None if key else row.name,
        service_password=None if key else secret,
        service_credential_alias=row.name if key else None,
        service_credential_secret=secret if key else None,
        service_specific_credential_id=row.id,
        user_name=owner.name,
        status=row.status_at(ctx.now),
    )


def _metadata(ctx: Context, row: _Row, owner: Holder) -> api.ServiceSpecificCredentialMetadata:
    key = row.service in API_KEYS
    return api.ServiceSpecificCredentialMetadata(
        user_name=owner.name,
        status=row.status_at(ctx.now),
        service_user_name=None if key else row.name,
        service_credential_alias=row.name if key else None,
        create_date=row.created,
        expiration_date=row.expires,
        service_specific_credential_id=row.id,
        service_name=row.service,
    )


def _changed(ctx: Context, row: _Row, owner: Holder) -> None:
    configuration = {
        "ServiceSpecificCredentialId": row.id,
        "ServiceName": row.service,
        "PublicName": row.name,
        "Status": row.status,
        "ExpirationDate": row.expires,
    }
    credential_changed(ctx, "ServiceSpecificCredential", row.id, owner, configuration)
