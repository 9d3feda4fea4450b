"""What of a SAML response is signed: its signature verified by signxml, and nothing read but what that covers. Pure.

A response has one assertion, in its own place, and at most one signature on the response and one on the assertion, each the child
of what it signs and referring to it by its ID, which nothing else in the document has. Every other document is refused before a
signature is looked at, so that there is no second assertion, and no second meaning of an ID, that a wrapped signature could lend
its validity to. What is then read is the canonical form that was digested, parsed anew: never the document that came.

SHA-1 is refused in signatures and digests. Sources: SAML 2.0 Core, sections 5.4.2 to 5.4.4; W3C, "XML Signature Best Practices".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree

from garrison.identity.federation.saml_xml import (
    ASSERTION,
    DSIG,
    PROTOCOL,
    BadXmlError,
    Element,
    attribute,
    children,
    elements,
    ids,
    only,
    tag,
)

_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TRANSFORMS = frozenset({f"{DSIG}enveloped-signature", _EXCLUSIVE, f"{_EXCLUSIVE}WithComments"})
_METHODS = (
    "RSA_SHA256",
    "RSA_SHA384",
    "RSA_SHA512",
    "SHA256_RSA_MGF1",
    "SHA384_RSA_MGF1",
    "SHA512_RSA_MGF1",
    "ECDSA_SHA256",
    "ECDSA_SHA384",
    "ECDSA_SHA512",
)
"""By signxml's names."""
_DIGESTS = ("SHA256", "SHA384", "SHA512")
_KINDS = ("Assertion", "EncryptedAssertion")


class BadSignatureError(ValueError):
    """Nothing that is signed by the provider."""


class Shape(NamedTuple):
    """A response whose parts are in their places."""

    root: Element
    assertion: Element
    """``Assertion`` or ``EncryptedAssertion``; unverified."""

    @property
    def encrypted(self) -> bool:
        """Whether the assertion is."""
        return self.assertion.tag == tag(ASSERTION, "EncryptedAssertion")


def shape_of(root: Element) -> Shape:
    """Find a response's one assertion. Raises BadXmlError where anything is where it does not belong."""
    if root.tag != tag(PROTOCOL, "Response"):
        raise BadXmlError("no Response")
    found = [each for each in elements(root) if each.tag in {tag(ASSERTION, kind) for kind in _KINDS}]
    if len(found) != 1 or found[0].getparent() is not root:
        raise BadXmlError("not one assertion in its place")
    _check_places(root, found[0])
    return Shape(root, found[0])


def check_assertion(root: Element) -> None:
    """A decrypted assertion, which must be nothing else. Raises BadXmlError."""
    found = [each for each in elements(root) if each.tag in {tag(ASSERTION, kind) for kind in _KINDS}]
    if root.tag != tag(ASSERTION, "Assertion") or len(found) != 1:
        raise BadXmlError("no assertion")
    _check_places(root)


def _check_places(*signable: Element) -> None:
    root = signable[0]
    named = ids(root)
    if len(set(named)) != len(named):
        raise BadXmlError("an ID that two elements have")
    for signature in [each for each in elements(root) if each.tag == tag(DSIG, "Signature")]:
        # Within what is encrypted or signed there may be none either: KeyInfo holds no signatures.
        if signature.getparent() not in signable:
            raise BadXmlError("a signature out of its place")
    for each in signable:
        if len(children(each, DSIG, "Signature")) > 1:
            raise BadXmlError("more than one signature")


def is_signed(element: Element) -> bool:
    """Whether an element carries a signature, good or not."""
    return bool(children(element, DSIG, "Signature"))


def signed_part(root: Element, element: Element, certificates: Sequence[bytes]) -> Element:
    """What one of the certificates' keys signed: ``element``, which is ``root`` or a child of it. Raises BadSignatureError."""
    try:
        _check_reference(only(element, DSIG, "Signature"), attribute(element, "ID"))
    except BadXmlError as error:
        raise BadSignatureError(str(error)) from error
    location = "./" if element is root else f"./{element.tag}/"
    for certificate in certificates:
        found = _verified(root, location, x509.load_der_x509_certificate(certificate))
        if found is not None and found.tag == element.tag and attribute(found, "ID") == attribute(element, "ID"):
            return found
    raise BadSignatureError("no certificate of the provider verifies it")


def _verified(root: Element, location: str, certificate: x509.Certificate) -> Element | None:
    from signxml.algorithms import DigestAlgorithm, SignatureMethod  # noqa: PLC0415 - loading it costs a start some milliseconds
    from signxml.exceptions import SignXMLException  # noqa: PLC0415 - the same
    from signxml.verifier import SignatureConfiguration, XMLVerifier  # noqa: PLC0415 - the same

    config = SignatureConfiguration(
        location=location,
        signature_methods=frozenset(SignatureMethod[name] for name in _METHODS),
        digest_algorithms=frozenset(DigestAlgorithm[name] for name in _DIGESTS),
        ignore_ambiguous_key_info=True,
        # The certificate is trusted for being in the metadata, whatever its dates say.
        verification_time=certificate.not_valid_before_utc,
    )
    try:
        result = XMLVerifier().verify(root, x509_cert=certificate, id_attribute="ID", expect_config=config)
    except (SignXMLException, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm, etree.LxmlError):
        # Whatever the library cannot make sense of is not signed.
        return None
    return result.signed_xml if not isinstance(result, list) else None


def _check_reference(signature: Element, signed_id: str) -> None:
    """One reference, to the element that the signature is the child of, transformed as SAML allows (section 5.4.4)."""
    reference = only(only(signature, DSIG, "SignedInfo"), DSIG, "Reference")
    if not signed_id or attribute(reference, "URI") != f"#{signed_id}":
        raise BadXmlError("a reference to something else")
    transforms = children(only(reference, DSIG, "Transforms"), DSIG, "Transform")
    names = [attribute(each, "Algorithm") for each in transforms]
    if not set(names) <= _TRANSFORMS or names.count(f"{DSIG}enveloped-signature") != 1 or len(names) != 2:
        raise BadXmlError("transforms that are not SAML's")
