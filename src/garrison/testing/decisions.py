"""What the server decided, and expectations of it: ``with garrison.denied("kms:Decrypt"): ...``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NoReturn, Self

Fetch = Callable[[int], Mapping[str, Any]]
"""The server's calls after a position."""

_DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AccessDeniedFault"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the audit trail has it."""

    event: Mapping[str, Any] = field(repr=False)
    """In CloudTrail's form."""
    decision: Mapping[str, Any] | None = field(repr=False)
    """None where no policy was asked."""
    story: str
    """Who asked for what, which statement decided, and why the others did not."""

    @property
    def request_id(self) -> str:
        """As the answer had it."""
        return str(self.event.get("requestID", ""))

    @property
    def name(self) -> str:
        """``kms:Decrypt``."""
        return f"{self.event['eventSource'].partition('.')[0]}:{self.event['eventName']}"

    @property
    def decisions(self) -> Sequence[Mapping[str, Any]]:
        """The one on the call's own action, and those on further permissions that it needed."""
        return [self.decision, *self.decision.get("further", ())] if self.decision else []

    @property
    def denied(self) -> bool:
        """Whether a policy refused it."""
        return any(one["outcome"] != "allowed" for one in self.decisions)

    def about(self, action: str | None, resource: str | None, by: str | None, *, allowed: bool) -> bool:
        """Whether one of its decisions is this one."""
        return any(
            (one["outcome"] == "allowed") is allowed
            and (action is None or one.get("action", "").lower() == action.lower())
            and (resource is None or one.get("resource") == resource)
            and (by is None or one.get("policy_type") == by)
            for one in self.decisions
        )


class Calls:
    """The server's calls from a moment on."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._mark = int(fetch(10**17)["last"])

    def __iter__(self) -> Iterator[Call]:
        after = self._mark
        while True:
            page = self._fetch(after)
            found = page["calls"]
            yield from (Call(call["event"], call["decision"], call["story"]) for call in found)
            if not found:
                return
            after = int(page["next"])

    @property
    def denied(self) -> list[Call]:
        """Those that a policy refused."""
        return [call for call in self if call.denied]


class Expectation:
    """A block of calls with one expected answer. ``calls`` and ``error`` are there afterwards."""

    __tracebackhide__ = True

    def __init__(
        self, fetch: Fetch, fail: Callable[[str], NoReturn], *, allowed: bool, wanted: tuple[str | None, str | None, str | None]
    ) -> None:
        """``wanted``: action, resource, and the type of policy that decides; None: any."""
        self._fetch = fetch
        self._fail = fail
        self._allowed = allowed
        self._wanted = wanted
        self._since: Calls | None = None
        self.calls: list[Call] = []
        """What was called inside."""
        self.error: Any = None
        """The ClientError of the denial."""

    def __enter__(self) -> Self:
        self._since = Calls(self._fetch)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        __tracebackhide__ = True
        self.calls = list(self._since or ())
        code = _code(error)
        if error is not None and not code:
            return False
        self.error = error
        return self._expect_allowed(code) if self._allowed else self._expect_denied(code)

    def _expect_denied(self, code: str) -> bool:
        """A denial is swallowed; any other error is no denial, and goes on."""
        __tracebackhide__ = True
        found = [call for call in self.calls if call.about(*self._wanted, allowed=False)]
        if code and not self._is_denial(code):
            self._fail(f"{self._what()}; the answer was {code}, which no policy decided: {self.error}{self._stories()}")
        if not found:
            self._fail(f"{self._what()}, and none was{self._stories()}")
        return True

    def _expect_allowed(self, code: str) -> bool:
        """A denial fails; an error that no policy decided goes on."""
        __tracebackhide__ = True
        denied = [call for call in self.calls if call.denied]
        if denied:
            self._fail(f"{self._what()}, and {denied[0].name} was denied{self._stories(denied)}")
        if code:
            return False
        if not any(call.about(*self._wanted, allowed=True) for call in self.calls):
            self._fail(f"{self._what()}, and no such call was made{self._stories()}")
        return False

    def _is_denial(self, code: str) -> bool:
        request = self.error.response.get("ResponseMetadata", {}).get("RequestId")
        return code in _DENIALS or any(call.denied for call in self.calls if call.request_id == request)

    def _what(self) -> str:
        action, resource, by = self._wanted
        parts = [f"a call{f' of {action}' if action else ''}{f' on {resource}' if resource else ''}"]
        parts.append(f"was expected to be {'allowed' if self._allowed else 'denied'}{f' by {by}' if by else ''}")
        return " ".join(parts)

    def _stories(self, calls: Sequence[Call] | None = None) -> str:
        chosen = self.calls if calls is None else calls
        return "".join(f"\n\n{call.story}" for call in chosen) or "\n\nno call was made"


def _code(error: BaseException | None) -> str:
    """The error code of botocore's ClientError; empty for anything else."""
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, Mapping) else ""
