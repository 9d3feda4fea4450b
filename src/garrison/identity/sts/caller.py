"""GetCallerIdentity and GetAccessKeyInfo: who a key is."""

from __future__ import annotations

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.ids import account_of_access_key
from garrison.core.operation import operation


@operation("sts", resource="*", read=True, auth="signed")
def get_caller_identity(ctx: Context, _req: api.GetCallerIdentityRequest) -> api.GetCallerIdentityResponse:
    """Who signed this call. Needs no permission, and no policy can deny it (STS API reference)."""
    principal = ctx.principal
    return api.GetCallerIdentityResponse(user_id=principal.id, account=principal.account, arn=principal.arn)


@operation("sts", resource="*", read=True)
def get_access_key_info(_ctx: Context, req: api.GetAccessKeyInfoRequest) -> api.GetAccessKeyInfoResponse:
    """The account that an access key id is of, whoever's it is; the id carries it, so nothing is looked up.

    Raises ValidationError on what is no access key id.
    """
    try:
        account = account_of_access_key(req.access_key_id)
    except ValueError as error:
        raise CommonError("validation", f"Invalid access key ID: {req.access_key_id}") from error
    return api.GetAccessKeyInfoResponse(account=account)
