"""What rest-json and rest-xml share: members in the path, the query string, headers, the status and the payload.

https://smithy.io/2.0/spec/http-bindings.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from garrison.core.http import Request
from garrison.core.model import Member, Shape
from garrison.wire.protocols.base import MAX_PARAMETERS, refuse, value_of
from garrison.wire.protocols.json import decode_json
from garrison.wire.protocols.scalars import format_number, format_timestamp, parse_blob, parse_timestamp
from garrison.wire.protocols.xml import scalar_reader

Convert = Callable[[str], Any]

BODILESS = frozenset({204, 304})
"""Statuses whose answers have no body (RFC 9110, section 6.4.1)."""

HEADER_TIME = "rfc822"
QUERY_TIME = "iso8601"

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPACE = " \t"
_FORBIDDEN_IN_HEADERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Bindings:
    """A structure's members by where they travel."""

    labels: tuple[tuple[str, str, Convert], ...]
    """Model name, wire name, reader."""
    query: tuple[tuple[str, str, Callable[[list[str]], Any]], ...]
    query_map: tuple[str, Callable[[dict[str, list[str]]], Any]] | None
    headers: tuple[tuple[str, str, Callable[[str], Any]], ...]
    prefixes: tuple[tuple[str, str], ...]
    """Maps of headers: model name and prefix in lower case."""
    body: Mapping[str, Member]
    payload: Member | None


def bindings(shape: Shape) -> Bindings:
    """How the members of an input are bound."""
    at: dict[str, list[Member]] = {"uri": [], "querystring": [], "header": [], "headers": []}
    body: dict[str, Member] = {}
    payload_name = shape.traits.get("payload")
    for name, member in shape.members.items():
        location = member.trait("location")
        if location in at:
            at[location].append(member)
        elif location is None and name != payload_name:
            body[name] = member
    maps = [member for member in at["querystring"] if member.shape.type == "map"]
    return Bindings(
        labels=tuple((m.name, _wire(m), _text_reader(m, QUERY_TIME)) for m in at["uri"]),
        query=tuple((m.name, _wire(m), _query_reader(m)) for m in at["querystring"] if m.shape.type != "map"),
        query_map=(maps[0].name, _query_map_reader(maps[0])) if maps else None,
        headers=tuple((m.name, _wire(m).lower(), header_reader(m)) for m in at["header"]),
        prefixes=tuple((m.name, _wire(m).lower()) for m in at["headers"]),
        body=body,
        payload=shape.members[payload_name] if payload_name else None,
    )


def _wire(member: Member) -> str:
    return str(member.traits.get("locationName", member.name if member.trait("location") != "headers" else ""))


def read_bound(bound: Bindings, request: Request, path_parameters: Mapping[str, str]) -> dict[str, Any]:
    """The members that travel outside the body. Raises CommonError("malformed") where one is of the wrong type."""
    found: dict[str, Any] = {}
    for name, wire, convert in bound.labels:
        if wire in path_parameters:
            found[name] = convert(path_parameters[wire])
    if bound.query or bound.query_map:
        _read_query(bound, request.query, found)
    if bound.headers or bound.prefixes:
        _read_headers(bound, request.headers, found)
    return found


def _read_query(bound: Bindings, query: str, found: dict[str, Any]) -> None:
    parameters = query_values(query)
    for name, wire, convert in bound.query:
        values = parameters.get(wire)
        if values is not None:
            found[name] = convert(values)
    if bound.query_map is not None and parameters:
        name, convert_map = bound.query_map
        found[name] = convert_map(parameters)


def _read_headers(bound: Bindings, headers: list[tuple[str, str]], found: dict[str, Any]) -> None:
    values: dict[str, str] = {}
    for key, raw in headers:
        value = raw if raw.isascii() else _as_utf8(raw)
        values[key] = f"{values[key]},{value}" if key in values else value
    for name, wire, convert in bound.headers:
        text = values.get(wire)
        if text is not None:
            found[name] = convert(text)
    for name, prefix in bound.prefixes:
        matched = {key[len(prefix) :]: value for key, value in values.items() if key.startswith(prefix)}
        if matched:
            found[name] = matched


def _as_utf8(value: str) -> str:
    """A header's bytes as UTF-8 where they are that, as clients send what is beyond ASCII; else as they came."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def query_values(query: str) -> dict[str, list[str]]:
    """Every value of each query parameter, decoded. Raises CommonError("malformed")."""
    parts = query.split("&", MAX_PARAMETERS)
    if len(parts) > MAX_PARAMETERS:
        refuse(f"The request has more than {MAX_PARAMETERS} parameters")
    found: dict[str, list[str]] = {}
    for part in parts:
        if part:
            name, _, value = part.partition("=")
            found.setdefault(_unquote(name), []).append(_unquote(value))
    return found


def _unquote(text: str) -> str:
    if "%" not in text and "+" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode()
    except UnicodeError:
        refuse("A query parameter is not valid UTF-8")


def _text_reader(member: Member, time: str) -> Convert:
    shape = member.shape
    return scalar_reader(shape.type, str(member.trait("timestampFormat", time)))


def _query_reader(member: Member) -> Callable[[list[str]], Any]:
    shape = member.shape
    if shape.type == "list":
        inner = _text_reader(shape.member, QUERY_TIME)
        return lambda values: [inner(value) for value in values]
    convert = _text_reader(member, QUERY_TIME)
    return lambda values: convert(values[0])


def _query_map_reader(member: Member) -> Callable[[dict[str, list[str]]], Any]:
    """A map of all query parameters, whether they are bound elsewhere or not."""
    if member.shape.value.shape.type == "list":
        return dict
    return lambda values: {name: given[0] for name, given in values.items()}


def header_reader(member: Member) -> Callable[[str], Any]:
    """From a header's value to the member's."""
    shape = member.shape
    if member.trait("jsonvalue"):
        return lambda text: decode_json(parse_blob(text))
    if shape.type == "list":
        inner = _text_reader(shape.member, HEADER_TIME)
        if shape.member.shape.type == "timestamp":
            form = str(shape.member.trait("timestampFormat", HEADER_TIME))
            return lambda text: [parse_timestamp(part, form) for part in _split_times(text, form)]
        return lambda text: [inner(part) for part in split_list(text)]
    if shape.type == "string":
        return _media_reader(member)
    return _text_reader(member, HEADER_TIME)


def _media_reader(member: Member) -> Callable[[str], Any]:
    return (lambda text: parse_blob(text).decode("utf-8", "replace")) if member.trait("mediaType") else str


def _split_times(text: str, form: str) -> list[str]:
    """HTTP dates hold a comma of their own."""
    parts = [part.strip() for part in text.split(",")]
    if form != HEADER_TIME:
        return parts
    return [", ".join(parts[index : index + 2]) for index in range(0, len(parts), 2)]


def split_list(text: str) -> list[str]:
    """The values of a header list; a value with a comma or a quote in it stands in quotes (RFC 9110, section 5.6.4).

    Raises CommonError("malformed") where a quote does not end.
    """
    if '"' not in text:
        return [part.strip(_SPACE) for part in text.split(",")] if text else []
    found: list[str] = []
    position = 0
    while position < len(text):
        if text[position] in _SPACE:
            position += 1
            continue
        stop, value = _quoted_value(text, position) if text[position] == '"' else _bare_value(text, position)
        found.append(value)
        position = stop + 1
    return found


def _bare_value(text: str, start: int) -> tuple[int, str]:
    stop = text.find(",", start)
    stop = len(text) if stop < 0 else stop
    return stop, text[start:stop].rstrip(_SPACE)


def _quoted_value(text: str, start: int) -> tuple[int, str]:
    match = _QUOTED.match(text, start)
    if match is None:
        refuse("A header list has an unbalanced quote")
    stop = match.end()
    while stop < len(text) and text[stop] in _SPACE:
        stop += 1
    if stop < len(text) and text[stop] != ",":
        refuse("A header list has text after a quoted value")
    return stop, _ESCAPED.sub(r"\1", match[1])


@dataclass(frozen=True, slots=True)
class OutputBindings:
    """An answer's (or an error's) members by where they travel."""

    headers: tuple[tuple[Member, str, Callable[[Any], str | None]], ...]
    prefixes: tuple[tuple[Member, str], ...]
    status: Member | None
    body: Mapping[str, Member]
    payload: Member | None


def output_bindings(shape: Shape) -> OutputBindings:
    """How the members of an answer are bound."""
    headers: list[tuple[Member, str, Callable[[Any], str | None]]] = []
    prefixes: list[tuple[Member, str]] = []
    body: dict[str, Member] = {}
    status: Member | None = None
    payload_name = shape.traits.get("payload")
    for name, member in shape.members.items():
        match member.trait("location"):
            case "header":
                headers.append((member, _wire(member), header_writer(member)))
            case "headers":
                prefixes.append((member, _wire(member)))
            case "statusCode":
                status = member
            case None | "uri" | "querystring" if name != payload_name:
                body[name] = member
            case _:
                pass
    payload = shape.members[payload_name] if payload_name else None
    return OutputBindings(tuple(headers), tuple(prefixes), status, body, payload)


def write_bound(bound: OutputBindings, result: Any, default_status: int) -> tuple[int, list[tuple[str, str]]]:  # noqa: ANN401 - struct or dict
    """Status and headers of an answer."""
    headers: list[tuple[str, str]] = []
    for member, wire, convert in bound.headers:
        value = value_of(member, result)
        text = None if value is None else convert(value)
        if text is not None:
            headers.append((wire, clean_header(text)))
    for member, prefix in bound.prefixes:
        for key, value in (value_of(member, result) or {}).items():
            headers.append((prefix + clean_header(key), clean_header(value)))
    status = value_of(bound.status, result) if bound.status is not None else None
    return default_status if status is None else int(status), headers


def clean_header(text: str) -> str:
    """A value that cannot end its header: control characters become spaces. Characters beyond Latin-1 travel as UTF-8 bytes."""
    safe = _FORBIDDEN_IN_HEADERS.sub(" ", text)
    return safe if safe.isascii() else safe.encode("utf-8", "replace").decode("latin-1")


def header_writer(member: Member) -> Callable[[Any], str | None]:
    """From the member's value to a header's; None where the header is left out (an empty list)."""
    shape = member.shape
    if member.trait("jsonvalue"):
        return lambda value: b64encode(msgspec.json.encode(value)).decode()
    if shape.type == "list":
        inner = _header_text(shape.member)
        quote = shape.member.shape.type == "string"
        return lambda values: (
            ", ".join(_quoted(inner(v)) if quote else inner(v) for v in values if v is not None) if values else None
        )
    return _header_text(member)


def _quoted(text: str) -> str:
    if '"' in text or "," in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


def _header_text(member: Member) -> Callable[[Any], str]:
    match member.shape.type:
        case "string" | "character":
            return (lambda value: b64encode(value.encode()).decode()) if member.trait("mediaType") else str
        case "boolean":
            return lambda value: "true" if value else "false"
        case "blob":
            return lambda value: b64encode(value).decode()
        case "timestamp":
            form = str(member.trait("timestampFormat", HEADER_TIME))
            return lambda value: format_timestamp(value, form)
        case _:
            return format_number


def read_scalar_payload(member: Member, body: bytes) -> Any:  # noqa: ANN401 - str or bytes
    """A payload that is a blob or a string. Raises CommonError("malformed") for a string that is not UTF-8."""
    if member.shape.type == "blob":
        return body
    try:
        return body.decode()
    except UnicodeDecodeError:
        refuse("The request body is not valid UTF-8")
