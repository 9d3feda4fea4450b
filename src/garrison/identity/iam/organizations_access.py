"""When the accounts of an organization last used the services that its service control policies leave them.

Source: IAM API Reference, "GenerateOrganizationsAccessReport", "GetOrganizationsAccessReport"; IAM User Guide, "Refine
permissions using last accessed information", the part on AWS Organizations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import Keys, Target, operation
from garrison.core.ports import Transaction
from garrison.identity.iam import access_jobs
from garrison.identity.iam.access_jobs import Job, Line, Refused
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.service_access import reach, reachable
from garrison.identity.iam.services import service_names
from garrison.identity.iam.targets import anything, noted
from garrison.identity.memberships import AWS_CONTENT, SCP, ancestors

_ACCOUNT_DIGITS = 12


class _Organization(NamedTuple):
    id: str
    root: str


def report_target(ctx: Context, req: api.GenerateOrganizationsAccessReportRequest) -> Target:
    """The entity as a resource: ``arn:aws:iam::111122223333:access-report/o-…/r-…/ou-…``."""
    return Target(f"arn:aws:iam::{ctx.account}:access-report/{req.entity_path}", ctx.account)


def policy_key(_ctx: Context, req: api.GenerateOrganizationsAccessReportRequest) -> Keys:
    """``iam:OrganizationsPolicyId``."""
    return {"iam:OrganizationsPolicyId": req.organizations_policy_id} if req.organizations_policy_id else {}


@operation("iam", resource=report_target, context=policy_key, read=True, writes=noted)
def generate_organizations_access_report(
    ctx: Context, req: api.GenerateOrganizationsAccessReportRequest
) -> api.GenerateOrganizationsAccessReportResponse:
    """Have a report made on a root, an organizational unit or an account; on what one policy leaves them, where it is named.

    Raises AccessDenied for everybody but the management account, ValidationError for a path that is not there.
    """
    found = _managed_by(ctx.tx, ctx.account)
    if found is None:
        raise CommonError(
            "access_denied",
            f"User: {ctx.principal.arn} is not authorized to perform: iam:{ctx.operation} on resource:"
            f" {report_target(ctx, req).arn}: only the management account of an organization may",
        )
    if not _is_there(ctx.tx, found, req.entity_path):
        raise CommonError("validation", f"The entity path {req.entity_path} is not valid.")
    job_id = access_jobs.ask(ctx, "organization", req.entity_path, req.organizations_policy_id or "")
    return api.GenerateOrganizationsAccessReportResponse(job_id=job_id)


@operation("iam", resource=anything, read=True)
def get_organizations_access_report(
    ctx: Context, req: api.GetOrganizationsAccessReportRequest
) -> api.GetOrganizationsAccessReportResponse:
    """A report: every service that the policies leave, with its last use by any of the accounts. Raises NoSuchEntity."""
    job = access_jobs.asked(ctx, "organization", req.job_id)
    lines = _sorted(access_jobs.lines_of(job), req.sort_key or "SERVICE_NAMESPACE_ASCENDING")
    numbered = [(f"{number:06}", line) for number, line in enumerate(lines)]
    page = Pager(ctx, req, job.job_id, req.sort_key).cut(numbered, lambda one: one[0])
    done = job.status == access_jobs.DONE
    return api.GetOrganizationsAccessReportResponse(
        job_status=job.status,
        job_creation_date=job.created,
        job_completion_date=job.completed,
        number_of_services_accessible=len(lines) if done else None,
        number_of_services_not_accessed=sum(line.at is None for line in lines) if done else None,
        access_details=[_shown(line) for _, line in page.items],
        is_truncated=page.truncated,
        marker=page.marker,
        error_details=job.error,
    )


def make(tx: Transaction, job: Job) -> list[Line]:
    """A report on one entity. Raises Refused where its organization or policy is gone, or SCPs are not enabled."""
    found = _managed_by(tx, job.account)
    if found is None or not _is_there(tx, found, job.subject):
        raise Refused("NoSuchEntity", "The organization entity cannot be found.")
    if tx.one("SELECT 1 FROM org_policy_type WHERE organization = ? AND type = ?", found.id, SCP) is None:
        raise Refused("PolicyTypeNotEnabled", "Service control policies are not enabled in the root of the organization.")
    services = _left_by_policy(tx, found, job.detail) if job.detail else _left_by_levels(tx, found, job.subject)
    paths = _accounts_below(tx, found, job.subject)
    last = _last(tx, list(paths))
    return [_line(service, last.get(service), paths) for service in sorted(services)]


def _line(service: str, last: tuple[Any, ...] | None, paths: Mapping[str, str]) -> Line:
    if last is None:
        return Line(service)
    account, at, region, total = last
    return Line(service, at, paths[account], region, total)


def _left_by_policy(tx: Transaction, found: _Organization, policy: str) -> frozenset[str]:
    row = tx.one("SELECT content FROM org_policy WHERE organization = ? AND policy_id = ? AND type = ?", found.id, policy, SCP)
    text = row[0] if row else AWS_CONTENT.get(policy)
    if text is None:
        raise Refused("NoSuchEntity", f"The policy {policy} cannot be found.")
    return reachable([reach(text, "scp")])


def _left_by_levels(tx: Transaction, found: _Organization, path: str) -> frozenset[str]:
    """What every level from the root down allows: a service that one of them does not is out of reach."""
    left = frozenset(service_names())
    for node in path.strip("/").split("/")[1:]:
        rows = tx.all(
            "SELECT a.policy_id, p.content FROM org_attachment a LEFT JOIN org_policy p ON p.policy_id = a.policy_id"
            " WHERE a.organization = ? AND a.target_id = ? AND a.type = ?",
            found.id,
            node,
            SCP,
        )
        left &= reachable(reach(content or AWS_CONTENT.get(policy, ""), "scp") for policy, content in rows)
    return left


def _accounts_below(tx: Transaction, found: _Organization, path: str) -> dict[str, str]:
    """The accounts of an entity by number, each with its path."""
    rows = tx.all("SELECT account, parent_id FROM org_account WHERE organization = ?", found.id)
    parents: dict[str, str] = {}
    for parent in {parent for _, parent in rows}:
        parents[parent] = "/".join((found.id, *ancestors(tx, parent)))
    all_paths = {account: f"{parents[parent]}/{account}" for account, parent in rows}
    within = path.strip("/")
    return {account: one for account, one in all_paths.items() if one == within or one.startswith(f"{within}/")}


def _last(tx: Transaction, accounts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """By service: the account that used it last, when, in which Region, and how many accounts did."""
    if not accounts:
        return {}
    listed = ", ".join("?" * len(accounts))
    totals: dict[str, tuple[Any, ...]] = {
        service: (newest, total)
        for service, newest, total in tx.all(
            f"SELECT service, MAX(at), COUNT(DISTINCT account) FROM iam_last_access WHERE account IN ({listed}) GROUP BY service",  # noqa: S608 - question marks
            *accounts,
        )
    }
    found: dict[str, tuple[Any, ...]] = {}
    for service, (newest, total) in totals.items():
        row = tx.one(
            f"SELECT account, region FROM iam_last_access WHERE service = ? AND at = ? AND account IN ({listed})"  # noqa: S608 - the same
            " ORDER BY account LIMIT 1",
            service,
            newest,
            *accounts,
        )
        if row is not None:
            found[service] = (row[0], newest, row[1], total)
    return found


def _managed_by(tx: Transaction, account: str) -> _Organization | None:
    row = tx.one("SELECT organization, root_id FROM org_organization WHERE management = ?", account)
    return _Organization(*row) if row else None


def _is_there(tx: Transaction, found: _Organization, path: str) -> bool:
    """Whether a path is that of a root, unit or account of the organization."""
    organization, *nodes = path.strip("/").split("/")
    if organization != found.id or not nodes:
        return False
    if len(nodes[-1]) == _ACCOUNT_DIGITS and nodes[-1].isdecimal():
        row = tx.one("SELECT parent_id FROM org_account WHERE organization = ? AND account = ?", found.id, nodes.pop())
        if row is None or row[0] != nodes[-1]:
            return False
    unit = nodes[-1] == found.root or tx.one("SELECT 1 FROM org_unit WHERE organization = ? AND unit_id = ?", found.id, nodes[-1])
    return bool(unit) and tuple(nodes) == ancestors(tx, nodes[-1])


_ORDERS: dict[str, Callable[[Line], Any]] = {
    "SERVICE_NAMESPACE": lambda line: line.service,
    "LAST_AUTHENTICATED_TIME": lambda line: (line.at or 0.0, line.service),
}


def _sorted(lines: list[Line], key: str) -> list[Line]:
    name, _, direction = key.rpartition("_")
    return sorted(lines, key=_ORDERS[name], reverse=direction == "DESCENDING")


def _shown(line: Line) -> api.AccessDetail:
    return api.AccessDetail(
        service_name=service_names()[line.service],
        service_namespace=line.service,
        region=line.region,
        entity_path=line.arn,
        last_authenticated_time=line.at,
        total_authenticated_entities=line.total,
    )
