"""libinjection, from the wheel of libmodsecurity: one signal among others. Absent where the wheel has no build."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import Final

LONGEST: Final = 4096
Check = Callable[[bytes], bool]


@cache
def _library() -> ctypes.CDLL | None:
    """The shared library, None where the package is not installed or has another layout."""
    try:
        files = metadata.files("libmodsecurity") or []
    except metadata.PackageNotFoundError:
        return None
    for each in files:
        if "libmodsecurity-" in each.name and ".so" in each.name:
            try:
                return ctypes.CDLL(str(each.locate()))
            except OSError:
                return None
    return None


def available() -> bool:
    """Whether the library is there."""
    return _library() is not None


@cache
def _function(name: str, arguments: int) -> Callable[..., int] | None:
    library = _library()
    if library is None:
        return None
    found = library[name]
    found.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p)[:arguments]
    found.restype = ctypes.c_int
    return found


def sqli(value: bytes) -> bytes | None:
    """The fingerprint of SQL injection in ``value``, None for none."""
    function = _function("libinjection_sqli", 3)
    if function is None:
        return None
    fingerprint = ctypes.create_string_buffer(16)
    return fingerprint.value if function(value[:LONGEST], min(len(value), LONGEST), fingerprint) == 1 else None


def xss(value: bytes) -> bool:
    """Whether libinjection sees cross-site scripting in ``value``."""
    function = _function("libinjection_xss", 2)
    return function is not None and function(value[:LONGEST], min(len(value), LONGEST)) == 1
