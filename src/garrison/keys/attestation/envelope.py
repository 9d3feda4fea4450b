"""CiphertextForRecipient: a CMS EnvelopedData that only the owner of an attested key opens.

Source: RFC 5652, section 6 (EnvelopedData, key transport by subject key identifier); RFC 4056 and RFC 8017 (RSAES-OAEP with
SHA-256, given by id-RSAES-OAEP and its parameters); RFC 3565 (AES-256 in CBC mode). It is what KMS answers: API Reference,
"RecipientInfo" and the response element CiphertextForRecipient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from garrison.core.ids import Random

if TYPE_CHECKING:
    from asn1crypto import cms

_KEY_BYTES = 32
_BLOCK_BYTES = 16


def seal_to(recipient: RSAPublicKey, plaintext: bytes, random: Random) -> bytes:
    """``plaintext`` for the owner of ``recipient``: ContentInfo of an EnvelopedData, DER."""
    key, iv = random(_KEY_BYTES), random(_BLOCK_BYTES)
    padder = PKCS7(_BLOCK_BYTES * 8).padder()
    encryptor = Cipher(AES256(key), CBC(iv)).encryptor()
    content = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    wrapped = recipient.encrypt(key, OAEP(MGF1(SHA256()), SHA256(), None))
    from asn1crypto import cms  # noqa: PLC0415 - loading it costs a tenth of a start

    enveloped = cms.EnvelopedData(
        {
            "version": "v2",  # a recipient is named by its key's identifier
            "recipient_infos": [_recipient_info(recipient, wrapped)],
            "encrypted_content_info": {
                "content_type": "data",
                "content_encryption_algorithm": {"algorithm": "aes256_cbc", "parameters": iv},
                "encrypted_content": content,
            },
        }
    )
    sealed: bytes = cms.ContentInfo({"content_type": "enveloped_data", "content": enveloped}).dump()
    return sealed


def _recipient_info(recipient: RSAPublicKey, wrapped: bytes) -> cms.RecipientInfo:
    from asn1crypto import algos, cms, core  # noqa: PLC0415 - loading it costs a tenth of a start

    sha256 = algos.DigestAlgorithm({"algorithm": "sha256", "parameters": core.Null()})
    return cms.RecipientInfo(
        name="ktri",
        value=cms.KeyTransRecipientInfo(
            {
                "version": "v2",
                "rid": cms.RecipientIdentifier(name="subject_key_identifier", value=_identifier(recipient)),
                "key_encryption_algorithm": {
                    "algorithm": "rsaes_oaep",
                    "parameters": {
                        "hash_algorithm": sha256,
                        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": sha256},
                    },
                },
                "encrypted_key": wrapped,
            }
        ),
    )


def _identifier(recipient: RSAPublicKey) -> bytes:
    """32 bytes: SHA-256 of the key's SubjectPublicKeyInfo (RFC 7093, section 2, method 4)."""
    digest = Hash(SHA256())
    digest.update(recipient.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize()
