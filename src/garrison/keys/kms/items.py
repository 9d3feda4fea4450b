"""How a key reads: as DescribeKey shows it, and as a configuration item."""

from __future__ import annotations

from typing import Any

import msgspec

from garrison.api import kms as api
from garrison.core.context import ConfigurationItem, Context
from garrison.keys.kms import errors
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.live import LiveKey, key_arn
from garrison.keys.kms.names import live_keys
from garrison.keys.kms.specs import algorithms
from garrison.keys.kms.states import ENABLED, PENDING_DELETION


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
        multi_region=key.multi_region,
        current_key_material_id=key.current.id if isinstance(key.current, Material) else None,
    )


def changed(ctx: Context, region: str, key_id: str) -> LiveKey:
    """Record that a key was written: every cache drops it, and its new state becomes a configuration item. Answers the key."""
    ctx.tx.changed("kms-key", f"{region}/{key_id}")
    key = live_keys(ctx).find(ctx.tx, region, key_id)
    if key is None:
        raise errors.no_such_key(key_arn(region, ctx.account, key_id, ctx.partition))
    ctx.changed(item(key))
    return key


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
        facts={"keyRotationEnabled": False, "pendingDeletion": key.state == PENDING_DELETION},
    )


def configuration(key: LiveKey) -> dict[str, Any]:
    """DescribeKey's members, the key policy and the aliases."""
    described: dict[str, Any] = msgspec.to_builtins(metadata(key))
    return {**described, "KeyPolicy": key.policy, "Aliases": list(key.aliases)}
