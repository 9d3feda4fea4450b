"""A whole Garrison in this process, over a store in memory: boto3's requests go through its gateway without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
import botocore.config
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from garrison.app import FirstCredentials, Worker, build_worker, first_start, open_state
from garrison.config import Settings
from tests.support.clients import isolated_session
from tests.support.server import AccessKey

ACCOUNT = "111122223333"
REGION = "eu-central-1"
ENDPOINT = "http://127.0.0.1:4566"


class Item(NamedTuple):
    """A configuration item as it is stored; tags, configuration and facts are JSON."""

    type: str
    id: str
    name: str
    arn: str
    account: str
    region: str
    deleted: int
    tags: str
    configuration: str
    facts: str


class Left(NamedTuple):
    """An event as it is stored: the record's and the decision's JSON."""

    record: str
    decision: str


class House:
    """One worker with its first account."""

    def __init__(self, settings: Settings | None = None) -> None:
        """``settings``: where its state is kept; in memory without them."""
        nowhere = Path("/nonexistent")
        in_memory = Settings(
            data_dir=nowhere, root_key_file=nowhere / "root.key", dev=True, account=ACCOUNT, region=REGION, oidc_loopback=True
        )
        self.state = open_state(settings or in_memory, 0, first=settings is not None)
        self.first: FirstCredentials = first_start(self.state)
        self.worker: Worker = build_worker(self.state, 0)
        self.admin = AccessKey(*self.first.admin_key)
        self._session = boto3.Session(botocore_session=isolated_session(), region_name=REGION)
        self._clients: dict[tuple[str, AccessKey], Any] = {}
        self.hooks: dict[str, Callable[..., Any]] = {}
        """What new clients call, by the name of botocore's event."""

    def client(self, service: str, key: AccessKey | None = None) -> Any:
        """A boto3 client whose requests are answered by this house (default: the admin user's)."""
        key = key or self.admin
        if (service, key) not in self._clients:
            self._clients[service, key] = self._new_client(service, key)
        return self._clients[service, key]

    def _new_client(self, service: str, key: AccessKey) -> Any:
        client = self._session.client(
            service,  # type: ignore[call-overload] # any service name
            endpoint_url=ENDPOINT,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            aws_session_token=key.session_token,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send", self._answer)
        for name, hook in self.hooks.items():
            client.meta.events.register(name, hook)
        return client

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        status, headers, body = asyncio.run(self._call(request))
        return AWSResponse(request.url, status, headers, _Raw(body))  # type: ignore[arg-type] # botocore's own shape of a header map

    async def _call(self, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
        answer: dict[str, Any] = {"body": b""}

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": _body(request)}

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.update(message)
            else:
                answer["body"] += message["body"]

        await self.worker.gateway(_scope(request), receive, send)
        headers = {name.decode(): value.decode("latin-1") for name, value in answer["headers"]}
        return answer["status"], headers, answer["body"]

    # What calls leave

    def events(self, request_id: str | None = None) -> list[Left]:
        """The events of a request, or all, oldest first."""
        self.worker.recorder.ship()
        where, values = ("WHERE request_id = ?", (request_id,)) if request_id is not None else ("", ())
        rows = self.state.store.reading().all(f"SELECT record, decision FROM audit_event {where} ORDER BY id", *values)  # noqa: S608 - constants
        return [Left(*row) for row in rows]

    def items(self, request_id: str) -> list[Item]:
        """The configuration items that a request wrote."""
        sql = (
            "SELECT c.resource_type, c.resource_id, c.resource_name, c.arn, c.account, c.region, c.deleted, c.tags,"
            " c.configuration, c.facts FROM config_item c JOIN audit_event e ON e.chain = c.chain AND e.seq = c.seq"
            " WHERE e.request_id = ? ORDER BY c.id"
        )
        return [Item(*row) for row in self.state.store.reading().all(sql, request_id)]

    def close(self) -> None:
        """Let go of the store."""
        self.worker.close()


class _Raw:
    """A body as botocore reads it from a connection."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> list[bytes]:
        return [self._body]


def _body(request: AWSPreparedRequest) -> bytes:
    body = request.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)  # type: ignore[arg-type] # none of these clients streams


def _scope(request: AWSPreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url)
    given: Any = request.headers.items()
    headers = {
        name.lower().encode(): value if isinstance(value, bytes) else str(value).encode("latin-1") for name, value in given
    }
    headers.setdefault(b"host", url.netloc.encode())
    return {
        "type": "http",
        "method": request.method,
        "scheme": url.scheme,
        "raw_path": (url.path or "/").encode(),
        "query_string": url.query.encode(),
        "headers": list(headers.items()),
        "client": ("127.0.0.1", 50000),
    }
