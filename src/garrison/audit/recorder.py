"""Writes the trail: one recorder a worker, one hash chain a process life.

The event of a write is committed with the write, in the same transaction. Events of reads, denials and failures go to the spool
and from there to the same table. Neither kind of call is answered before ``flush`` returned.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from garrison.audit import event as events
from garrison.audit import rows
from garrison.audit.chain import CLOSED, OPEN, RESTORED, Head, HeadFile, genesis, link
from garrison.audit.event import DecisionRecord, Event
from garrison.audit.ledger import write_ledger
from garrison.audit.rows import Written
from garrison.audit.spool import Line, Spool, audit_folder
from garrison.core.clock import Clock, system_clock
from garrison.core.context import ConfigurationItem
from garrison.core.ports import Sealer
from garrison.store import ConstraintError, Store, StoreUnavailable

_MAX_WAITING = 10_000
"""Events of calls that were answered 503 for want of an audit trail, kept for when the disk has room again."""


class Recorder:
    """The audit trail as one worker writes it.

    ``data_dir`` None keeps the spool in memory. ``durable_reads`` flushes the spool to the disk at each tick: reads then
    survive a loss of power as writes always do, at the price of a disk flush a tick.
    Raises StoreUnavailable where the chain cannot be registered.
    """

    def __init__(
        self,
        store: Store,
        data_dir: Path | None,
        sealer: Sealer,
        slot: int = 0,
        *,
        clock: Clock = system_clock,
        durable_reads: bool = False,
    ) -> None:
        self._store = store
        self._folder = audit_folder(data_dir) if data_dir else None
        self._sealer = sealer
        self._clock = clock
        self._durable = durable_reads
        self.slot = slot
        self._writes: list[tuple[Event, bytes, bytes, Sequence[ConfigurationItem]]] = []
        self._observed: list[tuple[bytes, bytes]] = []
        self._doubt: Head | None = None
        self._moved = False
        self._check: Head | None = None
        self._spoilt = False
        self._shipping: tuple[int, list[Path], int] | None = None
        self._head_file: HeadFile | None = None
        self.chain = ""
        self._head = self._stored = Head(0, b"")
        self._spool = Spool(None, "")
        self._begin()
        store.on_change("audit", self._look_again)

    # One call

    def write(self, event: Event, decision: DecisionRecord | None, items: Sequence[ConfigurationItem] = ()) -> None:
        """The event of a write that succeeded; it will be part of the open group, with its configuration items."""
        self._writes.append((event, events.encode(event), events.encode_decision(decision), items))

    def observe(self, event: Event, decision: DecisionRecord | None) -> None:
        """The event of a call that changed nothing: a read, a denial, a failure."""
        if len(self._observed) < _MAX_WAITING:
            self._observed.append((events.encode(event), events.encode_decision(decision)))

    # One tick

    def flush(self) -> None:
        """Make everything since the last flush lasting. Answers may be sent once this returned.

        First the observed events are appended to the spool, then the group is committed with its events, then the head moves.
        Raises StoreUnavailable: nothing of the group happened then and its events are gone; the caller observes the failures
        and flushes again.
        """
        if self._doubt is not None or self._check is not None or self._spoilt:
            self._settle()
        if self._observed:
            self._spool_observed()
        if self._store.has_pending or self._writes:
            self._commit()
        else:
            self._store.commit()
        if self._moved:
            self._move_head()

    def rotate(self) -> None:
        """Let a background process have the spool so far: it finds the finished file and drains it. Cheap; call each second."""
        self._spool.turn()

    def ship(self) -> int:
        """Move what waits in the spool to the database; how many events. Within a group it becomes part of it.

        Raises StoreUnavailable; the events stay in the spool then.
        """
        if self._store.in_unit:
            # That unit may be undone, and the spool would be forgotten all the same.
            return 0
        joined = self._store.has_pending
        if not joined:
            self.flush()
        lines = self._spool.rotate()
        if not lines:
            self._spool.shipped(0, list(self._spool.full))
            return 0
        with self._store.writing() as tx:
            rows.insert_lines(tx, self.chain, lines)
            rows.store_head(tx, self._sealer, self.chain, self._head, OPEN)
        self._shipping = (len(lines), list(self._spool.full), lines[-1].seq)
        if not joined:
            self.flush()
        return len(lines)

    def close(self) -> None:
        """End the chain in good order: everything in the database, the head final. Raises StoreUnavailable."""
        self.flush()
        self.ship()
        with self._store.writing() as tx:
            rows.store_head(tx, self._sealer, self.chain, self._head, CLOSED)
        self._store.commit()
        self._end()

    def begin_anew(self) -> None:
        """After the store in memory was reset: nothing of the old chain is left, a new one begins. Raises StoreUnavailable."""
        self._observed.clear()
        self._writes.clear()
        self._doubt = self._check = self._shipping = None
        self._moved = self._spoilt = False
        self._end()
        self._begin()

    @property
    def waiting(self) -> int:
        """Events that could not be written yet."""
        return len(self._observed) + len(self._writes)

    # The steps of a flush

    def _spool_observed(self) -> None:
        seq, previous = self._head
        lines: list[Line] = []
        for event, decision in self._observed:
            seq += 1
            previous = link(previous, event, decision)
            lines.append(Line(seq, previous, event, decision))
        written = self._spool.append(lines)
        if written:
            self._head = Head(lines[written - 1].seq, lines[written - 1].hash)
            self._moved = True
            del self._observed[:written]
        if written < len(lines):
            self._fail()
            msg = "the audit spool takes no more: is the disk full?"
            raise StoreUnavailable(msg)

    def _commit(self) -> None:
        after = self._head
        try:
            if self._writes:
                self._still_open()
                written, after = self._chained()
                with self._store.writing() as tx:
                    rows.insert_written(tx, self.chain, written)
                self._doubt = after
            self._store.commit()
        except ConstraintError as error:
            # Somebody else's row stands where this chain's next event belongs.
            self._spoilt = True
            self._fail()
            msg = f"the audit chain cannot go on: {error}"
            raise StoreUnavailable(msg) from error
        except BaseException:
            self._fail()
            raise
        self._advance(after)

    def _still_open(self) -> None:
        # Undone behind our back (a reset, a restore): these events would tell of what did not happen.
        if not self._store.has_pending:
            msg = "the group of these events is gone"
            raise StoreUnavailable(msg)

    def _chained(self) -> tuple[list[Written], Head]:
        seq, previous = self._head
        written: list[Written] = []
        for event, record, decision, items in self._writes:
            seq += 1
            previous = link(previous, record, decision)
            written.append(Written(Line(seq, previous, record, decision), event, items))
        return written, Head(seq, previous)

    def _advance(self, after: Head) -> None:
        """The group is in the database."""
        self._doubt = None
        if self._writes:
            self._head = self._stored = after
            self._moved = True
            self._writes.clear()
        if self._shipping is not None:
            count, files, seq = self._shipping
            self._spool.shipped(count, files)
            self._shipping = None
            if not self._writes and seq > self._stored.seq:
                self._check_point(seq)

    def _check_point(self, seq: int) -> None:
        row = self._store.reading().one("SELECT hash FROM audit_event WHERE chain = ? AND seq = ?", self.chain, seq)
        if row is not None:
            self._stored = Head(seq, bytes(row[0]))

    def _fail(self) -> None:
        """Nothing of the group happened."""
        # First: whatever becomes of the rest, the next group may not tell of this one.
        self._writes.clear()
        self._shipping = None
        self._store.rollback()
        if self._moved:
            self._move_head()

    def _move_head(self) -> None:
        self._moved = False
        if self._head_file is not None:
            self._head_file.write(self._head)

    # A chain's life

    def _begin(self) -> None:
        """Start a chain: its head first, then its entry in the register."""
        self.chain = secrets.token_hex(16)
        self._head = self._stored = Head(0, genesis(self.chain))
        self._spool = Spool(self._folder, self.chain, durable=self._durable)
        self._shipping = None
        try:
            self._head_file = HeadFile(self._folder, self.chain, self._sealer) if self._folder else None
        except OSError as error:
            msg = f"the head of the audit trail: {os.strerror(error.errno or 0)}"
            raise StoreUnavailable(msg) from error
        try:
            with self._store.writing() as tx:
                number, mac = rows.register(tx, self._sealer, self.chain, self._clock())
            self._store.commit()
        except BaseException:
            self._store.rollback()
            self._end()
            raise
        if self._folder:
            write_ledger(self._folder, number, mac)

    def _end(self) -> None:
        self._spool.end()
        if self._head_file is not None:
            self._head_file.close(remove=True)

    def _look_again(self, key: str | None) -> None:
        # None comes after a failed commit, a reset and a restore: is the chain still what the database says?
        if key is None and self._check is None:
            self._check = self._stored

    def _settle(self) -> None:
        """Before the chain goes on, find out what became of it: a commit whose answer was lost, a restored or reset database."""
        if self._doubt is not None:
            if self._has(self._doubt):
                self._head = self._stored = self._doubt
                self._moved = True
            self._doubt = None
        if self._store.has_pending:
            # A new chain is not for the middle of a group: asked again at the next flush.
            return
        stored, self._check = self._check, None
        if self._spoilt:
            self._spoilt = False
            self._restart(CLOSED)
        elif stored is not None and not self._has(stored):
            self._restart(RESTORED)

    def _has(self, head: Head) -> bool:
        """Whether the database still has this event of our chain, and the chain itself."""
        reading = self._store.reading()
        if reading.one("SELECT 1 FROM audit_chain WHERE chain = ?", self.chain) is None:
            return False
        sql = "SELECT hash FROM audit_event WHERE chain = ? AND seq = ?"
        row = reading.one(sql, self.chain, head.seq) if head.seq else (head.hash,)
        return row is not None and bytes(row[0]) == head.hash

    def _restart(self, state: int) -> None:
        """End the chain as it stands, what waits in its spool included, and begin another."""
        old, head, lines = self.chain, self._head, self._spool.rotate()
        with self._store.writing() as tx:
            if tx.one("SELECT 1 FROM audit_chain WHERE chain = ?", old) is None:
                rows.register(tx, self._sealer, old, self._clock())
            rows.insert_lines(tx, old, lines)
            rows.store_head(tx, self._sealer, old, head, state)
        self._store.commit()
        self._spool.shipped(len(lines), list(self._spool.full))
        self._end()
        self._begin()
