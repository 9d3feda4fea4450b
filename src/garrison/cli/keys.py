"""``garrison keys``."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from binascii import Error as NotBase64
from pathlib import Path
from typing import Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options


@click.group()
def keys() -> None:
    """The keys of the Key Management Service."""


@keys.command("prove-shredded")
@click.argument("subject", metavar="KEY_OR_CIPHERTEXT")
@click.option(
    "--also", multiple=True, type=click.Path(path_type=Path, exists=True), help="A backup, or a folder of them, to search too."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@settings_options(*STATE)
def prove_shredded(subject: str, also: tuple[Path, ...], *, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Show that nothing in the data directory opens what was encrypted under a destroyed key.

    KEY_OR_CIPHERTEXT is a key id or ARN, a ciphertext in base64, or @FILE with the bytes of one. Every file is searched for
    copies of the sealed material: the database with its free pages and its log, spools, and whatever --also names. Exits 0 where
    none can be opened any more, 1 where one can, 2 where that is not known.
    """
    from garrison.keys.kms import shredding  # noqa: PLC0415 - `garrison --help` needs no rooms

    blob = None if shredding.is_key(subject) else _ciphertext(subject)
    settings = settings_from(given)
    with opened(settings) as state:
        state.store.settle()
        report = shredding.materials_of(state.store.reading(), subject, blob)
        shredding.search(report, state.keyring, [settings.data_dir, *also])
        if settings.store:
            report.unsearched.append(
                "the PostgreSQL server's own files: free pages and write-ahead log are out of reach from here;"
                " `garrison keys rewrap` closes what they hold"
            )
    click.echo(json.dumps(report.as_json(), indent=2) if as_json else report.as_text())
    sys.exit({"shredded": 0, "readable": 1, "unknown": 2}[report.verdict])


@keys.command()
@click.option(
    "--to",
    default=None,
    metavar="TEXT",
    help="Who keeps the new root key, in the words of --root-key; who keeps the present one, without it.",
)
@click.option(
    "--new-passphrase-file", default=None, type=click.Path(path_type=Path), help="The passphrase or PIN of the new custody."
)
@click.option("--new-passphrase-fd", default=None, type=int, metavar="NUMBER", help="Open descriptor with the same.")
@settings_options(*STATE)
def rewrap(
    to: str | None,
    new_passphrase_file: Path | None,
    new_passphrase_fd: int | None,
    **given: Any,  # noqa: ANN401 - options
) -> None:
    """Put a new root key in the present one's place while the server runs, and change who keeps it.

    Everything sealed is sealed anew. Stopped at any point, the command goes on where it was when it is run again, and until it
    has ended both root keys open everything. Backups made before open with the old root key alone: keep it as long as them.
    """
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.keys import rewrap as work  # noqa: PLC0415
    from garrison.keys.custody import Secrets  # noqa: PLC0415
    from garrison.keys.keyring import RootKeyError  # noqa: PLC0415

    settings = settings_from(given)
    secrets = Secrets(new_passphrase_file, new_passphrase_fd) if new_passphrase_file or new_passphrase_fd is not None else None
    with opened(settings) as state:
        kept, present = app.custody(settings, to, secrets), app.custody(settings)
        if kept.path.resolve().is_relative_to(settings.data_dir.resolve()):
            fail(f"the root key `{kept.path}` may not lie in the data directory", status=2)
        if kept.path == present.path and kept.kind != present.kind:
            fail(
                f"{kept.path} is kept by `{present.kind}`: name another file, so that either can be read until the end", status=2
            )
        if work.unfinished(state.store, state.keyring):
            click.echo("going on with what was begun before")
        try:
            count = work.rewrap(state.store, state.keyring, kept.keep)
        except RootKeyError as error:
            fail(str(error))
        state.store.settle()
    click.echo(f"{count} secrets sealed anew. The root key is now kept by {kept}")
    if to is not None and to != settings.root_key:
        click.echo(f"For the next start: --root-key '{to}', or GARRISON_ROOT_KEY. What kept the old one opens backups alone.")


def _ciphertext(text: str) -> bytes:
    try:
        return Path(text[1:]).read_bytes() if text.startswith("@") else b64decode(text, validate=True)
    except OSError as error:
        fail(f"{text[1:]}: {error.strerror}", status=2)
    except NotBase64:
        fail("neither a key id, nor an ARN of a key, nor a ciphertext in base64", status=2)
