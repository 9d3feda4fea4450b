"""Rules of the OWASP Core Rule Set, imported from a directory that the user has."""

from __future__ import annotations

from garrison.edge.crs.evaluate import CoreRules, Match
from garrison.edge.crs.group import NAME, VENDOR, group, groups_in, load
from garrison.edge.crs.rules import Bundle, BundleError, Left, Rule, dump, read

__all__ = [
    "NAME",
    "VENDOR",
    "Bundle",
    "BundleError",
    "CoreRules",
    "Left",
    "Match",
    "Rule",
    "dump",
    "group",
    "groups_in",
    "load",
    "read",
]
