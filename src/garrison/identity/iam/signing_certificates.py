"""X.509 signing certificates of users and of the root user: two each, and none at two users.

Source: IAM API Reference, the operations named here.
"""

from __future__ import annotations

from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import errors
from garrison.identity.iam.certificates import read_certificate
from garrison.identity.iam.holders import Holder, checked_status, credential_changed, holder_of
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import count
from garrison.identity.iam.targets import user_target

CERTIFICATES_PER_USER = 2
_COLUMNS = "certificate_id, body, status, uploaded"


class _Row(NamedTuple):
    id: str
    body: str
    status: str
    uploaded: float


@operation("iam", resource=user_target)
def upload_signing_certificate(ctx: Context, req: api.UploadSigningCertificateRequest) -> api.UploadSigningCertificateResponse:
    """Give a user a signing certificate; the caller where no name is given.

    Raises NoSuchEntity, MalformedCertificate, InvalidCertificate (its time is over), DuplicateCertificate, LimitExceeded (2).
    """
    owner = holder_of(ctx, req.user_name)
    certificate = read_certificate(req.certificate_body)
    if not certificate.parsed.not_valid_before_utc.timestamp() <= ctx.now <= certificate.expires:
        raise api.InvalidCertificateException("The certificate is invalid: it is outside of its validity period.")
    if count(ctx.tx, "iam_signing_certificate", "account = ? AND thumbprint = ?", ctx.account, certificate.thumbprint):
        raise api.DuplicateCertificateException("The certificate is already associated with an IAM user in the account.")
    if count(ctx.tx, "iam_signing_certificate", "account = ? AND owner_id = ?", ctx.account, owner.id) >= CERTIFICATES_PER_USER:
        raise errors.quota("SigningCertificatesPerUser", CERTIFICATES_PER_USER)
    row = _Row(ctx.unique_id("", 32), certificate.body, "Active", ctx.now)
    ctx.tx.run(
        f"INSERT INTO iam_signing_certificate (account, owner_id, thumbprint, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        ctx.account,
        owner.id,
        certificate.thumbprint,
        *row,
    )
    _changed(ctx, row, owner)
    return api.UploadSigningCertificateResponse(certificate=_shown(owner, row))


@operation("iam", resource=user_target, read=True)
def list_signing_certificates(ctx: Context, req: api.ListSigningCertificatesRequest) -> api.ListSigningCertificatesResponse:
    """A user's signing certificates; the caller's where no name is given. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    sql = f"SELECT {_COLUMNS} FROM iam_signing_certificate WHERE account = ? AND owner_id = ? ORDER BY certificate_id"  # noqa: S608 - the same
    page = Pager(ctx, req, owner.id).cut([_Row(*row) for row in ctx.tx.all(sql, ctx.account, owner.id)], lambda row: row.id)
    return api.ListSigningCertificatesResponse(
        certificates=[_shown(owner, row) for row in page.items], is_truncated=page.truncated, marker=page.marker
    )


@operation("iam", resource=user_target)
def update_signing_certificate(ctx: Context, req: api.UpdateSigningCertificateRequest) -> None:
    """Switch a certificate on or off. Raises NoSuchEntity, InvalidInput."""
    owner = holder_of(ctx, req.user_name)
    row = _row(ctx, owner, req.certificate_id)._replace(status=checked_status(req.status))
    ctx.tx.run(
        "UPDATE iam_signing_certificate SET status = ? WHERE account = ? AND certificate_id = ?", row.status, ctx.account, row.id
    )
    _changed(ctx, row, owner)


@operation("iam", resource=user_target)
def delete_signing_certificate(ctx: Context, req: api.DeleteSigningCertificateRequest) -> None:
    """Delete a certificate. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    row = _row(ctx, owner, req.certificate_id)
    ctx.tx.run("DELETE FROM iam_signing_certificate WHERE account = ? AND certificate_id = ?", ctx.account, row.id)
    credential_changed(ctx, "SigningCertificate", row.id, owner, None)


def _row(ctx: Context, owner: Holder, certificate_id: str) -> _Row:
    sql = f"SELECT {_COLUMNS} FROM iam_signing_certificate WHERE account = ? AND owner_id = ? AND certificate_id = ?"  # noqa: S608 - constant columns
    row = ctx.tx.one(sql, ctx.account, owner.id, certificate_id)
    if row is None:
        raise api.NoSuchEntityException(f"The Certificate with id {certificate_id} cannot be found.")
    return _Row(*row)


def _shown(owner: Holder, row: _Row) -> api.SigningCertificate:
    return api.SigningCertificate(
        user_name=owner.name,
        certificate_id=row.id,
        certificate_body=row.body,
        status=row.status,
        upload_date=row.uploaded,
    )


def _changed(ctx: Context, row: _Row, owner: Holder) -> None:
    configuration = {"CertificateId": row.id, "CertificateBody": row.body, "Status": row.status}
    credential_changed(ctx, "SigningCertificate", row.id, owner, configuration)
