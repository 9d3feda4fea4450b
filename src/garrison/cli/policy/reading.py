"""YAML read strictly: every value is its text as written, and what nobody knows is an error with its file and line.

A plain ``no`` stays ``no`` and an account's number keeps its leading zero: policies compare text. Aliases work; merge keys and
tags of other programs (``!Sub``) do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LONGEST = 4 * 1024 * 1024
"""Bytes of a file: more is a mistake, or meant to cost time."""
_VALUES = 100_000
"""Values of one file, each alias counted again: aliases of aliases grow without bound."""
_STANDARD = "tag:yaml.org,2002:"


class FileError(ValueError):
    """A file that cannot be taken. The message begins with file and line where there is one."""


def fault(node: yaml.Node, message: str) -> FileError:
    """What is wrong at a place."""
    return FileError(f"{place(node)}: {message}")


def place(node: yaml.Node) -> str:
    """``file:line``."""
    return f"{node.start_mark.name}:{line(node)}"


def line(node: yaml.Node) -> int:
    """The line that a value starts on, from 1."""
    return int(node.start_mark.line) + 1


def read_text(path: Path, shown: str) -> str:
    """A file's text. Raises FileError."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LONGEST + 1)
        if len(raw) > _LONGEST:
            msg = f"{shown}: the file has more than {_LONGEST} bytes"
            raise FileError(msg)
        return raw.decode("utf-8-sig")
    except OSError as error:
        msg = f"{shown}: {error.strerror or error}"
        raise FileError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{shown}: the file is not UTF-8"
        raise FileError(msg) from error


def compose(text: str, shown: str) -> yaml.Node:
    """The one document of a YAML text. Raises FileError."""
    loader = yaml.SafeLoader(text)
    loader.name = shown
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{shown}:{mark.line + 1}" if mark is not None else shown
        msg = f"{where}: {error.problem or error.context or 'this is no YAML'}"
        raise FileError(msg) from error
    except (yaml.YAMLError, RecursionError) as error:
        msg = f"{shown}: this is no YAML: {error}"
        raise FileError(msg) from error
    finally:
        loader.dispose()
    if node is None:
        msg = f"{shown}: the file is empty"
        raise FileError(msg)
    return node


def fields(node: yaml.Node, known: frozenset[str] | None, what: str) -> dict[str, yaml.Node]:
    """A mapping's values by key. Raises FileError on a key that stands twice, or is not ``known`` (None: any is)."""
    if not isinstance(node, yaml.MappingNode):
        raise fault(node, f"{what} must be a mapping")
    found: dict[str, yaml.Node] = {}
    for key_node, value in node.value:
        key = text_of(key_node, f"a key of {what}")
        if known is not None and key not in known:
            raise fault(key_node, f"`{key}` is no key of {what}; must be one of {', '.join(sorted(known))}")
        if key in found:
            raise fault(key_node, f"`{key}` stands twice in {what}")
        found[key] = value
    return found


def text_of(node: yaml.Node, what: str) -> str:
    """A scalar's text."""
    if not isinstance(node, yaml.ScalarNode):
        raise fault(node, f"{what} must be one value")
    _check_tag(node)
    if node.tag == f"{_STANDARD}null":
        raise fault(node, f"{what} has no value")
    return str(node.value)


def texts_of(node: yaml.Node, what: str) -> tuple[str, ...]:
    """A scalar's text, or those of a list that is not empty."""
    if isinstance(node, yaml.SequenceNode):
        if not node.value:
            raise fault(node, f"{what} is empty")
        return tuple(text_of(entry, what) for entry in node.value)
    return (text_of(node, what),)


def entries_of(node: yaml.Node, what: str) -> list[yaml.Node]:
    """The entries of a list; a value that is none stands for a list of it alone."""
    if isinstance(node, yaml.SequenceNode):
        _check_tag(node)
        return list(node.value)
    if isinstance(node, yaml.ScalarNode):
        text_of(node, what)
    return [node]


def plain(node: yaml.Node, what: str) -> Any:  # noqa: ANN401 - any JSON value
    """Mappings, lists and texts. Raises FileError."""
    try:
        return _plain(node, what, [0])
    except RecursionError as error:
        raise fault(node, f"{what} is nested too deeply") from error


def _plain(node: yaml.Node, what: str, count: list[int]) -> Any:  # noqa: ANN401 - any JSON value
    count[0] += 1
    if count[0] > _VALUES:
        raise fault(node, f"{what} has more than {_VALUES} values")
    _check_tag(node)
    if isinstance(node, yaml.MappingNode):
        return {key: _plain(value, what, count) for key, value in fields(node, None, what).items()}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(entry, what, count) for entry in node.value]
    return text_of(node, what)


def _check_tag(node: yaml.Node) -> None:
    if not node.tag.startswith(_STANDARD):
        raise fault(node, f"the tag `{node.tag}` is not known here")
