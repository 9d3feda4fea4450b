"""Signing a command line in by the browser: what ``aws login`` does, for tools that know only ``credential_process``.

Sources: RFC 6749, section 4.1; RFC 7636; RFC 8252, section 7.3; RFC 9449; AWS Sign-In API Reference, CreateOAuth2Token.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import ssl
import time
import urllib.error
import urllib.request
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from garrison.keys.proofs import ProofKey

CLIENT = "arn:aws:signin:::devtools/same-device"
WAIT_SECONDS = 300
_TIMEOUT = 30
_PATH = "/oauth/callback"


class LoginError(Exception):
    """The sign-in did not come about; the message says why and what to do."""


class SignedOutError(LoginError):
    """The session is over, or the user may not do this any more: somebody has to sign in again."""


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """What the token endpoint answered."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float
    refresh_token: str


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """A server, and how it is trusted."""

    endpoint: str
    authority: Path | None = None

    @property
    def address(self) -> str:
        """Where tokens are asked for."""
        return f"{self.endpoint.rstrip('/')}/v1/token"

    def ask(self, key: ProofKey, fields: dict[str, str]) -> Tokens:
        """Ask for tokens. Raises SignedOutError, LoginError."""
        headers = {
            "content-type": "application/json",
            "dpop": key.proof("POST", self.address, now=time.time(), unique=str(uuid.uuid4())),
        }
        request = urllib.request.Request(self.address, json.dumps(fields).encode(), headers, method="POST")  # noqa: S310 - the endpoint that the user named
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT, context=self._trust()) as answer:  # noqa: S310 - the same
                return _tokens(json.load(answer))
        except urllib.error.HTTPError as error:
            raise _refused(error) from None
        except (OSError, ValueError) as error:
            msg = f"no tokens came from {self.address}: {error}"
            raise LoginError(msg) from error

    def _trust(self) -> ssl.SSLContext | None:
        if not self.endpoint.startswith("https:"):
            return None
        return ssl.create_default_context(cafile=str(self.authority) if self.authority else None)


def _tokens(document: Any) -> Tokens:  # noqa: ANN401 - a JSON document
    try:
        made = document["accessToken"]
        return Tokens(
            str(made["accessKeyId"]),
            str(made["secretAccessKey"]),
            str(made["sessionToken"]),
            time.time() + int(document["expiresIn"]),
            str(document["refreshToken"]),
        )
    except (KeyError, TypeError) as error:
        msg = "the server answered something else than tokens"
        raise LoginError(msg) from error


def _refused(error: urllib.error.HTTPError) -> LoginError:
    try:
        document = json.loads(error.read(65_536))
        reason, message = str(document.get("error", "")), str(document.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", ""
    text = message or f"status {error.code}"
    over = reason in {"TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED", "AUTHCODE_EXPIRED", "INSUFFICIENT_PERMISSIONS"}
    return SignedOutError(text) if over else LoginError(text)


class _Callback(BaseHTTPRequestHandler):
    """Takes the one request by which the browser brings the code."""

    answer: ClassVar[dict[str, list[str]]]

    def do_GET(self) -> None:
        """Keep what came and say so."""
        parsed = urlsplit(self.path)
        if parsed.path != _PATH:
            self.send_error(404)
            return
        self.server.answer = parse_qs(parsed.query)  # type: ignore[attr-defined] # where the caller looks for it
        body = b"You are signed in. You may close this page."
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the request holds the code."""


def sign_in(server: TokenEndpoint, key: ProofKey, show: Callable[[str], None]) -> Tokens:
    """Send somebody to the browser, and wait for the code that it brings. Raises LoginError."""
    verifier = secrets.token_urlsafe(48)
    state = str(uuid.uuid4())
    with HTTPServer(("127.0.0.1", 0), _Callback) as listener:
        redirect = f"http://127.0.0.1:{listener.server_port}{_PATH}"
        show(_address(server, redirect, state, verifier))
        code = _code(listener, state)
    fields = {"clientId": CLIENT, "grantType": "authorization_code", "code": code, "redirectUri": redirect}
    return server.ask(key, {**fields, "codeVerifier": verifier})


def _address(server: TokenEndpoint, redirect: str, state: str, verifier: str) -> str:
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": CLIENT,
        "state": state,
        "code_challenge_method": "SHA-256",
        "code_challenge": challenge,
        "scope": "openid",
        "redirect_uri": redirect,
    }
    return f"{server.endpoint.rstrip('/')}/v1/authorize?{urlencode(asked, quote_via=quote)}"


def _code(listener: HTTPServer, state: str) -> str:
    """Wait for the browser. What does not bring our state is somebody else's, and is not heard."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        listener.answer = {}  # type: ignore[attr-defined] # filled by the handler
        listener.timeout = until - time.monotonic()
        if listener.timeout <= 0:
            msg = "nobody signed in in time"
            raise LoginError(msg)
        listener.handle_request()
        answer: dict[str, list[str]] = listener.answer  # type: ignore[attr-defined] # the same
        if answer.get("code") and secrets.compare_digest(answer.get("state", [""])[0].encode(), state.encode()):
            return answer["code"][0]


def refresh(server: TokenEndpoint, key: ProofKey, token: str) -> Tokens:
    """New credentials for a session that lasts. Raises SignedOutError, LoginError."""
    return server.ask(key, {"clientId": CLIENT, "grantType": "refresh_token", "refreshToken": token})
