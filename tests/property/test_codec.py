"""Codecs under documents and bytes that nobody wrote by hand."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

import botocore.parsers
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import Member, OperationModel, load_model
from garrison.wire.codec import codec
from garrison.wire.validation import validate
from tests.support.documents import as_request, client_model, sayable
from tests.support.strategies import documents


def relaxed(examples: int) -> settings:
    """Documents of a model are large and slow to draw."""
    return settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))


BUILT = ("cloudtrail", "iam", "kms", "sts")
OTHERS = ("config", "organizations", "wafv2", "shield")


def operations(*services: str) -> list[OperationModel]:
    found = [load_model(service).operation(name) for service in services for name in load_model(service).operation_names]
    return [operation for operation in found if operation is not None]


def with_input(*services: str) -> list[OperationModel]:
    return [operation for operation in operations(*services) if operation.input is not None and operation.input.shape.members]


def raised(call: Callable[[], object]) -> CommonError | None:
    """The common error that the call raises, else None."""
    try:
        call()
    except CommonError as error:
        return error
    return None


def fits(document: dict[str, Any], wanted: type[msgspec.Struct] | None) -> bool:
    """Whether the types take the document."""
    try:
        msgspec.convert(document, wanted)
    except msgspec.ValidationError:
        return False
    return True


def shape_input(operation: OperationModel) -> Member:
    assert operation.input
    return operation.input


def shape_of(member: Member | None) -> Any:
    assert member
    return member.shape


@relaxed(300)
@given(st.data())
@pytest.mark.parametrize("services", [BUILT, OTHERS])
def test_types_and_walk_refuse_the_same_documents(services: tuple[str, ...], data: st.DataObject):
    operation = data.draw(st.sampled_from(with_input(*services)))
    document = data.draw(documents(shape_of(operation.input), sloppy=True))
    used = codec(operation.model.service, "json")
    plan = used._plan(operation)
    walk = raised(lambda: validate(document, shape_input(operation), operation.model.service))
    walked = walk is None
    own_words = operation.model.service == "organizations"
    assert walk is None or own_words or "failed to satisfy constraint" in walk.message
    typed = fits(document, plan.request)
    if plan.checked:
        assert typed == walked
    else:
        assert typed or not walked


@relaxed(300)
@given(st.data())
def test_a_valid_document_arrives_whole(data: st.DataObject):
    operation = data.draw(st.sampled_from(with_input(*BUILT)))
    document = data.draw(documents(shape_of(operation.input), sloppy=False).filter(lambda document: sayable(operation, document)))
    found = codec(operation.model.service).decode(operation, as_request(operation, document), {})
    assert msgspec.to_builtins(found, builtin_types=(bytes,)) == document


@relaxed(300)
@given(st.data())
def test_an_answer_is_read_by_botocore(data: st.DataObject):
    operation = data.draw(st.sampled_from([operation for operation in operations(*BUILT) if operation.output]))
    document = data.draw(documents(shape_of(operation.output), sloppy=False))
    used = codec(operation.model.service)
    _, answer_type = used.types(operation)
    assert answer_type
    answer = used.encode(operation, msgspec.convert(document, answer_type), "the-id")
    client = client_model(operation.model.service)
    raw = {"headers": dict(answer.headers), "body": answer.body, "status_code": answer.status}
    shape = client.operation_model(operation.name).output_shape
    assert shape
    found = botocore.parsers.create_parser(operation.model.protocol).parse(raw, shape)
    found.pop("ResponseMetadata")
    assert without_empty(plain(found)) == without_empty(document)


def plain(value: Any) -> Any:
    """Epoch seconds in the place of datetimes."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.timestamp() if isinstance(value, dt.datetime) else value


def without_empty(value: Any) -> Any:
    """Empty structures, lists and texts left out: XML has one way to write them all."""
    if isinstance(value, dict):
        pairs = ((key, without_empty(inner)) for key, inner in value.items())
        return {key: inner for key, inner in pairs if inner not in ({}, [], "", b"", None)}
    if isinstance(value, list):
        return [without_empty(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


@relaxed(500)
@given(st.data())
def test_bytes_are_read_or_refused(data: st.DataObject):
    operation = data.draw(st.sampled_from(operations(*BUILT, *OTHERS, "rds")))
    protocol = "query" if operation.model.protocol == "query" else "json"
    body = data.draw(st.binary(max_size=200) | mutated(operation))
    error = raised(lambda: codec(operation.model.service, protocol).decode(operation, Request("POST", "/", body=body), {}))
    assert error is None or error.kind in {"malformed", "validation"}
    assert error is None or len(error.message) < 50_000


@st.composite
def mutated(draw: st.DrawFn, operation: OperationModel) -> bytes:
    """A valid request with some bytes replaced, removed or doubled."""
    if operation.input is None or not operation.input.shape.members or operation.model.service not in BUILT:
        return b'{"a":' + draw(st.binary(max_size=10)) + b"}"
    document = draw(documents(operation.input.shape, sloppy=False))
    body = bytearray(as_request(operation, document).body)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 5)))
        body[start:end] = draw(
            st.binary(max_size=3)
            | st.sampled_from([b"null", b"[", b"{}", b"9" * 40, b"%ff", b"&", b".", b"member.1", b"\\u0000"])
        )
    return bytes(body)
