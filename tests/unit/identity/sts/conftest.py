"""An identity provider, and a house that trusts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.idp_oidc import OidcIdp
from tests.support.vouched import Cloud, SamlCloud


@pytest.fixture
def idp() -> Iterator[OidcIdp]:
    with OidcIdp() as made:
        yield made


@pytest.fixture
def cloud(idp: OidcIdp) -> Iterator[Cloud]:
    made = Cloud(idp)
    yield made
    made.house.close()


@pytest.fixture
def saml() -> Iterator[SamlCloud]:
    made = SamlCloud()
    yield made
    made.house.close()
