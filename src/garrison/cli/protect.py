"""``garrison protect``: a firewall in front of an application."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import platformdirs

from garrison.cli.options import STATE, fail, settings_from, settings_options

if TYPE_CHECKING:
    from garrison.cli.protecting import Place
    from garrison.config import Settings
    from garrison.edge.proxy.settings import Address, Certificate, Front

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_SETTINGS = frozenset({*STATE, "region", "log_level"})


@click.command()
@click.argument("url", required=False)
@click.option(
    "--listen", default="127.0.0.1:8080", metavar="[HOST:]PORT", help="Where clients connect; 127.0.0.1:8080 without it."
)
@click.option("--check", is_flag=True, help="Answer other proxies' questions at /nginx and /forward, in place of proxying.")
@click.option("--managed", default=None, metavar="NAMES", help="Managed rule groups, comma-separated: common,sqli,linux ...")
@click.option("--rate", type=click.IntRange(10, 2_000_000_000), default=None, help="Requests that one address has in 5 minutes.")
@click.option("--acl", type=_FILE, default=None, help="Web ACL in AWS's JSON, in place of the two; read again when it changes.")
@click.option("--local", is_flag=True, help="Do without the server of Garrison that has its state here.")
@click.option(
    "--name", default=None, metavar="NAME", help="The listener's name, which its ARN has in it; protect-PORT without it."
)
@click.option("--endpoint", default=None, metavar="URL", help="The server's endpoint; without it, where the server says it is.")
@click.option("--profile", default=None, metavar="NAME", help="AWS profile whose keys make the web ACL; `garrison` without it.")
@click.option("--fail-open", is_flag=True, help="Let requests pass while no inspector answers; else they get 500.")
@click.option("--tls-cert", type=_FILE, help="Certificate chain, PEM.")
@click.option("--tls-key", type=_FILE, help="Private key, PEM.")
@click.option("--http3", is_flag=True, help="HTTP/3 too, on the same port of UDP; needs a certificate.")
@click.option("--upstream-http2", is_flag=True, help="The application speaks HTTP/2 alone, as gRPC servers do.")
@click.option("--upstream-ca", type=_FILE, help="Authorities that the application's certificate is trusted by, PEM.")
@click.option("--keep-codings", is_flag=True, help="Pass compressed bodies on as they are, and inspect them so.")
@click.option("--lists", type=_FOLDER, default=None, help="Lists of managed rule groups, and databases of places.")
@click.option("--log", default=None, metavar="FILE", help="Log records of a web ACL in a file; `-` for standard output.")
@click.option("--metrics", default=None, metavar="[HOST:]PORT", help="Serve Prometheus metrics there, at /metrics and /envoy.")
@click.option("--inspectors", type=click.IntRange(1, 32), default=None, help="Inspector processes; one a processor, at most 4.")
@click.option(
    "--transport",
    type=click.Choice(["inspectors", "in-process", "auto"]),
    default="inspectors",
    help="Inspect beside Envoy, or in Envoy's own process, which costs less and needs a C compiler; auto: where that can be.",
)
@click.option("--valkey", default=None, metavar="URL", help="Share rates with other nodes over Valkey.")
@settings_options(*STATE, "region", "log_level")
def protect(url: str | None, **given: Any) -> None:  # noqa: ANN401 - options
    """Protect the application at URL: Envoy in front of it, a web ACL on each request."""
    from garrison.cli.calling import CallError  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.edge.proxy.supervisor import ProxyError, envoy_path  # noqa: PLC0415
    from garrison.edge.sharing import PoolError  # noqa: PLC0415
    from garrison.logs import configure_logs  # noqa: PLC0415

    settings = settings_from({name: value for name, value in given.items() if name in _SETTINGS})
    configure_logs(given["log_level"] or "warning")
    try:
        program = envoy_path() if url is not None else None
        front = _front(url, given)
        try:
            _run(front, given, settings, program)
        finally:
            shutil.rmtree(front.folder, ignore_errors=True)
    except (ProxyError, PoolError, CallError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _run(front: Front, given: dict[str, Any], settings: Settings, envoy: Path | None) -> None:
    from garrison.cli import protecting  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.cli.inside import told  # noqa: PLC0415
    from garrison.edge.proxy import metrics  # noqa: PLC0415
    from garrison.edge.proxy.supervisor import Supervisor  # noqa: PLC0415

    metrics.prepare(front.folder / "metrics")
    kept = protecting.cache()
    place = protecting.place_of(front, given, settings, kept)
    first = protecting.first_policy(place, kept)
    work = protecting.worker(front, place, kept, given["valkey"], first)
    inside = None if front.module is None else lambda: told(front, given, settings, place.secret())
    Supervisor(front, envoy, work, _Restarts().add, inside).run(lambda: _announce(front, place))


def _module(url: str | None, given: dict[str, Any]) -> Path | None:
    """Our module for Envoy, where the firewall runs inside it. Raises ValueError where it must and cannot."""
    from garrison.edge.proxy.building import BuildError, build, find_tools  # noqa: PLC0415 - `--help` needs no rooms

    if given["transport"] == "inspectors":
        return None
    reason = "with --check there is no Envoy" if url is None else None
    if (given["inspectors"] or 1) > 1:
        reason = "--inspectors is the number of processes beside Envoy; in Envoy there is one interpreter"
    try:
        if reason is None:
            return build(platformdirs.user_cache_path("garrison") / "envoy", find_tools())
    except BuildError as error:
        reason = str(error)
    if given["transport"] == "in-process":
        raise ValueError(f"--transport in-process: {reason}")
    click.echo(f"inspecting beside Envoy, not in it: {reason}", err=True)
    return None


class _Restarts:
    """Counts processes that were started again."""

    def __init__(self) -> None:
        from garrison.edge.proxy.metrics import Metrics  # noqa: PLC0415 - `garrison --help` needs no rooms

        self._metrics = Metrics()
        self._counts: dict[tuple[str, ...], float] = {}

    def add(self, kind: str) -> None:
        """One more of ``envoy`` or ``inspector``."""
        key = "events", f"{kind}_restarted"
        self._counts[key] = self._counts.get(key, 0) + 1
        self._metrics.hand_over(self._counts)


def _front(url: str | None, given: dict[str, Any]) -> Front:
    from garrison.edge.proxy.settings import Front, parse_upstream  # noqa: PLC0415 - `--help` needs no rooms

    if (url is None) is not given["check"]:
        raise ValueError("give the URL of an application, or --check where another proxy stands before it")
    certificate = _certificate(given["tls_cert"], given["tls_key"])
    if given["http3"] and certificate is None:
        raise ValueError("--http3 needs --tls-cert and --tls-key")
    processors = os.cpu_count() or 1
    module = _module(url, given)
    return Front(
        listen=_address(given["listen"]),
        upstream=None if url is None else parse_upstream(url, http2=given["upstream_http2"], authorities=given["upstream_ca"]),
        folder=Path(tempfile.mkdtemp(prefix="garrison-")),
        certificate=certificate,
        http3=given["http3"],
        fail_open=given["fail_open"],
        undo_codings=not given["keep_codings"] and url is not None,
        inspectors=1 if module else given["inspectors"] or min(processors, 4),
        envoy_threads=processors,
        module=module,
        metrics=_address(given["metrics"]) if given["metrics"] else None,
    )


def _certificate(chain: Path | None, key: Path | None) -> Certificate | None:
    from garrison.edge.proxy.settings import Certificate  # noqa: PLC0415 - `--help` needs no rooms

    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise ValueError("--tls-cert and --tls-key belong together")
    return Certificate(chain.resolve(), key.resolve())


def _address(text: str) -> Address:
    from garrison.edge.proxy.settings import Address  # noqa: PLC0415 - `--help` needs no rooms

    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"`{text}` is no [HOST:]PORT")
    found = Address(host.strip("[]") or "127.0.0.1", int(port))
    if not found.is_ip:
        raise ValueError(f"`{text}`: the host must be an address")
    return found


def _announce(front: Front, place: Place) -> None:
    what = f"Garrison protects {front.upstream} at" if front.upstream else "Garrison protects by checks at"
    click.echo(f"{what} {front.scheme}://{front.listen}")
    arn = getattr(place, "arn", None)
    if arn is not None:
        click.echo(f"  listener   {arn}")
    click.echo(f"  web ACL    {place.title}")
    if front.upstream is not None:
        click.echo(f"  inspected  {'inside Envoy' if front.module else f'by {front.inspectors} beside Envoy'}")
    click.echo(f"  without an answer of an inspector, requests {'pass' if front.fail_open else 'are refused'}")
    sys.stdout.flush()
