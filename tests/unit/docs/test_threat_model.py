"""The threat model keeps its word: each room is there, and every test that it names exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.needs import ROOT

PAGE = (ROOT / "docs" / "explanation" / "threat-model.md").read_text(encoding="utf-8")
ROOMS = ("core", "store", "policy", "audit", "identity", "keys", "wire", "cli")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_says_what_it_trusts_and_what_shows_its_claims(room: str):
    section = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    (text,) = [part for part in section if part.splitlines()[0] == room]
    assert text.split("\n\n")[1].startswith("Trusts ")
    assert "The attacker" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert rows
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize(("path", "name"), NAMED, ids=["::".join(pair) for pair in NAMED])
def test_the_tests_that_it_names_exist(path: str, name: str):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert any(function.startswith("test_") for function in functions)
    assert not name or name in functions
