"""IAM's background work: reports that were asked for, a step at a time, each step a unit of work of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from garrison.audit import Recorder
from garrison.core.errors import CommonError
from garrison.core.ports import Transaction
from garrison.identity.iam import access_jobs, credential_report, last_accessed, organizations_access
from garrison.identity.iam.access_jobs import Kind, Maker
from garrison.store import Store

log = logging.getLogger("garrison.iam")

MAKERS: dict[Kind, Maker] = {"identity": last_accessed.make, "organization": organizations_access.make}
Work = Callable[[Transaction], object]


def due_reports(store: Store, recorder: Recorder, now: float, *, steps: int, settled: float) -> int:
    """Do so many steps of the reports that are to be made, at most; how many were done. Raises StoreUnavailable.

    ``settled``: until when (seconds since the epoch) every event of the trail is in the store; a report on what was done is begun
    only when it was asked for before then. Of two processes that do this work each step is done by one: it is looked at again
    under the store's lock.
    """
    for done in range(steps):
        found = _next(store, now, settled)
        if found is None:
            return done
        _do(store, *found)
        recorder.flush()
    return steps


def _next(store: Store, now: float, settled: float) -> tuple[Work, Work] | None:
    """The next step, and what is done where it fails. Asked without a transaction, which would hold up all writers."""
    reading = store.reading()
    report = credential_report.oldest(reading)
    if report is not None:
        account, after = report
        step = partial(credential_report.make_some, account=account, after=after, now=now)
        return step, partial(credential_report.give_up, account=account)
    job = access_jobs.oldest(reading, settled)
    if job is None:
        return None
    return partial(access_jobs.make_some, job=job, now=now, makers=MAKERS), partial(access_jobs.give_up, job=job, now=now)


def _do(store: Store, step: Work, give_up: Work) -> None:
    try:
        with store.writing() as tx:
            step(tx)
    except CommonError:
        raise
    except Exception:
        # One that fails each time would hold up all others for good.
        log.exception("a report could not be made")
        with store.writing() as tx:
            give_up(tx)
