"""Signing in: a password, then the second factor, then a new password where one is due.

What is proven so far is carried by the next form, sealed for this browser and for five minutes: nothing is kept for somebody who
is not signed in. Whoever is wrong reads the same page, whether the account, the user, the password or all of them are, and has
cost the same work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from garrison.console.answers import cookie, redirect
from garrison.console.calls import CallFailedError
from garrison.console.events import FAILED, UNKNOWN, identity_of, sign_in_event, stranger
from garrison.console.site import Site
from garrison.console.visits import SESSION, VISITOR, RefusedFormError, Visit, fields_of, next_of, text_of
from garrison.core.errors import CommonError
from garrison.core.http import Response
from garrison.core.net import is_loopback
from garrison.core.ports import Transaction
from garrison.identity import passwords
from garrison.identity.mfa import devices, passkeys
from garrison.identity.mfa.devices import Device, Judged
from garrison.identity.mfa.passkeys import Site as RelyingParty
from garrison.identity.passwords import SignIn
from garrison.identity.signin import sessions
from garrison.identity.signin.once import use_up
from garrison.identity.signin.sessions import Seen, Who

WRONG = "Your authentication information is incorrect. Please try again."
BUSY = "Too many people are signing in at this moment. Please try again."
SHUT_OUT = "Your password has expired. Ask your administrator for a new one."
STEP_SECONDS = 300
LONGEST = 1024
"""Characters of a password that are looked at; IAM's have 128 at most."""
_PURPOSE = "signin-step"
_FORM = "sign_in.html"


class Step(msgspec.Struct, array_like=True, frozen=True):
    """Somebody whose password was right, on the way to a session."""

    account: str
    owner_id: str
    name: str
    arn: str
    password_changed: float
    must_change: bool
    until: float
    onward: str
    mfa_at: float | None = None
    serial: str = ""
    challenge: bytes = b""


_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Step).decode


# The password


async def form(_site: Site, visit: Visit) -> Response:
    """Where users sign in; the account may be in the address already."""
    onward = next_of(visit.query.get("next", ""))
    if visit.session is not None:
        return redirect(visit.call, onward, visit.cookies)
    account = text_of(visit.query, "account", 64)
    return visit.page(_FORM, {"root": False, "account": account, "user": "", "email": "", "next": onward})


async def root_form(_site: Site, visit: Visit) -> Response:
    """Where root users sign in."""
    onward = next_of(visit.query.get("next", ""))
    return visit.page(_FORM, {"root": True, "account": "", "user": "", "email": "", "next": onward})


async def user(site: Site, visit: Visit) -> Response:
    """A user's password."""
    account, name = fields_of(visit.form, ("account", "user"), 128)
    account = account.replace("-", "") if account.replace("-", "").isdecimal() else account.lower()
    attempt = passwords.user_signs_in(visit.tx, site.sealer, account.strip(), name.strip(), visit.call.source_ip)
    return await _password(site, visit, attempt, {"root": False, "account": account, "user": name, "email": ""})


async def root(site: Site, visit: Visit) -> Response:
    """A root user's password."""
    email = text_of(visit.form, "email", 320)
    attempt = passwords.root_signs_in(visit.tx, site.sealer, email.strip(), visit.call.source_ip)
    return await _password(site, visit, attempt, {"root": True, "account": "", "user": "", "email": email})


async def _password(site: Site, visit: Visit, attempt: SignIn, typed: dict[str, Any]) -> Response:
    onward = next_of(visit.form.get("next", ""))
    again = {**typed, "next": onward}
    try:
        right = await site.gateway.aside(partial(passwords.prove, attempt, visit.form.get("password", "")[:LONGEST]))
    except CommonError:
        return visit.page(_FORM, {**again, "message": BUSY}, status=503)
    site.store.refresh()
    now = site.now()
    with site.store.writing() as tx:
        outcome = passwords.conclude(tx, attempt, now, right=right)
        if not outcome.accepted:
            _failed(site, visit, attempt, now)
        login = passwords.find_login(tx, attempt.account, attempt.owner_id)
    if not outcome.accepted or login is None:
        await site.gateway.settled()
        return visit.page(_FORM, {**again, "message": SHUT_OUT if outcome.shut_out else WRONG}, status=403)
    arn = _arn(site.store.reading(), attempt)
    step = Step(
        attempt.account, attempt.owner_id, attempt.name, arn, login.changed, outcome.must_change, now + STEP_SECONDS, onward
    )
    return await _onward(site, visit, step)


def _arn(tx: Transaction, attempt: SignIn) -> str:
    if attempt.owner_id == attempt.account:
        return f"arn:aws:iam::{attempt.account}:root"
    row = tx.one("SELECT path, name FROM iam_user WHERE account = ? AND user_id = ?", attempt.account, attempt.owner_id)
    path, name = row or ("/", attempt.name)
    return f"arn:aws:iam::{attempt.account}:user{path}{name}"


def _failed(site: Site, visit: Visit, attempt: SignIn, now: float) -> None:
    """Put a wrong password on record: for the account that was meant, where there is one."""
    if not attempt.account or not site.gateway.strangers.admit(now):
        return
    known = bool(attempt.owner_id)
    arn = _arn(site.store.reading(), attempt) if known else ""
    who = identity_of(attempt.account, attempt.owner_id, arn, attempt.name) if known else stranger(attempt.account)
    _login_event(site, visit, who, now, "Failure", FAILED if known else UNKNOWN)


def _login_event(site: Site, visit: Visit, who: Any, now: float, outcome: str, error: str = "", serial: str = "") -> None:  # noqa: ANN401 - UserIdentity
    more = {"MFAIdentifier": serial} if serial else {}
    additional = {"LoginTo": f"{visit.origin}/_console/", "MobileVersion": "No", **more, "MFAUsed": "Yes" if serial else "No"}
    site.record(
        sign_in_event(
            visit.call, "ConsoleLogin", who, now=now, region=site.region, outcome=outcome, error=error, additional=additional
        )
    )


# The steps after it


async def _onward(site: Site, visit: Visit, step: Step, message: str = "", status: int = 200) -> Response:
    """The next thing to prove or to do, or the session."""
    now = site.now()
    mine = devices.of_owner(site.store.reading(), step.account, step.owner_id)
    if mine and step.mfa_at is None:
        if not message:
            with site.store.writing():
                _check_event(site, visit, step, mine, now)
        await site.gateway.settled()
        return _second_factor(site, visit, step, mine, message, status)
    if step.must_change:
        await site.gateway.settled()
        return visit.page("new_password.html", _carried(visit, step) | {"message": message, "name": step.name}, status=status)
    return await _complete(site, visit, step)


def _check_event(site: Site, visit: Visit, step: Step, mine: Sequence[Device], now: float) -> None:
    kinds = {"virtual": "Virtual MFA", "token": "Hardware MFA", "key": "U2F MFA"}
    found = {kinds[each.kind] for each in mine}
    kind = found.pop() if len(found) == 1 else "Multiple MFA Devices"
    who = identity_of(step.account, step.owner_id, "", step.name)
    event = sign_in_event(visit.call, "CheckMfa", who, now=now, region=site.region, additional={"MfaType": kind})
    site.record(event)


def _second_factor(site: Site, visit: Visit, step: Step, mine: Sequence[Device], message: str, status: int) -> Response:
    codes = [each for each in mine if each.kind != "key"]
    keys = any(each.kind == "key" for each in mine)
    options = ""
    party = relying_party(visit)
    if keys and party is not None:
        ceremony = passkeys.authentication(
            site.store.reading(), party, account=step.account, owner_id=step.owner_id, random=site.random
        )
        step, options = msgspec.structs.replace(step, challenge=ceremony.challenge), ceremony.options
    values = {
        "message": message,
        "codes": [(each.serial, each.name) for each in codes],
        "keys": keys,
        "options": options,
        "script": "passkey.js" if options else "",
    }
    return visit.page("second_factor.html", _carried(visit, step) | values, status=status)


def relying_party(visit: Visit) -> RelyingParty | None:
    """Whom a passkey is made for: a name, of TLS or of this machine; None where browsers would make none."""
    host = visit.call.host.rpartition(":")[0] if ":" in visit.call.host else visit.call.host
    named = bool(host) and not host.startswith("[") and not host.replace(".", "").isdecimal()
    if not named or (not visit.call.https and not (host == "localhost" or host.endswith(".localhost") or is_loopback(host))):
        return None
    return RelyingParty(host.lower(), visit.origin)


def _carried(visit: Visit, step: Step) -> dict[str, Any]:
    return {"step": visit.seal(_PURPOSE, _encode(step))}


def _step(site: Site, visit: Visit) -> Step:
    """What the form carries. Raises RefusedFormError where it is not of this browser, or too old."""
    try:
        step = _decode(visit.unseal(_PURPOSE, visit.form.get("step", "")))
    except msgspec.DecodeError:
        raise RefusedFormError("The form cannot be read.") from None
    if site.now() >= step.until:
        raise RefusedFormError("That took too long. Sign in again.", 403)
    return step


async def code(site: Site, visit: Visit) -> Response:
    """A code of a device."""
    step = _step(site, visit)
    serial, given = fields_of(visit.form, ("serial", "code"), 256)
    with site.store.writing() as tx:
        now = site.now()
        judged = devices.verify_code(
            tx, site.sealer, account=step.account, owner_id=step.owner_id, serial=serial, code=given.strip(), now=now
        )
        if not judged.accepted:
            _factor_failed(site, visit, step, now, serial)
    return await _judged(site, visit, step, judged, now)


async def passkey(site: Site, visit: Visit) -> Response:
    """The signature of a key."""
    step, party = _step(site, visit), relying_party(visit)
    if party is None or not step.challenge:
        raise RefusedFormError("No key was asked for.")
    with site.store.writing() as tx:
        now = site.now()
        fresh = use_up(tx, hashlib.sha256(step.challenge).digest(), step.until, now)
        judged = passkeys.verify(
            tx,
            site.sealer,
            party,
            account=step.account,
            owner_id=step.owner_id,
            credential=visit.form.get("credential", ""),
            challenge=step.challenge if fresh else site.random(len(step.challenge)),
            now=now,
        )
        if not judged.accepted:
            _factor_failed(site, visit, step, now, "key")
    return await _judged(site, visit, step, judged, now)


async def _judged(site: Site, visit: Visit, step: Step, judged: Judged, now: float) -> Response:
    if not judged.accepted or judged.device is None:
        return await _onward(site, visit, step, WRONG, 403)
    proven = msgspec.structs.replace(step, mfa_at=now, serial=judged.device.serial, challenge=b"")
    return await _onward(site, visit, proven)


def _factor_failed(site: Site, visit: Visit, step: Step, now: float, serial: str) -> None:
    if site.gateway.strangers.admit(now):
        who = identity_of(step.account, step.owner_id, step.arn, step.name)
        _login_event(site, visit, who, now, "Failure", FAILED, serial or "none")


async def new_password(site: Site, visit: Visit) -> Response:
    """A new password, where the old one must be changed: iam:ChangePassword as the user who is signing in."""
    step = _step(site, visit)
    old, new, repeated = (visit.form.get(name, "")[:LONGEST] for name in ("old", "new", "repeated"))
    if not step.must_change:
        raise RefusedFormError("No new password is due.")
    mine = devices.of_owner(site.store.reading(), step.account, step.owner_id)
    if mine and step.mfa_at is None:
        return await _onward(site, visit, step)
    if new != repeated:
        return await _onward(site, visit, step, "The two new passwords differ.", 400)
    passing = sessions.passing(_who(step), Seen(site.region, visit.call.user_agent), site.random, site.now(), step.until)
    minted = sessions.mint(site.sealer, passing, site.random, visit.now)
    try:
        await site.calls.send(visit, minted, "iam", "ChangePassword", {"OldPassword": old, "NewPassword": new})
    except CallFailedError as error:
        return await _onward(site, visit, step, str(error), 400)
    login = passwords.find_login(site.store.reading(), step.account, step.owner_id)
    if login is None or login.reset_required:
        raise RefusedFormError("The password was changed by somebody else. Sign in again.", 403)
    return await _onward(site, visit, msgspec.structs.replace(step, must_change=False, password_changed=login.changed))


# The session


def _who(step: Step) -> Who:
    return Who(step.account, step.owner_id, step.arn, step.name, step.password_changed, None, step.mfa_at)


async def _complete(site: Site, visit: Visit, step: Step) -> Response:
    """Open the session, unless what was proven is not so any more."""
    now = site.now()
    login = passwords.find_login(site.store.reading(), step.account, step.owner_id)
    if login is None or login.changed != step.password_changed:
        raise RefusedFormError("The password was changed meanwhile. Sign in again.", 403)
    lasts = sessions.longest(site.store.reading(), step.account, step.owner_id)
    with site.store.writing() as tx:
        opened = begin(site, visit, tx, _who(step), now, now + lasts)
        passwords.signed_in(tx, step.account, step.owner_id, now)
        who = identity_of(step.account, step.owner_id, step.arn, step.name)
        _login_event(site, visit, who, now, "Success", serial=step.serial)
    await site.gateway.settled()
    return redirect(visit.call, step.onward, [*visit.cookies, *opened])


def begin(site: Site, visit: Visit, tx: Transaction, who: Who, now: float, ends: float) -> list[tuple[str, str]]:
    """Open a session in place of the browser's old one. Session and browser get new names: none that was known before counts."""
    if visit.session is not None:
        sessions.end(tx, visit.session.session_id, sessions.EXPIRED, now)
    seen = Seen(site.region, visit.call.user_agent)
    opened = sessions.open_browser(tx, site.sealer, who, seen, random=site.random, now=now, ends=ends)
    return [cookie(visit.call, SESSION, opened.cookie), cookie(visit.call, VISITOR, site.random(32).hex())]
