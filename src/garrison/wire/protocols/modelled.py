"""Which exception of the model an error is, and its members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.core.model import OperationModel, ServiceModel, Shape


def error_shape(model: ServiceModel, operation: OperationModel | None, code: str) -> Shape | None:
    """The model's exception of a code: one that the operation declares, else any of the service's of that name."""
    for name in operation.errors if operation else ():
        shape = model.shape(name)
        if code in {shape.error_code, name}:
            return shape
    if code in model.shape_names and model.shape(code).is_exception:
        return model.shape(code)
    return None


def with_message(shape: Shape, message: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """An error's members with its message under the model's own spelling of it (``message``, ``Message``)."""
    name = next((name for name in shape.members if name.lower() == "message"), None)
    given = dict(members)
    if name is not None and message:
        given.setdefault(name, message)
    return given
