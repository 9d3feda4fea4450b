"""A Nitro hypervisor of the tests' own: a root, a chain of certificates as AWS's has, and documents signed by its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cbor2
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

ES384 = cbor2.dumps({1: -35})


@cache
def recipient_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """An enclave's own key, made once."""
    return rsa.generate_private_key(65537, bits)


def public_der(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """As documents hold it."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Authority:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def make_certificate(
    name: str,
    now: float,
    issuer: Authority | None = None,
    *,
    ca: bool = True,
    sign: bool = True,
    path_length: int | None = None,
    hours: float = 3,
    curve: ec.EllipticCurve | None = None,
) -> Authority:
    """A certificate in the form of the hypervisor's; self-signed without an issuer. ``sign``: the usage fits its role."""
    key = ec.generate_private_key(curve or ec.SECP384R1())
    start = dt.datetime.fromtimestamp(now, dt.UTC) - dt.timedelta(minutes=10)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = {"digital_signature": not ca and sign, "key_cert_sign": ca and sign, "crl_sign": ca, "content_commitment": not sign}
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(hours=hours))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        .add_extension(x509.KeyUsage(**{**dict.fromkeys(OTHER_USAGES, False), **usage}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return Authority(builder.sign((issuer or Authority(None, key)).key, SHA384()), key)  # type: ignore[arg-type] # its key alone is used


OTHER_USAGES = ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")


@dataclass
class Hypervisor:
    """Signs documents as of ``now`` (seconds since the epoch)."""

    now: float
    root: Authority = field(init=False)
    between: list[Authority] = field(init=False)
    leaf: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.root = make_certificate("test.nitro-enclaves", self.now, hours=24)
        regional = make_certificate("regional", self.now, self.root, path_length=2)
        zonal = make_certificate("zonal", self.now, regional, path_length=1)
        instance = make_certificate("i-0123456789abcdef0", self.now, zonal, path_length=0)
        self.between = [regional, zonal, instance]
        self.leaf = make_certificate("i-0123456789abcdef0-enc0123", self.now, instance, ca=False)

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        return (self.root.certificate,)

    def fields(self, **changed: Any) -> dict[str, Any]:
        """A document's fields; those given as None are left out."""
        found: dict[str, Any] = {
            "module_id": "i-0123456789abcdef0-enc0123456789abcdef",
            "digest": "SHA384",
            "timestamp": int(self.now * 1000),
            "pcrs": {index: bytes([index + 1]) * 48 for index in range(16)},
            "certificate": self.leaf.der,
            "cabundle": [self.root.der, *(one.der for one in self.between)],
            "public_key": public_der(recipient_key()),
            "user_data": None,
            "nonce": None,
        }
        changed = {**changed, "user_data": changed.get("user_data"), "nonce": changed.get("nonce")}
        found.update(changed)
        return {name: value for name, value in found.items() if value is not None}

    def document(self, key: ec.EllipticCurvePrivateKey | None = None, **changed: Any) -> bytes:
        """A signed document."""
        return self.sign(cbor2.dumps(self.fields(**changed)), key=key)

    def sign(
        self,
        payload: bytes,
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
        protected: bytes = ES384,
        unprotected: Mapping[Any, Any] | None = None,
        tagged: bool = False,
    ) -> bytes:
        """A COSE_Sign1 over any payload."""
        signed = (key or self.leaf.key).sign(cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(SHA384()))
        r, s = decode_dss_signature(signed)
        whole = [protected, dict(unprotected or {}), payload, r.to_bytes(48) + s.to_bytes(48)]
        return cbor2.dumps(cbor2.CBORTag(18, whole) if tagged else whole)


def opened(sealed: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """What an enclave reads out of CiphertextForRecipient."""
    content = cms.ContentInfo.load(sealed, strict=True)
    assert content["content_type"].native == "enveloped_data"
    enveloped = content["content"]
    (recipient,) = enveloped["recipient_infos"]
    info = enveloped["encrypted_content_info"]
    secret = key.decrypt(recipient.chosen["encrypted_key"].native, OAEP(MGF1(SHA256()), SHA256(), None))
    decryptor = Cipher(AES(secret), CBC(info["content_encryption_algorithm"]["parameters"].native)).decryptor()
    padded = decryptor.update(info["encrypted_content"].native) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def without(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The fields but these."""
    return {name: value for name, value in fields.items() if name not in names}
