"""Server certificates: a certificate, its chain and its private key, which is kept sealed and never given out.

Source: IAM API Reference, the operations named here; IAM User Guide, "Manage server certificates".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.errors import CommonError
from garrison.core.operation import PREPARED, Target, operation
from garrison.core.ports import KeyPairs
from garrison.identity.iam import errors
from garrison.identity.iam.certificate_rows import (
    CERTIFICATE,
    KIND,
    CertificateRow,
    certificate_named,
    find_certificate,
)
from garrison.identity.iam.certificates import Certificate, check_chain, check_period, read_certificate, read_chain
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import by_name, count
from garrison.identity.iam.tagging import drop_tags, put_tags, remove_tags, tag_list, tags_of
from garrison.identity.iam.targets import (
    certificate_target,
    listed,
    named_certificate,
    new_certificate,
    request_tags,
    tag_keys,
)

CERTIFICATES_PER_ACCOUNT = 20
PURPOSE = "server-certificate"
"""What private keys are sealed for; the associated bytes are account and id."""


class _Read(NamedTuple):
    """What an upload brought, read and held against each other."""

    certificate: Certificate
    chain: str | None


def _work(ctx: Context, req: api.UploadServerCertificateRequest) -> Callable[[], _Read]:
    """Beside the loop: proving that a private key is sound takes up to a quarter of a second."""
    pairs = ctx.ports.key_pairs
    if pairs is None:
        raise CommonError("internal")
    return partial(_checked, pairs, req, ctx.now)


@operation("iam", resource=new_certificate, context=request_tags, prepare=_work)
def upload_server_certificate(ctx: Context, req: api.UploadServerCertificateRequest) -> api.UploadServerCertificateResponse:
    """Keep a certificate with its private key.

    Raises EntityAlreadyExists, LimitExceeded (20), MalformedCertificate, KeyPairMismatch, InvalidInput (tags).
    """
    read: _Read = ctx.scratch[PREPARED] if PREPARED in ctx.scratch else _work(ctx, req)()
    if find_certificate(ctx.tx, ctx.account, req.server_certificate_name):
        raise errors.exists_with_article(KIND, req.server_certificate_name)
    if count(ctx.tx, "iam_server_certificate", "account = ?", ctx.account) >= CERTIFICATES_PER_ACCOUNT:
        raise errors.quota("ServerCertificatesPerAccount", CERTIFICATES_PER_ACCOUNT)
    row = CertificateRow(
        account=ctx.account,
        id=ctx.unique_id("ASCA"),
        name=req.server_certificate_name,
        path=req.path or "/",
        body=read.certificate.body,
        chain=read.chain,
        uploaded=ctx.now,
        expires=read.certificate.expires,
    )
    ctx.tx.run(
        f"INSERT INTO iam_server_certificate ({CERTIFICATE}, name_folded, private_key)"  # noqa: S608 - constant columns
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *row,
        row.name.lower(),
        ctx.ports.sealer.seal(PURPOSE, req.private_key.encode(), f"{ctx.account}/{row.id}".encode()),
    )
    put_tags(ctx.tx, ctx.account, row.id, req.tags or [])
    _changed(ctx, row)
    return api.UploadServerCertificateResponse(server_certificate_metadata=_metadata(row), tags=req.tags or None)


@operation("iam", resource=certificate_target, read=True)
def get_server_certificate(ctx: Context, req: api.GetServerCertificateRequest) -> api.GetServerCertificateResponse:
    """A certificate with its chain and tags; its private key is given to nobody. Raises NoSuchEntity."""
    row = certificate_named(ctx.tx, ctx.account, req.server_certificate_name)
    return api.GetServerCertificateResponse(
        server_certificate=api.ServerCertificate(
            server_certificate_metadata=_metadata(row),
            certificate_body=row.body,
            certificate_chain=row.chain,
            tags=tag_list(tags_of(ctx.tx, ctx.account, row.id)),
        )
    )


@operation("iam", resource=listed("server-certificate"), read=True)
def list_server_certificates(ctx: Context, req: api.ListServerCertificatesRequest) -> api.ListServerCertificatesResponse:
    """Certificates by name, under a path where one is given, without their bodies."""
    prefix = req.path_prefix or "/"
    pager = Pager(ctx, req, prefix)
    rows = by_name(
        ctx.tx, "iam_server_certificate", CERTIFICATE, ctx.account, after=pager.after, limit=pager.limit + 1, prefix=prefix
    )
    page = pager.page([CertificateRow(*row) for row in rows], lambda row: row.name.lower())
    return api.ListServerCertificatesResponse(
        server_certificate_metadata_list=[_metadata(row) for row in page.items], is_truncated=page.truncated, marker=page.marker
    )


def both_certificates(ctx: Context, req: api.UpdateServerCertificateRequest) -> list[Target]:
    """A rename needs the permission on the old name and on the new one (API Reference)."""
    targets = [named_certificate(ctx, req.server_certificate_name)]
    if req.new_server_certificate_name or req.new_path:
        row = find_certificate(ctx.tx, ctx.account, req.server_certificate_name)
        path = req.new_path or (row.path if row else "/")
        targets.append(named_certificate(ctx, req.new_server_certificate_name or req.server_certificate_name, path))
    return targets


@operation("iam", resource=both_certificates)
def update_server_certificate(ctx: Context, req: api.UpdateServerCertificateRequest) -> None:
    """Rename or move a certificate. Raises NoSuchEntity, EntityAlreadyExists."""
    row = certificate_named(ctx.tx, ctx.account, req.server_certificate_name)
    new = row._replace(name=req.new_server_certificate_name or row.name, path=req.new_path or row.path)
    taken = find_certificate(ctx.tx, ctx.account, new.name)
    if taken is not None and taken.id != row.id:
        raise errors.exists_with_article(KIND, new.name)
    ctx.tx.run(
        "UPDATE iam_server_certificate SET name = ?, name_folded = ?, path = ? WHERE account = ? AND certificate_id = ?",
        new.name,
        new.name.lower(),
        new.path,
        ctx.account,
        row.id,
    )
    _changed(ctx, new)


@operation("iam", resource=certificate_target)
def delete_server_certificate(ctx: Context, req: api.DeleteServerCertificateRequest) -> None:
    """Delete a certificate and its private key. Raises NoSuchEntity."""
    row = certificate_named(ctx.tx, ctx.account, req.server_certificate_name)
    drop_tags(ctx.tx, ctx.account, row.id)
    ctx.tx.run("DELETE FROM iam_server_certificate WHERE account = ? AND certificate_id = ?", ctx.account, row.id)
    _changed(ctx, row, deleted=True)


@operation("iam", resource=certificate_target, context=request_tags)
def tag_server_certificate(ctx: Context, req: api.TagServerCertificateRequest) -> None:
    """Set tags of a certificate. Raises NoSuchEntity, InvalidInput (a key twice), LimitExceeded (50)."""
    row = certificate_named(ctx.tx, ctx.account, req.server_certificate_name)
    put_tags(ctx.tx, ctx.account, row.id, req.tags)
    _changed(ctx, row)


@operation("iam", resource=certificate_target, context=tag_keys)
def untag_server_certificate(ctx: Context, req: api.UntagServerCertificateRequest) -> None:
    """Take tags off a certificate. Raises NoSuchEntity."""
    row = certificate_named(ctx.tx, ctx.account, req.server_certificate_name)
    remove_tags(ctx.tx, ctx.account, row.id, req.tag_keys)
    _changed(ctx, row)


@operation("iam", resource=certificate_target, read=True)
def list_server_certificate_tags(
    ctx: Context, req: api.ListServerCertificateTagsRequest
) -> api.ListServerCertificateTagsResponse:
    """The tags of a certificate by key. Raises NoSuchEntity."""
    row = certificate_named(ctx.tx, ctx.account, req.server_certificate_name)
    page = Pager(ctx, req, row.id).cut(tag_list(tags_of(ctx.tx, ctx.account, row.id)), lambda tag: tag.key)
    return api.ListServerCertificateTagsResponse(tags=page.items, is_truncated=page.truncated, marker=page.marker)


def _checked(pairs: KeyPairs, req: api.UploadServerCertificateRequest, now: float) -> _Read:
    certificate = read_certificate(req.certificate_body)
    check_period(certificate, now)
    try:
        public = pairs.public_half(req.private_key)
    except ValueError as error:
        encrypted = str(error) == "encrypted"
        reason = "the body is encrypted." if encrypted else "it must be an RSA or EC private key in PEM format."
        # Without the cause: its text might tell of the key.
        raise api.MalformedCertificateException(f"Unable to parse key; {reason}") from None
    if public != certificate.public:
        raise api.KeyPairMismatchException("The private key does not match the public key of the certificate.")
    chain = read_chain(req.certificate_chain) if req.certificate_chain is not None else []
    check_chain(certificate, chain)
    return _Read(certificate, "\n".join(each.body for each in chain) or None)


def _metadata(row: CertificateRow) -> api.ServerCertificateMetadata:
    return api.ServerCertificateMetadata(
        path=row.path,
        server_certificate_name=row.name,
        server_certificate_id=row.id,
        arn=row.arn,
        upload_date=row.uploaded,
        expiration=row.expires,
    )


def _changed(ctx: Context, row: CertificateRow, *, deleted: bool = False) -> None:
    configuration = {"CertificateBody": row.body, "CertificateChain": row.chain, "UploadDate": row.uploaded}
    item = ConfigurationItem(
        type="AWS::IAM::ServerCertificate",
        id=row.id,
        arn=row.arn,
        account=row.account,
        region="global",
        name=row.name,
        tags={} if deleted else tags_of(ctx.tx, row.account, row.id),
        configuration={} if deleted else configuration,
        facts={} if deleted else {"expires": row.expires},
        deleted=deleted,
    )
    ctx.changed(item)
