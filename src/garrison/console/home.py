"""The home page: who is signed in, and the ways out."""

from __future__ import annotations

from garrison.audit import UserIdentity
from garrison.console.answers import cookie, no_cookie, redirect
from garrison.console.calls import CallFailedError
from garrison.console.events import sign_in_event
from garrison.console.site import Site
from garrison.console.visits import HOME, SESSION, VISITOR, Visit, text_of
from garrison.core.clock import iso8601
from garrison.core.http import Response
from garrison.identity.signin import sessions

SIGN_IN = "/_console/sign-in"


async def home(site: Site, visit: Visit) -> Response:
    """Who is signed in, as the API itself says it."""
    session = visit.session
    if session is None:
        return redirect(visit.call, SIGN_IN, visit.cookies)
    try:
        caller = await site.calls.ask(visit, "sts", "GetCallerIdentity")
    except CallFailedError as error:
        return visit.page("home.html", {"arn": session.principal_arn, "message": str(error), "ends": "", "own": ""}, status=403)
    own = session.principal_arn if session.switched else ""
    return visit.page("home.html", {"arn": caller.arn, "own": own, "ends": iso8601(session.expires_at)})


async def sign_out(site: Site, visit: Visit) -> Response:
    """End this session, or all that the identity has."""
    session = visit.session
    if session is not None:
        now = site.now()
        with site.store.writing() as tx:
            if visit.form.get("everywhere"):
                sessions.end_all(tx, session, now)
            else:
                sessions.end(tx, session.session_id, sessions.EXPIRED, now)
        await site.gateway.settled()
    fresh = cookie(visit.call, VISITOR, site.random(32).hex())
    return redirect(visit.call, SIGN_IN, [no_cookie(visit.call, SESSION), fresh])


async def switch_form(_site: Site, visit: Visit) -> Response:
    """Where a role is chosen."""
    account, role = text_of(visit.query, "account", 64), text_of(visit.query, "roleName", 512)
    return visit.page("switch_role.html", {"account": account, "role": role})


async def switch(site: Site, visit: Visit) -> Response:
    """Work as a role: it is assumed now, and again each quarter of an hour, as the session's own identity."""
    session = visit.session
    if session is None:
        return redirect(visit.call, SIGN_IN, visit.cookies)
    account, role = text_of(visit.form, "account", 64).strip(), text_of(visit.form, "role", 512).strip().lstrip("/")
    arn = f"arn:aws:iam::{_number_of(site, account)}:role/{role}"
    own = sessions.mint(site.sealer, session, site.random, visit.now)
    try:
        minted = await site.calls.assume(visit, own, session, arn)
    except CallFailedError:
        # Whether there is such a role is nobody's business who may not assume it.
        message = "The role cannot be switched to: it may not exist, or does not trust you, or you may not assume it."
        return visit.page("switch_role.html", {"account": account, "role": role, "message": message}, status=403)
    principal = site.gateway.principals.credential(minted.access_key_id, minted.token, visit.now).principal
    who = UserIdentity("AssumedRole", principal.id, principal.arn, principal.account)
    additional = {"SwitchFrom": session.principal_arn, "RedirectTo": f"{visit.origin}{HOME}"}
    with site.store.writing() as tx:
        sessions.switch(tx, session, arn)
        site.record(sign_in_event(visit.call, "SwitchRole", who, now=site.now(), region=site.region, additional=additional))
    await site.gateway.settled()
    return redirect(visit.call, HOME, visit.cookies)


def _number_of(site: Site, account: str) -> str:
    """The account that is meant: a number is one, whoever has it as an alias."""
    number = account.replace("-", "")
    if len(number) == 12 and number.isdecimal():
        return number
    row = site.store.reading().one("SELECT account FROM iam_account WHERE alias = ?", account.lower())
    return str(row[0]) if row else number


async def exit_role(site: Site, visit: Visit) -> Response:
    """Work as oneself again."""
    session = visit.session
    if session is None or not session.switched:
        return redirect(visit.call, HOME, visit.cookies)
    account, _, role = session.switched.partition("arn:aws:iam::")[2].partition(":role/")
    who = UserIdentity(
        "AssumedRole", arn=f"arn:aws:sts::{account}:assumed-role/{role.rpartition('/')[2]}/{session.name}", account_id=account
    )
    additional = {"SwitchTo": session.principal_arn, "RedirectTo": f"{visit.origin}{HOME}"}
    with site.store.writing() as tx:
        sessions.switch(tx, session, "")
        site.record(sign_in_event(visit.call, "ExitRole", who, now=site.now(), region=site.region, additional=additional))
    await site.gateway.settled()
    return redirect(visit.call, HOME, visit.cookies)
