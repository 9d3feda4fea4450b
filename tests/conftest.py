"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import postgres
from tests.support.server import Server
from tests.support.stores import cluster

__all__ = ["cluster"]  # a fixture that more than one folder shares

CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
# What CI runs twice answers twice the same; a developer's runs, and the long ones, go on looking elsewhere each time.
hypothesis.settings.register_profile("default", max_examples=60, deadline=None, derandomize=CI)
hypothesis.settings.register_profile("long", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

ServerFactory = Callable[..., Server]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that share it: a test makes names of its own and leaves what others need."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[ServerFactory]:
    """Makes servers that are this test's alone: ``new_server(workers=2).start()``. All end with the test."""
    made: list[Server] = []

    def make(**options: object) -> Server:
        directory = tmp_path / f"server-{len(made)}"
        made.append(Server(directory, **options))  # type: ignore[arg-type] # the options are Server's own
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def fresh_server(new_server: ServerFactory) -> Server:
    """A started server with nothing in it but the first start's own users."""
    return new_server().start()


@pytest.fixture
def postgres_url(cluster: postgres.Cluster) -> str:
    """A new, empty database on a PostgreSQL of the tests' own."""
    return cluster.database()


@pytest.fixture(autouse=True, scope="session")
def no_aws_environment() -> Iterator[None]:
    """A developer's own AWS settings never reach a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield
