from __future__ import annotations

from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.core.model import ServiceModel
from garrison.wire.protocols.base import MAX_DEPTH
from garrison.wire.protocols.xml import MAX_ELEMENTS, NOT_WELL_FORMED, XmlReader, XmlWriter, read_xml

MODEL = ServiceModel(
    "test",
    {
        "metadata": {"protocol": "rest-xml", "endpointPrefix": "test"},
        "operations": {},
        "shapes": {
            "Tree": {
                "type": "structure",
                "members": {
                    "Name": {"shape": "String"},
                    "Count": {"shape": "Integer"},
                    "When": {"shape": "Time"},
                    "Bytes": {"shape": "Blob"},
                    "Words": {"shape": "Strings"},
                    "Flat": {"shape": "Strings", "flattened": True, "locationName": "Word"},
                    "Map": {"shape": "Map"},
                    "FlatMap": {"shape": "Map", "flattened": True},
                    "Inner": {"shape": "Tree"},
                    "Grantee": {"shape": "Grantee"},
                },
            },
            "Grantee": {
                "type": "structure",
                "members": {
                    "ID": {"shape": "String"},
                    "Type": {"shape": "String", "locationName": "xsi:type", "xmlAttribute": True},
                },
                "xmlNamespace": {"prefix": "xsi", "uri": "http://www.w3.org/2001/XMLSchema-instance"},
            },
            "Strings": {"type": "list", "member": {"shape": "String"}},
            "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Integer"}},
            "String": {"type": "string"},
            "Integer": {"type": "integer"},
            "Time": {"type": "timestamp"},
            "Blob": {"type": "blob"},
        },
    },
)
TREE = MODEL.shape("Tree")


def read(body: str, *, strict: bool = False) -> Any:
    return XmlReader(strict=strict).structure(TREE, TREE.members)(read_xml(body.encode()))


def written(document: dict[str, Any]) -> str:
    out: list[str] = []
    XmlWriter().element("Tree", "", TREE)(document, out)
    return "".join(out)


def refused(body: bytes) -> str:
    with pytest.raises(CommonError) as caught:
        read_xml(body)
    assert caught.value.kind == "malformed"
    return caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&undefined;</a>",
        b"\xff\xfe",
        b"<a>\x00</a>",
        b'<?xml version="1.0" encoding="no-such-encoding"?><a/>',
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
        b"{}",
    ],
)
def test_what_is_no_xml_or_too_much_of_it_is_refused(body: bytes):
    assert refused(body) == NOT_WELL_FORMED


def test_nesting_is_bounded():
    assert read_xml(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH).name == "a"
    refused(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
    refused(b"<a>" * 1_000_000)


def test_the_number_of_elements_is_bounded():
    refused(b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>")


def test_namespaces_and_prefixes_do_not_matter():
    body = '<x:Tree xmlns:x="http://example.com/"><x:Name>n</x:Name></x:Tree>'
    assert read(body, strict=True) == {"Name": "n"}


def test_white_space_counts_in_text_alone():
    body = "<Tree>\n <Name> n </Name><Count> 3\n</Count><When> 2020-01-02T03:04:05Z </When><Bytes>\nAP8=\n</Bytes></Tree>"
    assert read(body) == {"Name": " n ", "Count": 3, "When": 1577934245.0, "Bytes": b"\x00\xff"}


def test_comments_entities_and_cdata_are_text():
    assert read("<Tree><Name>a<!-- b -->&lt;<![CDATA[<c>]]>&#233;</Name></Tree>") == {"Name": "a<<c>é"}


def test_empty_elements_are_empty_values():
    body = "<Tree><Name/><Words/><Map/><Inner/><Word/></Tree>"
    assert read(body) == {"Name": "", "Words": [], "Map": {}, "Inner": {}, "Flat": [""]}


@pytest.mark.parametrize(
    "body",
    [
        "<Tree><Name>a</Name><Name>b</Name></Tree>",
        "<Tree><Name><b/></Name></Tree>",
        "<Tree><Count>x</Count></Tree>",
        "<Tree><Count/></Tree>",
        "<Tree><Bytes>!</Bytes></Tree>",
        "<Tree>text</Tree>",
        "<Tree><Map><entry><key>a</key></entry></Map></Tree>",
    ],
)
def test_what_does_not_fit_the_shape_is_refused(body: str):
    with pytest.raises(CommonError) as caught:
        read(body)
    assert caught.value.kind == "malformed"


@pytest.mark.parametrize("body", ["<Tree><Unknown/></Tree>", "<Tree><Words><member>a</member><other>b</other></Words></Tree>"])
def test_unknown_elements_are_ignored_unless_the_schema_is_strict(body: str):
    assert read(body) in ({}, {"Words": ["a"]})
    with pytest.raises(CommonError):
        read(body, strict=True)


def test_a_document_is_written_and_read():
    document = {
        "Name": "a <b> & \"c\" 'd'",
        "Count": -3,
        "When": 1577934245.5,
        "Bytes": b"\x00\xff",
        "Words": ["a", ""],
        "Flat": ["b", "c"],
        "Map": {"k": 1, "l": 2},
        "FlatMap": {"m": 3},
        "Inner": {"Inner": {"Name": "deep"}},
        "Grantee": {"ID": "x", "Type": "CanonicalUser"},
    }
    assert read(written(document)) == document


def test_an_attribute_brings_its_namespace_along():
    # The form of the Grantee element in the S3 API Reference, PutBucketAcl.
    assert written({"Grantee": {"ID": "x", "Type": "CanonicalUser"}}) == (
        '<Tree><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>x</ID></Grantee></Tree>'
    )


def test_values_cannot_break_out_of_their_place():
    text = written({"Name": "</Name><Count>1</Count>", "Grantee": {"Type": '"><x y="'}, "Map": {"</key>": 1}})
    assert read(text) == {"Name": "</Name><Count>1</Count>", "Grantee": {"Type": '"><x y="'}, "Map": {"</key>": 1}}


def test_what_xml_cannot_hold_is_replaced():
    assert read(written({"Name": "a\x00b\x1fc\rd"})) == {"Name": "a\ufffdb\ufffdc\rd"}
