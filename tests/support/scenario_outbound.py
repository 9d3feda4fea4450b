"""Outbound identity federation, scoped sessions and the preference of STS: the steps of the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.support.house import ACCOUNT

if TYPE_CHECKING:
    from tests.support.scenario import Step


def outbound() -> Iterator[Step]:
    """Enabled, used and disabled."""
    from tests.support.scenario import Step, Wanted  # noqa: PLC0415 - that file goes through these steps

    account = Wanted("AWS::::Account", f"arn:aws:iam::{ACCOUNT}:root")
    yield Step("iam", "EnableOutboundWebIdentityFederation", {}, account)
    yield Step("iam", "GetOutboundWebIdentityFederationInfo")
    token = {"Audience": ["https://api.example.com"], "SigningAlgorithm": "ES384", "Tags": [{"Key": "job", "Value": "1"}]}
    yield Step("sts", "GetWebIdentityToken", token)
    yield Step("iam", "DisableOutboundWebIdentityFederation", {}, account)
    yield Step("iam", "SetSecurityTokenServicePreferences", {"GlobalEndpointTokenVersion": "v2Token"}, account)
    # Long-term credentials cannot be scoped down; the operation's own tests do it with a session's.
    yield Step("sts", "GetScopedCredentials", {"DurationSeconds": 60}, fails="AccessDenied")
