"""``garrison status`` and ``garrison doctor``."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import time
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click

from garrison.cli.options import STATE, authority_of, endpoint_of, fail, settings_from, settings_options
from garrison.config import Settings
from garrison.core.net import is_loopback


def _health(settings: Settings, endpoint: str) -> tuple[dict[str, Any], float | None]:
    """The health document and the server's clock. Raises OSError, ValueError where nothing of ours answers."""
    import http.client  # noqa: PLC0415 - only here
    import ssl  # noqa: PLC0415

    authority = authority_of(settings, endpoint)
    trusted = ssl.create_default_context(cafile=str(authority) if authority else None)
    # No proxy that the environment names stands between a machine and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted))
    try:
        with opener.open(endpoint + "/_garrison/health", timeout=5) as answer:
            document = json.load(answer)
            date = answer.headers.get("date")
    except http.client.HTTPException as error:
        msg = "what answers there does not speak HTTP"
        raise ValueError(msg) from error
    if not isinstance(document, dict) or document.get("edition") != "garrison":
        msg = "what answers there is not Garrison"
        raise ValueError(msg)
    return document, parsedate_to_datetime(date).timestamp() if date else None


@click.command()
@settings_options(*STATE, "host", "port", "tls")
def status(**given: Any) -> None:  # noqa: ANN401 - options
    """Say whether the server answers, and what it serves."""
    settings = settings_from(given)
    endpoint = endpoint_of(settings, given)
    try:
        document, _ = _health(settings, endpoint)
    except (OSError, ValueError) as error:
        fail(f"nothing of Garrison's answers on {endpoint}: {error}")
    click.echo(f"running   {endpoint}  version {document.get('version')}")
    click.echo(f"services  {', '.join(document.get('services', {}))}")
    click.echo(f"state     {_place(settings)}")


def _place(settings: Settings) -> str:
    """Where state is kept; of a URL nothing that could hold a password."""
    if not settings.store:
        return str(settings.data_dir)
    parts = urlsplit(settings.store)
    return f"postgresql://{parts.hostname or ''}{parts.path}"


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
    endpoint = endpoint_of(settings, given)
    findings = [*_server(settings, endpoint), *_modes(settings), *_client(endpoint, profile)]
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.what}")
        if not finding.good and finding.remedy:
            click.echo(f"     {finding.remedy}")
    sys.exit(0 if all(finding.good for finding in findings) else 1)


def _server(settings: Settings, endpoint: str) -> Iterator[Finding]:
    try:
        _, clock = _health(settings, endpoint)
    except (OSError, ValueError) as error:
        yield Finding(
            good=False,
            what=f"server: nothing of Garrison's answers on {endpoint} ({error})",
            remedy=_port_remedy(endpoint),
        )
        return
    yield Finding(good=True, what=f"server: answers on {endpoint}")
    if clock is not None:
        yield _clock(clock, time.time())


def _clock(server: float, here: float) -> Finding:
    skew = abs(server - here)
    what = f"clock: {skew:.0f} s apart from the server's"
    return Finding(skew < 60, what, "Set the clock: signatures are refused from 5 minutes on.")


def _port_remedy(endpoint: str) -> str:
    where = urlsplit(endpoint)
    try:
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=2):
            return "Another program has the port, or another certificate: choose a port with --port."
    except OSError:
        return "Start it: `garrison serve`."


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


def _client(endpoint: str, profile: str) -> Iterator[Finding]:
    """What boto3 would use; its own reading of the profile where it is installed."""
    for variable in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        if os.environ.get(variable):
            yield Finding(good=True, what=f"environment: {variable} is set, and overrules the profile where a command names none")
    try:
        import boto3  # type: ignore[import-untyped,unused-ignore] # noqa: PLC0415 - not a dependency of the server
        from botocore.config import Config  # type: ignore[import-untyped,unused-ignore] # noqa: PLC0415 - the same
    except ImportError:
        yield Finding(good=True, what="boto3: not installed here, profile not looked at")
        return
    quick = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
    try:
        client = boto3.session.Session(profile_name=profile).client("sts", config=quick)
    except Exception as error:  # noqa: BLE001 - whatever boto3 says is the finding
        yield Finding(good=False, what=f"profile `{profile}`: {error}", remedy="Run `garrison init`.")
        return
    seen = client.meta.endpoint_url
    same = _same(seen, endpoint)
    yield Finding(same, f"profile `{profile}`: boto3 goes to {seen}", "Run `garrison init`.")
    if not same:
        return  # nothing is signed for a server that is not this one
    try:
        identity = client.get_caller_identity()
    except Exception as error:  # noqa: BLE001 - the same
        yield Finding(good=False, what=f"profile `{profile}`: {error}", remedy="Run `garrison init`.")
        return
    yield Finding(good=True, what=f"profile `{profile}`: signed in as {identity['Arn']}")


def _same(one: str, other: str) -> bool:
    """Whether two URLs are of one server; every name of the loopback is one."""
    first, second = urlsplit(one), urlsplit(other)
    hosts = {"loopback" if is_loopback(url.hostname or "") else url.hostname for url in (first, second)}
    return len(hosts) == 1 and (first.scheme, first.port) == (second.scheme, second.port)
