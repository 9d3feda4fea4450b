"""A JSON body as keys and values, with their places. As lenient as AWS WAF, bounded, never recursive on input that is deep.

A body that is JSON is read by the standard parser. One that is not is read by a lenient one, which forgives missing commas and
missing or extra colons as AWS WAF does, and stops at what it cannot read; the caller decides what a failure means.
Duplicate keys, truncation and a root that is no object or array are failures, as on AWS; but both values of a duplicate key
are given, for an application may use either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

DEPTH = 512
"""Levels of nesting that are read; what is deeper is a failure. Applications' own parsers refuse such input."""

Path = tuple[str, ...]


class Json(NamedTuple):
    """The keys and scalars of a body, in UTF-8, numbers and literals as written. ``valid`` is False where reading failed."""

    keys: list[bytes]
    values: list[bytes]
    valid: bool


class _Pairs(list[tuple[str, Any]]):
    """An object with its duplicate keys."""


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _refuse(text: str) -> str:
    raise ValueError(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=str, parse_int=str, parse_constant=_refuse, strict=False)
_LITERALS = {True: b"true", False: b"false", None: b"null"}


def _text(body: bytes) -> str:
    """The body's characters; bytes that are not UTF-8 survive. UTF-16 and UTF-32 are read as such, as JSON parsers do."""
    encoding = json.detect_encoding(body)
    if encoding.startswith("utf-8"):
        return body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    return body.decode(encoding, "replace").removeprefix("\ufeff")


class _Place(NamedTuple):
    """Where an element is: inside what is inspected, or so many steps away from it."""

    inside: bool
    ahead: tuple[Path, ...]

    def below(self, name: str) -> _Place:
        """The place of the child of this name or index."""
        if self.inside or not self.ahead:
            return self
        ahead = tuple(path[1:] for path in self.ahead if path[0] == name)
        return _INSIDE if () in ahead else _Place(inside=False, ahead=ahead)


_INSIDE = _Place(inside=True, ahead=())


class _Walk:
    """What was found so far. ``valid`` is False after a failure."""

    __slots__ = ("keys", "valid", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[bytes] = []
        self.valid = True

    def key(self, name: str, inside: _Place) -> None:
        """A key of the object at ``inside``: inspected where the object is."""
        if inside.inside:
            self.keys.append(_encode(name))

    def value(self, scalar: str | bool | None, place: _Place) -> None:  # noqa: FBT001 - a JSON literal
        """A scalar at ``place``."""
        if place.inside:
            self.values.append(_encode(scalar) if isinstance(scalar, str) else _LITERALS[scalar])


def _walk_all(root: Any, walk: _Walk) -> None:  # noqa: ANN401 - any JSON
    """Every key and scalar, in no need of paths: the common case."""
    keys, values = walk.keys, walk.values
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, _Pairs):
            seen = set()
            for name, child in node:
                if name in seen:
                    walk.valid = False
                seen.add(name)
                keys.append(_encode(name))
                stack.append(child)
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, str):
            values.append(_encode(node))
        else:
            values.append(_LITERALS[node])


def _walk_paths(root: Any, start: _Place, walk: _Walk) -> None:  # noqa: ANN401 - any JSON
    stack: list[tuple[Any, _Place]] = [(root, start)]
    while stack:
        node, place = stack.pop()
        if isinstance(node, _Pairs):
            if len({name for name, _ in node}) < len(node):
                walk.valid = False
            for name, child in node:
                walk.key(name, place)
                stack.append((child, place.below(name)))
        elif isinstance(node, list):
            stack.extend((child, place.below(str(index))) for index, child in enumerate(node))
        else:
            walk.value(node, place)


_TOKEN = re.compile(r'[\s,:]*(?:([{}\[\]])|"((?:[^"\\]|\\[\s\S])*+)"|(true|false|null)|(-?[0-9][0-9.eE+-]*))')


def _unquote(raw: str) -> str:
    if "\\" not in raw:
        return raw
    try:
        found: str = _DECODER.decode(f'"{raw}"')
    except (ValueError, RecursionError):
        return raw
    return found


class _Frame:
    """An open object or array of the lenient parser."""

    __slots__ = ("index", "name", "names", "place")

    def __init__(self, place: _Place, *, is_object: bool) -> None:
        self.place = place
        self.names: set[str] | None = set() if is_object else None
        self.name: str | None = None
        self.index = 0

    def step(self) -> _Place:
        """The place of the next element."""
        if self.names is None:
            self.index += 1
            return self.place.below(str(self.index - 1))
        name = self.name or ""
        self.name = None
        return self.place.below(name)


def _lenient(text: str, start: _Place, walk: _Walk) -> None:
    """Reads tokens while they make sense. ``walk.valid`` is False where it stopped early, or met a duplicate key."""
    frames: list[_Frame] = []
    position = 0
    while True:
        found = _TOKEN.match(text, position)
        if found is None or not _take(found, frames, start, walk):
            walk.valid = False
            return
        position = found.end()
        if not frames:
            walk.valid = walk.valid and not text[position:].strip()
            return


def _take(found: re.Match[str], frames: list[_Frame], start: _Place, walk: _Walk) -> bool:
    """One token. False where the document cannot go on with it."""
    sign = found[1]
    if not frames:
        frames.append(_Frame(start, is_object=sign == "{"))
        return sign in {"{", "["}
    top = frames[-1]
    if sign in {"}", "]"}:
        frames.pop()
        return (top.names is not None) == (sign == "}") and top.name is None
    if top.names is not None and top.name is None:
        return _take_key(found[2], top, top.names, walk)
    place = top.step()
    if sign is None:
        walk.value(_unquote(found[2]) if found[2] is not None else found[3] or found[4], place)
        return True
    frames.append(_Frame(place, is_object=sign == "{"))
    return len(frames) <= DEPTH


def _take_key(raw: str | None, top: _Frame, names: set[str], walk: _Walk) -> bool:
    if raw is None:
        return False
    top.name = _unquote(raw)
    walk.valid = walk.valid and top.name not in names
    names.add(top.name)
    walk.key(top.name, top.place)
    return True


def parse(body: bytes, paths: Sequence[Path] | None = None) -> Json:
    """The keys and scalars of ``body``, all of them or those under ``paths``.

    A path's own last key is not inspected, as on AWS: of ``{"a": {"b": {"e": 1}}}`` under ``/a/b`` the key ``e`` and the value.
    """
    walk = _Walk()
    start = _INSIDE if paths is None or () in paths else _Place(inside=False, ahead=tuple(paths))
    text = _text(body)
    try:
        root = _DECODER.decode(text)
    except (ValueError, RecursionError):
        _lenient(text, start, walk)
        return Json(walk.keys, walk.values, walk.valid)
    if not isinstance(root, list):
        return Json([], [], valid=False)
    if start.inside:
        _walk_all(root, walk)
    else:
        _walk_paths(root, start, walk)
    return Json(walk.keys, walk.values, walk.valid)


def pointer(text: str) -> Path:
    """The steps of a JSON Pointer (RFC 6901): ``/a~1b/0`` is ``("a/b", "0")``."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
