"""CreateCustomKeyStore, DescribeCustomKeyStores, UpdateCustomKeyStore, ConnectCustomKeyStore, DisconnectCustomKeyStore,
DeleteCustomKeyStore.

A store is asked for beside the loop before its row is written, and connected before ConnectCustomKeyStore answers: the states
CONNECTING and DISCONNECTING pass within the call.
"""  # noqa: D205 - the operations are the summary

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from garrison.api import kms as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.operation import PREPARED, operation
from garrison.keys.hsm.agent import Agent, HsmError
from garrison.keys.kms import conditions, errors
from garrison.keys.kms.custom import faults
from garrison.keys.kms.custom.stores import CLOUDHSM, COLUMNS, CONNECTED, DISCONNECTED, EXTERNAL, FAILED, KeyStore, LiveStores
from garrison.keys.kms.names import live_keys
from garrison.keys.kms.pages import Pager
from garrison.keys.xks.client import ProxyError

PER_ACCOUNT = 10
"""Source: KMS Developer Guide, "Resource quotas": custom key stores in an account and Region."""
_VPC = "VPC_ENDPOINT_SERVICE"
_NO_PROXY = "You cannot specify external key store proxy parameters for a custom key store of type AWS_CLOUDHSM."
_NO_CLUSTER = "You cannot specify CloudHSM cluster parameters for a custom key store of type EXTERNAL_KEY_STORE."


def stores(ctx: Context) -> LiveStores:
    """The custom key stores of this process."""
    return live_keys(ctx).stores


def caller(ctx: Context, _req: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
    """The condition keys of these operations."""
    return conditions.caller(ctx)


def own_store(ctx: Context, store_id: str) -> KeyStore:
    """A store of the caller's account, as the database has it now. Raises CustomKeyStoreNotFoundException."""
    found = stores(ctx).reread(ctx.tx, ctx.region, store_id)
    if found is None or found.account != ctx.account:
        raise api.CustomKeyStoreNotFoundException("")
    return found


# CreateCustomKeyStore


def _create_prepared(ctx: Context, req: api.CreateCustomKeyStoreRequest) -> Callable[[], None] | None:
    new = _new_store(ctx, req)
    _must_be_free(ctx, new)
    return partial(_must_answer, ctx, new) if new.type == EXTERNAL else None


@operation("kms", resource="*", context=caller, prepare=_create_prepared)
def create_custom_key_store(ctx: Context, req: api.CreateCustomKeyStoreRequest) -> api.CreateCustomKeyStoreResponse:
    """Bind an HSM, or an external key store proxy that answers, to an account; it is not connected yet."""
    new = _new_store(ctx, req)
    _must_be_free(ctx, new)
    held = ctx.tx.one("SELECT count(*) FROM kms_key_store WHERE account = ? AND region = ?", ctx.account, ctx.region)
    if held is not None and held[0] >= PER_ACCOUNT:
        raise api.LimitExceededException(
            f"You have reached the maximum of {PER_ACCOUNT} custom key stores in this account and Region."
        )
    new = replace(new, store_id="cks-" + ctx.random(9).hex()[:17])
    ctx.tx.run(
        f"INSERT INTO kms_key_store ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
        *_row(ctx, new),
    )
    _changed(ctx, new)
    return api.CreateCustomKeyStoreResponse(custom_key_store_id=new.store_id)


def _new_store(ctx: Context, req: api.CreateCustomKeyStoreRequest) -> KeyStore:
    """What the request asks for. Raises ValidationException where a member is missing or belongs to the other type."""
    new = KeyStore(
        region=ctx.region,
        store_id="",
        account=ctx.account,
        name=req.custom_key_store_name,
        type=req.custom_key_store_type or CLOUDHSM,
        state=DISCONNECTED,
        error_code="",
        created_at=ctx.now,
        secret="",
    )
    return _new_external(new, req) if new.type == EXTERNAL else _new_cloudhsm(ctx, new, req)


def _new_cloudhsm(ctx: Context, new: KeyStore, req: api.CreateCustomKeyStoreRequest) -> KeyStore:
    if _names_proxy(req):
        raise errors.validation(_NO_PROXY)
    cluster_id = _given(req.cloud_hsm_cluster_id, "cloudHsmClusterId")
    anchor = _given(req.trust_anchor_certificate, "trustAnchorCertificate")
    password = _given(req.key_store_password, "keyStorePassword")
    _must_be_cluster(ctx, cluster_id, anchor)
    return replace(new, cluster_id=cluster_id, trust_anchor=anchor, secret=password)


def _must_be_cluster(ctx: Context, cluster_id: str, anchor: str) -> None:
    cluster = stores(ctx).clusters.get(cluster_id)
    if cluster is None:
        raise api.CloudHsmClusterNotFoundException(f"Cluster {cluster_id} was not found.")
    if cluster.certificate and _same_pem(cluster.certificate) != _same_pem(anchor):
        raise api.IncorrectTrustAnchorException("The trust anchor certificate is not that of the cluster.")


def _same_pem(text: str) -> str:
    return "".join(text.split())


def _new_external(new: KeyStore, req: api.CreateCustomKeyStoreRequest) -> KeyStore:
    if req.cloud_hsm_cluster_id or req.trust_anchor_certificate or req.key_store_password:
        raise errors.validation(_NO_CLUSTER)
    connectivity = _given(req.xks_proxy_connectivity, "xksProxyConnectivity")
    credential = _given(req.xks_proxy_authentication_credential, "xksProxyAuthenticationCredential")
    _must_be_public(connectivity, req.xks_proxy_vpc_endpoint_service_name)
    return replace(
        new,
        connectivity=connectivity,
        endpoint=_given(req.xks_proxy_uri_endpoint, "xksProxyUriEndpoint"),
        path=_given(req.xks_proxy_uri_path, "xksProxyUriPath"),
        proxy_key_id=credential.access_key_id,
        secret=credential.raw_secret_access_key,
    )


def _must_be_public(connectivity: str, service_name: str | None) -> None:
    """There are no VPCs here, hence no endpoint services in them."""
    if connectivity == _VPC:
        raise api.XksProxyVpcEndpointServiceNotFoundException(f"The VPC endpoint service {service_name or ''} was not found.")
    if service_name:
        raise errors.validation("You can specify XksProxyVpcEndpointServiceName only with the connectivity VPC_ENDPOINT_SERVICE.")


def _names_proxy(req: api.CreateCustomKeyStoreRequest | api.UpdateCustomKeyStoreRequest) -> bool:
    return any(
        (
            req.xks_proxy_connectivity,
            req.xks_proxy_uri_endpoint,
            req.xks_proxy_uri_path,
            req.xks_proxy_vpc_endpoint_service_name,
            req.xks_proxy_authentication_credential,
        )
    )


def _given(value: Any, member: str) -> Any:  # noqa: ANN401 - a member of any type
    if value is None:
        raise errors.missing(member)
    return value


def _must_be_free(ctx: Context, wanted: KeyStore) -> None:
    """Raises CustomKeyStoreNameInUseException, XksProxyUriInUseException, CloudHsmClusterInUseException."""
    rows = ctx.tx.all(
        "SELECT account, store_id, name, cluster_id, endpoint, path FROM kms_key_store WHERE region = ? AND store_id <> ?",
        wanted.region,
        wanted.store_id,
    )
    for account, _, name, cluster_id, endpoint, path in rows:
        if account == wanted.account and name == wanted.name:
            raise api.CustomKeyStoreNameInUseException("")
        if wanted.cluster_id and cluster_id == wanted.cluster_id:
            raise api.CloudHsmClusterInUseException("")
        if wanted.endpoint and (endpoint, path) == (wanted.endpoint, wanted.path):
            raise api.XksProxyUriInUseException("")


def _must_answer(ctx: Context, store: KeyStore) -> None:
    """Beside the loop: the proxy is there, knows the credential, and has a key manager. Raises the modelled error."""
    try:
        stores(ctx).client.health(store.proxy, health_asked(ctx))
    except ProxyError as error:
        raise faults.of_store(error.kind) from None


def health_asked(ctx: Context) -> Mapping[str, str]:
    """``requestMetadata`` of GetHealthStatus."""
    return {"kmsRequestId": ctx.request_id, "kmsOperation": ctx.operation}


# DescribeCustomKeyStores


@operation("kms", resource="*", context=caller, read=True)
def describe_custom_key_stores(ctx: Context, req: api.DescribeCustomKeyStoresRequest) -> api.DescribeCustomKeyStoresResponse:
    """Show the custom key stores of the account in this Region, or one of them by id or name. No secret is shown."""
    if req.custom_key_store_id is not None and req.custom_key_store_name is not None:
        raise errors.validation("You can specify either CustomKeyStoreId or CustomKeyStoreName, not both.")
    pager = Pager(ctx, req, req.custom_key_store_id, req.custom_key_store_name, default=100, most=1000)
    rows = ctx.tx.all(
        f"SELECT {COLUMNS} FROM kms_key_store WHERE account = ? AND region = ? AND store_id > ?"  # noqa: S608 - constant
        " AND store_id = coalesce(?, store_id) AND name = coalesce(?, name) ORDER BY store_id LIMIT ?",
        ctx.account,
        ctx.region,
        pager.after,
        req.custom_key_store_id,
        req.custom_key_store_name,
        pager.limit + 1,
    )
    if not rows and (req.custom_key_store_id is not None or req.custom_key_store_name is not None):
        raise api.CustomKeyStoreNotFoundException("")
    page = pager.cut(rows, lambda row: str(row[1]))
    entries = [_shown(stores(ctx).of_row(row)) for row in page.items]
    return api.DescribeCustomKeyStoresResponse(custom_key_stores=entries, next_marker=page.marker, truncated=page.truncated)


def _shown(store: KeyStore) -> api.CustomKeyStoresListEntry:
    shown = api.CustomKeyStoresListEntry(
        custom_key_store_id=store.store_id,
        custom_key_store_name=store.name,
        connection_state=store.state,
        connection_error_code=store.error_code or None,
        creation_date=store.created_at,
        custom_key_store_type=store.type,
    )
    if store.type == CLOUDHSM:
        shown.cloud_hsm_cluster_id = store.cluster_id
        shown.trust_anchor_certificate = store.trust_anchor
    else:
        shown.xks_proxy_configuration = api.XksProxyConfigurationType(
            connectivity=store.connectivity,
            access_key_id=store.proxy_key_id,
            uri_endpoint=store.endpoint,
            uri_path=store.path,
        )
    return shown


# UpdateCustomKeyStore


def _update_prepared(ctx: Context, req: api.UpdateCustomKeyStoreRequest) -> Callable[[], None] | None:
    old = own_store(ctx, req.custom_key_store_id)
    new = _updated(ctx, old, req)
    _must_be_free(ctx, new)
    moved = (old.proxy, old.secret) != (new.proxy, new.secret)
    return partial(_must_answer, ctx, new) if new.type == EXTERNAL and moved else None


@operation("kms", resource="*", context=caller, prepare=_update_prepared)
def update_custom_key_store(ctx: Context, req: api.UpdateCustomKeyStoreRequest) -> api.UpdateCustomKeyStoreResponse:
    """Change a custom key store. A connected one keeps everything but what UpdateCustomKeyStore's page names."""
    new = _updated(ctx, own_store(ctx, req.custom_key_store_id), req)
    _must_be_free(ctx, new)
    _write(ctx, new)
    return api.UpdateCustomKeyStoreResponse()


def _updated(ctx: Context, old: KeyStore, req: api.UpdateCustomKeyStoreRequest) -> KeyStore:
    """Raises CustomKeyStoreInvalidStateException, ValidationException and what the new values deserve."""
    new = replace(old, name=req.new_custom_key_store_name or old.name)
    new = _updated_external(new, req) if old.type == EXTERNAL else _updated_cloudhsm(ctx, new, req)
    if old.state == DISCONNECTED:
        return new
    # Name, path and credential of a connected external key store. Source: UpdateCustomKeyStore, description.
    kept = replace(new, path=old.path, secret=old.secret, proxy_key_id=old.proxy_key_id)
    if old.state != CONNECTED or old.type != EXTERNAL or replace(kept, name=old.name) != old:
        raise api.CustomKeyStoreInvalidStateException("")
    return new


def _updated_cloudhsm(ctx: Context, new: KeyStore, req: api.UpdateCustomKeyStoreRequest) -> KeyStore:
    if _names_proxy(req):
        raise errors.validation(_NO_PROXY)
    if req.cloud_hsm_cluster_id is not None:
        # A cluster of the same backup history has the same certificate.
        try:
            _must_be_cluster(ctx, req.cloud_hsm_cluster_id, new.trust_anchor)
        except api.IncorrectTrustAnchorException:
            raise api.CloudHsmClusterNotRelatedException("") from None
    return replace(new, cluster_id=req.cloud_hsm_cluster_id or new.cluster_id, secret=req.key_store_password or new.secret)


def _updated_external(new: KeyStore, req: api.UpdateCustomKeyStoreRequest) -> KeyStore:
    if req.cloud_hsm_cluster_id or req.key_store_password:
        raise errors.validation(_NO_CLUSTER)
    _must_be_public(req.xks_proxy_connectivity or new.connectivity, req.xks_proxy_vpc_endpoint_service_name)
    credential = req.xks_proxy_authentication_credential
    return replace(
        new,
        endpoint=req.xks_proxy_uri_endpoint or new.endpoint,
        path=req.xks_proxy_uri_path or new.path,
        proxy_key_id=credential.access_key_id if credential else new.proxy_key_id,
        secret=credential.raw_secret_access_key if credential else new.secret,
    )


# ConnectCustomKeyStore, DisconnectCustomKeyStore, DeleteCustomKeyStore


def _connect_prepared(ctx: Context, req: api.ConnectCustomKeyStoreRequest) -> Callable[[], str] | None:
    store = own_store(ctx, req.custom_key_store_id)
    if store.state == FAILED:
        raise api.CustomKeyStoreInvalidStateException("")
    if store.type == EXTERNAL:
        return partial(_proxy_error, ctx, store)
    # The agent of these very values: one that is open may have been opened with others.
    cluster = stores(ctx).clusters.get(store.cluster_id)
    return partial(_hsm_error, Agent(cluster.opened_with(store.secret)) if cluster else None)


def _proxy_error(ctx: Context, store: KeyStore) -> str:
    try:
        stores(ctx).client.health(store.proxy, health_asked(ctx))
    except ProxyError as error:
        return faults.connection_error(error.kind)
    return ""


def _hsm_error(agent: Agent | None) -> str:
    if agent is None:
        return "CLUSTER_NOT_FOUND"
    try:
        agent.log_in()
    except HsmError as error:
        return faults.hsm_connection_error(error.kind)
    finally:
        agent.close()
    return ""


@operation("kms", resource="*", context=caller, prepare=_connect_prepared)
def connect_custom_key_store(ctx: Context, req: api.ConnectCustomKeyStoreRequest) -> api.ConnectCustomKeyStoreResponse:
    """Log in to the HSM, or ask the proxy for its health. Where that fails the store is FAILED, and says why."""
    store = own_store(ctx, req.custom_key_store_id)
    error = ctx.scratch[PREPARED]
    _write(ctx, replace(store, state=FAILED if error else CONNECTED, error_code=error))
    return api.ConnectCustomKeyStoreResponse()


@operation("kms", resource="*", context=caller)
def disconnect_custom_key_store(ctx: Context, req: api.DisconnectCustomKeyStoreRequest) -> api.DisconnectCustomKeyStoreResponse:
    """Let nobody use the store's keys until it is connected again."""
    store = own_store(ctx, req.custom_key_store_id)
    if store.state == DISCONNECTED:
        raise api.CustomKeyStoreInvalidStateException("")
    _write(ctx, replace(store, state=DISCONNECTED, error_code=""))
    return api.DisconnectCustomKeyStoreResponse()


@operation("kms", resource="*", context=caller)
def delete_custom_key_store(ctx: Context, req: api.DeleteCustomKeyStoreRequest) -> api.DeleteCustomKeyStoreResponse:
    """Forget a store that is disconnected and has no keys. HSM and proxy stay as they are."""
    store = own_store(ctx, req.custom_key_store_id)
    if store.state != DISCONNECTED:
        raise api.CustomKeyStoreInvalidStateException("")
    if ctx.tx.one("SELECT 1 FROM kms_store_key WHERE region = ? AND store_id = ? LIMIT 1", store.region, store.store_id):
        raise api.CustomKeyStoreHasCMKsException("")
    ctx.tx.run("UPDATE kms_key_store SET sealed = ? WHERE region = ? AND store_id = ?", b"", store.region, store.store_id)
    ctx.tx.run("DELETE FROM kms_key_store WHERE region = ? AND store_id = ?", store.region, store.store_id)
    _changed(ctx, store, deleted=True)
    return api.DeleteCustomKeyStoreResponse()


# Rows


def _row(ctx: Context, store: KeyStore) -> tuple[Any, ...]:
    return (
        store.region,
        store.store_id,
        store.account,
        store.name,
        store.type,
        store.state,
        store.error_code,
        store.created_at,
        stores(ctx).seal(store.region, store.store_id, store.secret),
        store.cluster_id,
        store.trust_anchor,
        store.connectivity,
        store.endpoint,
        store.path,
        store.proxy_key_id,
    )


def _write(ctx: Context, store: KeyStore) -> None:
    """Put a store's values in the place of its old ones."""
    row = _row(ctx, store)
    ctx.tx.run(
        "UPDATE kms_key_store SET name = ?, type = ?, state = ?, error_code = ?, created_at = ?, sealed = ?, cluster_id = ?,"
        " trust_anchor = ?, connectivity = ?, endpoint = ?, path = ?, proxy_key_id = ? WHERE region = ? AND store_id = ?",
        *row[3:],
        *row[:2],
    )
    _changed(ctx, store)


def _changed(ctx: Context, store: KeyStore, *, deleted: bool = False) -> None:
    ctx.changed(
        ConfigurationItem(
            type="Garrison::KMS::CustomKeyStore",
            id=store.store_id,
            arn=f"arn:{ctx.partition}:kms:{store.region}:{store.account}:custom-key-store/{store.store_id}",
            account=store.account,
            region=store.region,
            name=store.name,
            configuration={} if deleted else {"CustomKeyStoreType": store.type, "ConnectionState": store.state},
            deleted=deleted,
        ),
        ("kms-key-store", f"{store.region}/{store.store_id}"),
    )
