"""Fixtures of the tests of whole programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import fronts


@pytest.fixture(scope="module", params=fronts.TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Iterator[str]:
    """How the firewall is asked: each test of a module that uses this runs with both, against the same expectations."""
    with fronts.asked_by(request.param):
        yield request.param
