"""Sign-in sessions: of a browser, known by its cookie; of a command line, known by its key.

A session holds no rights. It makes credentials for a quarter of an hour, and whoever has them is authorized as the identity is at
each call. It ends with its time, with a change of the password that opened it, and where somebody ends it; what it made before
lasts out its quarter of an hour, as at AWS, unless a policy denies its ``aws:SignInSessionArn``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

import msgspec

from garrison.core.errors import CommonError
from garrison.core.ids import Random, access_key_id, secret_access_key, uuid4
from garrison.core.ports import Sealer, Transaction
from garrison.identity.passwords import find_login
from garrison.identity.tokens import Grant, seal_token

SESSION_SECONDS = 43_200
"""AWS Sign-In User Guide and AWS CLI User Guide, "aws login": a session lasts 12 hours at most."""
CREDENTIAL_SECONDS = 900
"""The same: its credentials are made anew each 15 minutes."""
EXPIRED = "TOKEN_EXPIRED"
CHANGED = "USER_CREDENTIALS_CHANGED"
BROWSER = ""
"""The client of a browser's session."""
_PURPOSE = "signin-grant"
_MAX_AGENT = 256
_COOKIE = re.compile(r"[0-9a-f-]{36}\.[0-9a-f]{64}")
_SECRET_BYTES = 32


class Session(NamedTuple):
    """A row of signin_session."""

    session_id: str
    account: str
    owner_id: str
    principal_arn: str
    """The identity as ListSessions knows it: a user's ARN, the root user's, the role's, a federated user's."""
    name: str
    client: str
    proof: bytes
    stands_for: bytes | None
    password_changed: float | None
    issued_at: float
    expires_at: float
    last_used_at: float
    mfa_at: float | None
    region: str
    user_agent: str
    origin: str | None
    generation: int
    rotated_at: float
    switched: str
    ended_at: float | None
    ended_why: str

    @property
    def arn(self) -> str:
        """``arn:aws:signin:REGION:ACCOUNT:session/UUID``."""
        return f"arn:aws:signin:{self.region}:{self.account}:session/{self.session_id}"

    @property
    def is_root(self) -> bool:
        """Whether it is the root user's own."""
        return self.owner_id == self.account and not self.is_lent

    @property
    def is_lent(self) -> bool:
        """Whether it goes on with a session of a role or federated user, who is not the role or the user that lent it."""
        return self.stands_for is not None


class Opened(NamedTuple):
    """A new session of a browser, and what the cookie holds: nowhere else is it in clear."""

    session: Session
    cookie: str


class Minted(NamedTuple):
    """Credentials of a session."""

    access_key_id: str
    secret: str
    token: str
    expires_at: float


class Who(NamedTuple):
    """As whom a session is opened."""

    account: str
    owner_id: str
    principal_arn: str
    name: str
    password_changed: float | None = None
    grant: Grant | None = None
    """The session of a role or federated user that it goes on with; None for a user and the root user."""
    mfa_at: float | None = None


class Seen(NamedTuple):
    """Where a session was opened."""

    region: str
    user_agent: str


_COLUMNS = ", ".join(Session._fields)
_MARKS = ", ".join("?" * len(Session._fields))


def open_browser(tx: Transaction, sealer: Sealer, who: Who, seen: Seen, *, random: Random, now: float, ends: float) -> Opened:
    """Open a browser's session. Its cookie is new, whatever the browser held before."""
    secret = random(_SECRET_BYTES).hex()
    found = _keep(tx, sealer, who, _new(who, seen, uuid4(random), now, ends)._replace(proof=_hash(secret)))
    return Opened(found, f"{found.session_id}.{secret}")


def longest(tx: Transaction, account: str, owner_id: str) -> int:
    """Seconds that a sign-in session of a user or role may last, of any kind: MaxSigninSessionDuration, 12 hours at most."""
    if owner_id.startswith("AROA"):
        sql = "SELECT max_signin_session_duration FROM iam_role WHERE account = ? AND role_id = ?"
        row = tx.one(sql, account, owner_id)
        limit = row[0] if row is not None else None
    else:
        login = find_login(tx, account, owner_id)
        limit = login.max_session if login is not None else None
    return min(limit or SESSION_SECONDS, SESSION_SECONDS)


def open_client(
    tx: Transaction,
    sealer: Sealer,
    origin: Session,
    client: str,
    thumbprint: bytes,
    *,
    random: Random,
    now: float,
    user_agent: str,
) -> Session:
    """Open a command line's session, which the browser's allowed: of the same identity, and with its second factor."""
    grant = _grant(sealer, origin)
    who = Who(origin.account, origin.owner_id, origin.principal_arn, origin.name, origin.password_changed, grant, origin.mfa_at)
    ends = now + longest(tx, origin.account, origin.owner_id)
    made = _new(who, Seen(origin.region, user_agent), uuid4(random), now, min(ends, grant.expires_at) if grant else ends)
    return _keep(tx, sealer, who, made._replace(client=client, proof=thumbprint, origin=origin.session_id))


def passing(who: Who, seen: Seen, random: Random, now: float, ends: float) -> Session:
    """A session that is kept nowhere: for the one call of somebody who must change a password before a session is opened."""
    return _new(who, seen, uuid4(random), now, ends)


def _new(who: Who, seen: Seen, session_id: str, now: float, ends: float) -> Session:
    return Session(
        session_id=session_id,
        account=who.account,
        owner_id=who.owner_id,
        principal_arn=who.principal_arn,
        name=who.name,
        client=BROWSER,
        proof=b"",
        stands_for=None,
        password_changed=who.password_changed,
        issued_at=now,
        expires_at=ends,
        last_used_at=now,
        mfa_at=who.mfa_at,
        region=seen.region,
        user_agent=seen.user_agent[:_MAX_AGENT],
        origin=None,
        generation=0,
        rotated_at=now,
        switched="",
        ended_at=None,
        ended_why="",
    )


def standing_for(sealer: Sealer, session: Session, grant: Grant) -> Session:
    """The session, going on with that of a role or federated user."""
    return session._replace(stands_for=sealer.seal(_PURPOSE, msgspec.msgpack.encode(grant), session.session_id.encode()))


def _keep(tx: Transaction, sealer: Sealer, who: Who, session: Session) -> Session:
    if who.grant is not None:
        session = standing_for(sealer, session, who.grant)
    # What ended an hour ago is of no more use to anybody who asks what became of a session.
    tx.run("DELETE FROM signin_session WHERE expires_at <= ?", session.issued_at - 3600)
    tx.run(f"INSERT INTO signin_session ({_COLUMNS}) VALUES ({_MARKS})", *session)  # noqa: S608 - constants
    return session


def find(tx: Transaction, session_id: str) -> Session | None:
    """A session by its id, whether it lasts or not; None where it is unknown."""
    row = tx.one(f"SELECT {_COLUMNS} FROM signin_session WHERE session_id = ?", session_id)  # noqa: S608 - constants
    return None if row is None else _session(row)


def of_cookie(tx: Transaction, cookie: str, now: float) -> Session | None:
    """The browser's session that a cookie belongs to, if it lasts."""
    if not _COOKIE.fullmatch(cookie):
        return None
    session_id, _, secret = cookie.partition(".")
    found = find(tx, session_id)
    # Compared where there is no session, too.
    same = hmac.compare_digest(_hash(secret), found.proof if found is not None else bytes(32))
    if found is None or not same or found.client != BROWSER or over(tx, found, now):
        return None
    return found


def of_account(tx: Transaction, account: str) -> list[Session]:
    """Every session of an account that is still known, the newest first."""
    sql = f"SELECT {_COLUMNS} FROM signin_session WHERE account = ? ORDER BY issued_at DESC, session_id"  # noqa: S608 - constants
    return [_session(row) for row in tx.all(sql, account)]


def alike(tx: Transaction, session: Session) -> list[Session]:
    """Every session of the same identity that is still known, the newest first.

    A federated user's are not the user's who made it one, nor those of another session name the role's: whoever has them may be
    somebody else.
    """
    return [each for each in of_account(tx, session.account) if _who(each) == _who(session)]


def _who(session: Session) -> tuple[str, bool, str]:
    """A user is known by its unique id alone, which a new name does not change."""
    return session.owner_id, session.is_lent, session.name if session.is_lent else ""


def _session(row: tuple[object, ...]) -> Session:
    found = Session(*row)  # type: ignore[arg-type] # the columns are those of the table
    return found._replace(proof=bytes(found.proof), stands_for=None if found.stands_for is None else bytes(found.stands_for))


def over(tx: Transaction, session: Session, now: float) -> str:
    """Why a session is over, as CreateOAuth2Token says it; empty while it lasts."""
    if session.ended_at is not None:
        return session.ended_why
    if now >= session.expires_at:
        return EXPIRED
    if session.password_changed is None:
        return ""
    login = find_login(tx, session.account, session.owner_id)
    return CHANGED if login is None or login.changed != session.password_changed else ""


def end(tx: Transaction, session_id: str, why: str, now: float) -> None:
    """End one session."""
    tx.run(
        "UPDATE signin_session SET ended_at = ?, ended_why = ? WHERE session_id = ? AND ended_at IS NULL", now, why, session_id
    )


def end_all(tx: Transaction, session: Session, now: float) -> None:
    """Sign out everywhere: end all sessions of the same identity."""
    for each in alike(tx, session):
        end(tx, each.session_id, CHANGED, now)


def switch(tx: Transaction, session: Session, role: str) -> None:
    """Let a browser's session work as a role from now on; empty: as itself again."""
    tx.run("UPDATE signin_session SET switched = ? WHERE session_id = ?", role, session.session_id)


def rotate(tx: Transaction, session: Session, now: float, user_agent: str) -> bool:
    """Count a refresh. False where another one was counted first, on whichever worker."""
    sql = (
        "UPDATE signin_session SET generation = ?, rotated_at = ?, last_used_at = ?, user_agent = ?"
        " WHERE session_id = ? AND generation = ? AND ended_at IS NULL"
    )
    after = session.generation + 1
    return tx.run(sql, after, now, now, user_agent[:_MAX_AGENT], session.session_id, session.generation) == 1


def mint(sealer: Sealer, session: Session, random: Random, now: float) -> Minted:
    """Credentials for the next quarter of an hour.

    Their TokenIssueTime is that of the session: who denies older tokens denies those, too, that it goes on to make. Raises
    CommonError("expired_token") for a session whose time is over.
    """
    grant = _grant(sealer, session)
    ends = float(int(min(now + CREDENTIAL_SECONDS, session.expires_at)))
    if ends <= now:
        raise CommonError("expired_token")
    secret = secret_access_key(random)
    if grant is None:
        grant = Grant("sign-in", session.account, session.owner_id, secret, session.issued_at, ends, mfa_at=session.mfa_at)
    grant = msgspec.structs.replace(grant, secret=secret, expires_at=ends, signin_session=session.arn)
    key = access_key_id("ASIA", session.account, random)
    return Minted(key, secret, seal_token(sealer, key, grant), ends)


def _grant(sealer: Sealer, session: Session) -> Grant | None:
    if session.stands_for is None:
        return None
    plain = sealer.unseal(_PURPOSE, session.stands_for, session.session_id.encode())
    return msgspec.msgpack.decode(plain, type=Grant)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
