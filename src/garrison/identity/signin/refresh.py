"""Refresh tokens: sealed, and changed at each use.

A token says which session it is of and how often that was refreshed before. The last one alone counts; an older one that comes
again was stolen, or lost on its way to its owner: its session ends (RFC 9700, section 4.14.2). For half a minute the one before
it is still good for the same key, so that two commands that refresh at one time, or one that heard no answer, do not sign their
user out.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import NamedTuple

import msgspec

from garrison.core.ports import Sealer
from garrison.identity.signin.dpop import encoded
from garrison.identity.signin.sessions import Session

OVERLAP_SECONDS = 30
PREFIX = "ASOR"
"""As AWS's refresh tokens begin: what leaks of them is found by it."""
_PURPOSE = "refresh-token"


class Refresh(NamedTuple):
    """What a refresh token says."""

    session_id: str
    generation: int

    def is_present(self, session: Session, now: float) -> bool:
        """Whether it is the session's last one, or the one before it and used again in time."""
        if self.generation == session.generation:
            return True
        return self.generation == session.generation - 1 and now - session.rotated_at <= OVERLAP_SECONDS


def seal(sealer: Sealer, session_id: str, generation: int) -> str:
    """The refresh token of a session after so many refreshes."""
    return PREFIX + encoded(sealer.seal(_PURPOSE, msgspec.msgpack.encode(Refresh(session_id, generation))))


def unseal(sealer: Sealer, token: str) -> Refresh | None:
    """What a refresh token says; None where it is none of ours."""
    if not token.startswith(PREFIX):
        return None
    token = token.removeprefix(PREFIX)
    try:
        blob = urlsafe_b64decode((token + "=" * (-len(token) % 4)).encode("ascii"))
        return msgspec.msgpack.decode(sealer.unseal(_PURPOSE, blob), type=Refresh)
    except (ValueError, msgspec.DecodeError):
        return None
