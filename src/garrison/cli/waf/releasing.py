"""``garrison waf disassociate``: the way out for who is locked out by his own web ACL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options

if TYPE_CHECKING:
    from garrison.app import State


@click.command()
@click.argument("resource", required=False, metavar="[ARN]")
@settings_options(*STATE)
def disassociate(resource: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Take the web ACL away from Garrison's own API, or from the resource ARN, without a call to the API.

    For an operator whom the web ACL lets make none. Needs the data directory and the root key, whether a server runs or not; a
    server that runs hears of it within a second. It is on record.
    """
    from garrison.edge.wafv2.associations import of_the_api  # noqa: PLC0415 - `garrison --help` needs no rooms

    with opened(settings_from(given)) as state:
        resources = [resource] if resource else of_the_api(state.store.reading())
        released = [arn for arn in resources if _released(state, arn)]
    if not released:
        fail(f"{resource or 'this API'} has no web ACL")
    for arn in released:
        click.echo(f"{arn} has no web ACL any more")


def _released(state: State, resource: str) -> bool:
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.edge.wafv2.associations import release  # noqa: PLC0415 - the same

    return app.on_record(state, "wafv2.amazonaws.com", "DisassociateWebACL", lambda tx, _now: release(tx, resource))
