from __future__ import annotations

import datetime as dt
import math
import urllib.parse
import xml.etree.ElementTree as ET
from typing import Any

import botocore.model
import botocore.parsers
import botocore.serialize
import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request, Response
from garrison.core.model import OperationModel, ServiceModel
from garrison.wire.protocols.base import MAX_PARAMETERS
from garrison.wire.protocols.query import QueryProtocol, decode_form, tree

RAW: dict[str, Any] = {
    "metadata": {
        "protocol": "query",
        "apiVersion": "2020-01-01",
        "endpointPrefix": "example",
        "xmlNamespace": "https://example/doc/",
    },
    "operations": {
        "Put": {
            "name": "Put",
            "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": "All"},
            "output": {"shape": "All", "resultWrapper": "PutResult"},
            "errors": [{"shape": "GoneException"}],
        },
        "Nothing": {"name": "Nothing", "http": {"method": "POST", "requestUri": "/"}},
    },
    "shapes": {
        "All": {
            "type": "structure",
            "members": {
                "Text": {"shape": "String"},
                "Whole": {"shape": "Integer"},
                "Real": {"shape": "Double"},
                "Flag": {"shape": "Boolean"},
                "Bytes": {"shape": "Blob"},
                "Time": {"shape": "Timestamp"},
                "Words": {"shape": "Strings"},
                "FlatWords": {"shape": "FlatStrings"},
                "NamedWords": {"shape": "NamedStrings"},
                "Map": {"shape": "Map"},
                "FlatMap": {"shape": "FlatMap"},
                "Inner": {"shape": "All"},
                "Inners": {"shape": "Alls"},
                "Renamed": {"shape": "String", "locationName": "other"},
            },
        },
        "String": {"type": "string"},
        "Integer": {"type": "integer"},
        "Double": {"type": "double"},
        "Boolean": {"type": "boolean"},
        "Blob": {"type": "blob"},
        "Timestamp": {"type": "timestamp"},
        "Strings": {"type": "list", "member": {"shape": "String"}},
        "FlatStrings": {"type": "list", "flattened": True, "member": {"shape": "String", "locationName": "FlatWord"}},
        "NamedStrings": {"type": "list", "member": {"shape": "String", "locationName": "item"}},
        "Alls": {"type": "list", "member": {"shape": "All"}},
        "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "All"}},
        "FlatMap": {
            "type": "map",
            "flattened": True,
            "key": {"shape": "String", "locationName": "Name"},
            "value": {"shape": "String", "locationName": "Value"},
        },
        "GoneException": {
            "type": "structure",
            "members": {"message": {"shape": "String"}, "Where": {"shape": "String"}},
            "error": {"code": "Gone", "httpStatusCode": 404, "senderFault": True},
            "exception": True,
        },
    },
}
MODEL = ServiceModel("example", RAW)
CLIENT = botocore.model.ServiceModel(RAW, "example")

DOCUMENT: dict[str, Any] = {
    "Text": "a b&c=d\u00e9", "Whole": -5, "Real": 0.5, "Flag": True, "Bytes": b"\x00\xff", "Time": 1_500_000_000.0,
    "Words": ["a", "", "c"], "FlatWords": ["x", "y"], "NamedWords": ["z"], "Map": {"k": {"Text": "v"}, "l": {"Flag": False}},
    "FlatMap": {"n": "m"}, "Inner": {"Inner": {"Text": "deep"}}, "Inners": [{"Text": "1"}, {"Words": ["2"]}], "Renamed": "r",
}  # fmt: skip


def operation(name: str = "Put") -> OperationModel:
    found = MODEL.operation(name)
    assert found
    return found


def parse(form: str) -> dict[str, Any]:
    return QueryProtocol().parse(operation(), Request("POST", "/", body=form.encode("latin-1")), {})


def moments(value: Any) -> Any:
    """Epoch seconds in the place of datetimes."""
    if isinstance(value, dict):
        return {key: moments(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [moments(inner) for inner in value]
    return value.timestamp() if isinstance(value, dt.datetime) else value


def read_by_client(answer: Response, name: str = "Put") -> Any:
    raw = {"headers": dict(answer.headers), "body": answer.body, "status_code": answer.status}
    shape = CLIENT.operation_model(name).output_shape
    assert shape
    return moments(botocore.parsers.QueryParser().parse(raw, shape))


def test_what_botocore_writes_is_read():
    sent = botocore.serialize.QuerySerializer().serialize_to_request(DOCUMENT, CLIENT.operation_model("Put"))
    assert parse(urllib.parse.urlencode(sent["body"])) == DOCUMENT


def test_what_is_written_is_read_by_botocore():
    answer = QueryProtocol().serialize(operation(), DOCUMENT, "the-id")
    found = read_by_client(answer)
    metadata = found.pop("ResponseMetadata")
    assert found == DOCUMENT
    assert metadata["RequestId"] == "the-id"
    assert ET.fromstring(answer.body).tag == "{https://example/doc/}PutResponse"


def test_an_operation_without_output_answers_its_metadata():
    answer = QueryProtocol().serialize(operation("Nothing"), None, "id")
    assert answer.body == (
        b'<NothingResponse xmlns="https://example/doc/"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></NothingResponse>'
    )


def test_an_error_is_read_by_botocore():
    answer = QueryProtocol().serialize_error(
        MODEL, operation(), "Gone", "no <such> thing", 404, "id", {"Where": "here"}, sender_fault=True
    )
    parser = botocore.parsers.QueryParser()
    raw = {"headers": dict(answer.headers), "body": answer.body, "status_code": answer.status}
    shape = CLIENT.operation_model("Put").output_shape
    assert shape
    found = parser.parse(raw, shape)
    assert found["Error"] == {"Type": "Sender", "Code": "Gone", "Message": "no <such> thing", "Where": "here"}
    assert found["ResponseMetadata"]["RequestId"] == "id"


def test_indexes_order_and_gaps_cost_nothing():
    assert parse("Words.member.999999999=c&Words.member.2=a&Words.member.10=b") == {"Words": ["a", "b", "c"]}


def test_an_empty_parameter_is_an_empty_list():
    assert parse("Words=&Inners=") == {"Words": [], "Inners": []}
    assert parse("Words=&Words.member.1=a") == {"Words": ["a"]}
    assert parse("Words.member.1=a&Words=") == {"Words": ["a"]}


@pytest.mark.parametrize(
    "form",
    [
        "Words=a", "Words.1=a", "Words.members.1=a", "Words.member=a", "Words.member.x=a", "Words.member.-1=a", "Words.member.1=a&Words.member.01=b", "Words.1=a&Words.1.2=b",
        "Words.member.99999999999=a", "Words.member.\u00b2=a", "Text.a=b", "Inner=x", "Whole=x", "Whole=", "Whole=2147483648", "Real=x", "Flag=maybe",
        "Bytes=!", "Time=soon", "Map.entry.1.key=a", "Map.entry.1.value.Text=a", "Map.entry.1=a", "Text=%zz", "Text=%", "Text=%ff", "Text=\xff",
        "Text=a&Text=b", "Text=a&%54ext=b", ".".join(["Inner"] * 100) + "=a",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_malformed(form: str):
    with pytest.raises(CommonError) as caught:
        parse(form)
    assert caught.value.kind == "malformed"


def test_what_the_model_lacks_is_ignored():
    assert parse("Action=Put&Version=2020-01-01&Unknown=1&Unknown.member.x=2&&=a&Whole=1") == {"Whole": 1}


def test_utf8_is_read_encoded_and_plain():
    assert parse("Text=%C3%A9") == {"Text": "\u00e9"}
    assert parse("Text=\xc3\xa9") == {"Text": "\u00e9"}
    assert parse("Text=a+b%2Bc") == {"Text": "a b+c"}


def test_a_get_carries_its_parameters_in_the_query_string():
    request = Request("GET", "/", query="Action=Put&Text=a", body=b"Text=b")
    assert QueryProtocol().parse(operation(), request, {}) == {"Text": "a"}


def test_a_post_may_split_its_parameters_but_not_repeat_them():
    request = Request("POST", "/", query="Action=Put&Text=a", body=b"Whole=1")
    assert QueryProtocol().parse(operation(), request, {}) == {"Text": "a", "Whole": 1}
    with pytest.raises(CommonError, match="more than once"):
        QueryProtocol().parse(operation(), Request("POST", "/", query="Action=Put", body=b"Action=Delete"), {})


def test_the_number_of_parameters_is_bounded():
    assert len(decode_form("&".join(f"a{n}=1" for n in range(MAX_PARAMETERS)))) == MAX_PARAMETERS
    with pytest.raises(CommonError, match="more than"):
        decode_form("&".join(f"a{n}=1" for n in range(MAX_PARAMETERS + 1)))


def test_the_tree_of_names():
    assert tree({"a": "1", "a.b": "2", "c.d.e": "3", "c.d": "4"}) == {"a": {"": "1", "b": "2"}, "c": {"d": {"e": "3", "": "4"}}}


@pytest.mark.parametrize("text", ["\x00\x01\x1f", "\ufffe\uffff", "\ud800", "]]>", "<!--", "\r\n", "&#0;"])
def test_the_answer_is_always_well_formed(text: str):
    answer = QueryProtocol().serialize(operation(), {"Text": text}, "id")
    assert ET.fromstring(answer.body) is not None


def test_numbers_without_end_are_words():
    answer = QueryProtocol().serialize(operation(), {"Real": math.inf}, "id")
    assert b"<Real>Infinity</Real>" in answer.body


def test_empty_collections_are_empty_elements():
    answer = QueryProtocol().serialize(operation(), {"Words": [], "Inner": {}, "FlatWords": []}, "id")
    assert b"<PutResult><Words/><Inner/></PutResult>" in answer.body
