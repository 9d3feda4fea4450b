"""``garrison waf``: try web ACLs on recorded requests, without a server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from garrison.cli.options import fail
from garrison.cli.waf.releasing import disassociate

if TYPE_CHECKING:
    from garrison.cli.waf.compiling import Lists
    from garrison.cli.waf.documents import Files
    from garrison.cli.waf.report import Change
    from garrison.cli.waf.requests import Source, Sourced
    from garrison.cli.waf.running import Outcome
    from garrison.edge.inspect import CompiledAcl

_BAD: Final = 2
"""Exit status: what was given cannot be used, so nothing was tested."""
_FILE: Final = click.Path(path_type=Path)


@click.group()
def waf() -> None:
    """Try web ACLs on recorded requests, bring rules from elsewhere, and get back in past a web ACL of one's own."""


waf.add_command(disassociate)


@waf.command("test")
@click.argument("acl", required=False, type=_FILE)
@click.option("--har", multiple=True, type=_FILE, metavar="FILE", help="Requests that a browser recorded; may be given often.")
@click.option("--access-log", "logs", multiple=True, type=_FILE, metavar="FILE", help="Requests of a log in the combined format.")
@click.option(
    "--requests",
    "folders",
    multiple=True,
    type=_FILE,
    metavar="DIR",
    help="Raw HTTP requests, a file each; below allow/ and block/ it is expected so.",
)
@click.option("--compare", nargs=2, type=_FILE, metavar="OLD NEW", help="Tell in what two web ACLs differ, instead of ACL.")
@click.option("--expect", type=click.Choice(["allow", "block", "any"]), default="allow", help="What is to become of requests.")
@click.option("--resources", type=_FILE, metavar="DIR", help="JSON of IP sets, regex pattern sets and rule groups.")
@click.option("--ip-set", "ip_sets", multiple=True, metavar="ARN=FILE", help="An IP set: JSON, or an address a line.")
@click.option("--regex-set", "regex_sets", multiple=True, metavar="ARN=FILE", help="A regex pattern set: JSON, or one a line.")
@click.option("--rule-group", "rule_groups", multiple=True, metavar="ARN=FILE", help="A rule group: JSON.")
@click.option("--lists", type=_FILE, metavar="DIR", help="Lists of managed rule groups, and databases of places.")
@click.option("--crs", "bundle", type=_FILE, metavar="FILE", help="Rules that `import-crs` wrote: OWASP's CoreRuleSet.")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="Only requests to this host; may be given often.")
@click.option("--source-ip", default=None, metavar="ADDRESS", help="Who sends what the files name no sender of; 127.0.0.1.")
@click.option("--solved", is_flag=True, help="Requests carry a token with a solved challenge and CAPTCHA.")
@click.option(
    "--cli-binary-format",
    "binary",
    type=click.Choice(["base64", "raw-in-base64-out"]),
    default="base64",
    help="How search strings are written, as for the AWS CLI.",
)
@click.option("--junit", type=_FILE, metavar="FILE", help="Write the results as JUnit's XML too.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Tell of every request, not only of those that a rule matched.")
def test_command(  # noqa: PLR0913 - options
    *,
    acl: Path | None,
    har: tuple[Path, ...],
    logs: tuple[Path, ...],
    folders: tuple[Path, ...],
    compare: tuple[Path, Path] | None,
    expect: str,
    resources: Path | None,
    ip_sets: tuple[str, ...],
    regex_sets: tuple[str, ...],
    rule_groups: tuple[str, ...],
    lists: Path | None,
    bundle: Path | None,
    hosts: tuple[str, ...],
    source_ip: str | None,
    solved: bool,
    binary: str,
    junit: Path | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Say what the web ACL in the file ACL would do to requests: by which rule, on which bytes.

    Needs no server and no state. Exits 0 where all went as expected (or nothing differs, for --compare), 1 where not, 2 where a
    file or an option cannot be used.
    """
    from garrison.cli.waf.compiling import read_lists  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.cli.waf.jsonlines import FileError  # noqa: PLC0415
    from garrison.cli.waf.running import inspect  # noqa: PLC0415

    if (acl is None) == (compare is None):
        fail("give one web ACL, or two with --compare", status=_BAD)
    if not (har or logs or folders):
        fail("give requests: --har, --access-log or --requests", status=_BAD)
    try:
        source = _source(hosts, source_ip)
        requests = _requests(source, har, logs, folders)
        files = _files(resources, ip_sets, regex_sets, rule_groups, raw=binary != "base64")
        known = read_lists(lists, bundle)
        compiled = [_compiled(path, files, known, raw=binary != "base64") for path in compare or (acl,) if path is not None]
    except FileError as error:
        fail(str(error), status=_BAD)
    found = [list(inspect(each, requests, "any" if compare else expect, known.places.locate, solved=solved)) for each in compiled]
    if compare is not None:
        failed = _tell_changes(found, source, junit, as_json=as_json)
    else:
        failed = _tell(found[0], source, junit, as_json=as_json, every=verbose)
    sys.exit(1 if failed else 0)


def _source(hosts: tuple[str, ...], source_ip: str | None) -> Source:
    from garrison.cli.waf.jsonlines import FileError  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.cli.waf.requests import DEFAULT_IP, Source  # noqa: PLC0415
    from garrison.edge.inspect.request import parse_ip  # noqa: PLC0415

    if source_ip is not None and parse_ip(source_ip) is None:
        raise FileError(f"`--source-ip {source_ip}` is no address")
    return Source(frozenset(each.lower() for each in hosts), source_ip or DEFAULT_IP)


def _requests(source: Source, har: tuple[Path, ...], logs: tuple[Path, ...], folders: tuple[Path, ...]) -> list[Sourced]:
    from garrison.cli.waf.jsonlines import FileError  # noqa: PLC0415 - `garrison --help` needs no rooms

    found = [request for path in har for request in source.har(path)]
    found += [request for path in logs for request in source.access_log(path)]
    for path in folders:
        if not path.is_dir():
            raise FileError(f"{path}: this is no folder")
        found += source.folder(path)
    if not found:
        raise FileError("there is no request in what was given")
    if logs:
        click.echo("garrison: an access log has no body, no cookie and few headers: rules that look there find nothing", err=True)
    return found


def _files(
    resources: Path | None,
    ip_sets: tuple[str, ...],
    regex_sets: tuple[str, ...],
    rule_groups: tuple[str, ...],
    *,
    raw: bool,
) -> Files:
    from garrison.cli.waf.documents import Files, with_raw  # noqa: PLC0415 - `garrison --help` needs no rooms

    files = Files()
    if resources is not None:
        files.folder(resources)
    for kind, given in (("IPSet", ip_sets), ("RegexPatternSet", regex_sets), ("RuleGroup", rule_groups)):
        for each in given:
            files.named(kind, each)
    if raw:
        with_raw(files)
    return files


def _compiled(path: Path, files: Files, lists: Lists, *, raw: bool) -> CompiledAcl:
    from garrison.cli.waf.compiling import compiled, warnings  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.cli.waf.documents import read_acl  # noqa: PLC0415

    document = read_acl(path, raw=raw)
    for line in warnings(document, files, lists):
        click.echo(f"garrison: {path}: {line}", err=True)
    return compiled(path, document, files, lists)


def _tell(found: list[Outcome], source: Source, junit: Path | None, *, as_json: bool, every: bool) -> bool:
    from garrison.cli.waf import report  # noqa: PLC0415 - `garrison --help` needs no rooms

    if as_json:
        click.echo(json.dumps(report.as_json(found, source, every=every), indent=2))
    else:
        for outcome in found:
            if every or outcome.stopped or outcome.counted or not outcome.as_expected:
                for line in report.lines(outcome):
                    click.echo(line)
        for line in report.summary(found, source):
            click.echo(line)
    messages = ["" if each.as_expected else f"{each.action.value}, expected: {each.expected}" for each in found]
    _write_junit(junit, list(zip(found, messages, strict=True)))
    return any(messages)


def _tell_changes(found: list[list[Outcome]], source: Source, junit: Path | None, *, as_json: bool) -> bool:
    from garrison.cli.waf import report  # noqa: PLC0415 - `garrison --help` needs no rooms

    pairs: list[Change] = [report.Change(old, new) for old, new in zip(*found, strict=True)]
    if as_json:
        click.echo(json.dumps(report.changes_json(pairs, source), indent=2))
    else:
        for line in report.changes(pairs):
            click.echo(line)
    _write_junit(junit, [(each.new, each.kind) for each in pairs])
    return any(each.kind for each in pairs)


def _write_junit(path: Path | None, cases: list[tuple[Outcome, str]]) -> None:
    from garrison.cli.waf.report import junit  # noqa: PLC0415 - `garrison --help` needs no rooms

    if path is None:
        return
    try:
        path.write_bytes(junit(cases))
    except OSError as error:
        fail(f"{path}: {error.strerror or error}", status=_BAD)


@waf.command("import-crs")
@click.argument("folder", type=_FILE, metavar="DIR")
@click.option("--setup", type=_FILE, metavar="FILE", help="Its crs-setup.conf; DIR/crs-setup.conf is taken without it.")
@click.option("--paranoia", type=click.IntRange(1, 4), default=1, help="The highest paranoia level; 1 without it.")
@click.option("--out", type=_FILE, default=Path(), metavar="DIR", help="Where the files go; here without it.")
@click.option("--name", default="CoreRuleSet", metavar="NAME", help="The rule group's name.")
@click.option("--scope", type=click.Choice(["REGIONAL", "CLOUDFRONT"]), default="REGIONAL", help="The rule group's scope.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done with each rule as JSON.")
def import_crs(*, folder: Path, setup: Path | None, paranoia: int, out: Path, name: str, scope: str, as_json: bool) -> None:
    """Import the rules of the OWASP Core Rule Set in the directory DIR.

    Writes `crs.json`, all that can be imported, for Garrison's firewall: the managed rule group CoreRuleSet of the vendor OWASP.
    And `crs-rule-group.json`, what AWS WAF's language can say of it, for `aws wafv2 create-rule-group`. Tells of every rule that
    is not in one of them why it is not. Exits 2 where the directory cannot be read.
    """
    from garrison.cli.waf import importing  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.cli.waf.jsonlines import FileError  # noqa: PLC0415

    try:
        found = importing.import_rules(folder, setup, paranoia, name, scope)
        importing.write(found, out)
    except FileError as error:
        fail(str(error), status=_BAD)
    if as_json:
        click.echo(json.dumps(importing.as_json(found), indent=2))
        return
    for line in importing.report(found, out):
        click.echo(line)
