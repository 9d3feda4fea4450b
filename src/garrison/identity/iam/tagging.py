"""Tags of users, roles, managed policies and the other resources of IAM: how they are kept.

Keys of users' and roles' tags are unique regardless of case, those of all other resources by case. Source: IAM User Guide,
"Tags for AWS Identity and Access Management resources", and AWS's recorded answers for the order of lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from garrison.api import iam as api
from garrison.core.ports import Transaction
from garrison.identity.iam.rows import of_keys

LIMIT = 50


def tags_of(tx: Transaction, account: str, resource_id: str) -> dict[str, str]:
    """Tags by key, in the order that AWS lists them in."""
    return tags_of_all(tx, account, [resource_id])[resource_id]


def tags_of_all(tx: Transaction, account: str, resource_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of many resources by their ids, in one read."""
    sql = "SELECT resource_id, tag_key, tag_value FROM iam_tag WHERE account = ? AND resource_id IN ({keys})"
    found: dict[str, dict[str, str]] = {each: {} for each in resource_ids}
    for resource, key, value in sorted(of_keys(tx, sql, account, resource_ids), key=lambda row: listing_order(row[0], row[1])):
        found[resource][key] = value
    return found


def listing_order(resource_id: str, key: str) -> str:
    """Policies' tags are listed by length and then by key, the others by key."""
    return f"{len(key):03}{key}" if resource_id.startswith("ANPA") else key


def tag_list(tags: Mapping[str, str]) -> list[api.Tag]:
    """Tags as answers show them."""
    return [api.Tag(key=key, value=value) for key, value in tags.items()]


def put_tags(tx: Transaction, account: str, resource_id: str, tags: Sequence[api.Tag]) -> None:
    """Set tags. Raises InvalidInput on a key given twice, LimitExceeded past 50."""
    folded = [_fold(resource_id, tag.key) for tag in tags]
    if len(set(folded)) != len(folded):
        hint = "" if _by_case(resource_id) else " Please note that Tag keys are case insensitive."
        raise api.InvalidInputException(f"Duplicate tag keys found.{hint}")
    for tag, key in zip(tags, folded, strict=True):
        if tag.key.lower().startswith("aws:"):
            raise api.InvalidInputException("Tag keys starting with 'aws:' are reserved for system use.")
        _remove(tx, account, resource_id, key)
        tx.run(
            "INSERT INTO iam_tag (account, resource_id, key_folded, tag_key, tag_value) VALUES (?, ?, ?, ?, ?)",
            account,
            resource_id,
            key,
            tag.key,
            tag.value,
        )
    row = tx.one("SELECT COUNT(*) FROM iam_tag WHERE account = ? AND resource_id = ?", account, resource_id)
    if row and row[0] > LIMIT:
        raise api.LimitExceededException("The number of tags has reached the maximum limit.")


def remove_tags(tx: Transaction, account: str, resource_id: str, keys: Sequence[str]) -> None:
    """Take tags away; a key that is not there is no error."""
    for key in keys:
        _remove(tx, account, resource_id, _fold(resource_id, key))


def drop_tags(tx: Transaction, account: str, resource_id: str) -> None:
    """Take all tags of a deleted resource away."""
    tx.run("DELETE FROM iam_tag WHERE account = ? AND resource_id = ?", account, resource_id)


def _remove(tx: Transaction, account: str, resource_id: str, folded: str) -> None:
    tx.run("DELETE FROM iam_tag WHERE account = ? AND resource_id = ? AND key_folded = ?", account, resource_id, folded)


def _by_case(resource_id: str) -> bool:
    return not resource_id.startswith(("AIDA", "AROA"))


def _fold(resource_id: str, key: str) -> str:
    return key if _by_case(resource_id) else key.lower()
