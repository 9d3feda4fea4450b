"""A certificate for `--tls` where the user gives none.

A certificate authority is made, signs one certificate and its private key is forgotten: what clients are told to
trust (``ca.pem``) can never sign anything else. Source: RFC 5280, sections 4.2.1.1 to 4.2.1.12.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 397
_RENEW_DAYS = 30
_CRITICAL = True


def ensure_certificate(folder: Path, host: str, now: float) -> tuple[Path, Path, Path]:
    """Certificate chain, private key (0600) and authority in ``folder``, made where they are missing or about to end.

    Answers their paths, PEM. ``now`` is in seconds since the epoch. Raises OSError where they cannot be written.
    """
    cert, key, authority = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    if not _usable(cert, key, host, now):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        chain, private, trusted = _make(host, dt.datetime.fromtimestamp(now, dt.UTC))
        _write(authority, trusted)
        _write(key, private)
        _write(cert, chain)
    return cert, key, authority


def _usable(cert: Path, key: Path, host: str, now: float) -> bool:
    if not cert.exists() or not key.exists():
        return False
    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    if _general_name(host) not in list(names):
        return False
    return found.not_valid_after_utc.timestamp() - now > _RENEW_DAYS * 86400


def _make(host: str, now: dt.datetime) -> tuple[bytes, bytes, bytes]:
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Garrison local authority")])
    names = [x509.DNSName("localhost"), _general_name("127.0.0.1"), _general_name("::1")]
    if _general_name(host) not in names:
        names.append(_general_name(host))
    authority = (
        _builder(issuer, issuer, now, authority_key.public_key(), authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), _CRITICAL)
        .add_extension(_usage(sign=True), _CRITICAL)
        .sign(authority_key, SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Garrison")])
    leaf = (
        _builder(subject, issuer, now, key.public_key(), authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), _CRITICAL)
        .add_extension(_usage(sign=False), _CRITICAL)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return leaf.public_bytes(Encoding.PEM), private, authority.public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    now: dt.datetime,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)
