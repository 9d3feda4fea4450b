"""A SAML identity provider of the tests' own: signs and encrypts with real keys, by cryptography and canonical XML alone."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from tests.support.idp_oidc import ec_key, rsa_key

ISSUER = "https://idp.example.com/metadata"
RECIPIENT = "https://signin.aws.amazon.com/saml"
AUDIENCE = "urn:amazon:webservices"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - to be refused, and OAEP's own
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_DIGESTS = {"sha1": f"{DSIG}sha1", "sha256": f"{XENC}sha256", "sha384": f"{MORE}sha384", "sha512": f"{XENC}sha512"}


@cache
def certificate(number: int = 1, *, curve: bool = False, bits: int = 2048) -> tuple[Key, bytes]:
    """A key and its certificate in DER, which has expired: a provider's certificates are trusted for being in its metadata."""
    key: Key = ec_key("P-256", number) if curve else rsa_key(number, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"idp {number}")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
        .sign(key, hashes.SHA256())
    )
    return key, made.public_bytes(Encoding.DER)


def metadata(*ders: bytes, issuer: str = ISSUER, **attributes: str) -> str:
    """A metadata document, as long as IAM wants one."""
    keys = "".join(
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data><ds:X509Certificate>{b64encode(der).decode()}'
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for der in ders
    )
    more = "".join(f' {name}="{value}"' for name, value in attributes.items())
    text = (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{issuer}"{more}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}">{keys}'
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/sso"/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    )
    return text + " " * (1000 - len(text))


def instant(seconds: float) -> str:
    """A time as SAML has it."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def private_pem(key: Key) -> str:
    """PEM of a private key."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def canonical(element: Any, *, comments: bool = False) -> bytes:
    """Exclusive canonical XML."""
    return bytes(etree.tostring(element, method="c14n", exclusive=True, with_comments=comments))


def sign(
    element: Any,
    key: Key,
    *,
    hashing: str = "sha256",
    digest: str = "",
    method: str = "",
    uri: str | None = None,
    comments: bool = False,
    at: int = 1,
    transforms: Sequence[str] = (),
) -> None:
    """Put an enveloped signature into an element, as the child number ``at``."""
    c14n = EXCLUSIVE + ("WithComments" if comments else "")
    names = transforms or (f"{DSIG}enveloped-signature", c14n)
    hashed = hashlib.new(digest or hashing, canonical(element, comments=comments)).digest()
    kind = "ecdsa" if isinstance(key, ec.EllipticCurvePrivateKey) else "rsa"
    algorithm = method or (f"{DSIG}rsa-sha1" if (kind, hashing) == ("rsa", "sha1") else f"{MORE}{kind}-{hashing}")
    reference = f"#{element.get('ID')}" if uri is None else uri
    text = (
        f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        f'<ds:SignatureMethod Algorithm="{algorithm}"/><ds:Reference URI="{reference}"><ds:Transforms>'
        + "".join(f'<ds:Transform Algorithm="{name}"/>' for name in names)
        + f'</ds:Transforms><ds:DigestMethod Algorithm="{_DIGESTS[digest or hashing]}"/>'
        f"<ds:DigestValue>{b64encode(hashed).decode()}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        "<ds:SignatureValue></ds:SignatureValue></ds:Signature>"
    )
    signature = etree.fromstring(text)
    element.insert(at, signature)
    signed = canonical(signature[0])
    if isinstance(key, rsa.RSAPrivateKey):
        pss = (
            padding.PSS(padding.MGF1(_HASHES[hashing]), _HASHES[hashing].digest_size)
            if "MGF1" in algorithm
            else padding.PKCS1v15()
        )
        value = key.sign(signed, pss, _HASHES[hashing])
    else:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(_HASHES[hashing])))
        value = r.to_bytes(32) + s.to_bytes(32)
    signature[1].text = b64encode(value).decode()


def encrypt(
    element: Any,
    key: rsa.RSAPublicKey,
    *,
    cipher: str = "aes256-gcm",
    transport: str = f"{XENC}rsa-oaep-mgf1p",
    digest: str = "sha1",
) -> Any:
    """An EncryptedAssertion of an assertion."""
    size = int(cipher[3:6]) // 8
    content_key = os.urandom(size)
    plain = etree.tostring(element)
    if cipher.endswith("gcm"):
        nonce = os.urandom(12)
        content = nonce + AESGCM(content_key).encrypt(nonce, plain, None)
    else:
        pad = 16 - len(plain) % 16
        vector = os.urandom(16)
        encryptor = Cipher(AES(content_key), CBC(vector)).encryptor()
        content = vector + encryptor.update(plain + bytes(pad - 1) + bytes([pad])) + encryptor.finalize()
    mask = padding.MGF1(_HASHES["sha1" if transport.endswith("mgf1p") else digest])
    wrapped = (
        key.encrypt(content_key, padding.PKCS1v15())
        if transport.endswith("rsa-1_5")
        else key.encrypt(content_key, padding.OAEP(mask, _HASHES[digest], None))
    )
    space = XENC11 if cipher.endswith("gcm") else XENC
    within = f'<ds:DigestMethod xmlns:ds="{DSIG}" Algorithm="{_DIGESTS[digest]}"/>'
    if not transport.endswith("mgf1p"):
        within += f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{XENC11}mgf1{digest}"/>'
    return etree.fromstring(
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}"><xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element">'
        f'<xenc:EncryptionMethod Algorithm="{space}{cipher}"/><ds:KeyInfo xmlns:ds="{DSIG}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{transport}">{within}</xenc:EncryptionMethod><xenc:CipherData>'
        f"<xenc:CipherValue>{b64encode(wrapped).decode()}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{b64encode(content).decode()}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedData></saml:EncryptedAssertion>"
    )


def encoded(root: Any) -> str:
    """A document as ``SAMLResponse`` carries it."""
    return b64encode(root if isinstance(root, bytes) else etree.tostring(root)).decode()


@dataclass(frozen=True)
class SamlIdp:
    """What a response is made of; ``replace`` makes another one. Parts that are None are left out."""

    role: str
    provider: str
    key: Key = field(default_factory=lambda: certificate()[0])
    subject: str = "someone@example.com"
    name_format: str | None = PERSISTENT
    issuer: str = ISSUER
    roles: Sequence[str] | None = None
    session_name: str | None = "someone"
    recipient: str | None = RECIPIENT
    audience: str | None = AUDIENCE
    issued: float = 0.0
    """Seconds from now."""
    not_before: float | None = -10.0
    not_on_or_after: float | None = 240.0
    confirmed_until: float | None = 240.0
    session_until: float | None = None
    in_response_to: str | None = None
    response_in_response_to: str | None = None
    destination: str | None = None
    method: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"
    attributes: Sequence[tuple[str, str]] = ()
    conditions: str = ""
    """More conditions."""
    signs: str = "assertion"
    """``assertion``, ``response``, ``both`` or ``nothing``."""
    signing: Any = field(default_factory=dict)
    """How :func:`sign` signs."""
    alters: Callable[[Any], None] | None = None
    """Changes the assertion before it is signed."""

    def with_(self, **changes: Any) -> SamlIdp:
        """The same with other parts."""
        return replace(self, **changes)

    def assertion(self) -> Any:
        """The assertion, not signed yet."""
        now = time.time()
        named = self.roles if self.roles is not None else [f"{self.role},{self.provider}"]
        values = [(f"{ATTRIBUTES}/Role", role) for role in named]
        values += [] if self.session_name is None else [(f"{ATTRIBUTES}/RoleSessionName", self.session_name)]
        text = "".join(
            f'<saml:Attribute Name="{name}"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>'
            for name, value in [*values, *self.attributes]
        )
        confirmation = _given(
            NotOnOrAfter=_at(now, self.confirmed_until), Recipient=self.recipient, InResponseTo=self.in_response_to
        )
        audience = f"<saml:AudienceRestriction><saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction>"
        root = etree.fromstring(
            f'<saml:Assertion xmlns:saml="{SAML}" ID="_{os.urandom(16).hex()}" Version="2.0" IssueInstant="{instant(now + self.issued)}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer><saml:Subject><saml:NameID{_given(Format=self.name_format)}>{self.subject}"
            f'</saml:NameID><saml:SubjectConfirmation Method="{self.method}"><saml:SubjectConfirmationData{confirmation}/>'
            f"</saml:SubjectConfirmation></saml:Subject>"
            f"<saml:Conditions{_given(NotBefore=_at(now, self.not_before), NotOnOrAfter=_at(now, self.not_on_or_after))}>"
            f"{audience if self.audience is not None else ''}{self.conditions}</saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{instant(now)}"{_given(SessionNotOnOrAfter=_at(now, self.session_until))}/>'
            f"<saml:AttributeStatement>{text}</saml:AttributeStatement></saml:Assertion>"
        )
        if self.alters is not None:
            self.alters(root)
        return root

    def response(self, assertion: Any = None, *, wrap: Callable[[Any], Any] | None = None) -> Any:
        """The response, signed where it is to be. ``wrap`` puts something in the assertion's place, once that is signed."""
        made = self.assertion() if assertion is None else assertion
        if self.signs in {"assertion", "both"}:
            sign(made, self.key, **self.signing)
        inner = made if wrap is None else wrap(made)
        given = _given(InResponseTo=self.response_in_response_to, Destination=self.destination)
        root = etree.fromstring(
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_{os.urandom(16).hex()}" Version="2.0"'
            f' IssueInstant="{instant(time.time())}"{given}><saml:Issuer>{self.issuer}</saml:Issuer>'
            f'<samlp:Status><samlp:StatusCode Value="{self.status}"/></samlp:Status></samlp:Response>'
        )
        if inner is not None:
            root.append(inner)
        if self.signs in {"response", "both"}:
            sign(root, self.key, **self.signing)
        return root

    def encoded(self) -> str:
        """A fresh response, as ``SAMLAssertion`` of STS wants it."""
        return encoded(self.response())


def _at(now: float, seconds: float | None) -> str | None:
    return None if seconds is None else instant(now + seconds)


def _given(**attributes: str | None) -> str:
    return "".join(f' {name}="{value}"' for name, value in attributes.items() if value is not None)
