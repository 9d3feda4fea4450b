from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.organizations import Org


@pytest.fixture
def org() -> Iterator[Org]:
    found = Org()
    yield found
    found.close()
