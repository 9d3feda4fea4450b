"""The account itself: its alias, its password policy, and what it holds."""

from __future__ import annotations

from typing import Any

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam.documents import INLINE_LIMITS, MANAGED_LIMIT, TRUST_LIMIT
from garrison.identity.iam.items import account_changed
from garrison.identity.iam.pages import Pager
from garrison.identity.iam.preferences import token_version
from garrison.identity.iam.rows import count
from garrison.identity.iam.targets import anything
from garrison.identity.mfa.devices import counts

SHORTEST = 6
"""MinimumPasswordLength where an update leaves it out."""

_FLAGS = (
    "minimum_length, require_symbols, require_numbers, require_uppercase, require_lowercase,"
    " allow_users_to_change, max_age, reuse_prevention, hard_expiry"
)


@operation("iam", resource=anything)
def create_account_alias(ctx: Context, req: api.CreateAccountAliasRequest) -> None:
    """Give the account an alias, in place of the one it has. Aliases are unique over all accounts.

    Raises EntityAlreadyExists, InvalidInput (what reads like an account's number: it would lead to another account).
    """
    if len(req.account_alias) == 12 and req.account_alias.isdecimal():
        raise api.InvalidInputException("The account alias must not be a 12-digit number.")
    if ctx.tx.one("SELECT 1 FROM iam_account WHERE alias = ?", req.account_alias):
        raise api.EntityAlreadyExistsException(f"The account alias {req.account_alias} already exists.")
    if not ctx.tx.run("UPDATE iam_account SET alias = ? WHERE account = ?", req.account_alias, ctx.account):
        ctx.tx.run("INSERT INTO iam_account (account, alias, created) VALUES (?, ?, ?)", ctx.account, req.account_alias, ctx.now)
    account_changed(ctx, _configuration(ctx))


@operation("iam", resource=anything)
def delete_account_alias(ctx: Context, req: api.DeleteAccountAliasRequest) -> None:
    """Take the account's alias away. Raises NoSuchEntity where it is not this one."""
    if not ctx.tx.run("UPDATE iam_account SET alias = NULL WHERE account = ? AND alias = ?", ctx.account, req.account_alias):
        raise api.NoSuchEntityException(f"The account alias {req.account_alias} cannot be found.")
    account_changed(ctx, _configuration(ctx))


@operation("iam", resource=anything, read=True)
def list_account_aliases(ctx: Context, req: api.ListAccountAliasesRequest) -> api.ListAccountAliasesResponse:
    """The account's alias: one or none."""
    page = Pager(ctx, req).cut([name for name in [alias(ctx)] if name], str)
    return api.ListAccountAliasesResponse(account_aliases=page.items, is_truncated=page.truncated, marker=page.marker)


@operation("iam", resource=anything, read=True)
def get_account_password_policy(ctx: Context, _req: object) -> api.GetAccountPasswordPolicyResponse:
    """The account's own password policy. Raises NoSuchEntity where AWS's default is in force."""
    policy = password_policy(ctx)
    if policy is None:
        raise api.NoSuchEntityException(f"The Password Policy with domain name {ctx.account} cannot be found.")
    return api.GetAccountPasswordPolicyResponse(password_policy=policy)


@operation("iam", resource=anything)
def update_account_password_policy(ctx: Context, req: api.UpdateAccountPasswordPolicyRequest) -> None:
    """Set the whole password policy: what is left out goes back to its default."""
    ctx.tx.run("DELETE FROM iam_password_policy WHERE account = ?", ctx.account)
    ctx.tx.run(
        f"INSERT INTO iam_password_policy (account, {_FLAGS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
        ctx.account,
        req.minimum_password_length or SHORTEST,
        int(bool(req.require_symbols)),
        int(bool(req.require_numbers)),
        int(bool(req.require_uppercase_characters)),
        int(bool(req.require_lowercase_characters)),
        int(bool(req.allow_users_to_change_password)),
        req.max_password_age or 0,
        req.password_reuse_prevention or 0,
        None if req.hard_expiry is None else int(req.hard_expiry),
    )
    account_changed(ctx, _configuration(ctx))


@operation("iam", resource=anything)
def delete_account_password_policy(ctx: Context, _req: object) -> None:
    """Go back to AWS's default password policy. Raises NoSuchEntity where it is in force."""
    if not ctx.tx.run("DELETE FROM iam_password_policy WHERE account = ?", ctx.account):
        raise api.NoSuchEntityException("The account policy with name PasswordPolicy cannot be found.")
    account_changed(ctx, _configuration(ctx))


@operation("iam", resource=anything, read=True)
def get_account_summary(ctx: Context, _req: object) -> api.GetAccountSummaryResponse:
    """How much the account holds, and how much it may."""
    devices = counts(ctx.tx, ctx.account)

    def number(table: str, where: str = "account = ?", *more: str) -> int:
        return count(ctx.tx, table, where, ctx.account, *more)

    return api.GetAccountSummaryResponse(
        summary_map={
            **_QUOTAS,
            "Users": number("iam_user"),
            "Groups": number("iam_group"),
            "Roles": number("iam_role"),
            "Policies": number("iam_policy"),
            "PolicyVersionsInUse": number("iam_policy_version"),
            "AccountAccessKeysPresent": int(number("iam_access_key", _ROOTS, ctx.account) > 0),
            "AccountMFAEnabled": int(devices.root),
            "AccountPasswordPresent": number("iam_login_profile", "account = ? AND owner_id = ?", ctx.account),
            "AccountSigningCertificatesPresent": int(number("iam_signing_certificate", _ROOTS, ctx.account) > 0),
            "InstanceProfiles": number("iam_instance_profile"),
            "MFADevices": devices.virtual,
            "MFADevicesInUse": devices.in_use,
            "Providers": number("iam_oidc_provider") + number("iam_saml_provider"),
            "ServerCertificates": number("iam_server_certificate"),
            "GlobalEndpointTokenVersion": token_version(ctx.tx, ctx.account),
        }
    )


_ROOTS = "account = ? AND owner_id = ?"
"""The root user's own: its id is the account's number."""

_QUOTAS = {
    "UsersQuota": 5000,
    "GroupsQuota": 300,
    "RolesQuota": 1000,
    "PoliciesQuota": 1500,
    "PolicySizeQuota": MANAGED_LIMIT,
    "PolicyVersionsInUseQuota": 10000,
    "VersionsPerPolicyQuota": 5,
    "UserPolicySizeQuota": INLINE_LIMITS["user"],
    "GroupPolicySizeQuota": INLINE_LIMITS["group"],
    "RolePolicySizeQuota": INLINE_LIMITS["role"],
    "AssumeRolePolicySizeQuota": TRUST_LIMIT,
    "GroupsPerUserQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AccessKeysPerUserQuota": 2,
    "SigningCertificatesPerUserQuota": 2,
    "ServerCertificatesQuota": 20,
    "InstanceProfilesQuota": 1000,
}
"""AWS's default quotas under the names of GetAccountSummary."""


def alias(ctx: Context) -> str | None:
    """The account's alias."""
    row = ctx.tx.one("SELECT alias FROM iam_account WHERE account = ?", ctx.account)
    return row[0] if row else None


def display_name(ctx: Context) -> str:
    """How the root user is called where a user name must stand: by the alias, else by the account's number."""
    return alias(ctx) or ctx.account


def password_policy(ctx: Context) -> api.PasswordPolicy | None:
    """The account's own password policy; None where it has none."""
    row = ctx.tx.one(f"SELECT {_FLAGS} FROM iam_password_policy WHERE account = ?", ctx.account)  # noqa: S608 - constant
    if row is None:
        return None
    shortest, symbols, numbers, upper, lower, change, age, reuse, hard = row
    return api.PasswordPolicy(
        minimum_password_length=shortest,
        require_symbols=bool(symbols),
        require_numbers=bool(numbers),
        require_uppercase_characters=bool(upper),
        require_lowercase_characters=bool(lower),
        allow_users_to_change_password=bool(change),
        expire_passwords=age > 0,
        max_password_age=age or None,
        password_reuse_prevention=reuse or None,
        hard_expiry=None if hard is None else bool(hard),
    )


def _configuration(ctx: Context) -> dict[str, Any]:
    policy = password_policy(ctx)
    return {"AccountAlias": alias(ctx), "PasswordPolicy": None if policy is None else _builtins(policy)}


def _builtins(policy: api.PasswordPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in policy.__struct_fields__}
