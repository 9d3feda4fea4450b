"""Users who sign in, and command lines that ask for tokens, in this process."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from garrison.core.http import Request, Response
from tests.support.browsing import Browser
from tests.support.inprocess import HOST, InProcess

PASSWORD = "Correct-horse-battery-1"
SAME = "arn:aws:signin:::devtools/same-device"
CROSS = "arn:aws:signin:::devtools/cross-device"
CALLBACK = "http://127.0.0.1:34567/oauth/callback"
CONFIRMATION = f"http://{HOST}/v1/sessions/confirmation"
LOCAL_DEVELOPMENT = "arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess"


class Clock:
    """A worker's clock that a test sets."""

    def __init__(self, process: InProcess) -> None:
        self.now = float(int(process.gateway.clock()))
        process.gateway.clock = lambda: self.now

    def go(self, seconds: float) -> None:
        self.now += seconds


def new_user(process: InProcess, name: str, *policies: str, password: str = PASSWORD, **more: str) -> str:
    """A user who can sign in; its ARN."""
    assert process.iam("CreateUser", UserName=name).status == 200
    assert process.iam("CreateLoginProfile", UserName=name, Password=password, **more).status == 200
    for arn in policies:
        assert process.iam("AttachUserPolicy", UserName=name, PolicyArn=arn).status == 200
    return f"arn:aws:iam::{process.account}:user/{name}"


def allow(process: InProcess, user: str, *actions: str) -> None:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert process.iam("PutUserPolicy", UserName=user, PolicyName="more", PolicyDocument=document).status == 200


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def jwk_of(key: EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32))}


def dpop(key: EllipticCurvePrivateKey, now: float, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A proof as RFC 9449 has it; members are added or replaced by the caller, those that are None left out."""
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk_of(key), **(header or {})}
    body = {"htm": "POST", "htu": f"http://{HOST}/v1/token", "iat": int(now), "jti": secrets.token_hex(16), **claims}
    parts = [b64(json.dumps({k: v for k, v in part.items() if v is not None}).encode()) for part in (head, body)]
    signed = ".".join(parts)
    r, s = decode_dss_signature(key.sign(signed.encode(), ECDSA(SHA256())))
    return f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


@dataclass
class CommandLine:
    """``aws login``, as the AWS CLI does it."""

    process: InProcess
    clock: Clock
    client: str = SAME
    redirect_uri: str = CALLBACK
    key: EllipticCurvePrivateKey = field(default_factory=new_key)
    verifier: str = field(default_factory=lambda: secrets.token_hex(32))
    state: str = "6b1f2c0e-9f0a-4f6e-8f0d-0d5f3f3d8a11"

    @property
    def challenge(self) -> str:
        return b64(hashlib.sha256(self.verifier.encode()).digest())

    def address(self, **changed: str) -> str:
        """Where the user is sent; ``changed`` parameters, empty ones left out."""
        given = {
            "response_type": "code",
            "client_id": self.client,
            "state": self.state,
            "code_challenge_method": "SHA-256",
            "scope": "openid",
            "redirect_uri": self.redirect_uri,
            "code_challenge": self.challenge,
            **changed,
        }
        return "/v1/authorize?" + urlencode({name: value for name, value in given.items() if value})

    def code(self, browser: Browser) -> str:
        """Let somebody who is signed in allow it."""
        assert browser.get(self.address()).status == 200, browser.page.message
        page = browser.send("/v1/authorize")
        if self.client == CROSS:
            shown = parse_qs(base64.b64decode(page.texts["code"]).decode())
            assert shown["state"] == [self.state]
            return shown["code"][0]
        assert page.status == 303, page.message
        answer = parse_qs(urlsplit(page.location).query)
        assert page.location.startswith(f"{self.redirect_uri}?")
        assert answer["state"] == [self.state]
        return answer["code"][0]

    def token(self, body: dict[str, Any], proofs: tuple[str, ...] | None = None) -> Response:
        """Ask for a token, with a fresh proof of this client's key unless others are given."""
        if proofs is None:
            proofs = (dpop(self.key, self.clock.now),)
        headers = [
            ("host", HOST),
            ("content-type", "application/json"),
            ("user-agent", "aws-cli"),
            *(("dpop", p) for p in proofs),
        ]
        return self.process.send(Request("POST", "/v1/token", "", headers, json.dumps(body).encode()))

    def request(self, code: str) -> dict[str, str]:
        """What is sent for a code."""
        return {
            "clientId": self.client,
            "grantType": "authorization_code",
            "code": code,
            "redirectUri": self.redirect_uri,
            "codeVerifier": self.verifier,
        }

    def redeem(self, code: str, proofs: tuple[str, ...] | None = None, **changed: str) -> Response:
        return self.token({**self.request(code), **changed}, proofs)

    def refresh(self, token: str, proofs: tuple[str, ...] | None = None, **changed: str) -> Response:
        return self.token({"clientId": self.client, "grantType": "refresh_token", "refreshToken": token, **changed}, proofs)

    def login(self, browser: Browser) -> dict[str, Any]:
        """The whole of it: what the token endpoint answers."""
        return answer_of(self.redeem(self.code(browser)))


def answer_of(response: Response) -> dict[str, Any]:
    assert response.status == 200, response.body
    found: dict[str, Any] = json.loads(response.body)
    return found


def error_of(response: Response) -> tuple[str, str]:
    """The error's name and its member ``error``."""
    document = json.loads(response.body)
    name = next(value for key, value in response.headers if key.lower() == "x-amzn-errortype")
    return re.split("[:#]", name)[0], document.get("error", "")
