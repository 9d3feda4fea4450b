"""What attackers' tests share: requests signed by hand, a second account, and what a refusal said."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.support import raw
from tests.support.clients import boto
from tests.support.server import AccessKey, Server

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15", "ec2": "2016-11-15"}


def unique(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def refused(call: Any, **members: Any) -> tuple[str, str, int]:
    """Code, message and status of a call that fails."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement that denies."""
    return {"Effect": "Deny", "Action": list(actions), "Resource": resource, **more}


def trust(principal: Any, *actions: str, **more: Any) -> dict[str, Any]:
    """A role's trust policy."""
    named = principal if isinstance(principal, dict) else {"AWS": principal}
    return policy({"Effect": "Allow", "Principal": named, "Action": list(actions or ("sts:AssumeRole",)), **more})


def new_role(server: Server, trusted: Mapping[str, Any], *policies: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """A role with inline policies."""
    iam = boto(server, "iam")
    name = unique("role")
    made: dict[str, Any] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusted), **options)["Role"]
    for number, document in enumerate(policies):
        iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(document))
    return made


def second_account(server: Server) -> tuple[str, AccessKey, AccessKey]:
    """Another account on the same server: its number, its admin's key and its root's."""
    made = json.loads(server.garrison("account", "create", unique("other")).stdout)
    admin, root = (AccessKey(made[who]["access_key_id"], made[who]["secret_access_key"]) for who in ("admin", "root"))
    return made["account"], admin, root


def query_body(service: str, action: str, **members: str) -> bytes:
    """A form that calls a query service."""
    return urlencode({"Action": action, "Version": VERSIONS[service], **members}).encode()


def signed(
    server: Server,
    key: AccessKey,
    service: str,
    *,
    method: str = "POST",
    path: str = "/",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    presigned: int | None = None,
    region: str = "",
) -> AWSRequest:
    """A request signed by botocore's own signer; ``presigned`` is the life of a presigned URL in seconds."""
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    request = AWSRequest(method, server.endpoint + path, headers=dict(headers or {}), data=body)
    where = (service, region or server.credentials.region)
    signer = SigV4Auth(credentials, *where) if presigned is None else SigV4QueryAuth(credentials, *where, expires=presigned)
    signer.add_auth(request)
    return request


def send(
    server: Server,
    request: AWSRequest,
    *,
    method: str = "",
    host: str = "",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    query: str = "",
) -> raw.Answer:
    """Send a signed request as it is, or with something changed after it was signed."""
    where = urlsplit(str(request.url))
    target = (where.path or "/") + (f"?{where.query}{query}" if where.query or query else "")
    payload = bytes(request.data or b"") if body is None else body
    sent = {name.lower(): (name, str(value)) for name, value in request.headers.items()}
    sent |= {"host": ("Host", host or where.netloc), "content-length": ("Content-Length", str(len(payload)))}
    sent |= {name.lower(): (name, value) for name, value in (headers or {}).items()}
    lines = [f"{name}: {value}" for name, value in sent.values()]
    head = "\r\n".join([f"{method or request.method} {target} HTTP/1.1", *lines, "Connection: close", "", ""])
    return raw.exchange(server, head.encode("latin-1") + payload, half_close=False)


def events(server: Server) -> list[tuple[str, str]]:
    """Request id and record of everything on the trail, after what waits in spools was brought in."""
    boto(server, "cloudtrail").lookup_events(MaxResults=1)
    database = sqlite3.connect(f"file:{server.data_dir / 'garrison.db'}?mode=ro", uri=True)
    try:
        return [
            (str(request_id), str(record))
            for request_id, record in database.execute("SELECT request_id, record FROM audit_event")
        ]
    finally:
        database.close()
