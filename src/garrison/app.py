"""The composition root: the only place that knows every room."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import garrison.compliance.cloudtrail
import garrison.edge.wafv2
import garrison.identity.iam
import garrison.identity.organizations
import garrison.identity.signin
import garrison.identity.sts
import garrison.keys.kms
from garrison import __version__
from garrison.audit import Event, Recorder, Resource, Trail, adopt, drain, make_event
from garrison.config import ConfigError, Settings
from garrison.console import Console
from garrison.core import ids
from garrison.core.clock import system_clock
from garrison.core.context import Call, ConfigurationItem
from garrison.core.operation import REGISTRY
from garrison.core.ports import Ports, Transaction
from garrison.core.principal import Principal
from garrison.edge.stage.follow import Stage
from garrison.edge.stage.rulings import Setup
from garrison.edge.token_keys import keep_rotated
from garrison.explaining import told
from garrison.identity.bootstrap import Accounts, create_account
from garrison.identity.federation.https import Fetcher
from garrison.identity.federation.issuers import Issuers
from garrison.identity.iam import managed
from garrison.identity.iam.due import due_reports
from garrison.identity.outbound import published
from garrison.identity.principals import Principals
from garrison.keys import sigv4a
from garrison.keys.assertions import Assertions
from garrison.keys.attestation import RootsError, read_roots
from garrison.keys.custody import Custody, Secrets, custody_of
from garrison.keys.key_pairs import KeyPairs
from garrison.keys.keyring import Keyring
from garrison.keys.kms import xks_credentials
from garrison.keys.kms.custom.stores import Cluster, LiveStores, read_clusters
from garrison.keys.kms.due import due_work
from garrison.keys.kms.live import LiveKeys
from garrison.keys.kms.xks_credentials import XksCredential
from garrison.keys.memory import no_core_dumps
from garrison.keys.web_tokens import TokenKeys
from garrison.keys.xks.client import XksClient
from garrison.keys.xks.http import Routes
from garrison.store import SchemaError, Store, open_store
from garrison.wire.gateway import Gateway
from garrison.wire.guard import installer
from garrison.wire.internal import InternalPaths
from garrison.wire.limits import Limits
from garrison.wire.metrics import Metrics
from garrison.wire.sigv4 import Signatures, Verifier
from garrison.wire.xks import XksProxy

BACKGROUND_SLOT = 64
TOOL_SLOTS = range(65, 128)
"""Numbers of processes on a node: workers from 0, the background worker, and command-line tools."""
_STEPS_IN_MEMORY = 10
"""Steps of reports a second, where there is no background process: each takes the loop some milliseconds."""

SERVICES = (
    garrison.compliance.cloudtrail, garrison.edge.wafv2, garrison.identity.iam, garrison.identity.organizations,
    garrison.identity.signin, garrison.identity.sts, garrison.keys.kms,
)  # fmt: skip
"""Imported so that their operations are registered."""


@dataclass(frozen=True, slots=True)
class FirstCredentials:
    """The keys that an account begins with."""

    account: str
    root_key: tuple[str, str]
    """Access key id and secret of the root user."""
    admin_key: tuple[str, str]
    """The same of the user ``admin``."""
    new: bool = False
    """True at the start that made them."""


@dataclass(slots=True)
class State:
    """The opened state: what a worker and a command-line tool both need."""

    settings: Settings
    keyring: Keyring
    store: Store
    slot: int
    """This process's number on the node."""

    @property
    def data_dir(self) -> Path | None:
        """None where state is in memory."""
        return None if self.settings.dev else self.settings.data_dir

    def close(self) -> None:
        """Close the store."""
        self.store.close()


@dataclass(slots=True)
class Worker:
    """One worker process, ready to serve."""

    state: State
    gateway: Gateway
    recorder: Recorder
    principals: Principals
    stage: Stage
    metrics: Metrics | None = None

    def collect(self) -> Metrics:
        """Hand the gateway's counts over to Prometheus."""
        if self.metrics is None:
            self.metrics = Metrics()
        self.metrics.hand_over(self.gateway.calls, self.gateway.strangers.suppressed)
        self.stage.hand_over(self.metrics.registry)
        return self.metrics

    def tick(self) -> None:
        """Once a second: other nodes' changes, last uses, counts, in memory the keys that are due. Raises StoreUnavailable."""
        self._hear_of_others()
        if self.principals.has_unsaved_uses:
            self._save_uses()
        if self._keys.uses:
            self._save_uses_of_keys()
        if self.metrics is not None or not self.state.settings.dev:
            self.collect()
        self.stage.report(system_clock())
        # Through the gateway: calls may be waiting for the same group.
        self.gateway.flush()
        if self.state.settings.dev:
            # In memory there is no background process: this one does its work.
            due_work(self.state.store, self.recorder, self._keys, system_clock())
            keep_rotated(self.state.store, self.state.keyring, system_clock())
            self.recorder.ship()
            due_reports(self.state.store, self.recorder, system_clock(), steps=_STEPS_IN_MEMORY, settled=system_clock())
        else:
            self.recorder.rotate()

    def _hear_of_others(self) -> None:
        """Where other nodes cannot be heard, what is cached may be stale: the gateway refuses calls until they can."""
        if not self.state.settings.store:
            # Of this node's own processes too, though no call comes: a root key may be on its way out.
            self.state.store.refresh()
            return
        try:
            self.state.store.poll()
        except BaseException:
            self.gateway.deaf = True
            raise
        self.gateway.deaf = False

    @property
    def _keys(self) -> LiveKeys:
        keys: LiveKeys = self.gateway.ports.keys
        return keys

    def _save_uses_of_keys(self) -> None:
        taken = self._keys.uses.take()
        try:
            with self.state.store.writing() as tx:
                self._keys.uses.save(tx, taken)
        except BaseException:
            self._keys.uses.give_back(taken)
            raise

    def _save_uses(self) -> None:
        taken = self.principals.take_uses()
        try:
            with self.state.store.writing() as tx:
                self.principals.save_uses(tx, taken)
        except BaseException:
            self.principals.give_back_uses(taken)
            raise

    def close(self) -> None:
        """End in good order: last uses written, the audit chain closed, the store let go of, whichever of these fails."""
        try:
            try:
                self.tick()
            finally:
                self.recorder.close()
        finally:
            self.state.close()


def prepare_data_dir(settings: Settings) -> None:
    """Make the data directory, its owner's alone. Raises ConfigError where that cannot be."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.data_dir.chmod(0o700)
    except OSError as error:
        msg = f"the data directory `{settings.data_dir}` cannot be used: {error.strerror}"
        raise ConfigError(msg) from error


@contextlib.contextmanager
def sole_server(data_dir: Path, seconds: float = 0.0) -> Iterator[None]:
    """Hold a data directory against every other server, for as long as this process or a child of it lives.

    Waits so many seconds for one that is about to end. Raises ConfigError where another one serves from it.
    """
    descriptor = os.open(data_dir / "serving", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + seconds
    try:
        while not _locked(descriptor):
            if time.monotonic() >= until:
                msg = f"another `garrison serve` runs on {data_dir}"
                raise ConfigError(msg)
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_state(settings: Settings, slot: int, keyring: Keyring | None = None, *, first: bool = False) -> State:
    """Open keyring and store. ``first``: a root key is made where neither it nor any state exists yet.

    Raises ConfigError, RootKeyError, StoreUnavailable, SchemaError.
    """
    if keyring is not None:
        return _open_state(settings, slot, keyring)
    if settings.dev:
        return _open_state(settings, slot, Keyring.ephemeral())
    no_core_dumps()
    kept = custody(settings)
    if kept.exists:
        return _open_state(settings, slot, Keyring(kept.load()))
    if not first or (settings.data_dir / "garrison.db").exists():
        raise _no_root_key(settings)
    made = Keyring.create(settings.root_key_file) if kept.kind == "file" else Keyring.ephemeral()
    if kept.kind != "file":
        made.entrust(kept.keep)
    try:
        return _open_state(settings, slot, made)
    except SchemaError as error:
        # There is state on the database server, and it was written under a root key that is not here: the new one is of no use.
        settings.root_key_file.unlink()
        raise _no_root_key(settings) from error


def custody(settings: Settings, root_key: str | None = None, secrets: Secrets | None = None) -> Custody:
    """Who keeps the root key, as the settings say, or another one (``root_key``). Raises ConfigError."""
    text = root_key if root_key is not None else settings.root_key or "file:"
    found = secrets or Secrets(settings.passphrase_file, settings.passphrase_fd if settings.passphrase_fd >= 0 else None)
    try:
        return custody_of(text, settings.root_key_file, found)
    except ValueError as error:
        msg = f"root_key `{text}` must be {error}"
        raise ConfigError(msg) from error


def _open_state(settings: Settings, slot: int, keyring: Keyring) -> State:
    if not settings.dev:
        prepare_data_dir(settings)
    store = open_store(
        settings.database, sealer=keyring, slot=slot, memory=settings.dev, data_dir=None if settings.dev else settings.data_dir
    )
    return State(settings, keyring, store, slot)


def _no_root_key(settings: Settings) -> ConfigError:
    where = "the database" if settings.store else str(settings.data_dir)
    return ConfigError(f"the root key `{settings.root_key_file}` is missing, and the state in {where} cannot be read without it")


def first_start(state: State) -> FirstCredentials:
    """The first account, made where there is none yet; its first keys are read back on later starts.

    Raises ConfigError where the state is another account's than the one that the settings name.
    """
    row = state.store.reading().one("SELECT id FROM account ORDER BY created_at LIMIT 1")
    if row is not None:
        if state.settings.account and state.settings.account != row[0]:
            msg = f"the state in {state.settings.data_dir} belongs to account {row[0]}, not {state.settings.account}"
            raise ConfigError(msg)
        return stored_credentials(state, row[0])
    account = state.settings.account or ids.account_id()
    return new_account(state, account, name="garrison")


def new_account(state: State, account: str, *, name: str, email: str = "") -> FirstCredentials:
    """Make an account with its root user and its user ``admin``, on record. Raises Conflict where it, or its address, exists."""
    now = float(int(system_clock()))  # IAM's times are whole seconds
    recorder = Recorder(state.store, state.data_dir, state.keyring, state.slot)
    try:
        with state.store.writing() as tx:
            made = create_account(tx, state.keyring, account=account, name=name, email=email, now=now, random=ids.system_random)
            recorder.write(_service_event("organizations.amazonaws.com", "CreateAccount", made.items[0], now), None, made.items)
    finally:
        recorder.close()
    return FirstCredentials(
        account,
        (made.root_access_key_id, made.root_secret_access_key),
        (made.admin_access_key_id, made.admin_secret_access_key),
        new=True,
    )


def stored_credentials(state: State, account: str) -> FirstCredentials:
    """The oldest active keys of root and ``admin``, unsealed; empty where there are none any more."""
    admin = state.store.reading().one("SELECT user_id FROM iam_user WHERE account = ? AND name_folded = 'admin'", account)
    return FirstCredentials(
        account, _oldest_key(state, account, account), _oldest_key(state, account, admin[0]) if admin else ("", "")
    )


def _oldest_key(state: State, account: str, owner: str) -> tuple[str, str]:
    row = state.store.reading().one(
        "SELECT access_key_id, secret FROM iam_access_key WHERE account = ? AND owner_id = ? AND status = 'Active'"
        " ORDER BY created LIMIT 1",
        account,
        owner,
    )
    if row is None:
        return "", ""
    return row[0], state.keyring.unseal("access-key", row[1], row[0].encode()).decode()


def attestation_roots(settings: Settings) -> tuple[Any, ...] | None:
    """The root certificates that the settings name; None where AWS's own count. Raises ConfigError."""
    if settings.attestation_roots is None:
        return None
    try:
        return read_roots(settings.attestation_roots)
    except RootsError as error:
        raise ConfigError(str(error)) from error


def beyond(settings: Settings) -> tuple[Routes, dict[str, Cluster]]:
    """How custom key stores reach their other sides, as the settings describe it. Raises ConfigError."""
    try:
        routes = Routes(settings.xks_addresses, settings.xks_authorities)
        routes.context()
    except OSError as error:  # ssl.SSLError is one
        msg = f"the authorities `{settings.xks_authorities}` cannot be used: {error.strerror or error}"
        raise ConfigError(msg) from error
    try:
        clusters = read_clusters(settings.hsm_clusters)
    except (OSError, ValueError) as error:
        msg = f"the clusters `{settings.hsm_clusters}` cannot be used: {error}"
        raise ConfigError(msg) from error
    return routes, clusters


def key_stores(state: State) -> LiveStores:
    """The custom key stores as a worker knows them. Raises ConfigError."""
    routes, clusters = beyond(state.settings)
    client = XksClient(routes, seconds=state.settings.xks_timeout)
    return LiveStores(state.store, state.keyring, client=client, clusters=clusters)


def issuers(settings: Settings) -> Issuers:
    """The keys of OpenID Connect issuers, and how they are fetched. Raises ConfigError."""
    if settings.oidc_authorities is not None:
        try:
            ssl.create_default_context(cafile=str(settings.oidc_authorities))
        except OSError as error:  # ssl.SSLError is one
            msg = f"the authorities `{settings.oidc_authorities}` cannot be used: {error.strerror or error}"
            raise ConfigError(msg) from error
    return Issuers(Fetcher(settings.oidc_authorities, loopback=settings.oidc_loopback), settings.oidc_files)


def build_worker(state: State, slot: int, shared: Path | None = None) -> Worker:
    """Put the rooms together for one worker process. ``shared``: the folder where several of them meet."""
    recorder = Recorder(state.store, state.data_dir, state.keyring, slot)
    principals = Principals(state.store, state.keyring, managed.document)
    ports = Ports(
        sealer=state.keyring,
        keys=LiveKeys(state.store, state.keyring, stores=key_stores(state)),
        principals=principals,
        accounts=Accounts(),
        events=Trail(state.store, state.data_dir, recorder),
        attestation_roots=attestation_roots(state.settings),
        tokens=TokenKeys(state.keyring),
        key_pairs=KeyPairs(),
        issuers=issuers(state.settings),
        assertions=Assertions(state.keyring),
        public_url=state.settings.public_url,
    )
    internal = InternalPaths(
        version=__version__,
        services=_services(),
        collect=_no_metrics_yet,
        reset=None,
        issuers=lambda issuer: published(state.store.reading(), issuer),
    )
    verifier = Verifier(Signatures(sigv4a.public_key))
    gateway = Gateway(
        store=state.store,
        recorder=recorder,
        principals=principals,
        ports=ports,
        limits=Limits(body_bytes=state.settings.max_body_bytes, read_seconds=state.settings.read_timeout),
        region=state.settings.region,
        internal=internal,
        verifier=verifier,
    )
    proxy = XksProxy(
        store=state.store,
        recorder=recorder,
        principals=principals,
        ports=ports,
        verifier=verifier,
        flush=gateway.flush,
        admit=gateway.strangers.admit,
    )
    gateway.internal = lambda request, call: internal(request, call) or proxy(request, call)
    gateway.pages = Console.of(gateway)
    stage = Stage(state.store, state.keyring, Setup.of(state.settings, slot, shared), installer(gateway))
    worker = Worker(state, gateway, recorder, principals, stage)
    internal.collect = worker.collect
    if state.settings.dev:
        state.store.snapshot()
        internal.reset = lambda: _reset(worker)
        internal.decisions = lambda after: _decisions(worker, after)
    return worker


def _no_metrics_yet() -> Metrics:
    msg = "metrics are collected by a worker"
    raise RuntimeError(msg)


DECISIONS = 1000
"""Calls told of at one time."""


def _decisions(worker: Worker, after: int) -> Mapping[str, object]:
    """What was decided on the calls after a position in the trail, oldest first, and the position of the newest one."""
    worker.gateway.flush()
    worker.recorder.flush()
    store = worker.state.store
    trail = Trail(store, worker.state.data_dir, worker.recorder)
    found = trail.following(after, DECISIONS)
    calls = [{"event": entry["event"], "decision": entry["decision"], "story": told(store, entry)} for entry in found]
    return {"last": trail.last(), "next": found[-1]["position"][1] if found else after, "calls": calls}


def _reset(worker: Worker) -> None:
    """Back to the first start: same credentials, empty trail, no cache that remembers. Whoever waits is answered first."""
    worker.gateway.flush()
    worker.state.store.reset()
    worker.recorder.begin_anew()
    worker.principals.forget_uses()


def _services() -> Mapping[str, str]:
    return dict.fromkeys(sorted({service for service, _ in REGISTRY}), "available")


def bring_in_events(state: State) -> None:
    """Move what the workers' spools hold to the database, where lookups find it."""
    if state.data_dir is not None:
        drain(state.store, state.data_dir)


def adopt_dead_chains(state: State) -> None:
    """Bring in what killed processes left in their spools."""
    if state.data_dir is not None:
        adopt(state.store, state.data_dir, state.keyring)


def user_named(state: State, account: str | None, name: str) -> tuple[str, str] | None:
    """Account and unique id of an IAM user; ``account`` None is the first one. None where there is no such user."""
    tx = state.store.reading()
    row = tx.one(
        "SELECT u.account, u.user_id FROM iam_user u JOIN account a ON a.id = u.account WHERE u.name_folded = ?"
        " AND u.account = coalesce(?, (SELECT id FROM account ORDER BY created_at LIMIT 1))",
        name.lower(),
        account,
    )
    return None if row is None else (row[0], row[1])


def new_xks_credential(state: State, owner: tuple[str, str], prefix: str) -> XksCredential:
    """Make a credential for another KMS, on record. ``owner``: account and unique id of the user as whom it calls."""
    account, owner_id = owner
    made: list[XksCredential] = []

    def create(tx: Transaction, now: float) -> ConfigurationItem:
        whose = {"account": account, "region": state.settings.region, "owner_id": owner_id}
        credential = xks_credentials.create(tx, state.keyring, ids.system_random, prefix=prefix, now=now, **whose)
        made.append(credential)
        return _credential_item(credential.access_key_id, account, credential.region)

    on_record(state, "kms.amazonaws.com", "CreateXksCredential", create)
    return made[0]


def delete_xks_credential(state: State, access_key_id: str) -> bool:
    """Take one away, on record; False where there is none."""

    def delete(tx: Transaction, _now: float) -> ConfigurationItem | None:
        found = tx.one("SELECT account, region FROM kms_xks_credential WHERE access_key_id = ?", access_key_id)
        if found is None:
            return None
        xks_credentials.delete(tx, access_key_id)
        return _credential_item(access_key_id, found[0], found[1], deleted=True)

    return on_record(state, "kms.amazonaws.com", "DeleteXksCredential", delete)


def _credential_item(access_key_id: str, account: str, region: str, *, deleted: bool = False) -> ConfigurationItem:
    arn = f"arn:aws:kms:{region}:{account}:xks-credential/{access_key_id}"
    kind = "Garrison::KMS::XksCredential"
    return ConfigurationItem(type=kind, id=access_key_id, arn=arn, account=account, region=region, deleted=deleted)


def on_record(state: State, source: str, name: str, change: Callable[[Transaction, float], ConfigurationItem | None]) -> bool:
    """Let a command change the state, on record as the work of a service. ``change`` answers the resource's new item.

    False where it answers None, for nothing to do: that is not on record.
    """
    now = system_clock()
    recorder = Recorder(state.store, state.data_dir, state.keyring, state.slot)
    try:
        with state.store.writing() as tx:
            item = change(tx, now)
            if item is not None:
                recorder.write(_service_event(source, name, item, now), None, [item])
    finally:
        recorder.close()
    return item is not None


def _service_event(source: str, name: str, item: ConfigurationItem, now: float) -> Event:
    """What a service did by itself (CloudTrail User Guide, "Non-API events captured by CloudTrail")."""
    event = make_event(
        event_id=ids.uuid4(),
        request_id=ids.uuid4(),
        now=now,
        principal=Principal(kind="service", account=item.account, arn="", id="", service=source),
        call=Call(source_ip=source, user_agent=source),
        account=item.account,
        region="us-east-1",  # where CloudTrail records what has no Region
        source=source,
        name=name,
        read_only=False,
        resources=(Resource(item.arn, item.account, item.type),),
    )
    event.event_type = "AwsServiceEvent"
    return event


def check_credentials_file(path: Path) -> None:
    """Find out before the first start makes secrets whether they can be written. Raises ConfigError."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        msg = f"the credentials file `{path}` cannot be written"
        raise ConfigError(msg)


def write_credentials_file(path: Path, endpoint: str, settings: Settings, found: FirstCredentials) -> None:
    """Endpoint, account and first keys as JSON, readable by the owner alone; it appears whole. Raises OSError."""
    document: dict[str, Any] = {
        "endpoint": endpoint,
        "region": settings.region,
        "account": found.account,
        "root": {"access_key_id": found.root_key[0], "secret_access_key": found.root_key[1]},
        "admin": {"access_key_id": found.admin_key[0], "secret_access_key": found.admin_key[1]},
    }
    _write_private(path, json.dumps(document, indent=2) + "\n")


def note_endpoint(settings: Settings, endpoint: str, authority: Path | None) -> None:
    """Leave word in the data directory of where the server listens, for the other commands. Raises OSError."""
    document = {"endpoint": endpoint, "authority": str(authority) if authority else ""}
    _write_private(settings.data_dir / "endpoint.json", json.dumps(document) + "\n")


def _write_private(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)
