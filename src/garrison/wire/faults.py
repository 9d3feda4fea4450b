"""What each service calls the errors that every service has.

Codes and statuses: each service's "Common errors" page, and answers recorded from AWS. A kind of error has one name
per family of services: the Query services, those of JSON and REST-JSON, S3 and its like, EC2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from garrison.core.errors import CommonError, CommonKind, ModelledError, ServiceError
from garrison.core.model import ServiceModel


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as it goes on the wire."""

    code: str
    message: str
    status: int
    members: Mapping[str, Any] = field(default_factory=dict)
    """Further members of a modelled error."""
    sender: bool = True
    """Whether the caller is at fault."""


_TOKEN_INVALID = "The security token included in the request is invalid."  # noqa: S105 - a message
_TOKEN_EXPIRED = "The security token included in the request is expired"  # noqa: S105 - a message
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
    "method. Consult the service documentation for details."
)
_INTERNAL = "The request processing has failed because of an unknown error, exception or failure."

_IDLE = (
    "Your socket connection to the server was not read from or written to within the timeout period. "
    "Idle connections will be closed."
)

Names = dict[CommonKind, tuple[str, int, str]]
"""A kind's code, HTTP status and message where the error carries none."""

_EVERYWHERE: Names = {
    "not_implemented": ("NotImplemented", 501, "Garrison does not implement this operation yet."),
    "too_large": ("RequestEntityTooLarge", 413, "The request is larger than the service accepts."),
    "timeout": ("RequestTimeout", 400, "The request was not received in the time allowed."),
    "throttled": ("Throttling", 400, "Rate exceeded"),
    "unavailable": ("ServiceUnavailable", 503, "The request has failed due to a temporary failure of the server."),
    "internal": ("InternalFailure", 500, _INTERNAL),
}

_QUERY: Names = _EVERYWHERE | {
    "access_denied": ("AccessDenied", 403, "Access denied"),
    "missing_authentication": ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    "incomplete_signature": ("IncompleteSignature", 400, "The request signature does not conform to AWS standards."),
    "signature_mismatch": ("SignatureDoesNotMatch", 403, _MISMATCH),
    "unknown_access_key": ("InvalidClientTokenId", 403, _TOKEN_INVALID),
    "expired_token": ("ExpiredToken", 403, _TOKEN_EXPIRED),
    "request_expired": ("SignatureDoesNotMatch", 403, "Signature expired"),
    "validation": ("ValidationError", 400, "The input fails to satisfy the constraints specified by an AWS service."),
    "malformed": ("MalformedInput", 400, ""),
    "unknown_operation": ("InvalidAction", 400, "Could not find the operation"),
}

_JSON: Names = _EVERYWHERE | {
    "access_denied": ("AccessDeniedException", 400, "Access denied"),
    "missing_authentication": ("MissingAuthenticationTokenException", 400, "Request is missing Authentication Token"),
    "incomplete_signature": ("IncompleteSignatureException", 400, "The request signature does not conform to AWS standards."),
    "signature_mismatch": ("InvalidSignatureException", 400, _MISMATCH),
    "unknown_access_key": ("UnrecognizedClientException", 400, _TOKEN_INVALID),
    "expired_token": ("ExpiredTokenException", 400, _TOKEN_EXPIRED),
    "request_expired": ("InvalidSignatureException", 400, "Signature expired"),
    "validation": ("ValidationException", 400, "The input fails to satisfy the constraints specified by an AWS service."),
    "malformed": ("SerializationException", 400, ""),
    "unknown_operation": ("UnknownOperationException", 400, ""),
    "throttled": ("ThrottlingException", 400, "Rate exceeded"),
}

_REST_JSON: Names = _JSON | {
    "access_denied": ("AccessDeniedException", 403, "Access denied"),
    "missing_authentication": ("MissingAuthenticationTokenException", 403, "Request is missing Authentication Token"),
    "incomplete_signature": ("IncompleteSignatureException", 403, "The request signature does not conform to AWS standards."),
    "signature_mismatch": ("InvalidSignatureException", 403, _MISMATCH),
    "unknown_access_key": ("UnrecognizedClientException", 403, _TOKEN_INVALID),
    "expired_token": ("ExpiredTokenException", 403, _TOKEN_EXPIRED),
    "request_expired": ("InvalidSignatureException", 403, "Signature expired"),
    "unknown_operation": ("UnknownOperationException", 404, ""),
    "throttled": ("ThrottlingException", 429, "Rate exceeded"),
}

_S3: Names = _EVERYWHERE | {
    "access_denied": ("AccessDenied", 403, "Access Denied"),
    "missing_authentication": ("AccessDenied", 403, "Access Denied"),
    "incomplete_signature": ("AuthorizationHeaderMalformed", 400, "The authorization header is malformed."),
    "signature_mismatch": (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
    "unknown_access_key": ("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."),
    "expired_token": ("ExpiredToken", 400, "The provided token has expired."),
    "request_expired": (
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
    ),
    "validation": ("InvalidArgument", 400, "Invalid Argument"),
    "malformed": (
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "unknown_operation": ("MethodNotAllowed", 405, "The specified method is not allowed against this resource."),
    "too_large": ("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"),
    "timeout": (
        "RequestTimeout",
        400,
        _IDLE,
    ),
    "throttled": ("SlowDown", 503, "Please reduce your request rate."),
    "unavailable": ("ServiceUnavailable", 503, "Service is unable to handle request."),
    "internal": ("InternalError", 500, "We encountered an internal error. Please try again."),
}

_EC2: Names = _EVERYWHERE | {
    "access_denied": ("UnauthorizedOperation", 403, "You are not authorized to perform this operation."),
    "missing_authentication": (
        "MissingParameter",
        400,
        "The request must contain the parameter AWSAccessKeyId or Authorization",
    ),
    "incomplete_signature": ("IncompleteSignature", 400, "The request signature does not conform to AWS standards."),
    "signature_mismatch": (
        "AuthFailure",
        401,
        "AWS was not able to validate the provided access credentials",
    ),
    "unknown_access_key": ("AuthFailure", 401, "AWS was not able to validate the provided access credentials"),
    "expired_token": ("RequestExpired", 400, "Request has expired."),
    "request_expired": ("RequestExpired", 400, "Request has expired."),
    "validation": ("InvalidParameterValue", 400, "A value specified in a parameter is not valid."),
    "malformed": ("InvalidParameterValue", 400, "A value specified in a parameter is not valid."),
    "unknown_operation": ("InvalidAction", 400, "The action is not valid for this web service."),
    "throttled": ("RequestLimitExceeded", 503, "Request limit exceeded."),
    "unavailable": ("Unavailable", 503, "The server is overloaded and can't handle the request."),
    "internal": ("InternalError", 500, "An internal error has occurred"),
}

_FAMILIES: Mapping[str, Names] = {
    "query": _QUERY,
    "json": _JSON,
    "smithy-rpc-v2-cbor": _JSON,
    "rest-json": _REST_JSON,
    "rest-xml": _S3,
    "ec2": _EC2,
}


_SIGNIN: Mapping[CommonKind, tuple[str, str]] = {
    "access_denied": ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS"),
    "validation": ("ValidationException", "INVALID_REQUEST"),
    "malformed": ("ValidationException", "INVALID_REQUEST"),
    "throttled": ("TooManyRequestsError", "rate_exceeded"),
    "internal": ("InternalServerException", "server_error"),
}
"""Code and the member ``error`` of what AWS Sign-In answers: all its errors have that member."""


def fault(model: ServiceModel, error: ServiceError) -> Fault:
    """An error under the name that this service gives it. Any other error is an internal failure, and says no more."""
    names = _FAMILIES[model.protocol]
    if isinstance(error, ModelledError):
        sender = error.status < 500
        return Fault(error.code, error.message, error.status, error.members, sender)
    if isinstance(error, CommonError):
        code, status, message = names[error.kind]
        status = error.status or status
        if model.service == "signin" and error.kind in _SIGNIN:
            code, why = _SIGNIN[error.kind]
            return Fault(error.code or code, error.message or message, status, {"error": why}, status < 500)
        return Fault(error.code or code, error.message or message, status, error.members, status < 500)
    code, status, message = names["internal"]
    return Fault(code, message, status, {}, sender=False)
