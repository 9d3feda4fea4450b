"""The credential report of an account: asked for, made in the background, read for four hours.

It is made a page of users at a time, so that 10,000 users take no more memory than 500 and no call waits for it.
Source: IAM API Reference, "GenerateCredentialReport", "GetCredentialReport"; IAM User Guide, "Generate credential reports".
"""

from __future__ import annotations

from typing import NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.core.ports import Transaction
from garrison.identity.iam.credential_lines import header, root_line, user_lines
from garrison.identity.iam.targets import anything, noted

GOOD_FOR = 4 * 3600
"""Seconds in which a report is given out again instead of another being made."""
USERS_AT_ONCE = 500
_LINES_AT_ONCE = 1000
MAKING, MADE = "INPROGRESS", "COMPLETE"


class _Report(NamedTuple):
    state: str
    started: float
    after_id: str
    generated: float | None

    def good(self, now: float) -> bool:
        """Whether it is made, and not too old."""
        return self.generated is not None and now < self.generated + GOOD_FOR


@operation("iam", resource=anything, read=True, writes=noted)
def generate_credential_report(ctx: Context, _req: object) -> api.GenerateCredentialReportResponse:
    """Have a report made where there is none of the last four hours; how far it is."""
    report = _find(ctx.tx, ctx.account)
    if report is not None and report.good(ctx.now):
        return api.GenerateCredentialReportResponse(state=MADE)
    if report is not None and report.state == MAKING:
        return api.GenerateCredentialReportResponse(state=MAKING)
    _forget(ctx.tx, ctx.account)
    ctx.tx.run(
        "INSERT INTO iam_credential_report (account, state, started, after_id) VALUES (?, ?, ?, '')", ctx.account, MAKING, ctx.now
    )
    why = "No report exists" if report is None else "The most recent report has expired"
    return api.GenerateCredentialReportResponse(state="STARTED", description=f"{why}. Starting a new report generation task")


@operation("iam", resource=anything, read=True)
def get_credential_report(ctx: Context, _req: object) -> api.GetCredentialReportResponse:
    """The report as CSV. Raises ReportNotPresent, ReportInProgress, ReportExpired."""
    report = _find(ctx.tx, ctx.account)
    if report is None:
        raise api.CredentialReportNotPresentException("No report is present. Use GenerateCredentialReport to make one.")
    if report.generated is None:
        raise api.CredentialReportNotReadyException("Report generation is in progress.")
    if not report.good(ctx.now):
        raise api.CredentialReportExpiredException("The report has expired. Use GenerateCredentialReport to make a new one.")
    parts = ctx.tx.all("SELECT content FROM iam_credential_report_part WHERE account = ? ORDER BY number", ctx.account)
    content = "\n".join(part for (part,) in parts).encode()
    return api.GetCredentialReportResponse(content=content, report_format="text/csv", generated_time=report.generated)


def oldest(tx: Transaction) -> tuple[str, str] | None:
    """Account and last user done of the first of the reports that are to be made."""
    row = tx.one("SELECT account, after_id FROM iam_credential_report WHERE state = ? ORDER BY started LIMIT 1", MAKING)
    return None if row is None else (row[0], row[1])


def make_some(tx: Transaction, account: str, after: str, now: float) -> None:
    """One step of a report: a page of users, or the end. Nothing where another process has done it meanwhile."""
    found = _find(tx, account)
    if found is None or (found.state, found.after_id) != (MAKING, after):
        return
    lines = list(user_lines(tx, account, after, USERS_AT_ONCE))
    for user, line in lines:
        _keep(tx, account, user.name.lower(), user.id, line)
    if len(lines) == USERS_AT_ONCE:
        tx.run("UPDATE iam_credential_report SET after_id = ? WHERE account = ?", lines[-1][0].id, account)
        return
    _keep(tx, account, "", account, root_line(tx, account))
    _put_together(tx, account)
    tx.run("UPDATE iam_credential_report SET state = ?, generated = ? WHERE account = ?", MADE, float(int(now)), account)


def give_up(tx: Transaction, account: str) -> None:
    """A report that could not be made, for a fault of the program's: it is as if it had not been asked for."""
    _forget(tx, account)


def _keep(tx: Transaction, account: str, folded: str, owner_id: str, line: str) -> None:
    tx.run(
        "INSERT INTO iam_credential_report_line (account, name_folded, owner_id, line) VALUES (?, ?, ?, ?)",
        account,
        folded,
        owner_id,
        line,
    )


def _put_together(tx: Transaction, account: str) -> None:
    """Lines become parts: the header, the root user, then users by name."""
    number, after = 0, ("", "")
    _part(tx, account, number, header())
    while lines := tx.all(
        "SELECT name_folded, owner_id, line FROM iam_credential_report_line"
        " WHERE account = ? AND (name_folded, owner_id) > (?, ?) ORDER BY name_folded, owner_id LIMIT ?",
        account,
        *after,
        _LINES_AT_ONCE,
    ):
        number += 1
        _part(tx, account, number, "\n".join(line for _, _, line in lines))
        after = (lines[-1][0], lines[-1][1])
    tx.run("DELETE FROM iam_credential_report_line WHERE account = ?", account)


def _part(tx: Transaction, account: str, number: int, content: str) -> None:
    tx.run("INSERT INTO iam_credential_report_part (account, number, content) VALUES (?, ?, ?)", account, number, content)


def _find(tx: Transaction, account: str) -> _Report | None:
    row = tx.one("SELECT state, started, after_id, generated FROM iam_credential_report WHERE account = ?", account)
    return _Report(*row) if row else None


def _forget(tx: Transaction, account: str) -> None:
    for table in ("iam_credential_report", "iam_credential_report_line", "iam_credential_report_part"):
        tx.run(f"DELETE FROM {table} WHERE account = ?", account)  # noqa: S608 - this module's own tables
