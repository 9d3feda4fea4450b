"""Imported rules: what a directory of the OWASP Core Rule Set says, in a form that needs no parser.

A bundle is a file of JSON that ``garrison waf import-crs`` writes and the firewall reads. It holds the user's own copy of the
rules; none are part of Garrison.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

FORMAT: Final = 1
NAME: Final = "crs.json"
"""The bundle's file in the directory of lists."""
LARGEST: Final = 64 * 1024 * 1024
SCORES: Final = {"CRITICAL": 5, "ERROR": 4, "WARNING": 3, "NOTICE": 2}
"""What a rule of a severity adds to a request's score (the Core Rule Set's documentation, anomaly scoring)."""
THRESHOLD: Final = 5
"""The score from which a request is blocked, where nothing else is set."""


class Variable(msgspec.Struct, frozen=True, omit_defaults=True):
    """A target: ``REQUEST_COOKIES:/__utm/``. ``selector`` is a name, or a regular expression between slashes."""

    collection: str
    selector: str = ""
    count: bool = False
    excluded: bool = False


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """One condition of a rule; a chain has several."""

    variables: tuple[Variable, ...]
    operator: str
    argument: str = ""
    negated: bool = False
    transforms: tuple[str, ...] = ()
    """By AWS WAF's names, and ``LENGTH``, ``HEX_ENCODE`` and ``SHA1``."""
    phrases: tuple[str, ...] = ()
    """Of ``pm``."""
    sets: tuple[tuple[str, str], ...] = ()
    """Names and values that a match sets, for later conditions."""
    steps: bool = False
    """Whether the value is looked at after each transformation, not only after all."""
    engine: str = "automaton"
    """What runs a regular expression: ``automaton`` alone, ``prefilter`` (the automaton, then a backtracking engine), or
    ``backtracking`` alone. Found out when the rules are imported, for it takes seconds."""


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule. One without a severity only sets what others ask for."""

    id: int
    where: str
    phase: int
    links: tuple[Link, ...]
    severity: str = ""
    level: int = 1
    """The paranoia level."""
    message: str = ""
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What of it is not as in the Core Rule Set."""


class Left(msgspec.Struct, frozen=True):
    """A rule that was not imported, and why."""

    id: int
    where: str
    reason: str


class Bundle(msgspec.Struct, frozen=True):
    """Everything that was imported, and everything that was not."""

    format: int
    release: str
    """The Core Rule Set's own version."""
    level: int
    settings: dict[str, str]
    rules: tuple[Rule, ...]
    left: tuple[Left, ...]


class BundleError(ValueError):
    """A file is no bundle that this version reads. The message begins with the file."""


def dump(bundle: Bundle) -> bytes:
    """The bundle's file."""
    return msgspec.json.format(msgspec.json.encode(bundle), indent=1) + b"\n"


def read(path: Path) -> Bundle:
    """The bundle of a file. Raises BundleError."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise BundleError(f"{path}: the file has more than {LARGEST} bytes")
        found = msgspec.json.decode(raw, type=Bundle)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or error}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BundleError(f"{path}: this is no bundle of imported rules: {error}") from error
    if found.format != FORMAT:
        raise BundleError(f"{path}: the bundle has format {found.format}; this version reads {FORMAT}: import the rules again")
    return found
