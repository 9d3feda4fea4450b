"""Every constraint of the services that are built, broken one at a time."""

from __future__ import annotations

import msgspec
import pytest

from garrison.core.errors import CommonError
from garrison.core.model import load_model
from garrison.wire.codec import codec
from garrison.wire.validation import validate
from tests.support.documents import as_request, broken, sayable, valid

OPERATIONS = [(service, name) for service in ("cloudtrail", "iam", "kms", "sts") for name in load_model(service).operation_names]


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_a_minimal_valid_request_is_read(service: str, name: str):
    used = codec(service)
    operation = used.model.operation(name)
    assert operation
    document = valid(operation.input.shape) if operation.input else {}
    if sayable(operation, document):
        struct = used.decode(operation, as_request(operation, document), {})
        assert (struct is None) == (operation.input is None)
    if operation.input:
        validate(document, operation.input, service)


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_each_broken_constraint_is_named(service: str, name: str):
    used = codec(service)
    operation = used.model.operation(name)
    assert operation
    for case in broken(operation):
        if not sayable(operation, case.document):
            continue
        with pytest.raises(CommonError) as caught:
            used.decode(operation, as_request(operation, case.document), {})
        assert caught.value.kind == "validation", case
        assert f"at '{case.path}' failed to satisfy constraint: " in caught.value.message, case
        assert case.rule in caught.value.message, case


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_the_types_alone_refuse_each_broken_constraint(service: str, name: str):
    used = codec(service)
    operation = used.model.operation(name)
    assert operation
    request, _ = used.types(operation)
    for case in broken(operation):
        assert request is not None
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(case.document, request)


def test_there_are_many_constraints():
    found = 0
    for service, name in OPERATIONS:
        operation = load_model(service).operation(name)
        assert operation
        found += len(list(broken(operation)))
    assert found > 1500
