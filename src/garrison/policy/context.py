"""The global condition keys of a call, computed only when a statement reads them.

Source: IAM User Guide, "AWS global condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from garrison.core.clock import iso8601
from garrison.core.principal import OUTSIDE, Principal, Session
from garrison.policy.variables import Value

if TYPE_CHECKING:
    from garrison.core.context import Call
    from garrison.core.operation import Keys, Target


Place = Callable[[str], "tuple[str, str] | None"]
"""The organization that an account is in, and its path there (``o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/``); None where in none."""


def fold_keys(keys: Mapping[str, Value]) -> dict[str, Value]:
    """The same keys lower-cased, as :class:`~garrison.policy.evaluate.Request` wants them; of two the later one counts."""
    return {key.lower(): value for key, value in keys.items()}


class GlobalContext(Mapping[str, Value]):
    """A read-only mapping of lower-cased condition keys, filled as it is read."""

    __slots__ = ("call", "extra", "found", "now", "place", "principal", "region", "target")

    def __init__(
        self,
        principal: Principal,
        call: Call,
        now: float,
        region: str,
        target: Target,
        extra: Keys,
        place: Place | None = None,
    ) -> None:
        self.place = place
        self.principal = principal
        self.call = call
        self.now = now
        self.region = region
        self.target = target
        self.extra = extra
        self.found: dict[str, Value | None] = {}

    def get(self, key: str, default: Value | None = None) -> Value | None:  # type: ignore[override]  # narrower on purpose
        """The value of ``key`` (lower-cased), or ``default``."""
        found = self.found
        if not found:
            self._fold()
        if key in found:
            value = found[key]
        else:
            provider = _PROVIDERS.get(key)
            value = found[key] = provider(self) if provider is not None else None
        return default if value is None else value

    def known(self) -> dict[str, Value]:
        """The keys that came with the request or that a statement has read so far: what the decision rested on."""
        if not self.found:
            self._fold()
        return {key: value for key, value in self.found.items() if value is not None}

    def _fold(self) -> None:
        """The keys that come from outside: the target's tags and keys, the operation's; once, at the first look."""
        found = self.found
        found[""] = None
        for key, text in self.principal.tags.items():
            found["aws:principaltag/" + key.lower()] = text
        session = self.principal.session
        if session is not None and session.claims:
            for key, claim in session.claims.items():
                found[key.lower()] = claim
        if self.target.tags:
            found.update(_folded(self.target.tags, "aws:resourcetag/"))
        if self.target.keys:
            found.update(_folded(self.target.keys))
        if self.extra:
            found.update(_folded(self.extra))

    def __getitem__(self, key: str) -> Value:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        if not self.found:
            self._fold()
        names = dict.fromkeys([*self.found, *_PROVIDERS])
        return iter([key for key in names if self.get(key) is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)


AMBIGUOUS = "\uffff"
"""The value of a key that came twice: no character, so that no tag, no context and no policy has it."""


def _folded(given: Mapping[str, Value], prefix: str = "") -> dict[str, Value]:
    """Keys lower-cased. Of two that differ by case alone neither value counts: which of them a policy meant would be a guess.

    A condition on a tag matches a key of either case, "but not both" (IAM User Guide, aws:RequestTag and aws:ResourceTag): who
    may set one value only must not smuggle another one in beside it. The key is there all the same; its value equals none.
    """
    found: dict[str, Value] = {prefix + key.lower(): value for key, value in given.items()}
    if len(found) != len(given):
        seen: set[str] = set()
        for key in given:
            name = prefix + key.lower()
            if name in seen:
                found[name] = AMBIGUOUS
            seen.add(name)
    return found


def global_context(
    principal: Principal,
    call: Call,
    *,
    now: float,
    region: str,
    target: Target,
    extra: Keys,
    place: Place | None = None,
) -> GlobalContext:
    """The condition keys of one call on one target.

    ``extra``: the operation's own keys (``kms:ViaService``, ``aws:RequestTag/team``), in any case; they win. ``place`` is asked
    only where a statement reads a key that names organizations.
    """
    return GlobalContext(principal, call, now, region, target, extra, place)


def _username(context: GlobalContext) -> Value | None:
    """IAM users only: a role's session has none. A federated user's session keeps none either."""
    principal = context.principal
    return principal.name or None if principal.kind == "user" else None


def _userid(context: GlobalContext) -> Value | None:
    principal = context.principal
    if principal.kind == "anonymous":
        return "anonymous"
    return principal.id or None


def _principal_arn(context: GlobalContext) -> Value | None:
    """The role's ARN for its session, else the caller's own."""
    principal = context.principal
    if principal.kind == "assumed-role" and principal.session is not None and principal.session.issuer_arn:
        return principal.session.issuer_arn
    return principal.arn or None


_VOUCHED = frozenset({"web-identity", "saml"})
_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
}


def _principal_type(context: GlobalContext) -> Value | None:
    return _TYPES.get(context.principal.kind)


def _principal_account(context: GlobalContext) -> Value | None:
    if context.principal.kind == "anonymous":
        return "anonymous"
    return context.principal.account or None if context.principal.kind not in _VOUCHED else None


def _mfa_present(context: GlobalContext) -> Value | None:
    """Only temporary credentials carry the key; with long-term ones it is absent, not false."""
    session = context.principal.session
    return None if session is None else _mfa_at(session) is not None


def _mfa_age(context: GlobalContext) -> Value | None:
    """Seconds since the code was given; absent where none was."""
    session = context.principal.session
    given = None if session is None else _mfa_at(session)
    return None if given is None else max(0, int(context.now - given))


def _mfa_at(session: Session) -> float | None:
    """When a code was given for a user's own session.

    A role's session tells nothing of MFA: it is asked for where the role is assumed (IAM User Guide, "Configuring MFA-protected
    API access").
    """
    return None if session.kind == "assume-role" else session.mfa_at


def _token_issue_time(context: GlobalContext) -> Value | None:
    session = context.principal.session
    return None if session is None else iso8601(session.issued_at)


def _source_identity(context: GlobalContext) -> Value | None:
    session = context.principal.session
    return (session.source_identity or None) if session is not None else None


def _signin_session(context: GlobalContext) -> Value | None:
    session = context.principal.session
    return (session.signin_session or None) if session is not None else None


def _provider(context: GlobalContext) -> Value | None:
    principal = context.principal
    return (principal.session.provider if principal.session is not None else principal.provider) or None


def _tag_keys(context: GlobalContext) -> Value | None:
    """The keys of the tags in the request, in the case in which they were given."""
    prefix = "aws:requesttag/"
    return [key[len(prefix) :] for key in context.extra if key.lower().startswith(prefix)] or None


def _is_service(context: GlobalContext) -> Value | None:
    return context.principal.kind == "service"


def _principal_place(context: GlobalContext) -> tuple[str, str] | None:
    """Of identities of an account: nobody in particular and services are in no organization."""
    account = context.principal.account if context.principal.kind not in OUTSIDE else ""
    return context.place(account) if context.place is not None and account else None


def _resource_place(context: GlobalContext) -> tuple[str, str] | None:
    account = context.target.account
    return context.place(account) if context.place is not None and account else None


def _organization(found: tuple[str, str] | None) -> Value | None:
    return None if found is None else found[0]


def _paths(found: tuple[str, str] | None) -> Value | None:
    """Multi-valued, with one value."""
    return None if found is None else (found[1],)


def _assumed_root(context: GlobalContext) -> Value | None:
    """Only in a session that sts:AssumeRoot made."""
    session = context.principal.session
    return True if session is not None and session.kind == "assume-root" else None


_PROVIDERS: dict[str, Callable[[GlobalContext], Value | None]] = {
    "aws:username": _username,
    "aws:userid": _userid,
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": _principal_account,
    "aws:principaltype": _principal_type,
    "aws:principalisawsservice": _is_service,
    "aws:principalservicename": lambda context: context.principal.service or None,
    "aws:sourceip": lambda context: context.call.source_ip or None,
    "aws:useragent": lambda context: context.call.user_agent or None,
    "aws:referer": lambda context: context.call.referer or None,
    "aws:securetransport": lambda context: context.call.secure,
    "aws:currenttime": lambda context: iso8601(context.now),
    "aws:epochtime": lambda context: int(context.now),
    "aws:requestedregion": lambda context: context.region or None,
    "aws:tokenissuetime": _token_issue_time,
    "aws:multifactorauthpresent": _mfa_present,
    "aws:multifactorauthage": _mfa_age,
    "aws:sourceidentity": _source_identity,
    "aws:resourceaccount": lambda context: context.target.account or None,
    "aws:principalorgid": lambda context: _organization(_principal_place(context)),
    "aws:principalorgpaths": lambda context: _paths(_principal_place(context)),
    "aws:resourceorgid": lambda context: _organization(_resource_place(context)),
    "aws:resourceorgpaths": lambda context: _paths(_resource_place(context)),
    "aws:assumedroot": _assumed_root,
    "aws:signinsessionarn": _signin_session,
    "aws:federatedprovider": _provider,
    "aws:tagkeys": _tag_keys,
    "aws:viaawsservice": lambda context: bool(context.call.via),
}
