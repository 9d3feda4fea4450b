from __future__ import annotations

import json
import math
from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import OperationModel, ServiceModel, load_model
from garrison.wire.protocols.base import MAX_DEPTH
from garrison.wire.protocols.json import JsonProtocol, decode_json

MODEL = ServiceModel(
    "example",
    {
        "metadata": {"protocol": "json", "jsonVersion": "1.1", "targetPrefix": "Example", "endpointPrefix": "example"},
        "operations": {
            "Put": {
                "name": "Put",
                "http": {"method": "POST", "requestUri": "/"},
                "input": {"shape": "All"},
                "output": {"shape": "All"},
            },
            "Nothing": {"name": "Nothing", "http": {"method": "POST", "requestUri": "/"}},
        },
        "shapes": {
            "All": {
                "type": "structure",
                "members": {
                    "Text": {"shape": "String"},
                    "Whole": {"shape": "Integer"},
                    "Long": {"shape": "Long"},
                    "Real": {"shape": "Double"},
                    "Flag": {"shape": "Boolean"},
                    "Bytes": {"shape": "Blob"},
                    "Time": {"shape": "Timestamp"},
                    "IsoTime": {"shape": "Timestamp", "timestampFormat": "iso8601"},
                    "Words": {"shape": "Strings"},
                    "Map": {"shape": "Map"},
                    "Inner": {"shape": "All"},
                    "Renamed": {"shape": "String", "locationName": "other"},
                    "Document": {"shape": "Document"},
                },
            },
            "String": {"type": "string"},
            "Integer": {"type": "integer"},
            "Long": {"type": "long"},
            "Double": {"type": "double"},
            "Boolean": {"type": "boolean"},
            "Blob": {"type": "blob"},
            "Timestamp": {"type": "timestamp"},
            "Strings": {"type": "list", "member": {"shape": "String"}},
            "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "All"}},
            "Document": {"type": "structure", "document": True, "members": {}},
        },
    },
)


def operation(name: str = "Put") -> OperationModel:
    found = MODEL.operation(name)
    assert found
    return found


def parse(body: Any) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return JsonProtocol().parse(operation(), Request("POST", "/", body=raw), {})


def test_every_type_is_read_and_written():
    wire = {
        "Text": "t", "Whole": -1, "Long": 2**40, "Real": 0.5, "Flag": False, "Bytes": "Zm9v", "Time": 1.5, "IsoTime": "1970-01-01T00:00:01Z",
        "Words": ["a", None], "Map": {"k": {"Text": "x"}}, "Inner": {"Inner": {}}, "other": "r", "Document": {"any": [1, None]},
    }  # fmt: skip
    document = {
        "Text": "t", "Whole": -1, "Long": 2**40, "Real": 0.5, "Flag": False, "Bytes": b"foo", "Time": 1.5, "IsoTime": 1.0,
        "Words": ["a", None], "Map": {"k": {"Text": "x"}}, "Inner": {"Inner": {}}, "Renamed": "r", "Document": {"any": [1, None]},
    }  # fmt: skip
    assert parse(wire) == document
    answer = JsonProtocol().serialize(operation(), document, "id")
    assert json.loads(answer.body) == wire
    assert answer.headers == [("x-amzn-requestid", "id"), ("content-type", "application/x-amz-json-1.1")]


def test_null_is_absence_and_the_unknown_is_ignored():
    assert parse({"Text": None, "Unknown": {"deep": [1]}, "Whole": 1}) == {"Whole": 1}


def test_the_last_of_duplicate_keys_counts():
    assert parse(b'{"Text":"a","Text":"b"}') == {"Text": "b"}


@pytest.mark.parametrize("body", [b"", b"{}", b" \n{} ", b"\xef\xbb\xbf{}", b"\xef\xbb\xbf"])
def test_an_empty_body_is_an_empty_object(body: bytes):
    assert parse(body) == {}


# Recorded from services of AWS that share this front end.
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"Text": True}, "class java.lang.Boolean can not be converted to an String"),
        ({"Text": 23}, "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"),
        ({"Text": []}, "Start of list found where not expected"),
        ({"Text": {}}, "Start of structure or map found where not expected."),
        ({"Whole": "23"}, "class java.lang.String can not be converted to an Integer"),
        ({"Whole": True}, "class java.lang.Boolean can not be converted to an Integer"),
        ({"Whole": []}, "Start of list found where not expected"),
        ({"Long": "23"}, "class java.lang.String can not be converted to an Long"),
        ({"Bytes": True}, "class java.lang.Boolean can not be converted to a Blob"),
        ({"Bytes": 23}, "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to a Blob"),
        ({"Bytes": {}}, "Start of structure or map found where not expected."),
        ({"Words": "23"}, "Expected list or null"),
        ({"Words": {}}, "Start of structure or map found where not expected."),
        ({"Map": 23}, "Expected map or null"),
        ({"Map": []}, "Start of list found where not expected"),
        ({"Inner": "23"}, "Expected null"),
        ({"Inner": []}, "Start of list found where not expected"),
        ([], "Start of list found where not expected"),
    ],
)
def test_the_wrong_type_is_named_as_aws_names_it(body: Any, message: str):
    with pytest.raises(CommonError) as caught:
        parse(body)
    assert (caught.value.kind, caught.value.message) == ("malformed", message)


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nul", b"'a'", b'{"Text":"\xff"}', b'{"Text":"\\ud800"}', b'{"a":NaN}', b'{"a":1e999}', b"{} {}", b"\xff\xfe{\x00}\x00", b"5", b'"a"',
        b'{"Whole":2147483648}', b'{"Whole":1.5}', b'{"Long":9223372036854775808}', b'{"Time":"soon"}', b'{"Time":1e300}', b'{"Time":true}',
        b'{"Real":"x"}', b'{"Real":true}', b'{"Bytes":"Zg"}', b'{"IsoTime":"soon"}', b'{"Flag":"true"}', b'{"Flag":1}',
        b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000,
        b'{"Real":' + b"9" * 400 + b"}",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_malformed(body: bytes):
    with pytest.raises(CommonError) as caught:
        parse(body)
    assert caught.value.kind == "malformed"


def test_nesting_is_bounded():
    def nested(levels: int) -> bytes:
        return b'{"Inner":' * (levels - 1) + b"{}" + b"}" * (levels - 1)

    parse(nested(MAX_DEPTH))
    with pytest.raises(CommonError, match="nests deeper"):
        parse(nested(MAX_DEPTH + 1))


def test_whole_numbers_may_be_written_with_a_point():
    assert parse({"Whole": 3.0}) == {"Whole": 3}


def test_numbers_that_json_lacks_are_words():
    assert parse({"Real": "Infinity"}) == {"Real": math.inf}
    for value, word in ((math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")):
        assert json.loads(JsonProtocol().serialize(operation(), {"Real": value}, "id").body) == {"Real": word}


def test_an_operation_without_output_answers_nothing():
    answer = JsonProtocol().serialize(operation("Nothing"), None, "id")
    assert (answer.status, answer.body) == (200, b"")
    assert JsonProtocol().parse(operation("Nothing"), Request("POST", "/", body=b'{"a":1}'), {}) == {}


def test_an_exception_without_members_says_why_all_the_same():
    """CloudTrail's model: none of its exceptions has a member for the message."""
    model = load_model("cloudtrail")
    answer = JsonProtocol().serialize_error(model, None, "AccessDeniedException", "why", 400, "id", {}, sender_fault=True)
    assert json.loads(answer.body) == {"__type": "AccessDeniedException", "message": "why"}


def test_an_error_is_its_type_and_message():
    answer = JsonProtocol().serialize_error(MODEL, None, "NotFoundException", "gone", 400, "id", {"Extra": 1}, sender_fault=True)
    assert answer.status == 400
    assert json.loads(answer.body) == {"__type": "NotFoundException", "message": "gone", "Extra": 1}
    answer = JsonProtocol().serialize_error(MODEL, None, "SerializationException", "", 400, "id", {}, sender_fault=True)
    assert json.loads(answer.body) == {"__type": "SerializationException"}


def test_services_that_once_spoke_query_name_the_old_code():
    model = ServiceModel(
        "q", {"metadata": {"protocol": "json", "awsQueryCompatible": {}, "endpointPrefix": "q"}, "operations": {}, "shapes": {}}
    )
    answer = JsonProtocol().serialize_error(model, None, "Code", "m", 400, "id", {}, sender_fault=True)
    assert ("x-amzn-query-error", "Code;Sender") in answer.headers


def test_decode_json_takes_any_value():
    assert decode_json(b"[1]") == [1]
