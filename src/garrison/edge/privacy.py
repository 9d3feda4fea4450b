"""What log records and samples do not show: credentials, redacted fields of a log, and what a web ACL protects.

Sources: AWS WAF Developer Guide, "Data protection": substitution puts ``REDACTED``, hashing the Base64 of the SHA-256 of account
number and content, in the place of a field, of what matched in it and of a rate's key, unless these two are excepted; API
reference, LoggingConfiguration, ``RedactedFields``. That credentials are masked though nobody asked is Garrison's own rule.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_plus

REDACTED: Final = "REDACTED"
Document = Mapping[str, Any]
Mask = Callable[[str], str]
"""What is shown in the place of a value."""
CREDENTIALS: Final = frozenset(
    {
        *(
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-access-token",
            "x-amz-security-token",
            "x-api-key",
            "x-auth-token",
        ),
        *("x-aws-waf-token", "x-csrf-token", "x-csrftoken", "x-xsrf-token"),
    }
)
"""Headers that are masked in any case, as all cookies are: a log is read by more people than those who may act as the client."""
CREDENTIAL_ARGUMENTS: Final = frozenset(
    {
        *("access_token", "api_key", "apikey", "auth_token", "client_assertion", "client_secret", "id_token", "jwt", "otp"),
        *("pass", "passphrase", "passwd", "password", "pwd", "refresh_token", "samlresponse", "secret", "session_token", "sig"),
        *("token", "x-amz-credential", "x-amz-security-token", "x-amz-signature"),
    }
)
"""Query arguments that are masked in any case, also where their names are the last part of one (``user[password]``,
``new_password``)."""
_PARTS: Final = re.compile(r"[\[\].:]+")
_ADDRESSES: Final = frozenset({"referer", "x-original-url", "x-rewrite-url"})
"""Headers with an address, whose query string has arguments too."""
HEADER, COOKIE, ARGUMENT = "SINGLE_HEADER", "SINGLE_COOKIE", "SINGLE_QUERY_ARGUMENT"
QUERY, BODY, PATH, METHOD = "QUERY_STRING", "BODY", "URI_PATH", "METHOD"
_REDACTABLE: Final = {"UriPath": PATH, "QueryString": QUERY, "Method": METHOD}


def _substitute(_value: str) -> str:
    return REDACTED


@dataclass(frozen=True, slots=True)
class _Rule:
    mask: Mask
    matches: bool = True
    """Whether what matched in the field is masked too."""
    rates: bool = True
    """Whether a rate's key of the field is masked too."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """How fields are masked, by kind and lower-case key; the key is empty for a field that has none."""

    rules: Mapping[tuple[str, str], _Rule] = field(default_factory=dict)

    def _find(self, kind: str, key: str = "") -> _Rule | None:
        # An application decodes the name before it reads it: `p%61ssword` is a password too.
        name = unquote_plus(key).lower() if kind == ARGUMENT else key.lower()
        found = self.rules.get((kind, name))
        return found or (_CREDENTIAL if kind == COOKIE or _is_credential(kind, name) else None)

    def shown(self, kind: str, value: str, key: str = "") -> str:
        """A field's value as it is shown."""
        rule = self._find(kind, key)
        return value if rule is None else rule.mask(value)

    def shown_in_match(self, kind: str, value: str, key: str = "") -> str:
        """What matched in a field, as it is shown."""
        rule = self._find(kind, key)
        return value if rule is None or not rule.matches else rule.mask(value)

    def shown_in_rate(self, kind: str, value: str, key: str = "") -> str:
        """A rate's key, as it is shown."""
        rule = self._find(kind, key)
        return value if rule is None or not rule.rates else rule.mask(value)

    def has(self, kind: str) -> bool:
        """Whether a field of the kind is masked."""
        return any(each == kind for each, _ in self.rules)


_CREDENTIAL: Final = _Rule(_substitute)


def _is_credential(kind: str, name: str) -> bool:
    if kind == HEADER:
        return name in CREDENTIALS
    if kind != ARGUMENT:
        return False
    last = next((part for part in reversed(_PARTS.split(name)) if part), name)
    return last in CREDENTIAL_ARGUMENTS or last.endswith(("_password", "_token", "_secret"))


def privacy(acl: Document, redacted: Sequence[Document], account: str) -> Privacy:
    """The masks of a web ACL and of a logging configuration's ``RedactedFields``. Protection comes before redaction."""
    rules: dict[tuple[str, str], _Rule] = {}
    for each in redacted:
        if "SingleHeader" in each:
            rules[HEADER, each["SingleHeader"]["Name"].lower()] = _CREDENTIAL
        else:
            # A field that is not known to us is none that a record shows.
            rules.update({(kind, ""): _CREDENTIAL for name, kind in _REDACTABLE.items() if name in each})
    for each in (acl.get("DataProtectionConfig") or {}).get("DataProtections") or ():
        rule = _Rule(
            _hashed(account) if each["Action"] == "HASH" else _substitute,
            not each.get("ExcludeRuleMatchDetails", False),
            not each.get("ExcludeRateBasedDetails", False),
        )
        for key in each["Field"].get("FieldKeys") or ("",):
            rules[each["Field"]["FieldType"], key.lower()] = rule
    return Privacy(rules)


def _hashed(account: str) -> Mask:
    def mask(value: str) -> str:
        return b64encode(hashlib.sha256((account + value).encode("utf-8", "surrogateescape")).digest()).decode()

    return mask


def masked_pairs(text: str, separator: str, mask: Callable[[str, str], str]) -> str:
    """A query string or a cookie header with each value as ``mask`` of name and value shows it; all else to the letter."""
    found = []
    for part in text.split(separator):
        name, equals, value = part.partition("=")
        found.append(f"{name}={mask(name.strip(), value)}" if equals else part)
    return separator.join(found)


def shown_header(name: str, value: str, masks: Privacy) -> str:
    """A header's value as it is shown; of cookies each by its own name, where a web ACL protects some by theirs."""
    if name.lower() == "cookie" and masks.has(COOKIE):
        return masked_pairs(value, ";", lambda key, own: masks.shown(COOKIE, own, key))
    if name.lower() in _ADDRESSES and "?" in value:
        page, _, query = value.partition("?")
        value = f"{page}?{shown_query(query, masks)}"
    return masks.shown(HEADER, value, name)


def shown_query(query: str, masks: Privacy) -> str:
    """A query string as it is shown: whole, after each argument by its name."""
    arguments = masked_pairs(query, "&", lambda name, value: masks.shown(ARGUMENT, value, name))
    return masks.shown(QUERY, arguments)
