"""The documentation keeps its word: what it names exists, and what exists is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from garrison.config import CONFIG_VARIABLE, Settings
from garrison.policy import parse_policy
from tests.support.needs import ROOT
from tools import reference_pages

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)[^)]*\)")
TEST_VARIABLES = {"GARRISON_KILL_ROUNDS", "GARRISON_KILL_SEED", "GARRISON_FORGERIES"}


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Every ``garrison ...`` that a page tells the reader to type."""
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.replace("\\\n", " ").splitlines():
                typed = line.removeprefix("$ ").split("#", 1)[0].split("&", 1)[0]
                if line.startswith("$ ") and typed.split()[:1] == ["garrison"]:
                    yield page_name(page), typed.split()[1:]


@pytest.mark.parametrize("setting", list(reference_pages.settings()), ids=lambda one: one.name)
def test_every_setting_is_documented(setting: reference_pages.Setting):
    assert setting.description.endswith("."), f"`{setting.name}` has no description in config.Settings"
    row = f"| `{setting.name}` | `{setting.option}` | `{setting.variable}` |"
    assert row in reference_pages.configuration_page()


def test_the_page_has_every_setting():
    assert [one.name for one in reference_pages.settings()] == [field.name for field in fields(Settings)]


@pytest.mark.parametrize(("path", "command"), list(reference_pages.commands(reference_pages.root_command())), ids=str)
def test_every_command_and_option_is_documented(path: tuple[str, ...], command: click.Command):
    assert (command.help or "").strip(), f"`{' '.join(path)}` has no help"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"`{' '.join(path)} {parameter.opts[0]}` has no help"
    assert f"## {' '.join(path)}\n" in reference_pages.cli_page()


def test_every_command_that_a_page_types_exists():
    typed = list(command_lines())
    assert len(typed) > 10, "the pages show too few commands to prove anything"
    for page, arguments in typed:
        group: click.Command = reference_pages.root_command()
        words = list(arguments)
        while isinstance(group, click.Group) and words and not words[0].startswith("-"):
            assert words[0] in group.commands, f"{page}: no command `garrison {' '.join(arguments)}`"
            group = group.commands[words.pop(0)]
        options = {opt for parameter in group.params for opt in parameter.opts} | {"--help", "--version"}
        for word in words:
            assert not word.startswith("-") or word.split("=")[0] in options, (
                f"{page}: no option `{word}` of `garrison {' '.join(arguments)}`"
            )


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_variable_that_a_page_names_exists(page: Path):
    known = {one.variable for one in reference_pages.settings()} | TEST_VARIABLES | {CONFIG_VARIABLE}
    named = set(re.findall(r"\bGARRISON_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page: Path):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        generated = {(ROOT / "docs" / name).resolve() for name in reference_pages.PAGES}
        where = (page.parent / target).resolve()
        assert where.exists() or where in generated, f"{page_name(page)}: `{target}` leads nowhere"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_test_that_a_page_names_exists(page: Path):
    for named in re.findall(r"\btests/[\w/.]*\w", page.read_text(encoding="utf-8")):
        assert (ROOT / named).exists(), f"{page_name(page)} names `{named}`"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_policy_that_a_page_shows_is_one(page: Path):
    for block in blocks(page, "json"):
        document = json.loads(block)
        if "Statement" in document:
            parse_policy(block, "trust" if "Principal" in document["Statement"][0] else "identity")


def test_every_target_that_the_pages_make_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"`(?:\w+=\w+ )?make ([a-z]+)", page.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page_name(page)}: no `make {target}`"


def test_every_fragment_of_the_changelog_has_a_known_kind():
    for fragment in (ROOT / "changelog.d").iterdir():
        if fragment.name != "README.md":
            kinds = {"security", "added", "changed", "fixed", "removed"}
            assert fragment.name.split(".")[1] in kinds, fragment.name
            assert fragment.suffix == ".md"
