from __future__ import annotations

import msgspec
import pytest

from garrison.api import kms
from garrison.core.model import load_model, service_names
from garrison.wire.structs import builder


@pytest.mark.parametrize("service", service_names())
def test_every_operation_of_every_service_has_types(service: str):
    model, built = load_model(service), builder(service)
    for name in model.operation_names:
        operation = model.operation(name)
        assert operation
        given, taken = built.type_of(operation.input), built.type_of(operation.output)
        assert (given is None) == (operation.input is None)
        assert (taken is None) == (operation.output is None)
        if given is not None:
            assert operation.input
            fields = {field.encode_name: field.required for field in msgspec.structs.fields(given)}
            assert fields == {name: member.required for name, member in operation.input.shape.members.items()}
            msgspec.json.Decoder(given)


def test_built_types_are_those_of_the_generated_module():
    model, built = load_model("kms"), builder("kms")
    for name, (given, taken) in kms.OPERATIONS.items():
        operation = model.operation(name)
        assert operation
        for member, generated in ((operation.input, given), (operation.output, taken)):
            ours = built.type_of(member)
            assert (ours is None) == (generated is None)
            if ours is not None and generated is not None:
                assert [(field.name, field.encode_name, field.required) for field in msgspec.structs.fields(ours)] == [
                    (field.name, field.encode_name, field.required) for field in msgspec.structs.fields(generated)
                ]
