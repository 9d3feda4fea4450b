"""IAM's refusals in AWS's words: one place, so that an operation reads as what it does.

Texts as AWS answered them in 2023 to 2026 (recorded public snapshots and reports). Each function makes the error; the caller
raises it.
"""

from __future__ import annotations

from garrison.api import iam as api
from garrison.core.errors import CommonError


def not_found(kind: str, name: str) -> api.NoSuchEntityException:
    """``The user with name x cannot be found.``; ``kind`` is user, group, role, user policy, ..."""
    return api.NoSuchEntityException(f"The {kind} with name {name} cannot be found.")


def exists(kind: str, name: str) -> api.EntityAlreadyExistsException:
    """A name that is taken: ``User with name x already exists``."""
    return api.EntityAlreadyExistsException(f"{kind} with name {name} already exists.")


def named_not_found(kind: str, name: str) -> api.NoSuchEntityException:
    """What is called by its kind: ``Instance Profile x cannot be found.``."""
    return api.NoSuchEntityException(f"{kind} {name} cannot be found.")


def named_exists(kind: str, name: str) -> api.EntityAlreadyExistsException:
    """The same for a name that is taken."""
    return api.EntityAlreadyExistsException(f"{kind} {name} already exists.")


def exists_with_article(kind: str, name: str) -> api.EntityAlreadyExistsException:
    """``The Server Certificate with name x already exists.``, as AWS says it of some kinds."""
    return api.EntityAlreadyExistsException(f"The {kind} with name {name} already exists.")


def policy_not_found(arn: str) -> api.NoSuchEntityException:
    """Reading, tagging, detaching or deleting a managed policy that is not there."""
    return api.NoSuchEntityException(f"Policy {arn} was not found.")


def policy_not_attachable(arn: str) -> api.NoSuchEntityException:
    """Attaching a managed policy that is not there."""
    return api.NoSuchEntityException(f"Policy {arn} does not exist or is not attachable.")


def version_not_found(arn: str, version: str) -> api.NoSuchEntityException:
    """A version that a managed policy does not have, or a policy that is not there."""
    return api.NoSuchEntityException(f"Policy {arn} version {version} does not exist or is not attachable.")


def boundary_not_found(arn: str) -> api.NoSuchEntityException:
    """A permissions boundary that names no policy."""
    return api.NoSuchEntityException(f"Scope ARN: {arn} does not exist or is not attachable.")


def no_login_profile(name: str) -> api.NoSuchEntityException:
    """A user without a password."""
    return api.NoSuchEntityException(f"Login Profile for User {name} cannot be found.")


def no_mfa_device(serial: str) -> api.NoSuchEntityException:
    """An MFA device that is not there."""
    kind = "VirtualMFADevice" if ":mfa/" in serial else "MFADevice"
    return api.NoSuchEntityException(f"{kind} with serial number {serial} does not exist.")


def login_profile_exists(name: str) -> api.EntityAlreadyExistsException:
    """A user who has a password already."""
    return api.EntityAlreadyExistsException(f"Login Profile for user {name} already exists.")


def quota(name: str, limit: int) -> api.LimitExceededException:
    """A quota by AWS's name for it: ``Cannot exceed quota for UsersPerAccount: 5000``."""
    return api.LimitExceededException(f"Cannot exceed quota for {name}: {limit}")


def conflict(message: str) -> api.DeleteConflictException:
    """What must be taken away before a deletion."""
    return api.DeleteConflictException(f"Cannot delete entity, must {message} first.")


def protected(role: str) -> api.UnmodifiableEntityException:
    """A role that belongs to a service."""
    return api.UnmodifiableEntityException(
        f"Cannot perform the operation on the protected role '{role}' - this role is only modifiable by AWS"
    )


def arn_not_valid(arn: str) -> CommonError | api.InvalidInputException:
    """An ARN of something else is InvalidInput; what is no ARN at all does not validate."""
    message = f"ARN {arn} is not valid."
    return api.InvalidInputException(message) if arn.startswith("arn:") else CommonError("validation", message)


def user_name_needed() -> CommonError:
    """A call that means its own caller, signed by a role's session."""
    return CommonError("validation", "Must specify userName when calling with non-User credentials")
