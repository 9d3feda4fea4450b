"""Validation of actions, custom responses and inserted headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from garrison.edge.inspect.actions import TYPES
from garrison.edge.inspect.checks import choice, distinct, items, mapping, members, number, text, union
from garrison.edge.inspect.errors import InvalidParameter

Document = Mapping[str, Any]
STATUSES: Final = frozenset({
    200, 201, 202, 204, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 416,
    421, 429, 500, 501, 502, 503, 504, 505,
})  # fmt: skip
"""Status codes of a custom response (developer guide, supported status codes)."""
ACTIONS: Final = ("Allow", "Block", "Count", "Captcha", "Challenge")
HEADERS: Final = 10
BODIES: Final = 50
BODY: Final = 10_240
ALL_BODIES: Final = 51_200
"""Characters of all custom response bodies of a web ACL or rule group (quotas: 50 KB)."""
IMMUNITY_LOW: Final[Mapping[str, int]] = {"CaptchaConfig": 60, "ChallengeConfig": 300}
IMMUNITY_HIGH: Final = 259_200
_HEADER_NAME: Final = re.compile(r"[a-zA-Z0-9._$-]+")
_HEADER_VALUE: Final = re.compile(r"[^\r\n\0]*")
_KEY: Final = re.compile(r"[\w-]+", re.ASCII)


def _headers(document: Document, member: str, field: str) -> None:
    names = []
    for each in items(document, member, field, 1, HEADERS):
        header = mapping(each, field, member)
        members(header, ("Name", "Value"), field)
        names.append(text(header, "Name", field, most=64, pattern=_HEADER_NAME).lower())
        text(header, "Value", field, most=255, pattern=_HEADER_VALUE)
    distinct(names, field, "name")
    if field == "CUSTOM_RESPONSE" and "content-type" in names:
        raise InvalidParameter(field, "content-type", "The content type of a custom response is that of its body.")


def check_action(document: Any, bodies: Document) -> None:  # noqa: ANN401 - any JSON
    """A ``RuleAction``. ``bodies`` are the custom response bodies that it may name."""
    action = mapping(document, "RULE_ACTION", "RuleAction")
    if action.get("Monetize") is not None:
        raise InvalidParameter("RULE_ACTION", "Monetize", "The action is available only for CloudFront distributions.")
    kind, spec = union(action, ACTIONS, "RULE_ACTION", "RuleAction")
    _check_spec(kind, spec, bodies)


def check_default(document: Document, bodies: Document) -> None:
    """A ``DefaultAction``: one that ends the evaluation."""
    kind, spec = union(document, ("Allow", "Block"), "DEFAULT_ACTION", "DefaultAction")
    _check_spec(kind, spec, bodies)


def _check_spec(kind: str, spec: Document, bodies: Document) -> None:
    if kind == "Block":
        members(spec, ("CustomResponse",), "RULE_ACTION")
        if spec.get("CustomResponse") is not None:
            _check_response(mapping(spec["CustomResponse"], "CUSTOM_RESPONSE", "CustomResponse"), bodies)
        return
    members(spec, ("CustomRequestHandling",), "RULE_ACTION")
    if spec.get("CustomRequestHandling") is not None:
        handling = mapping(spec["CustomRequestHandling"], "CUSTOM_REQUEST_HANDLING", "CustomRequestHandling")
        members(handling, ("InsertHeaders",), "CUSTOM_REQUEST_HANDLING")
        _headers(handling, "InsertHeaders", "CUSTOM_REQUEST_HANDLING")


def _check_response(spec: Document, bodies: Document) -> None:
    members(spec, ("ResponseCode", "CustomResponseBodyKey", "ResponseHeaders"), "CUSTOM_RESPONSE")
    status = number(spec, "ResponseCode", "CUSTOM_RESPONSE", 200, 599)
    if status not in STATUSES:
        raise InvalidParameter("CUSTOM_RESPONSE", str(status), "The status code is not supported for a custom response.")
    if spec.get("ResponseHeaders") is not None:
        _headers(spec, "ResponseHeaders", "CUSTOM_RESPONSE")
    key = spec.get("CustomResponseBodyKey")
    if key is not None and key not in bodies:
        raise InvalidParameter("CUSTOM_RESPONSE_BODY", str(key)[:64], "The custom response body does not exist.")


def check_bodies(document: Document) -> Document:
    """The ``CustomResponseBodies`` of a web ACL or rule group."""
    field = "CUSTOM_RESPONSE_BODY"
    bodies = mapping(document.get("CustomResponseBodies") or {}, field, "CustomResponseBodies")
    if len(bodies) > BODIES:
        raise InvalidParameter(field, "CustomResponseBodies", f"There can be {BODIES} custom response bodies.")
    total = 0
    for key, value in bodies.items():
        text({"Key": key}, "Key", field, most=128, pattern=_KEY)
        body = mapping(value, field, "CustomResponseBody")
        members(body, ("ContentType", "Content"), field)
        choice(body, "ContentType", "RESPONSE_CONTENT_TYPE", TYPES)
        total += len(text(body, "Content", field, most=BODY))
    if total > ALL_BODIES:
        raise InvalidParameter(field, "CustomResponseBodies", f"All bodies together can have {ALL_BODIES} characters.")
    return bodies


def check_config(document: Document) -> None:
    """``CaptchaConfig`` and ``ChallengeConfig`` of a web ACL or rule."""
    for name, low in IMMUNITY_LOW.items():
        config = document.get(name)
        if config is None:
            continue
        field = "CHALLENGE_CONFIG"
        members(mapping(config, field, name), ("ImmunityTimeProperty",), field)
        if config.get("ImmunityTimeProperty") is not None:
            inner = mapping(config["ImmunityTimeProperty"], field, "ImmunityTimeProperty")
            number(inner, "ImmunityTime", field, low, IMMUNITY_HIGH)
