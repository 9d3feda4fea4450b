"""Web ACLs and what they refer to, from files: as the AWS CLI prints them, or as it takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from garrison.cli.waf.jsonlines import FileError, read_json, read_text
from garrison.edge.inspect import InvalidParameter, references

Document = dict[str, Any]
_VISIBLE: Final[Document] = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "group"}
WRAPPED: Final = ("WebACL", "RuleGroup", "IPSet", "RegexPatternSet")


@dataclass(slots=True)
class Files:
    """IP sets, regex pattern sets and rule groups, by ARN."""

    ip_sets: dict[str, list[str]] = field(default_factory=dict)
    regex_sets: dict[str, list[str]] = field(default_factory=dict)
    rule_groups: dict[str, Document] = field(default_factory=dict)

    def folder(self, path: Path) -> None:
        """Take every JSON file of a folder that is one of these. Raises FileError."""
        files = sorted(path.rglob("*.json"))
        if not files:
            raise FileError(f"{path}: there is no JSON file in it")
        for file in files:
            kind, document = unwrapped(read_json(file), file)
            if kind != "WebACL":
                self._take(kind, document, str(document.get("ARN") or ""), file)

    def named(self, kind: str, given: str) -> None:
        """Take ``ARN=FILE``; a file of an IP set may also have an address a line. Raises FileError."""
        arn, mark, name = given.partition("=")
        if not mark or not arn.startswith("arn:"):
            raise FileError(f"`{given}` must be ARN=FILE")
        path = Path(name)
        text = read_text(path)
        if text.lstrip()[:1] not in {"{", "["}:
            lines = [line for each in text.splitlines() if (line := each.partition("#")[0].strip())]
            self._take(kind, {"Lines": lines}, arn, path)
            return
        document = read_json(path)
        inner = unwrapped(document, path, kind)[1] if isinstance(document, dict) else {"Lines": document}
        self._take(kind, inner, arn, path)

    def _take(self, kind: str, document: Document, arn: str, path: Path) -> None:
        if not arn:
            raise FileError(f"{path}: the document has no `ARN`: name the file by an option with its ARN")
        if kind == "IPSet":
            self.ip_sets[arn] = _texts(document.get("Lines", document.get("Addresses")), path, "Addresses")
        elif kind == "RegexPatternSet":
            listed = document.get("Lines", document.get("RegularExpressionList"))
            plain = [each.get("RegexString") if isinstance(each, dict) else each for each in listed or ()]
            self.regex_sets[arn] = _texts(plain, path, "RegularExpressionList")
        elif "Rules" in document:
            self.rule_groups[arn] = {"Capacity": 0, **document, "ARN": arn}
        else:
            raise FileError(f"{path}: the rule group has no `Rules`")


def _texts(listed: Any, path: Path, member: str) -> list[str]:  # noqa: ANN401 - any JSON
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise FileError(f"{path}: `{member}` must be a list of texts")
    return listed


def unwrapped(document: Any, path: Path, expected: str = "") -> tuple[str, Document]:  # noqa: ANN401 - any JSON
    """The kind of a document, and the document without what the CLI prints around it. Raises FileError."""
    if not isinstance(document, dict):
        raise FileError(f"{path}: the file must have one JSON object")
    for kind in WRAPPED:
        if isinstance(document.get(kind), dict):
            return kind, document[kind]
    kind = expected or _kind(document)
    if not kind:
        raise FileError(f"{path}: this is no web ACL, rule group, IP set or regex pattern set")
    return kind, document


def _kind(document: Document) -> str:
    if "DefaultAction" in document:
        return "WebACL"
    if "Addresses" in document:
        return "IPSet"
    if "RegularExpressionList" in document:
        return "RegexPatternSet"
    return "RuleGroup" if "Rules" in document else ""


def read_acl(path: Path, *, raw: bool) -> Document:
    """A web ACL; a rule group becomes one that runs nothing else. ``raw``: search strings are text and not base64.

    Raises FileError.
    """
    kind, document = unwrapped(read_json(path), path)
    if kind == "RuleGroup":
        document = {**document, "DefaultAction": {"Allow": {}}, "VisibilityConfig": document.get("VisibilityConfig") or _VISIBLE}
    elif kind != "WebACL":
        raise FileError(f"{path}: this is no web ACL, and no rule group")
    found = {"Name": path.stem, **document}
    return _with_bytes(found) if raw else found


def _with_bytes(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The document with its search strings as bytes."""
    if isinstance(value, dict):
        return {
            name: inner.encode() if name == "SearchString" and isinstance(inner, str) else _with_bytes(inner)
            for name, inner in value.items()
        }
    return [_with_bytes(each) for each in value] if isinstance(value, list) else value


def with_raw(files: Files) -> None:
    """Take the search strings of rule groups as text."""
    files.rule_groups = {arn: _with_bytes(group) for arn, group in files.rule_groups.items()}


def check_references(document: Document, files: Files, path: Path) -> None:
    """Raises FileError naming what the web ACL refers to and no file has."""
    try:
        wanted = references(document.get("Rules") or [])
        wanted += [arn for name in wanted if name in files.rule_groups for arn in references(files.rule_groups[name]["Rules"])]
    except (KeyError, AttributeError, TypeError):
        return  # the engine says what is wrong with the document
    known = {*files.ip_sets, *files.regex_sets, *files.rule_groups}
    missing = [arn for arn in wanted if arn not in known]
    if missing:
        options = {"ipset": "--ip-set", "regexpatternset": "--regex-set", "rulegroup": "--rule-group"}
        lines = [f"  {options.get(_resource(arn), '--resources')} {arn}=FILE" for arn in missing]
        raise FileError("\n".join([f"{path}: the web ACL refers to what no file has:", *lines]))


def _resource(arn: str) -> str:
    return [*arn.split(":", 5)[-1].split("/"), "", ""][1]


def statements(rules: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every statement of rules, with its kind."""
    stack = [each.get("Statement") for each in rules]
    while stack:
        found = stack.pop()
        for kind, spec in (found or {}).items():
            if isinstance(spec, dict):
                yield kind, spec
                stack += [*(spec.get("Statements") or ()), spec.get("Statement"), spec.get("ScopeDownStatement")]


def refused(path: Path, error: InvalidParameter) -> FileError:
    """What AWS WAF would say of the document."""
    return FileError(f"{path}: AWS WAF would refuse it: {error}")
