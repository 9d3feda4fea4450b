"""MFA codes in calls of STS: proven before the call is authorized, since policies ask for them, and used up by it.

A code is of a device of the calling user, or of the root user that calls (STS API Reference, AssumeRole and GetSessionToken:
``SerialNumber``, ``TokenCode``). Texts as AWS answered them (publicly recorded); that of a wrong code ends with a space.
"""

from __future__ import annotations

from typing import Any

from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.identity.mfa import devices
from garrison.identity.mfa.devices import Judged

_UNKNOWN = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
_WRONG = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
_KEPT = "sts:mfa"


def uses_code(_ctx: Context, req: Any) -> bool:  # noqa: ANN401 - any request with an MFA code
    """Whether a code is to be used up: the call writes then, though it is a read."""
    return req.serial_number is not None or req.token_code is not None


def proven(ctx: Context, req: Any) -> Judged | None:  # noqa: ANN401 - the same
    """The code of the request, if it is right; None where there is none. Looked at once a call.

    Whatever comes of the call, a right code is used up and a wrong one counted. Raises ValidationError where only one of the two
    members is given; AccessDenied with AWS's texts.
    """
    if _KEPT in ctx.scratch or not uses_code(ctx, req):
        kept: Judged | None = ctx.scratch.get(_KEPT)
        return kept
    if req.serial_number is None or req.token_code is None:
        raise CommonError("validation", "Both serial number and token code must be specified to use MFA.")
    judged = devices.judge(
        ctx.tx,
        ctx.ports.sealer,
        account=ctx.principal.account,
        owner_id=ctx.principal.id if ctx.principal.kind in {"user", "root"} else "",
        serial=req.serial_number,
        code=req.token_code,
        now=ctx.now,
    )
    ctx.though_failed.append(lambda tx: devices.settle(tx, judged, ctx.now))
    if not judged.accepted:
        raise _refused(judged)
    ctx.scratch[_KEPT] = judged
    return judged


def used_up(ctx: Context, req: Any) -> float | None:  # noqa: ANN401 - the same
    """Use the code of the request up: when it was given, seconds since the epoch; None where there is none.

    Raises AccessDenied as :func:`proven`, also where another call used the code meanwhile.
    """
    judged = proven(ctx, req)
    if judged is None:
        return None
    settled = devices.settle(ctx.tx, judged, ctx.now)
    if not settled.accepted:
        raise _refused(settled)
    return ctx.now


def _refused(judged: Judged) -> CommonError:
    return CommonError("access_denied", _UNKNOWN if judged.refusal == "device" else _WRONG)
