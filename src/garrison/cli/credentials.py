"""``garrison credentials``: credentials of a console session, as ``credential_process`` wants them.

Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
import webbrowser
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import platformdirs

from garrison.cli.options import authority_of, endpoint_of, fail, settings_from, settings_options

if TYPE_CHECKING:
    from garrison.cli.logins import TokenEndpoint, Tokens
    from garrison.keys.proofs import ProofKey

_EARLY_SECONDS = 300
"""What lasts no longer is made anew, as the SDKs do."""


@click.command()
@click.option("--endpoint", default=None, metavar="URL", help="The server's endpoint; without it, where the server says it is.")
@click.option(
    "--authority",
    default=None,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Certificate authority of the endpoint, PEM; without it the server's own, else the system's.",
)
@click.option("--no-browser", is_flag=True, help="Show the address to sign in at, and open no browser.")
@click.option("--forget", is_flag=True, help="Forget the session that is kept here, and do nothing else.")
@settings_options("data_dir", "host", "port", "tls")
def credentials(*, endpoint: str | None, authority: Path | None, no_browser: bool, forget: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Print credentials of a console session as JSON, for `credential_process` in an AWS profile.

    The first time, and each time the session is over, somebody signs in with a browser; in between the session is renewed. It is
    kept in a file that its owner alone can read.
    """
    from garrison.cli.logins import LoginError, TokenEndpoint  # noqa: PLC0415 - `garrison --help` needs no rooms

    settings = settings_from(given)
    where = endpoint or endpoint_of(settings, given)
    server = TokenEndpoint(where, authority or authority_of(settings, where))
    path = _folder() / f"{hashlib.sha256(where.encode()).hexdigest()}.json"
    with _held(path):
        if forget:
            path.unlink(missing_ok=True)
            return
        try:
            found = _credentials(server, path, browser=not no_browser)
        except LoginError as error:
            fail(str(error))
    click.echo(json.dumps(found))


def _credentials(server: TokenEndpoint, path: Path, *, browser: bool) -> dict[str, object]:
    from garrison.cli import logins  # noqa: PLC0415 - as above
    from garrison.keys.proofs import ProofKey  # noqa: PLC0415

    kept = _kept(path)
    if kept is not None and kept[1].expires_at - time.time() > _EARLY_SECONDS:
        return _document(kept[1])
    if kept is not None:
        key, tokens = kept
        try:
            return _keep(path, key, logins.refresh(server, key, tokens.refresh_token))
        except logins.SignedOutError:
            path.unlink(missing_ok=True)
    key = ProofKey.new()
    return _keep(path, key, logins.sign_in(server, key, lambda address: _show(address, browser=browser)))


def _show(address: str, *, browser: bool) -> None:
    """To the terminal: standard output is the program's that asked."""
    click.echo(f"Sign in at {address}", err=True)
    if browser:
        # A browser's own words would stand among what that program reads.
        with contextlib.suppress(webbrowser.Error, OSError):
            webbrowser.open(address)


def _document(tokens: Tokens) -> dict[str, object]:
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(tokens.expires_at))
    return {
        "Version": 1,
        "AccessKeyId": tokens.access_key_id,
        "SecretAccessKey": tokens.secret_access_key,
        "SessionToken": tokens.session_token,
        "Expiration": ends,
    }


def _folder() -> Path:
    folder = platformdirs.user_state_path("garrison") / "sessions"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """One process at a time: two that refresh at once would each void the other's token."""
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _kept(path: Path) -> tuple[ProofKey, Tokens] | None:
    """The session that was kept; None where there is none, or the file is no such thing."""
    from garrison.cli.logins import Tokens  # noqa: PLC0415 - as above
    from garrison.keys.proofs import ProofKey  # noqa: PLC0415

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        tokens = Tokens(**document["tokens"])
        return ProofKey.from_pem(str(document["key"])), replace(tokens, expires_at=float(tokens.expires_at))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, key: ProofKey, tokens: Tokens) -> dict[str, object]:
    names = ("access_key_id", "secret_access_key", "session_token", "expires_at", "refresh_token")
    text = json.dumps({"key": key.pem(), "tokens": {name: getattr(tokens, name) for name in names}})
    beside = path.with_suffix(f".{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)
    return _document(tokens)
