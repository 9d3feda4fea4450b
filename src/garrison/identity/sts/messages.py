"""DecodeAuthorizationMessage: what a denial handed out sealed, read back by who may read it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Any

from garrison.api import sts as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.core.ports import Sealer

PURPOSE = "authorization-message"


def encode_message(sealer: Sealer, account: str, message: dict[str, Any]) -> str:
    """A denial's details, sealed for one account: what EC2's UnauthorizedOperation carries."""
    sealed = sealer.seal(PURPOSE, json.dumps(message, separators=(",", ":")).encode(), account.encode())
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


@operation("sts", resource="*", read=True)
def decode_authorization_message(
    ctx: Context, req: api.DecodeAuthorizationMessageRequest
) -> api.DecodeAuthorizationMessageResponse:
    """The details of a denial of the caller's account (STS API reference). Raises InvalidAuthorizationMessage."""
    try:
        sealed = urlsafe_b64decode(req.encoded_message.encode() + b"=" * (-len(req.encoded_message) % 4))
        message = ctx.ports.sealer.unseal(PURPOSE, sealed, ctx.account.encode())
    except (ValueError, NotBase64) as error:
        reason = "Invalid encoded authorization message."
        raise api.InvalidAuthorizationMessageException(reason) from error
    return api.DecodeAuthorizationMessageResponse(decoded_message=message.decode())
