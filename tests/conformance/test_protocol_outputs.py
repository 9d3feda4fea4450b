"""botocore's output cases run backwards: the expected result is written, and botocore's own parser reads it back."""

from __future__ import annotations

import copy
import json
from base64 import b64decode
from typing import Any
from xml.etree import ElementTree as ET

import cbor2
import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel as BotocoreOperation
from botocore.model import ServiceModel as BotocoreService
from botocore.parsers import ResponseParserError, create_parser
from botocore.utils import parse_timestamp

from garrison.core.http import Response
from garrison.wire.protocols import PROTOCOLS
from tests.support.protocol_cases import Case, cases, document, same

REQUEST_ID = "b25f48e8-84fd-11e6-80d9-574e0c4664cb"

CASES = list(cases("output"))
RESULTS = [case for case in CASES if "error" not in case.raw]
ERRORS = [case for case in CASES if "error" in case.raw]

SPECIAL_FLOAT = "botocore's JSON parser leaves the words NaN, Infinity and -Infinity as text"
TEXT_PAYLOAD = "botocore reads a blob payload as text"
NO_BLOB = "botocore reads an absent blob payload as empty text"
UNSET_UNION = "botocore's parser refuses an absent union; it skips the case in its own test"
QUOTED = "botocore's parser splits at each comma, quotes or not; it skips the case in its own test"
TIMES = "botocore's parser splits HTTP dates at their commas; it skips the case in its own test"

ONE_NAME = "botocore looks for three flattened lists under the one name inside them; it skips the case in its own test"

READ_EXCEPTIONS: dict[str, str] = {
    "ec2:Ec2XmlLists": ONE_NAME,
    "query:QueryXmlLists": ONE_NAME,
    "rest-xml:XmlLists": ONE_NAME,
    "json:AwsJson11SupportsNaNFloatInputs": SPECIAL_FLOAT,
    "json:AwsJson11SupportsInfinityFloatInputs": SPECIAL_FLOAT,
    "json:AwsJson11SupportsNegativeInfinityFloatInputs": SPECIAL_FLOAT,
    "json_1_0:AwsJson10SupportsNaNFloatInputs": SPECIAL_FLOAT,
    "json_1_0:AwsJson10SupportsInfinityFloatInputs": SPECIAL_FLOAT,
    "json_1_0:AwsJson10SupportsNegativeInfinityFloatInputs": SPECIAL_FLOAT,
    "rest-json:RestJsonHttpPayloadTraitsWithBlob": TEXT_PAYLOAD,
    "rest-xml:HttpPayloadTraitsWithBlob": TEXT_PAYLOAD,
    "rest-json:RestJsonHttpPayloadTraitsWithNoBlobBody": NO_BLOB,
    "rest-xml:HttpPayloadTraitsWithNoBlobBody": NO_BLOB,
    "rest-json:RestJsonHttpPayloadWithUnsetUnion": UNSET_UNION,
    "rest-xml:RestXmlHttpPayloadWithUnsetUnion": UNSET_UNION,
    "rest-json:RestJsonInputAndOutputWithQuotedStringHeaders": QUOTED,
    "rest-json:RestJsonInputAndOutputWithTimestampHeaders": TIMES,
    "rest-xml:InputAndOutputWithTimestampHeaders": TIMES,
    "rest-json:HttpPrefixHeadersResponse": "the prefix is empty, so that the request id and the content type belong to the map",
    "rest-xml:BodyWithXmlName": "botocore's parser looks for the shape's name as a child; it skips the case in its own test",
}
"""Results that botocore does not read back as they were, each with the reason."""

OFFSET = "a server writes UTC; the case shows another zone that a client must take"
CLIENT_ONLY = "the case adds what a client must skip: null, __type, members that the model lacks, text between elements"
NO_OUTPUT = "an operation without output has an empty body here; the case shows that a client takes another"
OBJECT = "a server answers an empty object where the output has a structure; the case shows that a client takes no body"
ENVELOPE = "a Query answer has at least its envelope with the request id; the case shows that a client takes no body"
FLAT = "flattened items go by the name inside the list, where botocore looks for them; it skips the case in its own test"
ROOT = "the model names the root by the payload's member, as S3 needs it (LegalHold); clients do not look at the root's name"

BODY_EXCEPTIONS: dict[str, str] = {
    "ec2:Ec2XmlLists": FLAT,
    "query:QueryXmlLists": FLAT,
    "rest-xml:XmlLists": FLAT,
    "ec2:Ec2QueryDateTimeWithNegativeOffset": OFFSET,
    "ec2:Ec2QueryDateTimeWithPositiveOffset": OFFSET,
    "json:AwsJson11DateTimeWithNegativeOffset": OFFSET,
    "json:AwsJson11DateTimeWithPositiveOffset": OFFSET,
    "query:AwsQueryDateTimeWithNegativeOffset": OFFSET,
    "query:AwsQueryDateTimeWithPositiveOffset": OFFSET,
    "rest-json:RestJsonDateTimeWithNegativeOffset": OFFSET,
    "rest-json:RestJsonDateTimeWithPositiveOffset": OFFSET,
    "rest-xml:RestXmlDateTimeWithNegativeOffset": OFFSET,
    "rest-xml:RestXmlDateTimeWithPositiveOffset": OFFSET,
    "json:AwsJson11DeserializeIgnoreType": CLIENT_ONLY,
    "json:AwsJson11StructuresDontDeserializeNullValues": CLIENT_ONLY,
    "json_1_0:AwsJson10DeserializeIgnoreType": CLIENT_ONLY,
    "json_1_0:AwsJson10DeserializeAllowNulls": CLIENT_ONLY,
    "rest-json:RestJsonDeserializesDenseSetMapAndSkipsNull": CLIENT_ONLY,
    "rest-json:RestJsonDeserializeIgnoreType": CLIENT_ONLY,
    "rest-json:RestJsonDoesntDeserializeNullStructureValues": CLIENT_ONLY,
    "rest-xml:SimpleScalarPropertiesWithXMLPreamble": CLIENT_ONLY,
    "smithy-rpc-v2-cbor:RpcV2CborDeserializesDenseSetMapAndSkipsNull": CLIENT_ONLY,
    "smithy-rpc-v2-cbor:RpcV2CborClientDoesntDeserializeNullStructureValues": CLIENT_ONLY,
    "smithy-rpc-v2-cbor:RpcV2CborExtraFieldsInTheBodyShouldBeSkippedByClients": CLIENT_ONLY,
    "smithy-rpc-v2-cbor:RpcV2CborPayloadWithUnsetUnion": CLIENT_ONLY,
    "json:handles_empty_output_shape": NO_OUTPUT,
    "json:handles_unexpected_json_output": NO_OUTPUT,
    "json_1_0:AwsJson10HandlesEmptyOutputShape": NO_OUTPUT,
    "json_1_0:AwsJson10HandlesUnexpectedJsonOutput": NO_OUTPUT,
    "smithy-rpc-v2-cbor:NoOutputClientAllowsEmptyCbor": NO_OUTPUT,
    "rest-json:RestJsonEmptyInputAndEmptyOutputJsonObjectOutput": OBJECT,
    "rest-json:RestJsonGreetingWithErrorsNoPayload": OBJECT,
    "rest-json:RestJsonHttpPrefixHeadersArePresent": OBJECT,
    "rest-json:HttpPrefixHeadersResponse": OBJECT,
    "rest-json:RestJsonHttpResponseCodeWithNoPayload": OBJECT,
    "rest-json:RestJsonIgnoreQueryParamsInResponseNoPayload": OBJECT,
    "rest-json:RestJsonInputAndOutputWithStringHeaders": OBJECT,
    "rest-json:RestJsonInputAndOutputWithQuotedStringHeaders": OBJECT,
    "rest-json:RestJsonInputAndOutputWithNumericHeaders": OBJECT,
    "rest-json:RestJsonInputAndOutputWithBooleanHeaders": OBJECT,
    "rest-json:RestJsonInputAndOutputWithTimestampHeaders": OBJECT,
    "rest-json:RestJsonInputAndOutputWithEnumHeaders": OBJECT,
    "rest-json:RestJsonInputAndOutputWithIntEnumHeaders": OBJECT,
    "rest-json:RestJsonSupportsNaNFloatHeaderOutputs": OBJECT,
    "rest-json:RestJsonSupportsInfinityFloatHeaderOutputs": OBJECT,
    "rest-json:RestJsonSupportsNegativeInfinityFloatHeaderOutputs": OBJECT,
    "rest-json:MediaTypeHeaderOutputBase64": OBJECT,
    "rest-json:RestJsonNoInputAndOutputNoPayload": OBJECT,
    "rest-json:RestJsonTimestampFormatHeaders": OBJECT,
    "smithy-rpc-v2-cbor:empty_output_no_body": OBJECT,
    "query:QueryEmptyInputAndEmptyOutput": ENVELOPE,
    "query:QueryNoInputAndNoOutput": ENVELOPE,
    "query:QueryNoInputAndOutput": ENVELOPE,
    "rest-xml:RestXmlHttpPayloadWithUnion": ROOT,
    "rest-xml:HttpPayloadWithXmlName": ROOT,
    "rest-xml:HttpPayloadWithXmlNamespace": ROOT,
    "rest-xml:HttpPayloadWithXmlNamespaceAndPrefix": ROOT,
}
"""Cases whose body is one of several forms that mean the same, and not the form written here."""


def botocore_side(case: Case) -> tuple[BotocoreService, BotocoreOperation]:
    given = case.raw["given"]
    description = {**copy.deepcopy(dict(case.suite)), "operations": {given["name"]: given}}
    model = BotocoreService(description)
    operation = BotocoreOperation(given, model)
    if case.protocol == "query" and operation.output_shape and operation.output_shape.members:
        operation.output_shape.serialization["resultWrapper"] = f"{given['name']}Result"
    return model, operation


def epoch(value: Any) -> float:
    return parse_timestamp(value).timestamp()


def read_back(case: Case, response: Response) -> dict[str, Any]:
    model, operation = botocore_side(case)
    raw = {
        "status_code": response.status,
        "headers": HeadersDict(response.headers),
        "body": response.body,
        "context": {"operation_name": operation.name},
    }
    parser: Any = create_parser(case.protocol)
    parser._timestamp_parser = epoch
    parsed: dict[str, Any] = parser.parse(copy.deepcopy(raw), operation.output_shape)
    if "error" in case.raw:
        shape = model.shape_for_error_code(parsed["Error"]["Code"])
        parsed.update(parser.parse(copy.deepcopy(raw), shape))
    parsed.pop("ResponseMetadata")
    return parsed


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in RESULTS])
def test_botocore_reads_the_result_back(case: Case):
    result = document(case.operation.output, case.raw["result"])
    response = PROTOCOLS[case.protocol].serialize(case.operation, result, REQUEST_ID)
    try:
        read = read_back(case, response)
    except ResponseParserError as error:
        assert case.id in READ_EXCEPTIONS, error  # noqa: PT017 - the exceptions are a table
        return
    assert same(read, result) == (case.id not in READ_EXCEPTIONS), f"\nresult {result}\nread   {read}\nwire   {response}"


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in RESULTS])
def test_status_headers_and_body_are_the_cases(case: Case):
    given = case.raw["response"]
    result = document(case.operation.output, case.raw["result"])
    response = PROTOCOLS[case.protocol].serialize(case.operation, result, REQUEST_ID)
    assert response.status == given["status_code"]
    assert same_body(case, response.body) == (case.id not in BODY_EXCEPTIONS), (
        f"\nhere {response.body!r}\ncase {given.get('body')!r}"
    )


def same_body(case: Case, body: bytes) -> bool:
    text = case.raw["response"].get("body", "")
    match case.protocol:
        case "smithy-rpc-v2-cbor":
            wanted = b64decode(text)
            return body == wanted or (bool(body and wanted) and same(cbor2.loads(body), cbor2.loads(wanted)))
        case "json" | "rest-json":
            try:
                return body == text.encode() or same(json.loads(body), json.loads(text))
            except ValueError:
                return False
        case _:
            return body == text.encode() or canonical(body.decode()) == canonical(text)


def canonical(text: str) -> str:
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return text
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2].lower() in {"responsemetadata", "requestid"}:
                parent.remove(child)
    return ET.canonicalize(ET.tostring(root, encoding="unicode"), strip_text=True)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in ERRORS])
def test_botocore_reads_the_error_back(case: Case):
    shape_name = case.operation.errors[0]
    shape = case.operation.model.shape(shape_name)
    members = document_of(case, shape_name)
    code = case.raw["errorCode"]
    message = case.raw.get("errorMessage", "")
    status = case.raw["response"]["status_code"]
    # An awsQueryCompatible error has the status of the Query service that it once was, not that of its JSON answer.
    assert status == shape.error_status or "awsQueryCompatible" in case.operation.model.metadata
    response = PROTOCOLS[case.protocol].serialize_error(
        case.operation.model, case.operation, code, message, status, REQUEST_ID, members, sender_fault=True
    )
    read = read_back(case, response)
    assert read.pop("Error")["Code"] == code
    expected = dict(members)
    named = next((name for name in shape.members if name.lower() == "message"), None)
    if named and message:
        expected[named] = message
    assert same(read, expected), f"\nexpected {expected}\nread     {read}\nwire     {response}"
    assert response.status == status


def document_of(case: Case, shape_name: str) -> dict[str, Any]:
    shape = case.operation.model.shape(shape_name)
    named = ((name, document(shape.members[name], value)) for name, value in case.raw["error"].items())
    return {name: value for name, value in named if value is not None and name.lower() != "message"}


def test_every_exception_is_a_case():
    ids = {case.id for case in CASES}
    assert not (READ_EXCEPTIONS.keys() | BODY_EXCEPTIONS.keys()) - ids
    assert len(CASES) == 365
    assert len(RESULTS) + len(ERRORS) == 365
