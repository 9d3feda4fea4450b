"""What pages answer: HTML with the headers that keep it ours, redirects to our own pages, cookies.

Sources: W3C Content Security Policy Level 3; RFC 6265bis, "Set-Cookie"; OWASP Cheat Sheet Series, "HTTP Security Response
Headers".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from garrison.core.context import Call
from garrison.core.http import Response
from garrison.core.net import is_loopback

if TYPE_CHECKING:
    from jinja2 import Environment

Header = tuple[str, str]

_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_SAFE_VALUE = re.compile(r"[ -~]*")
_ALWAYS: Sequence[Header] = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    # Not `no-referrer`: browsers then send `Origin: null` with our own forms.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


def page(
    call: Call,
    template: str,
    values: Mapping[str, Any],
    *,
    status: int = 200,
    cookies: Sequence[Header] = (),
    form_to: str = "",
) -> Response:
    """A page. ``form_to``: the origin to which an answer to one of its forms may lead, beside our own."""
    scripts = "'self'" if values.get("script") else "'none'"
    policy = (
        f"default-src 'none'; style-src 'self'; img-src 'self' data:; script-src {scripts}; connect-src 'none'; "
        f"form-action 'self'{' ' + form_to if form_to else ''}; frame-ancestors 'none'; base-uri 'none'"
    )
    body = environment().get_template(template).render(values)
    headers = [("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy), ("cache-control", "no-store")]
    return _checked(Response(status, [*headers, *_ALWAYS, *_transport(call), *cookies], body.encode()))


def redirect(call: Call, location: str, cookies: Sequence[Header] = ()) -> Response:
    """Go on with a GET of another page. The caller has checked where it leads."""
    headers = [("location", location), ("cache-control", "no-store"), *_ALWAYS, *_transport(call), *cookies]
    return _checked(Response(303, headers))


def document(call: Call, status: int, kind: str, body: bytes) -> Response:
    """An answer to a program."""
    return _checked(Response(status, [("content-type", kind), ("cache-control", "no-store"), *_ALWAYS, *_transport(call)], body))


def static(call: Call, name: str) -> Response | None:
    """A style sheet or script of ours; None for any other name."""
    body = _files().get(name)
    if body is None:
        return None
    kind = _KINDS[name.rpartition(".")[2]]
    # Checked for a newer one each time: there is no other name for the next version's.
    return Response(200, [("content-type", kind), ("cache-control", "no-cache"), *_ALWAYS, *_transport(call)], body)


def cookie(call: Call, name: str, value: str) -> Header:
    """A cookie for our own pages alone; it ends with the browser."""
    return (
        "set-cookie",
        f"{cookie_name(call, name)}={value}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if call.https else ''}",
    )


def no_cookie(call: Call, name: str) -> Header:
    """Take a cookie back."""
    kind, text = cookie(call, name, "")
    return kind, f"{text}; Max-Age=0"


def cookie_name(call: Call, name: str) -> str:
    """Over TLS no other host, and nobody without TLS, can set a cookie of this name."""
    return f"__Host-garrison-{name}" if call.https else f"garrison-{name}"


def _transport(call: Call) -> Sequence[Header]:
    """Names of the loopback are shared with whatever else runs there: nothing is asked of browsers for those."""
    if not call.https or is_here(call.host):
        return ()
    return (("strict-transport-security", "max-age=31536000"),)


def is_here(host: str) -> bool:
    """Whether a Host header names the machine that the browser runs on."""
    name = host.rpartition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name) or name == "localhost" or name.endswith(".localhost")


def _checked(response: Response) -> Response:
    """Raises ValueError where a header's value would end it early: nothing of a request makes a header of its own."""
    for name, value in response.headers:
        if not _SAFE_VALUE.fullmatch(value):
            msg = f"a value of the header {name} cannot be sent"
            raise ValueError(msg)
    return response


@cache
def environment() -> Environment:
    """The templates: everything in them is escaped, and a name that a page forgot is an error."""
    # Loading it costs a tenth of a start.
    from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 - only pages need it

    folder = resources.files("garrison.console") / "templates"

    def load(name: str) -> str | None:
        return (folder / name).read_text(encoding="utf-8") if re.fullmatch(r"[a-z_]+\.html", name) else None

    return Environment(
        loader=FunctionLoader(load),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def _files() -> Mapping[str, bytes]:
    folder = resources.files("garrison.console") / "static"
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name.endswith((".css", ".js"))}
