"""The certificates of an attestation document, up to a root that is trusted.

Source: Nitro Enclaves User Guide, "Verifying the root of trust" (chain, validity, basic constraints, key usage); RFC 5280,
section 6. The path is built and checked by the library; this module says what each certificate must have.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store

from garrison.keys.attestation.untrusted import Untrusted

AWS_ROOT = "AWS_NitroEnclaves_Root-G1.pem"
_MAX_DEPTH = 8
"""Intermediate certificates: the Nitro hypervisor's documents have three."""


class RootsError(Exception):
    """A file of root certificates that cannot be used; the message names it."""


@lru_cache(maxsize=1)
def aws_roots() -> tuple[x509.Certificate, ...]:
    """The root of AWS's Nitro attestation, as AWS publishes it."""
    content = files("garrison.keys.attestation").joinpath("roots", AWS_ROOT).read_bytes()
    return tuple(x509.load_pem_x509_certificates(content))


def read_roots(path: Path) -> tuple[x509.Certificate, ...]:
    """The root certificates of a PEM file. Raises RootsError."""
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        msg = f"cannot read the attestation roots `{path}`: {error.strerror}"
        raise RootsError(msg) from error
    except ValueError as error:
        msg = f"the attestation roots `{path}` are no certificates in PEM"
        raise RootsError(msg) from error


def signer_of(
    certificate: bytes, bundle: Sequence[bytes], roots: Sequence[x509.Certificate], now: float
) -> ec.EllipticCurvePublicKey:
    """The key of a document's certificate (DER), once a chain of ``bundle`` leads from it to one of ``roots``.

    ``now`` is in seconds since the epoch. Raises Untrusted.
    """
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        between = [x509.load_der_x509_certificate(one) for one in bundle]
        _verifier(roots, now).verify(leaf, between)
        key = leaf.public_key()
    except Exception as error:
        msg = "no chain of valid certificates leads from the document's to a trusted root"
        raise Untrusted(msg) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        msg = "the document's certificate is not for a key on P-384"
        raise Untrusted(msg)
    return key


def _verifier(roots: Sequence[x509.Certificate], now: float):  # type: ignore[no-untyped-def] # noqa: ANN202 - made by the library alone
    authority = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.CRITICAL, None)
        .require_present(x509.KeyUsage, Criticality.CRITICAL, _signs_certificates)
    )
    signer = ExtensionPolicy.permit_all().require_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs_documents)
    return (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(dt.datetime.fromtimestamp(now, dt.UTC))
        .max_chain_depth(_MAX_DEPTH)
        .extension_policies(ca_policy=authority, ee_policy=signer)
        .build_client_verifier()
    )


def _signs_certificates(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        msg = "not for signing certificates"
        raise ValueError(msg)


def _signs_documents(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.digital_signature:
        msg = "not for signing"
        raise ValueError(msg)
