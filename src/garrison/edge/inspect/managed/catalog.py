"""All managed rule groups, by vendor, name and version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from garrison.edge.inspect.detect.survey import prepare
from garrison.edge.inspect.groups import ManagedGroup
from garrison.edge.inspect.managed import accounts, addresses, baseline, bots, ddos, usecase
from garrison.edge.inspect.managed.feeds import EMPTY, Feeds
from garrison.edge.inspect.managed.names import DEFAULT_VERSION, VENDOR
from garrison.edge.inspect.patterns import PatternCache

VERSIONS: Final = (1, 2)


class Catalog:
    """The managed rule groups, with the lists of ``feeds``. Immutable.

    Making the first one compiles what all detectors share, which takes seconds where ``cache`` does not have it yet.
    """

    def __init__(
        self,
        feeds: Feeds = EMPTY,
        cache: PatternCache | None = None,
        *,
        compiled: bool = True,
        imported: Sequence[ManagedGroup] = (),
    ) -> None:
        """``compiled`` False: for who tells of the groups and inspects no request; nothing is compiled then.

        ``imported`` are groups of other vendors, one version of each.
        """
        if compiled:
            prepare(cache)
            bots.prepare()
        builders = (
            baseline.common(),
            baseline.admin_protection(),
            baseline.known_bad_inputs(),
            usecase.sqli(),
            usecase.linux(),
            usecase.posix(),
            usecase.windows(),
            usecase.php(),
            usecase.wordpress(),
            addresses.reputation(feeds),
            addresses.anonymous(feeds),
            bots.bot_control(feeds),
            accounts.atp(feeds),
            accounts.acfp(feeds),
            ddos.anti_ddos(),
        )
        self._groups = {(each.name, f"Version_{version}.0"): each.group(version) for each in builders for version in VERSIONS}
        self._imported = {(each.vendor, each.name): each for each in imported}
        self.imported = tuple(imported)
        """The groups of other vendors."""
        self.names = tuple(each.name for each in builders)
        """The names of the groups, all of the vendor ``AWS``."""

    def get(self, vendor: str, name: str, version: str | None = None) -> ManagedGroup:
        """The group; its default version for None. KeyError for what is not there."""
        if vendor == VENDOR:
            return self._groups[name, version or DEFAULT_VERSION]
        found = self._imported[vendor, name]
        if version not in {None, found.version}:
            raise KeyError(version)
        return found

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a group, oldest first. KeyError for a name that is not there."""
        if name not in self.names:
            raise KeyError(name)
        return tuple(f"Version_{each}.0" for each in VERSIONS)
