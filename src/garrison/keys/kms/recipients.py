"""Recipient: requests of an attested enclave or NitroTPM, whose answers nobody else can read.

The document is verified before the request is authorized, because policies decide by what it says. Source: KMS API Reference,
"RecipientInfo"; KMS Developer Guide, "Cryptographic attestation support in AWS KMS", "Condition keys for attested platforms" and
"Monitoring attested requests".
"""

from __future__ import annotations

from typing import Any

from garrison.api import kms as api
from garrison.core.context import ADDITIONAL, Context
from garrison.keys.attestation import Attested, Untrusted, aws_roots, seal_to, verify_document
from garrison.keys.kms import errors

_ATTESTED = "kms:attested"
_ENCLAVE_LOGGED = (1, 2, 3, 4, 8)
_TPM_LOGGED = (4, 7, 8, 9, 10, 11, 12, 16, 23)
"""The registers that events show, beside an enclave's image (register 0)."""


def condition_keys(ctx: Context, recipient: api.RecipientInfo | None) -> dict[str, Any]:
    """``kms:RecipientAttestation:…``, in lower-case hexadecimal; nothing without a Recipient.

    Raises ValidationException where the document is not to be believed.
    """
    if recipient is None:
        return {}
    found = _attested(ctx, recipient)
    prefix = f"kms:RecipientAttestation:{'NitroTPM' if found.tpm else ''}PCR"
    keys: dict[str, Any] = {f"{prefix}{index}": value.hex() for index, value in found.registers.items()}
    if not found.tpm and 0 in found.registers:
        keys["kms:RecipientAttestation:ImageSha384"] = found.registers[0].hex()
    return keys


def answer(ctx: Context, recipient: api.RecipientInfo | None, plaintext: bytes) -> tuple[bytes | None, bytes | None]:
    """What is answered in the clear, and what is sealed for the recipient: one of them."""
    if recipient is None:
        return plaintext, None
    return None, seal_to(_attested(ctx, recipient).public_key, plaintext, ctx.random)


def _attested(ctx: Context, recipient: api.RecipientInfo) -> Attested:
    """Verified once in a request."""
    found: Attested | None = ctx.scratch.get(_ATTESTED)
    if found is None:
        found = ctx.scratch[_ATTESTED] = _verified(ctx, recipient)
        ctx.scratch[ADDITIONAL] = {"recipient": _logged(found)}
    return found


def _verified(ctx: Context, recipient: api.RecipientInfo) -> Attested:
    if recipient.key_encryption_algorithm is None:
        raise errors.missing("recipient.keyEncryptionAlgorithm")
    if recipient.attestation_document is None:
        raise errors.missing("recipient.attestationDocument")
    roots = aws_roots() if ctx.ports.attestation_roots is None else ctx.ports.attestation_roots
    try:
        return verify_document(recipient.attestation_document, roots, ctx.now)
    except Untrusted as refusal:
        text = f"The attestation document in the request is not valid: {refusal}."
        raise errors.validation(text) from None


def _logged(found: Attested) -> dict[str, str]:
    """What CloudTrail shows of a document."""
    kind, shown = ("NitroTPM", _TPM_LOGGED) if found.tpm else ("Enclave", _ENCLAVE_LOGGED)
    logged = {"attestationDocumentModuleId": found.module_id}
    if not found.tpm and 0 in found.registers:
        logged["attestationDocumentEnclaveImageDigest"] = found.registers[0].hex()
    return logged | {
        f"attestationDocument{kind}PCR{index}": found.registers[index].hex() for index in shown if index in found.registers
    }
