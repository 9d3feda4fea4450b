"""What the application answered to attempts to sign in and up, counted for the managed rule groups that limit failures.

A web ACL with a ``ResponseInspection`` makes the judge mark such a request when it lets it pass. With the mark, which tells all
that is needed to count, and which only Envoy carries, status, headers and first bytes of the answer come back to some inspector.
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from garrison.edge.inspect import Context, Rates, State, Token, TokenState, WebRequest
from garrison.edge.inspect.managed import accounts
from garrison.edge.proxy.exchange import MalformedError

Configs = Sequence[Mapping[str, Any]]
_MEMBERS: Final = 4


def watching(document: Mapping[str, Any] | None) -> Configs:
    """The configurations of a web ACL's managed rule groups that ask for responses."""
    found = []
    for rule in (document or {}).get("Rules") or ():
        spec = rule["Statement"].get("ManagedRuleGroupStatement") or {}
        merged = {name: value for each in spec.get("ManagedRuleGroupConfigs") or () for name, value in each.items()}
        if any(isinstance(value, Mapping) and value.get("ResponseInspection") for value in merged.values()):
            found.append(merged)
    return found


def mark(configs: Configs, request: WebRequest, token: Token) -> bytes:
    """What the answer to this request comes back with; empty where nobody asks for it. In base64."""
    if not any(accounts.observed(request, config) for config in configs):
        return b""
    session = token.id if token.state is TokenState.ACCEPTED else ""
    told = [request.target.decode("latin-1"), request.source_ip, request.time, session]
    return b2a_base64(json.dumps(told).encode(), newline=False)


def count(
    configs: Configs, rates: Rates, marked: bytes, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> None:
    """Count the answer to a marked request. Raises MalformedError for what is no mark."""
    try:
        told = json.loads(a2b_base64(marked))
    except (Base64Error, ValueError) as error:
        raise MalformedError("an answer's mark is none of ours") from error
    if not isinstance(told, list) or len(told) != _MEMBERS:
        raise MalformedError("an answer's mark is not whole")
    target, address, when, session = told
    request = WebRequest("", target.encode("latin-1"), (), source_ip=address, time=when)
    token = Token(TokenState.ACCEPTED, session) if session else Token()
    by_name = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    for config in configs:
        context = Context(State(rates, token), (), config, 0)
        accounts.observe(request, context, status=status, headers=by_name, body=body)
