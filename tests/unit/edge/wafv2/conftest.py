"""One house for the tests of a module: each makes names of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.wafv2 import Waf


@pytest.fixture(scope="module")
def waf() -> Iterator[Waf]:
    made = Waf()
    yield made
    made.close()
