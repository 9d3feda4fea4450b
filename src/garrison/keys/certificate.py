"""A certificate for `--tls` where the user gives none.

A certificate authority is made, signs one certificate and its private key is forgotten: what clients are told to
trust (``ca.pem``) can never sign anything else. Source: RFC 5280, sections 4.2.1.1 to 4.2.1.12.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 397
_RENEW_DAYS = 30
_CRITICAL = True


def ensure_certificate(folder: Path, host: str, now: float) -> tuple[Path, Path, Path]:
    """Certificate chain, private key (0600) and authority in ``folder``, made where they are missing or about to end.

    Answers their paths, PEM. ``now`` is in seconds since the epoch. Raises OSError where they cannot be written.
    """
    cert, key, authority = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    if not _usable(cert, key, authority, host, now):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        chain, private, trusted = _make(host, dt.datetime.fromtimestamp(now, dt.UTC))
        _write(authority, trusted)
        _write(key, private)
        _write(cert, chain)
    key.chmod(0o600)
    return cert, key, authority


def _usable(cert: Path, key: Path, authority: Path, host: str, now: float) -> bool:
    """Whether the three files are there, belong together, are for this host and last a while."""
    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        signer = x509.load_pem_x509_certificate(authority.read_bytes())
        private = load_pem_private_key(key.read_bytes(), password=None)
        found.verify_directly_issued_by(signer)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    if _spelled(private.public_key()) != _spelled(found.public_key()) or not set(_names(host)) <= set(names):
        return False
    lasting = now + _RENEW_DAYS * 86400 < min(found.not_valid_after_utc, signer.not_valid_after_utc).timestamp()
    return lasting and found.not_valid_before_utc.timestamp() <= now


def _spelled(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(host: str) -> list[x509.GeneralName]:
    """What clients may call the server: the loopback's names, and the host; where it listens everywhere, the machine's name."""
    hosts = ["localhost", "127.0.0.1", "::1", host]
    if _is_everywhere(host):
        hosts += [socket.gethostname(), socket.getfqdn()]
    return list(dict.fromkeys(_general_name(name) for name in hosts if name.isascii()))


def _is_everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _make(host: str, now: dt.datetime) -> tuple[bytes, bytes, bytes]:
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Garrison local authority")])
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
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
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
