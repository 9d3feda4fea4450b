from __future__ import annotations

from garrison.core.model import load_model
from garrison.wire.protocols.modelled import error_shape, with_message

IAM = load_model("iam")


def test_an_error_is_found_by_its_code_or_its_shapes_name():
    operation = IAM.operation("CreateUser")
    assert operation is not None
    for code in ("EntityAlreadyExists", "EntityAlreadyExistsException"):
        shape = error_shape(IAM, operation, code)
        assert shape is not None
        assert shape.name == "EntityAlreadyExistsException"


def test_an_error_that_the_operation_does_not_declare_is_found_in_the_service():
    kms = load_model("kms")
    shape = error_shape(kms, kms.operation("Encrypt"), "TagException")
    assert shape is not None
    assert shape.name == "TagException"


def test_what_is_no_exception_is_none():
    assert error_shape(IAM, None, "AccessDenied") is None
    assert error_shape(IAM, None, "User") is None


def test_the_message_goes_where_the_model_has_it():
    hub = load_model("securityhub")
    assert with_message(hub.shape("InternalException"), "text", {"Code": "c"}) == {"Code": "c", "Message": "text"}
    assert with_message(hub.shape("InternalException"), "text", {"Message": "own"}) == {"Message": "own"}
    assert with_message(hub.shape("InternalException"), "", {}) == {}
