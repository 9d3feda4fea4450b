"""Bodies that two parsers read in two ways: each reading is among the pieces. Each case names who reads it so."""

from __future__ import annotations

import pytest

from garrison.edge.inspect.detect.body import Piece, pieces

EVIL = "<script>alert(1)</script>"
RAW = EVIL.encode()
FORM = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=B"
END = b"\r\n--B--\r\n"


def part(value: bytes, more: bytes = b"", disposition: bytes = b'form-data; name="id"') -> bytes:
    return b"--B\r\nContent-Disposition: " + disposition + b"\r\n" + more + b"\r\n" + value + END


def texts(body: bytes, content_type: bytes) -> list[Piece]:
    """The pieces that are looked at as values, not as files."""
    return [each for each in pieces(body, content_type) if each.kind == "text"]


READ_AS_VALUES: dict[str, tuple[bytes, bytes]] = {
    "a boundary within a line is none (RFC 2046, 5.1.1)": (MULTIPART, part(b"x--B" + RAW)),
    "a boundary that goes on on its line": (MULTIPART, part(b"x\r\n--B" + RAW)),
    "a file's name in another header": (MULTIPART, part(RAW + b"\0", b"X-A: filename=b\r\n")),
    "a parameter that ends in filename": (MULTIPART, part(RAW + b"\0", disposition=b'form-data; name="id"; x-filename="b"')),
    "a file's name within quotes": (MULTIPART, part(RAW + b"\0", disposition=b'form-data; x="; filename=b"; name="id"')),
    "a file without a name (Go)": (MULTIPART, part(RAW + b"\0", disposition=b'form-data; name="id"; filename=""')),
    "a file's name in RFC 5987 alone (PHP)": (MULTIPART, part(RAW + b"\0", disposition=b"form-data; name=id; filename*=utf-8''a")),
    "two dispositions": (MULTIPART, part(RAW + b"\0", b"Content-Disposition: form-data; name=id; filename=b\r\n")),
    "line feeds end the head (PHP)": (MULTIPART, b'--B\nContent-Disposition: form-data; name="id"\n\n' + RAW + b"\r\n\r\nx" + END),
    "carriage returns end lines": (MULTIPART, b'--B\rContent-Disposition: form-data; name="id"\r\r' + RAW + b"\r--B--\r"),
    "a part without a head": (MULTIPART, b"--B\r\n" + RAW + END),
    "text before the first boundary": (MULTIPART, RAW + b"\r\n" + part(b"x")),
    "text behind the last boundary": (MULTIPART, part(b"x") + RAW),
    "another parameter ends in boundary": (b"multipart/form-data; xboundary=FAKE; boundary=B", part(RAW)),
    "a boundary within quotes": (b'multipart/form-data; x="boundary=FAKE"; boundary=B', part(RAW)),
    "two boundaries": (b"multipart/form-data; boundary=FAKE; boundary=B", part(RAW)),
    "two boundaries, the other way round": (b"multipart/form-data; boundary=B; boundary=FAKE", part(RAW)),
    "the last of many boundaries": (b"multipart/form-data; " + b"".join(b"boundary=%d; " % n for n in range(9)) + b"boundary=B",
                                    b"".join(b"--%d\r\n" % n for n in range(9)) + part(RAW)),
    "a boundary with an escape": (b'multipart/form-data; boundary="\\B"', part(RAW)),
    "a boundary in pieces (RFC 2231)": (b"multipart/form-data; boundary*0=B", part(RAW)),
    "a boundary that is not there": (b"multipart/form-data; boundary=C", RAW),
    "a part in UTF-16": (MULTIPART, part(EVIL.encode("utf-16-be"), b"Content-Type: text/plain; charset=utf-16be\r\n")),
    "a part in EBCDIC": (MULTIPART, part(EVIL.encode("cp037"), b"Content-Type: text/plain; charset=ibm037\r\n")),
    "a part in base64": (MULTIPART, part(b"PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", b"Content-Transfer-Encoding: base64\r\n")),
    "a part in quoted-printable": (MULTIPART, part(b"=3Cscript>al=\r\nert(1)</script>", b"Content-Transfer-Encoding: Quoted-Printable\r\n")),
    "UTF-16 of any order": (FORM + b"; charset=utf-16", b"a=" + RAW),
    "UTF-16, big-endian": (FORM + b"; charset=UTF-16-BE", f"a={EVIL}".encode("utf-16-be")),
    "UTF-16, little-endian, in quotes": (FORM + b'; charset="utf-16le"', f"a={EVIL}".encode("utf-16-le")),
    "UTF-16 by its names at IANA": (FORM + b"; charset=ISO-10646-UCS-2", f"a={EVIL}".encode("utf-16-be")),
    "UTF-16 that nobody declares": (FORM, f"a={EVIL}".encode("utf-16-be")),
    "UTF-32 that nobody declares": (FORM, f"a={EVIL}".encode("utf-32-le")),
    "UTF-7": (FORM + b"; charset=unicode-1-1-utf-7", b"a=+ADw-script+AD4-alert(1)+ADw-/script+AD4-"),
    "EBCDIC by another name": (FORM + b"; charset=ebcdic-cp-us", f"a={EVIL}".encode("cp037")),
    "a charset that an application does not read": (FORM + b"; charset=ibm037", b"a=" + RAW),
    "a declaration of XML": (b"application/xml", b'<?xml version="1.0" encoding="UTF-7"?><a><![CDATA[+ADw-script+AD4-alert(1)+ADw-/script+AD4-]]></a>'),
    "XML in EBCDIC": (b"application/xml", f'<?xml version="1.0" encoding="IBM037"?><a><![CDATA[{EVIL}]]></a>'.encode("cp037")),
    "a CDATA section without an end": (b"application/xml", b"<a><![CDATA[" + RAW),
    "text without a tag behind it": (b"application/xml", b"<a>&lt;script>alert(1)&lt;/script>"),
    "JSON deeper than any limit": (b"application/json", b'{"a":' * 300 + b'"\\u003cscript>alert(1)</script>"' + b"}" * 300),
    "JSON deeper than a parser goes": (b"application/json", b"[" * 5000 + b'"\\u003cscript>alert(1)</script>"'),
    "a key that is many times there": (b"application/json", b'{"a":"\\u003cscript>alert(1)</script>"' + b',"a":1' * 200 + b"}"),
    "a string of JSON that is cut": (b"application/json", b'{"a":"\\u003cscript>alert(1)</script>'),
    "behind thousands of numbers": (b"application/json", b"[" + b"1," * 3000 + b'"\\u003cscript>alert(1)</script>"]'),
    "a form that says it is an image": (b"image/png", b"a=" + RAW),
}  # fmt: skip


@pytest.mark.parametrize("case", READ_AS_VALUES, ids=str)
def test_what_a_parser_may_take_for_a_value_is_looked_at_as_one(case: str):
    content_type, body = READ_AS_VALUES[case]
    assert any(RAW in each.value for each in texts(body, content_type))


def test_a_file_is_looked_at_as_a_file():
    disposition = b'form-data; name="f"; filename="a.bin"'
    found = pieces(part(b"GIF89a\0" + RAW, disposition=disposition), MULTIPART)
    assert [each.kind for each in found] == ["name", "file", "binary"]
    assert [each.kind for each in pieces(part(RAW, disposition=disposition), MULTIPART)] == ["name", "file", "data"]


def test_a_name_of_a_file_is_looked_at_with_its_backslashes_and_without():
    found = pieces(part(b"x", disposition=rb'form-data; name="f"; filename="..\1.7z"'), MULTIPART)
    assert [each.value for each in found if each.kind == "file"] == [rb"..\1.7z", b"..1.7z"]


def test_a_form_of_an_ordinary_browser_has_each_piece_once():
    found = pieces(part(b"x y"), MULTIPART)
    assert found == [Piece(b"", b"id", kind="name"), Piece(b"id", b"x y")]


COSTLY: dict[str, tuple[bytes, bytes]] = {
    "quotes in a string that is cut": (b"application/json", b'{"a":"' + b'\\"' * 100_000),
    "quotes and a lone backslash": (b"application/json", b'"' * 99_999 + b"\\"),
    "ends of tags": (b"application/xml", b"<a>" + b">" * 200_000),
    "beginnings of CDATA": (b"application/xml", b"<a>" + b"<![CDATA[" * 20_000),
    "ends of CDATA": (b"application/xml", b"<a>" + b"]]>" * 60_000),
    "boundaries": (MULTIPART, b"--B\r\n" * 40_000 + RAW),
    "parameters": (MULTIPART, b"--B\r\nContent-Disposition: form-data" + b"; a=" * 50_000),
    "open quotes": (MULTIPART, b'--B\r\nContent-Disposition: form-data; a="' + b'\\"; a=' * 30_000),
}


@pytest.mark.parametrize("case", COSTLY, ids=str)
def test_work_is_linear(case: str):
    """A hundred thousand of what an expression could be tried from: quadratic work takes minutes, and the test never ends."""
    content_type, body = COSTLY[case]
    assert pieces(body, content_type)
