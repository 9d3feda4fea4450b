from __future__ import annotations

import math

import pytest

from garrison.core.errors import CommonError
from garrison.wire.protocols.scalars import (
    escape,
    format_number,
    format_timestamp,
    in_time,
    parse_blob,
    parse_boolean,
    parse_float,
    parse_integer,
    parse_timestamp,
)


@pytest.mark.parametrize(
    ("text", "form", "seconds"),
    [
        # The three forms of one moment: smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait
        ("1985-04-12T23:20:50.520Z", "iso8601", 482_196_050.52),
        ("Tue, 29 Apr 2014 18:30:38 GMT", "rfc822", 1_398_796_238.0),
        ("1515531081.123", "unixTimestamp", 1_515_531_081.123),
        # RFC 3339, section 5.8
        ("1996-12-19T16:39:57-08:00", "iso8601", 851_042_397.0),
        ("1937-01-01T12:00:27.87+00:20", "iso8601", -1_041_337_172.13),
        # SigV4 writes the basic form; AWS takes either
        ("20150830T123600Z", "iso8601", 1_440_938_160.0),
        ("2015-08-30", "iso8601", 1_440_892_800.0),
        # a form that was not asked for
        ("2015-08-30T12:36:00Z", "unixTimestamp", 1_440_938_160.0),
        ("1440938160", "iso8601", 1_440_938_160.0),
    ],
)
def test_times_are_read(text: str, form: str, seconds: float):
    assert parse_timestamp(text, form) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2015-13-01T00:00:00Z", "2015-02-30", "1e400", "99999999999999", "-1e15", "T", "0" * 500, "NaN"]
)
@pytest.mark.parametrize("form", ["iso8601", "rfc822", "unixTimestamp"])
def test_what_is_no_time_is_refused(text: str, form: str):
    with pytest.raises(CommonError):
        parse_timestamp(text, form)


@pytest.mark.parametrize(
    ("seconds", "form", "text"),
    [
        (1_398_796_238.0, "rfc822", "Tue, 29 Apr 2014 18:30:38 GMT"),
        (1_398_796_238.0, "iso8601", "2014-04-29T18:30:38Z"),
        (1_398_796_238.25, "iso8601", "2014-04-29T18:30:38.250Z"),
        (1_398_796_238, "unixTimestamp", "1398796238"),
        (0, "iso8601", "1970-01-01T00:00:00Z"),
        (-1.5, "iso8601", "1969-12-31T23:59:58.500Z"),
    ],
)
def test_times_are_written(seconds: float, form: str, text: str):
    assert format_timestamp(seconds, form) == text


def test_time_has_an_end():
    with pytest.raises(CommonError):
        in_time(253_402_300_800.0)
    with pytest.raises(CommonError):
        in_time(math.nan)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("0", "integer", 0),
        ("-2147483648", "integer", -(2**31)),
        ("2147483647", "integer", 2**31 - 1),
        ("9223372036854775807", "long", 2**63 - 1),
    ],
)
def test_integers_are_read(text: str, kind: str, value: int):
    assert parse_integer(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [("2147483648", "integer"), ("9223372036854775808", "long"), ("1.0", "integer"), ("", "integer"), (" 1", "integer"), ("1_0", "integer"),
     ("\u0661", "integer"), ("9" * 5000, "integer"), ("0x1", "integer"), ("1\n", "integer")],
)  # fmt: skip
def test_what_is_no_integer_is_refused(text: str, kind: str):
    with pytest.raises(CommonError):
        parse_integer(text, kind)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), ("-1.5e3", -1500.0), (".5", 0.5), ("Infinity", math.inf), ("-Infinity", -math.inf)]
)
def test_floats_are_read(text: str, value: float):
    assert parse_float(text) == value


def test_nan_is_read_and_written():
    assert math.isnan(parse_float("NaN"))
    assert [format_number(value) for value in (math.nan, math.inf, -math.inf)] == ["NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize("text", ["nan", "inf", "1_0.0", "", "e5", "1e99999", "0x1p3", "1" * 500])
def test_what_is_no_float_is_refused(text: str):
    with pytest.raises(CommonError):
        parse_float(text)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("false", False), ("1", True), ("0", False)])
def test_booleans_are_read(text: str, value: bool):
    assert parse_boolean(text) is value


def test_what_is_no_boolean_is_refused():
    with pytest.raises(CommonError, match=r"boolean must follow xsd1\.1 definition"):  # recorded from a Query service
        parse_boolean("yes")


# RFC 4648, section 10
@pytest.mark.parametrize(
    ("text", "value"), [("", b""), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("Zm9vYmFy", b"foobar")]
)
def test_blobs_are_read(text: str, value: bytes):
    assert parse_blob(text) == value


@pytest.mark.parametrize("text", ["Zg", "Zg=", "Zm9v\n", "Zm-_", "Zm 9v", "=", "Z\u00e9=="])
def test_what_is_no_base64_is_refused_without_being_repeated(text: str):
    with pytest.raises(CommonError) as caught:
        parse_blob(text)
    assert text not in caught.value.message


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1"), (-5, "-5"), (1.0, "1"), (1.5, "1.5"), (2**62, "4611686018427387904"), (0.1, "0.1"), (1e300, "1e+300")],
)
def test_numbers_are_written(number: float, text: str):
    assert format_number(number) == text


def test_xml_text_is_escaped():
    assert escape("a<b>&\"'\r\n\t") == "a&lt;b&gt;&amp;&quot;'&#13;\n\t"
    assert escape("\x00\x08\x0b\x1f\ufffe\ud800x") == "\ufffd" * 6 + "x"
