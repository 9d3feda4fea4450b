"""The pytest plugin: fixtures ``garrison``, ``garrison_server`` and ``garrison_env``.

One real server for each process of tests (so one for each worker of pytest-xdist), on a port of its own; its state goes back to
the first start before every test. A test that fails shows which of its calls a policy refused, and why.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from garrison.testing import Calls, Garrison, Identity, Server

_CALLS: pytest.StashKey[Calls] = pytest.StashKey()
_OPTIONS = "further options of `garrison serve`, like --account 111122223333"
_RESET = "when the state goes back to the first start: `test` (before each test) or `never`"
_STEERING = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_", "AWS_WEB_IDENTITY_", "AWS_ROLE_")
_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings in ``pytest.ini``."""
    parser.addini("garrison_options", _OPTIONS, type="args", default=[])
    parser.addini("garrison_reset", _RESET, default="test")


def pytest_configure(config: pytest.Config) -> None:
    """Raises UsageError on a setting that is none."""
    if config.getini("garrison_reset") not in {"test", "never"}:
        msg = f"garrison_reset is `{config.getini('garrison_reset')}`; must be `test` or `never`"
        raise pytest.UsageError(msg)


@pytest.fixture(scope="session")
def garrison_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server process of this process of tests."""
    from garrison.testing import Server  # noqa: PLC0415 - only tests that use it pay for it

    server = Server(request.config.getini("garrison_options"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def garrison(garrison_server: Server, request: pytest.FixtureRequest) -> Garrison:
    """The server as after its first start, with identities, clients and expectations."""
    from garrison.testing import Garrison  # noqa: PLC0415 - only tests that use it pay for it

    if not garrison_server.alive or (request.config.getini("garrison_reset") == "test" and not garrison_server.fresh):
        garrison_server.reset()
    made = Garrison(garrison_server, lambda message: pytest.fail(message, pytrace=False))
    request.node.stash[_CALLS] = made.calls()
    return made


@pytest.fixture
def garrison_env(garrison: Garrison, monkeypatch: pytest.MonkeyPatch) -> Callable[[Identity | None], Identity]:
    """``garrison_env(identity)``: from here on, whatever reads AWS's environment variables acts as this identity, on this server.

    Without an identity as ``admin``. Profiles and credentials of the machine are out of reach for the rest of the test.
    """

    def use(identity: Identity | None = None) -> Identity:
        chosen = identity or garrison.admin
        for name in list(_environ()):
            if name.startswith(_STEERING):
                monkeypatch.delenv(name)
        for name in _FILES:
            monkeypatch.setenv(name, "/nonexistent")
        for name, value in chosen.environment.items():
            monkeypatch.setenv(name, value)
        if "boto3" in sys.modules:
            monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        return chosen

    return use


def _environ() -> Any:  # noqa: ANN401 - os.environ
    import os  # noqa: PLC0415 - asked when it is needed: tests change it

    return os.environ


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure stands what policies refused during the test."""
    report = yield
    calls = item.stash.get(_CALLS, None)
    if call.when == "call" and report.failed and calls is not None:
        report.sections.append(("calls that garrison refused", _refused(calls)))
    return report


def _refused(calls: Calls) -> str:
    from garrison.testing import ServerError  # noqa: PLC0415 - only tests that use it pay for it

    try:
        return "\n\n".join(call.story for call in calls.denied) or "none"
    except ServerError as error:
        return str(error)
