"""Keys as the request path needs them: metadata, compiled key policy and open material, in memory.

An entry is made on first use and stands until the store's change log names its key, so that a key that was disabled by
any process is disabled for the next request. The caches are bounded: the least recently used entries go first. What many keys
have in common (policies, condition keys, names of states and specs) is held once.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from garrison.core.operation import Target
from garrison.core.ports import Sealer, Transaction
from garrison.keys.kms.algorithms.base import Secret
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.custom.outer import Outer
from garrison.keys.kms.custom.stores import CLOUDHSM, CONNECTED, EXTERNAL, KeyStore, LiveStores
from garrison.keys.kms.live_grants import LiveGrants
from garrison.keys.kms.live_uses import Uses
from garrison.keys.kms.specs import SPECS
from garrison.keys.kms.states import ENABLED, UNAVAILABLE
from garrison.policy import Policy, compile_policy
from garrison.store import Store

MEMORY = 192 * 2**20
"""Bytes that keys may take in one process, by :attr:`LiveKey.held`: more than 100,000 symmetric keys."""
ALIASES = 131_072
"""Aliases held at one time, of about 300 bytes each."""
_KEY_BYTES = 1280
"""What a key takes beside its material, tags and policy, with its places in the caches (``bench/kms_peers.py``)."""
_ENTRY_BYTES = 192
"""A tag or alias beside its characters."""
_POLICY_FACTOR = 24
"""How much more than its text a compiled policy takes."""
PURPOSE = "kms-material"
"""What material is sealed for."""
_NO_TAGS: Mapping[str, str] = {}

V = TypeVar("V")

_SELECT = (
    "SELECT k.account, k.description, k.state, k.usage, k.spec, k.origin, k.manager, k.multi_region, k.created_at, k.deletion_at,"
    " k.pending_window, k.material_id, k.policy, k.policy_resolved, k.rotation_days, k.rotation_at, k.rotations_on_demand,"
    " k.primary_region,"
    " EXISTS (SELECT 1 FROM kms_tag t WHERE t.region = k.region AND t.key_id = k.key_id),"
    " EXISTS (SELECT 1 FROM kms_alias a WHERE a.region = k.region AND a.key_id = k.key_id),"
    " EXISTS (SELECT 1 FROM kms_grant g WHERE g.region = k.region AND g.key_id = k.key_id),"
    " m.material_id, m.sealed, m.valid_to"
    " FROM kms_key k LEFT JOIN kms_material m ON m.region = k.region AND m.key_id = k.key_id AND m.present = 1"
    " AND m.state IN ('CURRENT', 'NON_CURRENT') WHERE k.region = ? AND k.key_id = ?"
)
"""A key with its materials that are there, a row each: a key that was not in memory costs one round trip."""


class _Row(NamedTuple):
    """A row of :data:`_SELECT`."""

    account: str
    description: str
    state: str
    usage: str
    spec: str
    origin: str
    manager: str
    multi_region: int
    created_at: float
    deletion_at: float | None
    pending_window: int | None
    current: str | None
    policy: str
    policy_resolved: str
    rotation_days: int | None
    rotation_at: float | None
    rotations_on_demand: int
    primary: str
    any_tags: int
    any_aliases: int
    any_grants: int
    material_id: str | None
    sealed: bytes
    valid_to: float | None


@dataclass(frozen=True, slots=True)
class Life:
    """What becomes of a key in time."""

    rotation_days: int | None = None
    """Days between automatic rotations; None where there are none."""
    rotation_at: float | None = None
    rotations_on_demand: int = 0
    primary_region: str = ""
    """Of a multi-Region key."""
    regions: tuple[str, ...] = ()
    """Where a multi-Region key is, its primary Region among them."""
    expires: bool = False
    """Whether any imported material that belongs to the key expires."""
    valid_to: float | None = None
    """The earliest time at which one does."""


_PLAIN_LIFE = Life()
"""That of most keys."""


@dataclass(frozen=True, slots=True)
class Custody:
    """Where the other half of a key is."""

    store: KeyStore
    outer_id: str
    """XksKeyId, or the label of the key in the token."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveKey:
    """One key, as of its last change."""

    arn: str
    key_id: str
    account: str
    region: str
    description: str
    state: str
    usage: str
    spec: str
    origin: str
    manager: str
    multi_region: bool
    created_at: float
    deletion_at: float | None
    pending_window: int | None
    policy: str
    """The key policy as it was put."""
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    current: Secret | None
    """What encrypts and signs."""
    materials: Mapping[str, Secret]
    """Everything that may have encrypted, by material id."""
    target: Target
    """The key as authorization sees it."""
    custody: Custody | None = None
    """Of a key in a custom key store."""
    life: Life = _PLAIN_LIFE
    held: int = 0
    """Bytes that it takes in memory, about."""

    @property
    def is_primary(self) -> bool:
        """Whether it is the primary key of a multi-Region key."""
        return self.multi_region and self.life.primary_region == self.region

    @property
    def multi_region_type(self) -> str:
        """``PRIMARY``, ``REPLICA``; empty for a key of one Region."""
        return "" if not self.multi_region else "PRIMARY" if self.is_primary else "REPLICA"


class _Recent(Generic[V]):
    """A bounded mapping that forgets what was not used for longest."""

    def __init__(
        self, limit: int, *, weigh: Callable[[V], int] = lambda _: 1, forgotten: Callable[[Any, V], None] | None = None
    ) -> None:
        """``limit``: of the sum of what ``weigh`` says of each value, which never changes."""
        self._limit = limit
        self._weigh = weigh
        self._forgotten = forgotten
        self._entries: OrderedDict[Any, V] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def weight(self) -> int:
        """Of all that is held."""
        return self._weight

    def get(self, key: Any) -> V | None:  # noqa: ANN401 - tuples of text
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: Any, value: V) -> bool:  # noqa: ANN401 - tuples of text
        """Hold a value; False where it is more than all that may be held."""
        self.drop(key)
        weight = self._weigh(value)
        if weight > self._limit:
            return False
        while self._weight + weight > self._limit:
            self._forget(*self._entries.popitem(last=False))
        self._entries[key] = value
        self._weight += weight
        return True

    def drop(self, key: Any) -> None:  # noqa: ANN401 - tuples of text
        value = self._entries.pop(key, None)
        if value is not None:
            self._forget(key, value)

    def clear(self) -> None:
        while self._entries:
            self._forget(*self._entries.popitem())

    def _forget(self, key: Any, value: V) -> None:  # noqa: ANN401 - tuples of text
        self._weight -= self._weigh(value)
        if self._forgotten is not None:
            self._forgotten(key, value)


class LiveKeys:
    """The live keys of every account and Region: ``Ports.keys``."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        *,
        partition: str = "aws",
        memory: int = MEMORY,
        aliases: int = ALIASES,
        stores: LiveStores | None = None,
    ) -> None:
        self._sealer = sealer
        self._partition = partition
        self._keys: _Recent[LiveKey] = _Recent(memory, weigh=lambda key: key.held, forgotten=self._forget_materials)
        self._aliases: _Recent[str] = _Recent(aliases)
        self._by_material: dict[tuple[str, str], LiveKey] = {}
        self.grants = LiveGrants(store)
        self.uses = Uses()
        self.settled_until = 0.0
        """Up to when the bytes of destroyed material are known to be gone from the database's log: the background worker's."""
        self.stores = stores or LiveStores(store, sealer)
        store.on_change("kms-key-store", lambda _: self._keys.clear())
        store.on_change("kms-key", self._drop_key)
        store.on_change("kms-alias", self._drop_alias)

    def find(self, tx: Transaction, region: str, key_id: str) -> LiveKey | None:
        """The key of that id in the Region, whoever owns it; None where there is none.

        Keys that do not exist are not remembered: a stranger could fill the cache with them.
        """
        found = self._keys.get((region, key_id))
        if found is None:
            found = self._load(tx, region, key_id)
            if found is not None and self._keys.put((found.region, found.key_id), found):
                for material in found.materials:
                    self._by_material[found.region, material] = found
        return found

    def reread(self, tx: Transaction, region: str, key_id: str) -> LiveKey | None:
        """The key as the database has it now, past the cache: for a write, which holds the lock."""
        return self._load(tx, region, key_id)

    def find_by_material(self, tx: Transaction, region: str, material_id: str) -> LiveKey | None:
        """The key that a ciphertext was made with."""
        found = self._by_material.get((region, material_id))
        if found is not None:
            return found
        row = tx.one("SELECT key_id FROM kms_material WHERE region = ? AND material_id = ?", region, material_id)
        return None if row is None else self.find(tx, region, row[0])

    def find_alias(self, tx: Transaction, account: str, region: str, name: str) -> str | None:
        """The id of the key that an alias (``alias/…``) stands for."""
        found = self._aliases.get((account, region, name))
        if found is None:
            row = tx.one("SELECT key_id FROM kms_alias WHERE account = ? AND region = ? AND name = ?", account, region, name)
            if row is None:
                return None
            found = str(row[0])
            self._aliases.put((account, region, name), found)
        return found

    def seal(self, region: str, key_id: str, material_id: str, secret: bytes) -> bytes:
        """Key material as the store keeps it: bound to its row, so that no row can be put in another's place."""
        return seal_material(self._sealer, region, key_id, material_id, secret)

    def unseal(self, region: str, key_id: str, material_id: str, sealed: bytes) -> bytes:
        """What :meth:`seal` took. Raises ValueError where the row was altered or exchanged."""
        return self._sealer.unseal(PURPOSE, sealed, f"{region}/{key_id}/{material_id}".encode())

    # Loading

    def _load(self, tx: Transaction, region: str, key_id: str) -> LiveKey | None:
        rows = [_Row._make(row) for row in tx.all(_SELECT, region, key_id)]
        if not rows:
            return None
        row = rows[0]
        # The database makes each of these anew for each key, and there are few different ones.
        region, account, state = map(sys.intern, (region, row.account, row.state))
        usage, spec, origin, manager = map(sys.intern, (row.usage, row.spec, row.origin, row.manager))
        multi_region = bool(row.multi_region)
        materials = self._materials(region, key_id, spec, rows)
        custody = self._custody(tx, region, key_id) if origin in {CLOUDHSM, EXTERNAL} else None
        if custody is not None:
            state = UNAVAILABLE if state == ENABLED and custody.store.state != CONNECTED else state
            materials = self._outer(custody, materials)
        tags = _tags(tx, region, key_id) if row.any_tags else _NO_TAGS
        aliases = _aliases(tx, region, key_id) if row.any_aliases else ()
        policy, policy_bytes = _policy(row.policy_resolved)
        self.grants.heard(region, key_id, any_grants=bool(row.any_grants))
        arn = key_arn(region, account, key_id, self._partition)
        return LiveKey(
            arn=arn,
            key_id=key_id,
            account=account,
            region=region,
            description=row.description,
            state=state,
            usage=usage,
            spec=spec,
            origin=origin,
            manager=manager,
            multi_region=multi_region,
            created_at=row.created_at,
            deletion_at=row.deletion_at,
            pending_window=row.pending_window,
            policy=_one_text(row.policy),
            tags=tags,
            aliases=aliases,
            current=materials.get(row.current or ""),
            materials=materials,
            target=Target(
                arn=arn,
                account=account,
                tags=tags,
                policy=policy,
                policy_decides=True,
                grants=self.grants.of_key(region, key_id),
                keys=_conditions((spec, usage, origin), aliases, multi_region=multi_region, primary=row.primary == region),
            ),
            custody=custody,
            life=_life(tx, key_id, rows),
            held=_KEY_BYTES + policy_bytes + len(materials) * SPECS[spec].held + _texts(row.description, tags, aliases),
        )

    def _materials(self, region: str, key_id: str, spec: str, rows: Sequence[_Row]) -> dict[str, Secret]:
        """The materials that belong to a key and are there."""
        load = SPECS[spec].load
        return {
            row.material_id: load(row.material_id, self.unseal(region, key_id, row.material_id, row.sealed))
            for row in rows
            if row.material_id is not None
        }

    def _custody(self, tx: Transaction, region: str, key_id: str) -> Custody:
        row = tx.one("SELECT store_id, outer_id FROM kms_store_key WHERE region = ? AND key_id = ?", region, key_id)
        found = self.stores.find(tx, region, row[0]) if row is not None else None
        if row is None or found is None:
            msg = f"the key {key_id} is in no custom key store, and its origin says that it is"
            raise ValueError(msg)
        return Custody(found, row[1])

    def _outer(self, custody: Custody, materials: Mapping[str, Secret]) -> dict[str, Secret]:
        cipher = self.stores.cipher(custody.store, custody.outer_id)
        return {name: Outer(one, cipher) for name, one in materials.items() if isinstance(one, Material)}

    # Forgetting

    def _forget_materials(self, key: tuple[str, str], value: LiveKey) -> None:
        for material in value.materials:
            self._by_material.pop((key[0], material), None)

    def _drop_key(self, key: str | None) -> None:
        """``key`` is ``region/key id``."""
        if key is None:
            self._keys.clear()
        else:
            region, _, key_id = key.partition("/")
            self._keys.drop((region, key_id))

    def _drop_alias(self, key: str | None) -> None:
        """``key`` is ``account/region/name``; a name may hold slashes itself."""
        if key is None:
            self._aliases.clear()
        else:
            account, region, name = key.split("/", 2)
            self._aliases.drop((account, region, name))


def seal_material(sealer: Sealer, region: str, key_id: str, material_id: str, secret: bytes) -> bytes:
    """:meth:`LiveKeys.seal`, for work that no request asks for."""
    return sealer.seal(PURPOSE, secret, f"{region}/{key_id}/{material_id}".encode())


def _tags(tx: Transaction, region: str, key_id: str) -> Mapping[str, str]:
    return dict(tx.all("SELECT tag_key, tag_value FROM kms_tag WHERE region = ? AND key_id = ?", region, key_id))


def _aliases(tx: Transaction, region: str, key_id: str) -> tuple[str, ...]:
    rows = tx.all("SELECT name FROM kms_alias WHERE region = ? AND key_id = ? ORDER BY name", region, key_id)
    return tuple(name for (name,) in rows)


def _life(tx: Transaction, key_id: str, rows: Sequence[_Row]) -> Life:
    row = rows[0]
    regions = _regions(tx, row.account, key_id) if row.multi_region else ()
    expiries = [one.valid_to for one in rows if one.valid_to is not None]
    found = Life(
        row.rotation_days,
        row.rotation_at,
        row.rotations_on_demand,
        row.primary,
        regions,
        bool(expiries),
        min(expiries, default=None),
    )
    return _PLAIN_LIFE if found == _PLAIN_LIFE else found


def _texts(description: str, tags: Mapping[str, str], aliases: tuple[str, ...]) -> int:
    """Bytes of what a key is described by."""
    named = sum(_ENTRY_BYTES + len(name) + len(value) for name, value in tags.items())
    return len(description) + named + sum(_ENTRY_BYTES + len(name) for name in aliases)


def _regions(tx: Transaction, account: str, key_id: str) -> tuple[str, ...]:
    rows = tx.all("SELECT region FROM kms_key WHERE key_id = ? AND account = ? ORDER BY region", key_id, account)
    return tuple(region for (region,) in rows)


@lru_cache(maxsize=1024)
def compiled(policy: str) -> Policy:
    """A key policy compiled. Most keys of an account have the same text, and share it."""
    return compile_policy(policy, "resource", id="key policy", name="default")


def _policy(text: str) -> tuple[Policy, int]:
    """A key policy compiled, and the bytes that it takes for this key alone: none where another key had the same."""
    misses = compiled.cache_info().misses
    found = compiled(text)
    return found, len(text) * _POLICY_FACTOR if compiled.cache_info().misses > misses else 0


@lru_cache(maxsize=1024)
def _one_text(policy: str) -> str:
    """The same text, the same object for all keys that have it."""
    return policy


def key_arn(region: str, account: str, key_id: str, partition: str = "aws") -> str:
    """The ARN of a key."""
    return f"arn:{partition}:kms:{region}:{account}:key/{key_id}"


def key_conditions(
    spec: str, usage: str, origin: str, *, multi_region: bool, aliases: tuple[str, ...] = (), primary: bool = True
) -> dict[str, Any]:
    """The condition keys that describe a key, existing or about to be made; ``primary``: of a multi-Region key, which it is."""
    found: dict[str, Any] = {
        "kms:KeySpec": spec,
        "kms:KeyUsage": usage,
        "kms:KeyOrigin": origin,
        "kms:MultiRegion": multi_region,
    }
    if multi_region:
        found["kms:MultiRegionKeyType"] = "PRIMARY" if primary else "REPLICA"
    if aliases:
        found["kms:ResourceAliases"] = aliases
    return found


@lru_cache(maxsize=4096)
def _conditions(kind: tuple[str, str, str], aliases: tuple[str, ...], *, multi_region: bool, primary: bool) -> Mapping[str, Any]:
    """The condition keys of a key in memory: one mapping for all that have the same. ``kind``: spec, usage and origin."""
    spec, usage, origin = kind
    return {
        **key_conditions(spec, usage, origin, multi_region=multi_region, aliases=aliases, primary=primary),
        # The names of an earlier time, which policies may still use.
        "kms:CustomerMasterKeySpec": spec,
        "kms:CustomerMasterKeyUsage": usage,
    }
