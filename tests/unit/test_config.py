"""Settings: where they come from, and what stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garrison.config import ConfigError, Settings, load_settings


def loaded(given: dict[str, Any] | None = None, **environ: str) -> Settings:
    return load_settings(given, {"GARRISON_CONFIG": "", **environ})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a configuration file."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "garrison.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_defaults_are_the_careful_ones():
    found = loaded()
    assert (found.host, found.port, found.workers, found.tls, found.dev) == ("127.0.0.1", 4566, 1, False, False)
    assert found.loopback
    assert not found.secure


def test_the_command_line_wins_over_variables_over_the_file_over_defaults(tmp_path: Path):
    path = written(tmp_path, 'port = 1\nworkers = 2\nregion = "eu-west-1"\n')
    found = load_settings(
        {"port": "3", "workers": None}, {"GARRISON_CONFIG": path, "GARRISON_PORT": "2", "GARRISON_WORKERS": "4"}
    )
    assert (found.port, found.workers, found.region, found.host) == (3, 4, "eu-west-1", "127.0.0.1")


def test_the_usual_file_is_read_where_it_is(home: Path):
    folder = home / ".config" / "garrison"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("port = 4999\n", encoding="utf-8")
    assert load_settings({}, {}).port == 4999


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("GARRISON_ENFORCE", "no", "unknown variable `GARRISON_ENFORCE`"),
        ("GARRISON_Port", "1", "unknown variable `GARRISON_Port`"),
        ("GARRISON_", "1", "unknown variable `GARRISON_`"),
        ("GARRISON_PORT", "many", "`many` is no value for port"),
        ("GARRISON_PORT", "", "`` is no value for port"),
        ("GARRISON_PORT", "65536", "port 65536 is not within 0 and 65535"),
        ("GARRISON_TLS", "perhaps", "`perhaps` is no value for tls"),
        ("GARRISON_TLS_CERT", "", "`` is no value for tls_cert"),
        ("GARRISON_DATA_DIR", "", "`` is no value for data_dir"),
        ("GARRISON_READ_TIMEOUT", "nan", "`nan` is no value for read_timeout"),
        ("GARRISON_READ_TIMEOUT", "0", "read_timeout must be more than 0, was 0.0"),
        ("GARRISON_MAX_BODY_BYTES", "-1", "max_body_bytes must be more than 0, was -1"),
        ("GARRISON_WORKERS", "65", "workers 65 is not within 1 and 64"),
        ("GARRISON_LOG_LEVEL", "loud", "log_level `loud` is none of debug, info, warning, error"),
        ("GARRISON_ACCOUNT", "12345678901", "account `12345678901` is not 12 digits"),
        ("GARRISON_ACCOUNT", "١٢٣٤٥٦٧٨٩٠١٢", "account `١٢٣٤٥٦٧٨٩٠١٢` is not 12 digits"),
        ("GARRISON_REGION", "x\n[profile work]", "has not the form of a Region"),
        ("GARRISON_HOST", "a b", "host `a b` is no address"),
        ("GARRISON_STORE", "mysql://u:hush@h/d", "store is no postgresql:// URL"),
        ("GARRISON_TLS_CERT", "chain.pem", "tls_cert and tls_key go together"),
    ],
)
def test_what_is_wrong_stops_the_start_and_is_named(variable: str, value: str, message: str):
    with pytest.raises(ConfigError) as caught:
        loaded({}, **{variable: value})
    assert message in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("enforce = false\n", "unknown key `enforce` in"),
        ("port = 4566.5\n", "`4566.5` is no value for port"),
        ("workers = true\n", "`True` is no value for workers"),
        ("region = [1]\n", "`[1]` is no value for region"),
        ("tls = 2\n", "`2` is no value for tls"),
        ("[table]\nport = 1\n", "unknown key `table` in"),
        ("port = \n", "cannot read"),
    ],
)
def test_a_file_is_held_to_the_same(tmp_path: Path, text: str, message: str):
    with pytest.raises(ConfigError) as caught:
        load_settings({}, {"GARRISON_CONFIG": written(tmp_path, text)})
    assert message in str(caught.value)


def test_a_file_that_was_named_must_be_there_and_be_text(tmp_path: Path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings({}, {"GARRISON_CONFIG": str(tmp_path / "none")})
    (tmp_path / "bytes").write_bytes(b"port = '\xff'")
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings({}, {"GARRISON_CONFIG": str(tmp_path / "bytes")})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "localhost.example.com", "127.1"])  # noqa: S104 - what must be refused
def test_beyond_loopback_only_with_tls(host: str):
    with pytest.raises(ConfigError, match="TLS only"):
        loaded({"host": host})
    assert loaded({"host": host, "tls": True}).secure
    assert loaded({"host": host, "tls_cert": "c", "tls_key": "k"}).secure


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_tls(host: str):
    assert loaded({"host": host}).loopback


def test_an_ipv6_host_stands_in_brackets_in_a_url():
    assert loaded({"host": "::1"}).host_in_url == "[::1]"
    assert loaded().host_in_url == "127.0.0.1"


def test_the_root_key_lies_apart_from_the_data(tmp_path: Path):
    found = loaded({"data_dir": str(tmp_path / "data")})
    assert found.root_key_file == tmp_path / "data.root-key"
    assert not loaded().root_key_file.is_relative_to(loaded().data_dir)


@pytest.mark.parametrize(
    "where", ["data/root.key", "data", "data/../data/root.key", "elsewhere/../data/root.key", "link/root.key"]
)
def test_a_root_key_in_the_data_directory_is_refused(tmp_path: Path, where: str):
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(ConfigError, match="may not lie in the data directory"):
        loaded({"data_dir": str(tmp_path / "data"), "root_key_file": str(tmp_path / where)})


def test_paths_are_absolute_and_know_the_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert loaded({"data_dir": "~/state"}).data_dir == home / "state"
    assert loaded({"data_dir": "state"}).data_dir == tmp_path / "state"


def test_memory_takes_no_store_and_one_worker():
    assert loaded({"dev": True}).dev
    with pytest.raises(ConfigError, match="takes no store"):
        loaded({"dev": True, "store": "postgresql:///x"})
    with pytest.raises(ConfigError, match="one worker"):
        loaded({"dev": True, "workers": 2})


def test_the_database_is_the_store_or_the_directory(tmp_path: Path):
    assert loaded({"data_dir": str(tmp_path / "d")}).database == tmp_path / "d"
    assert loaded({"store": "postgresql:///x"}).database == "postgresql:///x"


@pytest.mark.parametrize(
    ("root_key", "file"),
    [
        ("", "data.root-key"),
        ("passphrase:", "data.root-key"),
        ("passphrase:{}/p", "p"),
        ("pkcs11:{}/t?module=m&token=t&key=k", "t"),
        ("kms:arn:aws:kms:us-east-1:111122223333:key/x@http://127.0.0.1:1", "data.root-key.kms"),
    ],
)
def test_the_file_of_the_root_key_is_the_one_that_its_custody_names(tmp_path: Path, root_key: str, file: str):
    found = loaded({"data_dir": str(tmp_path / "data"), "root_key": root_key.format(tmp_path)})
    assert found.root_key_file == tmp_path / file


def test_two_files_for_one_root_key(tmp_path: Path):
    with pytest.raises(ConfigError, match="another one"):
        loaded({"root_key": f"file:{tmp_path}/a", "root_key_file": f"{tmp_path}/b"})
    with pytest.raises(ConfigError, match="may not lie in the data directory"):
        loaded({"data_dir": str(tmp_path), "root_key": f"passphrase:{tmp_path}/a"})


@pytest.mark.parametrize("routes", ["a", "a=b", "a=b:", "a=b:x", "=b:1", "a=:1", "a=b:0", "a=b:65536", "a=b:1,c"])
def test_routes_that_lead_nowhere(routes: str):
    with pytest.raises(ConfigError, match="NAME=ADDRESS:PORT"):
        loaded({"xks_routes": routes})


def test_routes_of_proxies():
    assert loaded({"xks_routes": "a=127.0.0.1:1, b=[::1]:2"}).xks_addresses == {"a": ("127.0.0.1", 1), "b": ("::1", 2)}
    assert loaded().xks_addresses == {}
