"""A browser without a screen: it keeps cookies, reads forms and sends them, and follows nothing by itself."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from garrison.core.http import Request, Response
from tests.support.inprocess import HOST, InProcess
from tests.support.server import Server

Transport = Callable[[Request], Response]


@dataclass(slots=True)
class Form:
    """A form of a page."""

    action: str
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    """What it sends if nobody types anything; of a list the first choice."""
    options: str = ""
    """What a passkey's form asks the authenticator."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.texts: dict[str, str] = {}
        self._inside: list[str] = []
        self._choice = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get"), {}, given.get("data-options", "")))
        if tag == "input" and self.forms and "name" in given:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        if tag == "select":
            self._choice = given.get("name", "")
        if tag == "option" and self.forms:
            self.forms[-1].fields.setdefault(self._choice, given.get("value", ""))
        if tag not in {"input", "meta", "link", "img", "br"}:
            name = given.get("id") or ("message" if "message" in given.get("class", "") and given.get("role") else "")
            self._inside.append(name)
            if name:
                self.texts.setdefault(name, "")

    def handle_endtag(self, tag: str) -> None:
        if self._inside:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        for name in self._inside:
            if name:
                self.texts[name] += data


class Page:
    """An answer."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.status = response.status
        self.body = response.body.decode("utf-8", "replace")
        reader = _Reader()
        if self.header("content-type").startswith("text/html"):
            reader.feed(self.body)
        self.forms = reader.forms
        self.texts = reader.texts
        """Of elements with an id, and under ``message`` what the page says."""

    def header(self, name: str) -> str:
        return next((value for key, value in self.response.headers if key.lower() == name), "")

    @property
    def location(self) -> str:
        return self.header("location")

    @property
    def message(self) -> str:
        return self.texts.get("message", "")

    def form(self, action: str) -> Form:
        """The last form that goes there."""
        return next(each for each in reversed(self.forms) if each.action == action)


@dataclass
class Browser:
    """One browser: ``get`` pages, ``send`` their forms."""

    transport: Transport
    host: str = HOST
    agent: str = "tests"
    cookies: dict[str, str] = field(default_factory=dict)
    page: Page = field(init=False)

    def get(self, path: str, **headers: str) -> Page:
        return self._sent("GET", path, b"", headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Page:
        """Send fields as a form does, whatever page they are of."""
        kind = {"content_type": "application/x-www-form-urlencoded", "origin": self.origin}
        return self._sent("POST", path, urlencode(fields).encode(), {**kind, **headers})

    def send(self, action: str, **typed: str) -> Page:
        """Fill in the form of the present page that goes there, and send it."""
        form = self.page.form(action)
        assert set(typed) <= set(form.fields), f"the form has {sorted(form.fields)}"
        return self.post(action, {**form.fields, **typed})

    origin: str = f"http://{HOST}"

    def _sent(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Page:
        bare, _, query = path.partition("?")
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {"host": self.host, "user-agent": self.agent, **({"cookie": jar} if jar else {})}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.transport(Request(method, bare, query, list(given.items()), body))
        for name, value in response.headers:
            if name.lower() == "set-cookie":
                self._keep(value)
        self.page = Page(response)
        return self.page

    def _keep(self, text: str) -> None:
        name, _, value = text.partition(";")[0].partition("=")
        if "max-age=0" in text.lower():
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    # What people do

    def sign_in(self, account: str, user: str, password: str, onward: str = "") -> Page:
        """As a user, up to what comes after the password."""
        self.get("/_console/sign-in" + (f"?{urlencode({'next': onward})}" if onward else ""))
        return self.send("/_console/sign-in", account=account, user=user, password=password)

    def sign_in_as_root(self, email: str, password: str) -> Page:
        self.get("/_console/sign-in/root")
        return self.send("/_console/sign-in/root", email=email, password=password)


def browser_of(process: InProcess, source_ip: str = "127.0.0.1") -> Browser:
    """A browser in front of a worker in this process."""
    return Browser(lambda request: process.send(request, source_ip=source_ip))


def browser_at(server: Server) -> Browser:
    """A browser on the network."""
    host = f"127.0.0.1:{server.port}"
    return Browser(_network(server), host=host, origin=f"{server.scheme}://{host}")


def _network(server: Server) -> Transport:
    authority = server.data_dir / "tls" / "ca.pem"

    def send(request: Request) -> Response:
        connection = _connection(server, authority)
        try:
            path = request.path + (f"?{request.query}" if request.query else "")
            connection.request(request.method, path, request.body or None, dict(request.headers))
            answer = connection.getresponse()
            return Response(answer.status, list(answer.getheaders()), answer.read())
        finally:
            connection.close()

    return send


def _connection(server: Server, authority: Path) -> http.client.HTTPConnection:
    if server.scheme == "https":
        context: Any = ssl.create_default_context(cafile=str(authority))
        return http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=context)
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)


def path_of(url: str) -> str:
    """A URL without scheme and host."""
    parsed = urlsplit(url)
    return parsed.path + (f"?{parsed.query}" if parsed.query else "")
