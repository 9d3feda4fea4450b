"""What managed groups know of the world: addresses, bots, stolen credentials. Values, of files that an operator refreshes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from garrison.edge.inspect.ipset import IpSet

NOWHERE: Final = IpSet(())


@dataclass(frozen=True, slots=True)
class Feeds:
    """The lists. An empty one finds nothing.

    ``verified`` gives the addresses of crawlers by the name in :data:`garrison.edge.inspect.managed.bots.BOTS`. ``stolen`` holds
    SHA-1 digests, in upper-case hexadecimal, of ``username:password`` and of passwords known to be stolen. ``hosting_asns`` are
    AS numbers of data centers.
    """

    reputation: IpSet = NOWHERE
    reconnaissance: IpSet = NOWHERE
    ddos: IpSet = NOWHERE
    anonymous: IpSet = NOWHERE
    hosting: IpSet = NOWHERE
    hosting_asns: AbstractSet[int] = frozenset()
    verified: Mapping[str, IpSet] = field(default_factory=dict)
    stolen: AbstractSet[str] = frozenset()


EMPTY: Final = Feeds()


def stolen(feeds: Feeds, username: bytes, password: bytes) -> bool:
    """Whether the pair, or the password alone, is known to be stolen."""
    if not feeds.stolen:
        return False
    return any(_digest(each) in feeds.stolen for each in (username + b":" + password, password))


def _digest(value: bytes) -> str:
    # The lists of stolen credentials that are published are of SHA-1 digests.
    return hashlib.sha1(value, usedforsecurity=False).hexdigest().upper()


def addresses(lines: Sequence[str]) -> IpSet:
    """An address list of text lines: one address or network each; ``#`` and ``;`` begin comments. ValueError for any other."""
    found = []
    for line in lines:
        text = line.partition("#")[0].partition(";")[0].strip()
        if text:
            found.append(text if "/" in text else f"{text}/{128 if ':' in text else 32}")
    return IpSet(found)
