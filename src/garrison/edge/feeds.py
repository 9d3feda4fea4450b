"""Lists for managed rule groups, from files of a directory that an operator refreshes.

Text files of one entry a line, each optional: ``reputation.txt``, ``reconnaissance.txt``, ``ddos.txt``, ``anonymous.txt`` and
``hosting.txt`` of addresses or networks; ``hosting-asns.txt`` of AS numbers; ``verified-NAME.txt`` of the addresses of a crawler;
``stolen.txt`` of SHA-1 digests in hexadecimal, with or without ``:count`` as published lists have it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from garrison.edge.inspect.ipset import IpSet
from garrison.edge.inspect.managed.feeds import Feeds, addresses

_DIGEST: Final = re.compile(r"[0-9A-F]{40}")


def read_feeds(directory: Path) -> Feeds:
    """The lists of a directory; what is not there is empty. ValueError names the file with a line that is none of its kind."""
    lists = {
        name: _addresses(directory / f"{name}.txt") for name in ("reputation", "reconnaissance", "ddos", "anonymous", "hosting")
    }
    verified = {path.stem.removeprefix("verified-"): _addresses(path) for path in sorted(directory.glob("verified-*.txt"))}
    asns = frozenset(_number(directory / "hosting-asns.txt", line) for line in _lines(directory / "hosting-asns.txt"))
    digests = frozenset(_digest(directory / "stolen.txt", line) for line in _lines(directory / "stolen.txt"))
    return Feeds(
        reputation=lists["reputation"],
        reconnaissance=lists["reconnaissance"],
        ddos=lists["ddos"],
        anonymous=lists["anonymous"],
        hosting=lists["hosting"],
        hosting_asns=asns,
        verified=verified,
        stolen=digests,
    )


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for each in path.read_text().splitlines() if (line := each.partition("#")[0].strip())]


def _addresses(path: Path) -> IpSet:
    try:
        return addresses(_lines(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _number(path: Path, line: str) -> int:
    text = line.upper().removeprefix("AS")
    if not text.isdigit():
        raise ValueError(f"{path}: `{line[:40]}` is no AS number")
    return int(text)


def _digest(path: Path, line: str) -> str:
    text = line.partition(":")[0].upper()
    if _DIGEST.fullmatch(text) is None:
        # The line may be a password that someone put here as it is: it is not repeated.
        raise ValueError(f"{path}: a line is no SHA-1 digest")
    return text
