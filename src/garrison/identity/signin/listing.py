"""Sign-in sessions as an API: list them, look at one, end some.

A caller's own ones where it names nobody, else those of an identity of its account, or of all (``arn:aws:iam::ACCOUNT:*``).
Source: AWS Sign-In API Reference, ListSessions, GetSession and BatchRevokeSessions.
"""

from __future__ import annotations

from functools import partial

from garrison.api import signin as api
from garrison.core.context import Context
from garrison.core.errors import CommonError
from garrison.core.operation import operation
from garrison.core.paging import page_token, read_token
from garrison.core.principal import Principal
from garrison.identity.signin import sessions
from garrison.identity.signin.sessions import Session

_MOST = 100
_NOT_FOUND = "The session was not found."


def owner_arn(principal: Principal) -> str:
    """Whose sessions are the caller's own: a role's are those of all its sessions."""
    session = principal.session
    return session.issuer_arn if principal.kind == "assumed-role" and session is not None else principal.arn


def short(arn: str) -> str:
    """An identity's ARN without its path, as this service has it."""
    head, slash, rest = arn.partition("/")
    return f"{head}{slash}{rest.rpartition('/')[2]}"


def _is_meant(ctx: Context, asked: str | None, session: Session) -> bool:
    """Whether a session is among those that ``principalArn`` names."""
    if session.account != ctx.account:
        return False
    return asked == f"arn:aws:iam::{ctx.account}:*" or short(session.principal_arn) == (asked or short(owner_arn(ctx.principal)))


def _status(ctx: Context, session: Session) -> str:
    return "REVOKED" if sessions.over(ctx.tx, session, ctx.now) not in {"", sessions.EXPIRED} or session.ended_at else "ACTIVE"


@operation("signin", resource="*", read=True)
def list_sessions(ctx: Context, req: api.ListSessionsInput) -> api.ListSessionsOutput:
    """The sessions that have not run out, the newest first. Raises ValidationException on a foreign token."""
    mac, scope = partial(ctx.ports.sealer.mac, "page"), f"signin/sessions/{ctx.account}/{req.principal_arn}/{ctx.principal.arn}"
    scope += f"/{req.status}/{req.client_id}/{req.issued_after}/{req.issued_before}"
    after = ""
    if req.next_token:
        try:
            after = read_token(mac, scope, req.next_token)
        except ValueError:
            raise CommonError("validation", "The nextToken is not valid.") from None
    wanted = [each for each in sessions.of_account(ctx.tx, ctx.account) if _is_wanted(ctx, req, each)]
    rest = sorted((each for each in wanted if _place(each) > after), key=_place)
    limit = req.max_results or _MOST
    items = rest[:limit]
    token = page_token(mac, scope, _place(items[-1])) if len(rest) > limit else None
    return api.ListSessionsOutput(items=[_shown(ctx, each) for each in items], next_token=token)


def _place(session: Session) -> str:
    """Where it stands in the list: later ones first."""
    return f"{9_999_999_999 - int(session.issued_at):010d}/{session.session_id}"


def _is_wanted(ctx: Context, req: api.ListSessionsInput, session: Session) -> bool:
    if not _is_meant(ctx, req.principal_arn, session) or ctx.now >= session.expires_at:
        return False
    return (
        (req.status is None or req.status == _status(ctx, session))
        and (req.client_id is None or req.client_id == session.client)
        and (req.issued_after is None or session.issued_at >= req.issued_after)
        and (req.issued_before is None or session.issued_at < req.issued_before)
    )


def _shown(ctx: Context, session: Session) -> api.Session:
    return api.Session(
        session_arn=session.arn,
        principal_arn=short(session.principal_arn),
        role=_role(session),
        status=_status(ctx, session),
        issued_at=int(session.issued_at),
        expires_at=int(session.expires_at),
        client_id=session.client or None,
        client_type="CLI" if session.client else None,
    )


def _role(session: Session) -> str | None:
    return short(session.principal_arn) if ":role/" in session.principal_arn else None


@operation("signin", resource="*", read=True)
def get_session(ctx: Context, req: api.GetSessionInput) -> api.GetSessionOutput:
    """One session. Raises ResourceNotFoundException, also for one of somebody else."""
    found = _find(ctx, req.session_arn, req.principal_arn)
    if found is None:
        raise api.ResourceNotFoundException(_NOT_FOUND, error="RESOURCE_NOT_FOUND")
    origin = f"arn:aws:signin:{found.region}:{found.account}:session/{found.origin}" if found.origin else None
    return api.GetSessionOutput(
        session_arn=found.arn,
        principal_arn=short(found.principal_arn),
        role=_role(found),
        status=_status(ctx, found),
        issued_at=int(found.issued_at),
        expires_at=int(found.expires_at),
        last_used_at=int(found.last_used_at),
        client_id=found.client or None,
        client_type="CLI" if found.client else None,
        issued_in_region=found.region,
        origin_session_arn=origin,
        user_agent=found.user_agent or None,
    )


def _find(ctx: Context, arn: str, asked: str | None) -> Session | None:
    head, _, session_id = arn.rpartition("/")
    if not head.startswith("arn:aws:signin:") or not session_id.isascii() or not session_id.isprintable():
        return None
    found = sessions.find(ctx.tx, session_id)
    return found if found is not None and found.arn == arn and _is_meant(ctx, asked, found) else None


@operation("signin", resource="*")
def batch_revoke_sessions(ctx: Context, req: api.BatchRevokeSessionsInput) -> api.BatchRevokeSessionsOutput:
    """End up to five sessions; what is not found is told one by one. A session that has ended stays so."""
    revoked: list[api.RevokedSession] = []
    errors: list[api.BatchRevokeSessionError] = []
    for arn in req.session_arns:
        found = _find(ctx, arn, req.principal_arn)
        if found is None:
            errors.append(api.BatchRevokeSessionError(session_arn=arn, code="RESOURCE_NOT_FOUND", message=_NOT_FOUND))
            continue
        sessions.end(ctx.tx, found.session_id, sessions.EXPIRED, ctx.now)
        revoked.append(api.RevokedSession(session_arn=arn))
    return api.BatchRevokeSessionsOutput(revoked_sessions=revoked, errors=errors)
