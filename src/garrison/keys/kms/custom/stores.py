"""Custom key stores as the request path needs them, and what speaks to their other sides."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from garrison.core.ports import Sealer, Transaction
from garrison.keys.hsm.agent import Agent, Token
from garrison.keys.kms.custom.outer import OuterCipher, ProxyCipher, TokenCipher
from garrison.keys.xks.client import Proxy, XksClient
from garrison.store import Store

CLOUDHSM, EXTERNAL = "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"
"""Types of stores, and origins of the keys in them."""
CONNECTED, DISCONNECTED, FAILED = "CONNECTED", "DISCONNECTED", "FAILED"
_PURPOSE = "kms-key-store"

COLUMNS = (
    "region, store_id, account, name, type, state, error_code, created_at, sealed, cluster_id, trust_anchor, connectivity,"
    " endpoint, path, proxy_key_id"
)


@dataclass(frozen=True, slots=True)
class KeyStore:
    """One custom key store, as of its last change."""

    region: str
    store_id: str
    account: str
    name: str
    type: str
    state: str
    error_code: str
    created_at: float
    secret: str = field(repr=False)
    """The password of the HSM's user, or what signs requests to the proxy."""
    cluster_id: str = ""
    trust_anchor: str = ""
    connectivity: str = ""
    endpoint: str = ""
    path: str = ""
    proxy_key_id: str = ""

    @property
    def proxy(self) -> Proxy:
        """Where its proxy is."""
        return Proxy(self.endpoint, self.path, self.proxy_key_id, self.secret, self.region)


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a CloudHsmClusterId stands for here: a token that PKCS#11 opens."""

    module: str
    token: str
    user: str = ""
    """Before the password in the PIN, with a colon between, as AWS CloudHSM's own library wants it; empty: the password alone."""
    certificate: str = ""
    """PEM: what TrustAnchorCertificate must be; empty: any."""

    def opened_with(self, password: str) -> Token:
        """The token with its PIN."""
        return Token(self.module, self.token, f"{self.user}:{password}" if self.user else password)


def read_clusters(path: Path | None) -> dict[str, Cluster]:
    """The clusters of a TOML file: a table for each CloudHsmClusterId. Raises OSError, ValueError where it is none."""
    if path is None:
        return {}
    found: dict[str, Cluster] = {}
    for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            msg = f"`{name}` is no table of texts"
            raise ValueError(msg)
        try:
            found[name] = Cluster(**table)
        except TypeError as error:
            msg = f"`{name}` needs `module` and `token`, and may have `user` and `certificate`"
            raise ValueError(msg) from error
    return found


class LiveStores:
    """The custom key stores of every account and Region, and their connections. A change closes what it makes stale."""

    def __init__(
        self, store: Store, sealer: Sealer, *, client: XksClient | None = None, clusters: Mapping[str, Cluster] | None = None
    ) -> None:
        self.client = client or XksClient()
        self.clusters = clusters or {}
        self._sealer = sealer
        self._stores: dict[tuple[str, str], KeyStore] = {}
        self._agents: dict[tuple[str, str], Agent] = {}
        store.on_change("kms-key-store", self._drop)

    def find(self, tx: Transaction, region: str, store_id: str) -> KeyStore | None:
        """A store by its id, whoever owns it."""
        found = self._stores.get((region, store_id))
        if found is None:
            found = self.reread(tx, region, store_id)
            if found is not None:
                self._stores[region, store_id] = found
        return found

    def reread(self, tx: Transaction, region: str, store_id: str) -> KeyStore | None:
        """The store as the database has it now."""
        row = tx.one(f"SELECT {COLUMNS} FROM kms_key_store WHERE region = ? AND store_id = ?", region, store_id)  # noqa: S608 - constant
        return None if row is None else self.of_row(row)

    def of_row(self, row: tuple[Any, ...]) -> KeyStore:
        """A store from its :data:`COLUMNS`."""
        region, store_id = row[0], row[1]
        secret = self._sealer.unseal(_PURPOSE, row[8], f"{region}/{store_id}".encode()).decode()
        values = (*row[:8], secret, *row[9:])
        return KeyStore(*values)

    def seal(self, region: str, store_id: str, secret: str) -> bytes:
        """A store's secret as the database keeps it."""
        return self._sealer.seal(_PURPOSE, secret.encode(), f"{region}/{store_id}".encode())

    def cipher(self, key_store: KeyStore, outer_id: str) -> OuterCipher:
        """The other side of a key."""
        if key_store.type == EXTERNAL:
            return ProxyCipher(self.client, key_store.proxy, outer_id)
        return TokenCipher(self.agent(key_store), outer_id)

    def agent(self, key_store: KeyStore) -> Agent:
        """What speaks to a store's token; of a cluster that is not configured here, one that finds no token."""
        name = (key_store.region, key_store.store_id)
        found = self._agents.get(name)
        if found is None:
            cluster = self.clusters.get(key_store.cluster_id, Cluster("", ""))
            found = self._agents[name] = Agent(cluster.opened_with(key_store.secret))
        return found

    def close(self) -> None:
        """Close every connection."""
        self._drop(None)
        self.client.close()

    def _drop(self, key: str | None) -> None:
        """``key`` is ``region/store id``."""
        if key is None:
            gone = list(self._agents.values())
            self._stores.clear()
            self._agents.clear()
        else:
            region, _, store_id = key.partition("/")
            self._stores.pop((region, store_id), None)
            agent = self._agents.pop((region, store_id), None)
            gone = [agent] if agent is not None else []
        for agent in gone:
            agent.close()
