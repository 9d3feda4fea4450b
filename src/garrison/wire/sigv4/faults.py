"""AWS's words for a signature that fails.

Two families of services speak differently: S3, and all others (texts of the common front end). The kind decides the code
that ``wire.faults`` writes; S3 has several codes for one kind, so those are named here. Sources: S3 API Reference, "Error
responses"; IAM User Guide, "Troubleshoot Signature Version 4 signing"; answers of the services recorded in public.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

from garrison.core.errors import CommonError

Place = Literal["header", "query", "form"]
"""Where a signature stands."""

MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
    "signing method. Consult the service documentation for details."
)
S3_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
S3_PAYLOAD: Final = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, {}or a valid sha256 value."
S3_NO_HASH: Final = "Missing required header for this request: x-amz-content-sha256"
S3_NO_DATE: Final = "AWS authentication requires a valid Date or x-amz-date header"
S3_LONG_DATE: Final = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
S3_COMPONENTS: Final = "the authorization header requires three components: Credential, SignedHeaders, and Signature."
S3_SIGNED_HEADERS: Final = 'the authorization component "SignedHeaders" is malformed.'
S3_QUERY_SIGNED_HEADERS: Final = "Error parsing the X-Amz-SignedHeaders parameter; the list is malformed."
S3_ALGORITHM: Final = 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'
S3_POLICY_EXPIRED: Final = "Invalid according to Policy: Policy expired."
S3_FORM_ALGORITHM: Final = 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'
S3_FORM_DATE: Final = "X-Amz-Date must be formated via ISO8601 Long format"
S3_TRAILER: Final = "The value specified in the x-amz-trailer header is not supported"
S3_TYPE: Final = "Unsupported Authorization Type"
S3_NOT_YET: Final = "Request is not valid yet"
S3_EXPIRED: Final = "Request has expired"
S3_QUERY: Final = (
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
    "X-Amz-SignedHeaders, and X-Amz-Expires parameters."
)
EXPIRES_NUMBER: Final = "X-Amz-Expires should be a number"
EXPIRES_NEGATIVE: Final = "X-Amz-Expires must be non-negative"
EXPIRES_WEEK: Final = (
    "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
)
SIGNED_HEADERS: Final = "Authorization component 'SignedHeaders' is malformed."
REGION: Final = "Credential should be scoped to a valid region."
_CREDENTIAL_SHAPE: Final = 'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'


def mismatch(*, s3: bool) -> CommonError:
    """The signature is not that of the secret, or the request is not the one that was signed. Says nothing more."""
    return CommonError("signature_mismatch", S3_MISMATCH if s3 else MISMATCH)


def missing_authentication(*, s3: bool = False) -> CommonError:
    """No trace of a signature where one is needed. S3 calls such a caller anonymous and denies it."""
    if s3:
        return CommonError("access_denied", "Access Denied", code="AccessDenied", status=403)
    return CommonError("missing_authentication", "Request is missing Authentication Token")


# --- S3 -------------------------------------------------------------------------------------------------------------


def s3_header(detail: str) -> CommonError:
    """The Authorization header cannot be read."""
    message = f"The authorization header is malformed; {detail}"
    return CommonError("incomplete_signature", message, code="AuthorizationHeaderMalformed", status=400)


def s3_query(message: str) -> CommonError:
    """A presigned URL's parameter cannot be read."""
    return CommonError("incomplete_signature", message, code="AuthorizationQueryParametersError", status=400)


def s3_credential(detail: str, place: Place) -> CommonError:
    """The credential cannot be read. A form's is an argument like any other."""
    if place == "form":
        return s3_argument(detail)
    return s3_header(detail) if place == "header" else s3_query(f"Error parsing the X-Amz-Credential parameter; {detail}")


def s3_credential_shape(place: Place) -> CommonError:
    """Not five parts."""
    return s3_credential(f"the Credential is mal-formed; {_CREDENTIAL_SHAPE}", place)


def s3_argument(message: str) -> CommonError:
    """InvalidArgument."""
    return CommonError("incomplete_signature", message, code="InvalidArgument", status=400)


def s3_request(message: str) -> CommonError:
    """InvalidRequest."""
    return CommonError("incomplete_signature", message, code="InvalidRequest", status=400)


def s3_denied(message: str, *, expired: bool = False) -> CommonError:
    """AccessDenied with a reason."""
    return CommonError("request_expired" if expired else "access_denied", message, code="AccessDenied", status=403)


def s3_skewed() -> CommonError:
    """The clocks differ by more than fifteen minutes."""
    message = "The difference between the request time and the current time is too large."
    return CommonError("request_expired", message, code="RequestTimeTooSkewed", status=403)


def s3_not_signed() -> CommonError:
    """An ``x-amz-`` header, or the host, is in the request and not in the signature."""
    return s3_denied("There were headers present in the request which were not signed")


def s3_payload_mismatch() -> CommonError:
    """The body is not the one whose digest was signed."""
    message = "The provided 'x-amz-content-sha256' header does not match what was computed."
    return _s3_body(message, "XAmzContentSHA256Mismatch")


def s3_unsupported() -> CommonError:
    """A signature of version 2."""
    return s3_request("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")


def s3_missing_field(name: str) -> CommonError:
    """A form without a field that it needs."""
    return s3_argument(
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )


def s3_doubled_field(name: str) -> CommonError:
    """A form with a field twice."""
    return s3_argument(f"Bucket POST may contain only one field named '{name}'.")


def s3_extra_fields(names: Iterable[str]) -> CommonError:
    """Fields that no condition of the policy names."""
    return s3_denied(f"Invalid according to Policy: Extra input fields: {', '.join(names)}")


def s3_policy(detail: str) -> CommonError:
    """A policy document that cannot be read."""
    return _s3_body(f"Invalid Policy: {detail}", "InvalidPolicyDocument")


def s3_too_large() -> CommonError:
    """A file over the policy's range."""
    return _s3_body("Your proposed upload exceeds the maximum allowed size", "EntityTooLarge")


def s3_too_small() -> CommonError:
    """A file under the policy's range."""
    return _s3_body("Your proposed upload is smaller than the minimum allowed size", "EntityTooSmall")


# --- S3, aws-chunked bodies -----------------------------------------------------------------------------------------


def s3_no_length() -> CommonError:
    """The decoded length is not announced."""
    return _s3_body("You must provide the Content-Length HTTP header.", "MissingContentLength", 411)


def s3_incomplete_body() -> CommonError:
    """The body is not framed as announced, or not as long."""
    message = "You did not provide the number of bytes specified by the Content-Length HTTP header"
    return _s3_body(message, "IncompleteBody")


def s3_small_chunk() -> CommonError:
    """A chunk under the smallest size that is not the last."""
    return _s3_body("Only the last chunk is allowed to have a size less than 8192 bytes", "InvalidChunkSizeError", 403)


def s3_trailer() -> CommonError:
    """Trailing headers that are not those announced, or not well-formed."""
    message = "The request contained trailing data that was not well-formed or did not conform to our published schema."
    return _s3_body(message, "MalformedTrailerError")


def _s3_body(message: str, code: str, status: int = 400) -> CommonError:
    return CommonError("malformed", message, code=code, status=status)


# --- All others -----------------------------------------------------------------------------------------------------


def incomplete(message: str) -> CommonError:
    """IncompleteSignature with a text."""
    return CommonError("incomplete_signature", message)


def scope(message: str) -> CommonError:
    """A well-formed signature for another place, service or day."""
    return CommonError("signature_mismatch", message)


def incomplete_header(missing: Iterable[str], authorization: str) -> CommonError:
    """Parameters of the Authorization header are missing. The header itself is shown as its digest only, as AWS does."""
    said = "".join(f"{sentence} " for sentence in missing)
    return incomplete(f"{said}(Hashed with SHA-256 and encoded with Base64) Authorization={_digest(authorization)}")


def no_equal_sign(authorization: str) -> CommonError:
    """A part of the Authorization header is no ``key=value``."""
    start = "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64)"
    return incomplete(f"{start}: '{_digest(authorization)}'.")


def incomplete_query(missing: Iterable[str]) -> CommonError:
    """Parameters of a presigned request are missing."""
    said = "".join(f"AWS query-string parameters must include '{name}'. " for name in missing)
    return incomplete(f"{said}Re-examine the query-string parameters.")


def date_format(text: str) -> CommonError:
    """The date is not the basic form of ISO 8601."""
    return incomplete(f"Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601")


def expired(stamp: str, now: float, window: int) -> CommonError:
    """The signature is older than the window in seconds."""
    edge = f"{basic_date(now - window)} ({basic_date(now)} - {_span(window)})"
    return CommonError("request_expired", f"Signature expired: {stamp} is now earlier than {edge}")


def not_yet(stamp: str, now: float, window: int) -> CommonError:
    """The signature is from the future by more than the window in seconds."""
    edge = f"{basic_date(now + window)} ({basic_date(now)} + {_span(window)})"
    return CommonError("request_expired", f"Signature not yet current: {stamp} is still later than {edge}")


def must_be_signed(name: str) -> CommonError:
    """A header that has to be in the signature is not."""
    return scope(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def host_unsigned() -> CommonError:
    """The host is not in the signature."""
    return scope("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")


def other_service(service: str) -> CommonError:
    """The signature is for another service than this endpoint's."""
    return scope(f"Credential should be scoped to correct service: '{service}'.")


def unknown_algorithm(name: str) -> CommonError:
    """No algorithm of ours."""
    return incomplete(f"Unsupported AWS 'algorithm': '{name}'.")


def basic_date(seconds: float) -> str:
    """``20150830T123600Z``."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y%m%dT%H%M%SZ")


def _span(seconds: int) -> str:
    return f"{seconds // 60} min." if seconds % 60 == 0 else f"{seconds} sec."


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8", "replace")).digest()).decode()
