"""Settings as options: each is declared once, in ``config.Settings``."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import click

from garrison.config import ConfigError, Settings, load_settings

_HELP = {
    "data_dir": "Where state is kept.",
    "root_key_file": "The root key, or the file that holds it sealed; it may not lie in the data directory.",
    "root_key": "Who keeps the root key: file:PATH, passphrase:PATH, pkcs11:PATH?module=..&token=..&key=.., kms:ARN@ENDPOINT.",
    "passphrase_file": "File with the passphrase or PIN; without it and --passphrase-fd the terminal is asked.",
    "passphrase_fd": "Open descriptor with the passphrase or PIN.",
    "host": "Address to listen on; anything but loopback needs TLS.",
    "port": "Port to listen on; 0 takes a free one.",
    "public_url": "Where others reach the server: what issuers are called by; with https://, cookies are for HTTPS alone.",
    "region": "Region for the profile and the credentials file.",
    "account": "The first account's id, at the first start only.",
    "workers": "API processes.",
    "store": "postgresql:// URL; SQLite in the data directory without it.",
    "tls": "Serve HTTPS, with a certificate of its own unless one is given.",
    "tls_cert": "Certificate chain, PEM.",
    "tls_key": "Private key of the certificate, PEM.",
    "dev": "State in memory, and POST /_garrison/reset; enforcement is the same.",
    "credentials_file": "Write endpoint, account and first credentials there as JSON (mode 0600).",
    "log_level": "debug, info, warning or error.",
    "attestation_roots": "Root certificates, PEM, for attestation documents; AWS's own without it.",
    "max_body_bytes": "Largest request body of a call that is not streamed.",
    "max_head_bytes": "Largest request line and headers together.",
    "read_timeout": "Seconds that a client has for a request's head, and again for its body.",
    "max_connections": "Connections that one worker holds at once.",
    "xks_routes": "NAME=ADDRESS:PORT, comma-separated: where names of external key store proxies lead.",
    "xks_authorities": "Certificate authorities, PEM, that external key store proxies are trusted by.",
    "xks_timeout": "Seconds that an external key store proxy has for one request.",
    "hsm_clusters": "TOML file: the PKCS#11 token of each CloudHsmClusterId.",
    "oidc_keys": "URL=PATH, comma-separated: JWKS files of OpenID Connect issuers that are not asked.",
    "oidc_authorities": "Certificate authorities, PEM, that OpenID Connect issuers are trusted by, beside the system's.",
    "waf_lists": "What `protect --lists` takes, for the web ACL of this API; rules imported there are a managed rule group too.",
    "waf_fail_open": "Let calls pass that the web ACL of this API could not inspect; else they get 503.",
    "waf_valkey": "valkey:// URL: share the rates of the web ACL of this API with other nodes.",
    "oidc_loopback": "Take OpenID Connect issuers at http:// addresses of this machine.",
}

STATE = ("data_dir", "root_key_file", "root_key", "passphrase_file", "passphrase_fd", "store")
"""What every command that opens the state takes."""


def settings_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options for the named settings; all of them where none is named."""
    chosen = names or tuple(field.name for field in fields(Settings))

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(chosen):
            kind = str(Settings.__annotations__[name])
            flag = "--" + name.replace("_", "-")
            if kind == "bool":
                option = click.option(flag, name, is_flag=True, default=None, help=_HELP[name])
            else:
                option = click.option(flag, name, default=None, metavar=_metavar(kind), help=_HELP[name])
            command = option(command)
        return command

    return add


def _metavar(kind: str) -> str:
    return {"int": "NUMBER", "float": "SECONDS"}.get(kind, "PATH" if kind.startswith("Path") else "TEXT")


def settings_from(given: dict[str, Any]) -> Settings:
    """The settings, or a plain message and exit status 2."""
    try:
        return load_settings(given)
    except ConfigError as error:
        fail(str(error), status=2)


def endpoint_of(settings: Settings, given: dict[str, Any]) -> str:
    """Where the server listens: as the options say, else as it left word in its data directory, else as the settings say."""
    noted = _noted(settings.data_dir)
    if noted and not any(given.get(name) is not None for name in ("host", "port", "tls")):
        return noted
    return f"{'https' if settings.secure else 'http'}://{settings.host_in_url}:{settings.port}"


def _noted(data_dir: Path) -> str:
    try:
        return str(json.loads((data_dir / "endpoint.json").read_text(encoding="utf-8"))["endpoint"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def authority_of(settings: Settings, endpoint: str) -> Path | None:
    """The authority that clients are told to trust: Garrison's own, where it made the certificate of this endpoint."""
    own = settings.data_dir / "tls" / "ca.pem"
    return own if endpoint.startswith("https:") and settings.tls_cert is None and own.exists() else None


def fail(message: str, *, status: int = 1) -> NoReturn:
    """Say what is wrong and exit."""
    click.echo(f"garrison: {message}", err=True)
    sys.exit(status)


@contextlib.contextmanager
def opened(settings: Settings, *, fresh: bool = False) -> Iterator[Any]:
    """The state for a command-line tool, beside a running server: ``app.State``.

    ``fresh`` allows a data directory that holds none yet; the root key must be there all the same. Exits with a plain message
    where the state cannot be opened, or fails on the way.
    """
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.keys.keyring import RootKeyError  # noqa: PLC0415
    from garrison.store import SchemaError, StoreUnavailable  # noqa: PLC0415

    if settings.dev:
        fail("with --dev the state is in the server's memory: no command reaches it", status=2)
    if not fresh and not settings.store and not (settings.data_dir / "garrison.db").exists():
        fail(f"there is no state in {settings.data_dir}: has `garrison serve` been started?")
    try:
        app.prepare_data_dir(settings)
        with tool_slot(settings.data_dir, app.TOOL_SLOTS) as slot, contextlib.closing(app.open_state(settings, slot)) as state:
            yield state
    except (ConfigError, RootKeyError, SchemaError, StoreUnavailable) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or settings.data_dir}: {error.strerror or error}")


@contextlib.contextmanager
def tool_slot(data_dir: Path, slots: range) -> Iterator[int]:
    """A process number that no other tool has at this moment."""
    folder = data_dir / "slots"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for slot in slots:
        descriptor = os.open(folder / str(slot), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield slot
        finally:
            os.close(descriptor)
        return
    fail("too many garrison commands at once")
