"""Web ACLs, requests and resources for tests of the firewall's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from garrison.edge.inspect import (
    CompiledAcl,
    Finding,
    Location,
    ManagedGroup,
    RateTable,
    State,
    Token,
    Verdict,
    WebRequest,
    compile_acl,
)

Document = dict[str, Any]
ACCOUNT = "111122223333"
ARN = f"arn:aws:wafv2:us-east-1:{ACCOUNT}:regional"
BLOCK: Document = {"Block": {}}
COUNT: Document = {"Count": {}}
ALLOW: Document = {"Allow": {}}


@dataclass
class Things:
    """Resources of a test."""

    ip_sets: dict[str, list[str]] = field(default_factory=dict)
    regex_sets: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, Document] = field(default_factory=dict)
    managed: dict[tuple[str, str], ManagedGroup] = field(default_factory=dict)
    places: dict[str, Location] = field(default_factory=dict)

    def ip_set(self, arn: str) -> list[str]:
        return self.ip_sets[arn]

    def regex_set(self, arn: str) -> list[str]:
        return self.regex_sets[arn]

    def rule_group(self, arn: str) -> Document:
        return self.groups[arn]

    def managed_group(self, vendor: str, name: str, version: str | None) -> ManagedGroup:
        group = self.managed[vendor, name]
        if version is not None and version != group.version:
            raise KeyError(version)
        return group

    def locate(self, ip: str) -> Location:
        return self.places.get(ip, Location())


class WordDetectors:
    """Detectors that know one attack each, so that a test sees where they are asked."""

    def sqli(self, value: bytes, level: str) -> Finding | None:
        if b"or 1=1" in value or (level == "HIGH" and b"union" in value):
            return Finding((b"or", b"1=1"))
        return None

    def xss(self, value: bytes) -> Finding | None:
        return Finding((b"<script",)) if b"<script" in value else None


def types(*names: str) -> list[Document]:
    """``TextTransformations`` of the types in order."""
    return [{"Priority": number, "Type": name} for number, name in enumerate(names or ("NONE",))]


URI: Document = {"UriPath": {}}
QUERY: Document = {"QueryString": {}}
ARGS: Document = {"AllQueryArguments": {}}
BODY: Document = {"Body": {"OversizeHandling": "CONTINUE"}}


def header(name: str) -> Document:
    return {"SingleHeader": {"Name": name}}


def headers(scope: str = "ALL", handling: str = "CONTINUE", pattern: Document | None = None) -> Document:
    return {"Headers": {"MatchPattern": pattern or {"All": {}}, "MatchScope": scope, "OversizeHandling": handling}}


def cookies(scope: str = "ALL", handling: str = "CONTINUE", pattern: Document | None = None) -> Document:
    return {"Cookies": {"MatchPattern": pattern or {"All": {}}, "MatchScope": scope, "OversizeHandling": handling}}


def json_body(scope: str = "ALL", paths: Sequence[str] | None = None, **more: str) -> Document:
    pattern: Document = {"All": {}} if paths is None else {"IncludedPaths": list(paths)}
    return {"JsonBody": {"MatchPattern": pattern, "MatchScope": scope, **more}}


def byte_match(text: bytes, where: Document = URI, position: str = "CONTAINS", *transformations: str, **more: Any) -> Document:
    spec = {"SearchString": text, "FieldToMatch": where, "PositionalConstraint": position}
    return {"ByteMatchStatement": {**spec, "TextTransformations": types(*transformations), **more}}


def regex(text: str, where: Document = URI, *transformations: str) -> Document:
    return {"RegexMatchStatement": {"RegexString": text, "FieldToMatch": where, "TextTransformations": types(*transformations)}}


def size(comparison: str, number: int, where: Document = URI, *transformations: str) -> Document:
    spec = {"ComparisonOperator": comparison, "Size": number, "FieldToMatch": where}
    return {"SizeConstraintStatement": {**spec, "TextTransformations": types(*transformations)}}


def visible(name: str) -> Document:
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}


def rule(name: str, priority: int, statement: Document, action: Document | None = None, **more: Any) -> Document:
    """A rule; ``labels`` are names."""
    labels = more.pop("labels", ())
    found: Document = {"Name": name, "Priority": priority, "Statement": statement, "VisibilityConfig": visible(name), **more}
    if "OverrideAction" not in more:
        found["Action"] = action or BLOCK
    if labels:
        found["RuleLabels"] = [{"Name": each} for each in labels]
    return found


def web_acl(*rules: Document, default: Document | None = None, **more: Any) -> Document:
    return {
        "Name": "testWebACL",
        "ARN": f"{ARN}/webacl/testWebACL/1",
        "DefaultAction": default or ALLOW,
        "Rules": list(rules),
        "VisibilityConfig": visible("testWebACL"),
        **more,
    }


def compiled(*rules: Document, things: Things | None = None, limit: int | None = None, **more: Any) -> CompiledAcl:
    return compile_acl(web_acl(*rules, **more), things or Things(), detectors=WordDetectors(), limit=limit)


def request(target: str | bytes = "/", sent: Mapping[str, str] | Sequence[tuple[bytes, bytes]] = (), **more: Any) -> WebRequest:
    """A request; ``sent`` are its headers."""
    pairs = [(name.encode(), value.encode()) for name, value in sent.items()] if isinstance(sent, Mapping) else list(sent)
    values: Document = {"source_ip": "192.0.2.44", "method": "GET", "time": 1_700_000_000.0, **more}
    raw = target.encode("latin-1") if isinstance(target, str) else target
    return WebRequest(values.pop("method"), raw, pairs, values.pop("body", b""), **values)


def inspect(acl: CompiledAcl, asked: WebRequest, *, rates: RateTable | None = None, token: Token | None = None) -> Verdict:
    return acl.inspect(asked, State(rates or RateTable(), token or Token()))


def matches(statement: Document, asked: WebRequest, things: Things | None = None, limit: int | None = None) -> bool:
    """Whether one statement alone matches the request."""
    return inspect(compiled(rule("one", 0, statement), things=things, limit=limit), asked).rule == "one"
