"""Policies out of files: JSON as AWS takes it, or the same in YAML; AWS's managed ones by ARN.

Each is checked as AWS checks it when it is put, sizes included. Sizes: IAM User Guide, "IAM and AWS STS quotas" (the highest
that a quota can be raised to), Organizations User Guide, "Quotas and service limits", KMS Developer Guide, "Quotas", and the S3
User Guide, "Bucket policies".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from garrison.cli.policy.reading import FileError, compose, fault, fields, line, place, plain, read_text
from garrison.policy import MalformedPolicy, PolicyKind, compile_policy, parse_policy

if TYPE_CHECKING:
    from garrison.policy import Document, Policy

_NO_WHITE_SPACE: dict[str, tuple[int, str]] = {
    "identity": (10_240, "an inline policy of a role"),
    "boundary": (6144, "a managed policy"),
    "trust": (4096, "a role trust policy"),
}
_ALL: dict[str, tuple[int, str]] = {
    "session": (2048, "a session policy"),
    "scp": (5120, "a service control policy"),
    "rcp": (5120, "a resource control policy"),
    "kms": (32_768, "a key policy"),
    "s3": (20_480, "a bucket policy"),
}
_SCP_ALL = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
_RCP_ALL = "arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess"
_EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
EVERYONE = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
_BUILT_IN = {"scp": {_SCP_ALL: _EVERYTHING, "FullAWSAccess": _EVERYTHING}, "rcp": {_RCP_ALL: EVERYONE}}
_MANAGED_KINDS = frozenset({"identity", "boundary", "session"})


@dataclass(frozen=True, slots=True)
class Source:
    """A policy and where it came from."""

    name: str
    """The file as it was named, with its line where the policy stands inside another file; or its ARN."""
    policy: Policy
    file: str = ""
    """The file that ``lines`` count in; empty where it has none, and they count in the policy's own text."""
    lines: tuple[int, ...] = ()
    """The line that each statement starts on."""

    def where(self, index: int) -> str:
        """``file:line`` of a statement; the policy's name and the line in it where it has no file."""
        return f"{self.file}:{self.lines[index]}" if self.file else f"{self.name}, line {self.lines[index]}"


def from_policy(policy: Policy, name: str, file: str = "") -> Source:
    """A compiled policy under the name that people know it by."""
    text = policy.document.text
    starts = [statement.start for statement in policy.document.statements]
    return Source(name, policy, file, tuple(_statement_line(text, start.line, start.column) for start in starts))


def from_file(path: Path, shown: str, kind: PolicyKind, service: str = "") -> Source:
    """A policy of a file: ``.yaml`` and ``.yml`` hold YAML, any other JSON. Raises FileError."""
    text = read_text(path, shown)
    if path.suffix in {".yaml", ".yml"}:
        return _from_node(compose(text, shown), shown, kind, service)
    document = _parsed(text, shown, kind, service)
    return from_policy(compile_policy(document, kind, id=shown, name=shown), shown, shown)


def from_inline(node: yaml.Node, kind: PolicyKind, service: str = "") -> Source:
    """A policy that stands in a file of cases itself. Raises FileError."""
    return _from_node(node, place(node), kind, service)


def named(name: str, kind: PolicyKind) -> Source | None:
    """A policy of AWS's own by its ARN; None where the text is no such ARN. Raises FileError where AWS has none of that name."""
    built_in = _BUILT_IN.get(kind, {}).get(name)
    if built_in is not None:
        return _known(name, built_in, kind)
    if not name.startswith("arn:"):
        return None
    from garrison.identity.iam import managed  # noqa: PLC0415 - `garrison --help` needs no rooms

    text = managed.document(name) if kind in _MANAGED_KINDS else None
    if text is None:
        msg = f"{name}: AWS has no managed policy with this ARN that can be used here"
        raise FileError(msg)
    return _known(name, text, kind)


def _known(name: str, text: str, kind: PolicyKind) -> Source:
    return from_policy(compile_policy(text, kind, id=name, arn=name if name.startswith("arn:") else "", name=name), name)


def _from_node(node: yaml.Node, shown: str, kind: PolicyKind, service: str) -> Source:
    text = json.dumps(plain(node, "a policy"))
    document = _parsed(text, shown, kind, service)
    statements = fields(node, None, "a policy")["Statement"]
    entries = statements.value if isinstance(statements, yaml.SequenceNode) else [statements]
    file = str(node.start_mark.name)
    return Source(shown, compile_policy(document, kind, id=shown, name=shown), file, tuple(line(entry) for entry in entries))


def _parsed(text: str, shown: str, kind: PolicyKind, service: str) -> Document:
    try:
        document = parse_policy(text, kind, service=service)
    except MalformedPolicy as error:
        msg = f"{shown}: AWS refuses this as {_article(kind)}: {error.reason}"
        raise FileError(msg) from error
    _check_size(text, shown, kind, service)
    return document


def _check_size(text: str, shown: str, kind: PolicyKind, service: str) -> None:
    counted = sum(not letter.isspace() for letter in text)
    limit, what = _NO_WHITE_SPACE.get(kind, (0, ""))
    if not limit:
        counted = len(text) if kind == "session" else len(text.encode())
        limit, what = _ALL.get(service if kind == "resource" else kind, (0, ""))
    if limit and counted > limit:
        msg = f"{shown}: AWS refuses this as {what}: {counted} characters; must be <= {limit}"
        raise FileError(msg)


def _article(kind: PolicyKind) -> str:
    names = {"identity": "an identity policy", "scp": "a service control policy", "rcp": "a resource control policy"}
    return names.get(kind, f"a {kind} policy")


def _statement_line(text: str, at_line: int, column: int) -> int:
    """The line of a statement's brace: its position begins behind the bracket or comma before it."""
    lines = text.split("\n")
    rest = "\n".join([lines[at_line - 1][column - 1 :], *lines[at_line:]])
    return at_line + rest[: len(rest) - len(rest.lstrip())].count("\n")


def refused(node: yaml.Node, error: FileError) -> FileError:
    """The same fault, with the place that named the file."""
    return fault(node, str(error))
