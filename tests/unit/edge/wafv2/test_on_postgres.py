"""The same on PostgreSQL: every operation, and every statement of samples, once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from garrison.config import Settings
from garrison.edge import samples
from garrison.edge.inspect import Action, Verdict, WebRequest
from garrison.edge.samples import Batch
from tests.support import scenario_wafv2
from tests.support.house import ACCOUNT, REGION, House
from tests.support.wafv2 import SCOPE, Waf

NOW = 1_760_000_000.0


@pytest.fixture
def waf(tmp_path: Path, postgres_url: str) -> Iterator[Waf]:
    settings = Settings(
        data_dir=tmp_path / "data", root_key_file=tmp_path / "root.key", store=postgres_url, account=ACCOUNT, region=REGION
    )
    made = Waf(House(settings))
    yield made
    made.close()


def test_every_operation_on_a_database_server(waf: Waf):
    answers: dict[str, Any] = {}
    for step in scenario_wafv2.steps(answers):
        call = getattr(waf.client, xform_name(step.operation))
        try:
            answers[step.operation] = call(**step.members)
            assert not step.fails
        except ClientError as error:
            assert error.response["Error"]["Code"] == step.fails, step.operation  # noqa: PT017 - most of the steps succeed
    # Pages follow the database's own order of names, and lose none.
    names = {"b", "A", "a", "_x", "B1", "-y"}
    for name in names:
        waf.ip_set(name)
    seen: list[str] = []
    marker = None
    while marker is not None or not seen:
        more: dict[str, str] = {} if marker is None else {"NextMarker": marker}
        page = waf.client.list_ip_sets(Scope=SCOPE, Limit=2, **more)
        seen += [each["Name"] for each in page["IPSets"]]
        marker = page.get("NextMarker")
    assert (set(seen), len(seen)) == (names, len(names))


def test_samples_on_a_database_server(waf: Waf):
    store, batch = waf.house.state.store, Batch(os.urandom)
    for _ in range(3):
        request = WebRequest("GET", b"/a?x=\xff", ((b"Host", b"a"),), source_ip="192.0.2.1", time=NOW)
        batch.add("acl", "acl", request, Verdict(Action.ALLOW, metrics=(("rule", Action.COUNT), ("acl", Action.ALLOW))))
        with store.writing() as tx:
            batch.flush(tx, "one", NOW)
            samples.tell_limited(tx, "rule", "one", ["192.0.2.1"], NOW)
        store.commit()
    reading, window = store.reading(), (NOW - 60, NOW + 60)
    count, kept = samples.sampled(reading, "acl", "rule", window)
    assert (count, len(kept), kept[0]["Weight"]) == (3, 3, 1)
    assert samples.limited(reading, "rule", NOW) == ["192.0.2.1"]
    assert samples.paths(reading, "acl", window) == [samples.PathCount("/a", "", "", "", 3)]
    with store.writing() as tx:
        samples.prune(tx, NOW + samples.PATHS_KEPT + samples.HOUR)
    store.commit()
    assert samples.sampled(reading, "acl", "rule", window) == (0, [])
    assert samples.paths(reading, "acl", window) == []
