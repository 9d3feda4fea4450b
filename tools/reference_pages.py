"""Reference pages made from the code: settings, commands and coverage. The documentation build calls them.

``python tools/reference_pages.py configuration`` (or ``cli``, ``coverage``) prints one.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import click

from garrison import config
from garrison.core.operation import REGISTRY

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "src" / "garrison" / "api" / "models"
NOT_BUILT = ROOT / "src" / "garrison" / "api" / "not_built.json"
LIMITED = NOT_BUILT.with_name("limited.json")
"""Operations that are built and have no meaning, or only a part of it, outside AWS: what they answer, and why."""
FIRST_PARTS = ("iam", "sts", "kms", "cloudtrail")
"""Services with handlers come first; the others are routed and answer that they are not built."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the page shows it."""

    name: str
    option: str
    variable: str
    default: str
    description: str


def settings() -> Iterator[Setting]:
    """Every field of ``config.Settings`` with the text under it."""
    described = field_texts(Path(config.__file__).read_text(encoding="utf-8"), "Settings")
    for field in fields(config.Settings):
        yield Setting(
            name=field.name,
            option="--" + field.name.replace("_", "-"),
            variable=config.PREFIX + field.name.upper(),
            default="" if field.default is MISSING or field.default is None else json.dumps(field.default),
            description=described.get(field.name, ""),
        )


def field_texts(source: str, class_name: str) -> dict[str, str]:
    """The string under each annotated field of a class."""
    tree = ast.parse(source)
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name)
    found: dict[str, str] = {}
    for before, after in itertools.pairwise(body):
        if not (isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[before.target.id] = " ".join(str(after.value.value).split())
    return found


def configuration_page() -> str:
    """Every setting: its option, its variable, its key in the file, its default."""
    lines = [
        "# Configuration",
        "",
        "Each setting can be given on the command line, as an environment variable or in a TOML file; the first of these that",
        f"names it wins. The file is `config.toml` in the user's configuration folder, or what `{config.CONFIG_VARIABLE}` names.",
        "An unknown variable that starts with `GARRISON_`, or an unknown key in the file, stops the start: a misspelt setting",
        "never leaves a protection off in silence. There is no setting that turns enforcement off.",
        "",
        "| Setting | Option | Variable | Default | Meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in settings():
        default = f"`{one.default}`" if one.default not in {"", '""'} else "none"
        lines.append(f"| `{one.name}` | `{one.option}` | `{one.variable}` | {default} | {one.description} |")
    return "\n".join([*lines, ""])


def root_command() -> click.Group:
    """The ``garrison`` command."""
    found = importlib.import_module("garrison.cli").cli
    if not isinstance(found, click.Group):
        msg = "garrison.cli.cli is not a click group"
        raise TypeError(msg)
    return found


def commands(group: click.Group, path: tuple[str, ...] = ("garrison",)) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command under a group, in order, as ``(path, command)``."""
    for name in sorted(group.commands):
        command = group.commands[name]
        if command.hidden:
            continue
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def command_section(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    """Heading, help, usage and options of one command."""
    context = click.Context(command, info_name=" ".join(path))
    yield f"## {' '.join(path)}"
    yield ""
    yield " ".join((command.help or "").split("\f")[0].split())
    yield ""
    yield f"```\n{' '.join([*path, *command.collect_usage_pieces(context)])}\n```"
    yield ""
    options = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    records = [record for option in options if option.opts[-1] != "--help" and (record := option.get_help_record(context))]
    if records:
        yield from ("| Option | Meaning |", "| --- | --- |")
        yield from (f"| `{name.replace('|', chr(92) + '|')}` | {text.replace('|', chr(92) + '|')} |" for name, text in records)
        yield ""


def cli_page() -> str:
    """Every command, its usage and its options."""
    lines = ["# Commands", "", "What `garrison` can do. `garrison COMMAND --help` says the same in the terminal.", ""]
    for path, command in commands(root_command()):
        lines.extend(command_section(path, command))
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of one service is built."""

    service: str
    modelled: tuple[str, ...]
    built: tuple[str, ...]
    reasons: dict[str, str]
    """Why the others are not, where that is written down."""
    limits: dict[str, dict[str, str]]
    """Of those built, which have little meaning outside AWS: ``reason``, and the code that they always answer."""


def coverage() -> list[Coverage]:
    """The registry against the models of every hosted service."""
    importlib.import_module("garrison.app")  # registers every operation
    reasons: dict[str, dict[str, str]] = json.loads(NOT_BUILT.read_text(encoding="utf-8")) if NOT_BUILT.exists() else {}
    limits: dict[str, dict[str, dict[str, str]]] = json.loads(LIMITED.read_text(encoding="utf-8"))
    found = []
    for path in sorted(MODELS.glob("*.json")):
        names = tuple(sorted(json.loads(path.read_text(encoding="utf-8"))["operations"]))
        built = tuple(name for name in names if (path.stem, name.lower()) in REGISTRY)
        found.append(Coverage(path.stem, names, built, reasons.get(path.stem, {}), limits.get(path.stem, {})))
    return sorted(found, key=lambda one: (FIRST_PARTS.index(one.service) if one.service in FIRST_PARTS else 99, one.service))


def coverage_page() -> str:
    """Every modelled operation of every hosted service: built, or not with the reason."""
    services = coverage()
    lines = [
        "# Coverage",
        "",
        "Made from the operations that the server registers, against the service models of botocore. An operation that is not",
        "built answers an error that says so, in the protocol of its service, after the caller was authenticated. One that is",
        "limited is built too: signed, authorized, audited and answered as modelled; but all or part of what it is about is at",
        "AWS alone, and the last column says what.",
        "",
        "| Service | Operations | Built | Of these limited |",
        "| --- | ---: | ---: | ---: |",
        *(f"| `{one.service}` | {len(one.modelled)} | {len(one.built)} | {len(one.limits)} |" for one in services),
        "",
    ]
    for one in services:
        if one.built:
            lines.extend(service_section(one))
    return "\n".join(lines)


def service_section(one: Coverage) -> Iterator[str]:
    """The operations of a service that has handlers."""
    yield f"## {one.service}"
    yield ""
    yield "| Operation | Built | Why not, or not whole |"
    yield "| --- | --- | --- |"
    yield from (f"| {name} | {' | '.join(_built(one, name))} |" for name in one.modelled)
    yield ""


def _built(one: Coverage, name: str) -> tuple[str, str]:
    """Whether an operation is built, and what there is to say of it."""
    if name not in one.built:
        return "no", one.reasons.get(name, one.reasons.get("*", "not yet built"))
    limit = one.limits.get(name)
    if limit is None:
        return "yes", ""
    always = f"; it answers `{limit['answers']}`" if limit["answers"] else ""
    return "limited", f"{limit['reason']}{always}"


PAGES: dict[str, Callable[[], str]] = {
    "reference/configuration.md": configuration_page,
    "reference/cli.md": cli_page,
    "reference/coverage.md": coverage_page,
}
"""Path below ``docs/`` of each generated page, and who makes it."""


def main(arguments: list[str]) -> int:
    """Print the named pages."""
    for name in arguments:
        print(PAGES[f"reference/{name}.md"]())
    return 0


def on_config(config: Any) -> Any:  # noqa: ANN401 - mkdocs' own types, which the build alone has
    """Hook of mkdocs: every decision record joins the navigation, in order."""
    records = sorted(path.name for path in (ROOT / "docs" / "adr").glob("*.md"))
    if records:
        config.nav.append({"Decisions": [f"adr/{name}" for name in records]})
    return config


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - mkdocs' own types, which the build alone has
    """Hook of mkdocs: the generated pages join the written ones."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - only the build of the documentation has mkdocs

    for path, make in PAGES.items():
        files.append(File.generated(config, path, content=make()))
    return files


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
