"""EC2 Query: AWS Query with capitalized names, lists without a wrapper, and an answer without a result element.

https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.core.http import Response
from garrison.core.model import Member, OperationModel, ServiceModel, Shape
from garrison.wire.protocols.query import Parse, Parser, QueryProtocol, namespace
from garrison.wire.protocols.scalars import escape

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Ec2Parser(Parser):
    """Compiles shapes into functions from parameter trees to document values, by EC2's names."""

    def _compile(self, shape: Shape, variant: str) -> Parse:
        if shape.type == "list":
            return self._list(shape, flat=True)
        return super()._compile(shape, variant)

    def _name(self, member: Member) -> str:
        return input_name(member)


def input_name(member: Member) -> str:
    """A member's name in a form: ``queryName`` as it is, else the location name or the member's own, capitalized."""
    query_name = member.traits.get("queryName")
    if query_name:
        return str(query_name)
    name = str(member.traits.get("locationName", member.name))
    return name[0].upper() + name[1:]


class Ec2Protocol(QueryProtocol):
    """EC2 Query."""

    name = "ec2"
    parser = Ec2Parser

    def serialize(self, operation: OperationModel, result: Any, request_id: str) -> Response:  # noqa: ANN401 - struct or dict
        """``<XResponse><requestId>…</requestId>…``; an operation without output answers ``<return>true</return>``."""
        name = f"{operation.name}Response"
        out = [f'{_DECLARATION}<{name} xmlns="{_namespace(operation.model)}"><requestId>{escape(request_id)}</requestId>']
        if operation.output is None:
            out.append("<return>true</return>")
        else:
            self._writers.of(operation.model).content(operation.output.shape)({} if result is None else result, out)
        out.append(f"</{name}>")
        return Response(200, _headers(request_id), "".join(out).encode())

    def serialize_error(
        self,
        model: ServiceModel,
        operation: OperationModel | None,
        code: str,
        message: str,
        status: int,
        request_id: str,
        members: Mapping[str, Any],
        *,
        sender_fault: bool,  # noqa: ARG002 - the interface's
    ) -> Response:
        """``<Response><Errors><Error>…``, and the members of a modelled error."""
        further = "".join(self._further(model, operation, code, members))
        body = (
            f"{_DECLARATION}<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>{further}"
            f"</Error></Errors><RequestID>{escape(request_id)}</RequestID></Response>"
        )
        return Response(status, _headers(request_id), body.encode())


def _namespace(model: ServiceModel) -> str:
    """EC2's answers end the model's namespace with a slash."""
    return namespace(model).rstrip("/") + "/"


def _headers(request_id: str) -> list[tuple[str, str]]:
    return [("x-amzn-requestid", request_id), ("content-type", "text/xml;charset=UTF-8")]
