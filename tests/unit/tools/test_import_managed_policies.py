"""The archive of AWS's managed policies is made of the package alone, and the same each time."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tools import import_managed_policies as tool

DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
POLICIES = {
    "B": {
        "arn": "arn:aws:iam::aws:policy/service-role/B",
        "latestVersionId": "v12",
        "createdDate": "2015-02-06T18:39:46.000Z",
        "lastUpdatedDate": "2020-01-02T03:04:05.000Z",
        "versions": {
            "v11": {"createdDate": "2019-01-01T00:00:00.000Z", "document": {}},
            "v12": {"createdDate": "2020-01-02T03:04:05.000Z", "document": DOCUMENT},
        },
    },
    "A": {
        "arn": "arn:aws:iam::aws:policy/A",
        "latestVersionId": "v1",
        "createdDate": "2015-02-06T18:39:46.000Z",
        "lastUpdatedDate": "2015-02-06T18:39:46.000Z",
        "versions": {"v1": {"createdDate": "2015-02-06T18:39:46.000Z", "document": DOCUMENT}},
    },
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "package.tgz"
    contents: dict[str, Any] = {
        "dist/managedPolicies.json": json.dumps(POLICIES),
        "LICENSE": "MIT License",
        "package.json": '{"version": "1.2.3"}',
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in contents.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_what_is_kept(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "policies.zip"
    monkeypatch.setattr(tool, "TARGET", target)
    policies, licence, version = tool.read(package)
    assert version == "1.2.3"
    tool.write(policies, licence)
    first = target.read_bytes()
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["LICENSE", "index.json", "A", "B"]
        assert archive.read("LICENSE") == b"MIT License"
        assert json.loads(archive.read("B")) == DOCUMENT
        assert json.loads(archive.read("index.json")) == [
            ["arn:aws:iam::aws:policy/A", 1, 1423247986, 1423247986, 1423247986],
            ["arn:aws:iam::aws:policy/service-role/B", 12, 1423247986, 1577934245, 1577934245],
        ]
    tool.write(policies, licence)
    assert target.read_bytes() == first


def test_a_package_without_policies(tmp_path: Path):
    path = tmp_path / "empty.tgz"
    with tarfile.open(path, "w:gz"):
        pass
    with pytest.raises(KeyError):
        tool.read(path)
