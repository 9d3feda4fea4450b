from __future__ import annotations

from typing import Any

import cbor2
import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import OperationModel, ServiceModel
from garrison.wire.protocols.base import MAX_DEPTH
from garrison.wire.protocols.cbor import CborProtocol, decode_cbor

MODEL = ServiceModel(
    "test",
    {
        "metadata": {"protocol": "smithy-rpc-v2-cbor", "endpointPrefix": "test", "targetPrefix": "Test"},
        "operations": {
            "Put": {"name": "Put", "input": {"shape": "Thing"}, "output": {"shape": "Thing"}, "errors": [{"shape": "Gone"}]},
            "Nothing": {"name": "Nothing"},
        },
        "shapes": {
            "Thing": {
                "type": "structure",
                "members": {
                    "Text": {"shape": "String"},
                    "Count": {"shape": "Integer"},
                    "Big": {"shape": "Big"},
                    "Size": {"shape": "Double"},
                    "When": {"shape": "Time"},
                    "Flag": {"shape": "Boolean"},
                    "Bytes": {"shape": "Blob"},
                    "Words": {"shape": "Strings"},
                    "Map": {"shape": "Map"},
                    "Inner": {"shape": "Thing"},
                },
            },
            "Gone": {
                "type": "structure",
                "members": {"Message": {"shape": "String"}, "Id": {"shape": "String"}},
                "error": {"httpStatusCode": 404},
                "exception": True,
            },
            "Strings": {"type": "list", "member": {"shape": "String"}},
            "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Thing"}},
            "String": {"type": "string"},
            "Integer": {"type": "integer"},
            "Big": {"type": "biginteger"},
            "Double": {"type": "double"},
            "Time": {"type": "timestamp"},
            "Boolean": {"type": "boolean"},
            "Blob": {"type": "blob"},
        },
    },
)
PROTOCOL = CborProtocol()


def operation(name: str = "Put") -> OperationModel:
    found = MODEL.operation(name)
    assert found is not None
    return found


def parse(body: bytes, content_type: str = "application/cbor") -> dict[str, Any]:
    return PROTOCOL.parse(operation(), Request("POST", "/", "", [("content-type", content_type)], body), {})


@pytest.mark.parametrize(
    ("hexadecimal", "value"),
    [
        # RFC 8949, Appendix A.
        ("1b000000e8d4a51000", 1000000000000),
        ("c249010000000000000000", 18446744073709551616),
        ("c349010000000000000000", -18446744073709551617),
        ("f93c00", 1.0),
        ("f90400", 0.00006103515625),
        ("fa47c35000", 100000.0),
        ("fb3ff199999999999a", 1.1),
        ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
        ("7f657374726561646d696e67ff", "streaming"),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("c11a514b67b0", 1363896240),
    ],
)
def test_published_examples(hexadecimal: str, value: Any):
    assert decode_cbor(bytes.fromhex(hexadecimal)) == value


@pytest.mark.parametrize(
    "hexadecimal",
    [
        "",  # nothing
        "0000",  # two items
        "a1",  # cut short
        "ff",  # a break on its own
        "1c",  # reserved
        "a2616100616101",  # a key twice
        "a18000",  # a key that is a list
        "61ff",  # text that is not UTF-8
        "c074323031332d30332d32315432303a30343a30305a",  # tag 0, a date as text
        "c4820a01",  # tag 4, a decimal
        "d81c80",  # tag 28, a shared value
        "d81d00",  # tag 29, a reference
        "d823622e2b",  # tag 35, a pattern
        "d9d9f700",  # tag 55799
        "c16161",  # tag 1 around text
        "c2581100000000000000000000000000000000000000",  # an integer of 17 bytes
        "9b7fffffffffffffff",  # a list that would not fit into memory
        "5b7fffffffffffffff",  # and bytes
    ],
)
def test_what_is_no_cbor_of_the_protocol_is_refused(hexadecimal: str):
    with pytest.raises(CommonError) as caught:
        decode_cbor(bytes.fromhex(hexadecimal))
    assert caught.value.kind == "malformed"


def test_nesting_is_bounded():
    assert decode_cbor(b"\x81" * MAX_DEPTH + b"\x00")
    for start in (b"\x81", b"\x9f", b"\xa1\x61a", b"\xbf\x61a"):
        with pytest.raises(CommonError):
            decode_cbor(start * 100_000)


def test_an_empty_body_is_an_empty_structure():
    assert parse(b"") == parse(b"\xa0") == parse(b"\xbf\xff") == {}


def test_null_and_undefined_are_left_out():
    assert parse(cbor2.dumps({"Text": None, "Flag": cbor2.undefined, "Words": [None, "a"], "Unknown": [1]})) == {
        "Words": [None, "a"]
    }


@pytest.mark.parametrize(
    "document",
    [
        {"Text": b"bytes"},
        {"Text": 1},
        {"Bytes": "text"},
        {"Count": True},
        {"Count": 1.0},
        {"Count": 1 << 31},
        {"Size": "1"},
        {"Size": True},
        {"Size": cbor2.CBORTag(1, 1)},
        {"When": 1},
        {"When": "2020-01-01T00:00:00Z"},
        {"When": cbor2.CBORTag(1, 1e300)},
        {"When": cbor2.CBORTag(1, float("nan"))},
        {"Flag": 1},
        {"Words": {"a": "b"}},
        {"Map": ["a"]},
        {"Map": {b"a": {}}},
        {"Inner": []},
        [],
        "text",
    ],
)
def test_a_value_of_the_wrong_type_is_refused(document: Any):
    with pytest.raises(CommonError) as caught:
        parse(cbor2.dumps(document))
    assert caught.value.kind == "malformed"


def test_another_content_type_is_refused():
    assert parse(b"\xa0", "application/cbor; charset=utf-8") == {}
    with pytest.raises(CommonError):
        parse(b"\xa0", "application/json")


def test_integers_may_come_as_numbers_of_a_float():
    assert parse(cbor2.dumps({"Size": 3})) == {"Size": 3.0}


def test_an_answer():
    answer = PROTOCOL.serialize(operation(), {"Text": "a", "When": 1.5, "Inner": {"When": 2.0}}, "id")
    assert (answer.status, dict(answer.headers)["smithy-protocol"], dict(answer.headers)["content-type"]) == (
        200,
        "rpc-v2-cbor",
        "application/cbor",
    )
    # Times are tag 1 (0xc1): a float with a fraction, else an integer.
    assert answer.body == bytes.fromhex(
        "a3645465787461616457 68656ec1fb3ff800000000000065496e6e6572a1645768656ec102".replace(" ", "")
    )


def test_an_operation_without_output_answers_nothing():
    answer = PROTOCOL.serialize(operation("Nothing"), None, "id")
    assert (answer.status, answer.body) == (200, b"")
    assert "content-type" not in dict(answer.headers)


def test_an_error_names_its_shape():
    answer = PROTOCOL.serialize_error(MODEL, operation(), "Gone", "It went.", 404, "id", {"Id": "x"}, sender_fault=True)
    assert answer.status == 404
    assert cbor2.loads(answer.body) == {"__type": "com.amazonaws.test#Gone", "Message": "It went.", "Id": "x"}


def test_an_error_outside_the_model_has_a_message_too():
    answer = PROTOCOL.serialize_error(MODEL, None, "ThrottlingException", "Rate exceeded", 400, "id", {}, sender_fault=True)
    assert cbor2.loads(answer.body) == {"__type": "com.amazonaws.test#ThrottlingException", "message": "Rate exceeded"}
