"""``garrison explain`` and ``garrison audit``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options


@click.command()
@click.argument("request_id")
@click.option("--json", "as_json", is_flag=True, help="Print the event and the decision as JSON.")
@settings_options(*STATE)
def explain(request_id: str, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Say which statement of which policy decided a request, and what else was looked at."""
    from garrison.audit import Trail  # noqa: PLC0415 - `garrison --help` needs no rooms

    with opened(settings_from(given)) as state:
        found = Trail(state.store, state.data_dir).find(request_id)
    if found is None:
        fail(f"no call has the request id {request_id}")
    if as_json:
        click.echo(json.dumps({"event": found["event"], "decision": found["decision"]}, indent=2))
        return
    for line in _story(found["event"], found["decision"]):
        click.echo(line)


def _story(event: dict[str, Any], decision: dict[str, Any] | None) -> list[str]:
    who = event["userIdentity"].get("arn") or event["userIdentity"].get("accessKeyId") or event["userIdentity"]["type"]
    lines = [
        f"{event['eventTime']}  {who}",
        f"  {event['eventSource'].partition('.')[0]}:{event['eventName']} from {event['sourceIPAddress']}",
    ]
    if event.get("errorCode"):
        lines.append(f"  answered {event['errorCode']}: {event.get('errorMessage', '')}")
    if decision is None:
        return [*lines, "  No policy was asked: the call was refused before, or needs no permission."]
    return [*lines, *_decision_lines(decision, "  ")]


_OUTCOMES = {"allowed": "ALLOWED", "implicitDeny": "DENIED, because nothing allows it,", "explicitDeny": "DENIED explicitly"}


def _decision_lines(decision: dict[str, Any], indent: str) -> list[str]:
    outcome = _OUTCOMES.get(decision["outcome"], decision["outcome"])
    what = f"{decision.get('action')} on {decision.get('resource')}"
    lines = [f"{indent}{outcome} at the {decision.get('policy_type', '')} level: {what}"]
    for matched in decision.get("matched", ()):
        sid = f" (Sid {matched['sid']})" if matched.get("sid") else ""
        lines.append(
            f"{indent}  decided by   {matched['effect']} statement {matched['statement'] + 1}{sid} of {matched['policy']}"
        )
    decided = {matched["policy"] for matched in decision.get("matched", ())}
    lines += [f"{indent}  looked at    {policy}" for policy in decision.get("considered", ()) if policy not in decided]
    if not decision.get("considered"):
        lines.append(f"{indent}  looked at    no policy: the principal has none")
    lines += [f"{indent}  condition    {key} = {json.dumps(value)}" for key, value in decision.get("keys", {}).items()]
    for further in decision.get("further", ()):
        lines += _decision_lines(further, indent)
    return lines


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
