"""The managed rule groups with their lists, as inspectors hold them; snapshots are tested with the control plane."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from garrison.edge import live
from garrison.edge.inspect import Context, RateTable, State, WebRequest
from garrison.edge.inspect.managed.catalog import Catalog
from garrison.keys.keyring import Keyring
from garrison.store import open_store


def listed(catalog: Catalog, address: str) -> bool:
    """Whether the reputation list has an address."""
    group = catalog.get("AWS", "AWSManagedRulesAmazonIpReputationList")
    detect = group.request_detectors["AWSManagedIPReputationList"]
    request = WebRequest("GET", b"/", source_ip=address)
    return detect(request, Context(State(RateTable()), (), {}, 8192)) is not None


def write(path: Path, text: str, when: int) -> None:
    path.write_text(text)
    os.utime(path, (when, when))


def test_lists_are_read_again_where_a_file_changed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "reputation.txt"
    write(file, "192.0.2.0/24\n", 1)
    managed = live.Managed(tmp_path, detecting=False)
    first = managed.version
    assert listed(managed.catalog, "192.0.2.1")
    assert managed.refresh() is False
    write(file, "198.51.100.0/24\n", 2)
    assert managed.refresh() is True
    assert (listed(managed.catalog, "192.0.2.1"), listed(managed.catalog, "198.51.100.1")) == (False, True)
    assert managed.version != first
    # A list that cannot be read leaves the groups as they were, says so once, and is looked at again when it changes.
    write(file, "no address\n", 3)
    assert [managed.refresh(), managed.refresh()] == [False, False]
    assert listed(managed.catalog, "198.51.100.1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    write(file, "203.0.113.0/24\n", 4)
    assert managed.refresh() is True
    assert listed(managed.catalog, "203.0.113.1")


def test_a_first_list_that_cannot_be_read_stops_the_start(tmp_path: Path):
    (tmp_path / "anonymous.txt").write_text("nonsense\n")
    with pytest.raises(ValueError, match=r"anonymous\.txt"):
        live.Managed(tmp_path, detecting=False)


def test_without_lists_nothing_is_listed(tmp_path: Path):
    for directory in (None, tmp_path / "missing"):
        managed = live.Managed(directory, detecting=False)
        assert not listed(managed.catalog, "192.0.2.1")
        assert (managed.version, managed.refresh()) == ("", False)


def test_nothing_protects_a_resource_without_a_web_acl():
    store = open_store("", sealer=Keyring(bytes(32)), memory=True)
    arn = "arn:aws:apigateway:us-east-1::/restapis/garrison/stages/api"
    assert live.read(store.reading(), arn, live.Managed(detecting=False)) is None
    store.close()
