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
                "the PostgreSQL server's own files: free pages and write-ahead log are out of reach from here"
            )
    click.echo(json.dumps(report.as_json(), indent=2) if as_json else report.as_text())
    sys.exit({"shredded": 0, "readable": 1, "unknown": 2}[report.verdict])


def _ciphertext(text: str) -> bytes:
    try:
        return Path(text[1:]).read_bytes() if text.startswith("@") else b64decode(text, validate=True)
    except OSError as error:
        fail(f"{text[1:]}: {error.strerror}", status=2)
    except NotBase64:
        fail("neither a key id, nor an ARN of a key, nor a ciphertext in base64", status=2)
