from __future__ import annotations

from typing import get_args

import pytest

from garrison.api.iam import NoSuchEntityException
from garrison.api.kms import DisabledException, KMSInternalException
from garrison.core.errors import CommonError, CommonKind, ServiceError
from garrison.core.model import load_model, service_names
from garrison.wire.faults import fault


@pytest.mark.parametrize("service", service_names())
@pytest.mark.parametrize("kind", get_args(CommonKind))
def test_every_service_has_a_name_for_every_kind(service: str, kind: CommonKind):
    found = fault(load_model(service), CommonError(kind))
    assert found.code
    assert found.code.isalnum()
    assert 400 <= found.status < 600
    assert found.sender == (found.status < 500)


# Measured answers of AWS, and the services' "Common errors" pages.
@pytest.mark.parametrize(
    ("service", "kind", "code", "status"),
    [
        ("sts", "unknown_access_key", "InvalidClientTokenId", 403),
        ("kms", "unknown_access_key", "UnrecognizedClientException", 400),
        ("s3", "unknown_access_key", "InvalidAccessKeyId", 403),
        ("ec2", "unknown_access_key", "AuthFailure", 401),
        ("iam", "access_denied", "AccessDenied", 403),
        ("kms", "access_denied", "AccessDeniedException", 400),
        ("accessanalyzer", "access_denied", "AccessDeniedException", 403),
        ("ec2", "access_denied", "UnauthorizedOperation", 403),
        ("iam", "signature_mismatch", "SignatureDoesNotMatch", 403),
        ("kms", "signature_mismatch", "InvalidSignatureException", 400),
        ("s3", "signature_mismatch", "SignatureDoesNotMatch", 403),
        ("iam", "missing_authentication", "MissingAuthenticationToken", 403),
        ("kms", "missing_authentication", "MissingAuthenticationTokenException", 400),
        ("sts", "expired_token", "ExpiredToken", 403),
        ("kms", "expired_token", "ExpiredTokenException", 400),
        ("iam", "incomplete_signature", "IncompleteSignature", 400),
        ("kms", "incomplete_signature", "IncompleteSignatureException", 400),
        ("iam", "validation", "ValidationError", 400),
        ("kms", "validation", "ValidationException", 400),
        ("iam", "malformed", "MalformedInput", 400),
        ("kms", "malformed", "SerializationException", 400),
        ("s3", "malformed", "MalformedXML", 400),
        ("iam", "unknown_operation", "InvalidAction", 400),
        ("kms", "unknown_operation", "UnknownOperationException", 400),
        ("shield", "unknown_operation", "UnknownOperationException", 400),
        ("kms", "not_implemented", "NotImplemented", 501),
        ("iam", "internal", "InternalFailure", 500),
        ("s3", "internal", "InternalError", 500),
        ("iam", "unavailable", "ServiceUnavailable", 503),
    ],
)
def test_names(service: str, kind: CommonKind, code: str, status: int):
    found = fault(load_model(service), CommonError(kind))
    assert (found.code, found.status) == (code, status)


@pytest.mark.parametrize("service", ["iam", "kms"])
def test_an_unknown_key_is_told_nothing(service: str):
    assert (
        fault(load_model(service), CommonError("unknown_access_key")).message
        == "The security token included in the request is invalid."
    )


def test_an_error_may_carry_its_own_name_and_message():
    found = fault(load_model("sts"), CommonError("validation", "no", code="InvalidParameterValue", status=409))
    assert (found.code, found.status, found.message) == ("InvalidParameterValue", 409, "no")


def test_modelled_errors_keep_their_names():
    found = fault(load_model("iam"), NoSuchEntityException("gone"))
    assert (found.code, found.status, found.message, found.sender) == ("NoSuchEntity", 404, "gone", True)
    found = fault(load_model("kms"), DisabledException("off"))
    assert (found.code, found.status) == ("DisabledException", 400)
    assert fault(load_model("kms"), KMSInternalException("x")).sender is False


def test_an_error_of_no_family_says_nothing():
    found = fault(load_model("iam"), ServiceError("the secret is hunter2"))
    assert (found.code, found.status, found.sender) == ("InternalFailure", 500, False)
    assert "hunter2" not in found.message
