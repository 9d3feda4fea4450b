"""AWS WAF's refusals in AWS's words. Each function makes the error; the caller raises.

Texts recorded on AWS (public reports of users and tools), else those of the API reference.
"""

# ruff: noqa: RUF001 - AWS's own apostrophes

from __future__ import annotations

from garrison.api import wafv2 as api
from garrison.edge.inspect import InvalidParameter

PARAMETER = 2048
"""Characters of a value that an error repeats."""
LIMIT = "AWS WAF couldn’t perform the operation because you exceeded your resource limit."
TOO_MUCH = "You exceeded the capacity limit for a rule group or web ACL."
SCOPE = "The scope is not valid."
ARN = "The ARN isn't valid. A valid ARN begins with arn: and includes other information separated by colons or slashes."


def invalid(field: str, parameter: str, reason: str) -> api.WAFInvalidParameterException:
    """A parameter that AWS WAF does not take. ``field`` is one of ``ParameterExceptionField``."""
    shown = parameter[:PARAMETER] or field
    return api.WAFInvalidParameterException(
        f"Error reason: {reason}, field: {field}, parameter: {shown}", Field=field, Parameter=shown, Reason=reason
    )


def marker() -> api.WAFInvalidParameterException:
    """A marker that is not one of the list that it is given to. The model has no field for it."""
    reason = "The next marker is not valid."
    return api.WAFInvalidParameterException(
        f"Error reason: {reason}, parameter: NextMarker", Parameter="NextMarker", Reason=reason
    )


def refused(error: InvalidParameter) -> api.WAFInvalidParameterException:
    """What the engine refuses."""
    return invalid(error.field, error.parameter, error.reason)


def nonexistent() -> api.WAFNonexistentItemException:
    """Something that is not there."""
    return api.WAFNonexistentItemException("AWS WAF couldn’t perform the operation because your resource doesn’t exist.")


def duplicate() -> api.WAFDuplicateItemException:
    """A name that is taken."""
    return api.WAFDuplicateItemException(
        "AWS WAF couldn’t perform the operation because some resource in your request is a duplicate of an existing one."
    )


def optimistic_lock() -> api.WAFOptimisticLockException:
    """A lock token that is not the present one."""
    return api.WAFOptimisticLockException(
        "AWS WAF couldn’t save your changes because someone changed the resource after you started to edit it. "
        "Reapply your changes."
    )


def associated() -> api.WAFAssociatedItemException:
    """Something that is used, and so cannot be deleted."""
    return api.WAFAssociatedItemException(
        "AWS WAF couldn’t perform the operation because your resource is being used by another resource or it’s associated with "
        "another resource."
    )


def limit(what: str) -> api.WAFLimitsExceededException:
    """More than the quota. ``what`` is a member that clients show (``SourceType``)."""
    return api.WAFLimitsExceededException(LIMIT, SourceType=what)


def invalid_operation(text: str = "The operation isn't valid.") -> api.WAFInvalidOperationException:
    """An operation that cannot be."""
    return api.WAFInvalidOperationException(text)


def tag_operation(
    text: str = "An error occurred during the tagging operation. Retry your request.",
) -> api.WAFTagOperationException:
    """Tags that cannot be."""
    return api.WAFTagOperationException(text)


def invalid_policy(why: str) -> api.WAFInvalidPermissionPolicyException:
    """A permission policy that is not one of those that a rule group takes."""
    return api.WAFInvalidPermissionPolicyException(
        f"The operation failed because the specified policy isn't in the proper format: {why}"
    )


def log_destination() -> api.WAFLogDestinationPermissionIssueException:
    """A destination that is not there, or that logs may not be written to."""
    return api.WAFLogDestinationPermissionIssueException(
        "The operation failed because you don't have the permissions that your logging configuration requires. Unable to deliver "
        "logs to the configured destination."
    )


def unsupported_keys() -> api.WAFUnsupportedAggregateKeyTypeException:
    """A rate-based rule that aggregates on something else than addresses."""
    return api.WAFUnsupportedAggregateKeyTypeException(
        "The rule that you've named doesn't aggregate solely on the IP address or solely on the forwarded IP address. "
        "This call is only available for rate-based rules with an AggregateKeyType setting of IP or FORWARDED_IP."
    )


def not_included() -> api.WAFInvalidOperationException:
    """Settings of something that is not here: payments for access, analyses by other services."""
    return invalid_operation("Your request contains fields that belong to a feature you are not allowed to use.")
