"""The global condition keys of a call, computed only when a statement reads them.

Source: IAM User Guide, "AWS global condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from garrison.core.clock import iso8601
from garrison.core.principal import Principal
from garrison.policy.variables import Value

if TYPE_CHECKING:
    from garrison.core.context import Call
    from garrison.core.operation import Keys, Target


def fold_keys(keys: Mapping[str, Value]) -> dict[str, Value]:
    """The same keys lower-cased, as :class:`~garrison.policy.evaluate.Request` wants them."""
    return {key.lower(): value for key, value in keys.items()}


class GlobalContext(Mapping[str, Value]):
    """A read-only mapping of lower-cased condition keys, filled as it is read."""

    __slots__ = ("_call", "_extra", "_found", "_now", "_principal", "_region", "_target")

    def __init__(  # noqa: PLR0913 - what a call consists of
        self,
        principal: Principal,
        call: Call,
        now: float,
        region: str,
        target: Target,
        extra: Keys,
    ) -> None:
        self._principal = principal
        self._call = call
        self._now = now
        self._region = region
        self._target = target
        self._extra = extra
        self._found: dict[str, Value | None] = {}

    def get(self, key: str, default: Value | None = None) -> Value | None:  # type: ignore[override]  # narrower on purpose
        """The value of ``key`` (lower-cased), or ``default``."""
        found = self._found
        if not found:
            self._fold()
        if key in found:
            value = found[key]
        else:
            provider = _PROVIDERS.get(key)
            value = found[key] = provider(self) if provider is not None else None
        return default if value is None else value

    def _fold(self) -> None:
        """The keys that come from outside: the target's tags and keys, the operation's; once, at the first look."""
        found = self._found
        found[""] = None
        for key, text in self._principal.tags.items():
            found["aws:principaltag/" + key.lower()] = text
        for key, text in self._target.tags.items():
            found["aws:resourcetag/" + key.lower()] = text
        for key, value in self._target.keys.items():
            found[key.lower()] = value
        for key, value in self._extra.items():
            found[key.lower()] = value

    def __getitem__(self, key: str) -> Value:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        if not self._found:
            self._fold()
        names = dict.fromkeys([*self._found, *_PROVIDERS])
        return iter([key for key in names if self.get(key) is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def global_context(  # noqa: PLR0913 - what a call consists of
    principal: Principal,
    call: Call,
    *,
    now: float,
    region: str,
    target: Target,
    extra: Keys,
) -> GlobalContext:
    """The condition keys of one call on one target.

    ``extra``: the operation's own keys (``kms:ViaService``, ``aws:RequestTag/team``), in any case; they win over the computed ones.
    """
    return GlobalContext(principal, call, now, region, target, extra)


def _username(context: GlobalContext) -> Value | None:
    """IAM users only: a role's session has none. A federated user's session keeps none either."""
    principal = context._principal  # noqa: SLF001 - providers are part of the class
    return principal.name or None if principal.kind == "user" else None


def _userid(context: GlobalContext) -> Value | None:
    principal = context._principal  # noqa: SLF001
    if principal.kind == "anonymous":
        return "anonymous"
    return principal.id or None


def _principal_arn(context: GlobalContext) -> Value | None:
    """The role's ARN for its session, else the caller's own."""
    principal = context._principal  # noqa: SLF001
    if principal.kind == "assumed-role" and principal.session is not None and principal.session.issuer_arn:
        return principal.session.issuer_arn
    return principal.arn or None


_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
}


def _principal_type(context: GlobalContext) -> Value | None:
    return _TYPES.get(context._principal.kind)  # noqa: SLF001


def _mfa_at(context: GlobalContext) -> float | None:
    session = context._principal.session  # noqa: SLF001
    return None if session is None else session.mfa_at


def _mfa_present(context: GlobalContext) -> Value | None:
    """Only temporary credentials carry the key; with long-term ones it is absent, not false."""
    session = context._principal.session  # noqa: SLF001
    if session is None or context._principal.kind not in {"user", "assumed-role", "federated-user", "root"}:  # noqa: SLF001
        return None
    return session.mfa_at is not None


def _mfa_age(context: GlobalContext) -> Value | None:
    at = _mfa_at(context)
    return None if at is None else max(0, int(context._now - at))  # noqa: SLF001


def _token_issue_time(context: GlobalContext) -> Value | None:
    session = context._principal.session  # noqa: SLF001
    return None if session is None else iso8601(session.issued_at)


def _source_identity(context: GlobalContext) -> Value | None:
    session = context._principal.session  # noqa: SLF001
    return (session.source_identity or None) if session is not None else None


def _is_service(context: GlobalContext) -> Value | None:
    return context._principal.kind == "service"  # noqa: SLF001


_PROVIDERS: dict[str, Callable[[GlobalContext], Value | None]] = {
    "aws:username": _username,
    "aws:userid": _userid,
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": lambda context: context._principal.account or None,  # noqa: SLF001
    "aws:principaltype": _principal_type,
    "aws:principalisawsservice": _is_service,
    "aws:principalservicename": lambda context: context._principal.service or None,  # noqa: SLF001
    "aws:sourceip": lambda context: context._call.source_ip or None,  # noqa: SLF001
    "aws:useragent": lambda context: context._call.user_agent or None,  # noqa: SLF001
    "aws:referer": lambda context: context._call.referer or None,  # noqa: SLF001
    "aws:securetransport": lambda context: context._call.secure,  # noqa: SLF001
    "aws:currenttime": lambda context: iso8601(context._now),  # noqa: SLF001
    "aws:epochtime": lambda context: int(context._now),  # noqa: SLF001
    "aws:requestedregion": lambda context: context._region or None,  # noqa: SLF001
    "aws:tokenissuetime": _token_issue_time,
    "aws:multifactorauthpresent": _mfa_present,
    "aws:multifactorauthage": _mfa_age,
    "aws:sourceidentity": _source_identity,
    "aws:resourceaccount": lambda context: context._target.account or None,  # noqa: SLF001
    "aws:viaawsservice": lambda _context: False,
}
