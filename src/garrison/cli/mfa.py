"""``garrison mfa``: hardware tokens whose seeds the operator brings in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options

if TYPE_CHECKING:
    from garrison.core.context import ConfigurationItem
    from garrison.core.ports import Transaction

_SOURCE = "iam.amazonaws.com"


@click.group()
def mfa() -> None:
    """Bring in hardware tokens that show MFA codes."""


@mfa.command("import-token")
@click.argument("serial")
@settings_options(*STATE)
def import_token(serial: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Bring in the token with the number SERIAL on its back. Its seed is read from the terminal, hidden, or from standard input.

    The seed is hexadecimal or base32, at least 128 bits, for codes of 6 digits every 30 seconds (RFC 6238, SHA-1). Any account
    may then enable the token once: EnableMFADevice with this serial number and two codes in a row.
    """
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.identity.mfa import tokens  # noqa: PLC0415

    try:
        seed = tokens.read_seed(_typed())
    except ValueError as error:
        fail(str(error), status=2)
    with opened(settings_from(given)) as state:

        def change(tx: Transaction, now: float) -> ConfigurationItem:
            return _item(tx, tokens.bring_in(tx, state.keyring, serial, seed, now))

        try:
            app.on_record(state, _SOURCE, "ImportMFAToken", change)
        except ValueError as error:
            fail(str(error))
    click.echo(f"Brought in {serial.strip().upper()}")


@mfa.command("list-tokens")
@settings_options(*STATE)
def list_tokens(**given: Any) -> None:  # noqa: ANN401 - options
    """List the tokens: serial number, and the account that has it."""
    from garrison.identity.mfa import tokens  # noqa: PLC0415 - `garrison --help` needs no rooms

    with opened(settings_from(given)) as state:
        for serial, account in tokens.known(state.store.reading()):
            click.echo(f"{serial}  {account or 'free'}")


@mfa.command("remove-token")
@click.argument("serial")
@settings_options(*STATE)
def remove_token(serial: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Forget a token that is enabled nowhere."""
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.identity.mfa import tokens  # noqa: PLC0415

    with opened(settings_from(given)) as state:

        def change(tx: Transaction, _now: float) -> ConfigurationItem:
            tokens.take_away(tx, serial)
            return _item(tx, serial.strip().upper(), deleted=True)

        try:
            app.on_record(state, _SOURCE, "RemoveMFAToken", change)
        except ValueError as error:
            fail(str(error))
    click.echo(f"Removed {serial.strip().upper()}")


def _typed() -> str:
    """The seed: never an argument, which every process of the machine could read."""
    if sys.stdin.isatty():
        return str(click.prompt("Seed", hide_input=True))
    return sys.stdin.read(1024)


def _item(tx: Transaction, serial: str, *, deleted: bool = False) -> ConfigurationItem:
    """The token as the trail of the installation's first account tells of it; its seed stands nowhere."""
    from garrison.core.context import ConfigurationItem  # noqa: PLC0415 - `garrison --help` needs no rooms

    row = tx.one("SELECT id FROM account ORDER BY created_at LIMIT 1")
    account = str(row[0]) if row else ""
    arn = f"arn:aws:iam::{account}:mfa-token/{serial}"
    return ConfigurationItem(
        type="Garrison::IAM::MFAToken", id=serial, arn=arn, account=account, region="global", deleted=deleted
    )
