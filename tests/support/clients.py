"""Real AWS clients, unmodified, pointed at a server: boto3, the AWS CLI in both versions, the JavaScript SDK, Terraform."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.loaders
import botocore.session

from tests.support import needs
from tests.support.server import AccessKey, Server, clean_environment

ONE_TRY = botocore.config.Config(
    retries={"total_max_attempts": 1, "mode": "standard"},
    connect_timeout=10,
    read_timeout=60,
    parameter_validation=False,
)
"""Every answer is the first one, and what the client would refuse reaches the server."""


LOADER = botocore.loaders.create_loader()


def boto(
    server: Server,
    service: str,
    key: AccessKey | None = None,
    *,
    region: str | None = None,
    verify: str | None = None,
    **config: Any,
) -> Any:
    """A boto3 client of ``service``, signed by ``key`` (default: the admin user's).

    ``verify`` is the file of the authorities to trust; ``config`` goes to botocore's Config.
    """
    key = key or server.credentials.admin
    session = boto3.Session(
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=key.session_token,
        region_name=region or server.credentials.region,
        botocore_session=isolated_session(),
    )
    merged = ONE_TRY.merge(botocore.config.Config(**config))
    return session.client(service, endpoint_url=server.endpoint, verify=verify, config=merged)  # type: ignore[call-overload] # any service name


def isolated_session() -> botocore.session.Session:
    """A botocore session that reads neither the user's files nor the environment."""
    session = botocore.session.Session()
    # The models and endpoint rules are read once for all sessions: a client costs milliseconds then, and little memory.
    session.register_component("data_loader", LOADER)
    for name in ("profile", "config_file", "credentials_file"):
        session.set_config_variable(name, None if name == "profile" else os.devnull)
    return session


def temporary(answer: Mapping[str, Any]) -> AccessKey:
    """The key of an STS answer or of CreateAccessKey."""
    found = answer.get("Credentials") or answer["AccessKey"]
    return AccessKey(found["AccessKeyId"], found["SecretAccessKey"], found.get("SessionToken"))


def new_user(server: Server, name: str, *policies: Mapping[str, Any]) -> AccessKey:
    """A user with a key and these inline policies, made by the admin."""
    iam = boto(server, "iam")
    iam.create_user(UserName=name)
    for number, policy in enumerate(policies):
        iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
    return temporary(iam.create_access_key(UserName=name))


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed. Raises AssertionError, with its error text, where it failed."""
        assert self.code == 0, self.err or self.out
        return json.loads(self.out) if self.out.strip() else None


def run(line: Sequence[str], environment: Mapping[str, str], directory: Path, seconds: float = 300) -> Done:
    """Run a program to its end without standard input."""
    done = subprocess.run(
        list(line),
        env=dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass(slots=True)
class AwsCli:
    """The AWS CLI with a home of its own: ``aws("iam", "list-users", profile="ci")``."""

    program: tuple[str, ...]
    home: Path
    region: str = "us-east-1"
    endpoint: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def profile(self, name: str, key: AccessKey) -> None:
        """Write a profile as a user would: keys in ``credentials``, endpoint and region in ``config``."""
        folder = self.home / ".aws"
        folder.mkdir(parents=True, exist_ok=True)
        token = f"aws_session_token = {key.session_token}\n" if key.session_token else ""
        with (folder / "credentials").open("a", encoding="utf-8") as file:
            file.write(
                f"[{name}]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n{token}\n"
            )
        with (folder / "config").open("a", encoding="utf-8") as file:
            file.write(f"[profile {name}]\nendpoint_url = {self.endpoint}\nregion = {self.region}\noutput = json\n\n")

    def __call__(self, *arguments: str, profile: str = "garrison") -> Done:
        """Run ``aws ARGUMENTS --profile PROFILE``."""
        environment = clean_environment({"HOME": str(self.home), "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1", **self.environment})
        return run([*self.program, *arguments, "--profile", profile], environment, self.home)


def aws_cli(version: int, server: Server, home: Path) -> AwsCli:
    """AWS CLI v1 (PyPI, beside this interpreter) or v2 (``.build/awscli-v2``), with the admin as profile ``garrison``."""
    cli = AwsCli(aws_cli_program(version), home, server.credentials.region, server.endpoint)
    home.mkdir(parents=True, exist_ok=True)
    cli.profile("garrison", server.credentials.admin)
    return cli


def aws_cli_program(version: int) -> tuple[str, ...]:
    """How to start the AWS CLI of that major version."""
    if version == 1:
        script = Path(sys.executable).parent / "aws"
        if not script.exists():
            needs.missing("the AWS CLI v1 (PyPI `awscli`)")
        return (sys.executable, str(script))
    return (str(needs.built("awscli-v2/awscli/v2/*/dist/aws")),)


@dataclass(slots=True)
class JavaScript:
    """Scripts of ``tests/e2e/js`` run by Node.js with the AWS SDK for JavaScript v3."""

    server: Server
    directory: Path

    def __call__(self, script: str, key: AccessKey | None = None, *arguments: str) -> Done:
        """Run ``tests/e2e/js/SCRIPT`` (CommonJS) with these arguments; the SDK finds endpoint, region and key in its usual environment variables."""
        key = key or self.server.credentials.admin
        modules = needs.built("js/node_modules/@aws-sdk/client-iam").parents[1]
        source = needs.ROOT / "tests" / "e2e" / "js" / script
        environment = clean_environment(
            {
                "HOME": str(self.directory),
                "NODE_PATH": str(modules),
                "AWS_ENDPOINT_URL": self.server.endpoint,
                "AWS_REGION": self.server.credentials.region,
                "AWS_ACCESS_KEY_ID": key.access_key_id,
                "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
                "AWS_MAX_ATTEMPTS": "1",
                **({"AWS_SESSION_TOKEN": key.session_token} if key.session_token else {}),
            }
        )
        return run([needs.program("node"), str(source), *arguments], environment, self.directory)


def other_client(name: str) -> str:
    """The path of ``sops``, ``bao``, ``cloudsplaining``, ``iam-ape``, ``parliament``, or the ``python`` that has the AWS Encryption SDK."""
    return str(needs.built(f"clients/bin/{name}"))


def terraform_mirror() -> Path | None:
    """The local mirror that holds the AWS provider, or None: Terraform is optional everywhere."""
    candidates = [os.environ.get("TF_PLUGIN_MIRROR", ""), "/opt/tf-plugins", "/usr/share/terraform/plugins"]
    for folder in (Path(candidate) for candidate in candidates if candidate):
        if any(folder.glob("registry.terraform.io/hashicorp/aws/**/terraform-provider-aws*")):
            return folder
    return None
