"""S3 POST forms: a signed policy says what a browser may upload.

Sources: S3 API Reference, "Authenticating Requests in Browser-Based Uploads Using POST" and "POST Policy"; the texts are
answers of S3 recorded in public.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from garrison.wire.sigv4 import faults
from garrison.wire.sigv4.claim import ECDSA, Claim, parse_algorithm, parse_credential, parse_instant
from garrison.wire.sigv4.post_policy import Bounds, parse_policy
from garrison.wire.sigv4.signatures import Signatures

Fields = Sequence[tuple[str, str]]
"""The fields before the file, in the form's order: names as sent, values decoded. S3 ignores what follows the file."""

_NAMES: Final = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date")
_VERSION_2: Final = frozenset(("awsaccesskeyid", "signature"))


def read_post_claim(fields: Fields) -> Claim | None:
    """What a form says about its signature; None where it has none and the sender is anonymous.

    Raises CommonError on a form that is signed in part, malformed, or signed with version 2.
    """
    values = _lowered(fields)
    if not any(name.lower() in values for name in _NAMES):
        if _VERSION_2 & values.keys():
            raise faults.s3_unsupported()
        return None
    for name in (*_NAMES, "Policy"):
        if not values.get(name.lower()):
            raise faults.s3_missing_field(name)
    algorithm = parse_algorithm(values["x-amz-algorithm"], place="form", s3=True)
    if algorithm == ECDSA:
        raise faults.s3_argument(faults.S3_FORM_ALGORITHM)
    seconds, stamp = parse_instant(values["x-amz-date"], place="form", s3=True)
    credential = values["x-amz-credential"]
    key_id, date, region, service = parse_credential(credential, stamp, algorithm=algorithm, place="form", s3=True)
    return Claim(
        access_key_id=key_id,
        date=date,
        region=region,
        service=service,
        session_token=values.get("x-amz-security-token") or None,
        signed_headers=(),
        signature=values["x-amz-signature"],
        algorithm=algorithm,
        presigned=False,
        timestamp=seconds,
        stamp=stamp,
        expires=None,
    )


def verify_post_form(
    claim: Claim, fields: Fields, secret: str, *, now: float, bucket: str, signatures: Signatures | None = None
) -> Bounds:
    """Raise CommonError unless the holder of ``secret`` signed the form's policy and the form obeys it.

    ``now`` is in seconds since the epoch; ``bucket`` is the one that the URL names; ``${filename}`` in the key has been
    replaced already. Gives the bounds of the file's size, to be checked with :meth:`Bounds.check` once that is known. The
    policy's expiration is the form's only clock.
    """
    values = _lowered(fields)
    policy = values.get("policy", "")
    try:
        text = policy.encode("ascii")
    except UnicodeEncodeError:
        raise faults.mismatch(s3=True) from None
    (signatures or Signatures()).check(claim, secret, text, claim.signature, s3=True)
    parsed = parse_policy(policy)
    parsed.check_expiration(now)
    return parsed.check_fields(fields, values | {"bucket": bucket})


def _lowered(fields: Fields) -> dict[str, str]:
    """The fields by name, whose case does not matter. One that stands twice is refused, for either could be meant."""
    values: dict[str, str] = {}
    for name, value in fields:
        key = name.lower()
        if key in values:
            raise faults.s3_doubled_field(name)
        values[key] = value
    return values
