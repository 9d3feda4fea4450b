"""AWS WAF (WAFV2): web ACLs, what they are made of, what they protect, and what was seen.

Importing this package registers its operations.
"""

from __future__ import annotations

from garrison.edge.wafv2 import (
    api_keys,
    associations,
    capacity,
    elsewhere,
    ip_sets,
    logs,
    managed_groups,
    regex_sets,
    rule_groups,
    sampling,
    sharing,
    tags,
    web_acls,
)

__all__ = [
    "api_keys",
    "associations",
    "capacity",
    "elsewhere",
    "ip_sets",
    "logs",
    "managed_groups",
    "regex_sets",
    "rule_groups",
    "sampling",
    "sharing",
    "tags",
    "web_acls",
]
