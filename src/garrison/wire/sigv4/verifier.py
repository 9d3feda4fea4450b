"""Verification: the claim, the request and the secret agree, now, or CommonError is raised.

Sources: IAM User Guide, "Create a signed AWS API request"; S3 API Reference, "Authenticating Requests (AWS Signature
Version 4)".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Final

from garrison.core.http import Request
from garrison.wire.sigv4 import faults
from garrison.wire.sigv4.canonical import (
    EMPTY_SHA256,
    canonical_path,
    canonical_query,
    canonical_request,
    sort_headers,
    string_to_sign,
)
from garrison.wire.sigv4.claim import ECDSA, Claim
from garrison.wire.sigv4.payload import STREAMING, UNSIGNED, is_digest
from garrison.wire.sigv4.rules import Rules, rules_of
from garrison.wire.sigv4.signatures import Signatures

_SIGNATURE: Final = frozenset(("X-Amz-Signature",))
_SIGNATURE_AND_TOKEN: Final = frozenset(("X-Amz-Signature", "X-Amz-Security-Token"))
_HASH: Final = "x-amz-content-sha256"


class Verifier:
    """Verifies signatures.

    ``regions`` are those that this endpoint serves; None serves every well-formed one. ``signatures`` holds the derived keys;
    give the same one to :func:`payload_decoder` and :func:`verify_post_form`, and give it ``keys.sigv4a.public_key`` for
    Signature Version 4A.
    """

    def __init__(self, signatures: Signatures | None = None, *, regions: Collection[str] | None = None) -> None:
        self.signatures = signatures or Signatures()
        self._regions = regions

    def verify(
        self,
        claim: Claim,
        request: Request,
        secret: str,
        *,
        now: float,
        service: str | None = None,
        body_sha256: str | None = None,
    ) -> None:
        """Raise CommonError unless the holder of ``secret`` signed this request for this service, region and time.

        ``now`` is in seconds since the epoch. ``service`` is the signing name of the endpoint where that is known apart
        from the signature. ``body_sha256`` is the digest (hex) of the body where it was written elsewhere than
        ``request.body``. The body of an ``aws-chunked`` request is not looked at here: :func:`payload_decoder` verifies it.
        """
        rules = rules_of(service or claim.service)
        check_time(claim, now=now, rules=rules)
        check_scope(claim, service=service, regions=self._regions)
        try:
            self._verify(claim, request, secret, rules, body_sha256)
        except UnicodeEncodeError:  # a character that no byte of a real request is
            raise faults.mismatch(s3=rules.s3) from None

    def _verify(self, claim: Claim, request: Request, secret: str, rules: Rules, body_sha256: str | None) -> None:
        s3 = rules.s3
        values, unsigned = sort_headers(request.headers, claim.signed_headers)
        stated = _stated_hash(claim, request, rules)
        _check_signed(claim, values, unsigned, rules)
        payload = stated if s3 or stated == UNSIGNED else body_sha256 or _sha256(request.body)
        canonical = canonical_request(
            request.method,
            canonical_path(request.path, s3=s3),
            canonical_query(request.query, _left_out(claim, rules)),
            values,
            claim.signed_headers,
            payload,
        )
        text = string_to_sign(claim.algorithm, claim.stamp, claim.scope, canonical)
        self.signatures.check(claim, secret, text.encode("latin-1"), claim.signature, s3=s3)
        if s3 and is_digest(payload) and not hmac.compare_digest(payload, body_sha256 or _sha256(request.body)):
            raise faults.s3_payload_mismatch()


def check_time(claim: Claim, *, now: float, rules: Rules) -> None:
    """Raise CommonError where the signature is too old, expired or from the future."""
    age = now - claim.timestamp
    if rules.s3:
        _check_s3_time(claim, age, rules.skew)
        return
    life = rules.skew
    if claim.presigned:
        life = rules.presigned_life or (rules.skew if claim.expires is None else claim.expires)
    if age < -rules.skew:
        raise faults.not_yet(claim.stamp, now, rules.skew)
    if age > life or (claim.expires == 0 and rules.presigned_life is None):
        raise faults.expired(claim.stamp, now, life)


def check_scope(claim: Claim, *, service: str | None, regions: Collection[str] | None) -> None:
    """Raise CommonError where the signature is for another service or region than this endpoint's."""
    s3 = rules_of(service or claim.service).s3
    if service is not None and claim.service != service:
        if s3:
            detail = f'incorrect service "{claim.service}". This endpoint belongs to "{service}".'
            raise faults.s3_credential(detail, "query" if claim.presigned else "header")
        raise faults.other_service(service)
    if regions is None:
        return
    asked = claim.region_set if claim.algorithm == ECDSA else (claim.region,)
    if not any(fnmatchcase(region, pattern) for pattern in asked for region in regions):
        if s3:
            detail = f"the region '{','.join(asked)}' is wrong; expecting '{min(regions, default='')}'"
            raise faults.s3_credential(detail, "query" if claim.presigned else "header")
        raise faults.scope(faults.REGION)


def _check_s3_time(claim: Claim, age: float, skew: int) -> None:
    if not claim.presigned:
        if abs(age) > skew:
            raise faults.s3_skewed()
        return
    if age < -skew:
        raise faults.s3_denied(faults.S3_NOT_YET, expired=True)
    if not claim.expires or age > claim.expires:
        raise faults.s3_denied(faults.S3_EXPIRED, expired=True)


def _stated_hash(claim: Claim, request: Request, rules: Rules) -> str:
    """The last line of the canonical request as the request states it; empty where the body's own digest stands there."""
    stated = request.header(_HASH)
    if not rules.s3:
        return UNSIGNED if rules.unsigned_payload and stated == UNSIGNED and not claim.presigned else ""
    if claim.presigned:
        return _presigned_hash(claim, request, stated)
    if not stated:
        raise faults.s3_request(faults.S3_NO_HASH)
    streaming = STREAMING.get(stated)
    if streaming is not None and streaming.algorithm in {None, claim.algorithm}:
        return stated
    return _digest_or_unsigned(stated, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, ")


def _presigned_hash(claim: Claim, request: Request, stated: str) -> str:
    """A presigned URL leaves the body out unless its header or its query says otherwise."""
    if _HASH in claim.signed_headers:
        return _digest_or_unsigned(stated, "")
    if _HASH in request.query.lower():
        for part in canonical_query(request.query).split("&"):
            name, _, value = part.partition("=")
            if name.lower() == _HASH:
                return _digest_or_unsigned(value, "")
    return UNSIGNED


def _digest_or_unsigned(stated: str, others: str) -> str:
    if stated == UNSIGNED or is_digest(stated):
        return stated
    raise faults.s3_argument(faults.S3_PAYLOAD.format(others))


def _check_signed(claim: Claim, values: dict[str, str | None], unsigned: list[str], rules: Rules) -> None:
    """Every header that has to be in the signature is there, and every header in the signature was sent."""
    if rules.s3:
        _check_s3_signed(claim, values, unsigned)
    elif "host" not in values and ":authority" not in values:
        raise faults.host_unsigned()
    else:
        for name in unsigned:
            # The token finds the secret, the date stands in the string to sign, and the digest in the canonical request.
            if name not in {"x-amz-security-token", "x-amz-date", _HASH}:
                raise faults.must_be_signed(name)
    if None in values.values():
        raise faults.mismatch(s3=rules.s3)


def _check_s3_signed(claim: Claim, values: dict[str, str | None], unsigned: list[str]) -> None:
    """The digest of the body alone may stay out of the list: it is the last line of the canonical request all the same."""
    hash_alone = unsigned == [_HASH] and not claim.presigned
    if ("host" not in values and ":authority" not in values) or (unsigned and not hash_alone):
        raise faults.s3_not_signed()


def _left_out(claim: Claim, rules: Rules) -> frozenset[str]:
    if not claim.presigned:
        return frozenset()
    return _SIGNATURE_AND_TOKEN if rules.token_appended else _SIGNATURE


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
