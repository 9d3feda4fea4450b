"""``garrison plugin``: programs that stand between others and KMS."""

from __future__ import annotations

import importlib.util
import logging
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from garrison.cli.options import fail

if TYPE_CHECKING:
    from garrison.cli.k8s.keys import Keys

_NEEDED = ("boto3", "grpc", "google.protobuf")
_SECONDS = 3
"""How long KMS may take to answer: what the API server waits for a plugin, unless told otherwise."""


@click.group()
def plugin() -> None:
    """Programs that stand between others and KMS, Garrison's or AWS's."""


@plugin.command("k8s-kms")
@click.option(
    "--key-id",
    "key_ids",
    multiple=True,
    required=True,
    metavar="KEY",
    help="Key id, ARN or alias; the first one encrypts, further ones decrypt what they encrypted before.",
)
@click.option(
    "--socket", "path", required=True, metavar="PATH", help="The Unix socket that the API server's configuration names."
)
@click.option("--endpoint", default=None, metavar="URL", help="KMS endpoint; without it, what the AWS configuration says.")
@click.option("--region", default=None, help="Region of the key; without it, what the AWS configuration says.")
@click.option("--profile", default=None, help="AWS profile whose credentials sign.")
@click.option(
    "--encryption-context",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="Bind all that is encrypted to this; it must be the same ever after.",
)
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]), help="What is logged.")
def k8s_kms(
    *,
    key_ids: tuple[str, ...],
    path: str,
    endpoint: str | None,
    region: str | None,
    profile: str | None,
    pairs: tuple[str, ...],
    log_level: str,
) -> None:
    """Serve the Kubernetes API server as its KMS plugin, version 2, until stopped."""
    if any(not _installed(name) for name in _NEEDED):
        fail("this command needs more packages: pip install 'garrison[k8s]'")
    from garrison.cli.k8s.server import Plugin, SocketError, make_server, serve  # noqa: PLC0415 - optional packages
    from garrison.logs import configure_logs  # noqa: PLC0415 - `garrison --help` writes no log

    configure_logs(log_level)
    for library in ("boto3", "botocore", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)  # below it, they write whole requests and answers: plaintexts
    keys = _keys(key_ids, _context(pairs), endpoint_url=endpoint, region=region, profile=profile)
    try:
        server = make_server(Plugin(keys), Path(path).absolute())
    except SocketError as error:
        fail(str(error))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    click.echo(f"The KMS plugin listens on unix://{Path(path).absolute()}")
    serve(server, stop.wait)


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a parent is missing
        return False


def _context(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals or name in found:
            fail(f"`{pair}` is no encryption context NAME=VALUE, or its name is there twice", status=2)
        found[name] = value
    return found


def _keys(
    key_ids: tuple[str, ...], context: dict[str, str], *, endpoint_url: str | None, region: str | None, profile: str | None
) -> Keys:
    """The keys behind a boto3 client. Ends with a plain message where the AWS configuration does not say enough."""
    import boto3  # noqa: PLC0415 - an optional package
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    from garrison.cli.k8s.keys import Keys  # noqa: PLC0415

    config = Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 2, "mode": "standard"})
    try:
        client: Any = boto3.Session(profile_name=profile, region_name=region).client(
            "kms", endpoint_url=endpoint_url, config=config
        )
    except (BotoCoreError, ValueError) as error:
        fail(f"KMS cannot be called: {error}")
    return Keys(client, key_ids, context)
