"""Prometheus metrics of every worker of a node, served by whichever is asked.

The gateway counts in plain Python and the counts are handed over once a second: a labelled counter at each call would
cost more than the call's authorization. prometheus-client keeps one file a process and adds them up at a scrape.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter as Counts
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare_folder(folder: Path) -> None:
    """An empty folder for this start's counters; called by the supervisor before any worker imports the library."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ[FOLDER_VARIABLE] = str(folder)


def forget_folder() -> None:
    """One process alone counts in memory, whatever the environment says."""
    os.environ.pop(FOLDER_VARIABLE, None)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter  # noqa: PLC0415 - it reads its folder when imported

        self.registry = CollectorRegistry()
        """Where this process shows its counters."""
        self._calls = Counter(
            "garrison_requests",
            "Calls answered, by service, operation and HTTP status.",
            ("service", "operation", "status"),
            registry=self.registry,
        )
        self._suppressed = Counter(
            "garrison_audit_suppressed",
            "Failed calls without credentials that were counted and not recorded one by one.",
            registry=self.registry,
        )
        self._handed: Counts[tuple[str, str, int]] = Counts()
        self._handed_suppressed = 0

    def hand_over(self, calls: Counts[tuple[str, str, int]], suppressed: int) -> None:
        """Add what was counted since the last time."""
        for key, count in calls.items():
            new = count - self._handed[key]
            if new:
                service, operation, status = key
                self._calls.labels(service, operation, str(status)).inc(new)
                self._handed[key] = count
        self._suppressed.inc(suppressed - self._handed_suppressed)
        self._handed_suppressed = suppressed

    def exposition(self) -> tuple[bytes, str]:
        """The page of all workers, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest  # noqa: PLC0415 - as above
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - as above

        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self.registry), CONTENT_TYPE_LATEST
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library's own gap
        return generate_latest(registry), CONTENT_TYPE_LATEST
