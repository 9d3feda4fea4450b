"""The servers that are measured side by side, each in a throw-away environment of its own under ``.build/peers``."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".build" / "peers"
REGION = "us-east-1"
START_SECONDS = 60.0
USER = "bench"
STATEMENTS: tuple[Mapping[str, Any], ...] = (
    {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::reports", "arn:aws:s3:::reports/*"],
    },
    {"Effect": "Allow", "Action": "iam:Get*", "Resource": "arn:aws:iam::*:user/ben*"},
    {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*"},
    {
        "Effect": "Allow",
        "Action": ["sqs:*", "sts:AssumeRole"],
        "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    },
    {"Effect": "Deny", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"},
)
"""One policy of the calling user each: five, with wildcards, a condition and a deny among them. No policy variable:
not every peer expands one, and not every peer is content with a role that trusts the user."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the load signs with and acts on."""

    access_key_id: str
    secret_access_key: str
    key_id: str
    role_arn: str = ""


@dataclass(slots=True)
class Peer:
    """One server under test."""

    name: str
    """As the table names it."""
    install: Callable[[Path], None]
    """Fills the environment at that path."""
    command: Callable[[Peer], list[str]]
    environment: Callable[[Peer], Mapping[str, str]]
    health: str
    """Path that answers 200 once it listens."""
    administrator: Callable[[Peer], tuple[str, str]]
    """Access key id and secret of the one who sets up."""
    another_account: Callable[[Peer], tuple[str, str]]
    """Makes one more account; who sets up in it."""
    keeps_state: bool
    """Whether it can start with what it held before."""
    requests: int
    """How many requests one measurement sends: enough CPU time to be read in ticks of 10 ms, a few seconds at most."""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    accounts: list[Account] = field(default_factory=list)

    @property
    def venv(self) -> Path:
        """Its Python environment."""
        return PEERS / self.name

    @property
    def state(self) -> Path:
        """Its data directory."""
        return PEERS / f"{self.name}-state"

    @property
    def endpoint(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Install it where that was not done, and forget what it held."""
        if not (self.venv / "installed").exists() or self.name == "garrison":
            self.install(self.venv)
            (self.venv / "installed").touch()
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir(parents=True)

    def start(self) -> float:
        """Start and wait until healthy; the seconds that took. Raises RuntimeError where it does not come up."""
        self.port = self.port or free_port()
        started = time.perf_counter()
        with (self.state / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(self),
                env={**plain_environment(), **self.environment(self)},
                cwd=self.state,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while time.perf_counter() - started < START_SECONDS:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(self.endpoint + self.health, timeout=5).close()  # noqa: S310 - our own loopback URL
                return time.perf_counter() - started
            time.sleep(0.005)
        self.stop()
        msg = f"{self.name} did not start; see {self.state / 'server.log'}"
        raise RuntimeError(msg)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL to what is left of its group."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    def client(self, service: str, access_key_id: str, secret_access_key: str) -> Any:  # noqa: ANN401 - boto3's clients have no static type
        """A boto3 client."""
        session = boto3.Session(access_key_id, secret_access_key, region_name=REGION)
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60)
        return session.client(service, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload] # any service name

    def set_up(self) -> Account:
        """A user with five policies and a key, a symmetric KMS key, and a role that trusts the user."""
        administrator = self.administrator(self)
        iam = self.client("iam", *administrator)
        user = iam.create_user(UserName=USER)["User"]["Arn"]
        for number, statement in enumerate(STATEMENTS):
            document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_user_policy(UserName=USER, PolicyName=f"policy-{number}", PolicyDocument=document)
        made = iam.create_access_key(UserName=USER)["AccessKey"]
        key = self.client("kms", *administrator).create_key(Description="bench")["KeyMetadata"]["KeyId"]
        trust = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName=USER, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        return Account(made["AccessKeyId"], made["SecretAccessKey"], key, role)


def free_port() -> int:
    """A loopback TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def plain_environment() -> dict[str, str]:
    """Nothing that would steer a server."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def from_pypi(*packages: str) -> Callable[[Path], None]:
    """Installs these packages into a new environment."""

    def install(venv: Path) -> None:
        subprocess.run([sys.executable, "-m", "uv", "venv", "--quiet", "--clear", str(venv)], check=True)
        python = str(venv / "bin" / "python")
        subprocess.run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *packages], check=True)

    return install


def from_here(venv: Path) -> None:
    """This tree as a user would have it: the locked requirements, the package built and installed."""
    line = [
        sys.executable,
        "-m",
        "uv",
        "sync",
        "--quiet",
        "--frozen",
        "--no-default-groups",
        "--no-editable",
        "--reinstall-package",
    ]
    subprocess.run([*line, "garrison"], check=True, cwd=ROOT, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(venv)})


def own_administrator(peer: Peer) -> tuple[str, str]:
    """The admin user of Garrison's first start."""
    admin = json.loads((peer.state / "credentials.json").read_text(encoding="utf-8"))["admin"]
    return admin["access_key_id"], admin["secret_access_key"]


def own_account(peer: Peer) -> tuple[str, str]:
    """One more account of Garrison's."""
    line = [str(peer.venv / "bin" / "garrison"), "account", "create", "more", "--data-dir", str(peer.state / "data")]
    environment = {**plain_environment(), **peer.environment(peer)}
    admin = json.loads(subprocess.run(line, check=True, capture_output=True, text=True, env=environment).stdout)["admin"]
    return admin["access_key_id"], admin["secret_access_key"]


def any_account(_: Peer) -> tuple[str, str]:
    """Where any twelve digits are an account's own key."""
    return str(secrets.randbelow(9 * 10**11) + 10**11), "test"


def all_peers() -> list[Peer]:
    """Garrison first, then whom it is compared with."""
    return [
        Peer(
            name="garrison",
            install=from_here,
            command=lambda peer: [
                *(str(peer.venv / "bin" / "garrison"), "serve", "--port", str(peer.port)),
                *("--data-dir", str(peer.state / "data"), "--credentials-file", str(peer.state / "credentials.json")),
            ],
            environment=lambda peer: {"GARRISON_ROOT_KEY_FILE": str(peer.state / "root.key")},
            health="/_garrison/health",
            administrator=own_administrator,
            another_account=own_account,
            keeps_state=True,
            requests=4000,
        ),
        Peer(
            name="ministack",
            install=from_pypi("ministack==1.5.33"),
            command=lambda peer: [str(peer.venv / "bin" / "ministack")],
            environment=lambda peer: {
                "AUTH": "true",  # signatures and policies checked, for every key but its own root key
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "GATEWAY_PORT": str(peer.port),
                "BIND_HOST": "127.0.0.1",
                "PERSIST_STATE": "1",
                "STATE_DIR": str(peer.state / "data"),
                "LOG_LEVEL": "WARNING",
            },
            health="/_localstack/health",
            administrator=lambda _: ("test", "test"),
            another_account=any_account,
            keeps_state=True,
            requests=1500,
        ),
        Peer(
            name="moto",
            install=from_pypi("moto[server]==5.2.5"),
            command=lambda peer: [str(peer.venv / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(peer.port)],
            environment=lambda _: {},  # neither signatures nor policies are checked
            health="/moto-api/",
            administrator=lambda _: ("test", "test"),
            another_account=any_account,
            keeps_state=False,
            requests=500,
        ),
    ]
