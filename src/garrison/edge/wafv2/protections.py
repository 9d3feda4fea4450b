"""What a web ACL says beside its rules: data protection, DDoS protection of load balancers, payments, analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from garrison.edge.wafv2 import errors

Document = Mapping[str, Any]
KEYED: Final = frozenset({"SINGLE_HEADER", "SINGLE_COOKIE", "SINGLE_QUERY_ARGUMENT"})
"""Kinds of fields to protect that are named by keys; the others are whole."""


def check(scope: str, document: Document) -> None:
    """Raises WAFInvalidParameterException, WAFInvalidOperationException."""
    _data(document.get("DataProtectionConfig"))
    if document.get("OnSourceDDoSProtectionConfig") is not None and scope != "REGIONAL":
        mode = document["OnSourceDDoSProtectionConfig"]["ALBLowReputationMode"]
        raise errors.invalid("LOW_REPUTATION_MODE", mode, "Only regional web ACLs protect load balancers.")
    analytics = document.get("AnalyticsConfig") or {}
    if document.get("MonetizationConfig") is not None or analytics.get("Mode", "DISABLED") != "DISABLED":
        raise errors.not_included()


def _data(config: Document | None) -> None:
    protections: Sequence[Document] = config["DataProtections"] if config else ()
    seen: set[tuple[str, str]] = set()
    for each in protections:
        kind, keys = each["Field"]["FieldType"], each["Field"].get("FieldKeys") or []
        if bool(keys) is not (kind in KEYED):
            reason = "A single header, cookie or query argument is named by keys, and no other field is."
            raise errors.invalid("DATA_PROTECTION_CONFIG", kind, reason)
        for key in keys or [""]:
            one = kind, key.lower() if kind == "SINGLE_HEADER" else key
            if one in seen:
                raise errors.invalid("DATA_PROTECTION_CONFIG", key or kind, "A field is protected more than once.")
            seen.add(one)
