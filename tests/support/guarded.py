"""An application behind a web ACL: the engine and the pages of Challenge and Captcha, in a server of the test's own process."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from garrison.core.http import Response
from garrison.edge.inspect import Action, CompiledAcl, RateTable, State, WebRequest
from garrison.edge.interstitial import Site, SpentHere, answer, page
from garrison.edge.tokens import token_of
from tests.support.solving import keys
from tests.support.waf import byte_match, compiled, rule

HOME = b"""<!doctype html><title>Shop</title><h1 id="shop">Shop</h1><a id="next" href="/other?page=2">on</a>
<form method="post" action="/order"><button id="order">Order</button></form><p id="called"></p>
<script>fetch("/api").then((answer) => { document.getElementById("called").textContent = "api " + answer.status; });</script>"""


def web_acl() -> CompiledAcl:
    """Captcha for ``/checkout``, Challenge for all."""
    return compiled(
        rule("human", 0, byte_match(b"/checkout", position="STARTS_WITH"), {"Captcha": {}}),
        rule("browser", 1, byte_match(b"/", position="STARTS_WITH"), {"Challenge": {}}),
    )


@dataclass
class Guarded:
    """A running site."""

    port: int = 0
    site: Site = field(default_factory=lambda: Site(keys(created=time.time() - 3600)))
    acl: CompiledAcl = field(default_factory=web_acl)
    keeps_cookies: bool = True
    """False: as if the browser took none."""
    pages: list[str] = field(default_factory=list)
    """What was answered with a page in its place."""
    served: list[str] = field(default_factory=list)
    """What reached the application."""
    rates: RateTable = field(default_factory=RateTable)
    spent: SpentHere = field(default_factory=SpentHere)

    def respond(self, request: WebRequest) -> Response:
        called = answer(request, self.site, self.rates, self.spent, os.urandom)
        if called is not None:
            if not self.keeps_cookies:
                called.headers = [each for each in called.headers if each[0] != "Set-Cookie"]
            return called
        token = token_of(request, self.site.keys, self.site.token_domains)
        verdict = self.acl.inspect(request, State(self.rates, token))
        target = f"{request.method} {request.target.decode()}"
        if verdict.action in {Action.CAPTCHA, Action.CHALLENGE}:
            self.pages.append(target)
            return page(request, verdict.action, self.site, os.urandom)
        self.served.append(target)
        return Response(200, [("Content-Type", "text/html")], HOME)


def _handler(guarded: Guarded) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
            request = WebRequest(
                self.command, self.path.encode("latin-1"), pairs, body, source_ip=self.client_address[0], time=time.time()
            )
            found = guarded.respond(request)
            self.send_response(found.status)
            for name, value in (*found.headers, ("Content-Length", str(len(found.body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        do_GET = do_POST = do_HEAD = do_OPTIONS = _any  # noqa: N815 - names of the library

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def guarded_site(**given: Any) -> Iterator[Guarded]:
    """A site that is there until the block ends."""
    guarded = Guarded(**given)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(guarded)) as server:
        guarded.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield guarded
        finally:
            server.shutdown()
            thread.join()
