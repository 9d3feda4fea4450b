"""GetHumanReadableSummary: AWS has a language model write it. There is none here, and the answer says so in AWS's own word.

Source: IAM API Reference, GetHumanReadableSummary. Who may have a summary is who may have the request itself.
"""

from __future__ import annotations

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam import errors
from garrison.identity.iam.delegation_targets import entity_id, entity_target, visible

_DEFAULT_LOCALE = "en"


@operation("iam", resource=entity_target, read=True)
def get_human_readable_summary(ctx: Context, req: api.GetHumanReadableSummaryRequest) -> api.GetHumanReadableSummaryResponse:
    """That no summary is to be had of a delegation request. Raises InvalidInput (another entity), NoSuchEntity."""
    request_id = entity_id(req.entity_arn)
    if not request_id:
        message = f"The entity {req.entity_arn} is not supported: only delegation-request is."
        raise api.InvalidInputException(message)
    if visible(ctx, request_id) is None:
        raise errors.not_found("delegation request", request_id)
    return api.GetHumanReadableSummaryResponse(
        summary_content="", locale=req.locale or _DEFAULT_LOCALE, summary_state="NOT_SUPPORTED"
    )
