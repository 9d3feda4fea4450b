"""What the firewall costs in front of an application, beside nginx with ModSecurity and the OWASP Core Rule Set.

The same harmless requests of ``waf_corpus`` go to the same application, over eight connections, through Envoy with Garrison's
inspectors and every managed group that suits any application, and through nginx with ModSecurity (Debian's packages
libnginx-mod-http-modsecurity and modsecurity-crs); and through each without a firewall. CPU time is that of all processes of the
proxy. Then: how long a change of a web ACL of 100 rules takes to be in force under load, and whether a connection broke.
"""

from __future__ import annotations

import argparse
import base64
import json
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench import load
from bench.inspection import web_acl as many_rules
from bench.peers import free_port
from bench.waf_browsing import Sample
from bench.waf_corpus import corpus

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "explanation" / "waf-costs.md"
CONNECTIONS = 8
GROUPS = "common,admin,known-bad-inputs,sqli,linux,posix,windows,php,wordpress,ip-reputation,anonymous-ip"
OURS, THEIRS = "Envoy + Garrison", "nginx + ModSecurity + CRS"
BROWSER = "Host: bench.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n"
ATTACK = f"GET /?id=1%27%20or%201=1--%20 HTTP/1.1\r\n{BROWSER}".encode()
CRS = Path("/usr/share/modsecurity-crs/rules")
MODULE = Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
Document = Mapping[str, Any]


class Counting(load.Connection):
    """A connection whose answers are counted by their status: a firewall may block some of the harmless."""

    statuses: ClassVar[Counter[int]] = Counter()

    def check(self, status: int, rest: bytes) -> None:
        """Count it."""
        del rest
        self.statuses[status] += 1


@dataclass(frozen=True, slots=True)
class Row:
    """One proxy's figures: CPU in µs and latencies in ms, each the median over the rounds."""

    name: str
    cpu: float
    p50: float
    p99: float
    blocked: int
    requests: int


def encode(sample: Sample) -> bytes:
    """The request as it goes over the wire."""
    headers = {name: value for name, value in sample.headers if name.lower() not in {"connection", "expect", "content-length"}}
    if "host" not in {name.lower() for name in headers}:
        headers = {"Host": "bench.example", **headers}
    if sample.body:
        headers["Content-Length"] = str(len(sample.body))
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"{sample.method} {sample.target} HTTP/1.1", *lines, "", ""])
    return head.encode("utf-8", "surrogateescape") + sample.body


def one(port: int, request: bytes) -> int:
    """The status that one request gets."""
    connection = Counting(("127.0.0.1", port))
    connection.send(request)
    while (answer := connection.receive()) is None:
        pass
    connection.close()
    return answer[0]


def send(port: int, requests: Sequence[bytes]) -> list[float]:
    """Latencies in seconds, over eight connections."""
    connections: list[load.Connection] = [Counting(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    try:
        return load.take_turns(connections, deque(requests))
    finally:
        for connection in connections:
            connection.close()


def measure(name: str, pid: int, port: int, requests: Sequence[bytes], rounds: int) -> Row:
    """Warm up, then measure."""
    send(port, requests[:300])
    cpu, p50, p99 = [], [], []
    Counting.statuses.clear()
    for _ in range(rounds):
        before = load.cpu_seconds(load.descendants(pid))
        latencies = sorted(send(port, requests))
        cpu.append((load.cpu_seconds(load.descendants(pid)) - before) / len(requests) * 1e6)
        p50.append(latencies[len(latencies) // 2] * 1e3)
        p99.append(latencies[len(latencies) * 99 // 100] * 1e3)
    blocked = sum(count for status, count in Counting.statuses.items() if status != 200) // rounds
    row = Row(name, statistics.median(cpu), statistics.median(p50), statistics.median(p99), blocked, len(requests))
    print(row, file=sys.stderr)
    return row


# The proxies


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server's process, once it takes connections. Raises RuntimeError where it does not start."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while not answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def answers(port: int) -> bool:
    """Whether something answers there."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


NGINX = """
daemon off; worker_processes 2; pid %(folder)s/pid; error_log %(folder)s/error.log crit; user root;
%(module)s
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000; client_max_body_size 20m; client_body_buffer_size 1m;
  large_client_header_buffers 8 64k; underscores_in_headers on;
  client_body_temp_path %(folder)s/b; proxy_temp_path %(folder)s/p; fastcgi_temp_path %(folder)s/f; uwsgi_temp_path %(folder)s/u;
  scgi_temp_path %(folder)s/s;
  upstream app { server 127.0.0.1:%(upstream)d; keepalive 32; }
  server {
    listen 127.0.0.1:%(port)d reuseport;
    %(firewall)s
    location / { %(location)s }
  }
}
"""
FORWARD = "proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host;"
RULES = """
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\\+|/)|text/)xml" \
  "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/(?:[a-z0-9.-]+[+])?json" \
  "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecAuditEngine Off
Include /etc/modsecurity/crs/crs-setup.conf
SecAction "id:900200,phase:1,nolog,pass,t:none,setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE'"
SecAction "id:900220,phase:1,nolog,pass,t:none,setvar:'tx.allowed_request_content_type=TYPES'"
"""
TYPES = (
    "application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "application/xml", "application/soap+xml",
    "application/json", "application/vnd.api+json", "text/plain",
)  # fmt: skip
"""Those of the mix: a request that a firewall refuses by its method or type costs it little."""


def nginx(folder: Path, *, upstream: int = 1, location: str = FORWARD, rules: str = "") -> tuple[list[str], int]:
    """The command of an nginx, and its port."""
    port = free_port()
    folder.mkdir()
    firewall = module = ""
    if rules:
        (folder / "rules.conf").write_text(rules)
        module = f"load_module {MODULE};"
        firewall = f"modsecurity on; modsecurity_rules_file {folder / 'rules.conf'};"
    values = {"folder": folder, "module": module, "upstream": upstream, "port": port, "firewall": firewall, "location": location}
    (folder / "nginx.conf").write_text(NGINX % values)
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")], port


def modsecurity_rules() -> str:
    """ModSecurity, blocking, with the Core Rule Set; without the rules of a database of places that Debian does not have."""
    files = [path for path in sorted(CRS.glob("*.conf")) if not path.name.startswith("REQUEST-910")]
    allowed = " ".join(f"|{each}|" for each in TYPES)
    return RULES.replace("TYPES", allowed) + "\n".join(f"Include {path}" for path in files)


def protect(upstream: int, *options: str) -> tuple[list[str], int]:
    """The command of ``garrison protect``, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "garrison", "protect", f"http://127.0.0.1:{upstream}", "--listen", str(port), "--local"]
    return [*command, *options], port


def document(rules: Sequence[Document]) -> str:
    """A web ACL of rules, in JSON."""
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "bench"}
    found = {"Name": "bench", "DefaultAction": {"Allow": {}}, "Rules": list(rules), "VisibilityConfig": visible}
    return json.dumps(found, default=lambda value: base64.b64encode(value).decode())


def written(path: Path, text: str) -> str:
    """The path, at which the text then is."""
    path.write_text(text)
    return str(path)


# Changes


class Clients:
    """Clients that keep asking over connections that stay, and count what breaks."""

    def __init__(self, port: int) -> None:
        self.broken = 0
        self.sent = 0
        self._connections = [Counting(("127.0.0.1", port)) for _ in range(4)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            for connection in self._connections:
                self._ask(connection)

    def _ask(self, connection: Counting) -> None:
        self.sent += 1
        try:
            connection.send(f"GET /browse HTTP/1.1\r\n{BROWSER}".encode())
            while (answer := connection.receive()) is None:
                pass
        except OSError:
            answer = 0, True
        if answer != (200, False):
            self.broken += 1
            connection.renew()


def change(folder: Path, upstream: int, rounds: int = 10) -> tuple[list[float], Clients]:
    """Seconds until a change of a web ACL of 100 rules is in force, again and again, under load."""
    rules, words = many_rules(99)["Rules"], (b"/one", b"/two")
    acls = [document([*rules, blocking(word)]) for word in words]
    path = folder / "hundred.json"
    command, port = protect(upstream, "--acl", written(path, acls[1]))
    with running(command, port):
        clients = Clients(port)
        times = []
        for number in range(rounds):
            time.sleep(0.5)
            written(path.with_suffix(".new"), acls[number % 2])
            path.with_suffix(".new").replace(path)
            request = b"GET %b HTTP/1.1\r\n%b" % (words[number % 2], BROWSER.encode())
            times.append(until_blocked(port, request))
        clients.stop()
    return times, clients


def until_blocked(port: int, request: bytes) -> float:
    """Seconds until a request is blocked."""
    started = time.perf_counter()
    while one(port, request) != 403:
        time.sleep(0.005)
    return time.perf_counter() - started


def blocking(word: bytes) -> Document:
    """A rule that blocks a path."""
    match = {
        "SearchString": word,
        "FieldToMatch": {"UriPath": {}},
        "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        "PositionalConstraint": "EXACTLY",
    }
    visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "last"}
    rule = {"Name": "last", "Priority": 100_000, "Action": {"Block": {}}, "VisibilityConfig": visible}
    return {**rule, "Statement": {"ByteMatchStatement": match}}


# The report


PAGE = """# What the firewall costs

Measured by `make bench-waf-costs` in one run: {requests} harmless requests of the mix of
[how well the firewall detects](waf-detection.md) go to the same application over eight connections, through each proxy in turn.
CPU time is that of all processes of the proxy, in µs a request, without the application's. The firewalls are `garrison protect`
with the groups {groups},
and nginx {nginx} with Debian's libnginx-mod-http-modsecurity and modsecurity-crs, blocking at paranoia level 1, which admits the
methods and types of the mix.

| proxy | CPU µs | p50 ms | p99 ms | blocked |
| --- | --- | --- | --- | --- |
{rows}

nginx with ModSecurity and the Core Rule Set takes {ratio} times the CPU time of Envoy with Garrison. Both block
`/?id=1' or 1=1-- `.

A web ACL of 100 rules was changed {changes} times under load. A change was in force after {median} ms at the median, {worst} at
the most; of {sent} requests under way, {broken} were answered otherwise or not at all.

Python {python}, 2 shared cores.
"""


def report(rows: Sequence[Row], times: Sequence[float], clients: Clients) -> str:
    """The page."""
    by_name = {row.name: row for row in rows}
    version = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False).stderr.strip().rpartition("/")[2]
    cells = [f"| {row.name} | {row.cpu:,.0f} | {row.p50:.1f} | {row.p99:.1f} | {row.blocked} of {row.requests} |" for row in rows]
    return PAGE.format(
        requests=f"{by_name[OURS].requests:,}",
        groups=GROUPS.replace(",", ", "),
        nginx=version,
        rows="\n".join(cells),
        ratio=f"{by_name[THEIRS].cpu / by_name[OURS].cpu:.1f}",
        changes=len(times),
        median=f"{statistics.median(times) * 1e3:.0f}",
        worst=f"{max(times) * 1e3:.0f}",
        sent=f"{clients.sent:,}",
        broken=clients.broken,
        python=platform.python_version(),
    )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--print", action="store_true", help="write no page of the documentation")
    arguments = parser.parse_args()
    if not MODULE.exists() or not CRS.exists():
        sys.exit("needs Debian's nginx-light, libnginx-mod-http-modsecurity and modsecurity-crs")
    requests = [encode(sample) for sample in corpus(arguments.requests)]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        command, upstream = nginx(folder / "application", location="return 200 ok;")
        stack.enter_context(running(command, upstream))
        proxies = {
            "nginx": nginx(folder / "nginx", upstream=upstream),
            "Envoy + inspectors without a rule": protect(upstream, "--acl", written(folder / "empty.json", document([]))),
            OURS: protect(upstream, "--managed", GROUPS),
            THEIRS: nginx(folder / "modsecurity", upstream=upstream, rules=modsecurity_rules()),
        }
        rows = []
        for title, (command, port) in proxies.items():
            with running(command, port) as process:
                if title in {OURS, THEIRS} and one(port, ATTACK) != 403:
                    raise RuntimeError(f"{title} blocks no attack")
                # The kernel counts in hundredths of a second, of which nginx alone needs few.
                asked = requests * 10 if title == "nginx" else requests
                rows.append(measure(title, process.pid, port, asked, arguments.rounds))
        times, clients = change(folder, upstream)
    page = report(rows, times, clients)
    print(page)
    if not arguments.print:
        REPORT.write_text(page)


if __name__ == "__main__":
    main()
