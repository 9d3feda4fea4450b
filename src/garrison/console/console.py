"""Which page a request is for, and what happens before and after: the session is found, forms are checked, failures are told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from garrison.console import authorize, credentials, delegation, home, saml, sign_in, sign_in_tokens, sign_ins
from garrison.console.answers import is_here, redirect, static
from garrison.console.calls import Calls
from garrison.console.site import Site
from garrison.console.visits import HOME, RefusedFormError, Visit
from garrison.core.context import Call
from garrison.core.errors import CommonError, ServiceError
from garrison.core.http import Request, Response
from garrison.identity.signin.clients import CONFIRMATION
from garrison.wire.gateway import Gateway

log = logging.getLogger("garrison.console")

Page = Callable[[Site, Visit], Awaitable[Response]]
FOLDER = "/_console"
_NAMES = frozenset({"signin", "console"})


class _Route(NamedTuple):
    page: Page
    signed_in: bool = False
    """Whether it is for somebody with a session; others are asked to sign in."""
    own_form: bool = True
    """Of a POST: whether it must be a form of ours, with its token."""


_ROUTES: Mapping[tuple[str, str], _Route] = {
    ("GET", HOME): _Route(home.home, signed_in=True),
    ("GET", "/_console/sign-in"): _Route(sign_in.form),
    ("POST", "/_console/sign-in"): _Route(sign_in.user),
    ("GET", "/_console/sign-in/root"): _Route(sign_in.root_form),
    ("POST", "/_console/sign-in/root"): _Route(sign_in.root),
    ("POST", "/_console/sign-in/code"): _Route(sign_in.code),
    ("POST", "/_console/sign-in/passkey"): _Route(sign_in.passkey),
    ("POST", "/_console/sign-in/password"): _Route(sign_in.new_password),
    ("POST", "/_console/sign-out"): _Route(home.sign_out),
    ("GET", "/_console/switch-role"): _Route(home.switch_form, signed_in=True),
    ("POST", "/_console/switch-role"): _Route(home.switch, signed_in=True),
    ("POST", "/_console/exit-role"): _Route(home.exit_role, signed_in=True),
    ("GET", "/_console/password"): _Route(credentials.password_form, signed_in=True),
    ("POST", "/_console/password"): _Route(credentials.password, signed_in=True),
    ("GET", "/_console/mfa"): _Route(credentials.mfa, signed_in=True),
    ("POST", "/_console/mfa/new"): _Route(credentials.new_device, signed_in=True),
    ("POST", "/_console/mfa/enable"): _Route(credentials.enable_device, signed_in=True),
    ("POST", "/_console/mfa/remove"): _Route(credentials.remove_device, signed_in=True),
    ("GET", "/_console/mfa/key"): _Route(credentials.key_form, signed_in=True),
    ("POST", "/_console/mfa/key"): _Route(credentials.key, signed_in=True),
    ("GET", "/_console/sessions"): _Route(sign_ins.listed, signed_in=True),
    ("POST", "/_console/sessions"): _Route(sign_ins.ended, signed_in=True),
    ("GET", delegation.PATH): _Route(delegation.shown),
    ("POST", delegation.PATH): _Route(delegation.step, signed_in=True),
    ("GET", authorize.PATH): _Route(authorize.form),
    ("POST", authorize.PATH): _Route(authorize.allow),
    ("GET", CONFIRMATION): _Route(authorize.confirmation),
    ("GET", sign_in_tokens.PATH): _Route(sign_in_tokens.federation),
    ("POST", sign_in_tokens.PATH): _Route(sign_in_tokens.federation, own_form=False),
    ("POST", "/_console/federation"): _Route(sign_in_tokens.login),
    ("POST", saml.PATH): _Route(saml.received, own_form=False),
    ("POST", saml.FORM): _Route(saml.login),
}


@dataclass(slots=True)
class Console:
    """The gateway's pages. One for each worker."""

    site: Site

    @classmethod
    def of(cls, gateway: Gateway) -> Console:
        """The pages that call through this gateway."""
        return cls(Site(gateway, Calls(gateway)))

    def __call__(self, request: Request, call: Call) -> Awaitable[Response] | None:
        """The answer to a browser; None for what is an API's."""
        if not self._is_ours(request) or self._is_a_buckets(call.host):
            return None
        if request.header("authorization").startswith("AWS4-") or "X-Amz-Signature=" in request.query:
            return None
        return self._answer(request, self._as_sent(call))

    def _as_sent(self, call: Call) -> Call:
        """The call as the browser made it: over TLS, where a proxy that ends it stands at the address that the operator names.

        A browser on this machine can come past the proxy; over plain HTTP it would not keep a cookie that wants TLS.
        """
        fronted = self.site.gateway.ports.public_url.startswith("https://") and not call.secure and not is_here(call.host)
        return msgspec.structs.replace(call, fronted=True) if fronted else call

    def _is_ours(self, request: Request) -> bool:
        path = request.path
        if path.startswith(FOLDER):
            return path == FOLDER or path.startswith(HOME)
        if path == "/":
            # A browser that was only told the address; an API's client sends no such thing.
            return request.method == "GET" and not request.query and "text/html" in request.header("accept")
        if path in {authorize.PATH, CONFIRMATION}:
            return True
        return sign_in_tokens.is_ours(request) or saml.is_ours(request)

    def _is_a_buckets(self, host: str) -> bool:
        """Whether the name is a bucket's, in which our paths are names of objects; ``signin`` and ``console`` are our own."""
        parts = self.site.gateway.router.hosts.parts(host)
        return bool(parts.bucket) and not _NAMES.intersection(parts.labels)

    async def _answer(self, request: Request, call: Call) -> Response:
        gateway = self.site.gateway
        visit = Visit(request, call, float(int(gateway.clock())), gateway.region, gateway.ports.sealer, gateway.store.reading())
        try:
            self._hear_of_others()
            return await self._page(visit)
        except RefusedFormError as error:
            return visit.page("message.html", {"message": str(error)}, status=error.status)
        except ServiceError as error:
            log.warning("a page could not be made", extra={"path": request.path, "kind": getattr(error, "kind", "")})
            return _lost(visit)
        except Exception:
            log.exception("a page failed inside", extra={"path": request.path})
            return _lost(visit, 500)

    def _hear_of_others(self) -> None:
        """What is cached may be stale while other nodes cannot be heard: nothing is decided then."""
        if self.site.gateway.deaf:
            raise CommonError("unavailable")
        self.site.store.refresh()

    async def _page(self, visit: Visit) -> Response:
        request = visit.request
        if request.path in {FOLDER, "/"}:
            return redirect(visit.call, HOME)
        method = "GET" if request.method == "HEAD" else request.method
        route = _ROUTES.get((method, saml.PATH if request.path.startswith(saml.ACS) else request.path))
        if route is None:
            return _file(visit) or _nowhere(visit)
        visit.recognize()
        if method == "POST" and route.own_form:
            visit.check_form()
        if route.signed_in and visit.session is None:
            return redirect(visit.call, home.SIGN_IN, visit.cookies)
        answer = await route.page(self.site, visit)
        return answer if request.method != "HEAD" else Response(answer.status, answer.headers)


def _file(visit: Visit) -> Response | None:
    return static(visit.call, visit.request.path.removeprefix(HOME)) if visit.request.method == "GET" else None


def _nowhere(visit: Visit) -> Response:
    known = any(path == visit.request.path for _, path in _ROUTES)
    message = "This page takes no such request." if known else "There is no such page."
    return visit.page("message.html", {"message": message}, status=405 if known else 404)


def _lost(visit: Visit, status: int = 503) -> Response:
    visit.session = None
    return visit.page("message.html", {"message": "The server could not do that now. Please try again."}, status=status)
