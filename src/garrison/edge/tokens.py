"""The tokens of AWS WAF's Challenge and Captcha actions: made once a browser has solved one, verified with each request after.

A token is a versioned payload and its HMAC-SHA-256 under a key of this installation: a session's id, the domain that it is
of, and the times of its last solved challenge and CAPTCHA. It proves work and tells nothing secret, so it is signed and not
sealed. How long a solution is good is the rule's own business (immunity time): the engine holds the times against it.

Domains are as in the AWS WAF developer guide, "Specifying token domains and domain lists": a token is good for the host that it
names, and for what the web ACL's ``TokenDomains`` accept, which includes their subdomains.
"""

from __future__ import annotations

import hmac
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

import msgspec

from garrison.edge.inspect import Token, TokenState, WebRequest
from garrison.edge.token_keys import LIFETIME, TokenKeys

COOKIE: Final = "aws-waf-token"
HEADER: Final = b"x-aws-waf-token"
LONGEST: Final = 1024
"""Characters of a token; ours are shorter, and what is longer is not looked at."""
MOST: Final = 4
"""Tokens of one request that are looked at."""
SKEW: Final = 60.0
"""Seconds that the clocks of two nodes may differ."""
_VERSION: Final = "1"
_LABEL: Final = b"garrison waf token\n"
_HOST: Final = 253
"""Characters of a host's name (RFC 1035, 2.3.4)."""


class _Payload(msgspec.Struct, array_like=True, frozen=True):
    """What is signed. Fields are only ever added at the end."""

    session: bytes
    domain: str
    issued: float
    challenge: float | None
    captcha: float | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Payload)


def encode(raw: bytes) -> str:
    """Base64 of RFC 4648, 5, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """What :func:`encode` encoded. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def issue(
    keys: TokenKeys,
    domain: str,
    now: float,
    *,
    session: bytes,
    challenge_solved: float | None = None,
    captcha_solved: float | None = None,
) -> str:
    """A token of a client session (16 bytes) for a domain, with the times of its solutions in seconds since the epoch."""
    key = keys.signing(now)
    payload = _encoder.encode(_Payload(session, domain, now, challenge_solved, captcha_solved))
    signed = f"{_VERSION}:{key.id}:{encode(payload)}"
    return f"{signed}:{encode(key.mac(_LABEL, signed.encode()))}"


def _opened(keys: TokenKeys, text: str, now: float) -> _Payload | None:
    """What a token says, None where this installation did not make it."""
    if len(text) > LONGEST or not text.isascii():
        return None
    signed, _, mac = text.rpartition(":")
    version, _, rest = signed.partition(":")
    key_id, _, payload = rest.partition(":")
    key = keys.get(key_id, now)
    # As text: base64 has several spellings of the same bytes, and only ours is taken.
    if version != _VERSION or key is None or not hmac.compare_digest(encode(key.mac(_LABEL, signed.encode())), mac):
        return None
    found = _decoder.decode(decode(payload))
    latest = max(found.issued, found.challenge or 0.0, found.captcha or 0.0)
    return found if latest <= now + SKEW else None


def host_name(authority: str) -> str:
    """The host of an authority (``Example.com:8080``) in lower case, without port and last dot; empty where it is none."""
    text = authority.strip().lower()
    text = text.partition("]")[0][1:] if text.startswith("[") else text.partition(":")[0]
    text = text.removesuffix(".")
    return text if len(text) <= _HOST else ""


def _below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def accepted(domain: str, host: str, token_domains: Sequence[str]) -> bool:
    """Whether a token of ``domain`` is good for a request to ``host``, with the web ACL's ``TokenDomains``."""
    return bool(domain) and (domain == host or any(_below(domain, each.lower()) for each in token_domains))


def domain_for(host: str, token_domains: Sequence[str]) -> str:
    """The domain that a new token for ``host`` is of: the shortest that suits, of the host and ``TokenDomains``."""
    suited = [each.lower() for each in token_domains if _below(host, each.lower())]
    return min((host, *suited), key=len)


def verify(keys: TokenKeys, presented: Sequence[str], host: str, token_domains: Sequence[str], now: float) -> Token:
    """What the tokens of a request to ``host`` are worth: the first good one, else what is wrong with the first.

    Never raises, whatever is presented.
    """
    first: Token | None = None
    for text in [each for each in presented if each][:MOST]:
        found = _verified(keys, text, host, token_domains, now)
        if found.state is TokenState.ACCEPTED:
            return found
        first = first or found
    return first or Token()


def _verified(keys: TokenKeys, text: str, host: str, token_domains: Sequence[str], now: float) -> Token:
    try:
        found = _opened(keys, text, now)
    except (ValueError, msgspec.DecodeError):
        found = None
    if found is None or len(found.session) != 16:
        return Token(TokenState.INVALID)
    if not accepted(found.domain, host, token_domains):
        return Token(TokenState.DOMAIN_MISMATCH)
    return Token(
        TokenState.ACCEPTED, str(uuid.UUID(bytes=found.session)), captcha_solved=found.captcha, challenge_solved=found.challenge
    )


def host_of(request: WebRequest) -> str:
    """The host that a request is to."""
    return host_name(request.host or (request.header(b"host") or b"").decode("latin-1"))


def token_of(request: WebRequest, keys: TokenKeys, token_domains: Sequence[str] = ()) -> Token:
    """The token of a request: of its header ``x-aws-waf-token``, or of its cookie ``aws-waf-token``."""
    presented = [value.decode("latin-1") for name, value in request.cookies if name == COOKIE.encode()]
    header = request.header(HEADER)
    if header is not None:
        presented.insert(0, header.decode("latin-1").strip())
    return verify(keys, presented, host_of(request), token_domains, request.time)


def set_cookie(token: str, domain: str, host: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` header that gives a browser its token. Pages may read it, to send it as a header elsewhere."""
    parts = [f"{COOKIE}={token}", "Path=/", f"Max-Age={LIFETIME}", "SameSite=Lax"]
    if domain != host:
        parts.append(f"Domain={domain}")
    if secure:
        parts.append("Secure")
    return "; ".join(parts)
