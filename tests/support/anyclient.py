"""One way to ask four clients: boto3, the AWS CLI 1 and 2, and the SDK for JavaScript v3 answer the same question."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.exceptions
from botocore import xform_name

from tests.support.clients import AwsCli, JavaScript, aws_cli, boto
from tests.support.server import AccessKey, Server

NAMES = ("boto3", "cli-1", "cli-2", "javascript")
CLI_ERROR = re.compile(
    r"An error occurred \((?P<code>[\w.]+)\) when calling the \w+ operation(?: \([^)]*\))?:\s*(?P<message>.*)", re.DOTALL
)
BLOBS = {"CiphertextBlob", "Plaintext"}
"""Members that carry bytes and that the command line shows as base64."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the members of the answer, or the error's code and message."""

    members: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    message: str = ""

    def __getitem__(self, name: str) -> Any:
        """A member of a call that must have worked."""
        assert not self.code, f"{self.code}: {self.message}"
        return self.members[name]

    def done(self) -> None:
        """The call must have worked."""
        assert not self.code, f"{self.code}: {self.message}"


class AnyClient:
    """``client("ci", "kms", "Encrypt", KeyId=...)`` calls as that identity."""

    def __init__(self, name: str, server: Server, home: Path) -> None:
        self.name = name
        self.server = server
        self.home = home
        self.keys: dict[str, AccessKey] = {}
        self.numbers = itertools.count()
        home.mkdir(parents=True, exist_ok=True)
        self.cli: AwsCli | None = aws_cli(int(name[-1]), server, home) if name.startswith("cli-") else None
        self.javascript = JavaScript(server, home)
        self.keys["garrison"] = server.credentials.admin

    def identity(self, who: str, key: AccessKey) -> None:
        """Give a name to an access key."""
        self.keys[who] = key
        if self.cli is not None:
            self.cli.profile(who, key)

    def __call__(self, who: str, service: str, operation: str, **parameters: Any) -> Answer:
        """One call through this client."""
        if self.cli is not None:
            return self.by_command_line(self.cli, who, service, operation, parameters)
        if self.name == "javascript":
            return self.by_javascript(who, service, operation, parameters)
        return self.by_boto(who, service, operation, parameters)

    def by_boto(self, who: str, service: str, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """With boto3."""
        client = boto(self.server, service, self.keys[who])
        try:
            return Answer(getattr(client, xform_name(operation))(**parameters))
        except botocore.exceptions.ClientError as error:
            return Answer(code=error.response["Error"]["Code"], message=error.response["Error"]["Message"])

    def by_command_line(self, cli: AwsCli, who: str, service: str, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """With the AWS CLI, as one would type it."""
        line = [service, xform_name(operation, "-")]
        for name, value in parameters.items():
            line += [f"--{xform_name(name, '-')}", self.typed(value)]
        done = cli(*line, profile=who)
        if done.code:
            found = CLI_ERROR.search(done.err)
            assert found, f"{line}: {done.err or done.out}"
            return Answer(code=found["code"], message=found["message"].strip())
        return Answer(from_base64(json.loads(done.out)) if done.out.strip() else {})

    def typed(self, value: Any) -> str:
        """A value as it stands on a command line; bytes go through a file, which both versions read alike."""
        if isinstance(value, bytes):
            file = self.home / f"blob-{next(self.numbers)}"
            file.write_bytes(value)
            return f"fileb://{file}"
        return value if isinstance(value, str) else json.dumps(value)

    def by_javascript(self, who: str, service: str, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """With the SDK for JavaScript."""
        wrapped = {
            name: {"$base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
            for name, value in parameters.items()
        }
        result = self.javascript("call.cjs", self.keys[who], service, operation, json.dumps(wrapped)).json()
        if not result["ok"]:
            return Answer(code=result["name"], message=result["message"])
        return Answer({name: unwrapped(value) for name, value in result["answer"].items()})


def unwrapped(value: Any) -> Any:
    """Bytes out of what ``call.cjs`` printed."""
    return base64.b64decode(value["$base64"]) if isinstance(value, dict) and "$base64" in value else value


def from_base64(members: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes out of what the command line printed."""
    return {name: base64.b64decode(value) if name in BLOBS else value for name, value in members.items()}
