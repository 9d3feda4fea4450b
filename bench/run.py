"""Garrison beside its peers on one machine: ``make bench``.

Every server answers the same signed calls of the same user with five policies. The peers take turns in rounds, so that
what else the machine does hits all of them; the table shows medians over the rounds. What counts is the server's own
CPU time per request: unlike a wall-clock time it hardly moves with the load of the machine.

Only loopback, a fixed number of requests and rounds: it ends by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.load import Plan, Result, descendants  # noqa: E402 - found from any working directory
from bench.peers import REGION, USER, Account, Peer, all_peers  # noqa: E402 - the same

OPERATIONS = ("GetCallerIdentity", "AssumeRole", "GetUser", "Encrypt", "GenerateDataKey")
CONNECTIONS = 8
STORED_USERS = 10_000
USERS_PER_ACCOUNT = 4_900
"""Below AWS's quota of 5,000, which Garrison keeps too."""
STARTS = 5
PAGE = ROOT / "docs" / "explanation" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass(slots=True)
class Seen:
    """All that was measured of one peer."""

    concurrent: dict[str, list[Result]] = field(default_factory=dict)
    sequential: dict[str, list[Result]] = field(default_factory=dict)
    idle_mib: tuple[float, float] = (0.0, 0.0)
    """Resident memory of the largest process, and of all together (shared pages counted once)."""
    loaded_mib: tuple[float, float] = (0.0, 0.0)
    starts: list[float] = field(default_factory=list)
    """Seconds from start to the first signed answer."""
    stored: int = 0


def load(peer: Peer, account: Account, operation: str, count: int, connections: int) -> Result:
    """One measurement in a process of its own. Raises RuntimeError with its error text where an answer was not 200."""
    assert peer.process is not None
    plan = Plan(
        host="127.0.0.1",
        port=peer.port,
        pid=peer.process.pid,
        access_key_id=account.access_key_id,
        secret_access_key=account.secret_access_key,
        region=REGION,
        operation=operation,
        key_id=account.key_id,
        role_arn=account.role_arn,
        user=USER,
        count=count,
        connections=connections,
    )
    line = [sys.executable, str(ROOT / "bench" / "load.py")]
    done = subprocess.run(line, input=json.dumps(asdict(plan)), capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        msg = f"{peer.name} {operation}: {done.stderr.strip().splitlines()[-1]}"
        raise RuntimeError(msg)
    return Result(**json.loads(done.stdout))


def memory(pid: int) -> tuple[float, float]:
    """MiB: resident memory of the largest process of the tree; proportional memory of all of them."""
    resident, proportional = [0], 0
    for one in descendants(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        values = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:] if line.endswith("kB")}
        resident.append(values["Rss"])
        proportional += values["Pss"]
    return max(resident) / 1024, proportional / 1024


def first_answers(peer: Peer, seen: Seen, users: int) -> None:
    """Fill it with users, then start it again and again until its first signed answer."""
    while peer.keeps_state and seen.stored < users:
        count = min(USERS_PER_ACCOUNT, users - seen.stored)
        administrator = peer.administrator(peer) if not seen.stored else peer.another_account(peer)
        load(peer, Account(*administrator, ""), "CreateUser", count, CONNECTIONS)
        seen.stored += count
    for _ in range(STARTS):
        peer.stop()
        started = time.perf_counter()
        peer.start()
        peer.client("sts", *peer.administrator(peer)).get_caller_identity()
        seen.starts.append(time.perf_counter() - started)


def measure(peers: Sequence[Peer], rounds: int, scale: float, users: int) -> dict[str, Seen]:
    """Set every peer up, let them take turns, then look at their starts."""
    seen = {peer.name: Seen() for peer in peers}
    accounts: dict[str, Account] = {}
    for peer in peers:
        say(f"{peer.name}: install and start")
        peer.prepare()
        peer.start()
        assert peer.process is not None
        seen[peer.name].idle_mib = memory(peer.process.pid)
        accounts[peer.name] = peer.set_up()
    for number in range(rounds):
        for peer in [*peers[number % len(peers) :], *peers[: number % len(peers)]]:
            say(f"round {number + 1} of {rounds}: {peer.name}")
            one_round(peer, accounts[peer.name], seen[peer.name], scale)
    for peer in peers:
        assert peer.process is not None
        seen[peer.name].loaded_mib = memory(peer.process.pid)
        say(f"{peer.name}: starts")
        first_answers(peer, seen[peer.name], users)
        peer.stop()
    return seen


def one_round(peer: Peer, account: Account, seen: Seen, scale: float) -> None:
    """Every operation, with eight connections and with one."""
    for operation in OPERATIONS:
        count = max(50, int(peer.requests * scale))
        seen.concurrent.setdefault(operation, []).append(load(peer, account, operation, count, CONNECTIONS))
        seen.sequential.setdefault(operation, []).append(load(peer, account, operation, max(50, count // 3), 1))


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def cell(seen: Seen, operation: str) -> str:
    """``CPU ms / p50 ms / requests per second`` of one peer."""
    concurrent, sequential = seen.concurrent[operation], seen.sequential[operation]
    cpu = median(result.cpu_ms for result in concurrent)
    p50 = median(result.p50_ms for result in sequential)
    per_second = median(result.per_second for result in concurrent)
    return f"{cpu:.2f} / {p50:.2f} / {per_second:.0f}"


def ratio(seen: dict[str, Seen], own: str, other: str, operation: str) -> str:
    """How many times our CPU time goes into the peer's."""
    mine = median(result.cpu_ms for result in seen[own].concurrent[operation])
    theirs = median(result.cpu_ms for result in seen[other].concurrent[operation])
    return f"{theirs / mine:.1f}" if mine else "-"


def table(seen: dict[str, Seen]) -> list[str]:
    """The one table, as Markdown."""
    own, *others = seen
    head = ["", *seen, *(f"{other} / {own}, CPU" for other in others)]
    rows = [head, ["---"] * len(head)]
    for operation in OPERATIONS:
        ratios = [ratio(seen, own, other, operation) for other in others]
        rows.append([operation, *(cell(one, operation) for one in seen.values()), *ratios])
    blanks = [""] * len(others)
    rows.append(["start to first signed answer, s", *(start_cell(one) for one in seen.values()), *blanks])
    rows.append(["memory idle, MiB (largest process / all)", *(memory_cell(one.idle_mib) for one in seen.values()), *blanks])
    rows.append(["memory after the load, MiB", *(memory_cell(one.loaded_mib) for one in seen.values()), *blanks])
    return ["| " + " | ".join(row) + " |" for row in rows]


def start_cell(seen: Seen) -> str:
    """Best and median start, and what was stored."""
    return f"{min(seen.starts):.2f} / {median(seen.starts):.2f} ({seen.stored:,} users stored)"


def memory_cell(mib: tuple[float, float]) -> str:
    """Two figures in one cell."""
    return f"{mib[0]:.0f} / {mib[1]:.0f}"


def machine() -> str:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next(
        (line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")), platform.machine()
    )
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, Python {platform.python_version()}"


def section(seen: dict[str, Seen], rounds: int) -> str:
    """What stands between the markers of the page."""
    lines = [
        BEGIN,
        "",
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())} on {machine()};",
        f"load average {os.getloadavg()[0]:.1f} at the end; medians of {rounds} rounds.",
        f"Each cell: server CPU in ms per request with {CONNECTIONS} connections / p50 in ms with one connection /",
        f"requests per second with {CONNECTIONS} connections. The last columns say how many times Garrison's CPU time",
        "goes into the peer's.",
        "",
        *table(seen),
        "",
        END,
    ]
    return "\n".join(lines)


def write_page(text: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace the section between the markers. Raises ValueError where the page lacks them."""
    page = PAGE.read_text(encoding="utf-8")
    before, has_begin, rest = page.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        msg = f"{PAGE} has no `{begin}` and `{end}`"
        raise ValueError(msg)
    PAGE.write_text(before + text + after, encoding="utf-8")


def say(text: str) -> None:
    """Progress on stderr; the table alone is on stdout."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of requests")
    parser.add_argument("--users", type=int, default=STORED_USERS, help="users stored before the starts are measured")
    parser.add_argument("--peers", default="garrison,ministack,moto", help="which servers, the one compared first")
    parser.add_argument("--no-page", action="store_true", help="leave docs/explanation/performance.md as it is")
    options = parser.parse_args()
    known = {peer.name: peer for peer in all_peers()}
    peers = [known[name] for name in options.peers.split(",")]
    try:
        seen = measure(peers, options.rounds, options.scale, options.users)
    finally:
        for peer in peers:
            peer.stop()
    print("\n".join(table(seen)))
    if not options.no_page:
        write_page(section(seen, options.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
