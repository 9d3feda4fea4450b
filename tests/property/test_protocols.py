"""Every protocol against botocore's own reader and writer, over the real operations; and against noise."""

from __future__ import annotations

import functools
import json
import re
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.model import OperationModel as BotocoreOperation
from botocore.model import ServiceModel as BotocoreService
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.utils import parse_timestamp
from hypothesis import assume, given
from hypothesis import strategies as st

from garrison.core.errors import CommonError
from garrison.core.http import Request, Response
from garrison.core.model import OperationModel, Shape, load_model, service_names
from garrison.wire.protocols import PROTOCOLS
from garrison.wire.protocols.cbor import decode_cbor
from garrison.wire.protocols.rest import query_values, split_list
from garrison.wire.protocols.xml import read_xml
from garrison.wire.rest_routes import RestRoutes
from garrison.wire.routing import Router, RoutingError
from garrison.wire.structs import builder
from tests.support.protocol_cases import same
from tests.support.shapes import ANY_TEXT, XML_TEXT, documents

SERVICES = [(service, protocol) for service in service_names() for protocol in load_model(service).protocols]
XML_PROTOCOLS = {"rest-xml", "query", "ec2"}


@functools.cache
def botocore_service(service: str) -> BotocoreService:
    return BotocoreService(botocore.session.get_session().get_service_data(service), service)


@functools.cache
def operations(service: str) -> list[OperationModel]:
    model = load_model(service)
    found = [model.operation(name) for name in model.operation_names]
    # Of S3's deprecated operations no request is routed to; they name two members by one element.
    return [
        operation for operation in found if operation is not None and not (service == "s3" and operation.traits.get("deprecated"))
    ]


@functools.cache
def routes(service: str) -> RestRoutes:
    return RestRoutes(load_model(service))


def text_of(protocol: str) -> st.SearchStrategy[str]:
    return XML_TEXT if protocol == "rest-xml" else ANY_TEXT


def written_by_botocore(operation: BotocoreOperation, protocol: str, document: dict[str, Any]) -> Request:
    serialized = create_serializer(protocol, include_validation=False).serialize_to_request(document, operation)
    prepare_request_dict(serialized, "http://localhost")
    prepared: Any = create_request_object(serialized).prepare()
    url = urlsplit(prepared.url)
    headers = [
        (name.lower(), value.decode("latin-1") if isinstance(value, bytes) else value) for name, value in prepared.headers.items()
    ]
    if "ContentLength" not in document:
        headers = [(name, value) for name, value in headers if name != "content-length"]  # which HTTP itself adds
    body = prepared.body or b""
    return Request(prepared.method, url.path, url.query, headers, body.encode() if isinstance(body, str) else body)


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@given(data=st.data())
def test_what_botocore_writes_is_read(service: str, protocol: str, data: st.DataObject):
    operation = data.draw(st.sampled_from([one for one in operations(service) if one.input is not None]))
    assert operation.input is not None
    document = data.draw(documents(operation.input.shape, text=text_of(protocol)))
    assume(document.get(operation.input.shape.traits.get("payload", "")) != "")  # an empty body is no body
    request = written_by_botocore(botocore_service(service).operation_model(operation.name), protocol, document)
    path_parameters: dict[str, str] = {}
    if protocol.startswith("rest-"):
        match = routes(service).find(request, request.path)
        assert match is not None
        path_parameters = match.path_parameters
    read = PROTOCOLS[protocol].parse(operation, request, path_parameters)
    assert same(read, document), f"\nread     {read}\ndocument {document}\n{request}"


def read_by_botocore(operation: BotocoreOperation, protocol: str, response: Response) -> dict[str, Any]:
    parser: Any = create_parser(protocol)
    shape: Any = operation.output_shape
    blob = "payload" in shape.serialization and shape.members[shape.serialization["payload"]].type_name == "blob"
    parser._timestamp_parser = lambda value: parse_timestamp(value).timestamp()
    raw = {
        "status_code": response.status,
        "headers": HeadersDict(response.headers),
        "body": bytearray(response.body) if blob else response.body,  # of a real answer a stream, which the parser hands on
        "context": {"operation_name": operation.name},
    }
    parsed: dict[str, Any] = parser.parse(raw, shape)
    parsed.pop("ResponseMetadata")
    # Of an absent map of headers botocore makes an empty one.
    return {
        name: value
        for name, value in parsed.items()
        if value != {} or shape.members[name].serialization.get("location") != "headers"
    }


def readable(operation: OperationModel) -> bool:
    """Event streams are no documents; S3's GetBucketLocation is read by a handler of the client."""
    if operation.output is None or operation.name == "GetBucketLocation":
        return False
    return not any(member.shape.traits.get("eventstream") for member in operation.output.shape.members.values())


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@given(data=st.data())
def test_botocore_reads_what_is_written(service: str, protocol: str, data: st.DataObject):
    operation = data.draw(st.sampled_from([one for one in operations(service) if readable(one)]))
    assert operation.output is not None
    shape = operation.output.shape
    result = data.draw(documents(shape, text=XML_TEXT if protocol in XML_PROTOCOLS else ANY_TEXT, answer=True))
    payload = shape.traits.get("payload")
    assume(payload is None or result.get(payload))  # botocore reads an absent payload as an empty one
    response = PROTOCOLS[protocol].serialize(operation, result, "id")
    read = read_by_botocore(botocore_service(service).operation_model(operation.name), protocol, response)
    if payload is not None and "ContentType" not in result:
        read.pop("ContentType", None)  # a body has one in any case
    assert same(read, result), f"\nread   {read}\nresult {result}\n{response}"


def refused_or_read(read: Any, *arguments: Any) -> None:
    """Nothing but a CommonError may come out, and that of one kind."""
    try:
        read(*arguments)
    except CommonError as refusal:
        if refusal.kind != "malformed":
            raise


def as_struct(service: str, shape: Shape, value: Any) -> Any:
    """A document as the types that a handler answers with."""
    if shape.document:
        return value
    if shape.type == "list":
        return [as_struct(service, shape.member.shape, item) for item in value]
    if shape.type == "map":
        return {key: as_struct(service, shape.value.shape, item) for key, item in value.items()}
    if shape.type != "structure":
        return value
    kind = builder(service)._names[f"S_{re.sub(r'[^a-zA-Z0-9_]', '_', shape.name)}"]
    return kind(**{shape.members[name].attr: as_struct(service, shape.members[name].shape, item) for name, item in value.items()})


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@given(data=st.data())
def test_a_struct_is_written_like_its_document(service: str, protocol: str, data: st.DataObject):
    operation = data.draw(st.sampled_from([one for one in operations(service) if readable(one)]))
    assert operation.output is not None
    result = data.draw(documents(operation.output.shape, answer=True))
    builder(service).type_of(operation.output)
    struct = as_struct(service, operation.output.shape, result)
    of_struct, of_document = (PROTOCOLS[protocol].serialize(operation, value, "id") for value in (struct, result))
    assert (of_struct.status, of_struct.headers) == (of_document.status, of_document.headers)
    if protocol == "json" and of_struct.body:
        assert json.loads(of_struct.body) == json.loads(of_document.body)  # one number may be written 1 or 1.0
    else:
        assert of_struct.body == of_document.body


NOISE = st.binary(max_size=200)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "host",
                "content-type",
                "x-amz-target",
                "smithy-protocol",
                "x-amz-account-id",
                "x-amz-copy-source",
                "range",
                "x-amz-meta-a",
            ]
        ),
        st.text(st.characters(max_codepoint=0xFF), max_size=30)
        | st.sampled_from(["rpc-v2-cbor", "TrentService.Encrypt", "a.s3.localhost"]),
    ),
    max_size=5,
)
PATHS = st.text(st.characters(max_codepoint=0xFF), max_size=40).map(lambda text: "/" + text) | st.sampled_from(
    ["/v20180820/bucket/%FF", "/service/AWSShield_20160616/operation/X", "//", "/%", "/a/%00", "/v1/token"]
)
QUERIES = st.text(st.characters(max_codepoint=0xFF), max_size=40) | st.sampled_from(
    ["policy&acl", "Action=X&Version=2016-11-15", "%FF=%FF", "list-type=2", "uploadId"]
)
REQUESTS = st.builds(
    Request, st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "X"]), PATHS, QUERIES, HEADERS, NOISE
)
ROUTER = Router()


@given(REQUESTS, st.sampled_from([None, "kms", "iam", "s3", "ec2", "shield", "signin", "access-analyzer", "s3express", "lambda"]))
def test_any_request_is_routed_or_refused(request: Request, signed_for: str | None):
    try:
        route = ROUTER.route(request, signed_for)
    except RoutingError as refusal:
        error = refusal
    else:
        assert route.operation.model.service == route.service
        assert route.protocol in PROTOCOLS
        return
    assert error.protocol in PROTOCOLS
    assert error.service is None or error.service in service_names()


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@given(data=st.data(), request=REQUESTS)
def test_any_request_is_read_or_refused_as_malformed(service: str, protocol: str, data: st.DataObject, request: Request):
    operation = data.draw(st.sampled_from(operations(service)))
    labels = data.draw(st.dictionaries(st.sampled_from(["Bucket", "Key", "id", "arn", "name"]), st.text(max_size=10)))
    refused_or_read(PROTOCOLS[protocol].parse, operation, request, labels)


CBOR_BYTES = st.lists(
    st.sampled_from(
        [
            b"\xa1",
            b"\xbf",
            b"\x9f",
            b"\xff",
            b"\x81",
            b"\xc1",
            b"\xd8\x1c",
            b"\xd8\x1d",
            b"\xd8\x23",
            b"\xc2",
            b"\xc4",
            b"\x61a",
            b"\x41a",
            b"\xf6",
            b"\xf7",
            b"\xf9\x7e\x00",
            b"\xfb",
            b"\x1b",
            b"\x00",
            b"\x5f",
            b"\x7f",
        ]
    ),
    max_size=30,
).map(b"".join)
XML_BYTES = st.lists(
    st.sampled_from(
        [
            b"<a>",
            b"</a>",
            b"<b/>",
            b"<!DOCTYPE a [",
            b"<!ENTITY x 'y'>",
            b"]>",
            b"&x;",
            b"&amp;",
            b"<?xml version='1.0'?>",
            b"<![CDATA[",
            b"]]>",
            b"x",
            b"\xff",
            b"<a b='c'>",
            b"<x:a xmlns:x='y'>",
        ]
    ),
    max_size=30,
).map(b"".join)


@given(NOISE | CBOR_BYTES)
def test_noise_as_cbor(body: bytes):
    refused_or_read(decode_cbor, body)


@given(NOISE | XML_BYTES)
def test_noise_as_xml(body: bytes):
    refused_or_read(read_xml, body)


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_noise_as_query_strings_and_header_lists(text: str):
    refused_or_read(query_values, text)
    refused_or_read(split_list, text)
