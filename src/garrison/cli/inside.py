"""The firewall inside Envoy's own process: what its supervisor tells it, and how it begins."""

from __future__ import annotations

import logging
import os
import pickle
import queue
import threading
from dataclasses import dataclass, field
from typing import Any

from garrison.cli import protecting
from garrison.config import Settings
from garrison.edge.proxy.embedded import Embedded
from garrison.edge.proxy.settings import Front
from garrison.keys.memory import no_core_dumps
from garrison.logs import configure_logs

LOG = logging.getLogger("garrison.edge")
_ENDED = 70


@dataclass(frozen=True, slots=True)
class _Told:
    front: Front
    given: dict[str, Any]
    settings: Settings
    secret: protecting.Secret = field(repr=False)


def told(front: Front, given: dict[str, Any], settings: Settings, secret: protecting.Secret) -> bytes:
    """What :func:`begin` reads. Has keys in it."""
    return pickle.dumps(_Told(front, given, settings, secret))


def begin(descriptor: int) -> Embedded:
    """Begin, in Envoy's main thread, before it listens. ``descriptor``: memory that holds what was ``told``.

    Called by ``inside.c``, which ends Envoy where this raises anything.
    """
    with os.fdopen(descriptor, "rb") as state:
        state.seek(0)
        known: _Told = pickle.load(state)  # noqa: S301 - of our own parent, in memory that no other user can open
    for name in ("GARRISON_INSIDE_STATE", "GARRISON_INSIDE_PYTHON"):
        os.environ.pop(name, None)
    no_core_dumps()
    configure_logs(known.given["log_level"] or "warning")
    begun: queue.SimpleQueue[Embedded | BaseException] = queue.SimpleQueue()
    thread = threading.Thread(target=_live, args=(known, begun), name="inspector", daemon=True)
    thread.start()
    found = begun.get()
    if isinstance(found, BaseException):
        raise found
    found.at_end(thread.join)
    return found


def _live(known: _Told, begun: queue.SimpleQueue[Embedded | BaseException]) -> None:
    """All but the inspections themselves: a store is its own thread's."""
    started = False

    def ready(made: Embedded) -> None:
        nonlocal started
        started = True
        begun.put(made)

    try:
        kept = protecting.cache()
        place = protecting.place_of(known.front, known.given, known.settings, kept, known.secret)
        guard = threading.Lock()
        with place.open(guard) as own:
            protecting.run_inside(known.front, own, kept, known.given["valkey"], guard, ready)
    except BaseException as error:
        if not started:
            begun.put(error)
            return
        # Who hears of no change any more must not go on. The supervisor starts Envoy again.
        LOG.critical("the firewall inside Envoy cannot go on", exc_info=error)
        logging.shutdown()
        os._exit(_ENDED)
