"""An OpenID Connect identity provider of the tests' own: real keys, real HTTP on loopback, and every way of misbehaving."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CLIENT = "sts.amazonaws.com"
SUBJECT = "repo:octo-org/octo-repo:ref:refs/heads/main"
WELL_KNOWN = "/.well-known/openid-configuration"
_HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def rsa_key(number: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key made once for all tests; ``number`` tells several apart."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(curve: str, number: int = 0) -> ec.EllipticCurvePrivateKey:
    """The same on a curve."""
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}[curve])


def jwk(key: Private, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public half as a JSON Web Key."""
    named = {} if kid is None else {"kid": kid}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        return {"kty": "RSA", "n": b64(numbers.n.to_bytes(size)), "e": b64(numbers.e.to_bytes(3)), **named, **more}
    point = key.public_key().public_numbers()
    size = (key.key_size + 7) // 8
    curve = {256: "P-256", 384: "P-384", 521: "P-521"}[key.key_size]
    return {"kty": "EC", "crv": curve, "x": b64(point.x.to_bytes(size)), "y": b64(point.y.to_bytes(size)), **named, **more}


def signed(signing: str, key: Private, algorithm: str) -> bytes:
    """A JWS signature, by cryptography alone."""
    digest = _HASHES[algorithm[2:]]
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signing.encode(), padding.PKCS1v15(), digest)
    r, s = decode_dss_signature(key.sign(signing.encode(), ec.ECDSA(digest)))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


def encoded(document: Mapping[str, Any] | bytes) -> str:
    """A header or claims as a part of a token."""
    return b64(document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode())


@dataclass(slots=True)
class Answer:
    """What the provider says to a path."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    each: Callable[[BaseHTTPRequestHandler], None] | None = None
    """Speaks in the answer's place."""


class OidcIdp(AbstractContextManager["OidcIdp"]):
    """A provider; its issuer is ``url``."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.keys: dict[str, Private] = {"first": rsa_key(1)}
        self.published: dict[str, Any] | None = None
        """A JWKS in the place of that of the keys."""
        self.asked: list[str] = []
        self.answers: dict[str, Answer] = {}
        idp = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                idp.asked.append(self.path)
                answer = idp.answer(self.path)
                if answer.each is not None:
                    answer.each(self)
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that ends early is part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def name(self) -> str:
        """The issuer without its scheme: what condition keys begin with."""
        return self.url.partition("://")[2]

    def answer(self, path: str) -> Answer:
        """What is said to a path."""
        if path in self.answers:
            return self.answers[path]
        if path == WELL_KNOWN:
            document = {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
            return Answer(json.dumps(document).encode())
        if path == "/keys":
            found = self.published or {"keys": [jwk(key, kid, use="sig") for kid, key in self.keys.items()]}
            return Answer(json.dumps(found).encode())
        return Answer(b"", 404)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims; None takes one away."""
        now = int(time.time())
        good = {"iss": self.url, "sub": SUBJECT, "aud": CLIENT, "iat": now, "nbf": now, "exp": now + 300, "jti": "1"}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def token(
        self,
        *,
        kid: str | None = "first",
        key: Private | None = None,
        algorithm: str | None = None,
        header: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A token; ``changes`` are of its claims, and so is ``extra``, whose names need not be Python's."""
        secret = key or self.keys[kid or "first"]
        name = algorithm or (
            "RS256"
            if isinstance(secret, rsa.RSAPrivateKey)
            else f"ES{256 if secret.key_size == 256 else 384 if secret.key_size == 384 else 512}"
        )
        head = {"alg": name, "typ": "JWT", **({} if kid is None else {"kid": kid}), **(header or {})}
        signing = f"{encoded(head)}.{encoded(self.claims(**changes, **(extra or {})))}"
        return f"{signing}.{b64(signed(signing, secret, name))}"

    def confused(self, algorithm: str = "HS256", **changes: Any) -> str:
        """A token that is signed with the public key, as if that were a shared secret."""
        public = self.keys["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signing = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': 'first'})}.{encoded(self.claims(**changes))}"
        return f"{signing}.{b64(hmac.digest(public, signing.encode(), hashlib.sha256))}"

    def unsigned(self, algorithm: str = "none", **changes: Any) -> str:
        """A token without a signature."""
        return f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': 'first'})}.{encoded(self.claims(**changes))}."
