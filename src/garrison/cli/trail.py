"""``garrison audit``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from garrison.cli.options import STATE, opened, settings_from, settings_options


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@settings_options(*STATE)
def verify_command(*, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Check the hash chains: exits 1 and names each event that was removed or altered."""
    from garrison.audit import verify  # noqa: PLC0415 - `garrison --help` needs no rooms

    with opened(settings_from(given)) as state:
        report = verify(state.store, state.data_dir, state.keyring)
    if as_json:
        document = {"chains": report.chains, "events": report.events, "findings": [str(finding) for finding in report.findings]}
        click.echo(json.dumps(document, indent=2))
    else:
        for finding in report.findings:
            click.echo(str(finding))
        click.echo(f"{report.events} events in {report.chains} chains, {len(report.findings)} findings")
    sys.exit(1 if report.findings else 0)
