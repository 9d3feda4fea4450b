"""The ceremonies of WebAuthn Level 3, as its library makes and checks them.

A module of its own, imported at first use: the library brings ASN.1 and TLS with it, which cost a tenth of a start. Nothing here
knows the database; checks raise, whatever the library does with a stranger's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]


def parsed(credential: str) -> AuthenticationCredential:
    """What a browser answered when it was asked for a signature. Raises where it is no such answer."""
    return parse_authentication_credential_json(credential)


def to_register(
    rp_id: str, *, user_id: bytes, user_name: str, display_name: str, known: Sequence[bytes], challenge: bytes
) -> str:
    """The options for ``navigator.credentials.create``, as JSON: a key that verifies its user, and is none of ``known``."""
    options = generate_registration_options(
        rp_id=rp_id,
        rp_name="Garrison",
        user_name=user_name,
        user_id=user_id,
        user_display_name=display_name,
        challenge=challenge,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(known),
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json(options)


def registered(credential: str, *, rp_id: str, origin: str, challenge: bytes) -> VerifiedRegistration:
    """The key that an answer registers (section 7.1). Raises where it is not the answer to this challenge from this origin."""
    return verify_registration_response(
        credential=credential,
        expected_challenge=challenge,
        expected_rp_id=rp_id,
        expected_origin=origin,
        require_user_verification=True,
        supported_pub_key_algs=ALGORITHMS,
    )


def to_sign(rp_id: str, *, known: Sequence[bytes], challenge: bytes) -> str:
    """The options for ``navigator.credentials.get``, as JSON: a signature of one of ``known``, its user verified."""
    options = generate_authentication_options(
        rp_id=rp_id,
        challenge=challenge,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def new_sign_count(
    given: AuthenticationCredential, *, rp_id: str, origin: str, challenge: bytes, public_key: bytes, sign_count: int
) -> int:
    """The counter of the key that signed (section 7.2). Raises where ``public_key`` signed no such challenge for this origin."""
    return verify_authentication_response(
        credential=given,
        expected_challenge=challenge,
        expected_rp_id=rp_id,
        expected_origin=origin,
        credential_public_key=public_key,
        credential_current_sign_count=sign_count,
        require_user_verification=True,
    ).new_sign_count


def _descriptors(ids: Sequence[bytes]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=each) for each in ids]
