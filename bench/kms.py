"""What keys cost: ``python -m bench.kms`` from the repository, or ``python bench/kms.py``.

CPU microseconds of one operation, best of several rounds, for every key spec: making material, opening it as the store keeps it
(paid once for each key in memory), and what is done with it. Beneath it, how long an event loop stands still while RSA keys are
made on it, on threads beside it, and by the keymaker, of whom the threads beside the loop ask for them; and memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from garrison.core.ids import system_random
from garrison.keys.kms.algorithms.base import Agreer, Decrypter, Encapsulator, KeyPair, Secret, Signer
from garrison.keys.kms.algorithms.mac import MacKey
from garrison.keys.kms.ciphertext import Material
from garrison.keys.kms.keymaker import Keymaker
from garrison.keys.kms.specs import SPECS

ROUNDS, SECONDS = 5, 0.02
DIGEST = hashlib.sha512(b"what is signed").digest()
ID = "ab" * 32
Work = Callable[[], object]


def once(work: Work) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def best(work: Work) -> float:
    """CPU microseconds of one call in the quietest round."""
    calls = max(1, int(SECONDS / max(once(work), 1e-7)))
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            work()
        rounds.append((time.process_time() - start) / calls)
    return min(rounds) * 1e6


def uses(key: Secret, usage: str, algorithm: str) -> tuple[Work, Work]:
    """What the private and the public half do; of a secret that both sides have, the two directions."""
    if isinstance(key, Material):
        blob = key.encrypt(system_random, DIGEST)
        return lambda: key.decrypt(blob), lambda: key.encrypt(system_random, DIGEST)
    if isinstance(key, MacKey):
        mac = key.generate(algorithm, DIGEST)
        return lambda: key.generate(algorithm, DIGEST), lambda: key.verify(algorithm, DIGEST, mac)
    if usage == "ENCRYPT_DECRYPT" and isinstance(key, Decrypter):
        sealed = key.encrypt(algorithm, DIGEST)
        return lambda: key.decrypt(algorithm, sealed), lambda: key.encrypt(algorithm, DIGEST)
    if usage == "KEY_AGREEMENT" and isinstance(key, Agreer):
        peer = key.public()
        return lambda: key.agree(peer), key.public
    if isinstance(key, Encapsulator):
        _, wrapped = key.encapsulate()
        return lambda: key.decapsulate(wrapped), key.encapsulate
    assert isinstance(key, Signer)
    kind = "DIGEST" if "PH" in algorithm else "RAW"
    signature = key.sign(algorithm, kind, DIGEST)
    return lambda: key.sign(algorithm, kind, DIGEST), lambda: key.verify(algorithm, kind, DIGEST, signature)


def table() -> None:
    """Print a line for each spec and algorithm."""
    print(f"{'key spec':<24}{'algorithm':<28}{'make':>10}{'open':>8}{'private':>10}{'public':>10}")
    for name, spec in SPECS.items():
        material = spec.make(system_random)
        making, opening = best(partial(spec.make, system_random)), best(partial(opened, spec.load, material))
        for usage, algorithms in spec.algorithms.items():
            for algorithm in algorithms:
                private, public = map(best, uses(spec.load(ID, material), usage, algorithm))
                print(f"{name:<24}{algorithm:<28}{making:>10.0f}{opening:>8.1f}{private:>10.1f}{public:>10.1f}", flush=True)


def opened(load: Callable[[str, bytes], Secret], material: bytes) -> Secret:
    """A key that is ready for use."""
    key = load(ID, material)
    if isinstance(key, KeyPair):
        key.public()
    return key


def resident() -> int:
    """Bytes of memory that this process holds. Linux alone tells."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def held(name: str) -> float:
    """KiB that a key of a spec takes once it was used; most of it is the libraries', which only the process as a whole shows."""
    spec = SPECS[name]
    usage, algorithm = next((usage, names[-1]) for usage, names in spec.algorithms.items())
    material, kept, before = spec.make(system_random), list[Secret](), 0
    for number in range(2200):
        if number == 200:  # the libraries' own tables are there by then
            before = resident()
        kept.append(opened(spec.load, bytes(bytearray(material))))
        uses(kept[-1], usage, algorithm)[0]()
    return (resident() - before) / 2000 / 1024


def memory() -> None:
    """Print what a key takes in memory, each spec in a process of its own: what one freed would be used by the next."""
    print(f"\n{'key spec':<24}{'KiB in memory':>14}")
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in SPECS:
            print(f"{name:<24}{processes.submit(held, name).result():>14.1f}", flush=True)


async def standstill(make: Work, keys: int, threads: int) -> tuple[float, float]:
    """Milliseconds that the loop stood still at most while ``keys`` keys were made, and seconds until all were there."""
    loop = asyncio.get_running_loop()
    worst, over = 0.0, False

    async def watch() -> None:
        nonlocal worst
        last = time.perf_counter()
        while not over:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            worst, last = max(worst, now - last - 0.001), now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.05)
    start = time.perf_counter()
    if threads:
        with ThreadPoolExecutor(threads) as pool:
            await asyncio.gather(*(loop.run_in_executor(pool, make) for _ in range(keys)))
    else:
        for _ in range(keys):
            make()
            await asyncio.sleep(0)
    took = time.perf_counter() - start
    over = True
    await watching
    return worst * 1e3, took


def main() -> None:
    """Print the tables."""
    table()
    memory()
    print(f"\n{os.cpu_count()} processors\n{'RSA keys at once':<24}{'where':<28}{'loop stood still':>18}{'all done':>12}")
    for bits in (2048, 3072, 4096):
        spec, maker = SPECS[f"RSA_{bits}"], Keymaker()
        alone, asked = partial(spec.make, system_random), partial(maker.make, spec, system_random)
        places = ((alone, 0, "on the loop"), (alone, 16, "on threads beside it"), (asked, 16, "by the keymaker"))
        for keys in (1, 8):
            for make, threads, where in places:
                worst, took = asyncio.run(standstill(make, keys, threads))
                print(f"{keys} of RSA_{bits:<14}{where:<28}{worst:>15.0f} ms{took:>10.1f} s", flush=True)


if __name__ == "__main__":
    main()
