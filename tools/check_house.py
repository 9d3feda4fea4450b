"""House rules that no linter knows: ``python tools/check_house.py`` prints each breach and exits 1 on any.

- a file has at most 600 lines (generated code excepted);
- every module starts with ``from __future__ import annotations``;
- a suppression (lint, type, coverage) carries its reason;
- only ``keys`` imports ciphers and touches private keys;
- a service of one room does not import its neighbour;
- no tracked file names a path of the machine it was written on, or what it was written for.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINES = 600
REACH = 6
"""Lines below a suppression with its reason where the same one needs no words of its own."""
GENERATED = ("src/garrison/api/", "src/garrison/cli/k8s/kms_v2_pb2.py")
CODE = ("src/", "tests/", "tools/", "bench/")
ROOMS_OF_SERVICES = {"identity", "keys", "data", "edge", "compliance"}
MODELS = ROOT / "src" / "garrison" / "api" / "models"
CIPHERS = ("cryptography.hazmat.primitives.ciphers", "Crypto.")
PRIVATE_KEY = re.compile(r"PrivateKey$|PrivateNumbers$|private_key$")

SUPPRESSION = re.compile(r"#\s*(noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[^\]]*\])?|pragma:\s*no\s+cover)(?P<rest>.*)$")
REASON = re.compile(r"^\s*(?:[-#(:]|because)\s*\S")
WORDS = re.compile(
    r"(?<![\w.}])/(?:w[o]rk|t[m]p)/[a-z]"  # a machine's own folders, spelt so that this line does not find itself
    r"|\bw[o]rkplace\b|\bi[s]sues? #?\d+\b|\bc[o]-authored-by\b|\bs[e]ssions? of work\b",
    re.IGNORECASE,
)
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".sql", ".sh", ".js", ".mjs", ".ts", ".tf", ".cfg", ".txt", ""}
PUBLISHED = ("tests/vectors/", "uv.lock", "LICENSE", "tests/e2e/js/package-lock.json")
"""Other people's text, kept as published."""


def tracked() -> list[str]:
    """Every file that git knows or would add, relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return sorted({name for name in listing.stdout.splitlines() if (ROOT / name).is_file()})


def is_code(name: str) -> bool:
    """Whether ``name`` is a Python file that people write."""
    return name.endswith(".py") and name.startswith(CODE) and not name.startswith(GENERATED)


def check_length(name: str, text: str) -> Iterator[str]:
    """A file that passes the limit is two families."""
    count = text.count("\n")
    if count > LINES:
        yield f"{name}: {count} lines; must be <= {LINES}: split it by resource"


def check_future(name: str, tree: ast.Module) -> Iterator[str]:
    """The first statement after the docstring is the future import."""
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    if body and not (isinstance(body[0], ast.ImportFrom) and body[0].module == "__future__"):
        yield f"{name}:{body[0].lineno}: `from __future__ import annotations` must come first"


def check_suppressions(name: str, text: str) -> Iterator[str]:
    """``# noqa: S101 - reason``: what stands after the code is the reason. One reason covers the same code in the next lines."""
    explained: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = SUPPRESSION.search(line)
        if not found:
            continue
        code = " ".join(found[1].split())
        if REASON.match(found["rest"]) or number - explained.get(code, -REACH) < REACH:
            explained[code] = number
        else:
            yield f"{name}:{number}: a suppression must carry its reason: `{found.group().strip()}`"


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every ``(line, dotted name)`` that the module imports, ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def check_keys(name: str, tree: ast.Module) -> Iterator[str]:
    """Ciphers and private keys stay in the keys room."""
    if not name.startswith("src/") or name.startswith("src/garrison/keys/"):
        return
    for line, dotted in imported(tree):
        if dotted.startswith(CIPHERS):
            yield f"{name}:{line}: only `keys` may import `{dotted}`"
    if not any(dotted.startswith("cryptography") for _, dotted in imported(tree)):
        return
    for node in ast.walk(tree):
        word = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if PRIVATE_KEY.search(word):
            yield f"{name}:{node.lineno}: only `keys` may touch private keys: `{word}`"  # type: ignore[attr-defined] # a name has a line


def service_of(dotted: str) -> tuple[str, str] | None:
    """``("identity", "iam")`` of ``garrison.identity.iam.users``; None where it names no service.

    What has no model is a part that services share.
    """
    parts = dotted.split(".")
    if len(parts) < 3 or parts[0] != "garrison" or parts[1] not in ROOMS_OF_SERVICES:
        return None
    return (parts[1], parts[2]) if (MODELS / f"{parts[2]}.json").exists() else None


def check_services(name: str, tree: ast.Module) -> Iterator[str]:
    """Neighbours meet through ``core.ports``."""
    mine = service_of(name.removeprefix("src/").removesuffix(".py").replace("/", "."))
    if mine is None:
        return
    for line, dotted in imported(tree):
        other = service_of(dotted)
        if other is not None and other[0] == mine[0] and other != mine:
            yield f"{name}:{line}: `{'.'.join(mine)}` must not import its neighbour `{'.'.join(other)}`"


def check_words(name: str, text: str) -> Iterator[str]:
    """The project speaks of itself alone."""
    for number, line in enumerate(text.splitlines(), 1):
        found = WORDS.search(line)
        if found:
            yield f"{name}:{number}: names a machine path, or speaks of its making: `{found.group()}`"


def check_file(name: str, text: str) -> Iterator[str]:
    """Every breach of one file."""
    if not name.startswith(PUBLISHED):
        yield from check_words(name, text)
    if not is_code(name):
        return
    tree = ast.parse(text, name)
    yield from check_length(name, text)
    yield from check_future(name, tree)
    yield from check_suppressions(name, text)
    yield from check_keys(name, tree)
    yield from check_services(name, tree)


def main() -> int:
    """Print every breach; 0 where there is none."""
    breaches = [
        breach
        for name in tracked()
        if Path(name).suffix in TEXT
        for breach in check_file(name, (ROOT / name).read_text(encoding="utf-8", errors="replace"))
    ]
    print("\n".join(breaches) if breaches else "house rules: clean")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
