"""The composition root: the only place that knows every room."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import garrison.compliance.cloudtrail
import garrison.identity.iam
import garrison.identity.sts
import garrison.keys.kms
from garrison import __version__
from garrison.audit import Event, Recorder, Resource, Trail, adopt, make_event
from garrison.config import ConfigError, Settings
from garrison.core import ids
from garrison.core.clock import system_clock
from garrison.core.context import Call, ConfigurationItem
from garrison.core.operation import REGISTRY
from garrison.core.ports import Ports
from garrison.core.principal import Principal
from garrison.identity.bootstrap import create_account
from garrison.identity.iam import managed
from garrison.identity.principals import Principals
from garrison.keys import sigv4a
from garrison.keys.keyring import Keyring
from garrison.keys.kms.live import LiveKeys
from garrison.store import Store, open_store
from garrison.wire.gateway import Gateway, Limits
from garrison.wire.internal import InternalPaths
from garrison.wire.metrics import Metrics
from garrison.wire.sigv4 import Signatures, Verifier

BACKGROUND_SLOT = 64
TOOL_SLOTS = range(65, 128)
"""Numbers of processes on a node: workers from 0, the background worker, and command-line tools."""

assert garrison.compliance.cloudtrail is not None  # noqa: S101 - imported so that its operations are registered
assert garrison.identity.iam is not None  # noqa: S101 - imported so that its operations are registered
assert garrison.identity.sts is not None  # noqa: S101 - the same
assert garrison.keys.kms is not None  # noqa: S101 - the same


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
    metrics: Metrics | None = None

    def collect(self) -> Metrics:
        """Hand the gateway's counts over to Prometheus."""
        if self.metrics is None:
            self.metrics = Metrics()
        self.metrics.hand_over(self.gateway.calls, self.gateway.strangers.suppressed)
        return self.metrics

    def tick(self) -> None:
        """Once a second: other nodes' changes, last uses, counts. Raises StoreUnavailable."""
        if self.state.settings.store:
            self.state.store.poll()
        if self.principals.has_unsaved_uses:
            with self.state.store.writing() as tx:
                self.principals.save_uses(tx)
            self.recorder.flush()
        if self.metrics is not None or not self.state.settings.dev:
            self.collect()

    def close(self) -> None:
        """End in good order: last uses written, the audit chain closed."""
        self.tick()
        self.recorder.close()
        self.state.close()


def open_keyring(settings: Settings) -> Keyring:
    """The root key; made where neither it nor any state exists yet. Raises RootKeyError, ConfigError."""
    if settings.dev:
        return Keyring.ephemeral()
    if settings.root_key_file.exists():
        return Keyring.open(settings.root_key_file)
    if (settings.data_dir / "garrison.db").exists():
        msg = (
            f"the root key `{settings.root_key_file}` is missing, and the state in {settings.data_dir} cannot be read without it"
        )
        raise ConfigError(msg)
    return Keyring.create(settings.root_key_file)


def open_state(settings: Settings, slot: int, keyring: Keyring | None = None) -> State:
    """Open keyring and store. Raises ConfigError, RootKeyError, StoreUnavailable, SchemaError."""
    keyring = keyring or open_keyring(settings)
    if not settings.dev:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.data_dir.chmod(0o700)
    store = open_store(
        settings.database, sealer=keyring, slot=slot, memory=settings.dev, data_dir=None if settings.dev else settings.data_dir
    )
    return State(settings, keyring, store)


def first_start(state: State) -> FirstCredentials:
    """The first account, made where there is none yet; its first keys are read back on later starts."""
    row = state.store.reading().one("SELECT id FROM account ORDER BY created_at LIMIT 1")
    if row is not None:
        if state.settings.account and state.settings.account != row[0]:
            msg = f"the state in {state.settings.data_dir} belongs to account {row[0]}, not {state.settings.account}"
            raise ConfigError(msg)
        return stored_credentials(state, row[0])
    account = state.settings.account or ids.account_id()
    return new_account(state, account, name="garrison")


def new_account(state: State, account: str, *, name: str) -> FirstCredentials:
    """Make an account with its root user and its user ``admin``, on record. Raises Conflict where it exists."""
    now = system_clock()
    recorder = Recorder(state.store, state.data_dir, state.keyring, TOOL_SLOTS.stop)
    try:
        with state.store.writing() as tx:
            made = create_account(tx, state.keyring, account=account, name=name, email="", now=now, random=ids.system_random)
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


def build_worker(state: State, slot: int) -> Worker:
    """Put the rooms together for one worker process."""
    recorder = Recorder(state.store, state.data_dir, state.keyring, slot)
    principals = Principals(state.store, state.keyring, managed.document)
    ports = Ports(
        sealer=state.keyring,
        keys=LiveKeys(state.store, state.keyring),
        principals=principals,
        events=Trail(state.store, state.data_dir, recorder),
    )
    internal = InternalPaths(version=__version__, services=_services(), collect=Metrics, reset=None)
    gateway = Gateway(
        store=state.store,
        recorder=recorder,
        principals=principals,
        ports=ports,
        limits=Limits(body_bytes=state.settings.max_body_bytes, read_seconds=state.settings.read_timeout),
        region=state.settings.region,
        internal=internal,
        verifier=Verifier(Signatures(sigv4a.public_key)),
    )
    worker = Worker(state, gateway, recorder, principals)
    internal.collect = worker.collect
    if state.settings.dev:
        state.store.snapshot()
        internal.reset = lambda: _reset(worker)
    return worker


def _reset(worker: Worker) -> None:
    """Back to the first start: same credentials, empty trail."""
    worker.recorder.flush()
    worker.state.store.reset()
    worker.recorder = Recorder(worker.state.store, None, worker.state.keyring, 0)
    worker.gateway.recorder = worker.recorder
    worker.gateway.ports.events = Trail(worker.state.store, None, worker.recorder)


def _services() -> Mapping[str, str]:
    return dict.fromkeys(sorted({service for service, _ in REGISTRY}), "available")


def adopt_dead_chains(state: State) -> None:
    """Bring in what killed processes left in their spools."""
    if state.data_dir is not None:
        adopt(state.store, state.data_dir, state.keyring)


def _service_event(source: str, name: str, item: ConfigurationItem, now: float) -> Event:
    """What a service did by itself (CloudTrail User Guide, "Non-API events captured by CloudTrail")."""
    event = make_event(
        event_id=ids.uuid4(),
        request_id=ids.uuid4(),
        now=now,
        principal=Principal(kind="service", account=item.account, arn="", id="", service=source),
        call=Call(source_ip=source, user_agent=source),
        account=item.account,
        region=item.region,
        source=source,
        name=name,
        read_only=False,
        resources=(Resource(item.arn, item.account, item.type),),
    )
    event.event_type = "AwsServiceEvent"
    return event


def write_credentials_file(path: Path, endpoint: str, settings: Settings, found: FirstCredentials) -> None:
    """Endpoint, account and first keys as JSON, readable by the owner alone; it appears whole."""
    document: dict[str, Any] = {
        "endpoint": endpoint,
        "region": settings.region,
        "account": found.account,
        "root": {"access_key_id": found.root_key[0], "secret_access_key": found.root_key[1]},
        "admin": {"access_key_id": found.admin_key[0], "secret_access_key": found.admin_key[1]},
    }
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    beside.replace(path)
