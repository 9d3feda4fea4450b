"""Which of a token's claims policies can read, and under which condition keys.

Every provider has ``aud``, ``sub``, ``amr`` and ``oaud``; those that AWS knows by name have keys for claims of their own.
Sources: IAM User Guide, "Available keys for AWS OIDC federation"; Service Authorization Reference, AWS Security Token Service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from garrison.identity.federation.web_tokens import Audience

Values = dict[str, "str | tuple[str, ...]"]

_GITHUB = (
    "actor",
    "actor_id",
    "enterprise_id",
    "environment",
    "job_workflow_ref",
    "ref",
    "repository",
    "repository_id",
    "repository_owner_id",
    "workflow",
)
_BUILDKITE = (
    "build_branch",
    "cluster_id",
    "cluster_name",
    "organization_id",
    "organization_slug",
    "pipeline_id",
    "pipeline_slug",
)
_GITLAB = (
    "namespace_id",
    "pipeline_source",
    "project_id",
    "ref_protected",
    "runner_environment",
    "user_access_level",
    "user_email",
    "user_id",
    "user_login",
)
_OF_PROVIDERS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"token\.actions\.githubusercontent\.com(/.+)?"), _GITHUB),
    (re.compile(r"token\.actions\.[a-z0-9-]+\.ghe\.com"), _GITHUB),
    (re.compile(r"github\.com/enterprises/[^/]+"), _GITHUB),
    (re.compile(r"gitlab\.com"), _GITLAB),
    (re.compile(r"agent\.buildkite\.com|agent\.[a-z0-9-]+\.buildkite\.(dev|site)"), _BUILDKITE),
    (re.compile(r"oidc\.circleci\.com/org/[^/]+"), ("oidc.circleci.com/project-id",)),
    (re.compile(r"idcs-[^/.]+\.identity\.oraclecloud\.com"), ("rpst_id",)),
    (re.compile(r"accounts\.google\.com"), ("google/organization_number",)),
)


def session_keys(provider: str, claims: Mapping[str, Any], audience: Audience) -> Values:
    """The keys that the role's session keeps too. ``provider``: the URL without its scheme."""
    found: Values = {f"{provider}:aud": audience.client, f"{provider}:oaud": audience.original, f"{provider}:sub": claims["sub"]}
    methods = _values(claims.get("amr"))
    return found | ({f"{provider}:amr": methods} if methods else {})


def trust_keys(provider: str, claims: Mapping[str, Any], audience: Audience) -> Values:
    """The keys that a role's trust policy can read."""
    found = session_keys(provider, claims, audience)
    for form, names in _OF_PROVIDERS:
        if form.fullmatch(provider):
            found |= {f"{provider}:{name}": text for name in names if (text := _text(claims.get(name)))}
    return found


def _text(value: object) -> str:
    """A claim as a policy compares it; empty for what is no single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def _values(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(each for each in listed if isinstance(each, str) and each)
