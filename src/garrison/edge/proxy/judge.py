"""One inspector's work: a question in, an answer out."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from garrison.core.http import Response
from garrison.core.ids import Random, system_random
from garrison.edge.inspect import Action, Rates, State, Token, Verdict, WebRequest
from garrison.edge.interstitial import PREFIX, Spent, SpentHere, answer, page
from garrison.edge.proxy.exchange import ALLOWED, BROKEN, Question, allow, answered, read_request, refuse
from garrison.edge.proxy.policies import Policy
from garrison.edge.proxy.responses import count, mark
from garrison.edge.tokens import token_of

LOG = logging.getLogger("garrison.edge")
_TITLE: Final = b"403 Forbidden"
FORBIDDEN: Final = b"".join(
    (
        b"<html>\r\n<head><title>" + _TITLE + b"</title></head>\r\n",
        b"<body>\r\n<center><h1>" + _TITLE + b"</h1></center>\r\n</body>\r\n</html>\r\n",
    )
)
"""What an application load balancer answers where a rule blocks and says no more."""


def load_balancers() -> Response:
    """The answer of an application load balancer to what is blocked."""
    return Response(403, [("content-type", "text/html")], FORBIDDEN)


_PLAIN: Final = [("content-type", "text/plain")]
_HOST: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::\d*)?")
"""RFC 3986, 3.2.2 and 3.2.3, without the comma."""
UNREADABLE: Final = b"This coding of a body is not taken here.\n"
_HARMLESS: Final = frozenset({b"", b"identity", b"aws-chunked"})
"""Values of ``Content-Encoding`` that change no byte of what is inspected."""
_QUIET_SECONDS: Final = 1.0
_PAGES: Final = PREFIX.encode()
Slow = Callable[[], bytes]
"""Gives an answer to Envoy, and takes longer than others should wait for: for another thread."""


class Passed(NamedTuple):
    """The request goes on to the application, with these headers."""

    inserted: tuple[tuple[str, str], ...] = ()
    watch: bytes = b""
    """What the answer comes back with, where it counts (:meth:`Judge.observe`)."""


class Work(NamedTuple):
    """Gives an answer, and takes longer than others should wait for."""

    run: Callable[[], Response]


_PASSED: Final = Passed()


class Observer(Protocol):
    """Who is told of verdicts: logs, samples, metrics."""

    def saw(self, policy: Policy, request: WebRequest, verdict: Verdict, seconds: float) -> None:
        """One inspection, and how long it took. May raise: the verdict stands."""
        ...


@dataclass(slots=True)
class Judge:
    """Decides on requests. Used by one thread, but for what is ``Slow``."""

    policy: Policy
    rates: Rates
    scheme: str
    undo_codings: bool = True
    """Whether a body in a coding that Envoy did not undo is refused: nobody can say what the application reads in it."""
    observer: Observer | None = None
    spent: Spent = field(default_factory=SpentHere)
    clock: Callable[[], float] = time.time
    random: Random = system_random
    forbidden: Callable[[], Response] = load_balancers
    """The answer where a rule blocks and says no more."""
    unreadable: int = 0
    """Requests that were refused for the coding of their body."""
    failures: int = 0
    """Questions that were not answered, for whatever reason. The listener's fail mode decided."""
    _quiet_until: float = 0.0

    def answer(self, question: Question) -> bytes | Slow:
        """The answer to Envoy. Never raises: what cannot be decided is a failure, and the listener's fail mode decides."""
        try:
            told = answered(question)
            if told is not None:
                self.observe(*told)
                return ALLOWED
            return self._answer(question)
        except Exception as error:  # noqa: BLE001 - whatever it is, Envoy must have an answer; it is logged
            return self.failed(error)

    def failed(self, error: Exception) -> bytes:
        """Count and log; at most one a second, or whoever finds a fault could fill the disk."""
        self.failures += 1
        now = self.clock()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            LOG.error("a request could not be inspected", exc_info=error, extra={"failures": self.failures})
        return BROKEN

    def _answer(self, question: Question) -> bytes | Slow:
        request = read_request(question, scheme=self.scheme, now=self.clock())
        found = self.decide(request)
        if isinstance(found, Work):
            return lambda: self._worked(found, request)
        return allow(found.inserted, found.watch) if isinstance(found, Passed) else rendered(found, request)

    def decide(self, request: WebRequest) -> Passed | Response | Work:
        """What becomes of a request: it passes, or has an answer, or work that gives one. Raises whatever goes wrong."""
        policy = self.policy
        if policy.acl is None:
            return _PASSED
        unfit = self._unfit(request)
        if unfit is not None:
            return unfit
        site = policy.site
        if site is not None and request.path.startswith(_PAGES):
            return Work(lambda: answer(request, site, self.rates, self.spent, self.random) or Response(404))
        found = policy.loaded.resources.locate(request.source_ip)
        request.country, request.region, request.asn = found.country, found.region, found.asn
        token = Token() if site is None else token_of(request, site.keys, site.token_domains)
        begun = time.perf_counter()
        verdict = policy.acl.inspect(request, State(self.rates, token))
        if self.observer is not None:
            self._tell(self.observer, policy, request, verdict, time.perf_counter() - begun)
        outcome = self._outcome(policy, request, verdict)
        if policy.watching and isinstance(outcome, Passed):
            return outcome._replace(watch=mark(policy.watching, request, token))
        return outcome

    def observe(self, marked: bytes, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """What the application answered to a request that passed with a mark. Never raises."""
        try:
            count(self.policy.watching, self.rates, marked, status, headers, body)
        except Exception as error:  # noqa: BLE001 - the answer is on its way; it is logged
            self.failed(error)

    def _unfit(self, request: WebRequest) -> Response | None:
        """The answer to what two readers could understand differently, and Envoy lets through."""
        if _HOST.fullmatch(request.host) is None:
            # Two of them, too: Envoy joins them by a comma.
            return Response(400, _PLAIN, b"The host is not valid.\n")
        if self.undo_codings and _is_coded(request):
            self.unreadable += 1
            return Response(415, _PLAIN, UNREADABLE)
        return None

    def _tell(self, observer: Observer, policy: Policy, request: WebRequest, verdict: Verdict, seconds: float) -> None:
        """A log that cannot be written is no reason to pass an attack, nor to refuse a request."""
        try:
            observer.saw(policy, request, verdict, seconds)
        except Exception as error:  # noqa: BLE001 - as the docstring says; it is logged
            self.failed(error)

    def _worked(self, work: Work, request: WebRequest) -> bytes:
        try:
            return rendered(work.run(), request)
        except Exception as error:  # noqa: BLE001 - as in `answer`
            return self.failed(error)

    def _outcome(self, policy: Policy, request: WebRequest, verdict: Verdict) -> Passed | Response:
        if verdict.action is Action.ALLOW:
            return Passed(verdict.inserted) if verdict.inserted else _PASSED
        if verdict.action is Action.BLOCK:
            return _blocked(verdict, self.forbidden)
        if policy.site is None:
            raise LookupError("there is no key for tokens: a challenge cannot be posed")
        return page(request, verdict.action, policy.site, self.random)


def _is_coded(request: WebRequest) -> bool:
    """Whether the body is in a coding, as far as its head says."""
    coding = request.header(b"content-encoding")
    return coding is not None and any(each.strip().lower() not in _HARMLESS for each in coding.split(b","))


def _blocked(verdict: Verdict, forbidden: Callable[[], Response]) -> Response:
    chosen = verdict.response
    if chosen is None or (chosen.status == 403 and chosen.body is None and not chosen.headers):
        return forbidden()
    headers = list(chosen.headers)
    if chosen.content_type is not None:
        headers.append(("content-type", chosen.content_type))
    return Response(chosen.status, headers, (chosen.body or "").encode())


def rendered(response: Response, request: WebRequest) -> bytes:
    """An answer in the application's place, for Envoy."""
    return refuse(response.status, response.headers, response.body, head_only=request.method == "HEAD")
