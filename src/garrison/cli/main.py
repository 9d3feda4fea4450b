"""The command line's root, and ``garrison serve``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from garrison import __version__
from garrison.cli.options import fail, settings_from, settings_options
from garrison.config import ConfigError

if TYPE_CHECKING:
    from garrison.app import FirstCredentials
    from garrison.config import Settings
    from garrison.serve import Listener


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="garrison")
def cli() -> None:
    """The security half of AWS, for real, on your own machines."""


@cli.command()
@settings_options()
def serve(**given: Any) -> None:  # noqa: ANN401 - options
    """Serve the AWS APIs until stopped."""
    from garrison.keys.keyring import RootKeyError  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.serve import serve as run  # noqa: PLC0415
    from garrison.store import SchemaError, StoreUnavailable  # noqa: PLC0415

    settings = settings_from(given)
    try:
        status = run(settings, lambda listener, found: _announce(settings, listener, found))
    except (ConfigError, RootKeyError, SchemaError, StoreUnavailable) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or settings.data_dir}: {error.strerror or error}")
    sys.exit(status)


def _announce(settings: Settings, listener: Listener, found: FirstCredentials) -> None:
    lines = [f"Garrison {__version__} listens on {listener.endpoint} for account {found.account}"]
    if listener.authority is not None:
        lines.append(f"  certificate authority  {listener.authority}   (AWS_CA_BUNDLE, or ca_bundle in the profile)")
    if found.new:
        lines += _first_words(settings, listener, found)
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _first_words(settings: Settings, listener: Listener, found: FirstCredentials) -> list[str]:
    following = (
        "`--credentials-file FILE` writes all credentials for scripts."
        if settings.dev
        else "`garrison init` writes the AWS profile `garrison`."
    )
    kept = (
        ["  state                  in memory, gone when the server stops"]
        if settings.dev
        else [
            f"  state                  {settings.data_dir}",
            f"  root key               {settings.root_key_file}   (keep a copy, apart from the state)",
        ]
    )
    return [
        "",
        "First start. This is shown once:",
        f"  endpoint               {listener.endpoint}",
        f"  account                {found.account}",
        f"  console sign-in        {listener.endpoint}/_console/   (passwords: `garrison root-password`, CreateLoginProfile)",
        f"  access key of `admin`  {found.admin_key[0]}",
        f"  secret                 {found.admin_key[1]}",
        *kept,
        "",
        "Enforced on every call: the signature, every policy that applies, the model's constraints, the audit trail.",
        f"There is no bypass. Next: {following}",
    ]


def _register() -> None:
    from garrison.cli import (  # noqa: PLC0415 - they add themselves to the group above
        accounts,
        credentials,
        delegation,
        doctor,
        explain,
        keys,
        mfa,
        plugin,
        policy,
        profile,
        protect,
        root_password,
        state,
        trail,
        waf,
        xks,
    )

    for command in (
        profile.init,
        doctor.status,
        doctor.doctor,
        explain.explain,
        trail.audit,
        state.backup,
        state.restore,
        state.export_,
        state.import_,
        accounts.account,
        root_password.root_password,
        credentials.credentials,
        delegation.delegation,
        keys.keys,
        mfa.mfa,
        plugin.plugin,
        policy.policy,
        protect.protect,
        waf.waf,
        xks.xks,
    ):
        cli.add_command(command)


_register()
