"""Rule files of a test, in SecRule's language; and requests against them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from garrison.edge.crs.evaluate import CoreRules, Match
from garrison.edge.crs.reading import read_rules
from garrison.edge.crs.rules import Bundle
from tests.support.waf import request

TAIL = "severity:'CRITICAL',tag:'paranoia-level/1'"


def folder(path: Path, text: str, **files: str) -> Path:
    """A directory with one rule file, and files beside it by name (``_`` is a dot)."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "REQUEST-942-TEST.conf").write_text(text)
    for name, content in files.items():
        (path / name.replace("_", ".")).write_text(content)
    return path


def rule(variables: str, operator: str, more: str = "t:none", number: int = 942100, tail: str = TAIL) -> str:
    """A rule that blocks."""
    return f'SecRule {variables} "{operator}" "id:{number},phase:2,block,{more},msg:\'m\',{tail}"\n'


def bundle(path: Path, text: str, level: int = 1, **files: str) -> Bundle:
    return read_rules(folder(path, text, **files), level=level)


def matches(path: Path, text: str, target: str | bytes = "/", sent: Any = (), **more: Any) -> list[Match]:
    """What of the rules matches a request."""
    files = more.pop("files", {})
    return CoreRules(bundle(path, text, **files)).matches(request(target, sent, **more), 8192)


def numbers(*given: Any, **more: Any) -> list[int]:
    return [each.rule.id for each in matches(*given, **more)]
