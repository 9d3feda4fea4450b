"""AWS signatures, verified: Signature Version 4 and 4A in the header, the query string, a POST form and aws-chunked bodies.

Pure: a request, a secret and the time go in; nothing comes out, or CommonError is raised.
"""

from __future__ import annotations

from garrison.wire.sigv4.chunked import ChunkedDecoder, payload_decoder
from garrison.wire.sigv4.claim import Claim, read_claim
from garrison.wire.sigv4.faults import missing_authentication
from garrison.wire.sigv4.post import read_post_claim, verify_post_form
from garrison.wire.sigv4.post_policy import Bounds
from garrison.wire.sigv4.signatures import Signatures
from garrison.wire.sigv4.verifier import Verifier

__all__ = [
    "Bounds",
    "ChunkedDecoder",
    "Claim",
    "Signatures",
    "Verifier",
    "missing_authentication",
    "payload_decoder",
    "read_claim",
    "read_post_claim",
    "verify_post_form",
]
