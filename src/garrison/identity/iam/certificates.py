"""X.509 certificates that callers bring, read and held against each other.

Sources: RFC 5280, section 6.1 (validity, chaining by name and signature); RFC 7468 (PEM); IAM User Guide, "Manage server
certificates"; AWS's refusals as users of its CLI and Terraform have reported them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from garrison.api import iam as api

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----")
NOT_PEM = "Unable to parse certificate. Please ensure the certificate is in PEM format."
OVER = "Certificate is no longer valid. The 'Not After' date restriction on the certificate has passed."
TOO_EARLY = "Certificate is not yet valid. The 'Not Before' date restriction on the certificate has not passed."
OUT_OF_ORDER = (
    "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, followed by"
    " any intermediaries in order. The index within the chain of the invalid certificate is: "
)


class Certificate(NamedTuple):
    """One certificate, read."""

    body: str
    """Its PEM, trimmed."""
    parsed: x509.Certificate
    public: bytes
    """Its public key: DER, SubjectPublicKeyInfo."""

    @property
    def expires(self) -> float:
        """Seconds since the epoch."""
        return self.parsed.not_valid_after_utc.timestamp()

    @property
    def thumbprint(self) -> str:
        """SHA-256 of the DER in hex."""
        return self.parsed.fingerprint(SHA256()).hex()


def read_certificate(text: str) -> Certificate:
    """The one certificate in a text. Raises MalformedCertificate."""
    found = _split(text)
    if len(found) != 1:
        raise api.MalformedCertificateException(NOT_PEM)
    return _read(found[0])


def read_chain(text: str) -> list[Certificate]:
    """The certificates of a chain, at least one. Raises MalformedCertificate."""
    return [_read(each) for each in _split(text)]


def check_period(certificate: Certificate, now: float) -> None:
    """Raises MalformedCertificate outside of the certificate's time."""
    if now > certificate.expires:
        raise api.MalformedCertificateException(OVER)
    if now < certificate.parsed.not_valid_before_utc.timestamp():
        raise api.MalformedCertificateException(TOO_EARLY)


def check_chain(certificate: Certificate, chain: Sequence[Certificate]) -> None:
    """Each signed by the next one. Raises MalformedCertificate, which says where the chain breaks."""
    signed = certificate
    for index, signer in enumerate(chain):
        if not _signed_by(signed.parsed, signer.parsed):
            raise api.MalformedCertificateException(f"{OUT_OF_ORDER}{index}")
        signed = signer


def _signed_by(signed: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        signed.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _split(text: str) -> list[str]:
    """The PEM blocks of a text that holds nothing else. Raises MalformedCertificate."""
    if _PEM.sub("", text).strip() or not text.strip():
        raise api.MalformedCertificateException(NOT_PEM)
    return _PEM.findall(text)


def _read(pem: str) -> Certificate:
    try:
        parsed = x509.load_pem_x509_certificate(pem.encode("ascii"))
        public = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Certificate(pem, parsed, public)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise api.MalformedCertificateException(NOT_PEM) from error
