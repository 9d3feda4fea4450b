"""ML-DSA keys, as they are made here. Published vectors: ``test_published.py``."""

from __future__ import annotations

import pytest

from garrison.keys.kms.algorithms import mldsa
from garrison.keys.kms.algorithms.base import RAW

ID = "00" * 32


@pytest.mark.parametrize(
    ("spec", "public", "signature"), [("ML_DSA_44", 1334, 2420), ("ML_DSA_65", 1974, 3309), ("ML_DSA_87", 2614, 4627)]
)
def test_sizes(spec: str, public: int, signature: int):  # FIPS 204, table 2, and 22 bytes of DER
    key = mldsa.MlDsaKey(spec, ID, bytes(range(32)))
    assert len(key.public()) == public
    assert len(key.sign("ML_DSA_SHAKE_256", RAW, b"x")) == signature
    assert key.sign("ML_DSA_SHAKE_256", RAW, b"x") != key.sign("ML_DSA_SHAKE_256", RAW, b"x")
