"""One signature over one text, by either algorithm."""

from __future__ import annotations

import hmac

from garrison.wire.sigv4 import faults
from garrison.wire.sigv4.asymmetric import DerivePublicKey, PublicKeys, verify_ecdsa
from garrison.wire.sigv4.claim import ECDSA, Claim
from garrison.wire.sigv4.signing_keys import SigningKeys


class Signatures:
    """Checks signatures and keeps the keys derived from secrets, ``limit`` of each kind.

    Without ``derive`` (``keys.sigv4a.public_key``) Signature Version 4A is refused.
    """

    def __init__(self, derive: DerivePublicKey | None = None, *, limit: int = 4096) -> None:
        self._keys = SigningKeys(limit)
        self._public_keys = PublicKeys(derive, limit) if derive else None

    def check(self, claim: Claim, secret: str, text: bytes, signature: str, *, s3: bool) -> None:
        """Raise CommonError unless ``signature`` is that of ``text`` under ``secret``, in the claim's algorithm and scope."""
        if claim.algorithm == ECDSA:
            self._check_ecdsa(claim, secret, text, signature, s3=s3)
            return
        mac = self._keys.mac(secret, claim.date, claim.region, claim.service)
        mac.update(text)
        if not hmac.compare_digest(mac.hexdigest().encode(), signature.encode("latin-1", "replace")):
            raise faults.mismatch(s3=s3)

    def _check_ecdsa(self, claim: Claim, secret: str, text: bytes, signature: str, *, s3: bool) -> None:
        if self._public_keys is None:
            raise faults.unknown_algorithm(claim.algorithm)
        try:
            verify_ecdsa(self._public_keys.get(claim.access_key_id, secret), signature, text)
        except ValueError:
            raise faults.mismatch(s3=s3) from None
