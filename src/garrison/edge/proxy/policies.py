"""Where inspectors have their web ACL from: a file, watched; the store is the other place (``stored.py``)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from garrison.edge.files import ABSENT, stamp
from garrison.edge.inspect import CompiledAcl, PatternCache, Resources, body_limit, compile_acl
from garrison.edge.inspect.detect.standard import StandardDetectors
from garrison.edge.inspect.managed.catalog import Catalog
from garrison.edge.interstitial import Site
from garrison.edge.live import Locate, Managed, Snapshot, nowhere
from garrison.edge.places import Places
from garrison.edge.proxy.responses import watching
from garrison.edge.token_keys import TokenKeys

Document = Mapping[str, Any]
LOG = logging.getLogger("garrison.edge")
LOCAL_ACCOUNT: Final = "000000000000"
"""The account of a web ACL that no Garrison server keeps."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A web ACL as it was read. ``document`` is None where the listener has none: then every request passes, as on AWS."""

    document: Document | None
    resources: Resources
    logging: Document | None = None
    keys: TokenKeys | None = None
    resource_type: str = "APPLICATION_LOAD_BALANCER"
    """What is protected, as the API names its kind: how much of a body is inspected depends on it."""

    def compile(self, cache: PatternCache | None) -> Policy:
        """Make it ready to inspect; may take seconds. Raises InvalidParameter, EngineFault, KeyError."""
        if self.document is None:
            return Policy(self, None)
        domains = tuple(self.document.get("TokenDomains") or ())
        site = None if self.keys is None else Site(self.keys, domains)
        limit = body_limit(self.document, self.resource_type)
        acl = compile_acl(self.document, self.resources, detectors=StandardDetectors(), cache=cache, limit=limit)
        return Policy(self, acl, site, watching(self.document))


@dataclass(frozen=True, slots=True)
class Policy:
    """What an inspector holds requests against at a moment."""

    loaded: Loaded
    acl: CompiledAcl | None
    site: Site | None = None
    """What pages of Challenge and Captcha need; None without keys."""
    watching: Sequence[Mapping[str, Any]] = ()
    """Configurations of managed rule groups that ask for what the application answers."""


class Source(Protocol):
    """Where a web ACL comes from. Used by one thread."""

    def poll(self) -> Loaded | None:
        """What is new since the last time; None for nothing. Cheap: called several times a second. Never raises."""
        ...


def private_folder(folder: Path) -> None:
    """Make the folder, unless it is there. Raises OSError, and PermissionError where others may write to it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_mode & 0o022 or found.st_uid not in {0, os.geteuid()}:
        raise PermissionError(f"others may write to {folder}, and so decide what the firewall finds")


class FolderCache:
    """Compiled patterns in files of a folder that is its owner's alone (``inspect.PatternCache``)."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises OSError, and PermissionError where others may write to it."""
        private_folder(folder)
        self._folder = folder

    def get(self, digest: str) -> bytes | None:
        """As of ``PatternCache``."""
        try:
            return (self._folder / digest).read_bytes()
        except OSError:
            return None

    def put(self, digest: str, database: bytes) -> None:
        """As of ``PatternCache``. A full disk costs time at the next start, and nothing else."""
        beside = self._folder / f".{digest}.{id(database):x}"
        try:
            beside.write_bytes(database)
            beside.replace(self._folder / digest)
        except OSError as error:
            LOG.warning("compiled patterns are not kept: %s", error)


def read_acl(text: str, catalog: Catalog, locate: Locate = nowhere) -> Loaded:
    """A web ACL in JSON: what CreateWebACL takes, or what GetWebACL answers.

    Beside ``WebACL`` there may be ``IPSets``, ``RegexPatternSets`` and ``RuleGroups``, lists of what GetIPSet and its like
    answer, and a ``LoggingConfiguration``. Raises ValueError for what is no such document.
    """
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error
    if not isinstance(whole, dict):
        raise ValueError("no web ACL: a JSON object is needed")  # noqa: TRY004 - of the file's content, not of a type in Python
    document = whole.get("WebACL", whole)
    if not isinstance(document, dict) or not isinstance(document.get("Name"), str):
        raise ValueError("no web ACL: it has no `Name`")  # noqa: TRY004 - the same
    resources = Snapshot(
        {each["ARN"]: each["Addresses"] for each in _listed(whole, "IPSets", "ARN", "Addresses")},
        {
            each["ARN"]: [one["RegexString"] for one in each["RegularExpressionList"]]
            for each in _listed(whole, "RegexPatternSets", "ARN", "RegularExpressionList")
        },
        {each["ARN"]: each for each in _listed(whole, "RuleGroups", "ARN", "Rules")},
        catalog,
        locate,
    )
    return Loaded(with_arn(document), resources, whole.get("LoggingConfiguration"))


def _listed(whole: Document, member: str, *needed: str) -> list[dict[str, Any]]:
    found = whole.get(member) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) and all(name in each for name in needed) for each in found):
        raise ValueError(f"`{member}` must be a list of objects with {', '.join(needed)}")
    return found


def with_arn(document: Document) -> Document:
    """The web ACL with an ARN, which logs and label namespaces have in them; one of no account where it had none."""
    if document.get("ARN"):
        return document
    name = document["Name"]
    return {**document, "ARN": f"arn:aws:wafv2:us-east-1:{LOCAL_ACCOUNT}:regional/webacl/{name}/{document.get('Id') or name}"}


class FileSource:
    """A web ACL in a file; whoever changes it, or the lists of the managed groups, changes what is inspected."""

    def __init__(self, path: Path, managed: Managed, places: Places, keys: TokenKeys | None = None) -> None:
        self._path = path
        self._managed = managed
        self._places = places
        self._keys = keys
        self._seen = ABSENT

    def poll(self) -> Loaded | None:
        """As of ``Source``. A file that is no web ACL changes nothing, and is told of once."""
        self._places.refresh()
        regrouped = self._managed.refresh()
        seen = stamp(self._path)
        if seen == ABSENT or (seen == self._seen and not regrouped):
            return None
        self._seen = seen
        try:
            found = read_acl(self._path.read_text(encoding="utf-8"), self._managed.catalog, self._places.locate)
        except (OSError, ValueError) as error:
            LOG.error("%s is not taken: %s", self._path, error)  # noqa: TRY400 - whose text says it all
            return None
        return Loaded(found.document, found.resources, found.logging, self._keys)
