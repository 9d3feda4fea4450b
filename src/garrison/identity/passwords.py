"""Passwords of users and root users: how they are kept, proven, changed, and what an account asks of them.

A password is kept as argon2id (RFC 9106, section 4, the second recommended set: 64 MiB, 3 passes, 4 lanes, salt of 128 and tag of
256 bits), sealed under the root key. All of one owner's passwords have one salt: so that a new password is held against 24
earlier ones with one calculation, not 24.

A calculation takes a tenth of a second: :func:`prove` and :func:`make` run beside the event loop, few at a time, and what is over
is told to come back. Everything else here is quick, and works on a transaction of the caller.
"""

from __future__ import annotations

import contextlib
import hmac
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import ARGON2_VERSION, Type

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.core.ids import Random
from garrison.core.ports import Sealer, Transaction
from garrison.identity import attempts
from garrison.identity.attempts import Subject

HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4, hash_len=32, salt_len=16, type=Type.ID)
PURPOSE = "password"
HISTORY = 24
"""How many earlier passwords are kept: as many as PasswordReusePrevention may ask for."""
SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")
"""IAM User Guide, "Setting an account password policy": the characters that count as symbols."""
LONGEST = 128
"""Characters of a password."""
DAY = 86_400.0


class Gate:
    """Lets so many calculations run at one time, and so many more wait for it."""

    def __init__(self, running: int, waiting: int) -> None:
        self._running = threading.Semaphore(running)
        self._room = threading.Semaphore(running + waiting)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Wait for a turn. Raises CommonError("throttled") where too many wait already."""
        if not self._room.acquire(blocking=False):
            raise CommonError("throttled")
        try:
            with self._running:
                yield
        finally:
            self._room.release()


GATE = Gate(running=2, waiting=6)
"""Of one worker: 128 MiB of memory at most, and no more than half of the threads that wait for others."""


# What an account asks of passwords


@dataclass(frozen=True, slots=True)
class Rules:
    """An account's password policy; AWS's default one where it has set none."""

    least: int = 8
    classes: tuple[Callable[[str], bool], ...] = ()
    """Kinds of characters that each must occur."""
    three_of_four: bool = True
    """Of the default policy: three of the four kinds must occur, and the password is not the account's name or e-mail address."""
    names: frozenset[str] = frozenset()
    reuse: int = 0
    """How many passwords, the present one first, may not come again."""
    max_age: float = 0
    """Seconds; 0: none expires."""
    hard_expiry: bool = False
    """Whether only an administrator helps whose password has expired."""
    users_may_change: bool = False

    def check(self, password: str) -> None:
        """Raises PasswordPolicyViolation."""
        classes = [kind(password) for kind in self.classes]
        good = len(password) >= self.least and all(classes)
        if self.three_of_four:
            good = good and sum(kind(password) for kind in _KINDS) >= 3 and password.casefold() not in self.names
        if not good:
            raise api.PasswordPolicyViolationException("Password does not conform to the account password policy.")


def _symbol(password: str) -> bool:
    return not SYMBOLS.isdisjoint(password)


def _number(password: str) -> bool:
    return any("0" <= letter <= "9" for letter in password)


def _upper(password: str) -> bool:
    return any("A" <= letter <= "Z" for letter in password)


def _lower(password: str) -> bool:
    return any("a" <= letter <= "z" for letter in password)


_KINDS = (_symbol, _number, _upper, _lower)


def rules_of(tx: Transaction, account: str) -> Rules:
    """What the account asks of its users' passwords."""
    row = tx.one(
        "SELECT minimum_length, require_symbols, require_numbers, require_uppercase, require_lowercase, allow_users_to_change,"
        " max_age, reuse_prevention, hard_expiry FROM iam_password_policy WHERE account = ?",
        account,
    )
    if row is None:
        return Rules(names=_names(tx, account))
    least, *flags, change, age, reuse, hard = row
    return Rules(
        least=int(least),
        classes=tuple(kind for kind, asked in zip(_KINDS, flags, strict=True) if asked),
        three_of_four=False,
        reuse=int(reuse),
        max_age=int(age) * DAY,
        hard_expiry=bool(hard),
        users_may_change=bool(change),
    )


def root_rules(tx: Transaction, account: str) -> Rules:
    """What is asked of a root user's password: an account's policy is for its users alone (IAM User Guide)."""
    return Rules(names=_names(tx, account))


def _names(tx: Transaction, account: str) -> frozenset[str]:
    row = tx.one(
        "SELECT a.name, a.email, i.alias FROM account a LEFT JOIN iam_account i ON i.account = a.id WHERE a.id = ?", account
    )
    return frozenset(name.casefold() for name in row or () if name)


# How they are kept


class Login(NamedTuple):
    """A row of iam_login_profile."""

    account: str
    owner_id: str
    """AIDA…; the account's number for the root user."""
    hash: bytes
    history: bytes
    created: float
    changed: float
    """When the present password was set, seconds since the epoch."""
    reset_required: bool
    max_session: int | None
    """MaxSigninSessionDuration, seconds."""

    def expired(self, rules: Rules, now: float) -> bool:
        """Whether the password is too old to sign in with."""
        return rules.max_age > 0 and self.owner_id != self.account and now >= self.changed + rules.max_age


_LOGIN = "account, owner_id, hash, history, created, changed, reset_required, max_session"


def find_login(tx: Transaction, account: str, owner_id: str) -> Login | None:
    """The password of a user (AIDA…) or root user (the account's number); None where it has none."""
    sql = f"SELECT {_LOGIN} FROM iam_login_profile WHERE account = ? AND owner_id = ?"  # noqa: S608 - constant
    row = tx.one(sql, account, owner_id)
    return None if row is None else Login(*row)._replace(reset_required=bool(row[6]), hash=bytes(row[2]), history=bytes(row[3]))


def require_reset(tx: Transaction, login: Login, *, required: bool) -> Login:
    """Set whether the next sign-in must set another password."""
    sql = "UPDATE iam_login_profile SET reset_required = ? WHERE account = ? AND owner_id = ?"
    tx.run(sql, int(required), login.account, login.owner_id)
    return login._replace(reset_required=required)


def limit_session(tx: Transaction, login: Login, seconds: int | None) -> Login:
    """Set how long a sign-in session may last (MaxSigninSessionDuration); None: as long as any."""
    sql = "UPDATE iam_login_profile SET max_session = ? WHERE account = ? AND owner_id = ?"
    tx.run(sql, seconds, login.account, login.owner_id)
    return login._replace(max_session=seconds)


def drop_login(tx: Transaction, account: str, owner_id: str) -> bool:
    """Take the password away; False where there was none."""
    return tx.run("DELETE FROM iam_login_profile WHERE account = ? AND owner_id = ?", account, owner_id) > 0


def _seal(sealer: Sealer, account: str, owner_id: str, text: bytes) -> bytes:
    return sealer.seal(PURPOSE, text, f"{account}/{owner_id}".encode())


def _unseal(sealer: Sealer, login: Login, blob: bytes) -> bytes:
    return sealer.unseal(PURPOSE, blob, f"{login.account}/{login.owner_id}".encode())


# A new password


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """A new password on its way: what was looked up for it before anything is calculated."""

    account: str
    owner_id: str
    rules: Rules
    login: Login | None
    kept: tuple[str, ...] = ()
    """The present password and those before it, in PHC form."""


class Made(NamedTuple):
    """What came out of the calculation."""

    hash: str
    """The new password in PHC form; empty where the old one was wrong, or the new one may not come again."""
    old_right: bool = True
    reused: bool = False


def look_up(tx: Transaction, sealer: Sealer, account: str, owner_id: str) -> Change:
    """What the new password of a user or root user is held against."""
    rules = root_rules(tx, account) if owner_id == account else rules_of(tx, account)
    login = find_login(tx, account, owner_id)
    if login is None:
        return Change(account, owner_id, rules, None)
    earlier: list[str] = msgspec.json.decode(_unseal(sealer, login, login.history), type=list[str])
    return Change(account, owner_id, rules, login, (_unseal(sealer, login, login.hash).decode(), *earlier))


def make(change: Change, new: str, random: Random, *, old: str | None = None) -> Made:
    """Calculate a new password. Call beside the event loop.

    ``old``: the present password as its owner gave it; the new one must differ from it then. Raises PasswordPolicyViolation,
    CommonError("throttled").
    """
    change.rules.check(new)
    with GATE.entered():
        if old is not None and not matches(old, change.kept[:1]):
            return Made("", old_right=False)
        if old == new or matches(new, change.kept[: change.rules.reuse]):
            return Made("", reused=True)
        return Made(HASHER.hash(_bytes(new), salt=_salt(change.kept[0]) if change.kept else random(16)))


def keep(tx: Transaction, sealer: Sealer, change: Change, made: Made, now: float, *, reset_required: bool = False) -> Login:
    """Write a new password.

    Raises PasswordPolicyViolation for one that may not come again; EntityTemporarilyUnmodifiable where another was set meanwhile.
    """
    if made.reused or not made.hash:
        message = "Policy constraint violation with password reuse prevention during password change."
        raise api.PasswordPolicyViolationException(message)
    account, owner = change.account, change.owner_id
    present = find_login(tx, account, owner)
    if present != change.login:
        raise api.EntityTemporarilyUnmodifiableException("The login profile is being modified by another request. Try again.")
    history = msgspec.json.encode(change.kept[:HISTORY])
    found = Login(
        account,
        owner,
        _seal(sealer, account, owner, made.hash.encode()),
        _seal(sealer, account, owner, history),
        present.created if present else now,
        now,
        reset_required,
        present.max_session if present else None,
    )
    drop_login(tx, account, owner)
    sql = f"INSERT INTO iam_login_profile ({_LOGIN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constant
    tx.run(sql, *found[:6], int(reset_required), found.max_session)
    return found


def matches(password: str, kept: Sequence[str]) -> bool:
    """Whether a password is one of these in PHC form: one calculation for all that have their salt and parameters in common."""
    found = False
    for head in {each.rpartition("$")[0] for each in kept}:
        hasher = PasswordHasher.from_parameters(extract_parameters(f"{head}${_NO_TAG}"))
        made = hasher.hash(_bytes(password), salt=_salt(f"{head}$"))
        for each in kept:
            found |= hmac.compare_digest(made, each)
    return found


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _salt(kept: str) -> bytes:
    text = kept.split("$")[-2]
    return b64decode(text + "=" * (-len(text) % 4))


_NO_TAG = "A" * 43
"""A tag of 32 zero bytes, in PHC form's Base64."""
_NOBODY = f"$argon2id$v={ARGON2_VERSION}$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}${'A' * 22}${_NO_TAG}"
"""What a password of nobody is held against: as much work as any other, and none matches."""


# Signing in


@dataclass(frozen=True, slots=True, repr=False)
class SignIn:
    """Somebody who says who they are: what was looked up before the password is held against it."""

    account: str
    """Empty where there is no such account."""
    owner_id: str
    """Empty where there is no such user; then as much is done as for any other."""
    name: str
    """The user's name; empty for a root user."""
    login: Login | None
    rules: Rules
    subjects: tuple[Subject, ...]
    kept: str


class Outcome(NamedTuple):
    """How signing in with a password ended."""

    accepted: bool
    wait: float = 0.0
    """Seconds until guesses are heard again, where there were too many; the password may have been right or wrong."""
    must_change: bool = False
    """The password is right and must be changed before anything else (PasswordResetRequired, or expired)."""
    shut_out: bool = False
    """The password is right and has expired, and only an administrator can set another (HardExpiry)."""


_OPEN = "a.state = 'ACTIVE'"
"""Nobody signs in to a closed account any more, as nobody signs for it."""


def user_signs_in(tx: Transaction, sealer: Sealer, account: str, name: str, address: str) -> SignIn:
    """A user, by the account's number or alias and the user's name. Nobody who is not there makes a difference in work."""
    row = tx.one(f"SELECT a.id FROM account a WHERE a.id = ? AND {_OPEN}", account)  # noqa: S608 - constant
    by_alias = f"SELECT a.id FROM account a JOIN iam_account i ON i.account = a.id WHERE i.alias = ? AND {_OPEN}"  # noqa: S608 - constant
    alias = tx.one(by_alias, account.lower())
    row = row or alias
    number = str(row[0]) if row else ""
    found = tx.one("SELECT user_id, name FROM iam_user WHERE account = ? AND name_folded = ?", number, name.lower())
    owner, known_name = found or ("", name)
    subject = password_subject(sealer, number or account, owner or name.lower())
    return _sign_in(tx, sealer, number, owner, known_name, subject, address)


def root_signs_in(tx: Transaction, sealer: Sealer, email: str, address: str) -> SignIn:
    """A root user, by the account's e-mail address (regardless of case)."""
    named = f"SELECT a.id FROM account a WHERE a.email <> '' AND lower(a.email) = ? AND {_OPEN} ORDER BY a.created_at"  # noqa: S608 - constant
    row = tx.one(named, email.lower())
    number = str(row[0]) if row else ""
    subject = password_subject(sealer, number or email.lower(), number or "root")
    return _sign_in(tx, sealer, number, number, "", subject, address)


def _sign_in(tx: Transaction, sealer: Sealer, account: str, owner_id: str, name: str, subject: Subject, address: str) -> SignIn:
    login = find_login(tx, account, owner_id)
    kept = _unseal(sealer, login, login.hash).decode() if login else _NOBODY
    rules = rules_of(tx, account)
    return SignIn(account, owner_id, name, login, rules, (subject, attempts.from_address(sealer, address)), kept)


def password_subject(sealer: Sealer, account: str, owner_id: str) -> Subject:
    """Whose wrong passwords are counted together."""
    return attempts.about(sealer, attempts.PASSWORD, "password", account, owner_id)


def prove(sign_in: SignIn, password: str) -> bool:
    """Whether the password is right: one calculation, whoever it is. Call beside the event loop.

    Raises CommonError("throttled").
    """
    fits = len(password) <= LONGEST
    with GATE.entered():
        return matches(password if fits else "", (sign_in.kept,)) and fits


def conclude(tx: Transaction, sign_in: SignIn, now: float, *, right: bool) -> Outcome:
    """What follows from a password that is right or wrong. Call within a unit of work, and keep it whatever comes of it."""
    wait = attempts.wait(tx, now, *sign_in.subjects)
    if wait > 0:
        return Outcome(accepted=False, wait=wait)
    login = find_login(tx, sign_in.account, sign_in.owner_id)
    if not right or login is None or login != sign_in.login:
        attempts.failed(tx, now, *sign_in.subjects)
        return Outcome(accepted=False)
    attempts.cleared(tx, sign_in.subjects[0])
    expired = login.expired(sign_in.rules, now)
    shut_out = expired and sign_in.rules.hard_expiry
    return Outcome(accepted=not shut_out, must_change=not shut_out and (login.reset_required or expired), shut_out=shut_out)


def signed_in(tx: Transaction, account: str, owner_id: str, now: float) -> None:
    """Note that a password was used to sign in (PasswordLastUsed), once all of the sign-in succeeded."""
    if owner_id == account:
        tx.run("UPDATE iam_account SET root_password_last_used = ? WHERE account = ?", now, account)
    else:
        tx.run("UPDATE iam_user SET password_last_used = ? WHERE account = ? AND user_id = ?", now, account, owner_id)


# What a report tells


class PasswordFacts(NamedTuple):
    """An owner's password, as the credential report shows it; times in seconds since the epoch."""

    enabled: bool
    last_used: float | None
    last_changed: float | None
    next_rotation: float | None
    """When it expires; None where it does not."""


def facts_of(tx: Transaction, account: str) -> dict[str, PasswordFacts]:
    """By owner: every user (AIDA…) of the account, and its root user under the account's number."""
    rules = rules_of(tx, account)
    changed: dict[str, float] = dict(tx.all("SELECT owner_id, changed FROM iam_login_profile WHERE account = ?", account))
    used: list[tuple[Any, ...]] = tx.all("SELECT user_id, password_last_used FROM iam_user WHERE account = ?", account)
    root = tx.one("SELECT root_password_last_used FROM iam_account WHERE account = ?", account)
    found = {}
    for owner, last_used in [*used, (account, root[0] if root else None)]:
        since = changed.get(owner)
        rotates = since + rules.max_age if since is not None and rules.max_age and owner != account else None
        found[owner] = PasswordFacts(since is not None, last_used, since, rotates)
    return found
