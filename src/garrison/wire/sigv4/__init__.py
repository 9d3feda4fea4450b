"""AWS signatures, verified: Signature Version 4 and 4A in the header, the query string, a POST form and aws-chunked bodies.

Pure: a request, a secret and the time go in; nothing comes out, or CommonError is raised.
"""

from garrison.wire.sigv4.claim import Claim, read_claim
from garrison.wire.sigv4.faults import missing_authentication
from garrison.wire.sigv4.verifier import Verifier

__all__ = ["Claim", "Verifier", "missing_authentication", "read_claim"]
