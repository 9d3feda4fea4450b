"""``garrison policy``: test, explain, check and generate policies, from files or from the state."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options

if TYPE_CHECKING:
    from garrison.cli.policy.cases import Case
    from garrison.cli.policy.deciding import Answer
    from garrison.cli.policy.stored import Stored

_BAD = 2
"""Exit status: what was given cannot be used, so nothing was proven."""
_QUESTION = (
    "principal",
    "actions",
    "resources",
    "resource_account",
    "context",
    "identity",
    "boundary",
    "session",
    "scps",
    "rcps",
    "resource_policy",
)


def _question_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make one case."""
    rows = (
        (
            "--principal",
            None,
            "ARN",
            "Who asks: user, role, role session, root, account, service, identity provider or `anonymous`.",
        ),
        ("--action", "actions", "ACTION", "What is asked for, like s3:GetObject; may be given more than once."),
        ("--resource", "resources", "ARN", "On what; `*` without it. May be given more than once."),
        ("--resource-account", None, "ACCOUNT", "Whose the resources are, where their ARNs do not say."),
        ("--context", "context", "KEY=VALUE", "A condition key of the request; given twice it has two values."),
        ("--identity", "identity", "FILE|ARN", "An identity policy of the principal; may be given more than once."),
        ("--boundary", None, "FILE|ARN", "The principal's permissions boundary."),
        ("--session", "session", "FILE|ARN", "A session policy; may be given more than once."),
        ("--scp", "scps", "FILE", "A service control policy; each one given is a level, from the root down."),
        ("--rcp", "rcps", "FILE", "A resource control policy; each one given is a level, from the root down."),
        ("--resource-policy", None, "FILE", "The resource's policy, a role's trust policy; `default` is what KMS gives a key."),
    )
    for flag, several, shown, said in reversed(rows):
        name = several or flag[2:].replace("-", "_")
        many = several is not None
        command = click.option(flag, name, multiple=many, default=None if many else "", metavar=shown, help=said)(command)
    return command


@click.group()
def policy() -> None:
    """Test, explain, check and generate policies."""


@policy.command("test")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@_question_options
@click.option(
    "--expect", default="", metavar="ANSWER", help="allowed, denied, implicitDeny or explicitDeny: of the case in the options."
)
@click.option(
    "--stored", is_flag=True, help="Take the principal's and the resource's policies from the state; files come on top."
)
@click.option("--junit", default=None, metavar="FILE", help="Write the results as JUnit's XML too.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Say of every statement why it applies or not.")
@settings_options(*STATE)
def test_command(
    *,
    files: tuple[Path, ...],
    expect: str,
    stored: bool,
    junit: str | None,
    as_json: bool,
    verbose: bool,
    **given: Any,  # noqa: ANN401 - options
) -> None:
    """Decide cases, of FILES or of the options, and compare. Needs no server and no state.

    Exits 0 where every answer is as expected, 1 where one is not, 2 where a file, a policy or an option cannot be used.
    """
    from garrison.cli.policy.reading import FileError  # noqa: PLC0415 - `garrison --help` reads no YAML

    question, options = _apart(given)
    try:
        cases = [case for file in files for case in _cases(file)]
        if question["principal"] or question["actions"] or not files:
            cases.append(_case(question, expect))
        _warn(cases)
        found = _decide(cases, options, stored=stored)
    except FileError as error:
        fail(str(error), status=_BAD)
    _show(found, as_json=as_json, every=verbose)
    if junit is not None:
        _write_junit(junit, found)
    sys.exit(1 if any(answer.faults for answer in found) else 0)


@policy.command("explain")
@click.argument("request_id", default="")
@_question_options
@click.option(
    "--stored", is_flag=True, help="Take the principal's and the resource's policies from the state; files come on top."
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@settings_options(*STATE)
def explain_command(*, request_id: str, stored: bool, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Say what every statement says to a question: of the options, or of the call REQUEST_ID in the audit trail."""
    from garrison.cli.explain import tell  # noqa: PLC0415 - `garrison --help` reads no YAML
    from garrison.cli.policy.reading import FileError  # noqa: PLC0415

    question, options = _apart(given)
    if request_id:
        if any(question.values()) or stored:
            fail("REQUEST_ID names a question of its own: give no other", status=_BAD)
        tell(request_id, options, as_json=as_json)
        return
    try:
        case = _case(question, "")
        _warn([case])
        found = _decide([case], options, stored=stored)
    except FileError as error:
        fail(str(error), status=_BAD)
    _show(found, as_json=as_json, every=True)


@policy.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--kind", default="identity", metavar="KIND", help="identity, resource, trust, boundary, session, scp or rcp.")
@click.option("--service", default="", metavar="SERVICE", help="Whose resource policy it is, like s3 or kms.")
def check_command(*, files: tuple[Path, ...], kind: str, service: str) -> None:
    """Say whether AWS would take the policies in FILES, and its reason where it would not.

    Exits 0 where it would take all of them, 2 where it would not. What exists in no service is named as a warning.
    """
    from garrison.cli.policy.checking import KINDS, check_file  # noqa: PLC0415 - `garrison --help` reads no YAML

    if kind not in KINDS:
        fail(f"`--kind {kind}` must be one of {', '.join(KINDS)}", status=_BAD)
    refused = False
    for file in files:
        fault, warnings = check_file(file, kind, service)
        for line in warnings:
            click.echo(f"{line} (warning)")
        click.echo(fault or f"{file}: AWS takes it")
        refused = refused or bool(fault)
    sys.exit(_BAD if refused else 0)


@policy.command("generate")
@click.option("--principal", required=True, metavar="ARN", help="The user or role.")
@click.option("--since", default="90d", metavar="TIME", help="From when: 7d, 12h, 2w, or 2026-01-31T00:00:00Z; 90d without it.")
@click.option("--until", default="", metavar="TIME", help="Up to when; now without it.")
@click.option("--diff", is_flag=True, help="Print what its present policies allow and it did not use, instead of the policy.")
@click.option(
    "--most-resources", default=10, metavar="NUMBER", help="ARNs of one kind before they become a pattern; 10 without it."
)
@click.option("--json", "as_json", is_flag=True, help="Print policy, difference and everything else as one JSON object.")
@settings_options(*STATE)
def generate_command(
    *,
    principal: str,
    since: str,
    until: str,
    diff: bool,
    most_resources: int,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - options
) -> None:
    """Write the policy that allows what a user or role did, as the audit trail has it, and no more.

    The policy goes to the standard output, what there is to say about it to the standard error. Exits 2 where nothing was done.
    """
    from garrison.cli.policy.reading import FileError  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.core.clock import system_clock  # noqa: PLC0415

    with opened(settings_from(given)) as state:
        from garrison.cli.policy import generating  # noqa: PLC0415 - needs all rooms, which `opened` brings

        try:
            found = generating.outcome(state, principal, since, until, system_clock(), max(1, most_resources))
        except FileError as error:
            fail(str(error), status=_BAD)
    if as_json:
        click.echo(json.dumps(generating.as_json(found), indent=2))
        return
    for line in generating.summary(found):
        click.echo(line, err=True)
    if diff:
        for line in generating.difference(found):
            click.echo(line)
    elif found.generated.documents:
        click.echo(generating.text_of(found))
    else:
        fail("nothing was done that a policy of its own had to allow: there is no policy to write", status=_BAD)


def _apart(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the question, and those that open a state."""
    return {name: given[name] for name in _QUESTION}, {name: value for name, value in given.items() if name not in _QUESTION}


def _cases(file: Path) -> list[Case]:
    from garrison.cli.policy.cases import read_cases  # noqa: PLC0415 - `garrison --help` reads no YAML

    return read_cases(file, str(file))


def _case(question: dict[str, Any], expect: str) -> Case:
    from garrison.cli.policy.asked import Asked, case_of  # noqa: PLC0415 - `garrison --help` reads no YAML
    from garrison.cli.policy.cases import OUTCOMES  # noqa: PLC0415

    if not question["principal"] or not question["actions"]:
        fail("a question needs --principal and --action, or a file of cases", status=_BAD)
    if expect and expect not in OUTCOMES:
        fail(f"`--expect {expect}` must be one of {', '.join(OUTCOMES)}", status=_BAD)
    return case_of(Asked(**question), expect)


def _warn(cases: list[Case]) -> None:
    """Of an action that no service has nothing is known; it may be newer than this version."""
    from garrison.cli.policy.catalog import exists  # noqa: PLC0415 - `garrison --help` reads no YAML

    unknown = {action: case.where for case in cases for action in case.actions if not exists(action)}
    for action, where in unknown.items():
        click.echo(f"garrison: {where}: `{action}` is no action that is known here", err=True)


def _decide(cases: list[Case], options: dict[str, Any], *, stored: bool) -> list[Answer]:
    from garrison.cli.policy.deciding import answers  # noqa: PLC0415 - `garrison --help` reads no YAML

    def every(on: Stored | None) -> list[Answer]:
        return [answer for case in cases for answer in answers(case, on)]

    if not stored:
        return every(None)
    from garrison.cli.policy.stored import Stored  # noqa: PLC0415 - files alone need no rooms

    with opened(settings_from(options)) as state:
        return every(Stored(state))


def _show(found: list[Answer], *, as_json: bool, every: bool) -> None:
    from garrison.cli.policy import report  # noqa: PLC0415 - `garrison --help` reads no YAML

    if as_json:
        click.echo(json.dumps(report.as_json(found), indent=2))
        return
    for line in report.lines(found, every=every):
        click.echo(line)


def _write_junit(file: str, found: list[Answer]) -> None:
    from garrison.cli.policy import report  # noqa: PLC0415 - `garrison --help` reads no YAML

    try:
        Path(file).write_bytes(report.junit(found))
    except OSError as error:
        fail(f"{file}: {error.strerror or error}", status=_BAD)
