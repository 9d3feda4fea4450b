"""What the engine refuses."""

from __future__ import annotations


class InvalidParameter(Exception):  # noqa: N818 - named as AWS names it: the service answers WAFInvalidParameterException
    """A document that AWS WAF would refuse, in the words of ``WAFInvalidParameterException``.

    ``field`` is a value of the API's ``ParameterExceptionField`` (``STATEMENT``, ``BYTE_MATCH_STATEMENT``,
    ``TEXT_TRANSFORMATION`` ...), ``parameter`` names the member or carries its value, ``reason`` says why.
    """

    def __init__(self, field: str, parameter: str, reason: str) -> None:
        super().__init__(f"Error reason: {reason}, field: {field}, parameter: {parameter}")
        self.field = field
        self.parameter = parameter
        self.reason = reason


class EngineFault(Exception):  # noqa: N818 - a fault of the engine, whatever was asked of it
    """The pattern engine that is installed loses matches. Nothing is inspected with it: it would let attacks pass silently."""


class MissingDetector(Exception):  # noqa: N818 - what is missing, as the class above
    """A statement needs a detector that the caller did not supply: an engine without it would let attacks pass silently."""
