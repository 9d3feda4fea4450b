"""The attestation document of a Nitro enclave or a NitroTPM: read within bounds, then believed or not.

A document is a COSE_Sign1 (RFC 9052) in ES384 over a CBOR map. Source of its fields and limits: Nitro Enclaves User Guide,
"Verifying the root of trust"; Amazon EC2 User Guide, "Validate a NitroTPM Attestation Document".
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import load_der_public_key

from garrison.keys.attestation.chain import signer_of
from garrison.keys.attestation.untrusted import Untrusted

__all__ = ["Attested", "Untrusted", "verify_document"]

MAX_BYTES: Final = 20 * 1024
"""Of a signed document: 16,384 of payload, the signature, and the headers."""
MAX_AGE: Final = 300.0
"""Seconds that a document is taken for after it was made. AWS publishes no figure; certificates last for hours."""
MAX_AHEAD: Final = 60.0
"""Seconds that the clock that made it may be ahead."""
_COSE_SIGN1: Final = 18
_ES384: Final = -35
_ALGORITHM: Final = 1
_MAX_PAYLOAD: Final = 16 * 1024
_SIGNATURE_BYTES: Final = 96
_MAX_DEPTH: Final = 4
_MAX_BUNDLE: Final = 16
_REGISTERS: Final = {"pcrs": 32, "nitrotpm_pcrs": 24}
"""The field of the registers, which says what attests, and how many there may be."""
_RSA_BITS: Final = range(2048, 4097)


def _sign1(value: object, _immutable: object) -> cbor2.CBORTag:
    return cbor2.CBORTag(_COSE_SIGN1, value)


def _no_tag(_value: object, _immutable: object) -> NoReturn:
    msg = "a tag that no document has"
    raise ValueError(msg)


class _Tags(dict[int, Callable[[Any, Any], Any]]):
    """The one tag of documents. The library would make dates, patterns and references of others, before anything is proven."""

    def __missing__(self, tag: int) -> Callable[[Any, Any], Any]:
        return _no_tag


_TAGS: Final = _Tags({_COSE_SIGN1: _sign1})


@dataclass(frozen=True, slots=True)
class Attested:
    """What a verified document says."""

    module_id: str
    """``i-…-enc…`` of an enclave, ``i-…-tpm…`` of a NitroTPM."""
    tpm: bool
    """Whether a NitroTPM attests, and not an enclave."""
    registers: Mapping[int, bytes]
    """The platform configuration registers."""
    public_key: RSAPublicKey
    """Of whom answers are encrypted to."""


def verify_document(blob: bytes, roots: Sequence[x509.Certificate], now: float) -> Attested:
    """What a document says. ``now`` is in seconds since the epoch. Raises Untrusted."""
    protected, payload, signature = _signed(blob)
    fields = _fields(payload)
    _check_time(fields["timestamp"], now)
    signer = signer_of(fields["certificate"], fields["cabundle"], roots, now)
    _check_signature(signer, protected, payload, signature)
    tpm = "nitrotpm_pcrs" in fields
    return Attested(
        module_id=fields["module_id"],
        tpm=tpm,
        registers=fields["nitrotpm_pcrs" if tpm else "pcrs"],
        public_key=_recipient(fields.get("public_key")),
    )


def _signed(blob: bytes) -> tuple[bytes, bytes, bytes]:
    """Protected header, payload and signature of a COSE_Sign1, tagged or not."""
    if len(blob) > MAX_BYTES:
        msg = f"the document has {len(blob)} bytes, more than {MAX_BYTES}"
        raise Untrusted(msg)
    found = _decoded(blob)
    if isinstance(found, cbor2.CBORTag) and found.tag == _COSE_SIGN1:
        found = found.value
    match found:
        case [bytes() as protected, Mapping() as unprotected, bytes() as payload, bytes() as signature]:
            pass
        case _:
            msg = "the document is no COSE_Sign1"
            raise Untrusted(msg)
    if unprotected or _decoded(protected) != {_ALGORITHM: _ES384}:
        msg = "the document is not signed by ES384, or has other headers"
        raise Untrusted(msg)
    if not 0 < len(payload) <= _MAX_PAYLOAD or len(signature) != _SIGNATURE_BYTES:
        msg = "the document's payload or signature has a length that none has"
        raise Untrusted(msg)
    return protected, payload, signature


def _decoded(raw: bytes) -> Any:  # noqa: ANN401 - CBOR holds values of any type
    """One CBOR item and nothing after it: no indefinite lengths, no key twice, not deeper than documents are."""
    stream = io.BytesIO(raw)
    try:
        found = cbor2.CBORDecoder(
            stream,
            max_depth=_MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=_TAGS,
            read_size=1,
        ).decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        msg = "the document is no CBOR"
        raise Untrusted(msg) from error
    if stream.read(1):
        msg = "the document has bytes after its end"
        raise Untrusted(msg)
    return found


def _fields(payload: bytes) -> dict[str, Any]:
    """The fields of a document, each as the guide allows it."""
    found = _decoded(payload)
    if not isinstance(found, dict):
        msg = "the document is no map"
        raise Untrusted(msg)
    registers = [name for name in _REGISTERS if name in found]
    known = {"module_id", "timestamp", "digest", "certificate", "cabundle", "public_key", "user_data", "nonce", *registers}
    if len(registers) != 1 or not found.keys() <= known:
        msg = "the document lacks a field, or has one that none has"
        raise Untrusted(msg)
    for name, holds in (
        ("module_id", _is_text(found.get("module_id"))),
        ("digest", found.get("digest") == "SHA384"),
        ("timestamp", _is_number(found.get("timestamp"))),
        (registers[0], _are_registers(found[registers[0]], _REGISTERS[registers[0]])),
        ("certificate", _is_bytes(found.get("certificate"), 1, 1024)),
        ("cabundle", _is_bundle(found.get("cabundle"))),
        ("public_key", _may_be_bytes(found.get("public_key"), 1024)),
        ("user_data", _may_be_bytes(found.get("user_data"), 1024)),
        ("nonce", _may_be_bytes(found.get("nonce"), 1024)),
    ):
        if not holds:
            msg = f"the document's field {name} is missing or not what it must be"
            raise Untrusted(msg)
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable()


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 64


def _is_bytes(value: object, least: int, most: int) -> bool:
    return isinstance(value, bytes) and least <= len(value) <= most


def _may_be_bytes(value: object, most: int) -> bool:
    return value is None or _is_bytes(value, 0, most)


def _is_bundle(value: object) -> bool:
    return isinstance(value, list) and 0 < len(value) <= _MAX_BUNDLE and all(_is_bytes(one, 1, 1024) for one in value)


def _are_registers(value: object, count: int) -> bool:
    return (
        isinstance(value, dict)
        and 0 < len(value) <= count
        and all(type(index) is int and 0 <= index < count for index in value)
        and all(isinstance(one, bytes) and len(one) in {32, 48, 64} for one in value.values())
    )


def _check_time(milliseconds: int, now: float) -> None:
    age = now - milliseconds / 1000
    if not -MAX_AHEAD <= age <= MAX_AGE:
        msg = f"the document was made more than {MAX_AGE:.0f} seconds ago, or in the future"
        raise Untrusted(msg)


def _check_signature(signer: ec.EllipticCurvePublicKey, protected: bytes, payload: bytes, signature: bytes) -> None:
    """ECDSA over the Sig_structure (RFC 9052, section 4.4)."""
    half = _SIGNATURE_BYTES // 2
    der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    try:
        signer.verify(der, cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(SHA384()))
    except InvalidSignature:
        msg = "the document's signature is not that of its certificate"
        raise Untrusted(msg) from None


def _recipient(der: bytes | None) -> RSAPublicKey:
    """The RSA key that the document brings."""
    try:
        key = load_der_public_key(der or b"")
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey) or key.key_size not in _RSA_BITS:
        msg = "the document brings no RSA public key of 2,048 to 4,096 bits"
        raise Untrusted(msg)
    return key
