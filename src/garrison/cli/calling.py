"""Calls of Garrison's own API by its commands: signed with the caller's own keys, as by any AWS client."""

from __future__ import annotations

import configparser
import hashlib
import hmac
import http.client
import json
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from garrison.wire.sigv4.canonical import canonical_request, sort_headers, string_to_sign
from garrison.wire.sigv4.signing_keys import signing_key

_SECONDS = 60.0
_ALGORITHM = "AWS4-HMAC-SHA256"


class CallError(Exception):
    """A call failed: AWS's error code, and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Keys:
    """What a call is signed with."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def caller_keys(profile: str | None, environment: Mapping[str, str] = os.environ) -> Keys:
    """The caller's keys as AWS's clients find them: a named profile, the environment, ``AWS_PROFILE``, the profile ``garrison``.

    Raises ValueError where there are none. Profiles that name a process or a role are not followed.
    """
    if profile is None and environment.get("AWS_ACCESS_KEY_ID"):
        secret, token = environment.get("AWS_SECRET_ACCESS_KEY", ""), environment.get("AWS_SESSION_TOKEN", "")
        return Keys(environment["AWS_ACCESS_KEY_ID"], secret, token)
    name = profile or environment.get("AWS_PROFILE") or "garrison"
    path = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials").expanduser()
    parser = configparser.RawConfigParser()
    parser.read(path, encoding="utf-8")
    try:
        section = parser[name]
        return Keys(section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token", ""))
    except KeyError:
        raise ValueError(
            f"no keys: neither the environment nor the profile `{name}` has some (`garrison init` writes it)"
        ) from None


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls operations of services with AWS's JSON protocol, version 1.1."""

    endpoint: str
    region: str
    keys: Keys
    authority: Path | None = None

    def call(self, service: str, target: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Call the operation that ``X-Amz-Target`` names. Raises CallError, OSError."""
        url = urlsplit(self.endpoint)
        body = json.dumps(document).encode()
        headers = self._signed(service, url.netloc, target, body, time.time())
        connection = self._connection(url.scheme == "https", url.hostname or "", url.port)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise CallError("ServiceUnavailable", f"what answers on {self.endpoint} does not speak HTTP") from error
        finally:
            connection.close()
        return _read(answer.status, text)

    def _connection(self, secure: bool, host: str, port: int | None) -> http.client.HTTPConnection:  # noqa: FBT001 - one caller
        if not secure:
            return http.client.HTTPConnection(host, port, timeout=_SECONDS)
        trusted = ssl.create_default_context(cafile=str(self.authority) if self.authority else None)
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=trusted)

    def _signed(self, service: str, host: str, target: str, body: bytes, now: float) -> dict[str, str]:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        headers = {"content-type": "application/x-amz-json-1.1", "host": host, "x-amz-date": stamp, "x-amz-target": target}
        if self.keys.token:
            headers["x-amz-security-token"] = self.keys.token
        signed = tuple(sorted(headers))
        values, _ = sort_headers(list(headers.items()), signed)
        request = canonical_request("POST", "/", "", values, signed, hashlib.sha256(body).hexdigest())
        scope = f"{stamp[:8]}/{self.region}/{service}/aws4_request"
        text = string_to_sign(_ALGORITHM, stamp, scope, request)
        key = signing_key(self.keys.secret, stamp[:8], self.region, service)
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"Credential={self.keys.access_key_id}/{scope}"
        return {**headers, "authorization": f"{_ALGORITHM} {credential}, SignedHeaders={';'.join(signed)}, Signature={signature}"}


def _read(status: int, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CallError("ServiceUnavailable", f"an answer that is no JSON, with status {status}")
    if status != 200:
        code = str(found.get("__type", status)).rpartition("#")[2]
        raise CallError(code, str(found.get("message") or found.get("Message") or ""))
    return found
