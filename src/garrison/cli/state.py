"""``garrison backup``, ``restore``, ``export`` and ``import``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@settings_options(*STATE)
def backup(file: Path, **given: Any) -> None:  # noqa: ANN401 - options
    """Write a copy of the state to FILE while the server runs. Secrets in it stay sealed: keep the root key apart."""
    with opened(settings_from(given)) as state:
        _ship(state)
        state.store.backup(file)
    click.echo(f"Wrote {file}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@settings_options(*STATE)
def restore(file: Path, **given: Any) -> None:  # noqa: ANN401 - options
    """Replace the whole state by a backup or an export. Stop the server first."""
    _replace(file, given)


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@settings_options(*STATE)
def export_(file: Path, **given: Any) -> None:  # noqa: ANN401 - options
    """Write the state to FILE as JSON lines that SQLite and PostgreSQL both take back; secrets stay sealed."""
    with opened(settings_from(given)) as state:
        _ship(state)
        state.store.export(file)
    click.echo(f"Wrote {file}")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@settings_options(*STATE)
def import_(file: Path, **given: Any) -> None:  # noqa: ANN401 - options
    """Replace the whole state by an export, of either engine. The root key must be the one that it was written under."""
    _replace(file, given)


def _ship(state: Any) -> None:  # noqa: ANN401 - app.State
    """Bring the events that wait in spools into the state first, so that the copy has them."""
    from garrison.audit.adopt import gather  # noqa: PLC0415 - `garrison --help` needs no rooms

    gather(state.store, state.data_dir)


def _replace(file: Path, given: dict[str, Any]) -> None:
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.audit import accept_restore  # noqa: PLC0415
    from garrison.store import SchemaError, StoreUnavailable  # noqa: PLC0415

    settings = settings_from(given)
    with opened(settings, fresh=True) as state, app.sole_server(settings.data_dir):
        try:
            state.store.restore(file)
        except (SchemaError, StoreUnavailable, ValueError) as error:
            fail(f"{file} was not restored: {error}")
        accept_restore(state.store, settings.data_dir, state.keyring)
    click.echo(f"Restored {file}")
