"""How a key reads: as DescribeKey shows it, and as a configuration item."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from garrison.api import kms as api
from garrison.core.context import ConfigurationItem, Context
from garrison.core.ports import Transaction
from garrison.keys.kms import errors
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.custom.stores import CLOUDHSM
from garrison.keys.kms.live import LiveKey, LiveKeys, key_arn
from garrison.keys.kms.names import live_keys
from garrison.keys.kms.specs import algorithms
from garrison.keys.kms.states import ENABLED, LEAVING, PENDING_DELETION, PENDING_REPLICA_DELETION


def metadata(key: LiveKey) -> api.KeyMetadata:
    """The KeyMetadata of CreateKey and DescribeKey."""
    pending = key.state == PENDING_DELETION
    return api.KeyMetadata(
        aws_account_id=key.account,
        key_id=key.key_id,
        arn=key.arn,
        creation_date=key.created_at,
        enabled=key.state == ENABLED,
        description=key.description,
        key_usage=key.usage,
        key_state=key.state,
        deletion_date=key.deletion_at if pending else None,
        origin=key.origin,
        key_manager=key.manager,
        customer_master_key_spec=key.spec,
        key_spec=key.spec,
        **algorithms(key.spec, key.usage),
        **_imported(key),
        **_in_store(key),
        multi_region=key.multi_region,
        multi_region_configuration=_multi_region(key),
        pending_deletion_window_in_days=key.pending_window if key.state == PENDING_REPLICA_DELETION else None,
        current_key_material_id=key.current.id if isinstance(key.current, Material) else None,
    )


def _imported(key: LiveKey) -> dict[str, Any]:
    """Whether and when imported material expires; nothing where there is none."""
    if key.origin != "EXTERNAL" or not key.materials:
        return {}
    model = "KEY_MATERIAL_EXPIRES" if key.life.expires else "KEY_MATERIAL_DOES_NOT_EXPIRE"
    return {"expiration_model": model, "valid_to": key.life.valid_to}


def _in_store(key: LiveKey) -> dict[str, Any]:
    """Where the other half of a key in a custom key store is; nothing for any other."""
    if key.custody is None:
        return {}
    found: dict[str, Any] = {"custom_key_store_id": key.custody.store.store_id}
    if key.custody.store.type == CLOUDHSM:
        return {**found, "cloud_hsm_cluster_id": key.custody.store.cluster_id}
    return {**found, "xks_key_configuration": api.XksKeyConfigurationType(id=key.custody.outer_id)}


def _multi_region(key: LiveKey) -> api.MultiRegionConfiguration | None:
    if not key.multi_region:
        return None
    _, partition, _ = key.arn.split(":", 2)
    named = {
        region: api.MultiRegionKey(arn=key_arn(region, key.account, key.key_id, partition), region=region)
        for region in key.life.regions
    }
    primary = named.pop(key.life.primary_region, None)
    return api.MultiRegionConfiguration(
        multi_region_key_type=key.multi_region_type, primary_key=primary, replica_keys=list(named.values())
    )


def changed(ctx: Context, region: str, key_id: str) -> LiveKey:
    """Record that a key was written: every cache drops it, and its new state becomes a configuration item. Answers the key."""
    ctx.tx.changed("kms-key", f"{region}/{key_id}")
    key = live_keys(ctx).find(ctx.tx, region, key_id)
    if key is None:
        raise errors.no_such_key(key_arn(region, ctx.account, key_id, ctx.partition))
    ctx.changed(item(key))
    return key


def everywhere(tx: Transaction, keys: LiveKeys, regions: Iterable[str], key_id: str) -> list[ConfigurationItem]:
    """The items of a key in each of these Regions where it is: what the background did in one, the others tell too."""
    found = [keys.find(tx, region, key_id) for region in regions]
    return [item(key) for key in found if key is not None]


def item(key: LiveKey) -> ConfigurationItem:
    """The configuration item of a key, in the words of AWS::KMS::Key."""
    return ConfigurationItem(
        type="AWS::KMS::Key",
        id=key.key_id,
        arn=key.arn,
        account=key.account,
        region=key.region,
        tags=dict(key.tags),
        configuration=configuration(key),
        facts={
            "keyRotationEnabled": key.life.rotation_days is not None and key.state not in LEAVING,
            "pendingDeletion": key.state in LEAVING,
        },
    )


def configuration(key: LiveKey) -> dict[str, Any]:
    """DescribeKey's members, the key policy and the aliases."""
    described: dict[str, Any] = msgspec.to_builtins(metadata(key))
    return {**described, "KeyPolicy": key.policy, "Aliases": list(key.aliases)}
