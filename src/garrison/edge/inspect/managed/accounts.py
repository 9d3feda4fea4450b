"""``AWSManagedRulesATPRuleSet`` and ``AWSManagedRulesACFPRuleSet``: abuse of signing in and of signing up.

Both read the credentials of requests to the paths that the statement names, and count by address, session and credential. What
the application answered comes in by :func:`observe`, which the proxy calls for responses of those paths.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from garrison.edge.inspect.detect import body as bodies
from garrison.edge.inspect.groups import Context, Finding, RequestDetector
from garrison.edge.inspect.jsonbody import pointer
from garrison.edge.inspect.managed.build import CAPTCHA, CHALLENGE, Builder
from garrison.edge.inspect.managed.feeds import Feeds, stolen
from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.state import RateRule, Rates, TokenState

Config = Mapping[str, Any]
ATP: Final = "AWSManagedRulesATPRuleSet"
ACFP: Final = "AWSManagedRulesACFPRuleSet"
TEN_MINUTES: Final = 600
HALF_AN_HOUR: Final = 600
"""AWS counts half an hour for some. Counters here end at ten minutes and the limits are AWS's: slow abuse is not seen."""


def _config(context: Context, name: str) -> Config:
    found = context.config.get(name)
    return found if isinstance(found, Mapping) else {}


def _path_matches(request: WebRequest, path: str, *, regex: bool) -> bool:
    own = request.path.decode("utf-8", "replace")
    if not path:
        return False
    if regex:
        try:
            return re.search(path, own[:2048]) is not None
        except re.error:
            return False
    return own == path or (path.endswith("/") and own.startswith(path))


def fields(request: WebRequest, limit: int) -> dict[str, bytes]:
    """The fields of a form or JSON body by name; in JSON by pointer too (``/login/username``)."""
    body = request.body[:limit]
    kind = (request.header(b"content-type") or b"").lower()
    found: dict[str, bytes] = {}
    if b"json" in kind:
        try:
            _flatten(json.loads(body), "", found, 16)
        except (ValueError, RecursionError):
            return {}
        return found
    for piece in bodies.pieces(body, kind):
        if piece.kind == "text" and piece.name:
            found.setdefault(piece.name.decode("utf-8", "replace"), piece.value)
    return found


def _flatten(value: object, path: str, found: dict[str, bytes], depth: int) -> None:
    if isinstance(value, dict) and depth:
        for key, inner in value.items():
            _flatten(inner, f"{path}/{key}", found, depth - 1)
    elif isinstance(value, str | int | float):
        found[path] = str(value).encode("utf-8", "replace")


def _field(values: Mapping[str, bytes], spec: object) -> bytes:
    """The value of the ``Identifier`` of a ``RequestInspection`` member, empty where it is absent."""
    if isinstance(spec, Mapping):
        name = str(spec.get("Identifier") or "")
        if name.startswith("/"):
            pointer(name)
        return values.get(name) or values.get(f"/{name}") or values.get(name.lstrip("/")) or b""
    return b""


def _hashed(*parts: bytes) -> bytes:
    # No counter holds a credential: keys are digests.
    return hashlib.sha256(b"\0".join(parts)).digest()


class Attempt:
    """One attempt to sign in or up: the request, its fields, and the counters."""

    def __init__(self, request: WebRequest, context: Context, group: str) -> None:
        self.request = request
        self.config = _config(context, group)
        self.rates: Rates = context.state.rates
        self.token = context.state.token
        self.session = self.token.id.encode() if self.token.state is TokenState.ACCEPTED else b""
        inspected = self.config.get("RequestInspection") or {}
        self.values = fields(request, context.body_limit)
        self.username = _field(self.values, inspected.get("UsernameField"))
        self.password = _field(self.values, inspected.get("PasswordField"))
        self.email = _field(self.values, inspected.get("EmailField"))
        self.phone = b" ".join(_field(self.values, each) for each in inspected.get("PhoneNumberFields") or ())
        self.address = b" ".join(_field(self.values, each) for each in inspected.get("AddressFields") or ())

    def over(self, name: str, limit: int, key: bytes) -> bool:
        """Count one of ``key`` for the rule, and tell whether it is over its limit."""
        return bool(key.strip()) and self.rates.hit(RateRule(name, limit, TEN_MINUTES), key, self.request.time)

    def distinct(self, name: str, limit: int, whose: bytes, what: bytes) -> bool:
        """Whether ``whose`` has used more than ``limit`` different ``what``."""
        if not whose or not what:
            return False
        seen = RateRule(f"{name}:seen", 1_000_000_000, TEN_MINUTES)
        key = _hashed(whose, what)
        first = self.rates.estimate(seen, key, self.request.time) < 1
        self.rates.hit(seen, key, self.request.time)
        many = RateRule(name, limit, TEN_MINUTES)
        if first:
            self.rates.hit(many, _hashed(whose), self.request.time)
        return self.rates.estimate(many, _hashed(whose), self.request.time) > limit


Check = Callable[[Attempt], bool]


def ip(attempt: Attempt) -> bytes:
    """The address of an attempt."""
    return attempt.request.source_ip.encode()


def _attempt(request: WebRequest, context: Context, group: str) -> Attempt:
    known = request.memo.get(group)
    if isinstance(known, Attempt):
        return known
    made = Attempt(request, context, group)
    request.memo[group] = made
    return made


def _login(check: Check) -> RequestDetector:
    """A check of ``POST`` requests to the login path."""

    def detect(request: WebRequest, context: Context) -> Finding | None:
        config = _config(context, ATP)
        regex = bool(config.get("EnableRegexInPath"))
        if request.method != "POST" or not _path_matches(request, str(config.get("LoginPath") or ""), regex=regex):
            return None
        return Finding() if check(_attempt(request, context, ATP)) else None

    return detect


def _failures(kind: str) -> str:
    return f"{kind}:failed"


def atp(feeds: Feeds) -> Builder:
    """``AWSManagedRulesATPRuleSet``."""
    group = Builder(ATP, "atp", 50)
    rows: tuple[tuple[str, Check, str], ...] = (
        ("VolumetricIpHigh", lambda a: a.over("atp:ip", 20, ip(a)), "aggregate:volumetric:ip:high"),
        ("VolumetricSession", lambda a: a.over("atp:session", 10, a.session), "aggregate:volumetric:session"),
        (
            "AttributeCompromisedCredentials",
            lambda a: stolen(feeds, a.username, a.password),
            "aggregate:attribute:compromised_credentials",
        ),
        (
            "AttributeUsernameTraversal",
            lambda a: a.distinct("atp:usernames", 7, a.session or ip(a), a.username),
            "aggregate:attribute:username_traversal",
        ),
        (
            "AttributePasswordTraversal",
            lambda a: a.distinct("atp:passwords", 7, _hashed(a.session or ip(a), a.username), a.password),
            "aggregate:attribute:password_traversal",
        ),
        ("AttributeLongSession", _long, "aggregate:attribute:long_session"),
        ("TokenRejected", lambda a: a.token.state.value.startswith("rejected"), "signal:token_rejected"),
        ("SignalMissingCredential", lambda a: bool(a.username) != bool(a.password), "signal:missing_credential"),
        (
            "VolumetricIpFailedLoginResponseHigh",
            lambda a: _failed(a, "atp:ip", ip(a)),
            "aggregate:volumetric:ip:failed_login_response:high",
        ),
        (
            "VolumetricSessionFailedLoginResponseHigh",
            lambda a: _failed(a, "atp:session", a.session),
            "aggregate:volumetric:session:failed_login_response:high",
        ),
    )
    group.detect("UnsupportedCognitoIDP", lambda _request, _context: None, "unsupported:cognito_idp")
    for name, check, label in rows:
        group.detect(name, _login(check), label)
    return group


def _long(attempt: Attempt) -> bool:
    solved = attempt.token.challenge_solved
    return solved is not None and attempt.request.time - solved > 6 * 3600


def _failed(attempt: Attempt, kind: str, key: bytes) -> bool:
    rule = RateRule(_failures(kind), 10, TEN_MINUTES)
    return bool(key) and attempt.rates.estimate(rule, key, attempt.request.time) > rule.limit


def _signup(check: Check) -> RequestDetector:
    """A check of ``POST`` requests to the path that makes accounts."""

    def detect(request: WebRequest, context: Context) -> Finding | None:
        config = _config(context, ACFP)
        regex = bool(config.get("EnableRegexInPath"))
        if request.method != "POST" or not _path_matches(request, str(config.get("CreationPath") or ""), regex=regex):
            return None
        return Finding() if check(_attempt(request, context, ACFP)) else None

    return detect


def _page(request: WebRequest, context: Context) -> Finding | None:
    config = _config(context, ACFP)
    regex = bool(config.get("EnableRegexInPath"))
    page = request.method == "GET" and b"text/html" in (request.header(b"accept") or b"")
    return Finding() if page and _path_matches(request, str(config.get("RegistrationPagePath") or ""), regex=regex) else None


def acfp(feeds: Feeds) -> Builder:
    """``AWSManagedRulesACFPRuleSet``."""
    group = Builder(ACFP, "acfp", 50)
    rows: tuple[tuple[str, Check, str, bool], ...] = (
        (
            "RiskScoreHigh",
            lambda a: stolen(feeds, a.email or a.username, a.password) and a.token.state is not TokenState.ACCEPTED,
            "risk_score:high",
            False,
        ),
        (
            "SignalCredentialCompromised",
            lambda a: stolen(feeds, a.email or a.username, a.password),
            "signal:credential_compromised",
            False,
        ),
        (
            "SignalClientHumanInteractivityAbsentLow",
            lambda a: a.token.state is TokenState.ABSENT,
            "signal:client:human_interactivity:low",
            True,
        ),
        (
            "AutomatedBrowser",
            lambda a: b"headless" in (a.request.header(b"user-agent") or b"").lower(),
            "signal:automated_browser",
            False,
        ),
        ("VolumetricIpHigh", lambda a: a.over("acfp:ip", 20, ip(a)), "aggregate:volumetric:ip:creation:high", True),
        (
            "VolumetricSessionHigh",
            lambda a: a.over("acfp:session", 10, a.session),
            "aggregate:volumetric:session:creation:high",
            False,
        ),
        (
            "AttributeUsernameTraversalHigh",
            lambda a: a.distinct("acfp:usernames", 10, a.session or ip(a), a.username),
            "aggregate:attribute:username_traversal:creation:high",
            False,
        ),
        (
            "VolumetricPhoneNumberHigh",
            lambda a: a.over("acfp:phone", 10, _hashed(a.phone) if a.phone.strip() else b""),
            "aggregate:volumetric:phone_number:high",
            False,
        ),
        (
            "VolumetricAddressHigh",
            lambda a: a.over("acfp:address:high", 100, _hashed(a.address) if a.address.strip() else b""),
            "aggregate:volumetric:address:high",
            False,
        ),
        (
            "VolumetricAddressLow",
            lambda a: a.over("acfp:address:low", 10, _hashed(a.address) if a.address.strip() else b""),
            "aggregate:volumetric:address:low",
            True,
        ),
        (
            "VolumetricIPSuccessfulResponse",
            lambda a: _succeeded(a, "acfp:ip", ip(a), 10),
            "aggregate:volumetric:ip:successful_creation_response:high",
            False,
        ),
        (
            "VolumetricSessionSuccessfulResponse",
            lambda a: _succeeded(a, "acfp:session", a.session, 1),
            "aggregate:volumetric:session:successful_creation_response:high",
            False,
        ),
        (
            "VolumetricSessionTokenReuseIp",
            lambda a: a.distinct("acfp:reuse", 5, a.session, ip(a)),
            "aggregate:volumetric:session:creation:token_reuse:ip",
            False,
        ),
    )
    group.detect("UnsupportedCognitoIDP", lambda _request, _context: None, "unsupported:cognito_idp")
    group.detect("AllRequests", _page, None, CHALLENGE)
    for name, check, label, captcha in rows:
        group.detect(name, _signup(check), label, *((CAPTCHA,) if captcha else ()))
    return group


def _succeeded(attempt: Attempt, kind: str, key: bytes, limit: int) -> bool:
    rule = RateRule(f"{kind}:succeeded", limit, TEN_MINUTES)
    return bool(key) and attempt.rates.estimate(rule, key, attempt.request.time) > limit


def _listed(spec: Mapping[str, Any], member: str, text: str) -> bool:
    return any(each in text for each in spec.get(member) or ())


def succeeded(inspection: Config, status: int, headers: Mapping[str, str], body: bytes) -> bool | None:
    """Whether a response says success, by a ``ResponseInspection``; None where it says neither.

    ``headers`` are by lower-case name; of the body the first 65,536 bytes count.
    """
    text = body[:65536].decode("utf-8", "replace")
    spec = inspection.get("StatusCode")
    if spec:
        return (
            True if status in (spec.get("SuccessCodes") or ()) else False if status in (spec.get("FailureCodes") or ()) else None
        )
    spec = inspection.get("Header")
    if spec:
        value = headers.get(str(spec["Name"]).lower(), "")
        return True if value in spec["SuccessValues"] else False if value in spec["FailureValues"] else None
    spec = inspection.get("BodyContains")
    if spec:
        return True if _listed(spec, "SuccessStrings", text) else False if _listed(spec, "FailureStrings", text) else None
    spec = inspection.get("Json")
    if spec:
        found: dict[str, bytes] = {}
        try:
            _flatten(json.loads(text), "", found, 16)
        except (ValueError, RecursionError):
            return None
        value = found.get(str(spec["Identifier"]), b"").decode("utf-8", "replace")
        return True if value in spec["SuccessValues"] else False if value in spec["FailureValues"] else None
    return None


_GROUPS: Final = ((ATP, "atp", "LoginPath"), (ACFP, "acfp", "CreationPath"))


def _asks(request: WebRequest, config: Config, path: str) -> bool:
    regex = bool(config.get("EnableRegexInPath"))
    return bool(config.get("ResponseInspection")) and _path_matches(request, str(config.get(path) or ""), regex=regex)


def observed(request: WebRequest, configs: Config) -> bool:
    """Whether the answer to this request counts (:func:`observe`). ``configs`` are a statement's, merged into one mapping."""
    return any(_asks(request, config, path) for group, _, path in _GROUPS if isinstance(config := configs.get(group), Mapping))


def observe(request: WebRequest, context: Context, *, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Count what the application answered to an attempt. For responses to requests of a web ACL that has one of the groups."""
    for group, prefix, path in _GROUPS:
        config = _config(context, group)
        if not _asks(request, config, path):
            continue
        good = succeeded(config["ResponseInspection"], status, headers, body)
        if good is None or (group == ATP) == good:
            continue
        word = "succeeded" if good else "failed"
        keys = [(f"{prefix}:ip:{word}", request.source_ip.encode())]
        if context.state.token.state is TokenState.ACCEPTED:
            keys.append((f"{prefix}:session:{word}", context.state.token.id.encode()))
        for name, key in keys:
            limits = {"atp:ip": 10, "atp:session": 10, "acfp:ip": 10, "acfp:session": 1}
            context.state.rates.hit(RateRule(name, limits[name.rpartition(":")[0]], TEN_MINUTES), key, request.time)
