"""``garrison account``: several accounts in one installation."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options


@click.group()
def account() -> None:
    """List and make accounts."""


@account.command("list")
@settings_options(*STATE)
def list_accounts(**given: Any) -> None:  # noqa: ANN401 - options
    """List the accounts: id and name."""
    with opened(settings_from(given)) as state:
        for number, name in state.store.reading().all("SELECT id, name FROM account ORDER BY created_at"):
            click.echo(f"{number}  {name}")


@account.command("create")
@click.argument("name")
@click.option("--id", "number", default=None, metavar="TEXT", help="Its 12 digits; random without it.")
@click.option("--email", default="", metavar="TEXT", help="Its e-mail address: how an organization may invite it.")
@settings_options(*STATE)
def create(name: str, number: str | None, email: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Make an account with a root user and a user `admin`; prints their keys as JSON, once."""
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.core.ids import account_id  # noqa: PLC0415
    from garrison.store import Conflict  # noqa: PLC0415

    if number is not None and not (len(number) == 12 and number.isascii() and number.isdecimal()):
        fail(f"`{number}` is not 12 digits", status=2)
    if not 1 <= len(name) <= 50 or not name.isprintable():
        fail("the name of an account has 1 to 50 characters", status=2)
    if email and not (6 <= len(email) <= 64 and re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", email)):
        fail(f"`{email}` is no e-mail address of 6 to 64 characters", status=2)
    wanted = number or account_id()
    with opened(settings_from(given)) as state:
        try:
            made = app.new_account(state, wanted, name=name, email=email)
        except Conflict:
            fail(
                f"account {wanted}, or one with this e-mail address, exists already"
                if email
                else f"account {wanted} exists already"
            )
    document = {
        "account": made.account,
        "root": {"access_key_id": made.root_key[0], "secret_access_key": made.root_key[1]},
        "admin": {"access_key_id": made.admin_key[0], "secret_access_key": made.admin_key[1]},
    }
    click.echo(json.dumps(document, indent=2))
