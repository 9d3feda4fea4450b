"""Where an identity is signed in: browsers and command lines, and how to end one of them."""

from __future__ import annotations

from garrison.console.answers import redirect
from garrison.console.site import Site
from garrison.console.visits import Visit, text_of
from garrison.core.clock import iso8601
from garrison.core.http import Response
from garrison.identity.signin import sessions
from garrison.identity.signin.clients import CLIENTS
from garrison.identity.signin.sessions import Session

_PAGE = "/_console/sessions"


async def listed(_site: Site, visit: Visit) -> Response:
    """The identity's own sessions that last."""
    mine = [_shown(each, visit) for each in _own(visit)]
    return visit.page("sessions.html", {"sessions": mine})


async def ended(site: Site, visit: Visit) -> Response:
    """End one of them."""
    chosen = text_of(visit.form, "id", 64)
    if any(each.session_id == chosen for each in _own(visit)):
        with site.store.writing() as tx:
            sessions.end(tx, chosen, sessions.EXPIRED, site.now())
        await site.gateway.settled()
    return redirect(visit.call, _PAGE, visit.cookies)


def _own(visit: Visit) -> list[Session]:
    session = visit.session
    if session is None:
        return []
    return [each for each in sessions.alike(visit.tx, session) if not sessions.over(visit.tx, each, visit.now)]


def _shown(session: Session, visit: Visit) -> dict[str, object]:
    client = CLIENTS.get(session.client)
    return {
        "id": session.session_id,
        "kind": "browser" if client is None else f"command line ({client.place})",
        "agent": session.user_agent,
        "began": iso8601(session.issued_at),
        "used": iso8601(session.last_used_at),
        "ends": iso8601(session.expires_at),
        "this": visit.session is not None and session.session_id == visit.session.session_id,
    }
