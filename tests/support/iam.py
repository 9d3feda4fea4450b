"""IAM's handlers over a real store in memory, without a server: as the gateway would call them, one transaction a call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, get_type_hints
from urllib.parse import unquote

import garrison.identity.iam as registered
from garrison.core.context import Call, ConfigurationItem, Context
from garrison.core.errors import ServiceError
from garrison.core.operation import PREPARED, REGISTRY, Declaration, Target
from garrison.core.ports import Ports
from garrison.core.principal import Principal
from garrison.identity.bootstrap import Bootstrap, create_account
from garrison.identity.federation.issuers import Issuers
from garrison.identity.iam.due import due_reports
from garrison.keys.assertions import Assertions
from garrison.keys.key_pairs import KeyPairs
from garrison.keys.keyring import Keyring
from garrison.keys.web_tokens import TokenKeys
from garrison.store import Store, open_store

assert registered.__all__

ACCOUNT = "123456789012"
NOW = 1_700_000_000.0
ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
LIST_USERS = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}]}'
TRUST_EC2 = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'


def trust(*principals: str) -> str:
    """A trust policy that names AWS principals."""
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def decoded(document: str | None) -> Any:
    """A document out of an answer: percent-decoded and parsed."""
    return json.loads(unquote(document or ""))


class Cloud:
    """One account; ``cloud.create_user(user_name="bob")`` calls the handler of CreateUser."""

    def __init__(self, account: str = ACCOUNT, store: Store | None = None, sealer: Keyring | None = None) -> None:
        self.sealer = sealer or Keyring.ephemeral()
        self.store = store or open_store("", sealer=self.sealer, memory=True)
        self.account = account
        self.now = NOW
        self.random = Random(int(account)).randbytes
        self.principal = root(account)
        self.items: list[ConfigurationItem] = []
        self.touched: list[tuple[str, str]] = []
        self.reads = 0
        """Questions to the store that the last call asked."""
        self.targets: list[Target] = []
        self.keys: Mapping[str, Any] = {}
        self.bootstrap: Bootstrap | None = None

    def with_account(self) -> Cloud:
        """With the account's row, its root key and the user admin."""
        with self.store.writing() as tx:
            self.bootstrap = create_account(
                tx, self.sealer, account=self.account, name="test", email="root@example.com", now=self.now, random=self.random
            )
        self.store.commit()
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        declaration = REGISTRY.get(("iam", name.replace("_", "")))
        if declaration is None:
            raise AttributeError(name)
        hints = get_type_hints(declaration.handler)
        request_type = hints.get("req", hints.get("_req", type(None)))

        def call(**members: Any) -> Any:
            self.now += 1
            request = request_type(**members) if members or request_type not in {object, type(None)} else None
            self.items, self.touched = [], []
            left: list[Callable[[Any], object]] = []
            try:
                with self.store.writing() as tx:
                    noting = _Noting(tx, self.touched)
                    ctx = self.context(noting, name)
                    left = ctx.though_failed
                    assert not isinstance(declaration.resource, str), "a denial could not say `on resource: *`"
                    targets = declaration.resource(ctx, request)
                    self.targets = [targets] if isinstance(targets, Target) else list(targets)
                    self.keys = declaration.context(ctx, request) if declaration.context else {}
                    _prepare(declaration, ctx, request)
                    answer = declaration.handler(ctx, request)
                    self.items = ctx.items
                    self.reads = noting.reads
            except ServiceError:
                with self.store.writing() as tx:
                    for each in left:
                        each(tx)
                self.store.commit()
                raise
            self.store.commit()
            assert not (declaration.read and (self.items or self.touched)), f"{name} writes, and is declared as a read"
            return answer

        return call

    def context(self, tx: Any, operation: str) -> Context:
        """What a handler gets."""
        return Context(
            request_id="00000000-0000-4000-8000-000000000000",
            service="iam",
            operation="".join(word.title() for word in operation.split("_")),
            now=self.now,
            account=self.account,
            region="us-east-1",
            principal=self.principal,
            call=Call(source_ip="192.0.2.1"),
            tx=tx,
            ports=Ports(
                sealer=self.sealer,
                tokens=TokenKeys(self.sealer),
                key_pairs=KeyPairs(),
                issuers=Issuers(),
                assertions=Assertions(self.sealer),
            ),
            random=self.random,
        )

    def as_user(self, name: str) -> Cloud:
        """Call as a user from now on."""
        user = self.get_user(user_name=name).user
        self.principal = Principal(kind="user", account=self.account, arn=user.arn, id=user.user_id, name=name)
        return self

    def as_session(self) -> Cloud:
        """Call as a role's session from now on."""
        arn = f"arn:aws:sts::{self.account}:assumed-role/work/me"
        self.principal = Principal(kind="assumed-role", account=self.account, arn=arn, id="AROAEXAMPLEEXAMPLE123:me", name="work")
        return self

    def make_reports(self, steps: int = 100) -> int:
        """What the background does with what was asked for."""
        flushing: Any = SimpleNamespace(flush=self.store.commit)
        return due_reports(self.store, flushing, self.now, steps=steps, settled=self.now)

    def happened(self, identity: Mapping[str, Any], action: str, at: float, region: str = "us-east-1", **columns: Any) -> None:
        """An event as the trail has it, with the action that was decided on."""
        service, _, name = action.partition(":")
        row = {"event_source": f"{service}.amazonaws.com", "event_name": name, "account": self.account, **columns}
        decision = json.dumps({"outcome": "allowed", "action": action})
        with self.store.writing() as tx:
            number = (tx.one("SELECT count(*) FROM audit_event") or (0,))[0]
            tx.run(
                "INSERT INTO audit_event (chain, seq, hash, event_time, event_id, request_id, event_source, event_name, account,"
                " region, user_name, access_key_id, read_only, error_code, record, decision)"
                " VALUES ('chain', ?, ?, ?, ?, '', ?, ?, ?, ?, '', '', 1, '', ?, ?)",
                number,
                b"",
                int(at),
                str(number),
                row["event_source"],
                row["event_name"],
                row["account"],
                region,
                json.dumps({"userIdentity": dict(identity)}),
                row.get("decision", decision),
            )
        self.store.commit()

    def row(self, sql: str, *parameters: Any) -> tuple[Any, ...] | None:
        """Look into the store."""
        return self.store.reading().one(sql, *parameters)


def _prepare(declaration: Declaration, ctx: Context, request: Any) -> None:
    """What the gateway does beside the loop."""
    work = declaration.prepare(ctx, request) if declaration.prepare else None
    if work is not None:
        ctx.scratch[PREPARED] = work()


class _Noting:
    """A transaction that also tells which cached entries it made stale, and how often it was asked."""

    def __init__(self, tx: Any, touched: list[tuple[str, str]]) -> None:
        self._tx = tx
        self._touched = touched
        self.run = tx.run
        self.reads = 0

    def all(self, sql: str, *parameters: Any) -> Any:
        self.reads += 1
        return self._tx.all(sql, *parameters)

    def one(self, sql: str, *parameters: Any) -> Any:
        self.reads += 1
        return self._tx.one(sql, *parameters)

    def changed(self, kind: str, key: str) -> None:
        self._touched.append((kind, key))
        self._tx.changed(kind, key)


def root(account: str) -> Principal:
    """The root user."""
    return Principal(kind="root", account=account, arn=f"arn:aws:iam::{account}:root", id=account)


def tags(**values: str) -> Sequence[Any]:
    """Tags as requests have them."""
    from garrison.api import iam as api  # noqa: PLC0415 - the only place that needs it

    return [api.Tag(key=key, value=value) for key, value in values.items()]
