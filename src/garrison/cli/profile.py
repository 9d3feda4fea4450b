"""``garrison init``: the AWS profile ``garrison``."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

import click

from garrison.cli.options import STATE, authority_of, endpoint_of, fail, opened, settings_from, settings_options

PROFILE = "garrison"
Values = dict[str, str | None]
"""Settings of a section; None for one that may not stand there."""


@click.command()
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--endpoint", default=None, metavar="URL", help="The server's endpoint; without it, where the server says it is.")
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
    where = endpoint or endpoint_of(settings, given)
    values: Values = {"region": settings.region, "endpoint_url": where}
    authority = authority_of(settings, where)
    values["ca_bundle"] = str(authority) if authority else None
    # A session token that is left from before would make the key another one.
    keys: Values = {
        "aws_access_key_id": found.admin_key[0],
        "aws_secret_access_key": found.admin_key[1],
        "aws_session_token": None,
    }
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
    for path, before, after in plans:
        if before != after:
            _write(path, after)
    click.echo(f"Written. Try: aws --profile {PROFILE} sts get-caller-identity")


def _aws_file(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / ".aws" / name).expanduser()


def _plan(path: Path, section: str, wanted: Values) -> tuple[str, str]:
    """The file's text before and after. Only lines of this one section change; everything else stays to the letter."""
    before = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
    lines = re.findall(r"[^\n]*\n|[^\n]+", before)
    new = [f"{key} = {value}\n" for key, value in wanted.items() if value is not None]
    start = next((index for index, line in enumerate(lines) if _names(line, section)), None)
    if start is None:
        gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
        return before, before + gap + f"[{section}]\n" + "".join(new)
    end = next((index for index in range(start + 1, len(lines)) if lines[index].startswith("[")), len(lines))
    rest = _without(lines[start + 1 : end], wanted)
    kept = _trimmed(rest)
    blank = rest[len(kept) :]
    if not lines[start].endswith("\n"):
        lines[start] += "\n"
    body = [*new, *kept]
    if (blank or end < len(lines)) and not body[-1].endswith("\n"):
        body[-1] += "\n"
    return before, "".join([*lines[: start + 1], *body, *blank, *lines[end:]])


def _names(line: str, section: str) -> bool:
    """Whether a line begins the section; the AWS tools read ``[profile "garrison"]`` as ``[profile garrison]``."""
    found = re.match(r"\[(.+)\]", line)
    return found is not None and " ".join(re.sub("[\"']", " ", found[1]).split()) == section


def _without(lines: list[str], wanted: Values) -> list[str]:
    """A section's lines without the settings that are written anew; what is indented belongs to the setting above it."""
    kept: list[str] = []
    dropping = False
    for line in lines:
        if line.strip() and not line[:1].isspace():
            dropping = re.split("[=:]", line, maxsplit=1)[0].strip().lower() in wanted
        if not (dropping and line.strip()):
            kept.append(line)
    return kept


def _trimmed(lines: list[str]) -> list[str]:
    """The lines without the empty ones at their end."""
    count = len(lines)
    while count and not lines[count - 1].strip():
        count -= 1
    return lines[:count]


def _show(plans: list[tuple[Path, str, str]], *, secret: str) -> None:
    for path, before, after in plans:
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=0):
            name = re.split("[=:]", line, maxsplit=1)[0]
            hidden = f"{name}= ****" if any(word in name.lower() for word in ("secret", "token", "password")) else line
            click.echo(hidden.replace(secret, "****").encode("utf-8", "replace").decode())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = path.resolve()  # a link stays a link
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    beside = target.with_name(f".{target.name}.garrison")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    beside.chmod(mode)
    beside.replace(target)
