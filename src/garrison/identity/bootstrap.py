"""The first identities of a new account: its root user's access key, and an administrator."""

from __future__ import annotations

from dataclasses import dataclass, field

from garrison.api import iam as api
from garrison.core.context import Call, ConfigurationItem, Context
from garrison.core.ids import Random, system_random
from garrison.core.ports import Ports, Sealer, Transaction
from garrison.core.principal import Principal
from garrison.identity.iam.access_keys import NewKey, make_key
from garrison.identity.iam.attachments import attach_user_policy
from garrison.identity.iam.items import account_changed
from garrison.identity.iam.rows import user_named
from garrison.identity.iam.users import create_user

ADMIN = "admin"
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
    """Make an account with its root user, and a user ``admin`` who may do everything. Raises ``store.Conflict`` when repeated."""
    ctx = _context(tx, sealer, account, now, random)
    tx.run("INSERT INTO account (id, name, email, created_at) VALUES (?, ?, ?, ?)", account, name, email, now)
    tx.run("INSERT INTO iam_account (account, alias, created) VALUES (?, ?, ?)", account, None, now)
    account_changed(ctx, {"AccountName": name, "Email": email})
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
