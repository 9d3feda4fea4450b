"""What a wire protocol offers, and the limits that all of them keep.

A protocol turns bytes into a *document* and back. A document is a dict with the model's member names as keys:
blobs are ``bytes``, timestamps float seconds since 1970, numbers ``int`` or ``float``, booleans ``bool``, lists
and dicts as they are. Members that the request leaves out, or sends as JSON null, are left out. What a request
sends beyond the model is ignored, as AWS ignores it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NoReturn, Protocol, TypeVar
from weakref import WeakKeyDictionary

from garrison.core.errors import CommonError
from garrison.core.http import Request, Response
from garrison.core.model import Member, OperationModel, ServiceModel

T = TypeVar("T")

MAX_DEPTH = 192
"""Levels of nesting that a request may have; the deepest real one, of 50 statements of wafv2 in each other, has about 160."""

MAX_PARAMETERS = 10_000
"""Parameters of a form body; beyond it the body is refused before it is taken apart."""


class WireProtocol(Protocol):
    """One protocol of AWS. Stateless between calls; parsers and serializers are compiled once per shape."""

    name: str
    """As models call it: ``json``, ``query``, ``ec2``, ``rest-json``, ``rest-xml``, ``smithy-rpc-v2-cbor``."""

    def parse(self, operation: OperationModel, request: Request, path_parameters: Mapping[str, str]) -> dict[str, Any]:
        """The request as a document.

        ``path_parameters`` are the labels of a REST path, already percent-decoded. Types are the model's;
        constraints (lengths, patterns, required members) are not looked at here: that is ``wire.validation``.
        Raises CommonError("malformed") where the body cannot be read in the protocol or a value has the wrong type.
        """
        ...

    def serialize(self, operation: OperationModel, result: Any, request_id: str) -> Response:  # noqa: ANN401 - struct or dict
        """The answer of a handler on the wire.

        ``result`` is an api struct, a document, or None where the operation answers nothing.
        """
        ...

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
        sender_fault: bool,
    ) -> Response:
        """An error on the wire. ``members`` are the further members of a modelled error, by model name."""
        ...


class PerModel(Generic[T]):
    """What a protocol compiles of each model: made at its first use, kept for as long as the model."""

    def __init__(self, make: Callable[[ServiceModel], T]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[ServiceModel, T] = WeakKeyDictionary()

    def of(self, model: ServiceModel) -> T:
        """That of one model."""
        found = self._made.get(model)
        if found is None:
            found = self._made[model] = self._make(model)
        return found


def refuse(message: str) -> NoReturn:
    """Raise the error of a body that cannot be read; ``wire.faults`` gives it the service's code."""
    raise malformed(message) from None


def malformed(message: str) -> CommonError:
    """The error of a body that cannot be read; ``wire.faults`` gives it the service's code."""
    return CommonError("malformed", message)


def value_of(member: Member, source: Any) -> Any:  # noqa: ANN401 - struct or dict
    """A member of an answer: by attribute of an api struct, by model name of a document; None where it is absent."""
    if isinstance(source, dict):
        return source.get(member.name)
    return getattr(source, member.attr, None)


def forward(memo: Mapping[Any, Callable[..., Any]], key: Any) -> Callable[..., Any]:  # noqa: ANN401 - any hashable
    """A function that looks its work up when it is called: what a shape that contains itself is compiled against."""

    def later(*arguments: Any) -> Any:  # noqa: ANN401 - the work's
        return memo[key](*arguments)

    return later
