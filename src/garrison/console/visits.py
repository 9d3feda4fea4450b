"""A visit: one request of a browser, its form, its cookies, and the session that it has.

A form is taken only from our own pages: its token is of this browser and its session, and the browser says that it came from
here.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from garrison.console.answers import Header, cookie, cookie_name, page
from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.core.ids import system_random
from garrison.core.ports import Sealer, Transaction
from garrison.identity.signin import sessions
from garrison.identity.signin.sessions import Session

SESSION = "session"
VISITOR = "visitor"
MAX_FORM = 128 * 1024
"""Bytes; the answer of a passkey is the largest that a form of ours can hold."""
MAX_FIELDS = 64
_CSRF = "console-form"
_VISITOR = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
HOME = "/_console/"
_NEXT = re.compile(r"/(?:_console/|v1/authorize\?)[!-\[\]-~]*")
"""Where a sign-in may lead: pages of ours, by their path. A backslash is a slash to browsers, and no part of one."""


class RefusedFormError(Exception):
    """A form that is not taken; the message is for whoever sent it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Visit:
    """A request of a browser."""

    request: Request
    call: Call
    now: float
    region: str
    sealer: Sealer
    tx: Transaction
    """Reads alone."""
    session: Session | None = None
    cookies: list[Header] = field(default_factory=list)
    """To be set with the answer."""

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The query's parameters; of one that comes twice the first. Raises RefusedFormError."""
        return _fields(self.request.query)

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The form's fields. Raises RefusedFormError."""
        if len(self.request.body) > MAX_FORM:
            raise RefusedFormError("The form is too large.", 413)
        kind = self.request.header("content-type").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise RefusedFormError("A form was expected.", 415)
        return _fields(self.request.body.decode("latin-1"))

    @cached_property
    def visitor(self) -> str:
        """The browser, before anybody signs in and after; made at its first visit."""
        found = self.jar.get(cookie_name(self.call, VISITOR), "")
        if not _VISITOR.fullmatch(found):
            found = system_random(32).hex()
            self.cookies.append(cookie(self.call, VISITOR, found))
        return found

    @cached_property
    def jar(self) -> Mapping[str, str]:
        """The cookies; of one that comes twice none: somebody put one there."""
        found: dict[str, str] = {}
        twice = set()
        for header in self.request.header_list("cookie"):
            for part in header.split(";"):
                name, _, value = part.strip().partition("=")
                if name in found:
                    twice.add(name)
                found[name] = value
        return {name: value for name, value in found.items() if name not in twice}

    def recognize(self) -> None:
        """Find the session of the cookie."""
        self.session = sessions.of_cookie(self.tx, self.jar.get(cookie_name(self.call, SESSION), ""), self.now)

    @property
    def origin(self) -> str:
        """``https://host:port``, as the browser names us."""
        return f"{'https' if self.call.https else 'http'}://{self.call.host}"

    @property
    def csrf(self) -> str:
        """What a form of ours carries."""
        text = f"{self.visitor}/{self.session.session_id if self.session else ''}"
        return self.sealer.mac(_CSRF, text.encode()).hex()

    def check_form(self) -> None:
        """Raises RefusedFormError for a form that did not come from a page of ours in this browser."""
        sent = self.request.header("origin")
        site = self.request.header("sec-fetch-site")
        own = (not sent or sent in self._own_origins()) and site in {"", "same-origin", "none"}
        given = self.form.get("csrf", "")
        if not own or not hmac.compare_digest(given.encode(), self.csrf.encode()):
            raise RefusedFormError(
                "The form is not of this page any more. Go back, load the page again and send it once more.", 403
            )

    def _own_origins(self) -> set[str]:
        # Before a proxy that ends TLS the browser's origin is of HTTPS though the request is not.
        return {self.origin, f"https://{self.call.host}"}

    def page(self, template: str, values: Mapping[str, Any] | None = None, *, status: int = 200, form_to: str = "") -> Response:
        """A page with this visit's cookies and form token."""
        shared = {"csrf": self.csrf, "origin": self.origin, "session": self.session, "message": "", "script": ""}
        return page(self.call, template, {**shared, **(values or {})}, status=status, cookies=self.cookies, form_to=form_to)

    def seal(self, purpose: str, plain: bytes) -> str:
        """Something to be carried by a form of this browser, unread and unaltered."""
        return self.sealer.seal(purpose, plain, self.visitor.encode()).hex()

    def unseal(self, purpose: str, carried: str) -> bytes:
        """What a form of this browser carried. Raises RefusedFormError."""
        try:
            return self.sealer.unseal(purpose, bytes.fromhex(carried), self.visitor.encode())
        except ValueError:
            raise RefusedFormError("The form is not of this browser. Begin again.", 403) from None


def next_of(text: str) -> str:
    """Where to go on after a sign-in: what was asked for if it is a page of ours, else the home page."""
    return text if _NEXT.fullmatch(text) and len(text) <= 8192 else HOME


def _fields(text: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:  # UnicodeDecodeError is one
        raise RefusedFormError("The form cannot be read.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def text_of(form: Mapping[str, str], name: str, longest: int) -> str:
    """A field of one line; raises RefusedFormError where it is too long or holds control characters."""
    value = form.get(name, "")
    if len(value) > longest or _CONTROL.search(value):
        raise RefusedFormError(f"The field {name} cannot be read.")
    return value


def fields_of(form: Mapping[str, str], names: Sequence[str], longest: int) -> tuple[str, ...]:
    """Several fields of one line."""
    return tuple(text_of(form, name, longest) for name in names)
