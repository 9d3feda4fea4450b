"""Signature Version 4 over a request to a proxy.

Source: XKS Proxy API Specification, appendix A: service ``kms-xks-proxy``, signed headers ``host;x-amz-date``; IAM User Guide,
"Create a signed AWS API request". The verifying side is ``garrison.wire.sigv4``; the two are tested against each other.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

SERVICE = "kms-xks-proxy"
SIGNED_HEADERS = "host;x-amz-date"
_ALGORITHM = "AWS4-HMAC-SHA256"


def signed_headers(
    host: str, path: str, body: bytes, *, access_key_id: str, secret: str, region: str, now: float
) -> dict[str, str]:
    """``Host``, ``X-Amz-Date`` and ``Authorization`` of a POST.

    ``path`` has only characters that need no encoding (letters, digits, ``-._/``) and no empty segments, as the specification
    demands of proxies; ``now`` is in seconds since the epoch.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    date = stamp[:8]
    scope = f"{date}/{region}/{SERVICE}/aws4_request"
    canonical = f"POST\n{path}\n\nhost:{host}\nx-amz-date:{stamp}\n\n{SIGNED_HEADERS}\n{hashlib.sha256(body).hexdigest()}"
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(_signing_key(secret, date, region), text.encode(), "sha256").hexdigest()
    credential = f"{_ALGORITHM} Credential={access_key_id}/{scope}, SignedHeaders={SIGNED_HEADERS}"
    return {"Host": host, "X-Amz-Date": stamp, "Authorization": f"{credential}, Signature={signature}"}


def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
