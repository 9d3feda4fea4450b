"""OpenID Connect providers: whose ID tokens AssumeRoleWithWebIdentity takes.

Sources: IAM API Reference, the operations named here; IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM"
and "IAM and AWS STS quotas". Texts as AWS answered them in 2021 to 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import PREPARED, Target, operation
from garrison.identity.federation.https import FetchError
from garrison.identity.federation.issuers import Issuers
from garrison.identity.federation.providers import OIDC, OidcProvider, find_oidc, oidc_arn
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

CLIENT_IDS = 100
THUMBPRINTS = 5
_THUMBPRINT = re.compile(r"[0-9a-fA-F]{40}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_PRINTABLE = re.compile(r"[!-~]+")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


def _arn_target(ctx: Context, req: Any) -> Target:  # noqa: ANN401 - any request that names a provider
    return provider_target(ctx, req.open_id_connect_provider_arn)


def _new(ctx: Context, req: api.CreateOpenIDConnectProviderRequest) -> Target:
    return Target(oidc_arn(ctx.account, _name_of(ctx, req.url)), ctx.account)


def _thumbprint(ctx: Context, req: api.CreateOpenIDConnectProviderRequest) -> Callable[[], list[str]] | None:
    """Where none is given, that of the server's top intermediate authority, looked up beside the loop."""
    if req.thumbprint_list or not req.url.startswith("https://"):
        return None
    return partial(_looked_up, ctx.ports.issuers, req.url)


def _looked_up(issuers: Issuers, url: str) -> list[str]:
    """None where the server cannot be reached: then only the authorities of the system can vouch for it, later too."""
    try:
        return [issuers.fetcher.top_thumbprint(url)]
    except FetchError:
        return []


@operation("iam", resource=_new, context=request_tags, prepare=_thumbprint)
def create_open_id_connect_provider(
    ctx: Context, req: api.CreateOpenIDConnectProviderRequest
) -> api.CreateOpenIDConnectProviderResponse:
    """Take an issuer's ID tokens from now on.

    Raises ValidationError (the URL), InvalidInput (thumbprints, tags), EntityAlreadyExists, LimitExceeded (100 providers, 100
    client ids).
    """
    refuse_propagation(req.context_provider, req.identity_center_instance_arn)
    name = _name_of(ctx, req.url)
    if find_oidc(ctx.tx, ctx.account, name) is not None:
        raise api.EntityAlreadyExistsException(f"Provider with url {req.url} already exists.")
    if count_providers(ctx, "iam_oidc_provider") >= PROVIDERS_PER_ACCOUNT:
        raise errors.quota("OpenIDConnectProvidersPerAccount", PROVIDERS_PER_ACCOUNT)
    clients = tuple(dict.fromkeys(req.client_id_list or ()))
    _check_clients(clients)
    thumbprints = _checked_thumbprints(req.thumbprint_list or ctx.scratch.get(PREPARED, []))
    row = OidcProvider(ctx.account, name, req.url, clients, thumbprints, ctx.now)
    ctx.tx.run(
        f"INSERT INTO iam_oidc_provider ({OIDC}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant column list
        *row[:3],
        json.dumps(clients),
        json.dumps(thumbprints),
        row.created,
    )
    tags = first_tags(ctx, row.arn, req.tags)
    _changed(ctx, row)
    return api.CreateOpenIDConnectProviderResponse(open_id_connect_provider_arn=row.arn, tags=tags)


@operation("iam", resource=_arn_target, read=True)
def get_open_id_connect_provider(ctx: Context, req: api.GetOpenIDConnectProviderRequest) -> api.GetOpenIDConnectProviderResponse:
    """A provider; its URL without the scheme, as AWS shows it. Raises NoSuchEntity."""
    row = _named(ctx, req.open_id_connect_provider_arn)
    return api.GetOpenIDConnectProviderResponse(
        url=row.name,
        client_id_list=list(row.client_ids),
        thumbprint_list=list(row.thumbprints),
        create_date=row.created,
        tags=tag_list(tags_of(ctx.tx, ctx.account, row.arn)),
    )


@operation("iam", resource=every_provider, read=True)
def list_open_id_connect_providers(ctx: Context, _req: object) -> api.ListOpenIDConnectProvidersResponse:
    """Every provider of the account, in one answer."""
    rows = ctx.tx.all("SELECT name FROM iam_oidc_provider WHERE account = ? ORDER BY created, name", ctx.account)
    found = [api.OpenIDConnectProviderListEntry(arn=oidc_arn(ctx.account, name)) for (name,) in rows]
    return api.ListOpenIDConnectProvidersResponse(open_id_connect_provider_list=found)


@operation("iam", resource=_arn_target)
def delete_open_id_connect_provider(ctx: Context, req: api.DeleteOpenIDConnectProviderRequest) -> None:
    """Take no tokens of an issuer any more. Roles that trust it are not touched. Raises NoSuchEntity."""
    row = _named(ctx, req.open_id_connect_provider_arn)
    drop_tags(ctx.tx, ctx.account, row.arn)
    ctx.tx.run("DELETE FROM iam_oidc_provider WHERE account = ? AND name = ?", ctx.account, row.name)
    changed(ctx, "OIDCProvider", row.arn, None)


@operation("iam", resource=_arn_target)
def add_client_id_to_open_id_connect_provider(ctx: Context, req: api.AddClientIDToOpenIDConnectProviderRequest) -> None:
    """Take tokens for another client. One that is there is no error. Raises NoSuchEntity, LimitExceeded (100)."""
    row = _named(ctx, req.open_id_connect_provider_arn)
    clients = tuple(dict.fromkeys((*row.client_ids, req.client_id)))
    _check_clients(clients)
    _put(ctx, row._replace(client_ids=clients))


@operation("iam", resource=_arn_target)
def remove_client_id_from_open_id_connect_provider(ctx: Context, req: api.RemoveClientIDFromOpenIDConnectProviderRequest) -> None:
    """Take no tokens for a client any more. One that is not there is no error. Raises NoSuchEntity."""
    row = _named(ctx, req.open_id_connect_provider_arn)
    _put(ctx, row._replace(client_ids=tuple(each for each in row.client_ids if each != req.client_id)))


@operation("iam", resource=_arn_target)
def update_open_id_connect_provider_thumbprint(ctx: Context, req: api.UpdateOpenIDConnectProviderThumbprintRequest) -> None:
    """Put other thumbprints in the place of all. Raises NoSuchEntity, InvalidInput."""
    row = _named(ctx, req.open_id_connect_provider_arn)
    _put(ctx, row._replace(thumbprints=_checked_thumbprints(req.thumbprint_list)))


@operation("iam", action="iam:UpdateOpenIDConnectProviderThumbprint", resource=_arn_target)
def update_open_id_connect_provider(ctx: Context, req: api.UpdateOpenIDConnectProviderRequest) -> None:
    """Take trusted identity propagation away, which no provider here has. Raises NoSuchEntity, InvalidInput for anything else."""
    refuse_propagation(req.context_provider, req.identity_center_instance_arn)
    row = _named(ctx, req.open_id_connect_provider_arn)
    if not req.remove_context_provider and not req.remove_identity_center_instance:
        raise api.InvalidInputException("Unable to update identity provider. No updates are defined.")
    _changed(ctx, row)


@operation("iam", resource=_arn_target, context=request_tags)
def tag_open_id_connect_provider(ctx: Context, req: api.TagOpenIDConnectProviderRequest) -> None:
    """Set tags. Raises NoSuchEntity, InvalidInput, LimitExceeded (50)."""
    row = _named(ctx, req.open_id_connect_provider_arn)
    add_tags(ctx, row.arn, req.tags)
    _changed(ctx, row)


@operation("iam", resource=_arn_target, context=tag_keys)
def untag_open_id_connect_provider(ctx: Context, req: api.UntagOpenIDConnectProviderRequest) -> None:
    """Take tags away. Raises NoSuchEntity."""
    row = _named(ctx, req.open_id_connect_provider_arn)
    take_tags(ctx, row.arn, req.tag_keys)
    _changed(ctx, row)


@operation("iam", resource=_arn_target, read=True)
def list_open_id_connect_provider_tags(
    ctx: Context, req: api.ListOpenIDConnectProviderTagsRequest
) -> api.ListOpenIDConnectProviderTagsResponse:
    """The tags by key. Raises NoSuchEntity."""
    page = listed_tags(ctx, _named(ctx, req.open_id_connect_provider_arn).arn, req)
    return api.ListOpenIDConnectProviderTagsResponse(tags=page.items, is_truncated=page.truncated, marker=page.marker)


def _name_of(ctx: Context, url: str) -> str:
    """A URL without its scheme. Raises ValidationError where it cannot be an issuer's."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    name = url.partition("://")[2]
    plain = (
        _PRINTABLE.fullmatch(url)
        and port != 0
        and _HOST.fullmatch(parts.hostname or "")
        and _PATH.fullmatch(parts.path)
        and not (parts.query or parts.fragment or "?" in url or "#" in url or parts.username)
    )
    if not plain or not url.startswith(("https://", "http://")) or not ctx.ports.issuers.allows(url):
        raise CommonError("validation", "Invalid Open ID Connect Provider URL")
    return name


def _check_clients(clients: Sequence[str]) -> None:
    if len(clients) > CLIENT_IDS:
        raise errors.quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS)


def _checked_thumbprints(given: Sequence[str]) -> tuple[str, ...]:
    if len(given) > THUMBPRINTS:
        raise api.InvalidInputException(f"Thumbprint list must contain fewer than {THUMBPRINTS} entries.")
    if not all(map(_THUMBPRINT.fullmatch, given)):
        raise api.InvalidInputException("Thumbprint must be the hexadecimal SHA-1 digest of a certificate: 40 digits.")
    return tuple(dict.fromkeys(each.lower() for each in given))


def _named(ctx: Context, arn: str) -> OidcProvider:
    row = find_oidc(ctx.tx, ctx.account, own_name(ctx, arn, "oidc"))
    if row is None:
        raise api.NoSuchEntityException(f"OpenIDConnect Provider not found for arn {arn}")
    return row


def _put(ctx: Context, row: OidcProvider) -> None:
    ctx.tx.run(
        "UPDATE iam_oidc_provider SET client_ids = ?, thumbprints = ? WHERE account = ? AND name = ?",
        json.dumps(row.client_ids),
        json.dumps(row.thumbprints),
        row.account,
        row.name,
    )
    _changed(ctx, row)


def _changed(ctx: Context, row: OidcProvider) -> None:
    shown = {"Url": row.name, "ClientIDList": list(row.client_ids), "ThumbprintList": list(row.thumbprints)}
    changed(ctx, "OIDCProvider", row.arn, {**shown, "CreateDate": row.created})
