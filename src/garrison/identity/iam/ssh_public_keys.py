"""SSH public keys of users: RSA of at least 2,048 bits, in OpenSSH's or PEM form, with their MD5 fingerprints.

Sources: IAM API Reference, "UploadSSHPublicKey"; RFC 4253, section 6.6 (the key's blob); RFC 4716, section 4 (the fingerprint).
"""

from __future__ import annotations

import base64
import hashlib
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import errors
from garrison.identity.iam.holders import Holder, checked_status, credential_changed, holder_of
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.rows import count
from garrison.identity.iam.targets import user_target

KEYS_PER_USER = 5
LEAST_BITS = 2048
MOST_BITS = 16_384
"""OpenSSL's own limit: a longer key could never be used."""
_KEY = "key_id, body, fingerprint, status, uploaded"


class _Row(NamedTuple):
    id: str
    body: str
    fingerprint: str
    status: str
    uploaded: float


@operation("iam", resource=user_target)
def upload_ssh_public_key(ctx: Context, req: api.UploadSSHPublicKeyRequest) -> api.UploadSSHPublicKeyResponse:
    """Give a user an SSH public key. Its comment is dropped, as AWS does.

    Raises NoSuchEntity, UnrecognizedPublicKeyEncoding, InvalidPublicKey, DuplicateSSHPublicKey, LimitExceeded (5).
    """
    owner = holder_of(ctx, req.user_name)
    body = _ssh(_parsed(req.ssh_public_key_body))
    if count(ctx.tx, "iam_ssh_public_key", "account = ? AND owner_id = ? AND body = ?", ctx.account, owner.id, body):
        raise api.DuplicateSSHPublicKeyException(f"SSH public key is already associated with the user {owner.name}.")
    if count(ctx.tx, "iam_ssh_public_key", "account = ? AND owner_id = ?", ctx.account, owner.id) >= KEYS_PER_USER:
        raise errors.quota("SSHPublicKeysPerUser", KEYS_PER_USER)
    row = _Row(ctx.unique_id("APKA", 16), body, _fingerprint(body), "Active", ctx.now)
    ctx.tx.run(
        f"INSERT INTO iam_ssh_public_key (account, owner_id, {_KEY}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        ctx.account,
        owner.id,
        *row,
    )
    _changed(ctx, row, owner)
    return api.UploadSSHPublicKeyResponse(ssh_public_key=_shown(owner, row, row.body))


@operation("iam", resource=user_target, read=True)
def get_ssh_public_key(ctx: Context, req: api.GetSSHPublicKeyRequest) -> api.GetSSHPublicKeyResponse:
    """A key in the form that is asked for: ``SSH`` or ``PEM``. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    row = _row(ctx, owner, req.ssh_public_key_id)
    body = row.body if req.encoding == "SSH" else _pem(row.body)
    return api.GetSSHPublicKeyResponse(ssh_public_key=_shown(owner, row, body))


@operation("iam", resource=user_target, read=True)
def list_ssh_public_keys(ctx: Context, req: api.ListSSHPublicKeysRequest) -> api.ListSSHPublicKeysResponse:
    """A user's keys without their bodies; the caller's where no name is given. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    sql = f"SELECT {_KEY} FROM iam_ssh_public_key WHERE account = ? AND owner_id = ? ORDER BY key_id"  # noqa: S608 - constant columns
    page = Pager(ctx, req, owner.id).cut([_Row(*row) for row in ctx.tx.all(sql, ctx.account, owner.id)], lambda row: row.id)
    keys = [
        api.SSHPublicKeyMetadata(user_name=owner.name, ssh_public_key_id=row.id, status=row.status, upload_date=row.uploaded)
        for row in page.items
    ]
    return api.ListSSHPublicKeysResponse(ssh_public_keys=keys, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=user_target)
def update_ssh_public_key(ctx: Context, req: api.UpdateSSHPublicKeyRequest) -> None:
    """Switch a key on or off. Raises NoSuchEntity, InvalidInput."""
    owner = holder_of(ctx, req.user_name)
    row = _row(ctx, owner, req.ssh_public_key_id)._replace(status=checked_status(req.status))
    ctx.tx.run("UPDATE iam_ssh_public_key SET status = ? WHERE account = ? AND key_id = ?", row.status, ctx.account, row.id)
    _changed(ctx, row, owner)


@operation("iam", resource=user_target)
def delete_ssh_public_key(ctx: Context, req: api.DeleteSSHPublicKeyRequest) -> None:
    """Delete a key. Raises NoSuchEntity."""
    owner = holder_of(ctx, req.user_name)
    row = _row(ctx, owner, req.ssh_public_key_id)
    ctx.tx.run("DELETE FROM iam_ssh_public_key WHERE account = ? AND key_id = ?", ctx.account, row.id)
    credential_changed(ctx, "SSHPublicKey", row.id, owner, None)


def _parsed(text: str) -> RSAPublicKey:
    """Raises UnrecognizedPublicKeyEncoding for what is in no known form, InvalidPublicKey for a key that may not be used."""
    material = text.strip().encode("latin-1", "replace")
    if material.startswith(b"-----BEGIN "):
        load = load_pem_public_key
    elif material.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        load = load_ssh_public_key
    else:
        raise api.UnrecognizedPublicKeyEncodingException("The encoding of the SSH public key must be ssh-rsa or PEM.")
    try:
        found = load(material)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise api.InvalidPublicKeyException("The SSH public key is malformed.") from error
    if not isinstance(found, RSAPublicKey) or not LEAST_BITS <= found.key_size <= MOST_BITS:
        raise api.InvalidPublicKeyException(f"The SSH public key must be an RSA key of at least {LEAST_BITS} bits.")
    return found


def _ssh(key: RSAPublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _pem(body: str) -> str:
    return load_ssh_public_key(body.encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _fingerprint(body: str) -> str:
    blob = base64.b64decode(body.split(" ")[1])
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()  # RFC 4716 asks for MD5; the body itself tells keys apart
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _row(ctx: Context, owner: Holder, key_id: str) -> _Row:
    sql = f"SELECT {_KEY} FROM iam_ssh_public_key WHERE account = ? AND owner_id = ? AND key_id = ?"  # noqa: S608 - constant columns
    row = ctx.tx.one(sql, ctx.account, owner.id, key_id)
    if row is None:
        raise api.NoSuchEntityException(f"The Public Key with id {key_id} cannot be found.")
    return _Row(*row)


def _shown(owner: Holder, row: _Row, body: str) -> api.SSHPublicKey:
    return api.SSHPublicKey(
        user_name=owner.name,
        ssh_public_key_id=row.id,
        fingerprint=row.fingerprint,
        ssh_public_key_body=body,
        status=row.status,
        upload_date=row.uploaded,
    )


def _changed(ctx: Context, row: _Row, owner: Holder) -> None:
    configuration = {"SSHPublicKeyId": row.id, "Fingerprint": row.fingerprint, "Status": row.status}
    credential_changed(ctx, "SSHPublicKey", row.id, owner, configuration)
