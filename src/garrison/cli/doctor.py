"""``garrison status`` and ``garrison doctor``."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from garrison.cli.options import STATE, fail, settings_from, settings_options
from garrison.config import Settings


def _endpoint(settings: Settings) -> str:
    scheme = "https" if settings.tls or settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{settings.port}"


def _health(settings: Settings) -> tuple[dict[str, Any], float | None]:
    """The health document and the server's clock. Raises OSError, ValueError where nothing of ours answers."""
    import ssl  # noqa: PLC0415 - only here

    url = _endpoint(settings) + "/_garrison/health"
    authority = settings.data_dir / "tls" / "ca.pem"
    context = ssl.create_default_context(cafile=str(authority) if settings.tls and authority.exists() else None)
    with urllib.request.urlopen(url, timeout=5, context=context if url.startswith("https") else None) as answer:  # noqa: S310 - http(s), ours
        document = json.load(answer)
        date = answer.headers.get("date")
    return document, parsedate_to_datetime(date).timestamp() if date else None


@click.command()
@settings_options(*STATE, "host", "port", "tls")
def status(**given: Any) -> None:  # noqa: ANN401 - options
    """Say whether the server answers, and what it serves."""
    settings = settings_from(given)
    try:
        document, _ = _health(settings)
    except (OSError, ValueError) as error:
        fail(f"nothing answers on {_endpoint(settings)}: {error}")
    click.echo(f"running   {_endpoint(settings)}  version {document.get('version')}")
    click.echo(f"services  {', '.join(document.get('services', {}))}")
    click.echo(f"state     {settings.store.partition('@')[2] or settings.store if settings.store else settings.data_dir}")


class Finding(NamedTuple):
    """One thing that was looked at."""

    good: bool
    what: str
    remedy: str = ""


@click.command()
@click.option("--profile", default="garrison", metavar="NAME", help="The AWS profile to look at.")
@settings_options(*STATE, "host", "port", "tls")
def doctor(profile: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Look for what keeps clients from working: server, clock, file modes, profile, environment."""
    settings = settings_from(given)
    findings = [*_server(settings), *_modes(settings), *_client(settings, profile)]
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.what}")
        if not finding.good and finding.remedy:
            click.echo(f"     {finding.remedy}")
    sys.exit(0 if all(finding.good for finding in findings) else 1)


def _server(settings: Settings) -> Iterator[Finding]:
    try:
        _, clock = _health(settings)
    except (OSError, ValueError) as error:
        yield Finding(
            good=False,
            what=f"server: nothing of Garrison's answers on {_endpoint(settings)} ({error})",
            remedy=_port_remedy(settings),
        )
        return
    yield Finding(good=True, what=f"server: answers on {_endpoint(settings)}")
    if clock is not None:
        skew = abs(clock - time.time())
        yield Finding(
            skew < 60, f"clock: {skew:.0f} s apart from the server's", "Set the clock: signatures are refused from 5 minutes on."
        )


def _port_remedy(settings: Settings) -> str:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.settimeout(2)
        taken = probe.connect_ex((settings.host, settings.port)) == 0
    return "Another program has the port: choose one with --port." if taken else "Start it: `garrison serve`."


def _modes(settings: Settings) -> Iterator[Finding]:
    if not settings.store or settings.data_dir.exists():
        yield _mode(settings.data_dir, 0o077, "chmod 700")
    yield _mode(settings.root_key_file, 0o177, "chmod 600")


def _mode(path: Path, forbidden: int, command: str) -> Finding:
    try:
        found = path.stat()
    except OSError as error:
        return Finding(good=False, what=f"{path}: {error.strerror}", remedy="It is made at the first `garrison serve`.")
    mode = stat.S_IMODE(found.st_mode)
    good = not mode & forbidden and found.st_uid in {os.geteuid(), 0}
    return Finding(good, f"{path}: mode {mode:04o}, owner {found.st_uid}", f"Run `{command} {path}`.")


def _client(settings: Settings, profile: str) -> Iterator[Finding]:
    """What boto3 would use; its own reading of the profile where it is installed."""
    for variable in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        if os.environ.get(variable):
            yield Finding(good=True, what=f"environment: {variable} is set, and overrules the profile where a command names none")
    try:
        import boto3  # type: ignore[import-untyped,unused-ignore] # noqa: PLC0415 - not a dependency of the server
    except ImportError:
        yield Finding(good=True, what="boto3: not installed here, profile not looked at")
        return
    try:
        client = boto3.session.Session(profile_name=profile).client("sts")
    except Exception as error:  # noqa: BLE001 - whatever boto3 says is the finding
        yield Finding(good=False, what=f"profile `{profile}`: {error}", remedy="Run `garrison init`.")
        return
    seen = client.meta.endpoint_url
    yield Finding(seen == _endpoint(settings), f"profile `{profile}`: boto3 goes to {seen}", "Run `garrison init`.")
    try:
        identity = client.get_caller_identity()
    except Exception as error:  # noqa: BLE001 - the same
        yield Finding(good=False, what=f"profile `{profile}`: {error}", remedy="Run `garrison init`.")
        return
    yield Finding(good=True, what=f"profile `{profile}`: signed in as {identity['Arn']}")
