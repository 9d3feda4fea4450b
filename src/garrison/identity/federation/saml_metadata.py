"""The metadata of a SAML identity provider: who it is, and the certificates that its signatures are verified by. Pure.

The certificates are trusted for being there: whether they are of their time, or signed by anybody, does not matter (IAM User
Guide, "Create a SAML identity provider in IAM"; SAML V2.0 Metadata Interoperability Profile 1.0, section 2.6.1).
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from garrison.identity.federation.saml_xml import (
    DSIG,
    METADATA,
    PROTOCOL,
    BadXmlError,
    Element,
    attribute,
    children,
    elements,
    instant,
    only,
    parsed,
    tag,
    text_of,
)

MAX_CERTIFICATES = 10
MAX_ISSUER = 1024
_LEAST_BITS = 1024


class Metadata(NamedTuple):
    """What is taken from a metadata document."""

    issuer: str
    """Its entityID."""
    certificates: tuple[bytes, ...]
    """DER."""
    valid_until: float | None
    """Seconds since the epoch; None where it does not say."""


def read_metadata(text: str) -> Metadata:
    """Read a metadata document. Raises BadXmlError."""
    root = parsed(text.encode())
    if root.tag != tag(METADATA, "EntityDescriptor"):
        raise BadXmlError("no EntityDescriptor")
    issuer = attribute(root, "entityID")
    if not 0 < len(issuer) <= MAX_ISSUER:
        raise BadXmlError("no entityID")
    descriptor = only(root, METADATA, "IDPSSODescriptor")
    if PROTOCOL not in attribute(descriptor, "protocolSupportEnumeration").split():
        raise BadXmlError("not of SAML 2.0")
    keys = [key for key in children(descriptor, METADATA, "KeyDescriptor") if attribute(key, "use") in {"", "signing"}]
    found = tuple(dict.fromkeys(_certificate(each) for key in keys for each in _listed(key)))
    if not 0 < len(found) <= MAX_CERTIFICATES:
        raise BadXmlError("no certificate, or too many")
    return Metadata(issuer, found, _until(root, descriptor))


def _listed(key: Element) -> list[Element]:
    return [each for each in elements(key) if each.tag == tag(DSIG, "X509Certificate")]


def _certificate(element: Element) -> bytes:
    """A certificate that can verify signatures, in DER."""
    try:
        read = x509.load_der_x509_certificate(b64decode("".join(text_of(element).split()), validate=True))
        _ = read.extensions  # raises where one is there twice
        key = read.public_key()
    except (ValueError, binascii.Error, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise BadXmlError("no certificate") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) and not (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_BITS):
        raise BadXmlError("a key that is not taken")
    return read.public_bytes(Encoding.DER)


def _until(*places: Element) -> float | None:
    given = [instant(attribute(place, "validUntil")) for place in places if attribute(place, "validUntil")]
    return min(given, default=None)
