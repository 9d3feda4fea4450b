"""Hardware tokens: small devices that show codes, whose seeds came with them.

The operator brings a token's seed in, under the number on its back; then any account may enable it once, by two codes that it
shows. A token that its owner gives back is free again, and remembers which codes were used.
"""

from __future__ import annotations

import base64
import binascii
import re

from garrison.core.ports import Sealer, Transaction
from garrison.identity.mfa import totp
from garrison.identity.mfa.devices import Device, sealed_seed

PURPOSE = "token-seed"
_SERIAL = re.compile(r"[A-Z0-9][A-Z0-9-]{8,63}")


def read_seed(text: str) -> bytes:
    """A seed in hexadecimal or base32, as vendors deliver it; spaces do not count.

    Raises ValueError where it is neither, or shorter than the 128 bits of RFC 4226 (section 4, R6).
    """
    plain = "".join(text.split())
    try:
        seed = bytes.fromhex(plain)
    except ValueError:
        padded = plain.upper().rstrip("=")
        try:
            seed = base64.b32decode(padded + "=" * (-len(padded) % 8))
        except binascii.Error:
            msg = "the seed must be hexadecimal or base32"
            raise ValueError(msg) from None
    if not totp.LEAST_SEED_BYTES <= len(seed) <= 64:
        msg = f"the seed must have {totp.LEAST_SEED_BYTES} to 64 bytes, was {len(seed)}"
        raise ValueError(msg)
    return seed


def bring_in(tx: Transaction, sealer: Sealer, serial: str, seed: bytes, now: float) -> str:
    """Keep a token's seed; answers its number as it is known from now on.

    Raises ValueError for a bad number, or one that is there already.
    """
    number = serial.strip().upper()
    if not _SERIAL.fullmatch(number):
        msg = "a serial number has 9 to 64 letters, digits and dashes"
        raise ValueError(msg)
    if tx.one("SELECT 1 FROM identity_token_seed WHERE serial = ?", number):
        msg = f"the token {number} is there already"
        raise ValueError(msg)
    sealed = sealer.seal(PURPOSE, seed, number.encode())
    sql = "INSERT INTO identity_token_seed (serial, seed, account, last_counter, imported) VALUES (?, ?, NULL, -1, ?)"
    tx.run(sql, number, sealed, now)
    return number


def take_away(tx: Transaction, serial: str) -> None:
    """Forget a token that nobody has. Raises ValueError for one that is not there, or that somebody has."""
    number = serial.strip().upper()
    row = tx.one("SELECT account FROM identity_token_seed WHERE serial = ?", number)
    if row is None or row[0] is not None:
        msg = f"the token {number} is not there" if row is None else f"the token {number} is enabled in account {row[0]}"
        raise ValueError(msg)
    tx.run("DELETE FROM identity_token_seed WHERE serial = ?", number)


def known(tx: Transaction) -> list[tuple[str, str | None]]:
    """Every token's number, and the account that has it."""
    return [
        (str(serial), account) for serial, account in tx.all("SELECT serial, account FROM identity_token_seed ORDER BY serial")
    ]


def free_token(tx: Transaction, sealer: Sealer, account: str, serial: str, now: float) -> Device | None:
    """A token that nobody has, as a device of this account that is nobody's yet; None where there is none of this number."""
    number = serial.upper()
    row = tx.one("SELECT seed, last_counter FROM identity_token_seed WHERE serial = ? AND account IS NULL", number)
    if row is None:
        return None
    seed = sealer.unseal(PURPOSE, bytes(row[0]), number.encode())
    return Device(account, number, "token", now, None, None, sealed_seed(sealer, account, number, seed), 0, int(row[1]))


def taken(tx: Transaction, device: Device) -> None:
    """Note that an account has a token."""
    tx.run("UPDATE identity_token_seed SET account = ? WHERE serial = ?", device.account, device.serial)


def given_back(tx: Transaction, device: Device) -> None:
    """Note that a token is free again, and which codes were used."""
    sql = "UPDATE identity_token_seed SET account = NULL, last_counter = ? WHERE serial = ?"
    tx.run(sql, device.last_counter, device.serial)
