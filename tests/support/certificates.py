"""Certificates and keys of the tests' own, made anew: an authority, one below it, and a server's."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from tests.support.iam import NOW

DAY = 86_400.0


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key pair; ``number`` tells several apart."""
    assert number >= 0
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """The same on P-256."""
    assert number >= 0
    return ec.generate_private_key(ec.SECP256R1())


@cache
def edwards_key() -> ed25519.Ed25519PrivateKey:
    """A key that neither certificates of IAM nor SSH keys of IAM may have."""
    return ed25519.Ed25519PrivateKey.generate()


def private_pem(key: Any, password: bytes | None = None, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """PEM, encrypted where a password is given."""
    hidden: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, form, hidden).decode())


def public_pem(key: Any) -> str:
    """PEM of the public half."""
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def ssh_line(key: Any) -> str:
    """OpenSSH's form of the public half."""
    return str(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


def certificate(
    name: str,
    key: Any,
    issuer: str = "",
    issuer_key: Any = None,
    begins: float = NOW - DAY,
    ends: float = NOW + 365 * DAY,
) -> str:
    """A certificate in PEM, signed by another name's key or by its own."""
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer or name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(begins, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(ends, dt.UTC))
        .sign(issuer_key or key, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode().strip()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
