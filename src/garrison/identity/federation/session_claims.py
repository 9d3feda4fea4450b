"""Session tags and a source identity, as a token's claims carry them.

Source: IAM User Guide, "Pass session tags in AWS STS" (nested and flattened claims) and "Monitor and control actions taken with
assumed roles" (source identity).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from garrison.api import sts as api

TAGS = "https://aws.amazon.com/tags"
SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
MAX_TAGS = 50
SESSION_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")
_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
_VALUE = re.compile(r"[\w .:/=+\-@]{0,256}")


class Tagging(NamedTuple):
    """The tags of a session."""

    tags: Mapping[str, str] = {}
    transitive: tuple[str, ...] = ()


def checked_tags(tags: Mapping[str, str], transitive: tuple[str, ...]) -> Tagging:
    """Tags within STS's rules. Raises InvalidIdentityToken."""
    folded = {key.lower() for key in tags}
    if len(tags) > MAX_TAGS or len(folded) != len(tags):
        _refuse("Duplicate tag keys found. Please note that Tag keys are case insensitive." if len(folded) != len(tags) else "")
    for key, value in tags.items():
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value) or key.lower().startswith("aws:"):
            _refuse()
    if any(key.lower() not in folded for key in transitive):
        _refuse("The specified transitive tag key must be included in the requested tags.")
    return Tagging(dict(tags), transitive)


def checked_source_identity(value: str) -> str:
    """A source identity within STS's rules; empty where there is none. Raises InvalidIdentityToken with AWS's text."""
    if value and (not SESSION_NAME.fullmatch(value) or value.lower().startswith("aws:")):
        _refuse('Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"')
    return value


def tags_of(claims: Mapping[str, Any]) -> Tagging:
    """The tags of a token. Raises InvalidIdentityToken where they are not of AWS's form."""
    nested = claims.get(TAGS)
    if nested is None:
        return checked_tags(dict(_flattened(claims)), _keys(claims.get(f"{TAGS}/transitive_tag_keys")))
    if not isinstance(nested, dict):
        _refuse()
    tags = nested.get("principal_tags", {})
    if not isinstance(tags, dict):
        _refuse()
    return checked_tags({key: _single(value) for key, value in tags.items()}, _keys(nested.get("transitive_tag_keys")))


def source_identity_of(claims: Mapping[str, Any]) -> str:
    """The source identity of a token; empty where it has none. Raises InvalidIdentityToken."""
    found = claims.get(SOURCE_IDENTITY, "")
    if not isinstance(found, str):
        _refuse()
    return checked_source_identity(found)


def _flattened(claims: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    prefix = f"{TAGS}/principal_tags/"
    for name, value in claims.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), _single(value)


def _single(value: object) -> str:
    """A tag's value: a text, or a list of one."""
    found = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(found, str):
        _refuse()
    return found


def _keys(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        _refuse()
    return tuple(value)


def _refuse(message: str = "") -> NoReturn:
    raise api.InvalidIdentityTokenException(message or "The session tags of the token are not valid")
