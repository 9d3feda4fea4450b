"""Answers that are kept for values that come again, as the headers of browsers do, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

LONGEST: Final = 512
"""Bytes of a value that is worth keeping: whoever sends longer ones fills no memory with them."""
ENTRIES: Final = 4096
"""Values that are kept of one question, those asked for last."""
Answer = TypeVar("Answer")


def remembered(ask: Callable[[bytes], Answer]) -> Callable[[bytes], Answer]:
    """``ask``, which depends on the value alone, with its last answers kept: at most ``ENTRIES``, each of ``LONGEST`` bytes."""
    known = lru_cache(maxsize=ENTRIES)(ask)

    @wraps(ask)
    def answer(value: bytes) -> Answer:
        return known(value) if len(value) <= LONGEST else ask(value)

    return answer
