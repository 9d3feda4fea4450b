"""MFA devices: who has which, and codes that are proven and used up.

A code is proven in two steps, because some calls decide on it before anything may be written: :func:`judge` only reads;
:func:`settle` then uses a right code up, or counts a wrong one. Of two that settle the same code exactly one succeeds, whichever
worker either is on: the store takes the counter of a code once, and none before it ever again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from garrison.core.ports import Sealer, Transaction
from garrison.identity import attempts
from garrison.identity.attempts import Subject
from garrison.identity.mfa import totp

Kind = Literal["virtual", "token", "key"]
Refusal = Literal["", "device", "code", "locked"]
PER_OWNER = 8
"""MFA devices of one user or root user (IAM User Guide, "IAM and AWS STS quotas")."""
PER_ACCOUNT = 5000
"""Virtual MFA devices of an account: as many as users."""
PURPOSE = "mfa-seed"


class Device(NamedTuple):
    """A row of iam_mfa_device."""

    account: str
    serial: str
    kind: Kind
    created: float
    owner_id: str | None
    """AIDA…; the account's number for its root user; None while it is nobody's."""
    enabled: float | None
    seed: bytes | None
    drift: int
    last_counter: int
    credential_id: bytes | None = None
    public_key: bytes | None = None
    sign_count: int = 0
    aaguid: str = ""

    @property
    def name(self) -> str:
        """The last part of its serial number."""
        return self.serial.rpartition("/")[2]


_COLUMNS = (
    "account, serial, kind, created, owner_id, enabled, seed, drift, last_counter, credential_id, public_key, sign_count, aaguid"
)


def _device(row: Sequence[object]) -> Device:
    made = Device(*row)  # type: ignore[arg-type] # the columns are those of the table
    return made._replace(
        seed=None if made.seed is None else bytes(made.seed),
        credential_id=None if made.credential_id is None else bytes(made.credential_id),
        public_key=None if made.public_key is None else bytes(made.public_key),
    )


def find(tx: Transaction, account: str, serial: str) -> Device | None:
    """A device by its serial number, regardless of case."""
    sql = f"SELECT {_COLUMNS} FROM iam_mfa_device WHERE account = ? AND serial_folded = ?"  # noqa: S608 - constant
    row = tx.one(sql, account, serial.lower())
    return None if row is None else _device(row)


def of_owner(tx: Transaction, account: str, owner_id: str) -> list[Device]:
    """The devices of a user (AIDA…) or root user (the account's number), by serial number. Any of them is a second lock."""
    sql = f"SELECT {_COLUMNS} FROM iam_mfa_device WHERE account = ? AND owner_id = ? ORDER BY serial_folded"  # noqa: S608 - constant
    return [_device(row) for row in tx.all(sql, account, owner_id)]


def virtual(tx: Transaction, account: str, after: str, limit: int, assigned: bool | None) -> list[Device]:  # noqa: FBT001 - three states
    """Virtual devices by folded serial number; ``assigned``: None for all of them."""
    which = {None: "", True: " AND owner_id IS NOT NULL", False: " AND owner_id IS NULL"}[assigned]
    sql = (
        f"SELECT {_COLUMNS} FROM iam_mfa_device WHERE account = ? AND kind = 'virtual' AND serial_folded > ?{which}"  # noqa: S608 - constants
        " ORDER BY serial_folded LIMIT ?"
    )
    return [_device(row) for row in tx.all(sql, account, after, limit)]


class Counts(NamedTuple):
    """What GetAccountSummary tells."""

    virtual: int
    """MFADevices: virtual devices, whoever's."""
    in_use: int
    """MFADevicesInUse: devices of all kinds that somebody has, the root user among them."""
    root: bool
    """AccountMFAEnabled."""


def counts(tx: Transaction, account: str) -> Counts:
    """How many devices an account has."""
    row = tx.one(
        "SELECT COUNT(CASE WHEN kind = 'virtual' THEN 1 END), COUNT(owner_id), COUNT(CASE WHEN owner_id = ? THEN 1 END)"
        " FROM iam_mfa_device WHERE account = ?",
        account,
        account,
    )
    made, used, root = row or (0, 0, 0)
    return Counts(int(made), int(used), root > 0)


def owners(tx: Transaction, account: str) -> frozenset[str]:
    """Who has a device: users (AIDA…), and the account's number where its root user has one. For reports."""
    rows = tx.all("SELECT DISTINCT owner_id FROM iam_mfa_device WHERE account = ? AND owner_id IS NOT NULL", account)
    return frozenset(str(row[0]) for row in rows)


# Changes


def add(tx: Transaction, device: Device) -> None:
    """Write a new device. Raises store.Conflict where its serial number or credential is taken."""
    tx.run(
        f"INSERT INTO iam_mfa_device ({_COLUMNS}, serial_folded) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
        *device,
        device.serial.lower(),
    )


def assign(tx: Transaction, device: Device, owner_id: str, now: float) -> Device:
    """Give a free device to its owner, once two of its codes were settled."""
    sql = "UPDATE iam_mfa_device SET owner_id = ?, enabled = ? WHERE account = ? AND serial = ?"
    tx.run(sql, owner_id, now, device.account, device.serial)
    return device._replace(owner_id=owner_id, enabled=now)


def release(tx: Transaction, device: Device) -> None:
    """Take a device from its owner: a virtual one stays, free, and remembers which codes were used; any other is gone."""
    where = "WHERE account = ? AND serial = ?"
    if device.kind == "virtual":
        tx.run(f"UPDATE iam_mfa_device SET owner_id = NULL, enabled = NULL {where}", device.account, device.serial)  # noqa: S608 - constant
    else:
        remove(tx, device)


def remove(tx: Transaction, device: Device) -> None:
    """Delete a device."""
    tx.run("DELETE FROM iam_mfa_device WHERE account = ? AND serial = ?", device.account, device.serial)


def sealed_seed(sealer: Sealer, account: str, serial: str, seed: bytes) -> bytes:
    """A seed as it is kept."""
    return sealer.seal(PURPOSE, seed, f"{account}/{serial}".encode())


# Codes


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found of a code, before it is used up or counted as wrong."""

    refusal: Refusal
    """Empty where the code is right; ``device``: the owner has no such device; ``locked``: there were too many wrong ones."""
    account: str
    owner_id: str
    subject: Subject
    device: Device | None = None
    counter: int = -1
    drift: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the code is right."""
        return not self.refusal


def code_subject(sealer: Sealer, account: str, owner_id: str) -> Subject:
    """Whose wrong codes are counted together: those of all devices of one owner, so that eight are no easier than one."""
    return attempts.about(sealer, attempts.CODE, "mfa", account, owner_id)


def judge(tx: Transaction, sealer: Sealer, *, account: str, owner_id: str, serial: str, code: str, now: float) -> Judged:
    """Whether a code is right for a device of this owner. Reads alone: :func:`settle` must follow, whatever comes of it.

    ``owner_id``: AIDA…, or the account's number for its root user. ``code``: as it came; anything but six digits is wrong.
    """
    subject = code_subject(sealer, account, owner_id)
    if attempts.wait(tx, now, subject) > 0:
        return Judged("locked", account, owner_id, subject)
    device = find(tx, account, serial)
    if device is None or device.owner_id != owner_id or device.seed is None:
        return Judged("device", account, owner_id, subject)
    counter = totp.accepted(opened_seed(sealer, device), code, now, drift=device.drift, after=device.last_counter)
    if counter is None:
        return Judged("code", account, owner_id, subject, device)
    return Judged("", account, owner_id, subject, device, counter, totp.drift_of(counter, now))


def judge_two(
    tx: Transaction, sealer: Sealer, device: Device, first: str, second: str, now: float, *, owner_id: str = ""
) -> Judged:
    """Whether two codes follow each other on a device, which need not be in step. :func:`settle` must follow, as after judge.

    Before a device is anybody's, guesses are counted for the device itself.
    """
    subject = code_subject(sealer, device.account, owner_id or device.serial)
    if attempts.wait(tx, now, subject) > 0:
        return Judged("locked", device.account, owner_id, subject)
    seed = opened_seed(sealer, device) if device.seed is not None else b""
    counter = totp.consecutive(seed, first, second, now, after=device.last_counter) if seed else None
    if counter is None:
        return Judged("code", device.account, owner_id, subject, device)
    return Judged("", device.account, owner_id, subject, device, counter, totp.drift_of(counter, now))


def settle(tx: Transaction, judged: Judged, now: float) -> Judged:
    """Use a right code up, or count a wrong one; answers what holds in the end. Within a unit of work that is kept either way.

    A code for a device that its owner does not have is no guess, and counts for nothing.
    """
    if judged.refusal in {"locked", "device"}:
        return judged
    if attempts.wait(tx, now, judged.subject) > 0:
        return _refused(judged, "locked")
    if judged.accepted and _use_up(tx, judged):
        attempts.cleared(tx, judged.subject)
        return judged
    attempts.failed(tx, now, judged.subject)
    return judged if judged.refusal else _refused(judged, "code")


def _refused(judged: Judged, why: Refusal) -> Judged:
    return Judged(why, judged.account, judged.owner_id, judged.subject, judged.device)


def _use_up(tx: Transaction, judged: Judged) -> bool:
    """Take the code's counter. False where it, or a later one, was taken meanwhile, or the device is another's by now."""
    if judged.device is None:
        return False
    owner = judged.device.owner_id
    changed = tx.run(
        "UPDATE iam_mfa_device SET last_counter = ?, drift = ? WHERE account = ? AND serial = ? AND last_counter < ?"
        " AND COALESCE(owner_id, '') = ?",
        judged.counter,
        judged.drift,
        judged.account,
        judged.device.serial,
        judged.counter,
        owner or "",
    )
    return changed == 1


def verify_code(tx: Transaction, sealer: Sealer, *, account: str, owner_id: str, serial: str, code: str, now: float) -> Judged:
    """Prove a code and use it up, or count it as wrong. Within a unit of work, which is kept whatever comes of it."""
    return settle(tx, judge(tx, sealer, account=account, owner_id=owner_id, serial=serial, code=code, now=now), now)


def opened_seed(sealer: Sealer, device: Device) -> bytes:
    """The seed of a device that makes codes. Nobody gets to see it: it is here to prove codes alone."""
    if device.seed is None:
        msg = "a device that signs has no seed"
        raise ValueError(msg)
    return sealer.unseal(PURPOSE, device.seed, f"{device.account}/{device.serial}".encode())
