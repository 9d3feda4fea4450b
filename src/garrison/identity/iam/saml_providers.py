"""SAML providers: whose assertions AssumeRoleWithSAML takes, and the private keys that open encrypted ones.

Sources: IAM API Reference, the operations named here; IAM User Guide, "Create a SAML identity provider in IAM", "Troubleshoot
SAML federation with IAM" (error texts) and "IAM and AWS STS quotas".
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import PREPARED, Target, operation
from garrison.core.ports import Assertions
from garrison.identity.federation.providers import SAML, SamlProvider, find_saml, private_keys, saml_arn
from garrison.identity.federation.saml_metadata import Metadata, read_metadata
from garrison.identity.federation.saml_xml import BadXmlError
from garrison.identity.iam import errors
from garrison.identity.iam.providers import (
    PROVIDERS_PER_ACCOUNT,
    add_tags,
    changed,
    count_providers,
    every_provider,
    first_tags,
    listed_tags,
    own_name,
    provider_target,
    refuse_propagation,
    take_tags,
)
from garrison.identity.iam.tagging import drop_tags, tag_list, tags_of
from garrison.identity.iam.targets import request_tags, tag_keys

PRIVATE_KEYS = 2
_CENTURY = 100 * 365 * 86_400.0
"""How long a provider is good for whose metadata does not say: what AWS answers."""
_KEY_NEEDED = "Unable to set assertion encryption mode to Required because no private key is provided."
_NO_UPDATES = "Unable to update identity provider. No updates are defined for metadata or encryption assertion."


class _Brought(NamedTuple):
    """What a request brought, read beside the event loop."""

    metadata: Metadata | None
    sealed: bytes | None
    """The private key."""
    uuid: str


def _arn_target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request that names a provider
    return provider_target(ctx, req.saml_provider_arn)


def _new(ctx: Context, req: api.CreateSAMLProviderRequest) -> Target:
    return Target(saml_arn(ctx.account, req.name), ctx.account)


# Without metadata and private key


def _create_on_record(req: api.CreateSAMLProviderRequest) -> Mapping[str, Any]:
    tags = [{"key": tag.key, "value": tag.value} for tag in req.tags or ()]
    return _without_none(
        name=req.name,
        sAMLMetadataDocument=req.saml_metadata_document,
        assertionEncryptionMode=req.assertion_encryption_mode,
        tags=tags or None,
    )


def _update_on_record(req: api.UpdateSAMLProviderRequest) -> Mapping[str, Any]:
    return _without_none(
        sAMLProviderArn=req.saml_provider_arn,
        sAMLMetadataDocument=req.saml_metadata_document,
        assertionEncryptionMode=req.assertion_encryption_mode,
        removePrivateKey=req.remove_private_key,
    )


def _without_none(**members: Any) -> Mapping[str, Any]:  # noqa: ANN401 - members of any type
    return {name: value for name, value in members.items() if value is not None}


def _reads(document: str | None, pem: str | None, assertions: Assertions, account: str, uuid: str) -> _Brought:
    """Raises InvalidInput."""
    try:
        metadata = None if document is None else read_metadata(document)
    except BadXmlError as error:
        raise api.InvalidInputException("Could not parse metadata.") from error
    try:
        sealed = None if pem is None else assertions.keep(pem, f"{account}/{uuid}".encode())
    except ValueError as error:
        raise api.InvalidInputException("Invalid private key.") from error
    return _Brought(metadata, sealed, uuid)


def _to_create(ctx: Context, req: api.CreateSAMLProviderRequest) -> Callable[[], _Brought]:
    """Beside the event loop: a document may be long, and proving a key sound takes up to a quarter of a second."""
    uuid = ctx.unique_id("SAML", 18)
    return partial(_reads, req.saml_metadata_document, req.add_private_key, _opener(ctx), ctx.account, uuid)


def _to_update(ctx: Context, req: api.UpdateSAMLProviderRequest) -> Callable[[], _Brought] | None:
    row = _named(ctx, req.saml_provider_arn)
    if req.saml_metadata_document is None and req.add_private_key is None:
        return None
    return partial(_reads, req.saml_metadata_document, req.add_private_key, _opener(ctx), ctx.account, row.uuid)


def _opener(ctx: Context) -> Assertions:
    opener = ctx.ports.assertions
    if opener is None:
        raise RuntimeError("no port of assertions")
    return opener


@operation("iam", resource=_new, context=request_tags, prepare=_to_create, audit_request=_create_on_record)
def create_saml_provider(ctx: Context, req: api.CreateSAMLProviderRequest) -> api.CreateSAMLProviderResponse:
    """Take a provider's assertions from now on.

    Raises InvalidInput (metadata, private key, encryption mode, tags), EntityAlreadyExists, LimitExceeded (100 providers).
    """
    refuse_propagation(req.context_provider, req.identity_center_instance_arn)
    brought: _Brought = ctx.scratch[PREPARED]
    if find_saml(ctx.tx, ctx.account, req.name) is not None:
        raise api.EntityAlreadyExistsException(f"Provider with name {req.name} already exists.")
    if count_providers(ctx, "iam_saml_provider") >= PROVIDERS_PER_ACCOUNT:
        raise errors.quota("SAMLProvidersPerAccount", PROVIDERS_PER_ACCOUNT)
    if req.assertion_encryption_mode == "Required" and brought.sealed is None:
        raise api.InvalidInputException(_KEY_NEEDED)
    row = _filled(
        SamlProvider(
            account=ctx.account,
            name=req.name,
            uuid=brought.uuid,
            metadata=req.saml_metadata_document,
            issuer="",
            certificates=(),
            valid_until=0.0,
            encryption=req.assertion_encryption_mode,
            created=ctx.now,
        ),
        brought.metadata,
    )
    ctx.tx.run(f"INSERT INTO iam_saml_provider ({SAML}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *_columns(row))  # noqa: S608 - constant columns
    if brought.sealed is not None:
        _put_key(ctx, row, brought.sealed)
    tags = first_tags(ctx, row.arn, req.tags)
    _changed(ctx, row)
    return api.CreateSAMLProviderResponse(saml_provider_arn=row.arn, tags=tags)


@operation("iam", resource=_arn_target, read=True)
def get_saml_provider(ctx: Context, req: api.GetSAMLProviderRequest) -> api.GetSAMLProviderResponse:
    """A provider with its metadata; of its private keys the ids alone. Raises NoSuchEntity."""
    row = _named(ctx, req.saml_provider_arn)
    keys = [api.SAMLPrivateKey(key_id=key_id, timestamp=created) for key_id, _, created in private_keys(ctx.tx, row)]
    return api.GetSAMLProviderResponse(
        saml_provider_uuid=row.uuid,
        saml_metadata_document=row.metadata,
        create_date=row.created,
        valid_until=row.valid_until,
        tags=tag_list(tags_of(ctx.tx, ctx.account, row.arn)),
        assertion_encryption_mode=row.encryption,
        private_key_list=keys or None,
    )


@operation("iam", resource=every_provider, read=True)
def list_saml_providers(ctx: Context, _req: object) -> api.ListSAMLProvidersResponse:
    """Every provider of the account, in one answer."""
    sql = "SELECT name, valid_until, created FROM iam_saml_provider WHERE account = ? ORDER BY created, name"
    found = [
        api.SAMLProviderListEntry(arn=saml_arn(ctx.account, name), valid_until=until, create_date=created)
        for name, until, created in ctx.tx.all(sql, ctx.account)
    ]
    return api.ListSAMLProvidersResponse(saml_provider_list=found)


@operation("iam", resource=_arn_target, prepare=_to_update, audit_request=_update_on_record)
def update_saml_provider(ctx: Context, req: api.UpdateSAMLProviderRequest) -> api.UpdateSAMLProviderResponse:
    """Put other metadata or another encryption mode in place, add a private key or take one away.

    Raises NoSuchEntity, InvalidInput, LimitExceeded (2 private keys).
    """
    refuse_propagation(req.context_provider, req.identity_center_instance_arn)
    row = _named(ctx, req.saml_provider_arn)
    _must_update(req)
    brought: _Brought | None = ctx.scratch.get(PREPARED)
    if req.saml_metadata_document is not None and brought is not None:
        row = _filled(row._replace(metadata=req.saml_metadata_document), brought.metadata)
    row = row._replace(encryption=req.assertion_encryption_mode or row.encryption)
    if brought is not None and brought.sealed is not None:
        _put_key(ctx, row, brought.sealed)
    if req.remove_private_key is not None:
        _remove_key(ctx, row, req.remove_private_key)
    if row.encryption == "Required" and not private_keys(ctx.tx, row):
        raise api.InvalidInputException(_KEY_NEEDED if req.remove_private_key is None else "Failed to remove private key.")
    account, name, _, *columns = _columns(row)
    ctx.tx.run(
        "UPDATE iam_saml_provider SET metadata = ?, issuer = ?, certificates = ?, valid_until = ?, encryption = ?, created = ?"
        " WHERE account = ? AND name = ?",
        *columns,
        account,
        name,
    )
    _changed(ctx, row)
    return api.UpdateSAMLProviderResponse(saml_provider_arn=row.arn)


def _must_update(req: api.UpdateSAMLProviderRequest) -> None:
    """Raises InvalidInput where a request updates nothing, or two things that exclude each other."""
    if req.add_private_key is not None and req.remove_private_key is not None:
        raise api.InvalidInputException(
            "Unable to add and remove private keys in the same request. Set a value for only one of the two parameters."
        )
    wanted = (req.saml_metadata_document, req.assertion_encryption_mode, req.add_private_key, req.remove_private_key)
    if all(each is None for each in wanted) and not req.remove_context_provider and not req.remove_identity_center_instance:
        raise api.InvalidInputException(_NO_UPDATES)


@operation("iam", resource=_arn_target)
def delete_saml_provider(ctx: Context, req: api.DeleteSAMLProviderRequest) -> None:
    """Take no assertions of a provider any more. Roles that trust it are not touched. Raises NoSuchEntity."""
    row = _named(ctx, req.saml_provider_arn)
    drop_tags(ctx.tx, ctx.account, row.arn)
    ctx.tx.run("DELETE FROM iam_saml_private_key WHERE account = ? AND provider = ?", ctx.account, row.name)
    ctx.tx.run("DELETE FROM iam_saml_provider WHERE account = ? AND name = ?", ctx.account, row.name)
    changed(ctx, "SAMLProvider", row.arn, None)


@operation("iam", resource=_arn_target, context=request_tags)
def tag_saml_provider(ctx: Context, req: api.TagSAMLProviderRequest) -> None:
    """Set tags. Raises NoSuchEntity, InvalidInput, LimitExceeded (50)."""
    row = _named(ctx, req.saml_provider_arn)
    add_tags(ctx, row.arn, req.tags)
    _changed(ctx, row)


@operation("iam", resource=_arn_target, context=tag_keys)
def untag_saml_provider(ctx: Context, req: api.UntagSAMLProviderRequest) -> None:
    """Take tags away. Raises NoSuchEntity."""
    row = _named(ctx, req.saml_provider_arn)
    take_tags(ctx, row.arn, req.tag_keys)
    _changed(ctx, row)


@operation("iam", resource=_arn_target, read=True)
def list_saml_provider_tags(ctx: Context, req: api.ListSAMLProviderTagsRequest) -> api.ListSAMLProviderTagsResponse:
    """The tags by key. Raises NoSuchEntity."""
    page = listed_tags(ctx, _named(ctx, req.saml_provider_arn).arn, req)
    return api.ListSAMLProviderTagsResponse(tags=page.items, is_truncated=page.truncated, marker=page.marker)


def _named(ctx: Context, arn: str) -> SamlProvider:
    row = find_saml(ctx.tx, ctx.account, own_name(ctx, arn, "saml"))
    if row is None:
        raise api.NoSuchEntityException(f"Manifest not found for arn {arn}")
    return row


def _filled(row: SamlProvider, metadata: Metadata | None) -> SamlProvider:
    """The row with what its metadata says."""
    if metadata is None:
        return row
    until = row.created + _CENTURY if metadata.valid_until is None else metadata.valid_until
    return row._replace(issuer=metadata.issuer, certificates=metadata.certificates, valid_until=until)


def _columns(row: SamlProvider) -> tuple[Any, ...]:
    certificates = json.dumps([b64encode(each).decode() for each in row.certificates])
    return (*row[:5], certificates, *row[6:])


def _put_key(ctx: Context, row: SamlProvider, sealed: bytes) -> None:
    if len(private_keys(ctx.tx, row)) >= PRIVATE_KEYS:
        raise api.LimitExceededException(f"Private key limit of {PRIVATE_KEYS} is reached.")
    ctx.tx.run(
        "INSERT INTO iam_saml_private_key (account, provider, key_id, sealed, created) VALUES (?, ?, ?, ?, ?)",
        row.account,
        row.name,
        ctx.unique_id("SPRK", 18),
        sealed,
        ctx.now,
    )


def _remove_key(ctx: Context, row: SamlProvider, key_id: str) -> None:
    sql = "DELETE FROM iam_saml_private_key WHERE account = ? AND provider = ? AND key_id = ?"
    if not ctx.tx.run(sql, row.account, row.name, key_id):
        raise api.InvalidInputException("Failed to remove private key because the Key ID does not match a private key.")


def _changed(ctx: Context, row: SamlProvider) -> None:
    shown = {
        "SAMLProviderUUID": row.uuid,
        "Issuer": row.issuer,
        "CreateDate": row.created,
        "ValidUntil": row.valid_until,
        "AssertionEncryptionMode": row.encryption,
        "PrivateKeys": [key_id for key_id, _, _ in private_keys(ctx.tx, row)],
    }
    changed(ctx, "SAMLProvider", row.arn, shown)
