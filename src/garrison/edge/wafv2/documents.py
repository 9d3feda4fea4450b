"""Web ACLs and rule groups between their requests and what is stored, and what must hold before they are.

The engine says what a document may be; here is what needs the store: that everything referred to exists and may be used, and
what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import PREPARED
from garrison.edge import entities, live
from garrison.edge.entities import Kind
from garrison.edge.inspect import InvalidParameter, ManagedGroup, capacity, check_acl, check_rule_group, check_web_acl, references
from garrison.edge.wafv2 import errors
from garrison.edge.wafv2.names import checked_scope, kind_of, scope_of

if TYPE_CHECKING:
    from garrison.edge.inspect.managed.catalog import Catalog

Document = Mapping[str, Any]
MOST: Final = 5000
"""WCUs of a web ACL or rule group (AWS WAF Developer Guide, "AWS WAF quotas")."""
NOT_STORED: Final = ("Name", "Scope", "Id", "LockToken", "Tags")
REFERENCE: Final = "A reference in your rule statement is not valid."


_imported: list[ManagedGroup] = []


def tell_of(groups: Sequence[ManagedGroup]) -> None:
    """Know of managed rule groups of other vendors, in this process from now on."""
    if groups or _imported:
        _imported[:] = groups
        catalog.cache_clear()


@cache
def catalog() -> Catalog:
    """The managed rule groups as this service tells of them: without lists, which change no name and no capacity."""
    from garrison.edge.inspect.managed.catalog import Catalog  # noqa: PLC0415 - its detectors cost a tenth of a start

    return Catalog(compiled=False, imported=_imported)


def settings(req: msgspec.Struct) -> dict[str, Any]:
    """What a request sets, in the API's JSON shape: its search strings are base64."""
    found: dict[str, Any] = msgspec.to_builtins(req)
    return {name: value for name, value in found.items() if name not in NOT_STORED}


def rules_of(req: Any) -> list[Document]:  # noqa: ANN401 - any request with rules
    """The rules of a request in the API's JSON shape."""
    found: list[Document] = msgspec.to_builtins(req.rules or [])
    return found


def refers_to(ctx: Context, req: Any) -> list[str]:  # noqa: ANN401 - any request with rules
    """The ARNs that the rules of a request refer to; looked up once a call."""
    if "wafv2:references" not in ctx.scratch:
        rules = rules_of(req)
        ctx.scratch["wafv2:references"] = references(rules)
        ctx.scratch["wafv2:managed"] = list(managed(rules))
    found: list[str] = ctx.scratch["wafv2:references"]
    return found


def managed(rules: Sequence[Document]) -> Iterator[Document]:
    """The statements of managed rule groups in rules."""
    for rule in rules:
        spec = rule["Statement"].get("ManagedRuleGroupStatement")
        if spec is not None:
            yield spec


def prepared_web_acl(_ctx: Context, req: Any) -> Callable[[], dict[str, Any]]:  # noqa: ANN401 - CreateWebACL or UpdateWebACL
    """Compiling regular expressions takes its time: a document is checked on a thread."""
    return lambda: _checked(check_web_acl, req)


def prepared_rule_group(_ctx: Context, req: Any) -> Callable[[], dict[str, Any]]:  # noqa: ANN401 - CreateRuleGroup or UpdateRuleGroup
    """The same for a rule group."""
    return lambda: _checked(check_rule_group, req)


def _checked(check: Callable[[Document], None], req: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the four requests
    document = settings(req)
    document.setdefault("Rules", [])
    try:
        check({"Name": req.name, **document})
    except InvalidParameter as error:
        raise errors.refused(error) from error
    return document


def of(ctx: Context) -> dict[str, Any]:
    """The document that a ``prepared`` function checked."""
    found: dict[str, Any] = ctx.scratch[PREPARED]
    return found


def usable(ctx: Context, scope: str, arns: Sequence[str], kinds: Sequence[Kind]) -> dict[str, entities.Entity]:
    """The entities that rules refer to, by ARN. Authorization has allowed the caller to use them, another account's too.

    Raises WAFInvalidParameterException for what is no such ARN, or of another scope or Region; WAFNonexistentItemException.
    """
    checked_scope(ctx, scope)
    found = {}
    for arn in arns:
        if kind_of(arn) not in kinds or scope_of(arn) != scope:
            raise errors.invalid("RULE", "Statement", REFERENCE)
        entity = entities.find(ctx.tx, arn)
        if entity is None:
            raise errors.nonexistent()
        if entity.region != ctx.region or (entity.account != ctx.account and entity.kind != "rulegroup"):
            raise errors.invalid("RULE", "Statement", REFERENCE)
        found[arn] = entity
    return found


def managed_group(vendor: str, name: str, version: str | None = None) -> ManagedGroup:
    """A managed rule group. Raises WAFNonexistentItemException."""
    try:
        return catalog().get(vendor, name, version)
    except KeyError:
        raise errors.nonexistent() from None


def check_managed(rules: Sequence[Document]) -> None:
    """Raises where rules refer to a managed rule group that is not there, or name rules that it has not."""
    for spec in managed(rules):
        group = managed_group(spec["VendorName"], spec["Name"], spec.get("Version"))
        names = {rule["Name"] for rule in group.rules}
        for member, field in (("ExcludedRules", "EXCLUDED_RULE"), ("RuleActionOverrides", "MANAGED_RULE_SET_STATEMENT")):
            for each in spec.get(member) or ():
                if each["Name"] not in names:
                    raise errors.invalid(field, each["Name"], "The rule group has no rule of this name.")


def cost(ctx: Context, owners: Mapping[str, entities.Entity], rules: Sequence[Document], field: str) -> int:
    """The WCUs of rules, with what they refer to. Raises WAFInvalidParameterException where they are too many."""
    found = {**owners, **entities.closure(ctx.tx, [arn for arn, each in owners.items() if each.kind == "rulegroup"])}
    resources = live.of(found, catalog())
    try:
        total = capacity(rules, resources)
    except InvalidParameter as error:
        raise errors.refused(error) from error
    if total > MOST:
        raise errors.invalid(field, str(total), errors.TOO_MUCH)
    return total


def check_whole(ctx: Context, document: Document, owners: Mapping[str, entities.Entity]) -> None:
    """A web ACL with everything that it refers to, as inspectors will compile it. Raises WAFInvalidParameterException."""
    found = {**owners, **entities.closure(ctx.tx, [arn for arn, each in owners.items() if each.kind == "rulegroup"])}
    try:
        check_acl(document, live.of(found, catalog()))
    except InvalidParameter as error:
        raise errors.refused(error) from error


def summary(entity: entities.Entity) -> dict[str, Any]:
    """The members that every summary has."""
    return {
        "name": entity.name,
        "id": entity.id,
        "arn": entity.arn,
        "lock_token": entity.lock_token,
        # AWS's own summaries say it as empty where there is none.
        "description": entity.document.get("Description") or "",
    }


def labels(rules: Sequence[Document], namespace: str) -> tuple[list[api.LabelSummary], list[api.LabelSummary]]:
    """The labels that the rules of a group add, and those of elsewhere that they match on."""
    added = [namespace + each["Name"] for rule in rules for each in rule.get("RuleLabels") or ()]
    matched = [spec["Key"] for rule in rules for spec in _matches(rule["Statement"])]
    foreign = [key for key in matched if key not in added and namespace + key not in added]
    return [[api.LabelSummary(name=name) for name in dict.fromkeys(names)] for names in (added, foreign)]  # type: ignore[return-value] # two


def _matches(statement: Document) -> Iterator[Document]:
    """Every label match in a statement."""
    for kind, spec in statement.items():
        if kind == "LabelMatchStatement":
            yield spec
            continue
        below = [*(spec.get("Statements") or ()), spec.get("Statement"), spec.get("ScopeDownStatement")]
        for each in below:
            if each:
                yield from _matches(each)
