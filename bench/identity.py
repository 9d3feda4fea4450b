"""What identity costs: ``make bench-identity``.

Three questions, each answered by the server's own CPU time or memory, so that what else the machine does hardly matters:

- Is a sign-in bounded by its password's hash alone? The server's CPU time of a sign-in beside that of one argon2id calculation
  with the same parameters, and the memory of many sign-ins at one time.
- What does AssumeRole cost beside GetCallerIdentity?
- Do the reports of an account of 10,000 users take more memory than those of 1,000?

Only loopback, a fixed number of requests and rounds: it ends by itself.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import secrets
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.load import cpu_seconds, descendants  # noqa: E402 - found from any working directory
from bench.peers import Account, Peer, all_peers  # noqa: E402 - the same
from bench.run import CONNECTIONS, load, machine, median, say, write_page  # noqa: E402 - the same
from garrison.identity.passwords import HASHER  # noqa: E402 - the same

BEGIN, END = "<!-- bench-identity: begin -->", "<!-- bench-identity: end -->"
SIGN_INS = 30
"""Of one round: some seconds of CPU time, read in ticks of 10 ms."""
AT_ONCE = 32
USER = "bench-visitor"
FIRST_PAGE = "/_console/sign-in"
FORM = re.compile(r'name="csrf" value="([0-9a-f]+)"')
CALLS = ("GetCallerIdentity", "AssumeRole")
USERS = (1_000, 10_000)
"""The second is twice AWS's quota of an account, which Garrison keeps too: they are put into the database."""
PATIENCE = 120.0
MEMBERS = ("GroupDetailList", "Policies", "RoleDetailList", "UserDetailList")


@dataclass(slots=True)
class SignIns:
    """What was measured of sign-ins."""

    cpu_ms: list[float] = field(default_factory=list)
    """Server CPU of one, a figure a round."""
    hash_ms: list[float] = field(default_factory=list)
    """CPU of one argon2id calculation, likewise."""
    memory: Memory | None = None
    """With many at one time."""
    answers: Mapping[int, int] = field(default_factory=dict)
    """How those were answered, by status."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident MiB of the process that grew most."""

    before: float
    peak: float
    after: float


@dataclass(frozen=True, slots=True)
class Report:
    """A report of one account."""

    users: int
    what: str
    answered: int
    """Bytes."""
    seconds: float
    memory: Memory


class Visitor:
    """A browser as far as a sign-in needs one."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._origin = f"http://127.0.0.1:{port}"
        self._cookie = self._csrf = ""

    def open(self) -> None:
        """Load the form."""
        status, headers, body = self._ask("GET", None)
        found = FORM.search(body)
        assert status == 200, status
        assert found is not None, body
        self._csrf = found[1]
        cookies = [value.partition(";")[0] for name, value in headers if name.lower() == "set-cookie"]
        self._cookie = "; ".join(cookies)

    def sign_in(self, account: str, user: str, password: str) -> int:
        """Send the form; the status of the answer, 303 for a sign-in."""
        fields = {"csrf": self._csrf, "next": "", "account": account, "user": user, "password": password}
        return self._ask("POST", urlencode(fields))[0]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, method: str, body: str | None) -> tuple[int, list[tuple[str, str]], str]:
        headers = {"Cookie": self._cookie, "Origin": self._origin, "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request(method, FIRST_PAGE, body, headers if method == "POST" else {})
        answer = self._connection.getresponse()
        return answer.status, answer.getheaders(), answer.read().decode()


# Memory


def status_of(pid: int) -> dict[str, float]:
    """``VmRSS`` and ``VmHWM`` of a process, MiB. Empty for one that ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmRSS:", "VmHWM:"))}


def watched(pid: int, work: Callable[[], None]) -> Memory:
    """Resident memory of the process of a tree that grew most while ``work`` ran. The most is the kernel's own count."""
    before = {}
    for one in descendants(pid):
        Path(f"/proc/{one}/clear_refs").write_text("5", encoding="utf-8")  # the most so far is forgotten
        before[one] = status_of(one)["VmRSS"]
    work()
    after = {one: status_of(one) for one in before}
    grown = max((one for one in before if after[one]), key=lambda one: after[one]["VmHWM"] - before[one])
    return Memory(before[grown], after[grown]["VmHWM"], after[grown]["VmRSS"])


# Sign-ins


def hash_cpu_ms(count: int) -> float:
    """CPU of one verification in this process, its four lanes together."""
    kept, password = HASHER.hash("a password"), "a password"
    started = time.process_time()
    for _ in range(count):
        HASHER.verify(kept, password)
    return (time.process_time() - started) * 1000 / count


def visitors(port: int, count: int) -> list[Visitor]:
    """Browsers with the form before them."""
    made = [Visitor(port) for _ in range(count)]
    for visitor in made:
        visitor.open()
    return made


def sign_in_cpu_ms(peer: Peer, who: tuple[str, str, str], count: int) -> float:
    """Server CPU of one sign-in, from the form that was sent to the session's cookie."""
    assert peer.process is not None
    ready = visitors(peer.port, count)
    pids = descendants(peer.process.pid)
    before = cpu_seconds(pids)
    for visitor in ready:
        status = visitor.sign_in(*who)
        assert status == 303, status
    spent = cpu_seconds(pids) - before
    for visitor in ready:
        visitor.close()
    return spent * 1000 / count


def many_at_once(peer: Peer, who: tuple[str, str, str], count: int) -> tuple[Memory, Mapping[int, int]]:
    """Sign-ins that are all sent at one time: the server's memory, and how they were answered."""
    assert peer.process is not None
    ready = visitors(peer.port, count)
    answers: Counter[int] = Counter()

    def work() -> None:
        with ThreadPoolExecutor(count) as pool:
            answers.update(pool.map(lambda visitor: visitor.sign_in(*who), ready))

    seen = watched(peer.process.pid, work)
    for visitor in ready:
        visitor.close()
    return seen, answers


def sign_ins(peer: Peer, rounds: int, count: int) -> SignIns:
    """A user signs in again and again; between the rounds the hash alone."""
    iam = peer.client("iam", *peer.administrator(peer))
    password = f"Aa1!{secrets.token_urlsafe(16)}"
    iam.create_user(UserName=USER)
    iam.create_login_profile(UserName=USER, Password=password)
    account = peer.client("sts", *peer.administrator(peer)).get_caller_identity()["Account"]
    who = (account, USER, password)
    found = SignIns()
    for number in range(rounds):
        say(f"sign-ins, round {number + 1} of {rounds}")
        found.hash_ms.append(hash_cpu_ms(count))
        found.cpu_ms.append(sign_in_cpu_ms(peer, who, count))
    found.memory, found.answers = many_at_once(peer, who, AT_ONCE)
    return found


# Calls


def calls(peer: Peer, account: Account, rounds: int, count: int) -> dict[str, list[float]]:
    """Server CPU in ms of the calls, which take turns."""
    found: dict[str, list[float]] = {name: [] for name in CALLS}
    for number in range(rounds):
        say(f"calls, round {number + 1} of {rounds}")
        for name in CALLS:
            found[name].append(load(peer, account, name, count, CONNECTIONS).cpu_ms)
    return found


# Reports


def fill(database: Path, account: str, wanted: int) -> None:
    """Users, each with a policy of its own and a managed one, until the account has so many. The server is stopped."""
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::app/*"}]}'
    with closing(sqlite3.connect(database)) as connection, connection:
        ((there,),) = connection.execute("SELECT count(*) FROM iam_user WHERE account = ?", (account,)).fetchall()
        # A report is given out for four hours.
        for table in ("iam_credential_report", "iam_credential_report_part"):
            connection.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - the two names above
        numbers = range(there, wanted)
        ids = {number: f"AIDABENCH{number:012}" for number in numbers}
        connection.executemany(
            "INSERT INTO iam_user (account, user_id, name, name_folded, path, created) VALUES (?, ?, ?, ?, '/bench/', 0)",
            ((account, ids[number], f"many{number:05}", f"many{number:05}") for number in numbers),
        )
        connection.executemany(
            "INSERT INTO iam_inline_policy (account, owner_id, name, document) VALUES (?, ?, 'own', ?)",
            ((account, ids[number], policy) for number in numbers),
        )
        connection.executemany(
            "INSERT INTO iam_attachment (account, owner_id, policy_arn, attached) VALUES (?, ?, ?, 0)",
            ((account, ids[number], "arn:aws:iam::aws:policy/ReadOnlyAccess") for number in numbers),
        )


def credential_report(iam: Any) -> int:  # noqa: ANN401 - boto3's clients have no static type
    """Have the report made, and read it; its bytes."""
    until = time.monotonic() + PATIENCE
    while iam.generate_credential_report()["State"] != "COMPLETE":
        assert time.monotonic() < until, "the report is not made"
        time.sleep(0.2)
    return len(iam.get_credential_report()["Content"])


def authorization_details(iam: Any) -> int:  # noqa: ANN401 - the same
    """Page through all details; how many entries."""
    pages = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 1000})
    return sum(len(page[name]) for page in pages for name in MEMBERS)


REPORTS: Mapping[str, Callable[[Any], int]] = {
    "credential report, bytes": credential_report,
    "authorization details, entries": authorization_details,
}


def reports(peer: Peer) -> Iterator[Report]:
    """Both reports at each size, each time of a server that was started anew."""
    account = peer.client("sts", *peer.administrator(peer)).get_caller_identity()["Account"]
    for users in USERS:
        peer.stop()
        fill(peer.state / "data" / "garrison.db", account, users)
        for what, ask in (
            ("credential report, bytes", credential_report),
            ("authorization details, entries", authorization_details),
        ):
            say(f"{what}: {users:,} users")
            peer.stop()
            peer.start()
            yield measured(peer, users, what, ask)


def measured(peer: Peer, users: int, what: str, ask: Callable[[Any], int]) -> Report:
    """One report, timed and watched."""
    assert peer.process is not None
    iam = peer.client("iam", *peer.administrator(peer))
    iam.get_user()  # what the first call reads is there
    answered: list[int] = []
    started = time.perf_counter()
    memory = watched(peer.process.pid, lambda: answered.append(ask(iam)))
    return Report(users, what, answered[0], time.perf_counter() - started, memory)


# The page


def section(found: SignIns, cpu: Mapping[str, Sequence[float]], made: Sequence[Report], rounds: int) -> str:
    """What stands between the markers of the page."""
    lines = [
        BEGIN,
        "",
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())} on {machine()};",
        f"load average {os.getloadavg()[0]:.1f} at the end; medians of {rounds} rounds.",
        "",
        *sign_in_table(found),
        "",
        *call_table(cpu),
        "",
        *report_table(made),
        "",
        END,
    ]
    return "\n".join(lines)


def sign_in_table(found: SignIns) -> list[str]:
    """CPU of a sign-in beside its hash; memory of many."""
    one, alone = median(found.cpu_ms), median(found.hash_ms)
    memory = found.memory or Memory(0, 0, 0)
    answered = ", ".join(f"{count} times {status}" for status, count in sorted(found.answers.items()))
    return [
        "| sign-in |  |",
        "| --- | --- |",
        f"| server CPU of one, form sent to session open, ms | {one:.1f} |",
        f"| CPU of its argon2id calculation alone, ms | {alone:.1f} |",
        f"| one / its calculation | {one / alone:.2f} |",
        f"| {AT_ONCE} at one time: memory of the worker before / at the most / after, MiB | {three(memory)} |",
        f"| and how they were answered | {answered} |",
    ]


def call_table(cpu: Mapping[str, Sequence[float]]) -> list[str]:
    """Server CPU of the calls, and their ratio."""
    identity, assumed = (median(cpu[name]) for name in CALLS)
    return [
        "| server CPU in ms per request, 8 connections |  |",
        "| --- | --- |",
        f"| {CALLS[0]} | {identity:.3f} |",
        f"| {CALLS[1]} | {assumed:.3f} |",
        f"| {CALLS[1]} / {CALLS[0]} | {assumed / identity:.2f} |",
    ]


def report_table(made: Sequence[Report]) -> list[str]:
    """Memory of each report."""
    head = ["report", "users", "answered", "seconds", "memory before / at the most / after, MiB"]
    rows = [head, ["---"] * len(head)]
    rows += [[one.what, f"{one.users:,}", f"{one.answered:,}", f"{one.seconds:.1f}", three(one.memory)] for one in made]
    return ["| " + " | ".join(row) + " |" for row in rows]


def three(memory: Memory) -> str:
    """Three figures in one cell."""
    return f"{memory.before:.0f} / {memory.peak:.0f} / {memory.after:.0f}"


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of requests")
    parser.add_argument("--no-page", action="store_true", help="leave docs/explanation/performance.md as it is")
    options = parser.parse_args()
    peer = next(peer for peer in all_peers() if peer.name == "garrison")
    try:
        say("install and start")
        peer.prepare()
        peer.start()
        account = peer.set_up()
        cpu = calls(peer, account, options.rounds, max(50, int(peer.requests * options.scale)))
        found = sign_ins(peer, options.rounds, max(3, int(SIGN_INS * options.scale)))
        made = list(reports(peer))
    finally:
        peer.stop()
    text = section(found, cpu, made, options.rounds)
    print(text.removeprefix(BEGIN).removesuffix(END).strip())
    if not options.no_page:
        write_page(text, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
