"""Compiling the web ACL of a file as the firewall does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from platformdirs import user_cache_path

from garrison.cli.waf.documents import Document, Files, check_references, refused, statements
from garrison.cli.waf.jsonlines import FileError
from garrison.edge.crs.group import groups_in, load
from garrison.edge.feeds import read_feeds
from garrison.edge.inspect import CompiledAcl, EngineFault, InvalidParameter, ManagedGroup, PatternCache, compile_acl
from garrison.edge.inspect.capacity import MOST, capacity
from garrison.edge.inspect.detect.standard import StandardDetectors
from garrison.edge.inspect.managed.catalog import Catalog
from garrison.edge.inspect.managed.feeds import EMPTY, Feeds
from garrison.edge.live import Snapshot
from garrison.edge.places import Places
from garrison.edge.proxy.policies import FolderCache

_PLACES: Final = frozenset({"GeoMatchStatement", "AsnMatchStatement"})
_FINGERPRINTS: Final = frozenset({"JA3Fingerprint", "JA4Fingerprint"})


def _cache() -> PatternCache | None:
    """Compiled patterns of this user: the managed groups take ten seconds to compile, and milliseconds to load."""
    with suppress(OSError):
        return FolderCache(user_cache_path("garrison") / "patterns")
    return None


@dataclass(frozen=True, slots=True)
class Lists:
    """What an operator's directory tells: lists of managed groups, and databases of places."""

    feeds: Feeds
    places: Places
    imported: tuple[ManagedGroup, ...]
    """Groups of imported rules."""


def read_lists(path: Path | None, bundle: Path | None = None) -> Lists:
    """The lists and databases of a directory, and the imported rules there or of a file. Raises FileError."""
    cache = _cache()
    try:
        imported = (load(bundle, cache),) if bundle is not None else groups_in(path, cache)
        return Lists(EMPTY if path is None else read_feeds(path), Places(path), imported)
    except (ValueError, OSError, EngineFault) as error:
        raise FileError(str(error)) from error


def compiled(path: Path, document: Document, files: Files, lists: Lists) -> CompiledAcl:
    """The web ACL, ready to inspect. Raises FileError for what AWS WAF would refuse, and what refers to nothing."""
    check_references(document, files, path)
    cache = _cache()
    try:
        catalog = Catalog(lists.feeds, cache, imported=lists.imported)
        resources = Snapshot(files.ip_sets, files.regex_sets, files.rule_groups, catalog, lists.places.locate)
        found = compile_acl(document, resources, detectors=StandardDetectors(), cache=cache)
        units = capacity(document.get("Rules") or [], resources)
    except InvalidParameter as error:
        raise refused(path, error) from error
    except EngineFault as error:
        raise FileError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        raise FileError(f"{path}: AWS WAF would refuse it: {what}") from error
    if units > MOST:
        raise FileError(f"{path}: AWS WAF would refuse it: it takes {units} capacity units, and may take {MOST}")
    return found


def warnings(document: Document, files: Files, lists: Lists) -> Iterator[str]:
    """What the web ACL asks and no file of requests answers."""
    rules = [each for each in document.get("Rules") or () if isinstance(each, dict)]
    rules += [each for group in files.rule_groups.values() for each in group.get("Rules") or ()]
    with suppress(AttributeError, TypeError):  # the engine says what is wrong with the document
        found = list(statements(rules))
        if not lists.places.version and any(kind in _PLACES for kind, _ in found):
            yield "there is no database of places (--lists DIR): rules that ask for countries and AS numbers find none"
        if any(_FINGERPRINTS & set(_field(spec)) for _, spec in found):
            yield "no file has fingerprints of TLS: rules that ask for them find none"


def _field(spec: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return dict(spec.get("FieldToMatch") or {})
