"""Make ``src/garrison/api`` from botocore's service models.

Two things come out of it: a snapshot of each model without its prose (``api/models/iam.json``), and for the
services that Garrison builds a module of typed requests, answers and errors (``api/iam.py``).
Run ``python tools/generate_api.py`` after raising botocore; ``--check`` fails where the tree is stale.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import botocore
import botocore.loaders

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from garrison.core.constraints import constraints  # noqa: E402 - the path comes first
from garrison.core.model import Member, ServiceModel, Shape, attribute  # noqa: E402 - the path comes first

API = ROOT / "src" / "garrison" / "api"

HOSTED = (
    "accessanalyzer", "artifact", "auditmanager", "cloudtrail", "config", "controlcatalog", "ebs", "ec2", "iam", "kms",
    "organizations", "rds", "s3", "s3control", "securityhub", "shield", "signin", "sts", "wafv2",
)  # fmt: skip
"""Services that Garrison answers for: routed, and answered with a clear error where not yet built."""

TYPED: dict[str, tuple[str, ...]] = {
    "cloudtrail": ("LookupEvents",), "iam": (), "kms": (), "organizations": (), "signin": (), "sts": (), "wafv2": (),
}  # fmt: skip
"""Services with handlers, which get typed modules: of the operations named, or of all. A class costs start-up time."""

PROSE = {
    "documentation", "documentationUrl", "examples", "smokeTests", "smithyTraits", "clientContextParams", "staticContextParams",
    "contextParam", "operationContextParams", "endpointRuleSet", "externalDocumentation",
}  # fmt: skip

SCALARS = {
    "string": "str", "character": "str", "blob": "bytes", "timestamp": "float", "integer": "int", "long": "int", "short": "int",
    "byte": "int", "biginteger": "int", "float": "float", "double": "float", "bigdecimal": "float", "boolean": "bool",
}  # fmt: skip


def without_prose(node: Any) -> Any:  # noqa: ANN401 - JSON
    """The model without what only people read."""
    if isinstance(node, dict):
        return {key: without_prose(value) for key, value in node.items() if key not in PROSE or key == "error"}
    if isinstance(node, list):
        return [without_prose(value) for value in node]
    return node


def snapshot(service: str) -> dict[str, Any]:
    """Metadata, operations and shapes of one service. Members may be called like prose, so shapes keep their names."""
    raw = botocore.loaders.Loader().load_service_model(service, "service-2")
    shapes = {}
    for name, shape in raw["shapes"].items():
        members = shape.get("members")
        bare = without_prose({key: value for key, value in shape.items() if key != "members"})
        if members is not None:
            bare["members"] = {member: without_prose(reference) for member, reference in members.items()}
        shapes[name] = bare
    operations = {name: without_prose(operation) for name, operation in raw["operations"].items()}
    return {"metadata": raw["metadata"], "operations": operations, "shapes": shapes}


def python_name(shape: str) -> str:
    """A class or alias name that is no builtin's and begins with a capital."""
    name = re.sub(r"\W", "_", shape)
    return name[0].upper() + name[1:]


def meta(shape: Shape) -> str:
    """``Meta`` arguments of a shape."""
    return ", ".join(f"{name}={value!r}" for name, value in constraints(shape).items())


class Writer:
    """Writes one typed module."""

    def __init__(self, model: ServiceModel, operations: tuple[str, ...] = ()) -> None:
        """``operations`` narrows the module to what these need; all where there are none."""
        self.model = model
        self.operations = operations or model.operation_names
        self.lines: list[str] = []
        self.done: set[str] = set()
        self.busy: set[str] = set()

    def type_of(self, reference: Member) -> str:
        """The annotation of a reference; structures are classes, constrained scalars and collections are aliases."""
        shape = reference.shape
        if shape.document:
            return "Any"
        if shape.type == "structure":
            return python_name(shape.name)
        if shape.type in {"list", "map"}:
            return self.collection(shape)
        if constraints(shape):
            self.alias(shape, SCALARS[shape.type])
            return python_name(shape.name)
        return SCALARS[shape.type]

    def collection(self, shape: Shape) -> str:
        """The annotation of a list or map."""
        if shape.type == "list":
            inner = f"list[{self.quoted(shape.member)}]"
        else:
            inner = f"dict[{self.quoted(shape.key)}, {self.quoted(shape.value)}]"
        if not constraints(shape):
            return inner
        self.alias(shape, inner)
        return python_name(shape.name)

    def quoted(self, reference: Member) -> str:
        """Aliases are evaluated where they stand, so a class inside one is a forward reference."""
        inner = self.type_of(reference)
        shape = reference.shape
        return f'"{inner}"' if shape.type == "structure" and not shape.document else inner

    def alias(self, shape: Shape, base: str) -> None:
        """Name a constrained type, once."""
        if shape.name in self.done:
            return
        self.done.add(shape.name)
        self.lines.append(f"{python_name(shape.name)} = Annotated[{base}, Meta({meta(shape)})]")

    def structure(self, shape: Shape) -> list[str]:
        """The lines of a request, an answer or a part of one; required members first."""
        out = [f"class {python_name(shape.name)}(Struct, kw_only=True, omit_defaults=True):"]
        members = sorted(shape.members.values(), key=lambda member: not member.required)
        for member in members:
            annotation = self.type_of(member).replace('"', "")
            renamed = f'name="{member.name}"'
            if member.required:
                out.append(f"    {member.attr}: {annotation} = member({renamed})")
            else:
                out.append(f"    {member.attr}: {annotation} | None = member(default=None, {renamed})")
        if not members:
            out.append("    pass")
        return out

    def exception(self, shape: Shape) -> list[str]:
        """The lines of an error."""
        return [
            f"class {python_name(shape.name)}(ModelledError):",
            f'    code = "{shape.error_code}"',
            f'    shape = "{shape.name}"',
            f"    status = {shape.error_status}",
        ]

    def reachable(self) -> list[str]:
        """Structures in the model's order; of two that differ in the case of the first letter, one."""
        needed = self.needed()
        names = [name for name in self.model.shape_names if name in needed and self.model.shape(name).type == "structure"]
        return list({python_name(name): name for name in names}.values())

    def needed(self) -> set[str]:
        """Every shape that the module's operations reach, errors included."""
        if self.operations == self.model.operation_names:
            return set(self.model.shape_names)
        found: set[str] = set()
        waiting: list[str] = []
        for name in self.operations:
            operation = self.model.operation(name)
            assert operation is not None  # noqa: S101 - a name in TYPED that the model lacks
            waiting += [member.shape_name for member in (operation.input, operation.output) if member is not None]
            waiting += operation.errors
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                shape = self.model.shape(name)
                waiting += [member.shape_name for member in shape.members.values()]
                waiting += [shape.member.shape_name] if shape.type == "list" else []
                waiting += [shape.key.shape_name, shape.value.shape_name] if shape.type == "map" else []
        return found

    def module(self) -> str:
        """The text of the module."""
        classes: list[str] = []
        for name in self.reachable():
            shape = self.model.shape(name)
            if shape.document:
                continue
            body = self.exception(shape) if shape.is_exception else self.structure(shape)
            classes += ["", "", *body]
        operations = ["", "", "OPERATIONS: dict[str, tuple[type[Struct] | None, type[Struct] | None]] = {"]
        for name in self.operations:
            operation = self.model.operation(name)
            assert operation is not None  # noqa: S101 - it came from the same list
            given = python_name(operation.input.shape_name) if operation.input else "None"
            taken = python_name(operation.output.shape_name) if operation.output else "None"
            operations.append(f'    "{name}": ({given}, {taken}),')
        operations.append("}")
        operations.append('"""Request and answer type of each operation."""')
        head = [
            f'"""Requests, answers and errors of {self.model.service}. Generated by tools/generate_api.py; do not edit."""',
            "",
            "# ruff: noqa",
            "from __future__ import annotations",
            "",
            "from typing import Annotated, Any",
            "",
            "from msgspec import Meta, Struct",
            "from msgspec import field as member",
            "",
            "from garrison.core.errors import ModelledError",
            "",
        ]
        return "\n".join([*head, *self.lines, *classes, *operations, ""])


def outputs() -> dict[Path, str]:
    """Every generated file and its text."""
    files: dict[Path, str] = {API / "__init__.py": '"""Types of the AWS APIs, generated from botocore\'s models."""\n'}
    for service in HOSTED:
        raw = snapshot(service)
        files[API / "models" / f"{service}.json"] = json.dumps(raw, separators=(",", ":"), ensure_ascii=True) + "\n"
        if service in TYPED:
            files[API / f"{service}.py"] = Writer(ServiceModel(service, raw), TYPED[service]).module()
    files[API / "models" / "VERSION"] = f"botocore {botocore.__version__}\n"
    return files


def main() -> int:
    """Write the tree, or say what of it is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    arguments = parser.parse_args()
    stale = [path for path, text in outputs().items() if not path.exists() or path.read_text() != text]
    if arguments.check:
        for path in stale:
            sys.stderr.write(f"stale: {path.relative_to(ROOT)}\n")
        return 1 if stale else 0
    for path, text in outputs().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    assert attribute("UserName") == "user_name"  # noqa: S101 - a check of the tree that it runs in
    sys.exit(main())
