"""The background's part of temporary delegation: requests whose time is over, and messages that are to be sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from garrison.core.ids import Random, system_random
from garrison.core.ports import Sealer
from garrison.identity.delegation import notices, requests
from garrison.identity.delegation.delivery import NotDeliveredError, deliver
from garrison.identity.delegation.notices import Notice
from garrison.identity.delegation.partners import PURPOSE
from garrison.identity.delegation.requests import OPEN, WAITING_SECONDS
from garrison.store import Store

log = logging.getLogger("garrison.delegation")

ROUND_SECONDS = 5.0
"""After so long a round begins no other message: the rest of the background waits."""
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 3600.0
GIVE_UP_SECONDS = 43_200.0
"""No token is good for longer."""
_AT_ONCE = 100

Send = Callable[[Notice, bytes, float], None]


def due_delegations(store: Store, sealer: Sealer, now: float, *, random: Random = system_random, send: Send = deliver) -> None:
    """One round. Each step is committed by itself: nobody waits for the store while a partner is waited for.

    Raises StoreUnavailable.
    """
    expire(store, sealer, now, random)
    until = time.monotonic() + ROUND_SECONDS
    failing: set[str] = set()
    for notice in notices.waiting(store.reading(), sealer, now, _AT_ONCE):
        if time.monotonic() >= until:
            return
        # In order: a message waits where one before it, to the same topic, did not arrive.
        if notice.topic_arn not in failing and not _sent(store, sealer, notice, now, send):
            failing.add(notice.topic_arn)


def expire(store: Store, sealer: Sealer, now: float, random: Random = system_random) -> None:
    """Note which requests expired, and tell their partners; forget those that expired long ago, and messages nobody fetched."""
    rows = requests.due(store.reading(), now, _AT_ONCE)
    if rows:
        with store.writing() as tx:
            for row in rows:
                if row.state == "EXPIRED" or row.expires <= now - requests.RETENTION_SECONDS:
                    requests.delete(tx, row)
                    continue
                gone = row._replace(state="EXPIRED", updated=now)
                requests.write(tx, gone)
                if row.state in OPEN:
                    notices.state_changed(tx, sealer, gone, random)
        store.commit()
    if notices.has_older(store.reading(), now - WAITING_SECONDS):
        with store.writing() as tx:
            notices.forget(tx, now - WAITING_SECONDS)
        store.commit()


def _sent(store: Store, sealer: Sealer, notice: Notice, now: float, send: Send) -> bool:
    secret = sealer.unseal(PURPOSE, notice.secret, notice.topic_arn.encode())
    try:
        send(notice, secret, now)
    except NotDeliveredError as error:
        log.warning("a partner's message was not delivered", extra={"topic": notice.topic_arn, "why": str(error)})
        pause = min(FIRST_PAUSE * 2.0 ** min(notice.attempts, 20), LONGEST_PAUSE)
        with store.writing() as tx:
            notices.failed(tx, notice, now + pause if now - notice.created < GIVE_UP_SECONDS else None)
        store.commit()
        return False
    with store.writing() as tx:
        notices.delivered(tx, notice)
    store.commit()
    return True
