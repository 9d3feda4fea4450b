"""``garrison explain``: why a call was allowed or denied."""

from __future__ import annotations

import json
from typing import Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options


@click.command()
@click.argument("request_id")
@click.option("--json", "as_json", is_flag=True, help="Print the event, the decision and the policies as JSON.")
@settings_options(*STATE)
def explain(request_id: str, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Say which statement of which policy decided a request, and what else was looked at."""
    tell(request_id, given, as_json=as_json)


def tell(request_id: str, given: dict[str, Any], *, as_json: bool) -> None:
    """Print the story of a call in the audit trail of the state that the options name."""
    from garrison.audit import Trail  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.explaining import decisions_of, looked_at, story  # noqa: PLC0415

    with opened(settings_from(given)) as state:
        found = Trail(state.store, state.data_dir).find(request_id)
        if found is None:
            fail(f"no call has the request id {request_id}")
        event, decision = found["event"], found["decision"]
        decisions = decisions_of(decision)
        looked = [looked_at(state.store, event, one) for one in decisions]
    if as_json:
        policies = [[seen._asdict() for seen in policies] for policies in looked]
        click.echo(json.dumps({"event": event, "decision": decision, "policies": policies}, indent=2))
        return
    for line in story(event, decisions, looked):
        click.echo(line)
