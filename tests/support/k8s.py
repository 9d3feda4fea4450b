"""A client of KMS plugins, made from the protocol as Kubernetes publishes it, and the plugin's process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

from tests.support.needs import ROOT
from tests.support.server import AccessKey, Server, clean_environment

PUBLISHED = ROOT / "tests" / "vectors" / "k8s" / "api.proto"


def compiled(proto: Path) -> DescriptorPool:
    """A protocol in a pool of its own: its names are those of the plugin's."""
    pool = DescriptorPool()
    with TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        assert protoc.main(["protoc", f"-I{proto.parent}", f"--descriptor_set_out={out}", proto.name]) == 0
        for file in FileDescriptorSet.FromString(out.read_bytes()).file:
            pool.Add(file)
    return pool


@cache
def published() -> DescriptorPool:
    return compiled(PUBLISHED)


class Client:
    """``client("Encrypt", plaintext=b"...")``."""

    def __init__(self, path: Path) -> None:
        self.channel = grpc.insecure_channel(f"unix:{path}")

    def __call__(self, method: str, **members: Any) -> Any:
        request = GetMessageClass(published().FindMessageTypeByName(f"v2.{method}Request"))
        response = GetMessageClass(published().FindMessageTypeByName(f"v2.{method}Response"))
        call = self.channel.unary_unary(
            f"/v2.KeyManagementService/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return call(request(**members), timeout=30)

    def refused(self, method: str, **members: Any) -> tuple[grpc.StatusCode, str]:
        """The status of a call that fails."""
        try:
            answer = self(method, **members)
        except grpc.RpcError as error:
            return error.code(), error.details() or ""
        raise AssertionError(answer)

    def close(self) -> None:
        self.channel.close()


@dataclass
class PluginProcess:
    """``garrison plugin k8s-kms`` in a process of its own."""

    server: Server
    socket: Path
    who: AccessKey
    process: subprocess.Popen[str] | None = None

    def command(self, *arguments: str) -> list[str]:
        line = [sys.executable, "-m", "garrison", "plugin", "k8s-kms", "--socket", str(self.socket)]
        return [*line, "--endpoint", self.server.endpoint, "--region", self.server.credentials.region, *arguments]

    def environment(self) -> dict[str, str]:
        return clean_environment(
            {
                "HOME": str(self.socket.parent),
                "AWS_ACCESS_KEY_ID": self.who.access_key_id,
                "AWS_SECRET_ACCESS_KEY": self.who.secret_access_key,
            }
        )

    def start(self, *arguments: str) -> Client:
        """Start, wait for its first line, connect. Raises AssertionError with what it said where it ends."""
        with (self.socket.parent / "plugin.log").open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.command(*arguments),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert first == f"The KMS plugin listens on unix://{self.socket}\n", self.log()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            client = Client(self.socket)
            with contextlib.suppress(grpc.FutureTimeoutError):
                grpc.channel_ready_future(client.channel).result(timeout=5)
                return client
            client.close()
        raise AssertionError(self.log())

    def log(self) -> str:
        return (self.socket.parent / "plugin.log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(30)
        self.process.stdout.close()  # type: ignore[union-attr] # it has one
        self.process = None
        return code

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process.stdout.close()  # type: ignore[union-attr] # it has one
            self.process = None
