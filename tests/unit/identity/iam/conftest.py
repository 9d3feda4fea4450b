"""An account for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.iam import Cloud


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.store.close()
