"""Reports on last access: asked for by a call, made in the background, read by who asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.ports import Transaction, Value
from garrison.identity.iam import trail_uses

DAYS = 1
"""How long a report is kept."""
TRACKED_DAYS = 400
"""How far back reports go (IAM User Guide, "Refine permissions using last accessed information")."""
PER_ACCOUNT = 100
"""Reports of an account that are kept; the oldest one makes room."""
RUNNING, DONE, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"
Kind = Literal["identity", "organization"]

_COLUMNS = (
    "account, job_id, kind, subject, detail, requested_by, status, created, until, completed, error_code, error_message, result"
)


class Job(NamedTuple):
    """A row of iam_access_job."""

    account: str
    job_id: str
    kind: Kind
    subject: str
    detail: str
    requested_by: str
    status: str
    created: float
    until: int | None
    completed: float | None
    error_code: str
    error_message: str
    result: str

    @property
    def error(self) -> api.ErrorDetails | None:
        """Why it failed."""
        return api.ErrorDetails(message=self.error_message, code=self.error_code) if self.error_code else None


class Refused(Exception):  # noqa: N818 - the job's own refusal, no fault of the program
    """A report that cannot be made; code and message stand in its answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Tried(msgspec.Struct, omit_defaults=True):
    """One action of a service."""

    action: str
    at: float | None = None
    arn: str | None = None
    region: str | None = None


class Line(msgspec.Struct, omit_defaults=True):
    """One service of a report."""

    service: str
    at: float | None = None
    arn: str | None = None
    """The last entity; of an organization: its path."""
    region: str | None = None
    total: int = 0
    actions: list[Tried] | None = None


Maker = Callable[[Transaction, Job], Sequence[Line]]
"""Makes a report. Raises Refused."""


def ask(ctx: Context, kind: Kind, subject: str, detail: str) -> str:
    """Have a report made; its id. One that is under way for the same caller is not asked for twice."""
    requested_by = ctx.principal.id or ctx.account
    row = ctx.tx.one(
        "SELECT job_id FROM iam_access_job WHERE account = ? AND kind = ? AND subject = ? AND detail = ? AND requested_by = ?"
        " AND status = ?",
        ctx.account,
        kind,
        subject,
        detail,
        requested_by,
        RUNNING,
    )
    if row is not None:
        return str(row[0])
    _make_room(ctx.tx, ctx.account)
    job = Job(ctx.account, ctx.uuid(), kind, subject, detail, requested_by, RUNNING, ctx.now, None, None, "", "", "")
    ctx.tx.run(f"INSERT INTO iam_access_job ({_COLUMNS}) VALUES ({', '.join('?' * len(job))})", *job)  # noqa: S608 - constant columns
    return job.job_id


def asked(ctx: Context, kind: Kind, job_id: str) -> Job:
    """The caller's own report. Raises NoSuchEntity, also for one of somebody else's."""
    row = ctx.tx.one(
        f"SELECT {_COLUMNS} FROM iam_access_job WHERE account = ? AND job_id = ? AND kind = ? AND requested_by = ?",  # noqa: S608 - the same
        ctx.account,
        job_id,
        kind,
        ctx.principal.id or ctx.account,
    )
    if row is None:
        raise api.NoSuchEntityException(f"Job with id {job_id} cannot be found.")
    return Job(*row)


def lines_of(job: Job) -> list[Line]:
    """A completed report's lines; none of another."""
    return msgspec.json.decode(job.result, type=list[Line]) if job.result else []


def oldest(tx: Transaction, until: float) -> Job | None:
    """The first of the reports that were asked for by then and are not made."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM iam_access_job WHERE status = ? AND created <= ? ORDER BY created, job_id LIMIT 1",  # noqa: S608 - the same
        RUNNING,
        until,
    )
    return Job(*row) if row else None


def make_some(tx: Transaction, job: Job, now: float, makers: dict[Kind, Maker]) -> None:
    """One step of a report. Nothing where another process has done it meanwhile."""
    found = tx.one("SELECT status, until FROM iam_access_job WHERE account = ? AND job_id = ?", job.account, job.job_id)
    if found != (RUNNING, job.until):
        return
    if job.until is None:
        trail_uses.begin(tx)
        _set(tx, job, until=trail_uses.newest(tx))
    elif not trail_uses.follow(tx, job.until):
        _finish(tx, job, now, makers[job.kind])


def give_up(tx: Transaction, job: Job, now: float) -> None:
    """A report that could not be made, for a fault of the program's."""
    _set(tx, job, status=FAILED, completed=float(int(now)), error_code="ServiceFailure", error_message="The report failed.")


def forget_old(tx: Transaction, now: float) -> int:
    """Drop the reports whose time is over, and what was tried too long ago to be reported; how many reports."""
    tx.run("DELETE FROM iam_last_access WHERE at < ?", now - TRACKED_DAYS * 86_400)
    return tx.run("DELETE FROM iam_access_job WHERE status <> ? AND created < ?", RUNNING, now - DAYS * 86_400)


def _finish(tx: Transaction, job: Job, now: float, maker: Maker) -> None:
    ended = float(int(now))
    forget_old(tx, now)
    try:
        lines = maker(tx, job)
    except Refused as error:
        _set(tx, job, status=FAILED, completed=ended, error_code=error.code, error_message=str(error))
    else:
        _set(tx, job, status=DONE, completed=ended, result=msgspec.json.encode(list(lines)).decode())


def _set(tx: Transaction, job: Job, **columns: Value) -> None:
    words = ", ".join(f"{name} = ?" for name in columns)
    tx.run(
        f"UPDATE iam_access_job SET {words} WHERE account = ? AND job_id = ?",  # noqa: S608 - names of the caller's own
        *columns.values(),
        job.account,
        job.job_id,
    )


def _make_room(tx: Transaction, account: str) -> None:
    kept = tx.all(
        "SELECT job_id FROM iam_access_job WHERE account = ? ORDER BY created DESC, job_id LIMIT ?", account, PER_ACCOUNT - 1
    )
    if len(kept) == PER_ACCOUNT - 1:
        listed = ", ".join("?" * len(kept))
        tx.run(
            f"DELETE FROM iam_access_job WHERE account = ? AND job_id NOT IN ({listed})",  # noqa: S608 - question marks
            account,
            *(job_id for (job_id,) in kept),
        )
