"""What one inspector keeps of its verdicts: counts for metrics, samples for the control plane, records for the log."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from garrison.core.arn import parse_arn
from garrison.edge.inspect import Verdict, WebRequest
from garrison.edge.inspect.verdict import DEFAULT_ACTION
from garrison.edge.privacy import Privacy, privacy
from garrison.edge.proxy.logbook import LogBook
from garrison.edge.proxy.policies import Policy
from garrison.edge.samples import Batch, silent

LOG = logging.getLogger("garrison.edge")
SAMPLES_SECONDS: Final = 1.0


@dataclass(slots=True)
class Watcher:
    """Sees each verdict. Used by one thread."""

    open_book: Callable[[Policy], LogBook | None]
    """The log book of a web ACL; None where nothing is logged."""
    batch: Batch | None = None
    """Samples for the control plane; None without one."""
    counts: dict[tuple[str, ...], float] = field(default_factory=lambda: defaultdict(float))
    """By counter and labels, for ``Metrics.hand_over``."""
    seen: int = 0
    _policy: Policy | None = None
    _book: LogBook | None = None
    _name: str = ""
    _metric: str = ""
    _arn: str = ""
    _silent: frozenset[str] = frozenset()
    _masks: Privacy = field(default_factory=Privacy)
    _lost: int = 0

    def saw(self, policy: Policy, request: WebRequest, verdict: Verdict, seconds: float) -> None:
        """One inspection, and how long it took."""
        if policy is not self._policy:
            self._turn_to(policy)
        self.seen += 1
        counts, name = self.counts, self._name
        counts["requests", name, verdict.action] += 1
        counts["seconds", name] += seconds
        for metric, action in verdict.metrics:
            counts["rules", name, DEFAULT_ACTION if metric == self._metric else metric, action] += 1
        if self.batch is not None:
            self.batch.add(self._arn, self._metric, request, verdict, self._silent, self._masks)
        if self._book is not None:
            self._book.add(request, verdict)

    def _turn_to(self, policy: Policy) -> None:
        document = policy.loaded.document
        assert document is not None  # noqa: S101 - without a web ACL there is no verdict
        self.flush()
        self._policy = policy
        self._arn, self._name = str(document["ARN"]), str(document["Name"])
        self._metric = str((document.get("VisibilityConfig") or {}).get("MetricName") or self._name)
        self._silent = silent(document)
        self._masks = privacy(document, (), parse_arn(self._arn).account)
        self._count_lost()
        self._book, self._lost = self.open_book(policy), 0

    def flush(self) -> None:
        """Write the records that wait."""
        if self._book is not None:
            self._book.flush()
            self._count_lost()

    def _count_lost(self) -> None:
        if self._book is not None and self._book.lost > self._lost:
            self.counts["events", "log_record_lost"] += self._book.lost - self._lost
            self._lost = self._book.lost
