"""What identities do for their own sign-in: password, codes, passkeys. Calls of IAM, as the session itself, never as a role."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from typing import Any

import msgspec

from garrison.api import iam as api
from garrison.console.answers import redirect
from garrison.console.calls import CallFailedError
from garrison.console.events import Facts, identity_of, sign_in_event
from garrison.console.home import SIGN_IN
from garrison.console.sign_in import LONGEST, relying_party
from garrison.console.site import Site
from garrison.console.visits import RefusedFormError, Visit, fields_of, text_of
from garrison.core.context import Context
from garrison.core.errors import CommonError, ServiceError
from garrison.core.http import Response
from garrison.core.operation import Check, Target
from garrison.identity import attempts, passwords
from garrison.identity.iam.items import login_changed, mfa_device_changed
from garrison.identity.iam.rows import user_named
from garrison.identity.mfa import passkeys
from garrison.identity.mfa.passkeys import RefusedKeyError
from garrison.identity.signin.once import use_up
from garrison.identity.signin.sessions import Session

_PURPOSE = "signin-key"
_SECONDS = 300
MFA = "/_console/mfa"


class _Asked(msgspec.Struct, array_like=True, frozen=True):
    """A browser was asked for a new key."""

    session_id: str
    challenge: bytes
    until: float


# Password


async def password_form(_site: Site, visit: Visit) -> Response:
    """Where a password is changed."""
    return visit.page("password.html", {"done": False})


async def password(site: Site, visit: Visit) -> Response:
    """Change the password; every other session of the identity ends with it, and this one: whoever knows the new one signs in."""
    session = visit.session
    if session is None:
        return redirect(visit.call, SIGN_IN, visit.cookies)
    old, new, repeated = (visit.form.get(name, "")[:LONGEST] for name in ("old", "new", "repeated"))
    if new != repeated:
        return visit.page("password.html", {"done": False, "message": "The two new passwords differ."}, status=400)
    try:
        if session.is_root:
            await _root_password(site, visit, session, old, new)
        else:
            await site.calls.ask(visit, "iam", "ChangePassword", True, OldPassword=old, NewPassword=new)  # noqa: FBT003 - as itself
    except CallFailedError as error:
        return visit.page("password.html", {"done": False, "message": str(error)}, status=400)
    visit.session = None
    return visit.page("password.html", {"done": True})


async def _root_password(site: Site, visit: Visit, session: Session, old: str, new: str) -> None:
    """The root user's: no operation of IAM changes it. Raises CallFailedError."""
    change = passwords.look_up(visit.tx, site.sealer, session.account, session.account)
    subject = passwords.password_subject(site.sealer, session.account, session.account)
    if attempts.wait(visit.tx, visit.now, subject) > 0:
        raise CallFailedError("AccessDenied", "Too many wrong passwords were given. Try again later.")
    try:
        made = await site.gateway.aside(partial(passwords.make, change, new, site.random, old=old))
        with site.store.writing() as tx:
            now = site.now()
            if made.old_right:
                passwords.keep(tx, site.sealer, change, made, now)
                who = identity_of(session.account, session.account, session.principal_arn, "")
                site.record(sign_in_event(visit.call, "PasswordUpdated", who, now=now, region=site.region))
            else:
                attempts.failed(tx, now, subject)
    except ServiceError as error:
        raise CallFailedError("PasswordPolicyViolation", error.message or "Try again later.") from error
    await site.gateway.settled()
    if not made.old_right:
        raise CallFailedError("AccessDenied", "The old password was incorrect.")


# Devices


async def mfa(site: Site, visit: Visit, message: str = "", status: int = 200) -> Response:
    """The devices there are, and what can be added."""
    if visit.session is None:
        return redirect(visit.call, SIGN_IN, visit.cookies)
    listed: list[tuple[str, str]] = []
    try:
        found = await site.calls.ask(visit, "iam", "ListMFADevices", True)  # noqa: FBT003 - as itself
        listed = [(each.serial_number, each.serial_number.rpartition("/")[2]) for each in found.mfa_devices]
    except CallFailedError as error:
        message = message or str(error)
    values = {"devices": listed, "message": message, "keys": relying_party(visit) is not None}
    return visit.page("mfa.html", values, status=status)


async def new_device(site: Site, visit: Visit) -> Response:
    """A new virtual device: its image is shown once."""
    name = text_of(visit.form, "name", 226)
    try:
        made = await site.calls.ask(visit, "iam", "CreateVirtualMFADevice", True, VirtualMFADeviceName=name)  # noqa: FBT003 - as itself
    except CallFailedError as error:
        return await mfa(site, visit, str(error), 400)
    return _scan(visit, made.virtual_mfa_device)


def _scan(visit: Visit, device: Any) -> Response:  # noqa: ANN401 - api.VirtualMFADevice
    return visit.page(
        "new_device.html",
        {
            "serial": device.serial_number,
            "image": base64.b64encode(device.qr_code_png).decode(),
            "seed": device.base32_string_seed.decode(),
        },
    )


async def enable_device(site: Site, visit: Visit) -> Response:
    """Two codes in a row, and the device is the identity's."""
    session = visit.session
    if session is None:
        return redirect(visit.call, SIGN_IN, visit.cookies)
    serial, first, second = fields_of(visit.form, ("serial", "first", "second"), 256)
    name = session.account if session.is_root else session.name
    members = {"UserName": name, "SerialNumber": serial, "AuthenticationCode1": first, "AuthenticationCode2": second}
    try:
        await site.calls.ask(visit, "iam", "EnableMFADevice", True, **members)  # noqa: FBT003 - as itself
    except CallFailedError as error:
        return visit.page("new_device.html", {"serial": serial, "image": "", "seed": "", "message": str(error)}, status=400)
    return redirect(visit.call, MFA, visit.cookies)


async def remove_device(site: Site, visit: Visit) -> Response:
    """Take a device away; a virtual one is deleted with it."""
    session = visit.session
    if session is None:
        return redirect(visit.call, SIGN_IN, visit.cookies)
    serial = text_of(visit.form, "serial", 256)
    named = {} if session.is_root else {"UserName": session.name}
    try:
        await site.calls.ask(visit, "iam", "DeactivateMFADevice", True, SerialNumber=serial, **named)  # noqa: FBT003 - as itself
        if ":mfa/" in serial:
            await site.calls.ask(visit, "iam", "DeleteVirtualMFADevice", True, SerialNumber=serial)  # noqa: FBT003 - the same
    except CallFailedError as error:
        return await mfa(site, visit, str(error), 400)
    return redirect(visit.call, MFA, visit.cookies)


# Passkeys


def _has_devices(session: Session) -> bool:
    """Users and root users have keys; a role's or federated user's session has none."""
    return not session.is_lent


async def key_form(site: Site, visit: Visit) -> Response:
    """Ask the browser for a new key."""
    session, party = visit.session, relying_party(visit)
    if session is None or not _has_devices(session):
        return redirect(visit.call, MFA, visit.cookies)
    if party is None:
        return await mfa(site, visit, "A passkey needs a host name, and TLS unless it is localhost.", 400)
    ceremony = passkeys.registration(
        visit.tx,
        party,
        account=session.account,
        owner_id=session.owner_id,
        owner_name=session.name or "root",
        random=site.random,
    )
    asked = _Asked(session.session_id, ceremony.challenge, visit.now + _SECONDS)
    carried = visit.seal(_PURPOSE, msgspec.msgpack.encode(asked))
    return visit.page("new_key.html", {"options": ceremony.options, "asked": carried, "script": "passkey.js"})


async def key(site: Site, visit: Visit) -> Response:
    """Keep a new key: iam:EnableMFADevice, which AWS, too, has for keys in its console alone."""
    session, party = visit.session, relying_party(visit)
    if session is None or party is None or not _has_devices(session):
        return redirect(visit.call, SIGN_IN, visit.cookies)
    try:
        asked = msgspec.msgpack.decode(visit.unseal(_PURPOSE, visit.form.get("asked", "")), type=_Asked)
    except msgspec.DecodeError:
        raise RefusedFormError("The form cannot be read.") from None
    if asked.session_id != session.session_id or visit.now >= asked.until:
        raise RefusedFormError("That took too long. Begin again.", 403)
    name = text_of(visit.form, "name", 64)
    credential = visit.form.get("credential", "")
    target = Target(session.principal_arn, session.account)
    check = Check("iam:EnableMFADevice", target, passkeys.registration_keys())

    def register(ctx: Context) -> None:
        if not use_up(ctx.tx, hashlib.sha256(asked.challenge).digest(), asked.until, ctx.now):
            raise CommonError("validation", "The key was registered already.")
        try:
            device = passkeys.register(
                ctx.tx,
                party,
                account=session.account,
                owner_id=session.owner_id,
                owner_name=session.name,
                name=name,
                credential=credential,
                challenge=asked.challenge,
                now=ctx.now,
                random=site.random,
            )
        except RefusedKeyError as error:
            raise api.InvalidAuthenticationCodeException("The key cannot be registered.") from error
        login_changed(ctx, None if session.is_root else user_named(ctx.tx, session.account, session.name))
        mfa_device_changed(ctx, device, session.principal_arn)

    facts = Facts({"userName": session.name or "root", "name": name})
    try:
        site.calls.act(visit, "iam", "EnableMFADevice", check, facts, register)
    except CallFailedError as error:
        await site.gateway.settled()
        return await mfa(site, visit, str(error), 400)
    await site.gateway.settled()
    return redirect(visit.call, MFA, visit.cookies)
