"""Cryptographic attestation: who runs inside a Nitro enclave or behind a NitroTPM, and answers that only they can read.

A document is believed once its signature, its certificates and its time are; what it says then decides in policies, and the key
in it is what an answer is encrypted to.
"""

from __future__ import annotations

from garrison.keys.attestation.chain import RootsError, aws_roots, read_roots
from garrison.keys.attestation.document import Attested, Untrusted, verify_document
from garrison.keys.attestation.envelope import seal_to

__all__ = ["Attested", "RootsError", "Untrusted", "aws_roots", "read_roots", "seal_to", "verify_document"]
