"""Pictures and recordings of CAPTCHAs, drawn by the library ``captcha`` (the extra ``edge``)."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from captcha.audio import AudioCaptcha
    from captcha.image import ImageCaptcha


def can_draw() -> bool:
    """Whether the library is there. Without it a CAPTCHA cannot be solved, and its rule blocks."""
    return importlib.util.find_spec("captcha") is not None


@lru_cache(maxsize=1)
def _painter() -> ImageCaptcha:
    from captcha.image import ImageCaptcha  # noqa: PLC0415 - an optional package

    return ImageCaptcha(width=300, height=100)


@lru_cache(maxsize=1)
def _speaker() -> AudioCaptcha:
    from captcha.audio import AudioCaptcha  # noqa: PLC0415 - an optional package

    return AudioCaptcha()


def picture(text: str) -> bytes:
    """A PNG with the characters; 10 KB and 5 ms."""
    return bytes(_painter().generate(text).getvalue())


def recording(text: str) -> bytes:
    """A WAV that says the digits; 160 KB and a quarter of a second."""
    return bytes(_speaker().generate(text))
