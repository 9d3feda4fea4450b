"""Cases of ``garrison policy test``: who asks for what, under which policies, and what the answer must be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path

import yaml

from garrison.cli.policy import catalog, sources
from garrison.cli.policy.callers import caller
from garrison.cli.policy.reading import FileError, compose, entries_of, fault, fields, place, read_text, text_of, texts_of
from garrison.cli.policy.sources import Source
from garrison.core.principal import Principal
from garrison.policy import PolicyKind, Value, compile_policy

OUTCOMES = ("allowed", "denied", "implicitDeny", "explicitDeny")
DECIDERS = ("identity", "resource", "trust", "boundary", "session", "scp", "rcp", "root", "grant")
_ACTION = re.compile(r"[a-zA-Z0-9-]+:[a-zA-Z0-9]+", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ROLE = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")
_KEY = re.compile(r"arn:[a-z-]+:kms:[a-z0-9-]+:(\d{12}):key/.+")
DEFAULT_KEY_POLICY = "default"
"""Stands for the policy that KMS gives a key which is made without one."""

_SHARED = frozenset(
    {
        "principal",
        "action",
        "resource",
        "resource_account",
        "context",
        "identity",
        "boundary",
        "session",
        "scps",
        "rcps",
        "resource_policy",
        "resource_policies",
        "expect",
        "decided_by",
        "statement",
    }
)
TEST_KEYS = _SHARED | {"name"}


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything that a decision is made of, beside the request. None: not given."""

    identity: tuple[Source, ...] | None = None
    boundary: Source | None = None
    session: tuple[Source, ...] | None = None
    scps: tuple[tuple[Source, ...], ...] = ()
    rcps: tuple[tuple[Source, ...], ...] = ()
    resource: Mapping[str, Source] = field(default_factory=dict)
    """By resource: its own policy."""


@dataclass(frozen=True, slots=True)
class Case:
    """One entry of a file, or the arguments: every action on every resource must have the answer."""

    name: str
    where: str
    principal: Principal
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    policies: Policies
    resource_account: str = ""
    context: Mapping[str, Value] = field(default_factory=dict)
    """As written."""
    expect: str = ""
    """Empty where nothing is expected: the answer is shown."""
    decided_by: str = ""
    statement: str = ""


class ResourceKind:
    """Which policy a resource can have of its own, for one action."""

    def __init__(self, action: str, resource: str) -> None:
        service = action.partition(":")[0].lower()
        self.service = resource.split(":")[2] if resource.count(":") >= 5 else ""
        self.trust = service == "sts" and _ROLE.fullmatch(resource) is not None
        self.key = service == "kms" and _KEY.fullmatch(resource) is not None
        self.kind: PolicyKind = "trust" if self.trust else "resource"
        self.decides = self.trust or self.key
        """Identity policies alone are never enough."""
        self.possible = self.trust or self.service not in {"iam", ""}
        """Users, groups, policies and the asterisk have none, and a role's speaks only of who may assume it."""


class Files:
    """Policies by the name that a case gives them, each read once."""

    def __init__(self, folder: Path, shown: str = "") -> None:
        """``folder`` is what names are relative to, ``shown`` how it is written in front of them."""
        self._folder = folder
        self._shown = shown
        self._read: dict[tuple[str, str, str], Source] = {}

    def policy(self, name: str, kind: PolicyKind, service: str = "") -> Source:
        """A policy by file or ARN. Raises FileError."""
        found = sources.named(name, kind)
        if found is not None:
            return found
        key = (name, kind, service)
        if key not in self._read:
            self._read[key] = sources.from_file(self._folder / name, f"{self._shown}{name}", kind, service)
        return self._read[key]

    def node(self, node: yaml.Node, kind: PolicyKind, service: str = "") -> Source:
        """A policy that a case names, or that stands in it. Raises FileError."""
        if isinstance(node, yaml.MappingNode):
            return sources.from_inline(node, kind, service)
        name = text_of(node, f"the name of a {kind} policy")
        try:
            return self.policy(name, kind, service)
        except FileError as error:
            raise sources.refused(node, error) from error


def read_cases(path: Path, shown: str) -> list[Case]:
    """The cases of a file. Raises FileError."""
    top = fields(compose(read_text(path, shown), shown), frozenset({"defaults", "tests"}), "a file of cases")
    folder = str(Path(shown).parent)
    reader = _Reader(Files(path.parent, "" if folder == "." else f"{folder}/"))
    defaults = fields(top["defaults"], _SHARED, "`defaults`") if "defaults" in top else {}
    if "tests" not in top:
        msg = f"{shown}: there are no `tests`"
        raise FileError(msg)
    entries = entries_of(top["tests"], "`tests`")
    if not entries:
        raise fault(top["tests"], "`tests` is empty: nothing would be proven")
    return [reader.case(entry, defaults) for entry in entries]


class _Reader:
    """Turns entries of ``tests`` into cases."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def case(self, node: yaml.Node, defaults: Mapping[str, yaml.Node]) -> Case:
        own = fields(node, TEST_KEYS, "a test")
        given = {**defaults, **own}
        for needed in ("principal", "action", "expect"):
            if needed not in given:
                raise fault(node, f"a test needs `{needed}`, of its own or in `defaults`")
        actions = tuple(self.action(entry) for entry in entries_of(given["action"], "`action`"))
        if not actions:
            raise fault(given["action"], "`action` is empty: nothing would be proven")
        resources = texts_of(given["resource"], "`resource`") if "resource" in given else ("*",)
        for resource in resources:
            _check(given.get("resource", node), check_resource(resource))
        return Case(
            name=text_of(own["name"], "`name`") if "name" in own else f"test on line {node.start_mark.line + 1}",
            where=place(node),
            principal=self.principal(given["principal"]),
            actions=actions,
            resources=resources,
            policies=self.policies(given, actions, resources),
            resource_account=self.account(given.get("resource_account")),
            context={**self.context(defaults.get("context")), **self.context(own.get("context"))},
            expect=_one_of(given["expect"], OUTCOMES, "`expect`"),
            decided_by=_one_of(given["decided_by"], DECIDERS, "`decided_by`") if "decided_by" in given else "",
            statement=text_of(given["statement"], "`statement`") if "statement" in given else "",
        )

    @staticmethod
    def principal(node: yaml.Node) -> Principal:
        try:
            return caller(text_of(node, "`principal`"))
        except FileError:
            raise
        except ValueError as error:
            raise fault(node, str(error)) from error

    @staticmethod
    def action(node: yaml.Node) -> str:
        action = text_of(node, "`action`")
        _check(node, check_action(action))
        return action

    @staticmethod
    def account(node: yaml.Node | None) -> str:
        if node is None:
            return ""
        text = text_of(node, "`resource_account`")
        _check(node, check_account(text))
        return text

    @staticmethod
    def context(node: yaml.Node | None) -> dict[str, Value]:
        if node is None:
            return {}
        found: dict[str, Value] = {}
        seen: set[str] = set()
        for key, value in fields(node, None, "`context`").items():
            _check(value, check_key(key, seen))
            found[key] = context_value(value)
        return found

    def policies(self, given: Mapping[str, yaml.Node], actions: Sequence[str], resources: Sequence[str]) -> Policies:
        def several(key: str, kind: PolicyKind) -> tuple[Source, ...] | None:
            return tuple(self.files.node(entry, kind) for entry in entries_of(given[key], f"`{key}`")) if key in given else None

        return Policies(
            identity=several("identity", "identity"),
            boundary=self.files.node(given["boundary"], "boundary") if "boundary" in given else None,
            session=several("session", "session"),
            scps=self.levels(given.get("scps"), "scp"),
            rcps=self.levels(given.get("rcps"), "rcp"),
            resource=self.resource_policies(given, actions, resources),
        )

    def levels(self, node: yaml.Node | None, kind: PolicyKind) -> tuple[tuple[Source, ...], ...]:
        """One entry a level, from the organization's root down to the account: a policy, or a list of them."""
        if node is None:
            return ()
        return tuple(
            tuple(self.files.node(entry, kind) for entry in entries_of(level, f"a level of `{kind}s`"))
            for level in entries_of(node, f"`{kind}s`")
        )

    def resource_policies(
        self, given: Mapping[str, yaml.Node], actions: Sequence[str], resources: Sequence[str]
    ) -> dict[str, Source]:
        listed = fields(given["resource_policies"], None, "`resource_policies`") if "resource_policies" in given else {}
        found: dict[str, Source] = {}
        for resource in resources:
            node = given.get("resource_policy") or _matching(listed, resource)
            kinds = [kind for action in actions if (kind := ResourceKind(action, resource)).possible]
            if node is not None and kinds:
                found[resource] = self.resource_policy(node, kinds[0], resource)
            elif node is not None and "resource_policy" in given:
                raise fault(node, f"{resource} can have no policy of its own that speaks of {', '.join(actions)}")
        return found

    def resource_policy(self, node: yaml.Node, kind: ResourceKind, resource: str) -> Source:
        if isinstance(node, yaml.ScalarNode) and node.value == DEFAULT_KEY_POLICY:
            if not kind.key:
                raise fault(node, "`default` is the policy of a KMS key; name the file")
            return default_key_policy(resource)
        return self.files.node(node, kind.kind, "" if kind.trust else kind.service)


def default_key_policy(key: str) -> Source:
    """What KMS gives a key that is made without a policy: its account decides by identity policies."""
    found = _KEY.fullmatch(key)
    assert found is not None  # noqa: S101 - asked of keys alone
    text = (
        '{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow",'
        f'"Principal":{{"AWS":"arn:aws:iam::{found[1]}:root"}},"Action":"kms:*","Resource":"*"}}]}}'
    )
    name = "default key policy"
    return sources.from_policy(compile_policy(text, "resource", id=name, name=name), name)


def context_value(node: yaml.Node) -> Value:
    """A key's value: one text, or a list of them."""
    if isinstance(node, yaml.SequenceNode):
        return [text_of(entry, "a value of `context`") for entry in node.value]
    return text_of(node, "a value of `context`")


def check_action(action: str) -> str:
    """What is wrong with an action; empty where nothing is."""
    if _ACTION.fullmatch(action) is None:
        return f"`{action}` is no action; must be one, without wildcards, like s3:GetObject"
    return ""


def check_resource(resource: str) -> str:
    """What is wrong with a resource; empty where nothing is."""
    if resource != "*" and (not resource.startswith("arn:") or resource.count(":") < 5):
        return f"`{resource}` is no resource; must be an ARN, or * where the action knows none"
    return ""


def check_account(text: str) -> str:
    """What is wrong with an account's number; empty where nothing is."""
    return "" if _ACCOUNT.fullmatch(text) else f"`{text}` is no account; must be twelve digits"


def check_key(key: str, seen: set[str]) -> str:
    """What is wrong with a condition key; empty where nothing is. ``seen`` gathers them: case makes no difference."""
    if not catalog.is_context_key(key):
        return f"`{key}` is no condition key"
    if key.lower() in seen:
        return f"`{key}` stands twice: condition keys are the same in any case"
    seen.add(key.lower())
    return ""


def _check(node: yaml.Node, wrong: str) -> None:
    if wrong:
        raise fault(node, wrong)


def _one_of(node: yaml.Node, known: Sequence[str], what: str) -> str:
    text = text_of(node, what)
    if text not in known:
        raise fault(node, f"{what} is `{text}`; must be one of {', '.join(known)}")
    return text


def _matching(listed: Mapping[str, yaml.Node], resource: str) -> yaml.Node | None:
    """The first entry whose pattern the ARN matches."""
    return next((node for pattern, node in listed.items() if _glob(pattern, resource)), None)


def _glob(pattern: str, text: str) -> bool:
    """``*`` and ``?``; brackets are plain."""
    return re.fullmatch(translate(pattern.replace("[", "[[]")), text) is not None


def questions(case: Case) -> Iterator[tuple[str, str]]:
    """Every action on every resource."""
    for action in case.actions:
        for resource in case.resources:
            yield action, resource
