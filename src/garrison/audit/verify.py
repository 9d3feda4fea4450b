"""Proves the trail whole, or names what is wrong with it.

What is checked: the register of chains has no hole and ends no earlier than this node remembers; each chain's events are
numbered without a gap, each follows from the one before, up to the chain's sealed head; no event stands twice; the columns that
lookups use say what the hashed record says.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from garrison.audit import event as events
from garrison.audit import rows
from garrison.audit.chain import OPEN, RESTORED, Head, chain_mac, genesis, head_path, link, read_head
from garrison.audit.ledger import read_ledger
from garrison.audit.spool import Line, read_lines, spool_files
from garrison.core.ports import Sealer, Transaction
from garrison.store import Store

_PAGE = 1000
_MAX_FINDINGS = 1000


class Finding(NamedTuple):
    """One thing that is wrong. ``kind``: removed, altered, reordered, truncated, duplicated, added, unproven, unregistered."""

    kind: str
    chain: str
    seq: int
    """0 where it is about the chain as a whole."""
    event_id: str
    """Empty where there is no event, or none that can be read."""
    detail: str


class Report(NamedTuple):
    """What was looked at and what was found."""

    chains: int
    events: int
    findings: list[Finding]

    @property
    def clean(self) -> bool:
        """True where nothing is wrong."""
        return not self.findings


def verify(store: Store, data_dir: Path | None, sealer: Sealer) -> Report:
    """Check the whole trail while everything runs; changes nothing. At most 1,000 findings. Raises StoreUnavailable."""
    folder = data_dir / "audit" if data_dir else None
    # Heads before spools before rows: what is written meanwhile only lies behind the heads.
    tx = store.reading()
    registered = tx.all("SELECT number, chain, mac FROM audit_chain ORDER BY number")
    heads = {chain: read_head(head_path(folder, chain), chain, sealer) for _, chain, _ in registered} if folder else {}
    spools = _spools(folder)
    findings = list(_check_register(registered, folder, sealer))
    count = 0
    for _, chain, _ in registered:
        checker = _Chain(tx, sealer, chain, heads.get(chain), needs_file=folder is not None)
        findings += checker.check(spools.pop(chain, {}))
        count += checker.count
    findings += _strangers(tx, {chain for _, chain, _ in registered} | set(spools), spools)
    findings += _duplicates(tx)
    return Report(len(registered), count, findings[:_MAX_FINDINGS])


def _spools(folder: Path | None) -> dict[str, dict[int, Line]]:
    if folder is None or not folder.exists():
        return {}
    return {
        chain: {line.seq: line for path in paths for line in read_lines(path)} for chain, paths in spool_files(folder).items()
    }


def _check_register(registered: list[tuple[Any, ...]], folder: Path | None, sealer: Sealer) -> Iterator[Finding]:
    expected, previous = 1, b""
    for number, chain, mac in registered:
        if number != expected:
            yield Finding("removed", "", 0, "", f"the register of chains lacks numbers {expected} to {number - 1}")
        elif not hmac.compare_digest(bytes(mac), chain_mac(sealer, number, chain, previous)):
            yield Finding("altered", chain, 0, "", f"number {number} of the register of chains is not what was entered")
        expected, previous = number + 1, bytes(mac)
    noted = read_ledger(folder) if folder else None
    if noted is not None and (noted[0], noted[1]) not in {(number, bytes(mac)) for number, _, mac in registered}:
        yield Finding("truncated", "", 0, "", f"the register of chains lacks number {noted[0]}, which this node has seen")


def _strangers(tx: Transaction, known: set[str], spools: dict[str, dict[int, Line]]) -> Iterator[Finding]:
    """Chains that nobody registered. ``spools``: what is left of them after the registered ones."""
    stored = {chain for (chain,) in tx.all("SELECT DISTINCT chain FROM audit_event")}
    for chain in sorted((stored | set(spools)) - known):
        yield Finding("unregistered", chain, 0, "", "there are events of a chain that is not in the register")


def _duplicates(tx: Transaction) -> Iterator[Finding]:
    twice = tx.all(
        "SELECT event_id FROM audit_event GROUP BY event_id HAVING count(*) > 1 ORDER BY event_id LIMIT ?", _MAX_FINDINGS
    )
    for (event_id,) in twice:
        places = tx.all("SELECT chain, seq FROM audit_event WHERE event_id = ? ORDER BY id", event_id)
        first = f"{places[0][0]} {places[0][1]}"
        for chain, seq in places[1:]:
            yield Finding("duplicated", chain, seq, event_id, f"the same event stands at {first}")


class _Chain:
    """Checks one chain from its first event to its head."""

    def __init__(self, tx: Transaction, sealer: Sealer, chain: str, live: Head | None, *, needs_file: bool) -> None:
        self._tx = tx
        self._chain = chain
        self._live = live
        self._needs_file = needs_file
        self._stored = rows.stored_head(tx, sealer, chain)
        self.count = 0
        self._wrong_columns: list[Finding] = []
        self._misfits: list[tuple[Line, bytes]] = []
        """Events that do not follow from the one before, each with the hash before it."""

    def check(self, spooled: dict[int, Line]) -> Iterator[Finding]:
        """Everything wrong with the chain; ``spooled`` are its lines that may not be in the database."""
        stored = self._stored
        if stored is None or not stored.genuine:
            yield self._finding("altered", 0, b"", "the head of the chain is missing or was not written under this root key")
        state = stored.state if stored is not None else OPEN
        if state == OPEN and self._live is None and self._needs_file:
            yield self._finding("unproven", 0, b"", "the head file of an open chain is gone: a missing tail would not show")
        head = self._head(state)
        expected, previous = 1, genesis(self._chain)
        for line in self._lines(spooled):
            if state == OPEN and self._live is not None and line.seq > head.seq:
                # Written after we looked at the head: the next verification's, or this would never end.
                break
            if line.seq == expected:
                self._check_link(line, previous)
            elif state != RESTORED:
                yield from self._gap(expected, line.seq - 1)
            yield from self._against_head(line, head, state)
            expected, previous = line.seq + 1, line.hash
        yield from self._named_misfits()
        yield from self._wrong_columns
        if expected <= head.seq and state != RESTORED:
            yield self._finding("truncated", head.seq, b"", f"events {expected} to {head.seq} are missing at the end")

    def _head(self, state: int) -> Head:
        stored = self._stored.head if self._stored is not None and self._stored.genuine else Head(0, genesis(self._chain))
        if state == OPEN and self._live is not None and self._live.seq >= stored.seq:
            return self._live
        return stored

    def _lines(self, spooled: dict[int, Line]) -> Iterator[Line]:
        """The chain's events in order, from the database and, where it has not got them yet, from the spool."""
        waiting = sorted(spooled.values())
        for line in self._stored_lines():
            while waiting and waiting[0].seq <= line.seq:
                early = waiting.pop(0)
                if early.seq < line.seq:
                    self.count += 1
                    yield early
            self.count += 1
            yield line
        self.count += len(waiting)
        yield from waiting

    def _stored_lines(self) -> Iterator[Line]:
        after = 0
        sql = (
            f"SELECT seq, hash, record, decision, {rows.LOOKUP_COLUMNS} FROM audit_event"  # noqa: S608 - fixed words
            " WHERE chain = ? AND seq > ? ORDER BY seq LIMIT ?"
        )
        while page := self._tx.all(sql, self._chain, after, _PAGE):
            resources = self._resources(after, page[-1][0])
            for seq, digest, record, decision, *columns in page:
                line = Line(seq, bytes(digest), record.encode(), decision.encode())
                self._check_columns(line, tuple(columns), resources.get(seq, []))
                yield line
            after = page[-1][0]

    def _resources(self, after: int, last: int) -> dict[int, list[tuple[Any, ...]]]:
        sql = (
            "SELECT seq, position, account, type, name, arn FROM audit_resource"
            " WHERE chain = ? AND seq > ? AND seq <= ? ORDER BY seq, position"
        )
        found: dict[int, list[tuple[Any, ...]]] = {}
        for seq, *columns in self._tx.all(sql, self._chain, after, last):
            found.setdefault(seq, []).append(tuple(columns))
        return found

    def _check_columns(self, line: Line, columns: tuple[Any, ...], resources: list[tuple[Any, ...]]) -> None:
        """Lookups must not be led astray by columns that are outside the hash."""
        try:
            event = events.decode(line.event)
            agrees = columns == rows.lookup_columns(event) and resources == rows.resource_columns(event)
        except (msgspec.DecodeError, ValueError):
            agrees = False
        if not agrees:
            text = "the columns that lookups use do not say what the record says"
            self._wrong_columns.append(self._finding("altered", line.seq, line.event, text))

    def _check_link(self, line: Line, previous: bytes) -> None:
        if not hmac.compare_digest(line.hash, link(previous, line.event, line.decision)):
            self._misfits.append((line, previous))

    def _gap(self, first: int, last: int) -> Iterator[Finding]:
        for seq in range(first, min(last + 1, first + _MAX_FINDINGS)):
            yield self._finding("removed", seq, b"", "the event is missing")

    def _against_head(self, line: Line, head: Head, state: int) -> Iterator[Finding]:
        if line.seq == head.seq and line.hash != head.hash:
            yield self._finding("altered", line.seq, line.event, "the chain up to here is not the one that its sealed head ends")
        if line.seq > head.seq and state != OPEN:
            yield self._finding("added", line.seq, line.event, "the event stands behind the end of the chain")

    def _named_misfits(self) -> Iterator[Finding]:
        """A misfit that follows from some other event was moved; one that follows from none was altered."""
        hashes = {previous for _, previous in self._misfits} | {line.hash for line, _ in self._misfits}
        for line, _ in self._misfits:
            if len(hashes) <= _MAX_FINDINGS and any(link(one, line.event, line.decision) == line.hash for one in hashes):
                yield self._finding("reordered", line.seq, line.event, "the event follows from another than the one before it")
            else:
                yield self._finding("altered", line.seq, line.event, "the event is not the one that was written here")

    def _finding(self, kind: str, seq: int, record: bytes, detail: str) -> Finding:
        return Finding(kind, self._chain, seq, _event_id(record), detail)


def _event_id(record: bytes) -> str:
    try:
        return events.decode(record).event_id if record else ""
    except (msgspec.DecodeError, ValueError):
        return ""
