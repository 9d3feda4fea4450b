"""Settings: from the command line, then ``GARRISON_*`` variables, then a TOML file, then the defaults.

An unknown variable or key stops the start: a misspelt setting never leaves a protection off in silence.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import platformdirs

from garrison.core.net import is_loopback

PREFIX = "GARRISON_"
CONFIG_VARIABLE = "GARRISON_CONFIG"


class ConfigError(Exception):
    """A setting that Garrison will not start with; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Each field is an option, a variable and a key of the same name."""

    data_dir: Path
    """Where state is kept (made with mode 0700)."""
    root_key_file: Path
    """The root key, or the file that holds it sealed: outside the data directory, so that a copy of one opens nothing."""
    root_key: str = ""
    """Who keeps the root key: `file:PATH`, `passphrase:PATH`, `pkcs11:PATH?module=..&token=..&key=..`, `kms:ARN@ENDPOINT`."""
    passphrase_file: Path | None = None
    """Where the passphrase or PIN is read from; with neither this nor `passphrase_fd` the terminal is asked."""
    passphrase_fd: int = -1
    """An open descriptor from which the passphrase or PIN is read."""
    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback needs TLS."""
    port: int = 4566
    """Port to listen on; 0 takes a free one."""
    public_url: str = ""
    """Where others reach the server, `https://…`: what issuers of tokens are called by, and whether a proxy before it ends TLS.

    Without it, where a call came to.
    """
    region: str = "us-east-1"
    """The Region that `garrison init` writes into the profile."""
    account: str = ""
    """The first account's id, at the first start only; random where empty."""
    workers: int = 1
    """API processes."""
    store: str = ""
    """`postgresql://…` for PostgreSQL; empty for SQLite in the data directory."""
    tls: bool = False
    """Serve HTTPS, with a certificate made in the data directory where none is given."""
    tls_cert: Path | None = None
    """Certificate chain, PEM."""
    tls_key: Path | None = None
    """Private key of the certificate, PEM."""
    dev: bool = False
    """State in memory, and POST /_garrison/reset; enforcement is the same."""
    credentials_file: Path | None = None
    """Where to write endpoint, account and first credentials as JSON (mode 0600)."""
    log_level: str = "info"
    """debug, info, warning or error."""
    attestation_roots: Path | None = None
    """Root certificates, PEM, that attestation documents are verified against; AWS's own where none are given."""
    max_body_bytes: int = 8 * 1024 * 1024
    """Largest request body of a call that is not streamed."""
    max_head_bytes: int = 64 * 1024
    """Largest request line and headers together."""
    read_timeout: float = 20.0
    """Seconds that a client has to send a request's head, and again its body."""
    max_connections: int = 1024
    """Connections that one worker holds at once."""
    xks_routes: str = ""
    """Where names of external key store proxies lead: `NAME=ADDRESS:PORT`, separated by commas; public names need none."""
    xks_authorities: Path | None = None
    """Certificate authorities, PEM, that external key store proxies are trusted by; the system's where empty."""
    xks_timeout: float = 0.25
    """Seconds that an external key store proxy has for one request."""
    hsm_clusters: Path | None = None
    """TOML file that says which PKCS#11 token each CloudHsmClusterId stands for."""
    oidc_keys: str = ""
    """Files with the keys of OpenID Connect issuers that are not asked for them: `URL=PATH` of a JWKS, separated by commas."""
    oidc_authorities: Path | None = None
    """Certificate authorities, PEM, that OpenID Connect issuers are trusted by, beside those of the system."""
    oidc_loopback: bool = False
    """Take OpenID Connect issuers at `http://` addresses of this machine."""
    waf_lists: Path | None = None
    """The directory that `garrison protect --lists` takes: rules imported there are a managed rule group of AWS WAF's API too.

    The web ACL of Garrison's own API takes lists and databases of places from there.
    """
    waf_fail_open: bool = False
    """Let calls pass that the web ACL of Garrison's own API could not inspect; else they get 503."""
    waf_valkey: str = ""
    """URL of the Valkey over which nodes share the rates of that web ACL; may hold a password."""

    @property
    def database(self) -> str | Path:
        """What the store opens: a URL, or the directory of the SQLite file."""
        return self.store or self.data_dir

    @property
    def secure(self) -> bool:
        """Whether it serves HTTPS."""
        return self.tls or self.tls_cert is not None

    @property
    def host_in_url(self) -> str:
        """The host as a URL has it: IPv6 addresses in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def xks_addresses(self) -> dict[str, tuple[str, int]]:
        """``xks_routes`` by name. Raises ValueError where it has not the form."""
        found: dict[str, tuple[str, int]] = {}
        for route in filter(None, self.xks_routes.split(",")):
            name, equals, address = route.strip().partition("=")
            host, colon, port = address.rpartition(":")
            if not (name and equals and host and colon) or not 0 < int(port) < 65536:
                raise ValueError(route)
            found[name] = (host.strip("[]"), int(port))
        return found

    @property
    def oidc_files(self) -> dict[str, Path]:
        """``oidc_keys`` by URL. Raises ValueError where it has not the form."""
        found: dict[str, Path] = {}
        for entry in filter(None, self.oidc_keys.split(",")):
            url, equals, path = entry.strip().partition("=")
            if not (equals and path and url.startswith(("https://", "http://"))):
                raise ValueError(entry)
            found[url] = _path(path)
        return found

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the listener."""
        return is_loopback(self.host)


_NAMES = frozenset(field.name for field in fields(Settings))
_LEVELS = ("debug", "info", "warning", "error")
_LIMITS = ("max_body_bytes", "max_head_bytes", "max_connections", "read_timeout", "xks_timeout")
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
_URL = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(?:/[A-Za-z0-9._~-]+)*")
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")


def load_settings(given: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    ``given`` are those of the command line (None where not given). Raises ConfigError on an unknown name, a value
    of the wrong form, and on an address that is not loopback without TLS.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    values.update(_from_file(environ))
    values.update(_from_environ(environ))
    values.update({name: value for name, value in (given or {}).items() if value is not None})
    return _checked(values)


def _from_file(environ: Mapping[str, str]) -> dict[str, Any]:
    named = environ.get(CONFIG_VARIABLE)
    path = Path(named).expanduser() if named else platformdirs.user_config_path("garrison") / "config.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if not named:
            return {}
        msg = f"cannot read `{path}`: there is no such file"
        raise ConfigError(msg) from error
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        msg = f"cannot read `{path}`: {error}"
        raise ConfigError(msg) from error
    for key in found:
        if key not in _NAMES:
            msg = f"unknown key `{key}` in {path}"
            raise ConfigError(msg)
    return found


def _from_environ(environ: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in _NAMES or variable != variable.upper():
            msg = f"unknown variable `{variable}`"
            raise ConfigError(msg)
        found[name] = value
    return found


def _checked(values: dict[str, Any]) -> Settings:
    typed = {name: _typed(name, value) for name, value in values.items()}
    custom = "data_dir" in typed
    data_dir: Path = typed.pop("data_dir", None) or platformdirs.user_data_path("garrison").absolute()
    default_key = (
        data_dir.with_name(f"{data_dir.name}.root-key")
        if custom
        else platformdirs.user_config_path("garrison").absolute() / "root.key"
    )
    named = _file_in(typed.get("root_key", ""))
    given: Path | None = typed.pop("root_key_file", None)
    if named is not None and given is not None and named != given:
        msg = f"root_key names the file `{named}`, and root_key_file another one, `{given}`"
        raise ConfigError(msg)
    root_key_file = named or given or default_key
    if str(typed.get("root_key", "")).startswith("kms:") and root_key_file.suffix != ".kms":
        # A file of its own: what it holds is no root key, and a root key may lie under the other name.
        root_key_file = root_key_file.with_name(f"{root_key_file.name}.kms")
    # Links and `..` are followed: what counts is where the bytes would lie.
    if root_key_file.resolve().is_relative_to(data_dir.resolve()):
        msg = f"the root key `{root_key_file}` may not lie in the data directory `{data_dir}`"
        raise ConfigError(msg)
    settings = Settings(data_dir=data_dir, root_key_file=root_key_file, **typed)
    _check_values(settings)
    return settings


def _file_in(root_key: str) -> Path | None:
    """The file that ``root_key`` names, if it does: what another KMS sealed lies beside ``root_key_file``."""
    kind, _, rest = root_key.partition(":")
    path = rest.partition("?")[0]
    return None if kind == "kms" or not path else _path(path)


def _typed(name: str, value: Any) -> Any:  # noqa: ANN401 - a setting may be of any type
    kind = str(Settings.__annotations__[name]).partition(" ")[0]
    try:
        return _READERS[kind](value)
    except (TypeError, ValueError) as error:
        msg = f"`{value}` is no value for {name}"
        raise ConfigError(msg) from error


def _boolean(value: Any) -> bool:  # noqa: ANN401 - text from a variable, or a TOML value
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"1", "true", "yes", "on"}:
        return True
    if str(value).lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError(value)


def _integer(value: Any) -> int:  # noqa: ANN401 - the same
    if isinstance(value, bool | float):
        raise TypeError(value)
    return int(value)


def _number(value: Any) -> float:  # noqa: ANN401 - the same
    if isinstance(value, bool):
        raise TypeError(value)
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(value)
    return found


def _text(value: Any) -> str:  # noqa: ANN401 - the same
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _path(value: Any) -> Path:  # noqa: ANN401 - the same
    """An absolute path. An empty one is an error: it would mean the working directory."""
    if not str(value) or "\0" in str(value):
        raise ValueError(value)
    return Path(value).expanduser().absolute()


_READERS: Mapping[str, Callable[[Any], Any]] = {"bool": _boolean, "int": _integer, "float": _number, "str": _text, "Path": _path}


def _has_routes(settings: Settings) -> bool:
    try:
        _ = settings.xks_addresses
    except ValueError:
        return False
    return True


def _has_files(settings: Settings) -> bool:
    try:
        _ = settings.oidc_files
    except ValueError:
        return False
    return True


def _check_values(settings: Settings) -> None:
    for wrong, problem in _problems(settings):
        if wrong:
            raise ConfigError(problem)


def _problems(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Each rule that settings must keep, and what to say where one is broken."""
    account = settings.account
    yield not _HOST.fullmatch(settings.host), f"host `{settings.host}` is no address"
    yield (
        bool(settings.public_url) and not _URL.fullmatch(settings.public_url),
        f"public_url `{settings.public_url}` has not the form `https://garrison.example.com`",
    )
    yield not _REGION.fullmatch(settings.region), f"region `{settings.region}` has not the form of a Region, `us-east-1`"
    yield bool(account) and not re.fullmatch(r"[0-9]{12}", account), f"account `{account}` is not 12 digits"
    yield not 0 <= settings.port <= 65535, f"port {settings.port} is not within 0 and 65535"
    yield not 1 <= settings.workers <= 64, f"workers {settings.workers} is not within 1 and 64"
    yield settings.log_level not in _LEVELS, f"log_level `{settings.log_level}` is none of {', '.join(_LEVELS)}"
    yield bool(settings.store) and not re.match(r"postgres(ql)?://", settings.store), "store is no postgresql:// URL"
    yield (settings.tls_cert is None) != (settings.tls_key is None), "tls_cert and tls_key go together"
    yield not _has_routes(settings), f"xks_routes `{settings.xks_routes}` has not the form NAME=ADDRESS:PORT"
    yield not _has_files(settings), f"oidc_keys `{settings.oidc_keys}` has not the form URL=PATH"
    for name in _LIMITS:
        yield getattr(settings, name) <= 0, f"{name} must be more than 0, was {getattr(settings, name)}"
    yield (
        not settings.loopback and not settings.secure,
        f"host `{settings.host}` is not loopback: beyond it Garrison listens with TLS only (--tls)",
    )
    yield settings.dev and bool(settings.store), "dev keeps state in memory: it takes no store"
    yield settings.dev and settings.workers != 1, "dev keeps state in memory: it has one worker"
