"""What inspectors read of the control plane: the web ACL of a resource with everything that it refers to, at one moment.

The store notes each change of it under the kind ``CHANGED``; who inspects subscribes to that (``Store.on_change``), hears of
changes with ``Store.refresh``, reads again, and compiles again where ``version`` is another.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from garrison.core.ports import Transaction
from garrison.edge import entities
from garrison.edge.crs.rules import NAME as IMPORTED
from garrison.edge.entities import CHANGED
from garrison.edge.feeds import read_feeds
from garrison.edge.files import stamp
from garrison.edge.inspect import Location, ManagedGroup, PatternCache

if TYPE_CHECKING:
    from garrison.edge.inspect.managed.catalog import Catalog

__all__ = ["CHANGED", "Attached", "Managed", "Snapshot", "read"]

Document = Mapping[str, Any]
Locate = Callable[[str], Location]
CUSTOMER: Final = "CUSTOMER"
"""The log scope of what a customer configures."""
_LOG = logging.getLogger(__name__)


def nowhere(_ip: str) -> Location:
    """Where an address is, without a database: not known."""
    return Location()


class Managed:
    """The managed rule groups, with the lists of a directory that its operator refreshes.

    ``detecting``: whether requests are to be inspected; without it nothing is compiled, which takes seconds.
    """

    def __init__(self, directory: Path | None = None, cache: PatternCache | None = None, *, detecting: bool = True) -> None:
        """Reads the lists. Raises ValueError naming the file with a line that is none of its kind, OSError."""
        self._directory = directory
        self._cache = cache
        self._detecting = detecting
        self._stamp = self._look()
        self._catalog = self._make()

    @property
    def version(self) -> str:
        """Another one whenever a list is another."""
        return self._stamp

    @property
    def catalog(self) -> Catalog:
        """The groups as they are now."""
        return self._catalog

    def refresh(self) -> bool:
        """Read the lists again where a file changed; whether that made other groups. One that cannot be read changes nothing."""
        seen = self._look()
        if seen == self._stamp:
            return False
        self._stamp = seen
        try:
            self._catalog = self._make()
        except (ValueError, OSError) as error:
            _LOG.warning("lists of managed rule groups are not taken: %s", error)
            return False
        return True

    def _make(self) -> Catalog:
        from garrison.edge.crs.group import groups_in  # noqa: PLC0415 - its detectors cost a tenth of a start
        from garrison.edge.inspect.managed.catalog import Catalog  # noqa: PLC0415 - the same

        if self._directory is None:
            return Catalog(cache=self._cache, compiled=self._detecting)
        imported = groups_in(self._directory, self._cache, compiled=self._detecting)
        return Catalog(read_feeds(self._directory), self._cache, compiled=self._detecting, imported=imported)

    def _look(self) -> str:
        """Names, sizes and times of the files."""
        if self._directory is None or not self._directory.is_dir():
            return ""
        seen = [(path.name, stamp(path)) for path in (*sorted(self._directory.glob("*.txt")), self._directory / IMPORTED)]
        return hashlib.sha256(repr(seen).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a web ACL refers to, read at one moment (``inspect.Resources``): compiling needs the store no more."""

    ip_sets: Mapping[str, Sequence[str]]
    regex_sets: Mapping[str, Sequence[str]]
    rule_groups: Mapping[str, Document]
    catalog: Catalog
    locator: Locate = nowhere

    def ip_set(self, arn: str) -> Sequence[str]:
        """As of ``Resources``."""
        return self.ip_sets[arn]

    def regex_set(self, arn: str) -> Sequence[str]:
        """As of ``Resources``."""
        return self.regex_sets[arn]

    def rule_group(self, arn: str) -> Document:
        """As of ``Resources``."""
        return self.rule_groups[arn]

    def managed_group(self, vendor: str, name: str, version: str | None) -> ManagedGroup:
        """As of ``Resources``."""
        return self.catalog.get(vendor, name, version)

    def locate(self, ip: str) -> Location:
        """As of ``Resources``."""
        return self.locator(ip)


@dataclass(frozen=True, slots=True)
class Attached:
    """The web ACL of a resource. ``document`` is that of GetWebACL, ``logging`` that of GetLoggingConfiguration."""

    resource: str
    document: Document
    resources: Snapshot
    logging: Document | None
    version: str
    """Changes with everything that a verdict or a log record depends on."""

    @property
    def arn(self) -> str:
        """The web ACL's."""
        return str(self.document["ARN"])


def snapshot(tx: Transaction, owners: Sequence[str], catalog: Catalog, locate: Locate = nowhere) -> Snapshot:
    """Everything that these web ACLs or rule groups refer to."""
    return of(entities.closure(tx, owners), catalog, locate)


def of(found: Mapping[str, entities.Entity], catalog: Catalog, locate: Locate = nowhere) -> Snapshot:
    """A snapshot of entities."""
    return Snapshot(
        ip_sets={arn: each.document["Addresses"] for arn, each in found.items() if each.kind == "ipset"},
        regex_sets={
            arn: [one["RegexString"] for one in each.document["RegularExpressionList"]]
            for arn, each in found.items()
            if each.kind == "regexpatternset"
        },
        rule_groups={arn: each.document for arn, each in found.items() if each.kind == "rulegroup"},
        catalog=catalog,
        locator=locate,
    )


def read(tx: Transaction, resource: str, managed: Managed, locate: Locate = nowhere) -> Attached | None:
    """The web ACL of a resource (an ARN); None where it has none."""
    row = tx.one("SELECT web_acl FROM waf_association WHERE resource = ?", resource)
    entity = entities.find(tx, row[0]) if row is not None else None
    if entity is None:
        return None
    found = entities.closure(tx, [entity.arn])
    logged = tx.one("SELECT document FROM waf_logging WHERE web_acl = ? AND log_scope = ?", entity.arn, CUSTOMER)
    text = logged[0] if logged is not None else ""
    return Attached(
        resource=resource,
        document=_without_stale(entity.document, found),
        resources=of(found, managed.catalog, locate),
        logging=json.loads(text) if text else None,
        version=_version(entity, *(found[arn] for arn in sorted(found)), also=(text, managed.version)),
    )


_OVERRIDES: Final = ("RuleActionOverrides", "ExcludedRules")


def _without_stale(document: Document, found: Mapping[str, entities.Entity]) -> Document:
    """The web ACL without overrides of rules that their groups have no more: a group's owner may rename its rules."""
    return {**document, "Rules": [_current(rule, found) for rule in document["Rules"]]}


def _current(rule: Document, found: Mapping[str, entities.Entity]) -> Document:
    spec = rule["Statement"].get("RuleGroupReferenceStatement")
    if spec is None or spec["ARN"] not in found:
        return rule
    names = {each["Name"] for each in found[spec["ARN"]].document["Rules"]}
    kept = {member: [each for each in spec[member] if each["Name"] in names] for member in _OVERRIDES if member in spec}
    return {**rule, "Statement": {"RuleGroupReferenceStatement": {**spec, **kept}}}


def _version(*read_now: entities.Entity, also: tuple[str, ...]) -> str:
    parts = [part for each in read_now for part in (each.arn, each.lock_token)]
    return hashlib.sha256("\n".join((*parts, *also)).encode()).hexdigest()[:32]
