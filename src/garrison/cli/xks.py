"""``garrison xks``: credentials with which another KMS uses keys of ours as an external key store."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options

_PREFIX = re.compile(r"(/[A-Za-z0-9_-]+)*")
_MOST_PATH = 128
"""Characters of XksProxyUriPath (KMS API Reference)."""


@click.group()
def xks() -> None:
    """Let another KMS keep its root of trust here (external key store proxy)."""


@xks.command("create-credential")
@click.option("--user", "name", required=True, metavar="NAME", help="The IAM user as whom the other KMS calls.")
@click.option("--account", "account", default=None, metavar="ID", help="The user's account; the first one without it.")
@click.option("--prefix", default="", metavar="PATH", help="Before /kms/xks/v1, for several key stores on one address.")
@settings_options(*STATE, "region")
def create_credential(name: str, account: str | None, prefix: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Make a credential; prints it once, as JSON that KMS's console and CreateCustomKeyStore take.

    What the other KMS may do with which key is what the user's policies and the keys' policies say: kms:Encrypt, kms:Decrypt and
    kms:DescribeKey on it. The key's id is its XksKeyId.
    """
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms

    if not _PREFIX.fullmatch(prefix) or len(prefix) + len("/kms/xks/v1") > _MOST_PATH:
        fail(f"`{prefix}` is no prefix: it begins with a slash and has letters, digits, `-`, `_` and slashes", status=2)
    settings = settings_from(given)
    with opened(settings) as state:
        owner = app.user_named(state, account, name)
        if owner is None:
            fail(f"there is no user `{name}` in account {account or 'one'}")
        made = app.new_xks_credential(state, owner, prefix)
    document = {
        "XksProxyUriPath": f"{made.prefix}/kms/xks/v1",
        "XksProxyAuthenticationCredential": {"AccessKeyId": made.access_key_id, "RawSecretAccessKey": made.secret},
    }
    click.echo(json.dumps(document, indent=2))


@xks.command("list-credentials")
@settings_options(*STATE)
def list_credentials(**given: Any) -> None:  # noqa: ANN401 - options
    """List the credentials: access key id, account, user, Region and path."""
    rows = (
        "SELECT c.access_key_id, c.account, coalesce(u.name, '(deleted)'), c.region, c.prefix FROM kms_xks_credential c"
        " LEFT JOIN iam_user u ON u.account = c.account AND u.user_id = c.owner_id ORDER BY c.created_at"
    )
    with opened(settings_from(given)) as state:
        for access_key_id, account, user, region, prefix in state.store.reading().all(rows):
            click.echo(f"{access_key_id}  {account}  {user}  {region}  {prefix}/kms/xks/v1")


@xks.command("delete-credential")
@click.argument("access_key_id")
@settings_options(*STATE)
def delete_credential(access_key_id: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Take a credential away; the other KMS is refused at once."""
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms

    with opened(settings_from(given)) as state:
        if not app.delete_xks_credential(state, access_key_id):
            fail(f"there is no credential {access_key_id}")
    click.echo(f"Deleted {access_key_id}")
