"""Prometheus metrics of the inspectors of a node, served by whichever is asked.

Counts are kept in plain Python and handed over once a second; prometheus-client keeps a file for each process and adds them up.
"""

from __future__ import annotations

import os
from collections import Counter as Counts
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def prepare(folder: Path) -> None:
    """Say where the files are; before any process imports the library."""
    folder.mkdir(mode=0o700)
    os.environ[FOLDER] = str(folder)


class Metrics:
    """The counters of one process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """``registry``: where the process shows other counters too; one of their own without it."""
        from prometheus_client import CollectorRegistry, Counter  # noqa: PLC0415 - it reads its folder when imported

        own = registry or CollectorRegistry()
        self._counters = {
            "requests": Counter(
                "garrison_waf_requests", "Requests inspected, by web ACL and action.", ("web_acl", "action"), registry=own
            ),
            "rules": Counter(
                "garrison_waf_rule_matches",
                "Requests that a rule matched, by its metric's name and action; Default_Action: no rule decided.",
                ("web_acl", "metric", "action"),
                registry=own,
            ),
            "seconds": Counter("garrison_waf_inspection_seconds", "Time that inspections took.", ("web_acl",), registry=own),
            "events": Counter(
                "garrison_waf_events",
                "What should not be: inspection_failed, log_record_lost, rates_not_shared, coded_body_refused, envoy_restarted, "
                "inspector_restarted.",
                ("event",),
                registry=own,
            ),
        }
        self._handed: Counts[tuple[str, ...]] = Counts()

    def hand_over(self, counts: Mapping[tuple[str, ...], float]) -> None:
        """Bring the counters to these counts: each by its counter's name, then its labels' values."""
        for key, count in counts.items():
            new = count - self._handed[key]
            if new > 0:
                self._counters[key[0]].labels(*key[1:]).inc(new)
                self._handed[key] = count  # type: ignore[assignment] # seconds are fractions


def page() -> tuple[bytes, str]:
    """The page of all processes, and its content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest  # noqa: PLC0415 - as above
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - as above

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library's own gap
    return generate_latest(registry), CONTENT_TYPE_LATEST
