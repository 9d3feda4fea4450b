"""What other processes left in their spools: read while they live, taken over once they are dead."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from garrison.audit import rows
from garrison.audit.chain import CLOSED, OPEN, RESTORED, Head, head_path, link, read_head
from garrison.audit.ledger import write_ledger
from garrison.audit.spool import audit_folder, read_lines, spool_files
from garrison.core.ports import Sealer, Transaction
from garrison.store import Store

_HEAD = "head-"
_BATCH = 500
"""Events a group while draining: about ten milliseconds of the one writer's lock."""


def gather(store: Store, data_dir: Path) -> int:
    """Copy every spool's lines to the database; how many were read. Files stay: their owners remove them.

    Within a group it becomes part of it; else it commits by itself. Raises StoreUnavailable.
    """
    joined = store.has_pending
    count = 0
    for chain, paths in spool_files(audit_folder(data_dir)).items():
        lines = [line for path in paths for line in read_lines(path)]
        if lines:
            with store.writing() as tx:
                count += rows.insert_lines(tx, chain, lines)
    if not joined:
        store.commit()
    return count


def drain(store: Store, data_dir: Path) -> int:
    """Move every finished spool file to the database, whoever wrote it; how many events. For a background process.

    Finished is a file that its owner has a newer one beside. Commits by itself, in small groups that hold up no writer for long;
    within a group it does nothing. Raises StoreUnavailable.
    """
    if store.has_pending:
        return 0
    count = 0
    for chain, paths in spool_files(audit_folder(data_dir)).items():
        for path in paths[:-1]:
            lines = list(read_lines(path))
            for start in range(0, len(lines), _BATCH):
                with store.writing() as tx:
                    count += rows.insert_lines(tx, chain, lines[start : start + _BATCH])
                store.commit()
            path.unlink(missing_ok=True)
    return count


def adopt(store: Store, data_dir: Path, sealer: Sealer) -> int:
    """Take over the chains of dead processes: their last events, and their heads as final. How many chains.

    Call at the start, before the recorder, and now and then in the background. Commits by itself; within a group, which is
    others' to commit, it does nothing. Raises StoreUnavailable.
    """
    return 0 if store.has_pending else _adopt_all(store, audit_folder(data_dir), sealer, CLOSED)


def _adopt_all(store: Store, folder: Path, sealer: Sealer, end: int) -> int:
    spools = spool_files(folder)
    chains = {path.name[len(_HEAD) :] for path in folder.iterdir() if path.name.startswith(_HEAD)}
    return sum(_adopt_one(store, folder, sealer, chain, spools.get(chain, []), end) for chain in sorted(chains | set(spools)))


def accept_restore(store: Store, data_dir: Path | None, sealer: Sealer) -> int:
    """After an older copy of the state was put back: end the chains that were open in it. How many.

    Their tails are not in the copy, and that is no longer held against it; everything that is there is still checked.
    Call with every other process stopped: a chain that lives is left alone.
    """
    folder = audit_folder(data_dir) if data_dir else None
    count = 0 if folder is None else _adopt_all(store, folder, sealer, RESTORED)
    with store.writing() as tx:
        for (chain,) in tx.all("SELECT chain FROM audit_head WHERE state = ?", OPEN):
            if folder is None or not head_path(folder, chain).exists():
                rows.store_head(tx, sealer, chain, rows.last_event(tx, chain), RESTORED)
                count += 1
        newest = tx.one("SELECT number, mac FROM audit_chain ORDER BY number DESC LIMIT 1")
    store.commit()
    if folder is not None and newest is not None:
        write_ledger(folder, newest[0], bytes(newest[1]), lower=True)
    return count


def _adopt_one(store: Store, folder: Path, sealer: Sealer, chain: str, paths: Sequence[Path], end: int) -> int:
    path = head_path(folder, chain)
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # Spools without a head: another process is just taking them over, or somebody removed it. Their lines are kept.
        return 0
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    else:
        _take_over(store, folder, sealer, chain, paths, end)
        path.unlink(missing_ok=True)
        return 1
    finally:
        os.close(lock)


def _take_over(store: Store, folder: Path, sealer: Sealer, chain: str, paths: Sequence[Path], end: int) -> None:
    """``end``: CLOSED, as far as its head proves; RESTORED, as far as the copy reached that was put back over it."""
    lines = [line for path in paths for line in read_lines(path)]
    head = read_head(head_path(folder, chain), chain, sealer)
    with store.writing() as tx:
        if lines:
            rows.insert_lines(tx, chain, lines)
        stored = rows.stored_head(tx, sealer, chain)
        if stored is not None and stored.state == OPEN and head is not None:
            last = _final(tx, chain, head) if end == CLOSED else rows.last_event(tx, chain)
            rows.store_head(tx, sealer, chain, last, end)
    store.commit()
    for path in paths:
        path.unlink(missing_ok=True)


def _final(tx: Transaction, chain: str, head: Head) -> Head:
    """The end of a dead chain: its head, or the events behind it that its process had no time to note.

    They count only as far as each follows from the one before; whatever does not is left for verification to name.
    """
    sql = "SELECT seq, hash, record, decision FROM audit_event WHERE chain = ? AND seq > ? ORDER BY seq"
    for seq, digest, record, decision in tx.all(sql, chain, head.seq):
        if seq != head.seq + 1 or bytes(digest) != link(head.hash, record.encode(), decision.encode()):
            break
        head = Head(seq, bytes(digest))
    return head
