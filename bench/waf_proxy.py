"""CPU time of each process of ``garrison protect`` for one request, with both transports: ``python bench/waf_proxy.py``.

A page's request with the headers of a browser, over connections that stay, to an application that answers three bytes; Envoy and
the inspectors have one thread each. The table says microseconds of CPU time, user and system. A loaded machine makes them more:
compare figures of one run.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SECONDS = 4.0
ROUNDS = 3
CONNECTIONS = 16
TICK = os.sysconf("SC_CLK_TCK")
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n"
HEADERS = (
    b"Host: shop.example.com\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Cookie: session=abcdef0123456789; theme=dark\r\nReferer: https://shop.example.com/\r\n"
)
BODY = b'{"order": {"id": 17, "items": [' + b", ".join(b'{"name": "thing %d", "count": 1}' % each for each in range(50)) + b"]}}"
GET = b"GET /shop/items?id=17&sort=price HTTP/1.1\r\n" + HEADERS + b"\r\n"
POST = (
    b"POST /shop/orders HTTP/1.1\r\n"
    + HEADERS
    + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    + BODY
)
ALL = "common,admin,known-bad-inputs,sqli,linux,posix,windows,php,wordpress,ip-reputation,anonymous-ip,bot-control"
CASES: Sequence[tuple[str, Sequence[str]]] = (
    ("a rate alone", ("--rate", "1000000000")),
    ("common, sqli, known-bad-inputs", ("--managed", "common,sqli,known-bad-inputs")),
    ("all managed groups that need only their name", ("--managed", ALL)),
)


def application() -> int:
    """Serve in threads of this process; the port."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            pending = b""
            while data := connection.recv(65536):
                pending += data
                while b"\r\n\r\n" in pending:
                    head, _, rest = pending.partition(b"\r\n\r\n")
                    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                    if len(rest) < length:
                        break
                    pending = rest[length:]
                    connection.sendall(ANSWER)

    def accept() -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listening.getsockname()[1]
    return port


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def protected(transport: str, options: Sequence[str], upstream: int) -> Iterator[tuple[int, dict[str, int]]]:
    """A front; its port, and its processes."""
    port = free_port()
    line = [sys.executable, "-m", "garrison", "protect", f"http://127.0.0.1:{upstream}", "--listen", str(port), "--local"]
    line += ["--inspectors", "1", "--transport", transport, *options]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT)
        try:
            while True:
                log.seek(0)
                if b"Garrison protects" in log.read():
                    break
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(log.read().decode())
                time.sleep(0.05)
            yield port, children(process.pid)
        finally:
            process.terminate()
            process.wait()


def children(parent: int) -> dict[str, int]:
    """The processes of a front by kind."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found["Envoy" if b"--config-path" in (entry / "cmdline").read_bytes() else "inspector"] = int(entry.name)
    return found


def cpu(process: int) -> float:
    """Seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def load(port: int, request: bytes, seconds: float) -> int:
    """Keep every connection at one request; how many were answered. Raises SystemExit where one was refused."""
    answered = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(request)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for key, _ in selector.select(1.0):
                connection = key.fileobj  # type: ignore[assignment] # what was registered
                if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
                    raise SystemExit("a request was refused")
                answered += 1
                connection.sendall(request)
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr] # the same
    return answered


def main() -> None:
    """Measure and print."""
    upstream = application()
    print("| web ACL | request | Envoy | inspector | together | inside Envoy | a second |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, options in CASES:
        with protected("inspectors", options, upstream) as beside, protected("in-process", options, upstream) as inside:
            for kind, request in (("GET", GET), ("POST, 2 KB of JSON", POST)):
                one, other = [], []
                for _ in range(ROUNDS):  # in turn, so that both meet the same machine
                    one.append(measured(*beside, request))
                    other.append(measured(*inside, request))
                envoy, inspector, rate = (statistics.median(each) for each in zip(*one, strict=True))
                within, _, rate_within = (statistics.median(each) for each in zip(*other, strict=True))
                cells = (f"{each:.0f} µs" for each in (envoy, inspector, envoy + inspector, within))
                print(f"| {name} | {kind} | {' | '.join(cells)} | {rate:.0f}, {rate_within:.0f} |", flush=True)


def measured(port: int, processes: dict[str, int], request: bytes) -> tuple[float, float, float]:
    """Microseconds of Envoy and of the inspector for one request, and requests a second."""
    load(port, request, 1.0)
    before = {each: cpu(pid) for each, pid in processes.items()}
    count = load(port, request, SECONDS)
    used = {each: (cpu(pid) - before[each]) / count * 1e6 for each, pid in processes.items()}
    return used["Envoy"], used.get("inspector", 0.0), count / SECONDS


if __name__ == "__main__":
    main()
