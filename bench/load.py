"""The load: signed requests over raw sockets, and the server's own CPU time while it answers them.

A process of its own (``python bench/load.py < plan.json``), so that signing and measuring cost the server nothing:
every request is signed before the clock starts, each with an invocation id of its own as the SDKs do, so that no
two signatures are alike. The answer on stdout is one JSON object, :class:`Result`.
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import socket
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

Call = TypeVar("Call")

TICK = os.sysconf("SC_CLK_TCK")
WARM_UP = 100
STRIDE = 7919
"""A prime: every key has its turn, whatever their number."""
CONTEXT = {"purpose": "bench"}
MESSAGE = base64.b64encode(b"what is signed in the bench, 48 bytes of it, abcd").decode()
READ_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send where."""

    host: str
    port: int
    pid: int
    """The server's first process: its whole tree is measured."""
    access_key_id: str
    secret_access_key: str
    region: str
    operation: str
    """GetCallerIdentity, AssumeRole, GetUser, CreateUser, or one of :func:`key_call`."""
    key_id: str
    user: str
    count: int
    connections: int
    role_arn: str = ""
    """Of AssumeRole."""
    key_ids: tuple[str, ...] = ()
    """Keys that take turns, in the place of ``key_id``: far apart, so that no few of them are asked again and again."""
    first: int = 0
    """Number of the first request: two loads with numbers of their own meet other keys."""
    signing_key_id: str = ""
    blob: str = ""
    """A ciphertext under ``key_id``, Base64 (OpenBao: its own form)."""
    signature: str = ""
    """Of :data:`MESSAGE` by ``signing_key_id``, Base64 (OpenBao: its own form)."""
    token: str = ""
    """OpenBao's; where there is one, the transit engine is asked and nothing is signed."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen. Times in milliseconds."""

    requests: int
    seconds: float
    cpu_ms: float
    """Server CPU (user and system, the whole process tree) per request."""
    p50_ms: float
    p99_ms: float
    per_second: float


def form(action: str, version: str, **members: str) -> tuple[dict[str, str], bytes]:
    """A query-protocol call."""
    body = "&".join([f"Action={action}", f"Version={version}", *(f"{name}={value}" for name, value in members.items())])
    return {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, body.encode()


def kms(action: str, members: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """A JSON 1.1 call of KMS."""
    return {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{action}"}, json.dumps(members).encode()


def call(plan: Plan, number: int) -> tuple[str, dict[str, str], bytes]:
    """``(service, headers, body)`` of one call."""
    if plan.operation == "GetCallerIdentity":
        return ("sts", *form("GetCallerIdentity", "2011-06-15"))
    if plan.operation == "AssumeRole":
        members = {"RoleArn": quote(plan.role_arn, safe=""), "RoleSessionName": f"bench{number}"}
        return ("sts", *form("AssumeRole", "2011-06-15", **members))
    if plan.operation == "GetUser":
        return ("iam", *form("GetUser", "2010-05-08", UserName=plan.user))
    if plan.operation == "CreateUser":
        return ("iam", *form("CreateUser", "2010-05-08", UserName=f"{plan.user}{number:05d}"))
    return ("kms", *kms(plan.operation, key_call(plan, number)))


def key_call(plan: Plan, number: int) -> dict[str, Any]:
    """The members of a call of KMS."""
    key_id = plan.key_ids[(plan.first + number) * STRIDE % len(plan.key_ids)] if plan.key_ids else plan.key_id
    signing = {"KeyId": plan.signing_key_id, "Message": MESSAGE, "MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}
    calls: dict[str, dict[str, Any]] = {
        "CreateKey": {"Description": "bench"},
        "Encrypt": {"KeyId": key_id, "Plaintext": plaintext(number), "EncryptionContext": CONTEXT},
        "Decrypt": {"CiphertextBlob": plan.blob, "EncryptionContext": CONTEXT},
        "GenerateDataKey": {"KeyId": key_id, "KeySpec": "AES_256"},
        "Sign": signing,
        "Verify": {**signing, "Signature": plan.signature},
    }
    return named(calls, plan.operation)


def transit_call(plan: Plan, number: int) -> tuple[str, dict[str, Any]]:
    """Path and members of the same call of OpenBao's transit engine."""
    associated = base64.b64encode(json.dumps(CONTEXT).encode()).decode()
    key, signing = plan.key_id, plan.signing_key_id
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "Encrypt": (f"encrypt/{key}", {"plaintext": plaintext(number), "associated_data": associated}),
        "Decrypt": (f"decrypt/{key}", {"ciphertext": plan.blob, "associated_data": associated}),
        "GenerateDataKey": (f"datakey/plaintext/{key}", {"bits": 256}),
        "Sign": (f"sign/{signing}/sha2-256", {"input": MESSAGE}),
        "Verify": (f"verify/{signing}/sha2-256", {"input": MESSAGE, "signature": plan.signature}),
    }
    return named(calls, plan.operation)


def plaintext(number: int) -> str:
    """32 bytes, another for each call."""
    return base64.b64encode(number.to_bytes(32, "big")).decode()


def named(calls: Mapping[str, Call], operation: str) -> Call:
    """Raises ValueError where there is no such call."""
    if operation not in calls:
        msg = f"no such operation: `{operation}`"
        raise ValueError(msg)
    return calls[operation]


def sign(plan: Plan, number: int) -> bytes:
    """The whole request as it goes over the wire."""
    host = f"{plan.host}:{plan.port}"
    if plan.token:
        path, members = transit_call(plan, number)
        headers = {"X-Vault-Token": plan.token, "Content-Type": "application/json"}
        return whole_request(host, f"/v1/transit/{path}", headers, json.dumps(members).encode())
    service, headers, body = call(plan, number)
    request = AWSRequest("POST", f"http://{host}/", headers={**headers, "Amz-Sdk-Invocation-Id": str(uuid.uuid4())}, data=body)
    SigV4Auth(Credentials(plan.access_key_id, plan.secret_access_key), service, plan.region).add_auth(request)
    return whole_request(host, "/", dict(request.headers.items()), body)


def whole_request(host: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"POST {path} HTTP/1.1", f"Host: {host}", *lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body


class Connection:
    """One keep-alive connection; opened anew where the server closes it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.buffer = b""
        self.sent = 0.0
        self.socket = self.open()

    def open(self) -> socket.socket:
        """Connect without Nagle's delay."""
        self.buffer = b""
        opened = socket.create_connection(self.address, READ_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def renew(self) -> None:
        """Close, and open again."""
        self.socket.close()
        self.socket = self.open()

    def close(self) -> None:
        """Close what is open; harmless when done twice."""
        self.socket.close()

    def send(self, request: bytes) -> None:
        """Send a whole request and note when."""
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> tuple[int, bool] | None:
        """``(status, closed)`` once the answer is whole, else None. Raises ConnectionError where it broke off."""
        chunk = self.socket.recv(65536)
        self.buffer += chunk
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            if not chunk:
                msg = "the server closed the connection without an answer"
                raise ConnectionError(msg)
            return None
        lowered = head.lower()
        status = int(head[9:12])
        closes = b"\r\nconnection: close" in lowered or head.startswith(b"HTTP/1.0")
        if not whole(lowered, rest, ended=not chunk):
            return None
        self.check(status, rest)
        self.buffer = b""
        return status, closes or not chunk

    def check(self, status: int, rest: bytes) -> None:
        """Raises ConnectionError for an answer that is none of success: what it measures would be another thing."""
        if status != 200:
            msg = f"the server answered {status}: {rest[:400]!r}"
            raise ConnectionError(msg)


def whole(head: bytes, rest: bytes, *, ended: bool) -> bool:
    """Whether the body that ``head`` announces is all there."""
    _, length, after = head.partition(b"\r\ncontent-length:")
    if length:
        return len(rest) >= int(after.split(b"\r\n", 1)[0])
    if b"\r\ntransfer-encoding: chunked" in head:
        return rest.endswith(b"0\r\n\r\n")
    return ended


def descendants(pid: int) -> list[int]:
    """``pid`` and every process under it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        queue.extend(children.get(one, []))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, threads that ended included; in the kernel's ticks (10 ms)."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def exchange(
    address: tuple[str, int], requests: Iterable[bytes], connections: int, kept: list[Connection] | None = None
) -> list[float]:
    """Send every request over that many connections, one at a time on each; the latencies in seconds.

    ``kept`` are connections of an earlier exchange, and at the end those of this one: they stay open.
    """
    waiting = deque(requests)
    open_: list[Connection] = kept if kept is not None else []
    try:
        while len(open_) < min(connections, len(waiting)):
            open_.append(Connection(address))
        return take_turns(open_[: len(waiting)], waiting)
    finally:
        if kept is None:
            for connection in open_:
                connection.close()


def take_turns(connections: Iterable[Connection], waiting: deque[bytes]) -> list[float]:
    """Each connection sends the next request that waits once it has its answer."""
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(waiting.popleft())
        while selector.get_map():
            ready = selector.select(READ_SECONDS)
            if not ready:
                msg = f"no answer for {READ_SECONDS} s"
                raise TimeoutError(msg)
            for key, _ in ready:
                connection = key.data
                answer = connection.receive()
                if answer is None:
                    continue
                latencies.append(time.perf_counter() - connection.sent)
                if answer[1] or not waiting:
                    selector.unregister(connection.socket)
                if answer[1]:
                    connection.renew()
                if not waiting:
                    continue
                if answer[1]:
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(waiting.popleft())
    return latencies


def measure(plan: Plan) -> Result:
    """Sign, warm up, then measure."""
    address = (plan.host, plan.port)
    # Every connection has had its answer before the clock starts: how fast they are taken on is another measure.
    warm_up = 0 if plan.operation in {"CreateUser", "CreateKey"} else max(plan.connections, min(WARM_UP, plan.count // 5))
    signed = [sign(plan, number) for number in range(plan.count + warm_up)]
    kept: list[Connection] = []
    exchange(address, signed[:warm_up], plan.connections, kept)
    before = cpu_seconds(descendants(plan.pid))
    started = time.perf_counter()
    latencies = sorted(exchange(address, signed[warm_up:], plan.connections, kept))
    seconds = time.perf_counter() - started
    cpu = cpu_seconds(descendants(plan.pid)) - before
    for connection in kept:
        connection.close()
    return Result(
        requests=len(latencies),
        seconds=seconds,
        cpu_ms=cpu * 1000 / len(latencies),
        p50_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        per_second=len(latencies) / seconds,
    )


def main() -> int:
    """One plan in, one result out."""
    print(json.dumps(asdict(measure(Plan(**json.load(sys.stdin))))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
