"""A firewall on a web ACL in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from garrison.edge.middleware import Firewall
from tests.support.fronts import ACL


@pytest.fixture
def acl(tmp_path: Path) -> Path:
    path = tmp_path / "acl.json"
    path.write_text(json.dumps(ACL))
    return path


@pytest.fixture
def firewall(acl: Path) -> Firewall:
    return Firewall(acl)
