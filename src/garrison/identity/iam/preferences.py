"""SetSecurityTokenServicePreferences: the version of the tokens that the global endpoint of STS gives out.

Source: IAM API Reference, SetSecurityTokenServicePreferences. AWS's version 1 tokens are not valid in Regions that must be
switched on first; here no Region must be, and tokens of either version are valid in all. What is set is what GetAccountSummary
reports.
"""

from __future__ import annotations

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.core.ports import Transaction
from garrison.identity.iam.items import account_changed
from garrison.identity.iam.targets import anything

_VERSIONS = {"v1Token": 1, "v2Token": 2}


@operation("iam", resource=anything)
def set_security_token_service_preferences(ctx: Context, req: api.SetSecurityTokenServicePreferencesRequest) -> None:
    """Choose the version of the global endpoint's tokens."""
    version = _VERSIONS[req.global_endpoint_token_version]
    if not ctx.tx.run("UPDATE iam_token_preference SET version = ? WHERE account = ?", version, ctx.account):
        ctx.tx.run("INSERT INTO iam_token_preference (account, version) VALUES (?, ?)", ctx.account, version)
    account_changed(ctx, {"GlobalEndpointTokenVersion": version})


def token_version(tx: Transaction, account: str) -> int:
    """``GlobalEndpointTokenVersion``: 1 where nothing was set."""
    row = tx.one("SELECT version FROM iam_token_preference WHERE account = ?", account)
    return 1 if row is None else int(row[0])
