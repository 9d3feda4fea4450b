"""MACs and what is none. Published vectors: ``test_published.py``."""

from __future__ import annotations

import pytest

from garrison.keys.kms.algorithms.base import Refused
from garrison.keys.kms.algorithms.mac import ALGORITHMS, MacKey

ID = "00" * 32


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_but_the_whole_mac_is_the_mac(algorithm: str):
    secret = MacKey(ID, b"k" * 64)
    mac = secret.generate(algorithm, b"m")
    for bad in (b"", mac[:-1], mac + b"\0", mac[:16], bytes([mac[0] ^ 1]) + mac[1:], mac[:-1] + bytes([mac[-1] ^ 128])):
        with pytest.raises(Refused):
            secret.verify(algorithm, b"m", bad)
    with pytest.raises(Refused):
        secret.verify(algorithm, b"n", mac)
    with pytest.raises(Refused):
        MacKey(ID, b"k" * 63).verify(algorithm, b"m", mac)
