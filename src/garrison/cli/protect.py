"""``garrison protect``: a firewall in front of an application."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from garrison.cli.options import fail

if TYPE_CHECKING:
    from garrison.edge.proxy.policies import FolderCache, Source
    from garrison.edge.proxy.settings import Address, Certificate, Front


@click.command()
@click.argument("url")
@click.option(
    "--listen", default="127.0.0.1:8080", metavar="[HOST:]PORT", help="Where clients connect; 127.0.0.1:8080 without it."
)
@click.option("--managed", default=None, metavar="NAMES", help="Managed rule groups, comma-separated: common,sqli,linux ...")
@click.option("--rate", type=click.IntRange(10, 2_000_000_000), default=None, help="Requests that one address has in 5 minutes.")
@click.option("--acl", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None, help="Web ACL in AWS's JSON.")
@click.option("--fail-open", is_flag=True, help="Let requests pass while no inspector answers; else they get 500.")
@click.option("--tls-cert", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Private key, PEM.")
@click.option("--http3", is_flag=True, help="HTTP/3 too, on the same port of UDP; needs a certificate.")
@click.option("--upstream-http2", is_flag=True, help="The application speaks HTTP/2 alone, as gRPC servers do.")
@click.option(
    "--upstream-ca", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Authorities of the application's TLS."
)
@click.option("--metrics", default=None, metavar="[HOST:]PORT", help="Serve Prometheus metrics there.")
@click.option(
    "--inspectors", type=click.IntRange(1, 32), default=None, help="Inspector processes; as many as processors, at most 4."
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", help="Of its own log.")
def protect(url: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Protect the application at URL: Envoy in front of it, a web ACL on each request."""
    from garrison.edge.proxy.supervisor import ProxyError, Supervisor, envoy_path  # noqa: PLC0415 - `--help` needs no rooms
    from garrison.logs import configure_logs  # noqa: PLC0415

    configure_logs(given["log_level"])
    try:
        front = _front(url, given)
        program = envoy_path()
        work = _local(front, given)
        Supervisor(front, program, work).run(lambda: _announce(front, given))
    except (ProxyError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _front(url: str, given: dict[str, Any]) -> Front:
    from garrison.edge.proxy.settings import Front, parse_upstream  # noqa: PLC0415 - `--help` needs no rooms

    certificate = _certificate(given["tls_cert"], given["tls_key"])
    if given["http3"] and certificate is None:
        raise ValueError("--http3 needs --tls-cert and --tls-key")
    processors = os.cpu_count() or 1
    return Front(
        listen=_address(given["listen"]),
        upstream=parse_upstream(url, http2=given["upstream_http2"], authorities=given["upstream_ca"]),
        folder=Path(tempfile.mkdtemp(prefix="garrison-")),
        certificate=certificate,
        http3=given["http3"],
        fail_open=given["fail_open"],
        inspectors=given["inspectors"] or min(processors, 4),
        envoy_threads=processors,
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


def _cache() -> FolderCache:
    import platformdirs  # noqa: PLC0415 - `--help` needs no rooms

    from garrison.edge.proxy.policies import FolderCache  # noqa: PLC0415

    return FolderCache(platformdirs.user_cache_path("garrison") / "patterns")


def _local(front: Front, given: dict[str, Any]) -> Callable[[int, socket.socket, int], None]:
    """Without a server of Garrison: the web ACL is in a file, or made of the options."""
    from garrison.core.ids import system_random  # noqa: PLC0415 - `--help` needs no rooms
    from garrison.edge.inspect.managed.catalog import Catalog  # noqa: PLC0415
    from garrison.edge.proxy.policies import FileSource  # noqa: PLC0415
    from garrison.edge.token_keys import TokenKey, TokenKeys  # noqa: PLC0415

    path = given["acl"] or _planned(front, given)
    cache = _cache()
    catalog = Catalog(cache=cache)
    keys = TokenKeys([TokenKey("local", system_random(32), time.time() - 3600)])
    return _worker(front, lambda: FileSource(path, catalog, keys), cache)


def _planned(front: Front, given: dict[str, Any]) -> Path:
    from garrison.core.net import is_loopback  # noqa: PLC0415 - `--help` needs no rooms
    from garrison.edge.proxy.plans import parse_managed, planned  # noqa: PLC0415

    if given["managed"] is None and given["rate"] is None:
        raise ValueError("nothing to inspect for: give --managed, --rate or --acl")
    document = planned(
        "protect", parse_managed(given["managed"] or ""), given["rate"], on_loopback=is_loopback(front.listen.host)
    )
    path = front.folder / "acl.json"
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path


def _worker(front: Front, source_of: Callable[[], Source], cache: FolderCache) -> Callable[[int, socket.socket, int], None]:
    """An inspector's life. The first web ACL is read and compiled here, once for all of them; it must be sound."""
    from garrison.edge.inspect import InvalidParameter, RateTable  # noqa: PLC0415 - `--help` needs no rooms
    from garrison.edge.interstitial import SpentTogether  # noqa: PLC0415
    from garrison.edge.proxy.inspector import Inspector, compiled  # noqa: PLC0415
    from garrison.edge.proxy.judge import Judge  # noqa: PLC0415

    loaded = source_of().poll()
    if loaded is None:
        raise ValueError("there is no web ACL to begin with: the reason is above")
    try:
        first = loaded.compile(cache)
    except InvalidParameter as error:
        raise ValueError(f"the web ACL is not valid: {error}") from error

    def work(_number: int, sock: socket.socket, lifeline: int) -> None:
        source = source_of()
        # It may have changed since, when this is the successor of an inspector that ended.
        now = source.poll()
        newest = compiled(now, cache) if now is not None else None
        judge = Judge(newest or first, RateTable(), front.scheme, spent=SpentTogether(front.folder / "spent"))
        Inspector(sock, judge, source, cache, lambda: (b"", "text/plain")).run(lifeline)

    return work


def _announce(front: Front, given: dict[str, Any]) -> None:
    click.echo(f"Garrison protects {front.upstream} at {front.scheme}://{front.listen}")
    click.echo(f"  web ACL    {given['acl'] or given['managed'] or 'rate alone'}")
    click.echo(f"  without an inspector   {'requests pass' if front.fail_open else 'requests are refused'}")
