"""Garrison's own API with a web ACL, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from garrison.config import Settings
from garrison.core.context import Call
from garrison.core.http import Request, Response
from garrison.edge import listeners
from tests.support.house import ACCOUNT, REGION, House
from tests.support.waf import byte_match, header
from tests.support.wafv2 import Waf

SIGN_IN = "/_console/sign-in"
PROBE = byte_match(b"attack", header("x-probe"))
API = listeners.api_arn(REGION)


class Api(Waf):
    """A house whose gateway is asked as its server asks it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        # What compiled patterns there are is the user's own.
        place: dict[str, Any] = {
            "data_dir": folder / "data",
            "root_key_file": folder / "root.key",
            "account": ACCOUNT,
            "region": REGION,
        }
        super().__init__(House(Settings(**place, dev=True, **settings)))
        self.gateway = self.house.worker.gateway

    def settle(self) -> None:
        """Put in force what is associated now."""
        asyncio.run(self.house.worker.stage.start())

    def put(self, name: str, *rules: dict[str, Any], **more: Any) -> str:
        """Make a web ACL, give it to the API, and put it in force."""
        arn = str(self.acl(name, *rules, **more)["ARN"])
        self.client.associate_web_acl(WebACLArn=arn, ResourceArn=API)
        self.settle()
        return arn

    def ask(
        self,
        path: str = SIGN_IN,
        probe: str = "",
        *,
        method: str = "GET",
        body: bytes = b"",
        source_ip: str = "127.0.0.1",
        **headers: str,
    ) -> Response:
        """The answer to a request that nobody signed."""
        target, _, query = path.partition("?")
        sent = {"host": "127.0.0.1:4566", "x-probe": probe, **{name.replace("_", "-"): each for name, each in headers.items()}}
        request = Request(method, target, query, list(sent.items()), body)
        return asyncio.run(self._answer(request, Call(source_ip, host=sent["host"])))

    async def _answer(self, request: Request, call: Call) -> Response:
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        exchange = self.gateway.enter(request, call, answered.set_result)
        if exchange is None:
            return await answered
        said: list[Mapping[str, Any]] = []

        async def send(message: Mapping[str, Any]) -> None:
            said.append(message)

        await self.gateway.finish_to(exchange, send)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in said[0]["headers"]]
        return Response(said[0]["status"], headers, said[1]["body"])


def first(response: Response, name: str) -> str:
    """A header of an answer; empty where it has none."""
    return next((value for key, value in response.headers if key.lower() == name), "")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    made: list[Api] = []

    def one(**settings: Any) -> Api:
        made.append(Api(tmp_path, **settings))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture
def api(make: Callable[..., Api]) -> Api:
    return make()
