"""Refusals of Organizations in AWS's words: one place, so that an operation reads as what it does.

Texts: the exceptions' descriptions in the AWS Organizations API Reference, and answers that clients recorded. Each function makes
the error; the caller raises it.
"""

from __future__ import annotations

from garrison.api import organizations as api
from garrison.core.errors import CommonError, ModelledError


def not_in_use() -> api.AWSOrganizationsNotInUseException:
    """The caller's account is in no organization."""
    return api.AWSOrganizationsNotInUseException("Your account is not a member of an organization.")


def denied() -> CommonError:
    """The caller's account may not: it is neither the management account nor a delegated administrator."""
    return CommonError("access_denied", "You don't have permissions to access this resource.")


def invalid(reason: str, message: str = "You specified an invalid value.") -> api.InvalidInputException:
    """A value that no constraint of the model speaks of."""
    return api.InvalidInputException(message, Reason=reason)


def pattern() -> api.InvalidInputException:
    """A value of the wrong form."""
    return invalid("INVALID_PATTERN", "You provided a value that does not match the required pattern.")


def constraint(reason: str, message: str) -> api.ConstraintViolationException:
    """A limit, or a rule about the state of the organization."""
    return api.ConstraintViolationException(message, Reason=reason)


def handshake_constraint(reason: str, message: str) -> api.HandshakeConstraintViolationException:
    """A rule about handshakes."""
    return api.HandshakeConstraintViolationException(message, Reason=reason)


def all_features_needed() -> api.ConstraintViolationException:
    """An organization that only shares bills."""
    return constraint(
        "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE", "This operation requires the organization to be in all features mode."
    )


def account_not_found() -> api.AccountNotFoundException:
    """An account that is not in the organization."""
    return api.AccountNotFoundException("You specified an account that doesn't exist.")


def unit_not_found() -> api.OrganizationalUnitNotFoundException:
    """A unit that is not in the organization."""
    return api.OrganizationalUnitNotFoundException("You specified an organizational unit that doesn't exist.")


def parent_not_found() -> api.ParentNotFoundException:
    """A root or unit that is not in the organization."""
    return api.ParentNotFoundException("You specified parent that doesn't exist.")


def root_not_found() -> api.RootNotFoundException:
    """A root that is not the organization's."""
    return api.RootNotFoundException("You specified a root that doesn't exist.")


def target_not_found() -> api.TargetNotFoundException:
    """A root, unit, account or other resource that is not in the organization."""
    return api.TargetNotFoundException("You specified a target that doesn't exist.")


def policy_not_found() -> api.PolicyNotFoundException:
    """A policy that is not in the organization."""
    return api.PolicyNotFoundException("You specified a policy that doesn't exist.")


def type_not_enabled() -> api.PolicyTypeNotEnabledException:
    """A type of policy that is not enabled in the root."""
    return api.PolicyTypeNotEnabledException("This operation can be performed only for enabled policy types.")


def malformed() -> api.MalformedPolicyDocumentException:
    """Content that is not of the policy's type."""
    return api.MalformedPolicyDocumentException(
        "The provided policy document does not meet the requirements of the specified policy type."
    )


def handshake_not_found() -> api.HandshakeNotFoundException:
    """A handshake that does not exist, or is none of the caller's business."""
    return api.HandshakeNotFoundException("You specified a handshake that doesn't exist.")


def master_cannot_leave() -> ModelledError:
    """The management account stays as long as its organization."""
    return api.MasterCannotLeaveOrganizationException(
        "You can't remove a management account from an organization. If you want the management account to become a member"
        " account in another organization, you must first delete the current organization of the management account."
    )


def delegated_cannot_leave() -> api.ConstraintViolationException:
    """A delegated administrator stays until it is deregistered."""
    return constraint(
        "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
        "This account is registered as a delegated administrator. Deregister it first.",
    )


def wait_period(days: int) -> api.ConstraintViolationException:
    """An account that the organization made is too young to leave it."""
    return constraint(
        "WAIT_PERIOD_ACTIVE", f"You can't remove an account from an organization until {days} days after it was created."
    )
