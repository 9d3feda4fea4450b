"""Grants as the request path needs them: who may do what with a key, in memory.

Only grants of principals that asked are held. An entry stands until the store's change log names its key. Where more than a
bounded number of grants is held, all are let go of: they come back one principal at a time.
Source: KMS Developer Guide, "Grants in AWS KMS", "Creating grants".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from garrison.core.principal import Principal
from garrison.policy import Grant, Granted, Request
from garrison.store import Store

HELD = 524_288
"""Entries in memory at one time, of about 128 bytes: one for each key that was asked for, and :data:`_GRANT` for each grant."""
_GRANT = 8
WITHOUT_CONTEXT = frozenset({"CreateGrant", "DescribeKey", "GetPublicKey", "RetireGrant"})
"""Grant operations whose requests have no encryption context: a constraint on it does not touch them."""

_COLUMNS = (
    "grant_id, key_id, created_at, name, issuing_account, grantee, grantee_name, grantee_service, retiring, retiring_name,"
    " retiring_service, operations, constraints"
)
_PREFIX = "kms:encryptioncontext:"


@dataclass(frozen=True, slots=True)
class Constraints:
    """When a grant allows. Keys of contexts are folded: they have no case in a constraint (API Reference, GrantConstraints)."""

    equals: Mapping[str, str] | None = None
    subset: Mapping[str, str] | None = None
    source_arn: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Constraints:
        """From the members of the model's GrantConstraints, by their names."""
        equals, subset = document.get("EncryptionContextEquals"), document.get("EncryptionContextSubset")
        return cls(_folded(equals) if equals else None, _folded(subset) if subset else None, document.get("SourceArn", ""))

    def allow(self, request: Request, operation: str) -> bool:
        """Whether a request is within them. What has no source is on behalf of nobody."""
        if operation != "RetireGrant" and self.source_arn and request.context.get("aws:sourcearn") != self.source_arn:
            return False
        if operation in WITHOUT_CONTEXT:
            return True
        return self._allow_context(request)

    def _allow_context(self, request: Request) -> bool:
        wanted = self.equals if self.equals is not None else self.subset
        if wanted is None:
            return True
        # Two keys that differ only in case have two values in the context, which no text equals.
        if any(request.context.get(_PREFIX + key) != value for key, value in wanted.items()):
            return False
        names = request.context.get("kms:encryptioncontextkeys")
        return self.equals is None or (isinstance(names, Sequence) and len(names) == len(self.equals))

    def as_strict_as(self, parent: Constraints) -> bool:
        """Whether a grant with these may come of one with ``parent``. Source: "Creating grants", "Granting CreateGrant"."""
        if parent.source_arn and self.source_arn != parent.source_arn:
            return False
        if parent.equals is not None:
            return self.equals == parent.equals
        if parent.subset is None:
            return True
        own = self.equals if self.equals is not None else self.subset
        return own is not None and parent.subset.items() <= own.items()


@dataclass(frozen=True, slots=True)
class LiveGrant:
    """One grant."""

    id: str
    key_id: str
    created_at: float
    name: str
    issuing_account: str
    grantee: str
    grantee_name: str
    grantee_service: bool
    retiring: str
    retiring_name: str
    retiring_service: bool
    operations: frozenset[str]
    document: Mapping[str, Any]
    """The constraints as they were given."""
    constraints: Constraints

    @classmethod
    def of(cls, row: Sequence[Any]) -> LiveGrant:
        """From a row of :data:`_COLUMNS`."""
        document = json.loads(row[12])
        return cls(
            id=row[0],
            key_id=row[1],
            created_at=row[2],
            name=row[3],
            issuing_account=row[4],
            grantee=row[5],
            grantee_name=row[6],
            grantee_service=bool(row[7]),
            retiring=row[8],
            retiring_name=row[9],
            retiring_service=bool(row[10]),
            operations=frozenset(json.loads(row[11])),
            document=document,
            constraints=Constraints.of(document),
        )


@dataclass(frozen=True, slots=True)
class Child:
    """What a grant is to hold that is made through a grant."""

    operations: frozenset[str]
    constraints: Constraints


@dataclass(slots=True)
class _OfKey:
    """What is known of one key's grants."""

    any: bool
    by_grantee: dict[tuple[str, ...], tuple[LiveGrant, ...]] = field(default_factory=dict)


_NONE = _OfKey(any=False)
"""Of every key without grants."""


class _Asked:
    """What :func:`policy.authorize` asks of one key's grants. Smaller than a closure: each key in memory has one."""

    __slots__ = ("_grants", "_key_id", "_region")

    def __init__(self, grants: LiveGrants, region: str, key_id: str) -> None:
        self._grants = grants
        self._region = region
        self._key_id = key_id

    def __call__(self, request: Request) -> Granted | None:
        return self._grants.granted(self._region, self._key_id, request)


class LiveGrants:
    """The grants of every key, as far as they were asked for."""

    def __init__(self, store: Store, *, held: int = HELD) -> None:
        self._store = store
        self._limit = held
        self._held = 0
        self._keys: dict[tuple[str, str], _OfKey] = {}
        store.on_change("kms-grant", self._drop)

    def of_key(self, region: str, key_id: str) -> Callable[[Request], Granted | None]:
        """What :func:`policy.authorize` asks of a key's grants."""
        return _Asked(self, region, key_id)

    def heard(self, region: str, key_id: str, *, any_grants: bool) -> None:
        """Remember whether a key has grants, which its row told as it was read, where that was not known."""
        if (region, key_id) not in self._keys:
            self._know(region, key_id, any_grants=any_grants)

    def granted(self, region: str, key_id: str, request: Request, child: Child | None = None) -> Granted | None:
        """The most direct grant of a key that allows a request; ``child``: what CreateGrant is to make."""
        operation = request.action.removeprefix("kms:")
        found = [
            as_granted(grant.id, level, issued_by=grant.issuing_account, principal=request.principal)
            for grant, level in self._named(region, key_id, request.principal)
            if operation in grant.operations and grant.constraints.allow(request, operation) and _may_make(grant, child)
        ]
        return max(found, key=lambda one: (one.level, one.trusted), default=None)

    def _named(self, region: str, key_id: str, principal: Principal) -> Iterable[tuple[LiveGrant, Grant]]:
        levels = identities(principal)
        known = self._keys.get((region, key_id))
        if known is None:
            known = self._read_key(region, key_id)
        if not known.any or not levels:
            return ()
        names = tuple(levels)
        grants = known.by_grantee.get(names)
        if grants is None:
            grants = self._read(region, key_id, names)
        return ((grant, levels[grant.grantee]) for grant in grants)

    def _read_key(self, region: str, key_id: str) -> _OfKey:
        row = self._store.reading().one("SELECT 1 FROM kms_grant WHERE region = ? AND key_id = ? LIMIT 1", region, key_id)
        return self._know(region, key_id, any_grants=row is not None)

    def _know(self, region: str, key_id: str, *, any_grants: bool) -> _OfKey:
        self._make_room(1)
        self._held += 1
        found = self._keys[region, key_id] = _OfKey(any=True) if any_grants else _NONE
        return found

    def _read(self, region: str, key_id: str, names: tuple[str, ...]) -> tuple[LiveGrant, ...]:
        marks = ", ".join("?" * len(names))
        rows = self._store.reading().all(
            f"SELECT {_COLUMNS} FROM kms_grant WHERE region = ? AND key_id = ? AND grantee IN ({marks})",  # noqa: S608 - marks
            region,
            key_id,
            *names,
        )
        grants = tuple(LiveGrant.of(row) for row in rows)
        # Where making room let go of this key too, it is read again when it is asked for next.
        more = _weight(grants)
        if self._make_room(more) and (region, key_id) in self._keys:
            self._held += more
            self._keys[region, key_id].by_grantee[names] = grants
        return grants

    def _make_room(self, more: int) -> bool:
        """Whether so much more may be held now."""
        if self._held + more > self._limit:
            self._keys.clear()
            self._held = 0
        return more <= self._limit

    def _drop(self, key: str | None) -> None:
        """``key`` is ``region/key id``."""
        if key is None:
            self._keys.clear()
            self._held = 0
            return
        region, _, key_id = key.partition("/")
        gone = self._keys.pop((region, key_id), None)
        if gone is not None:
            self._held -= 1 + sum(map(_weight, gone.by_grantee.values()))

    def look_for(self, region: str, key_id: str, grant_id: str) -> None:
        """Look at a key's grants anew if this process has not heard of one that there is."""
        known = self._keys.get((region, key_id))
        if known is None or any(grant.id == grant_id for grants in known.by_grantee.values() for grant in grants):
            return
        self._drop(f"{region}/{key_id}")


def _weight(grants: Sequence[LiveGrant]) -> int:
    """Entries that what is known of one principal costs."""
    return 1 + _GRANT * len(grants)


def identities(principal: Principal) -> Mapping[str, Grant]:
    """What a grant may know a caller by, and how directly it names it then."""
    if principal.kind == "service":
        return {principal.service: Grant.DIRECT}
    if principal.kind == "anonymous":
        return {}
    found = {principal.account: Grant.ACCOUNT}
    if principal.kind == "root":
        return found
    if principal.session is not None and principal.session.issuer_id and principal.kind != "user":
        found[principal.session.issuer_id] = Grant.ENTITY
    found[principal.arn if principal.kind == "federated-user" else principal.id] = Grant.DIRECT
    return found


def as_granted(grant_id: str, level: Grant, *, issued_by: str, principal: Principal) -> Granted:
    """A grant as the policy room takes it."""
    return Granted(grant_id, level, issued_by == principal.account)


def _may_make(parent: LiveGrant, child: Child | None) -> bool:
    return child is None or (child.operations <= parent.operations and child.constraints.as_strict_as(parent.constraints))


def _folded(context: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in context.items()}


def select(where: str) -> str:
    """A query for :meth:`LiveGrant.of`; ``where`` is a constant of the code."""
    return f"SELECT {_COLUMNS} FROM kms_grant {where}"  # noqa: S608 - constants alone
