"""When identities last used which services and actions, out of the audit trail; and which policies let them.

Sources: IAM API Reference, the operations named here; IAM User Guide, "Refine permissions using last accessed information".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import Target, operation
from garrison.core.ports import Transaction
from garrison.identity.iam import access_jobs
from garrison.identity.iam.access_jobs import Job, Line, Tried
from garrison.identity.iam.access_subjects import (
    Last,
    Where,
    entities_of,
    entity_arn,
    last_by_action,
    last_by_service,
    subject_of,
)
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.service_access import reach, reachable, reachable_actions
from garrison.identity.iam.services import service_names
from garrison.identity.iam.sources import Place, Source, identity_sources, source_owner
from garrison.identity.iam.targets import Asked, anything, noted

ACTIONS = "ACTION_LEVEL"


def subject_target(ctx: Context, req: Asked) -> Target:
    """The user, group, role or managed policy of ``Arn``."""
    return Target(req.arn, ctx.account)


@operation("iam", resource=subject_target, read=True, writes=noted)
def generate_service_last_accessed_details(
    ctx: Context, req: api.GenerateServiceLastAccessedDetailsRequest
) -> api.GenerateServiceLastAccessedDetailsResponse:
    """Have a report made on a user, group, role or managed policy. Raises NoSuchEntity, InvalidInput."""
    subject_of(ctx, req.arn)
    job_id = access_jobs.ask(ctx, "identity", req.arn, req.granularity or "SERVICE_LEVEL")
    return api.GenerateServiceLastAccessedDetailsResponse(job_id=job_id)


@operation("iam", resource=anything, read=True)
def get_service_last_accessed_details(
    ctx: Context, req: api.GetServiceLastAccessedDetailsRequest
) -> api.GetServiceLastAccessedDetailsResponse:
    """A report: every service that the policies reach, by namespace, with its last use. Raises NoSuchEntity."""
    job = access_jobs.asked(ctx, "identity", req.job_id)
    page = Pager(ctx, req, job.job_id).cut(access_jobs.lines_of(job), lambda line: line.service)
    return api.GetServiceLastAccessedDetailsResponse(
        job_status=job.status,
        job_type=job.detail,
        job_creation_date=job.created,
        job_completion_date=cast("float", job.completed),  # AWS leaves it out until then
        services_last_accessed=[_shown(line) for line in page.items],
        is_truncated=page.truncated,
        marker=page.marker,
        error=job.error,
    )


@operation("iam", resource=anything, read=True)
def get_service_last_accessed_details_with_entities(
    ctx: Context, req: api.GetServiceLastAccessedDetailsWithEntitiesRequest
) -> api.GetServiceLastAccessedDetailsWithEntitiesResponse:
    """Who of a report's group or policy could have used a service, and when each last did. Raises NoSuchEntity, InvalidInput."""
    job = access_jobs.asked(ctx, "identity", req.job_id)
    if req.service_namespace not in service_names():
        raise api.InvalidInputException(f"Service namespace {req.service_namespace} is not valid.")
    pager = Pager(ctx, req, job.job_id, req.service_namespace)
    found = entities_of(ctx, subject_of(ctx, job.subject), req.service_namespace) if job.status == access_jobs.DONE else []
    numbered = [(f"{number:06}", entity) for number, entity in enumerate(found)]
    page = pager.cut(numbered, lambda one: one[0])
    return api.GetServiceLastAccessedDetailsWithEntitiesResponse(
        job_status=job.status,
        job_creation_date=job.created,
        job_completion_date=cast("float", job.completed),  # as above
        entity_details_list=[
            api.EntityDetails(
                entity_info=api.EntityInfo(arn=one.arn, name=one.name, type=one.kind, id=one.id, path=one.path),
                last_authenticated=one.last,
            )
            for _, one in page.items
        ],
        is_truncated=page.truncated,
        marker=page.marker,
        error=job.error,
    )


@operation("iam", resource=subject_target, read=True)
def list_policies_granting_service_access(
    ctx: Context, req: api.ListPoliciesGrantingServiceAccessRequest
) -> api.ListPoliciesGrantingServiceAccessResponse:
    """Which policies of a user, group or role reach each of these services. Raises NoSuchEntity, InvalidInput."""
    sources = identity_sources(ctx, source_owner(ctx, req.arn))
    entries = [
        api.ListPoliciesGrantingServiceAccessEntry(service_namespace=service, policies=_granting(sources, service))
        for service in req.service_namespaces
    ]
    return api.ListPoliciesGrantingServiceAccessResponse(policies_granting_service_access=entries, is_truncated=False)


def make(tx: Transaction, job: Job) -> list[Line]:
    """A report of one identity. Raises access_jobs.Refused where it is gone."""
    place = Where(tx, job.account)
    try:
        subject = subject_of(place, job.subject)
    except (api.NoSuchEntityException, api.InvalidInputException) as error:
        raise access_jobs.Refused("NoSuchEntity", str(error)) from error
    used = last_by_service(place, subject)
    tried = last_by_action(place, subject) if job.detail == ACTIONS else {}
    return [
        _line(
            place,
            service,
            used.get(service),
            [_tried(place, name, tried.get((service, name))) for name in reachable_actions(subject.policies, service)]
            if job.detail == ACTIONS
            else None,
        )
        for service in sorted(reachable(subject.policies))
    ]


def _line(place: Place, service: str, last: Last | None, actions: list[Tried] | None) -> Line:
    if last is None:
        return Line(service, actions=actions)
    return Line(service, last.at, entity_arn(place, last.entity_id), last.region, last.total, actions)


def _tried(place: Place, name: str, last: Last | None) -> Tried:
    return Tried(name) if last is None else Tried(name, last.at, entity_arn(place, last.entity_id), last.region)


def _shown(line: Line) -> api.ServiceLastAccessed:
    return api.ServiceLastAccessed(
        service_name=service_names()[line.service],
        service_namespace=line.service,
        last_authenticated=line.at,
        last_authenticated_entity=line.arn,
        last_authenticated_region=line.region,
        total_authenticated_entities=line.total,
        tracked_actions_last_accessed=None
        if line.actions is None
        else [
            api.TrackedActionLastAccessed(
                action_name=one.action, last_accessed_entity=one.arn, last_accessed_time=one.at, last_accessed_region=one.region
            )
            for one in line.actions
        ],
    )


def _granting(sources: Sequence[Source], service: str) -> list[api.PolicyGrantingServiceAccess]:
    if service not in reachable(reach(source.text) for source in sources):
        return []
    return [_policy(source) for source in sources if service in reach(source.text).services]


def _policy(source: Source) -> api.PolicyGrantingServiceAccess:
    if source.inline is None:
        return api.PolicyGrantingServiceAccess(policy_name=source.id, policy_type="MANAGED", policy_arn=source.arn)
    kind, owner, name = source.inline
    return api.PolicyGrantingServiceAccess(policy_name=name, policy_type="INLINE", entity_type=kind.upper(), entity_name=owner)
