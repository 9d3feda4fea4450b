"""``garrison init``: the AWS profile ``garrison``."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options

PROFILE = "garrison"


@click.command()
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--endpoint", default=None, metavar="URL", help="The server's endpoint; found from host and port without it.")
@settings_options(*STATE, "host", "port", "region", "tls")
def init(*, yes: bool, endpoint: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Write the AWS profile `garrison` with the admin's key; shows what changes first, touches no other profile."""
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms

    settings = settings_from(given)
    with opened(settings) as state:
        row = state.store.reading().one("SELECT id FROM account ORDER BY created_at LIMIT 1")
        if row is None:
            fail("the state holds no account yet")
        found = app.stored_credentials(state, row[0])
    if not found.admin_key[0]:
        fail("user `admin` has no active access key any more: write the profile by hand")
    scheme = "https" if settings.tls or settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    values = {"region": settings.region, "endpoint_url": endpoint or f"{scheme}://{host}:{settings.port}"}
    if settings.tls:
        values["ca_bundle"] = str(settings.data_dir / "tls" / "ca.pem")
    keys = {"aws_access_key_id": found.admin_key[0], "aws_secret_access_key": found.admin_key[1]}
    config = _aws_file("AWS_CONFIG_FILE", "config")
    credentials = _aws_file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
    changes = [(config, f"profile {PROFILE}", values), (credentials, PROFILE, keys)]
    plans = [(path, *_plan(path, section, wanted)) for path, section, wanted in changes]
    _show(plans, secret=found.admin_key[1])
    if all(before == after for _, before, after in plans):
        click.echo("Nothing to change.")
        return
    if not yes and not click.confirm("Write this?"):
        fail("nothing was written")
    for path, _, after in plans:
        _write(path, after)
    click.echo(f"Written. Try: aws --profile {PROFILE} sts get-caller-identity")


def _aws_file(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / ".aws" / name).expanduser()


def _plan(path: Path, section: str, wanted: dict[str, str]) -> tuple[str, str]:
    """The file's text before and after. Only lines of this one section change; everything else stays to the letter."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = before.splitlines(keepends=True)
    start = next((index for index, line in enumerate(lines) if line.strip() == f"[{section}]"), None)
    if start is None:
        gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
        return before, before + gap + f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in wanted.items())
    end = next((index for index in range(start + 1, len(lines)) if lines[index].lstrip().startswith("[")), len(lines))
    kept = [line for line in lines[start + 1 : end] if line.partition("=")[0].strip() not in wanted]
    while kept and not kept[-1].strip():
        kept.pop()
    body = [f"{key} = {value}\n" for key, value in wanted.items()] + kept
    if not body[-1].endswith("\n"):
        body[-1] += "\n"
    tail = ["\n", *lines[end:]] if end < len(lines) else []
    return before, "".join([*lines[: start + 1], *body, *tail])


def _show(plans: list[tuple[Path, str, str]], *, secret: str) -> None:
    for path, before, after in plans:
        diff = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=0)
        for line in diff:
            hidden = line.partition("=")[0] + "= ****" if "aws_secret_access_key" in line or "session_token" in line else line
            click.echo(hidden.replace(secret, "****"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    beside = target.with_name(f".{target.name}.garrison")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.chmod(mode)
    beside.replace(target)
