"""KMS without a network: calls go through declaration, authorization and handler over a real store, as the gateway takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

import garrison.keys.kms
from garrison.api import kms as api
from garrison.audit import Event
from garrison.core.context import Call, ConfigurationItem, Context
from garrison.core.ids import Random, system_random, uuid4
from garrison.core.operation import PREPARED, REGISTRY
from garrison.core.ports import Ports, Sealer
from garrison.core.principal import Principal, Session
from garrison.identity.iam import managed
from garrison.identity.principals import Principals
from garrison.keys.keyring import Keyring
from garrison.keys.kms.live import LiveKeys
from garrison.policy import Decision, PolicyInputs, PolicySet, compile_policy
from garrison.store import Store, open_store
from garrison.wire.authorization import authorize_call, declared_checks

assert garrison.keys.kms is not None

Calls = list[tuple[str, dict[str, Any]]]
"""Operations and their members."""

ACCOUNT = "111122223333"
OTHER = "444455556666"
REGION = "eu-central-1"
NOW = 1_790_000_000.0


def allow(*actions: str, resource: str | Sequence[str] = "*", effect: str = "Allow", **more: Any) -> str:
    """An identity policy of one statement."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key_policy(*statements: Mapping[str, Any]) -> str:
    """A key policy; each statement gets the Resource that all of them have."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **one} for one in statements]})


def root_statement(account: str = ACCOUNT) -> dict[str, Any]:
    """The statement that leaves a key to its account's own policies."""
    return {"Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*"}


@dataclass
class Caller:
    """A principal with its policies."""

    principal: Principal
    policies: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> PolicyInputs:
        return PolicyInputs(
            identity=PolicySet([compile_policy(text, "identity", id=f"p{at}") for at, text in enumerate(self.policies)])
        )


def root(account: str = ACCOUNT) -> Caller:
    return Caller(Principal(kind="root", account=account, arn=f"arn:aws:iam::{account}:root", id=account))


def user(name: str, *policies: str, account: str = ACCOUNT) -> Caller:
    principal = Principal(
        kind="user", account=account, arn=f"arn:aws:iam::{account}:user/{name}", id=f"AIDA{name.upper():0<17}", name=name
    )
    return Caller(principal, list(policies))


def role_session(name: str, *policies: str, account: str = ACCOUNT) -> Caller:

    session = Session(
        issued_at=NOW,
        expires_at=NOW + 3600,
        issuer_arn=f"arn:aws:iam::{account}:role/{name}",
        issuer_id=f"AROA{name.upper():0<17}",
        issuer_name=name,
        session_name="s",
    )
    principal = Principal(
        kind="assumed-role",
        account=account,
        arn=f"arn:aws:sts::{account}:assumed-role/{name}/s",
        id=f"AROA{name.upper():0<17}:s",
        name=name,
        session=session,
    )
    return Caller(principal, list(policies))


class Kms:
    """One worker's KMS."""

    def __init__(self, store: Store, sealer: Sealer, *, random: Random = system_random) -> None:
        self.store = store
        self.sealer = sealer
        self.live = LiveKeys(store, sealer)
        self.principals = Principals(store, sealer, managed.document)
        self.now = NOW
        self.call = Call(source_ip="127.0.0.1")
        self.random = random
        self.items: list[ConfigurationItem] = []
        self.events: list[Event] = []
        self.scratch: dict[str, Any] = {}
        self.attestation_roots: Any = None
        self.decision: Decision | None = None

    def __call__(self, caller: Caller, operation: str, *, region: str = REGION, **members: Any) -> Any:
        """Call an operation by its model's name, with its members as attributes; raises what the gateway would answer."""
        declaration = REGISTRY["kms", operation.lower()]
        request_type = api.OPERATIONS[operation][0]
        assert request_type is not None
        request = request_type(**members)
        ctx = Context(
            request_id=uuid4(),
            service="kms",
            operation=operation,
            now=self.now,
            account=caller.principal.account,
            region=region,
            principal=caller.principal,
            call=self.call,
            tx=self.store.reading(),
            ports=Ports(sealer=self.sealer, keys=self.live, principals=self.principals, attestation_roots=self.attestation_roots),
            random=self.random,
        )
        self.items, self.events = ctx.items, ctx.events
        self.scratch = ctx.scratch
        self.store.refresh()
        self.decision = authorize_call(
            declared_checks(declaration, declaration.action or f"kms:{operation}", ctx, request), ctx, caller.inputs
        )
        if declaration.read:
            if declaration.beside is not None:
                declaration.beside(ctx, request)
            return declaration.handler(ctx, request)
        work = declaration.prepare(ctx, request) if declaration.prepare is not None else None
        if work is not None:
            ctx.scratch[PREPARED] = work()
        try:
            with self.store.writing() as tx:
                ctx.tx = tx
                return declaration.handler(ctx, request)
        finally:
            self.store.commit()

    def new_key(self, caller: Caller | None = None, **members: Any) -> api.KeyMetadata:
        """A key, made by the account's root user unless somebody else is given."""
        metadata: api.KeyMetadata = self(caller or root(), "CreateKey", **members).key_metadata
        return metadata

    def person(self, kind: str, name: str, account: str = ACCOUNT) -> str:
        """A user or role in the database, with the unique id that ``user`` and ``role_session`` give it; its ARN."""
        unique = f"{'AIDA' if kind == 'user' else 'AROA'}{name.upper():0<17}"
        with self.store.writing() as tx:
            if kind == "user":
                tx.run(
                    "INSERT INTO iam_user (account, user_id, name, name_folded, path, created) VALUES (?, ?, ?, ?, '/', 0)",
                    account,
                    unique,
                    name,
                    name.lower(),
                )
            else:
                tx.run(
                    "INSERT INTO iam_role (account, role_id, name, name_folded, path, created, max_session_duration, trust_policy,"
                    " trust_resolved, trust_principals) VALUES (?, ?, ?, ?, '/', 0, 3600, '', '', '{}')",
                    account,
                    unique,
                    name,
                    name.lower(),
                )
        self.store.commit()
        return f"arn:aws:iam::{account}:{kind}/{name}"


@pytest.fixture
def memory_store() -> Iterator[Store]:

    store = open_store("", sealer=Keyring(bytes(32)), slot=0, memory=True)
    yield store
    store.close()


@pytest.fixture
def kms(memory_store: Store) -> Kms:
    return Kms(memory_store, Keyring(bytes(32)))
