"""What cannot be read as a signature, in AWS's words."""

from __future__ import annotations

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.wire.sigv4 import read_claim
from garrison.wire.sigv4.claim import parse_stamp

DATE = ("x-amz-date", "20150830T123600Z")
SCOPE = "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request"
S3_SCOPE = "AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request"
HEAD = "AWS4-HMAC-SHA256 Credential={}, SignedHeaders=host;x-amz-date, Signature=00"
QUERY_NAMES = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")


def header(value: str, *more: tuple[str, str], path: str = "/") -> Request:
    return Request("POST", path, headers=[("host", "h"), *more, ("authorization", value)])


def query(service: str = "iam", **changes: str) -> Request:
    parts = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request",
        "X-Amz-Date": "20150830T123600Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "00",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    text = "&".join(f"{name}={value}" for name, value in parts.items() if value != "-")
    return Request("GET", "/", text, headers=[("host", "h")])


def fault(request: Request, service: str | None = None) -> CommonError:
    with pytest.raises(CommonError) as caught:
        read_claim(request, service=service)
    return caught.value


def test_no_trace():
    assert read_claim(Request("GET", "/", "Action=ListUsers", [("host", "h")])) is None
    assert read_claim(Request("GET", "/", "prefix=X-Amz-Signature", [("host", "h")])) is None


def test_header_is_read():
    claim = read_claim(header(HEAD.format(SCOPE), DATE, ("x-amz-security-token", "token")))
    assert claim is not None
    assert claim.access_key_id == "AKIDEXAMPLE"
    assert (claim.date, claim.region, claim.service) == ("20150830", "us-east-1", "iam")
    assert (claim.signed_headers, claim.signature) == (("host", "x-amz-date"), "00")
    assert (claim.session_token, claim.timestamp, claim.stamp) == ("token", 1440938160.0, "20150830T123600Z")
    assert (claim.algorithm, claim.presigned, claim.expires, claim.region_set) == ("AWS4-HMAC-SHA256", False, None, ())
    assert claim.scope == "20150830/us-east-1/iam/aws4_request"


@pytest.mark.parametrize(
    "text",
    [
        f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders=host,Signature=00",
        f"AWS4-HMAC-SHA256  Signature=00 ,  SignedHeaders=host,\tCredential={SCOPE}",
        f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=00,",
    ],
)
def test_parts_in_any_order_and_spacing(text: str):
    claim = read_claim(header(text, DATE))
    assert claim is not None
    assert (claim.access_key_id, claim.signed_headers, claim.signature) == ("AKIDEXAMPLE", ("host",), "00")


def test_date_header_stands_in_for_x_amz_date():
    for text in ("Sun, 30 Aug 2015 12:36:00 GMT", "Sun, 30 Aug 2015 14:36:00 +0200", "20150830T123600Z"):
        claim = read_claim(header(HEAD.format(SCOPE), ("date", text)))
        assert claim is not None
        assert claim.stamp == "20150830T123600Z"
    claim = read_claim(header(HEAD.format(SCOPE), ("date", "Mon, 31 Aug 2015 12:36:00 GMT"), DATE))
    assert claim is not None
    assert claim.stamp == "20150830T123600Z"


CREDENTIAL = "Authorization header requires 'Credential' parameter. "
SIGNATURE = "Authorization header requires 'Signature' parameter. "
SIGNED = "Authorization header requires 'SignedHeaders' parameter. "
NO_DATE = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("AWS4-HMAC-SHA256", (), CREDENTIAL + SIGNATURE + SIGNED + NO_DATE),
        ("AWS4-HMAC-SHA256 Credential=", (DATE,), CREDENTIAL + SIGNATURE + SIGNED),
        (f"AWS4-HMAC-SHA256 Credential={SCOPE}, Signature=00", (DATE,), SIGNED),
        (f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host", (DATE,), SIGNATURE),
        (HEAD.format(SCOPE), (), NO_DATE),
        ("", (), CREDENTIAL + SIGNATURE + SIGNED + NO_DATE),
    ],
)
def test_missing_parts(text: str, more: tuple[tuple[str, str], ...], message: str):
    error = fault(header(text, *more))
    assert error.kind == "incomplete_signature"
    assert error.message.startswith(message)
    assert "(Hashed with SHA-256 and encoded with Base64) Authorization=" in error.message
    assert SCOPE not in error.message


def test_part_without_equal_sign():
    error = fault(header(f"AWS4-HMAC-SHA256 Credential= {SCOPE}, SignedHeaders, Signature=00", DATE))
    assert error.message.startswith("Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256")


@pytest.mark.parametrize("text", ["Bearer abc.def.ghi", "Basic dXNlcg==", "AWS AKIDEXAMPLE:c2lnbmF0dXJl"])
def test_other_schemes_are_no_signature_and_no_anonymous_call(text: str):
    assert fault(header(text)).kind == "incomplete_signature"


@pytest.mark.parametrize(
    ("scope", "kind", "message"),
    [
        (
            "AKIDEXAMPLE",
            "incomplete_signature",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE'",
        ),
        (
            "/20150830/us-east-1/iam/aws4_request",
            "incomplete_signature",
            (
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
                "got '/20150830/us-east-1/iam/aws4_request'"
            ),
        ),
        (
            "AKIDEXAMPLE/20150831/us-east-1/iam/aws4_request",
            "signature_mismatch",
            (
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                "'20150831' != '20150830', from '20150830T123600Z'."
            ),
        ),
        (
            "AKIDEXAMPLE/20150830//iam/aws4_request",
            "signature_mismatch",
            "Credential should be scoped to a valid region.",
        ),
        (
            "AKIDEXAMPLE/20150830/us-east-1/iam/aws5_request",
            "signature_mismatch",
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'.",
        ),
    ],
)
def test_credential(scope: str, kind: str, message: str):
    error = fault(header(HEAD.format(scope), DATE))
    assert (error.kind, error.message) == (kind, message)


def test_algorithm_and_date():
    error = fault(header(HEAD.format(SCOPE).replace("SHA256", "SHA512"), DATE))
    assert error.message == "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'."
    error = fault(header(HEAD.format(SCOPE), ("x-amz-date", "201")))
    assert error.message == "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"


@pytest.mark.parametrize(
    "stamp", ["", "20150830", "20150830T123600", "20151330T123600Z", "20150830T126100Z", "2015083²T123600Z", "00000101T000000Z"]
)
def test_stamps_that_are_none(stamp: str):
    with pytest.raises(ValueError):
        parse_stamp(stamp)


@pytest.mark.parametrize("missing", QUERY_NAMES)
def test_presigned_without_a_parameter(missing: str):
    error = fault(query(**{missing: "-"}))
    expected = f"AWS query-string parameters must include '{missing}'. Re-examine the query-string parameters."
    assert (error.kind, error.message) == ("incomplete_signature", expected)


@pytest.mark.parametrize("doubled", [*QUERY_NAMES, "X-Amz-Expires", "X-Amz-Security-Token"])
@pytest.mark.parametrize("service", ["iam", "s3"])
def test_presigned_with_a_parameter_twice(doubled: str, service: str):
    request = query(service, X_Amz_Security_Token="t")
    request.query += f"&{doubled.replace('z', '%7A')}=60"
    assert fault(request).kind == "incomplete_signature"


@pytest.mark.parametrize(
    ("expires", "message"),
    [
        ("x", "X-Amz-Expires should be a number"),
        ("", "X-Amz-Expires should be a number"),
        ("1.5", "X-Amz-Expires should be a number"),
        ("9" * 30, "X-Amz-Expires should be a number"),
        ("-1", "X-Amz-Expires must be non-negative"),
        (
            "604801",
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        ),
    ],
)
@pytest.mark.parametrize("service", ["iam", "s3"])
def test_expires(expires: str, message: str, service: str):
    error = fault(query(service, X_Amz_Expires=expires))
    assert (error.kind, error.message) == ("incomplete_signature", message)
    assert error.code == ("AuthorizationQueryParametersError" if service == "s3" else None)


def test_expires_may_be_a_week_and_is_optional_outside_s3():
    claim = read_claim(query(X_Amz_Expires="604800"))
    assert claim is not None
    assert claim.expires == 604800
    claim = read_claim(query(X_Amz_Expires="-"))
    assert claim is not None
    assert claim.expires is None


def test_two_mechanisms_or_two_headers():
    both = query()
    both.headers.append(("authorization", HEAD.format(SCOPE)))
    assert fault(both).message == "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    assert fault(both, "s3").code == "InvalidArgument"
    assert fault(both, "s3").message.startswith("Only one auth mechanism allowed;")
    twice = header(HEAD.format(SCOPE), DATE, ("authorization", HEAD.format(SCOPE)))
    assert fault(twice).kind == "incomplete_signature"
    assert fault(twice, "s3").code == "InvalidArgument"


def test_version_2_is_refused_and_not_anonymous():
    request = Request("GET", "/bucket/key", "AWSAccessKeyId=AKIDEXAMPLE&Expires=1&Signature=x", [("host", "h")])
    error = fault(request)
    assert (error.code, error.status) == ("InvalidRequest", 400)
    assert error.message == "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    assert fault(header("AWS AKIDEXAMPLE:c2ln", path="/bucket")).message == error.message
    request = Request("GET", "/", "Action=ListUsers&SignatureVersion=2&AWSAccessKeyId=AKIDEXAMPLE", [("host", "h")])
    assert fault(request).message.startswith("AWS query-string parameters must include 'X-Amz-Algorithm'. ")


MALFORMED = "The authorization header is malformed; "
THREE = MALFORMED + "the authorization header requires three components: Credential, SignedHeaders, and Signature."


@pytest.mark.parametrize(
    ("scope", "detail"),
    [
        ("AKIDEXAMPLE", 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'),
        ("/20150830/us-east-1/s3/aws4_request", "a non-empty Access Key (AKID) must be provided in the credential."),
        ("A/20150830//s3/aws4_request", "a non-empty region must be provided in the credential."),
        (
            "A/2015/us-east-1/s3/aws4_request",
            'incorrect date format "2015". This date in the credential must be in the format "yyyyMMdd".',
        ),
        ("A/20150830/us-east-1/ec2/aws4_request", 'incorrect service "ec2". This endpoint belongs to "s3".'),
        ("A/20150830/us-east-1/s3/aws3_request", 'incorrect terminal "aws3_request". This endpoint uses "aws4_request".'),
        (
            "A/20150831/us-east-1/s3/aws4_request",
            'Invalid credential date "20150831". This date is not the same as X-Amz-Date: "20150830".',
        ),
    ],
)
def test_s3_credential(scope: str, detail: str):
    error = fault(header(HEAD.format(scope), DATE), "s3")
    assert (error.message, error.code, error.status) == (MALFORMED + detail, "AuthorizationHeaderMalformed", 400)
    error = fault(query(X_Amz_Credential=scope.replace("/", "%2F")), "s3")
    expected = f"Error parsing the X-Amz-Credential parameter; {detail}"
    assert (error.message, error.code, error.status) == (expected, "AuthorizationQueryParametersError", 400)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed", THREE),
        (f"AWS4-HMAC-SHA256 Credential={S3_SCOPE}", "AuthorizationHeaderMalformed", THREE),
        (HEAD.format(S3_SCOPE) + ", Signature=11", "AuthorizationHeaderMalformed", THREE),
        (HEAD.format(S3_SCOPE) + ", More=11", "AuthorizationHeaderMalformed", THREE),
        ("Bearer x", "InvalidArgument", "Unsupported Authorization Type"),
        (
            HEAD.format(S3_SCOPE).replace("host;x-amz-date", "host;host"),
            "AuthorizationHeaderMalformed",
            MALFORMED + 'the authorization component "SignedHeaders" is malformed.',
        ),
    ],
)
def test_s3_header(text: str, code: str, message: str):
    error = fault(header(text, DATE), "s3")
    assert (error.code, error.message, error.status) == (code, message, 400)


def test_s3_dates():
    error = fault(header(HEAD.format(S3_SCOPE)), "s3")
    expected = ("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header")
    assert (error.code, error.status, error.message) == expected
    error = fault(header(HEAD.format(S3_SCOPE), ("date", "yesterday")), "s3")
    assert (error.code, error.status, error.message) == expected
    error = fault(query("s3", X_Amz_Date="2015"))
    assert error.message == "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""


@pytest.mark.parametrize("missing", [*QUERY_NAMES, "X-Amz-Expires"])
def test_s3_presigned_without_a_parameter(missing: str):
    error = fault(query("s3", **{missing: "-"}), "s3")
    assert error.code == "AuthorizationQueryParametersError"
    assert error.message == (
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
        "X-Amz-SignedHeaders, and X-Amz-Expires parameters."
    )


def test_s3_presigned_algorithm():
    error = fault(query("s3", X_Amz_Algorithm="AWS4-HMAC-SHA1"))
    assert error.message == 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'


@pytest.mark.parametrize("names", ["", ";", "host;", "a b", "host,date", "host;" * 300, "h\x00st"])
def test_lists_of_signed_headers_that_are_none(names: str):
    value = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={names}, Signature=00"
    assert fault(header(value, DATE)).kind == "incomplete_signature"


def test_signed_headers_are_folded_and_sorted():
    claim = read_claim(header(HEAD.format(SCOPE).replace("host;x-amz-date", "X-Amz-Date;Host"), DATE))
    assert claim is not None
    assert claim.signed_headers == ("host", "x-amz-date")


ECDSA = HEAD.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256").format("AKIDEXAMPLE/20150830/iam/aws4_request")


@pytest.mark.parametrize(
    ("regions", "expected", "sole"),
    [("us-east-1", ("us-east-1",), "us-east-1"), ("*", ("*",), ""), ("us-*, eu-west-1", ("us-*", "eu-west-1"), "")],
)
def test_4a_region_set(regions: str, expected: tuple[str, ...], sole: str):
    claim = read_claim(header(ECDSA, DATE, ("x-amz-region-set", regions)))
    assert claim is not None
    assert (claim.region_set, claim.region, claim.scope) == (expected, sole, "20150830/iam/aws4_request")


@pytest.mark.parametrize("regions", ["", "a,", "*east", "us_east", "US-EAST-1"])
def test_4a_region_set_that_is_none(regions: str):
    assert fault(header(ECDSA, DATE, ("x-amz-region-set", regions))).kind == "incomplete_signature"


def test_4a_scope_names_no_region():
    four = HEAD.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256").format(SCOPE)
    assert fault(header(four, DATE, ("x-amz-region-set", "*"))).message.startswith("Credential must have exactly 5")
