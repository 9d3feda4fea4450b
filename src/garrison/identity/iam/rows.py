"""The rows of IAM as values, and how they are found.

``find_…`` answers None, ``…_named`` and ``policy_at`` raise NoSuchEntity in AWS's words. Names are looked up regardless of case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from garrison.api import iam as api
from garrison.core.arn import parse_arn
from garrison.core.ports import Transaction
from garrison.identity.iam import errors

OwnerKind = Literal["user", "group", "role"]


def iam_arn(account: str, kind: str, path: str, name: str) -> str:
    """``arn:aws:iam::123456789012:user/path/name``; ``path`` begins and ends with a slash."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


class UserRow(NamedTuple):
    """A row of iam_user."""

    account: str
    id: str
    name: str
    path: str
    created: float
    boundary: str | None
    password_last_used: float | None
    kind: Literal["user"] = "user"

    @property
    def arn(self) -> str:
        """Its ARN, with the path."""
        return iam_arn(self.account, "user", self.path, self.name)


class GroupRow(NamedTuple):
    """A row of iam_group."""

    account: str
    id: str
    name: str
    path: str
    created: float
    boundary: None = None
    kind: Literal["group"] = "group"

    @property
    def arn(self) -> str:
        """Its ARN, with the path."""
        return iam_arn(self.account, "group", self.path, self.name)


class RoleRow(NamedTuple):
    """A row of iam_role, without its trust policy's resolved form."""

    account: str
    id: str
    name: str
    path: str
    created: float
    description: str | None
    max_session_duration: int
    max_signin_session_duration: int | None
    trust_policy: str
    trust_principals: str
    """JSON object: ARN as it was put, to unique id."""
    boundary: str | None
    last_used: float | None
    last_used_region: str | None
    service: str | None
    """The service whose service-linked role it is."""
    kind: Literal["role"] = "role"

    @property
    def arn(self) -> str:
        """Its ARN, with the path."""
        return iam_arn(self.account, "role", self.path, self.name)

    @property
    def protected(self) -> bool:
        """Whether only AWS's own services may change it."""
        return self.service is not None or self.path.startswith(("/aws-service-role/", "/aws-reserved/"))


class PolicyRow(NamedTuple):
    """A row of iam_policy: a customer managed policy."""

    account: str
    id: str
    arn: str
    name: str
    path: str
    description: str | None
    created: float
    updated: float
    default_version: int
    last_version: int


Movable = TypeVar("Movable", UserRow, GroupRow)
Owner = UserRow | GroupRow | RoleRow
"""What policies can be put on."""

USER = "account, user_id, name, path, created, boundary_arn, password_last_used"
GROUP = "account, group_id, name, path, created"
ROLE = (
    "account, role_id, name, path, created, description, max_session_duration, max_signin_session_duration,"
    " trust_policy, trust_principals, boundary_arn, last_used, last_used_region, service"
)
POLICY = "account, policy_id, arn, name, path, description, created, updated, default_version, last_version"


def find_user(tx: Transaction, account: str, name: str) -> UserRow | None:
    """A user by name."""
    row = tx.one(f"SELECT {USER} FROM iam_user WHERE account = ? AND name_folded = ?", account, name.lower())  # noqa: S608 - constant
    return UserRow(*row) if row else None


def user_by_id(tx: Transaction, account: str, user_id: str) -> UserRow | None:
    """A user by unique id."""
    row = tx.one(f"SELECT {USER} FROM iam_user WHERE account = ? AND user_id = ?", account, user_id)  # noqa: S608 - constant
    return UserRow(*row) if row else None


def find_group(tx: Transaction, account: str, name: str) -> GroupRow | None:
    """A group by name."""
    row = tx.one(f"SELECT {GROUP} FROM iam_group WHERE account = ? AND name_folded = ?", account, name.lower())  # noqa: S608 - constant
    return GroupRow(*row) if row else None


def find_role(tx: Transaction, account: str, name: str) -> RoleRow | None:
    """A role by name."""
    row = tx.one(f"SELECT {ROLE} FROM iam_role WHERE account = ? AND name_folded = ?", account, name.lower())  # noqa: S608 - constant
    return RoleRow(*row) if row else None


def role_by_id(tx: Transaction, account: str, role_id: str) -> RoleRow | None:
    """A role by unique id."""
    row = tx.one(f"SELECT {ROLE} FROM iam_role WHERE account = ? AND role_id = ?", account, role_id)  # noqa: S608 - constant
    return RoleRow(*row) if row else None


def roles_by_id(tx: Transaction, account: str, role_ids: Sequence[str]) -> list[RoleRow]:
    """Roles by unique id, in one read; those that are not there are left out."""
    sql = f"SELECT {ROLE} FROM iam_role WHERE account = ? AND role_id IN ({{keys}})"  # noqa: S608 - constant columns
    return [RoleRow(*row) for row in of_keys(tx, sql, account, role_ids)]


def find_policy(tx: Transaction, arn: str) -> PolicyRow | None:
    """A customer managed policy by its ARN, in any account."""
    row = tx.one(f"SELECT {POLICY} FROM iam_policy WHERE arn = ?", arn)  # noqa: S608 - constant
    return PolicyRow(*row) if row else None


def user_named(tx: Transaction, account: str, name: str) -> UserRow:
    """A user by name. Raises NoSuchEntity."""
    row = find_user(tx, account, name)
    if row is None:
        raise errors.not_found("user", name)
    return row


def group_named(tx: Transaction, account: str, name: str) -> GroupRow:
    """A group by name. Raises NoSuchEntity."""
    row = find_group(tx, account, name)
    if row is None:
        raise errors.not_found("group", name)
    return row


def role_named(tx: Transaction, account: str, name: str) -> RoleRow:
    """A role by name. Raises NoSuchEntity."""
    row = find_role(tx, account, name)
    if row is None:
        raise errors.not_found("role", name)
    return row


def writable_role(tx: Transaction, account: str, name: str) -> RoleRow:
    """A role that its account may change. Raises NoSuchEntity; UnmodifiableEntity for a service's own."""
    row = role_named(tx, account, name)
    if row.protected:
        raise errors.protected(row.name)
    return row


def describable_role(tx: Transaction, account: str, name: str) -> RoleRow:
    """A role whose description its account may change: its own and service-linked ones. Raises as :func:`writable_role`."""
    row = role_named(tx, account, name)
    if row.protected and row.service is None:
        raise errors.protected(row.name)
    return row


def policy_at(tx: Transaction, arn: str) -> PolicyRow:
    """A customer managed policy by its ARN. Raises NoSuchEntity."""
    row = find_policy(tx, arn)
    if row is None:
        raise errors.policy_not_found(arn)
    return row


def by_name(
    tx: Transaction, table: str, columns: str, account: str, *, after: str, limit: int, prefix: str = "/"
) -> list[tuple[Any, ...]]:
    """So many rows of a list: under a path, by folded name from the one that follows ``after``.

    ``table`` and ``columns`` are constants of the caller.
    """
    return tx.all(
        f"SELECT {columns} FROM {table} WHERE account = ? AND name_folded > ? AND substr(path, 1, CAST(? AS INTEGER)) = ?"  # noqa: S608 - constants
        " ORDER BY name_folded LIMIT ?",
        account,
        after,
        len(prefix),
        prefix,
        limit,
    )


def moved(tx: Transaction, row: Movable, name: str | None, path: str | None) -> Movable:
    """A user or group under another name or path (None: as it was). Raises EntityAlreadyExists."""
    new = row._replace(name=name or row.name, path=path or row.path)
    of_name = f"SELECT {row.kind}_id FROM iam_{row.kind} WHERE account = ? AND name_folded = ?"  # noqa: S608 - constants
    taken = tx.one(of_name, row.account, new.name.lower())
    if taken is not None and taken[0] != row.id:
        raise errors.exists(row.kind.title(), new.name)
    tx.run(
        f"UPDATE iam_{row.kind} SET name = ?, name_folded = ?, path = ? WHERE account = ? AND {row.kind}_id = ?",  # noqa: S608 - constants
        new.name,
        new.name.lower(),
        new.path,
        row.account,
        row.id,
    )
    return new


def count(tx: Transaction, table: str, where: str, *parameters: str) -> int:
    """How many rows; ``table`` and ``where`` are constants of the caller."""
    row = tx.one(f"SELECT COUNT(*) FROM {table} WHERE {where}", *parameters)  # noqa: S608 - both are constants of the caller
    return int(row[0]) if row else 0


def of_keys(tx: Transaction, sql: str, account: str, keys: Sequence[str]) -> list[tuple[Any, ...]]:
    """What one query finds for many keys of an account; ``sql`` is the caller's constant, ``{keys}`` where they stand in it."""
    return tx.all(sql.format(keys=",".join("?" * len(keys))), account, *keys) if keys else []


def policy_arn_account(arn: str) -> str:
    """The account of a managed policy's ARN (``aws`` for AWS's own). Raises AWS's refusal where it is none."""
    try:
        parsed = parse_arn(arn)
    except ValueError:
        raise errors.arn_not_valid(arn) from None
    account_ok = parsed.account == "aws" or (len(parsed.account) == 12 and parsed.account.isdigit())
    if parsed.service != "iam" or parsed.region or not account_ok or not parsed.resource.startswith("policy/"):
        raise errors.arn_not_valid(arn)
    return parsed.account


def boundary(arn: str | None) -> api.AttachedPermissionsBoundary | None:
    """A permissions boundary as answers show it. AWS answers `Policy`, not the model's `PermissionsBoundaryPolicy`."""
    if arn is None:
        return None
    return api.AttachedPermissionsBoundary(permissions_boundary_type="Policy", permissions_boundary_arn=arn)
