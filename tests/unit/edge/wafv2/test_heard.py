"""A change is heard by other processes of the node as soon as it is acknowledged: that is how inspectors learn of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from garrison import app
from garrison.config import Settings
from garrison.edge import live
from tests.support.house import ACCOUNT, REGION, House
from tests.support.wafv2 import Waf, named, rule, visible

API = f"arn:aws:apigateway:{REGION}::/restapis/garrison/stages/api"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", root_key_file=tmp_path / "root.key", account=ACCOUNT, region=REGION)


@pytest.fixture
def served(settings: Settings) -> Iterator[Waf]:
    found = Waf(House(settings))
    yield found
    found.close()


def test_an_inspector_hears_of_every_change(served: Waf, settings: Settings):
    inspector = app.open_state(settings, 65)
    heard: list[str | None] = []
    inspector.store.on_change(live.CHANGED, heard.append)
    managed = live.Managed(detecting=False)

    def hear() -> str:
        """The version that the inspector has now; it must have heard that it is another."""
        heard.clear()
        inspector.store.refresh()
        assert heard, "nothing was heard"
        found = live.read(inspector.store.reading(), API, managed)
        return found.version if found is not None else ""

    addresses = served.ip_set("bad", "192.0.2.0/24")
    acl = served.acl("acl", rule("bad", {"IPSetReferenceStatement": {"ARN": addresses["ARN"]}}))
    served.client.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=API)
    versions = [hear()]
    served.client.update_ip_set(Addresses=[], LockToken=addresses["LockToken"], **named(addresses))
    versions.append(hear())
    settings_now = {"DefaultAction": {"Block": {}}, "VisibilityConfig": visible()}
    served.client.update_web_acl(LockToken=acl["LockToken"], **settings_now, **named(acl))
    versions.append(hear())
    served.client.disassociate_web_acl(ResourceArn=API)
    versions.append(hear())
    assert versions[-1] == ""
    assert len(set(versions)) == 4
    inspector.close()
