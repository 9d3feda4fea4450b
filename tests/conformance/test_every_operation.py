"""Every operation of every hosted service: botocore's own client writes a request, and routing and parsing give back what it was given.

The request is botocore's after its own endpoint rules, handlers and signature: host prefixes, virtual-hosted buckets, checksums.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config

from garrison.core.http import Request
from garrison.core.model import OperationModel, load_model, service_names
from garrison.wire.hosts import Hosts
from garrison.wire.protocols import PROTOCOLS
from garrison.wire.routing import Route, Router
from tests.support.model_inputs import fullest, smallest
from tests.support.protocol_cases import same

VIRTUAL = "https://aws.example.test"
"""An endpoint whose clients put the bucket into the host name."""

ENDPOINTS = {
    "aws": None,
    "local": "http://localhost:4566",
    "virtual": VIRTUAL,
    "address": "http://127.0.0.1:4566",
}

CLIENTS_OWN = {"ContentMD5", "ChecksumAlgorithm", "ChecksumCRC32", "ChecksumMode", "CreateBucketConfiguration", "ContentLength"}
"""Members that the client adds by itself: checksums, and lengths that HTTP has anyway."""

CHANGED = {
    ("ec2", "CopySnapshot"): {"DestinationRegion", "PresignedUrl"},  # the client presigns a second request
    ("ec2", "RunInstances"): {"UserData"},  # the client encodes it in Base64
    ("rds", "CopyDBClusterSnapshot"): {"SourceRegion", "PreSignedUrl"},  # the client makes one of the other
    ("rds", "CopyDBSnapshot"): {"SourceRegion", "PreSignedUrl"},
    ("rds", "CreateDBCluster"): {"SourceRegion", "PreSignedUrl"},
    ("rds", "CreateDBInstanceReadReplica"): {"SourceRegion", "PreSignedUrl"},
    ("rds", "StartDBInstanceAutomatedBackupsReplication"): {"SourceRegion", "PreSignedUrl"},
    ("s3", "ListObjectVersions"): {"EncodingType"},  # the client asks for URL encoding, and decodes
    ("s3", "ListObjects"): {"EncodingType"},
    ("s3", "ListObjectsV2"): {"EncodingType"},
}
"""Members that the client changes or adds before it sends."""

HOST_ALONE = {("s3control", "CreateBucket", "smallest")}
"""Requests that only AWS's own host names tell apart: with neither account nor outpost, this one is S3's PUT of the object
``bucket/name`` into a bucket named ``v20180820``."""

SUCCESSORS = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
"""Deprecated operations of S3 whose requests nobody can tell from their successors'."""


class CapturedError(Exception):
    """Carries the request out of the client before it is sent."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.request = request


def capture(request: AWSPreparedRequest, **_: Any) -> None:
    raise CapturedError(request)


def client_for(service: str, endpoint: str | None) -> Any:
    style: Any = {"addressing_style": "virtual"} if endpoint == VIRTUAL else None
    config = Config(retries={"total_max_attempts": 1}, request_checksum_calculation="when_required", s3=style)
    client = boto3.client(
        service,  # type: ignore[call-overload] # a name from the list of hosted services
        region_name="eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        config=config,
    )
    client.meta.events.register("before-send", capture)
    return client


def received(prepared: AWSPreparedRequest) -> tuple[Request, str | None]:
    """The request as a server reads it, and the service of its signature."""
    url = urlsplit(prepared.url)
    given: Any = prepared.headers.items()
    headers = [(name.lower(), value.decode("latin-1") if isinstance(value, bytes) else value) for name, value in given]
    headers.append(("host", url.netloc))
    body: Any = prepared.body or b""
    if isinstance(body, io.IOBase):
        body = body.read()
    raw = body.encode() if isinstance(body, str) else bytes(body)
    request = Request(prepared.method, url.path or "/", url.query, headers, raw)
    found = re.search(r"Credential=[^/]+/\d+/(?:[^/]+/)?([a-z0-9-]+)/aws4_request", request.header("authorization"))
    return request, found[1] if found else None


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(Hosts(("amazonaws.com", "api.aws", "aws.amazon.com", "localhost", "aws.example.test")))


def operations(service: str) -> Iterator[OperationModel]:
    model = load_model(service)
    for name in model.operation_names:
        operation = model.operation(name)
        assert operation is not None
        yield operation


def sent(client: Any, operation: OperationModel, parameters: dict[str, Any]) -> tuple[Request, str | None]:
    method = next(method for method, name in client.meta.method_to_api_mapping.items() if name == operation.name)
    with pytest.raises(CapturedError) as caught:
        getattr(client, method)(**parameters)
    return received(caught.value.request)


def difference(operation: OperationModel, route: Route, request: Request, parameters: dict[str, Any]) -> str:
    """Empty where the route is right and the parameters came through."""
    wanted = SUCCESSORS.get(operation.name, operation.name)
    if (route.service, route.operation.name) != (operation.model.service, wanted):
        return f"routed to {route.service}:{route.operation.name}"
    if wanted != operation.name:
        return ""
    read = PROTOCOLS[route.protocol].parse(route.operation, request, route.path_parameters)
    changed = CHANGED.get((operation.model.service, operation.name), set())
    kept = {name: value for name, value in parameters.items() if name not in changed}
    missing = {name: (value, read.get(name)) for name, value in kept.items() if name not in read or not same(read[name], value)}
    extra = {
        name: value for name, value in read.items() if name not in parameters and name not in changed | own_members(operation)
    }
    return f"differs {missing} extra {extra}" if missing or extra else ""


def own_members(operation: OperationModel) -> set[str]:
    members = operation.input.shape.members.values() if operation.input else ()
    return CLIENTS_OWN | {member.name for member in members if "idempotencyToken" in member.traits}


ANYWHERE = [(service, endpoint) for service in service_names() for endpoint in ("aws", "local")]
BY_HOST = [(service, endpoint) for service in ("s3", "s3control") for endpoint in ("virtual", "address")]
"""The services whose requests depend on the host's form."""


@pytest.mark.parametrize(("service", "endpoint"), ANYWHERE + BY_HOST)
@pytest.mark.parametrize("make", [smallest, fullest])
def test_what_botocore_sends_is_routed_and_read(service: str, endpoint: str, make: Any, router: Router):
    client = client_for(service, ENDPOINTS[endpoint])
    wrong = {}
    for operation in operations(service):
        if endpoint != "aws" and (service, operation.name, make.__name__) in HOST_ALONE:
            continue
        parameters = make(operation)
        request, signed_for = sent(client, operation, parameters)
        problem = difference(operation, router.route(request, signed_for), request, parameters)
        if problem:
            wrong[operation.name] = f"{problem} {request.method} {request.header('host')}{request.path}?{request.query}"
    assert not wrong


def test_every_exception_is_an_operation():
    known = {(service, operation.name) for service in service_names() for operation in operations(service)}
    assert len(known) > 1900
    assert CHANGED.keys() <= known
    assert {(service, name) for service, name, _ in HOST_ALONE} <= known
    assert {("s3", name) for pair in SUCCESSORS.items() for name in pair} <= known
