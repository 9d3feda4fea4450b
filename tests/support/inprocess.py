"""A whole worker in this process, on state in memory or on disk: the gateway without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from garrison import app
from garrison.config import load_settings
from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.wire.messages import read_call
from tests.support.server import AccessKey

HOST = "127.0.0.1:4566"
CALL = Call(source_ip="127.0.0.1", user_agent="tests", host=HOST)
IAM_VERSION = "2010-05-08"


class InProcess:
    """A worker and its first account. ``iam("ListUsers")`` is one signed call; its answer is as the client would get it."""

    def __init__(self, data_dir: Path | None = None, *, slot: int = 0) -> None:
        given: dict[str, Any] = {"dev": True} if data_dir is None else {"data_dir": str(data_dir)}
        self.settings = load_settings(given, {"GARRISON_CONFIG": ""})
        self.state = app.open_state(self.settings, slot, first=True)
        found = app.first_start(self.state)
        self.account = found.account
        self.root, self.admin = AccessKey(*found.root_key), AccessKey(*found.admin_key)
        self.worker = app.build_worker(self.state, slot)
        self.gateway = self.worker.gateway

    # Requests

    def iam(self, operation: str, key: AccessKey | None = None, /, **members: str) -> Response:
        """A call of IAM's query protocol."""
        body = urlencode({"Action": operation, "Version": IAM_VERSION, **members}).encode()
        return self.send(self.signed("iam", body, {"content-type": "application/x-www-form-urlencoded"}, key))

    def kms(self, operation: str, key: AccessKey | None = None, /, **members: Any) -> Response:
        """A call of KMS's JSON protocol."""
        return self.json("kms", f"TrentService.{operation}", members, key)

    def json(self, service: str, target: str, members: Mapping[str, Any], key: AccessKey | None = None) -> Response:
        """A call of a JSON protocol."""
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
        return self.send(self.signed(service, json.dumps(members).encode(), headers, key))

    def signed(self, service: str, body: bytes, headers: Mapping[str, str], key: AccessKey | None = None) -> Request:
        """A request as botocore signs it, now."""
        key = key or self.admin
        request = AWSRequest("POST", f"http://{HOST}/", headers={"host": HOST, **headers}, data=body)
        secret = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
        SigV4Auth(secret, service, "us-east-1").add_auth(request)
        found = [(name.lower(), str(value)) for name, value in request.headers.items()]
        return Request("POST", urlsplit(str(request.url)).path, headers=found, body=body)

    # Answers

    def send(self, *requests: Request, source_ip: str = "127.0.0.1") -> Response:
        """The answer to the last of these requests, all of them sent in one turn of the event loop."""
        return self.send_all(requests, source_ip)[-1]

    def send_all(self, requests: Sequence[Request], source_ip: str = "127.0.0.1") -> list[Response]:
        """Each request's answer."""

        async def all_at_once() -> list[Response]:
            return list(await asyncio.gather(*(self.enter(request, source_ip) for request in requests)))

        return asyncio.run(all_at_once())

    async def enter(self, request: Request, source_ip: str = "127.0.0.1") -> Response:
        """The short way of a request that came whole."""
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        fresh = replace(request)  # without what it remembers of its headers
        call = read_call(request, (source_ip, 50000), secure=False, tls=None)
        waiting = self.gateway.enter(fresh, call, answered.set_result)
        if waiting is None:
            return await answered
        said: list[Mapping[str, Any]] = []

        async def send(message: Mapping[str, Any]) -> None:
            said.append(message)

        await self.gateway.finish_to(waiting, send)
        return _said(said)

    async def asgi(self, request: Request, source_ip: str = "127.0.0.1") -> Response:
        """The long way."""
        asked = [{"type": "http.request", "body": request.body, "more_body": False}]
        said: list[Mapping[str, Any]] = []

        async def receive() -> Any:
            return asked.pop(0) if asked else {"type": "http.disconnect"}

        async def send(message: Mapping[str, Any]) -> None:
            said.append(message)

        await self.gateway(scope_of(request, source_ip), receive, send)
        return _said(said)

    # What it left

    def events(self) -> list[dict[str, Any]]:
        """Every event, oldest first, with its decision."""
        self.worker.recorder.flush()
        self.worker.recorder.ship()
        rows = self.state.store.reading().all("SELECT record, decision FROM audit_event ORDER BY id")
        return [json.loads(record) | {"decision": json.loads(decision)} for record, decision in rows]

    def last_event(self) -> dict[str, Any]:
        """The newest event."""
        return self.events()[-1]

    def new_user(self, name: str, *statements: Mapping[str, Any]) -> AccessKey:
        """A user with a key and these statements as an inline policy."""
        assert self.iam("CreateUser", UserName=name).status == 200
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            assert self.iam("PutUserPolicy", UserName=name, PolicyName="p", PolicyDocument=document).status == 200
        made = self.iam("CreateAccessKey", UserName=name).body.decode()
        return AccessKey(between(made, "AccessKeyId"), between(made, "SecretAccessKey"))

    def close(self) -> None:
        """End as a worker ends."""
        self.worker.close()


def _said(said: Sequence[Mapping[str, Any]]) -> Response:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in said[0]["headers"]]
    return Response(said[0]["status"], headers, said[1]["body"])


def scope_of(request: Request, source_ip: str = "127.0.0.1") -> dict[str, Any]:
    """The ASGI scope of a request."""
    return {
        "type": "http",
        "method": request.method,
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
        "client": (source_ip, 50000),
        "scheme": "http",
        "state": {},
    }


def between(xml: str, element: str) -> str:
    """The text of the first such element."""
    return xml.partition(f"<{element}>")[2].partition(f"</{element}>")[0]
