"""How services differ in what they ask of a signature.

Sources: IAM User Guide, "Create a signed AWS API request" (S3 neither normalizes nor double-encodes the path); S3 API
Reference, "Signature calculations for the Authorization header"; AWS re:Post and recorded answers for the clock windows
(fifteen minutes at STS, IAM and S3, five at KMS and most others).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Rules:
    """What one service asks."""

    skew: int = 5 * MINUTE
    """Seconds by which the signature's clock may differ from ours, either way."""
    s3: bool = False
    """S3's family: path taken as it is and encoded once, ``x-amz-content-sha256`` required, texts of its own."""
    unsigned_payload: bool = False
    """Whether a signature may leave the body out (``UNSIGNED-PAYLOAD``)."""
    token_appended: bool = False
    """Whether a presigned URL gets its security token after it was signed (AWS IoT)."""
    presigned_life: int | None = None
    """Seconds that a presigned request lives whatever its X-Amz-Expires says; None: X-Amz-Expires counts."""


_S3: Final = Rules(skew=15 * MINUTE, s3=True, unsigned_payload=True)
_DEFAULT: Final = Rules()
_RULES: Final = {
    "s3": _S3,
    "s3express": _S3,
    "s3-outposts": _S3,
    "s3-object-lambda": _S3,
    "iam": Rules(skew=15 * MINUTE),
    # STS ignores X-Amz-Expires: a presigned GetCallerIdentity (what EKS uses as its token, made with 60 seconds) is good
    # for fifteen minutes from its date. Source: aws-iam-authenticator's documentation of its tokens.
    "sts": Rules(skew=15 * MINUTE, presigned_life=15 * MINUTE),
    # PutSnapshotBlock is modelled `v4-unsigned-body`; its checksum header guards the block.
    "ebs": Rules(unsigned_payload=True),
    "iotdevicegateway": Rules(token_appended=True),
    "iotdata": Rules(token_appended=True),
}


def rules_of(service: str) -> Rules:
    """The rules of a service by its name in a credential scope; the strict ones for a name that is not known."""
    return _RULES.get(service, _DEFAULT)
