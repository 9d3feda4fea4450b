"""Tags of keys as they are kept. Their keys are case-sensitive. Source: KMS Developer Guide, "Tags in AWS KMS"."""

from __future__ import annotations

from collections.abc import Sequence

from garrison.api import kms as api
from garrison.core.ports import Transaction
from garrison.keys.kms import errors

LIMIT = 50


def checked_tags(tags: Sequence[api.Tag]) -> None:
    """Raises TagException: too many, a key twice, or a key of AWS's own."""
    if len(tags) > LIMIT:
        raise errors.too_many_tags()
    if any(tag.tag_key.lower().startswith("aws:") for tag in tags):
        raise errors.reserved_tags()
    if len({tag.tag_key for tag in tags}) != len(tags):
        raise errors.duplicate_tags()


def put_tags(tx: Transaction, region: str, key_id: str, tags: Sequence[api.Tag]) -> None:
    """Set tags, over those of the same key. Raises TagException past 50."""
    for tag in tags:
        tx.run(
            "INSERT INTO kms_tag (region, key_id, tag_key, tag_value) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (region, key_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
            region,
            key_id,
            tag.tag_key,
            tag.tag_value,
        )
    row = tx.one("SELECT COUNT(*) FROM kms_tag WHERE region = ? AND key_id = ?", region, key_id)
    if row and row[0] > LIMIT:
        raise errors.too_many_tags()
