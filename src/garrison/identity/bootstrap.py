"""The first identities of a new account.

An account that the command line makes begins with its root user's access key and an administrator; a member account that an
organization makes begins with a role that the management account may assume, and its root user has no credentials at all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from msgspec.structs import replace

from garrison.api import iam as api
from garrison.core.context import Call, ConfigurationItem, Context
from garrison.core.ids import Random, system_random
from garrison.core.ports import Ports, Sealer, Transaction
from garrison.core.principal import Principal
from garrison.identity.iam.access_keys import NewKey, make_key
from garrison.identity.iam.attachments import attach_role_policy, attach_user_policy
from garrison.identity.iam.items import account_changed
from garrison.identity.iam.roles import create_role
from garrison.identity.iam.rows import find_role, user_named
from garrison.identity.iam.service_linked import create_service_linked_role
from garrison.identity.iam.users import create_user
from garrison.store import Conflict

ADMIN = "admin"
ORGANIZATIONS_ROLE = "AWSServiceRoleForOrganizations"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a new account begins with. The secrets are shown once and are nowhere else in clear."""

    account: str
    root_access_key_id: str
    root_secret_access_key: str = field(repr=False)
    admin_access_key_id: str
    admin_secret_access_key: str = field(repr=False)
    items: tuple[ConfigurationItem, ...] = ()
    """To be written with the transaction."""


def create_account(
    tx: Transaction,
    sealer: Sealer,
    *,
    account: str,
    name: str,
    email: str,
    now: float,
    random: Random = system_random,
) -> Bootstrap:
    """Make an account with its root user, and a user ``admin`` who may do everything.

    Raises ``store.Conflict`` where the account, or another one with its e-mail address, is there.
    """
    ctx = _context(tx, sealer, account, now, random)
    _open(ctx, name, email)
    root = make_key(ctx, account, ctx.principal.arn)
    admin = _administrator(ctx)
    return Bootstrap(
        account=account,
        root_access_key_id=root.id,
        root_secret_access_key=root.secret,
        admin_access_key_id=admin.id,
        admin_secret_access_key=admin.secret,
        items=tuple(ctx.items),
    )


class Accounts:
    """What an organization needs of identities and may not reach by itself. Implements ``core.ports.Accounts``."""

    def create(self, ctx: Context, account: str, *, name: str, email: str, role: str, management: str) -> None:
        """Make a member account with the role that the management account may assume. Raises ``store.Conflict`` when repeated."""
        own = _as_root(ctx, account)
        _open(own, name, email)
        statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{management}:root"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        create_role(own, api.CreateRoleRequest(role_name=role, assume_role_policy_document=trust))
        attach_role_policy(own, api.AttachRolePolicyRequest(role_name=role, policy_arn=ADMINISTRATOR))

    def link(self, ctx: Context, account: str) -> None:
        """Make the service-linked role of Organizations in an account, where it has none yet."""
        own = _as_root(ctx, account)
        if find_role(ctx.tx, account, ORGANIZATIONS_ROLE) is None:
            create_service_linked_role(own, api.CreateServiceLinkedRoleRequest(aws_service_name="organizations.amazonaws.com"))


def _as_root(ctx: Context, account: str) -> Context:
    """The same call for another account, as its root user. What it changes is told with the call's own changes."""
    root = Principal(kind="root", account=account, arn=f"arn:aws:iam::{account}:root", id=account)
    return replace(ctx, account=account, principal=root, now=float(int(ctx.now)), scratch={})  # IAM's times are whole seconds


def _open(ctx: Context, name: str, email: str) -> None:
    account, now = ctx.account, ctx.now
    if email and ctx.tx.one("SELECT id FROM account WHERE lower(email) = ?", email.lower()) is not None:
        msg = f"the e-mail address of account {account} is another one's"
        raise Conflict(msg)
    ctx.tx.run("INSERT INTO account (id, name, email, created_at) VALUES (?, ?, ?, ?)", account, name, email, now)
    ctx.tx.run("INSERT INTO iam_account (account, alias, created) VALUES (?, ?, ?)", account, None, now)
    account_changed(ctx, {"AccountName": name, "Email": email})


def _administrator(ctx: Context) -> NewKey:
    create_user(ctx, api.CreateUserRequest(user_name=ADMIN))
    attach_user_policy(ctx, api.AttachUserPolicyRequest(user_name=ADMIN, policy_arn=ADMINISTRATOR))
    user = user_named(ctx.tx, ctx.account, ADMIN)
    return make_key(ctx, user.id, user.arn)


def _context(tx: Transaction, sealer: Sealer, account: str, now: float, random: Random) -> Context:
    """The root user's, before there is anybody to call."""
    return Context(
        request_id="",
        service="iam",
        operation="CreateAccount",
        now=now,
        account=account,
        region="us-east-1",
        principal=Principal(kind="root", account=account, arn=f"arn:aws:iam::{account}:root", id=account),
        call=Call(source_ip=""),
        tx=tx,
        ports=Ports(sealer=sealer),
        random=random,
    )
