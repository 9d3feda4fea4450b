"""``garrison root-password``: the root user's way into the console, given by whoever runs the installation."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options

if TYPE_CHECKING:
    from garrison.core.context import ConfigurationItem
    from garrison.core.ports import Transaction

_LONGEST = 1024


@click.command("root-password")
@click.option("--account", "number", default=None, metavar="TEXT", help="The account; the first one without it.")
@click.option("--email", default=None, metavar="TEXT", help="The e-mail address that the root user signs in with.")
@click.option("--remove-mfa", is_flag=True, help="Take the root user's MFA devices away, too: they are lost.")
@settings_options(*STATE)
def root_password(*, number: str | None, email: str | None, remove_mfa: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Set the password of an account's root user, who has none until then. All its sessions end.

    The password is read from the terminal, hidden, or from standard input. Root users sign in with an e-mail address: an account
    that has none yet gets it with --email.
    """
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.core.errors import ServiceError  # noqa: PLC0415
    from garrison.identity import passwords  # noqa: PLC0415

    if email is not None and not (6 <= len(email) <= 64 and re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", email)):
        fail(f"`{email}` is no e-mail address of 6 to 64 characters", status=2)
    password = _typed()
    with opened(settings_from(given)) as state:
        tx = state.store.reading()
        account = _account(tx, number)
        address = email or _address(tx, account)
        if not address:
            fail("the account has no e-mail address to sign in with: give one with --email", status=2)
        other = tx.one("SELECT id FROM account WHERE lower(email) = ? AND id <> ?", address.lower(), account)
        if other is not None:
            fail(f"`{address}` is the e-mail address of account {other[0]}")
        try:
            change = passwords.look_up(tx, state.keyring, account, account)
            made = passwords.make(change, password, _random())

            def set_it(tx: Transaction, now: float) -> ConfigurationItem:
                passwords.keep(tx, state.keyring, change, made, now)
                return _changed(tx, state.keyring, account, address, remove_mfa=remove_mfa)

            app.on_record(state, "signin.amazonaws.com", "PasswordUpdated", set_it)
        except ServiceError as error:
            fail(f"the password was not set: {error.message}")
    click.echo(f"The root user of account {account} signs in as {address}")


def _random() -> Any:  # noqa: ANN401 - core.ids.Random
    from garrison.core.ids import system_random  # noqa: PLC0415 - `garrison --help` needs no rooms

    return system_random


def _account(tx: Transaction, number: str | None) -> str:
    sql = "SELECT id FROM account WHERE id = ?" if number else "SELECT id FROM account ORDER BY created_at LIMIT 1"
    row = tx.one(sql, *([number] if number else []))
    if row is None:
        fail(f"there is no account {number}" if number else "the state holds no account yet")
    return str(row[0])


def _address(tx: Transaction, account: str) -> str:
    row = tx.one("SELECT email FROM account WHERE id = ?", account)
    return str(row[0]) if row else ""


def _changed(tx: Transaction, sealer: Any, account: str, email: str, *, remove_mfa: bool) -> ConfigurationItem:  # noqa: ANN401 - ports.Sealer
    """Write what goes with the password; the account's new item."""
    from garrison.core.context import ConfigurationItem  # noqa: PLC0415 - as above
    from garrison.identity import attempts, passwords  # noqa: PLC0415
    from garrison.identity.mfa import devices  # noqa: PLC0415

    tx.run("UPDATE account SET email = ? WHERE id = ?", email, account)
    attempts.cleared(tx, passwords.password_subject(sealer, account, account))
    if remove_mfa:
        for device in devices.of_owner(tx, account, account):
            devices.release(tx, device)
    tx.changed("account", account)
    arn = f"arn:aws:iam::{account}:root"
    return ConfigurationItem(
        type="AWS::::Account", id=account, arn=arn, account=account, region="global", configuration={"Email": email}
    )


def _typed() -> str:
    """The password: never an argument, which every process of the machine could read."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.read(_LONGEST).rstrip("\r\n")
