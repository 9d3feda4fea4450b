"""botocore's input cases run backwards: the request a client must send is parsed, and gives the client's parameters."""

from __future__ import annotations

import pytest

from garrison.wire.protocols import PROTOCOLS
from tests.support.protocol_cases import Case, cases, document, path_parameters, request_of, same

COMPRESSED = "the case has no body: botocore compresses with gzip, and its test looks at the header alone"
TOKEN = "the client made the token; a server reads it like any other"
EMPTY = "an empty list or map of the client leaves no trace in the request"
QUERY_MAP = "a server puts every query parameter into the map, those bound by name too (Smithy, httpQueryParams trait)"
EMPTY_PAYLOAD = "the client sends {} for an absent payload, which a server cannot tell from an empty one"

EXCEPTIONS: dict[str, str] = {
    "ec2:SDKAppliedContentEncoding_ec2Query": COMPRESSED,
    "ec2:SDKAppendsGzipAndIgnoresHttpProvidedEncoding_ec2Query": COMPRESSED,
    "json:SDKAppliedContentEncoding_awsJson1_1": COMPRESSED,
    "json:SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1": COMPRESSED,
    "json_1_0:SDKAppliedContentEncoding_awsJson1_0": COMPRESSED,
    "json_1_0:SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0": COMPRESSED,
    "query:SDKAppliedContentEncoding_awsQuery": COMPRESSED,
    "query:SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery": COMPRESSED,
    "rest-json:SDKAppliedContentEncoding_restJson1": COMPRESSED,
    "rest-json:SDKAppendedGzipAfterProvidedEncoding_restJson1": COMPRESSED,
    "rest-xml:SDKAppliedContentEncoding_restXml": COMPRESSED,
    "rest-xml:SDKAppendedGzipAfterProvidedEncoding_restXml": COMPRESSED,
    "ec2:Ec2ProtocolIdempotencyTokenAutoFill": TOKEN,
    "query:QueryProtocolIdempotencyTokenAutoFill": TOKEN,
    "rest-json:RestJsonQueryIdempotencyTokenAutoFill": TOKEN,
    "rest-xml:QueryIdempotencyTokenAutoFill": TOKEN,
    "ec2:Ec2EmptyQueryLists": EMPTY,
    "query:QueryEmptyQueryMaps": EMPTY,
    "rest-json:RestJsonHttpPrefixHeadersAreNotPresent": EMPTY,
    "rest-json:RestJsonOmitsEmptyListQueryValues": EMPTY,
    "rest-xml:HttpPrefixHeadersAreNotPresent": EMPTY,
    "rest-json:RestJsonQueryParamsStringListMap": QUERY_MAP,
    "rest-json:RestJsonQueryPrecedence": QUERY_MAP,
    "rest-xml:AllQueryStringTypes": QUERY_MAP,
    "rest-xml:RestXmlQueryStringEscaping": QUERY_MAP,
    "rest-xml:RestXmlSupportsNaNFloatQueryValues": QUERY_MAP,
    "rest-xml:RestXmlSupportsInfinityFloatQueryValues": QUERY_MAP,
    "rest-xml:RestXmlSupportsNegativeInfinityFloatQueryValues": QUERY_MAP,
    "rest-xml:RestXmlZeroAndFalseQueryValues": QUERY_MAP,
    "rest-xml:RestXmlQueryParamsStringListMap": QUERY_MAP,
    "rest-xml:RestXmlQueryPrecedence": QUERY_MAP,
    "rest-json:RestJsonHttpWithEmptyStructurePayload": EMPTY_PAYLOAD,
    "rest-json:RestJsonHttpWithHeadersButNoPayload": EMPTY_PAYLOAD,
    "rest-json:MediaTypeHeaderInputBase64": "the case gives the JSON text, botocore takes and a server gives the JSON value",
    "json:serializes_string_shapes_with_jsonvalue_trait": "the case gives the JSON text, a server gives the JSON value",
    "query:QueryFlattenedListArgWithXmlName": "botocore sends the name of what the list holds instead, and skips the case; no hosted service has such a list",
}
"""Cases whose parameters differ on a server's side, each with the reason."""

CASES = list(cases("input"))


WITH_PATH_IN_ENDPOINT = {"rest-json:RestJsonHostWithPath"}
"""Cases whose client is given an endpoint with a path of its own, which a proxy in front of a server takes off."""


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_a_clients_request_is_read(case: Case):
    request = request_of(case)
    if case.id in WITH_PATH_IN_ENDPOINT:
        request.path = request.path.removeprefix("/custom")
    read = PROTOCOLS[case.protocol].parse(case.operation, request, path_parameters(case, request))
    expected = document(case.operation.input, case.raw["params"])
    assert same(read, expected) == (case.id not in EXCEPTIONS), f"\nread     {read}\nexpected {expected}\nrequest  {request}"


def test_every_exception_is_a_case():
    assert not (EXCEPTIONS.keys() | WITH_PATH_IN_ENDPOINT) - {case.id for case in CASES}
    assert len(CASES) == 367
