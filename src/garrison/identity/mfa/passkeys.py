"""Passkeys and security keys: registered in the console, and proven by a signature over a challenge (WebAuthn Level 3).

The caller keeps the challenge of a ceremony with its own session, and uses it once. What an authenticator says counts only for
the origin and relying party that the caller names, with its user verified by the authenticator (a PIN or a finger): so a key
alone, found on the street, is no second lock.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Mapping
from typing import NamedTuple

from garrison.core.ids import Random
from garrison.core.ports import Sealer, Transaction
from garrison.identity import attempts
from garrison.identity.mfa import devices
from garrison.identity.mfa.devices import Device, Judged, code_subject

CHALLENGE_BYTES = 32
LARGEST = 64 * 1024
"""Characters of what a browser answers: an attestation with its chain of certificates has less."""
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


class RefusedKeyError(Exception):
    """What an authenticator answered is no key that can be registered. The message is for the log, and names no secret."""


class Site(NamedTuple):
    """Where a ceremony takes place."""

    rp_id: str
    """The host name without its port, ``localhost``."""
    origin: str
    """``https://host:port``"""


class Ceremony(NamedTuple):
    """What the browser is asked."""

    options: str
    """JSON for ``navigator.credentials``; binary members in base64url."""
    challenge: bytes
    """To be kept by the caller until the answer comes, and used once."""


def registration(tx: Transaction, site: Site, *, account: str, owner_id: str, owner_name: str, random: Random) -> Ceremony:
    """Ask a browser to make a key for a user (or root user); one that has a key of theirs already is left out."""
    from garrison.identity.mfa import ceremonies  # noqa: PLC0415 - loading it costs a tenth of a start

    challenge = random(CHALLENGE_BYTES)
    options = ceremonies.to_register(
        site.rp_id,
        user_id=f"{account}/{owner_id}".encode(),
        user_name=f"{owner_name}@{account}",
        display_name=owner_name,
        known=_known(tx, account, owner_id),
        challenge=challenge,
    )
    return Ceremony(options, challenge)


def registration_keys(certifications: Mapping[str, str] | None = None) -> dict[str, str]:
    """The condition keys of ``iam:EnableMFADevice`` where a key is registered.

    ``certifications``: of the key's model, by ``FIDO``, ``FIPS-140-2`` and ``FIPS-140-3``; Garrison vouches for none by itself.
    Source: Service Authorization Reference for IAM.
    """
    names = {
        "FIDO": "iam:FIDO-certification",
        "FIPS-140-2": "iam:FIDO-FIPS-140-2-certification",
        "FIPS-140-3": "iam:FIDO-FIPS-140-3-certification",
    }
    levels = {names[kind]: level for kind, level in (certifications or {}).items() if kind in names}
    return {"iam:RegisterSecurityKey": "Activate", **levels}


def register(
    tx: Transaction,
    site: Site,
    *,
    account: str,
    owner_id: str,
    owner_name: str,
    name: str,
    credential: str,
    challenge: bytes,
    now: float,
    random: Random,
) -> Device:
    """Check what the browser answered and keep the key. ``credential``: its JSON. ``owner_name``: empty for the root user.

    The caller has authorized ``iam:EnableMFADevice``. Raises RefusedKeyError, also where the owner has 8 devices or it is known.
    """
    from garrison.identity.mfa import ceremonies  # noqa: PLC0415 - as above

    if not _NAME.fullmatch(name):
        msg = "a key's name has 1 to 64 letters, digits and +=,.@_-"
        raise RefusedKeyError(msg)
    if len(devices.of_owner(tx, account, owner_id)) >= devices.PER_OWNER:
        msg = f"nobody has more than {devices.PER_OWNER} MFA devices"
        raise RefusedKeyError(msg)
    try:
        found = ceremonies.registered(_bounded(credential), rp_id=site.rp_id, origin=site.origin, challenge=challenge)
    except Exception as error:  # whatever a stranger's bytes make the libraries raise is a refusal
        raise RefusedKeyError(str(error)) from error
    if tx.one("SELECT 1 FROM iam_mfa_device WHERE credential_id = ?", found.credential_id):
        msg = "the key is registered already"
        raise RefusedKeyError(msg)
    made = Device(
        account,
        _serial(account, owner_name, name, random),
        "key",
        now,
        owner_id,
        now,
        None,
        0,
        -1,
        found.credential_id,
        found.credential_public_key,
        found.sign_count,
        found.aaguid,
    )
    devices.add(tx, made)
    return made


def _serial(account: str, owner_name: str, name: str, random: Random) -> str:
    """``arn:aws:iam::123456789012:u2f/user/bob/name-…`` (IAM identifiers, "IAM ARNs")."""
    owner = f"user/{owner_name}" if owner_name else "root-account"
    return f"arn:aws:iam::{account}:u2f/{owner}/{name}-{b32encode(random(15)).decode()}"


def authentication(tx: Transaction, site: Site, *, account: str, owner_id: str, random: Random) -> Ceremony:
    """Ask a browser for a signature of one of the owner's keys."""
    from garrison.identity.mfa import ceremonies  # noqa: PLC0415 - as above

    challenge = random(CHALLENGE_BYTES)
    return Ceremony(ceremonies.to_sign(site.rp_id, known=_known(tx, account, owner_id), challenge=challenge), challenge)


def verify(
    tx: Transaction,
    sealer: Sealer,
    site: Site,
    *,
    account: str,
    owner_id: str,
    credential: str,
    challenge: bytes,
    now: float,
) -> Judged:
    """Prove a signature, and keep the key's counter. Within a unit of work that is kept whatever comes of it.

    A counter that does not rise tells of a copied key: refused, as is any other answer that is not the owner's key's.
    """
    subject = code_subject(sealer, account, owner_id)
    if attempts.wait(tx, now, subject) > 0:
        return Judged("locked", account, owner_id, subject)
    device = _signed(tx, site, account, owner_id, credential, challenge)
    if device is None:
        attempts.failed(tx, now, subject)
        return Judged("code", account, owner_id, subject)
    attempts.cleared(tx, subject)
    return Judged("", account, owner_id, subject, device)


def _signed(tx: Transaction, site: Site, account: str, owner_id: str, credential: str, challenge: bytes) -> Device | None:
    """The owner's key that signed, its counter kept; None where none did."""
    from garrison.identity.mfa import ceremonies  # noqa: PLC0415 - as above

    try:
        given = ceremonies.parsed(_bounded(credential))
        device = _of_credential(tx, account, owner_id, given.raw_id)
        if device is None or device.public_key is None:
            return None
        handle = given.response.user_handle
        if handle and handle != f"{account}/{owner_id}".encode():
            return None
        count = ceremonies.new_sign_count(
            given,
            rp_id=site.rp_id,
            origin=site.origin,
            challenge=challenge,
            public_key=device.public_key,
            sign_count=device.sign_count,
        )
    except Exception:  # noqa: BLE001 - as above
        return None
    kept = tx.run(
        "UPDATE iam_mfa_device SET sign_count = ? WHERE account = ? AND serial = ?"
        " AND (sign_count < ? OR (sign_count = 0 AND ? = 0))",
        count,
        account,
        device.serial,
        count,
        count,
    )
    return device._replace(sign_count=count) if kept == 1 else None


def _of_credential(tx: Transaction, account: str, owner_id: str, credential_id: bytes) -> Device | None:
    mine = devices.of_owner(tx, account, owner_id)
    return next((device for device in mine if device.credential_id == credential_id), None)


def _known(tx: Transaction, account: str, owner_id: str) -> list[bytes]:
    ids = [device.credential_id for device in devices.of_owner(tx, account, owner_id)]
    return [each for each in ids if each is not None]


def _bounded(credential: str) -> str:
    if len(credential) > LARGEST:
        msg = "the answer is too large"
        raise ValueError(msg)
    return credential
