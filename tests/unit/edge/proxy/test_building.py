"""Our module for Envoy: built once, into a folder that nobody else writes to, and named by all that it depends on."""

from __future__ import annotations

import stat
import sysconfig
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from garrison.edge.proxy import building
from garrison.edge.proxy.building import BuildError, Tools, build, find_tools
from tests.support.fronts import needs_module


@pytest.fixture
def tools() -> Tools:
    needs_module()
    return find_tools()


def test_it_is_built_once_for_its_owner_alone(tools: Tools, tmp_path: Path):
    folder = tmp_path / "envoy"
    built = build(folder, tools)
    assert stat.S_IMODE(built.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = built.stat().st_mtime_ns
    assert build(folder, tools) == built
    assert built.stat().st_mtime_ns == before
    assert [each.name for each in folder.iterdir()] == [built.name]


def test_another_envoy_is_another_module(tools: Tools, tmp_path: Path):
    assert build(tmp_path, tools) != build(tmp_path, replace(tools, envoy="1.40.9"))


def test_a_folder_that_others_may_write_to_is_not_trusted(tools: Tools, tmp_path: Path):
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="others may write"):
        build(tmp_path, tools)


def test_what_the_compiler_says_is_told(tools: Tools, tmp_path: Path):
    with pytest.raises(BuildError, match=r"Python\.h"):
        build(tmp_path, replace(tools, include=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(BuildError, match=r"no C compiler.*apt install gcc"):
        find_tools()


def test_without_headers_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CC", "true")
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    with pytest.raises(BuildError, match=r"Python's headers are not at"):
        find_tools()


def test_without_a_shared_library_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CC", "true")
    monkeypatch.setattr(building, "_include", lambda: tmp_path)
    static = {"LIBDIR": str(tmp_path), "LDLIBRARY": "libpython3.11.a", "MULTIARCH": "x86_64-linux-gnu"}
    monkeypatch.setattr(sysconfig, "get_config_var", static.get)
    with pytest.raises(BuildError, match="no shared library"):
        find_tools()


def test_an_envoy_whose_interface_is_not_known_is_refused(monkeypatch: pytest.MonkeyPatch, tools: Tools):
    assert tools.envoy.startswith(building.ENVOYS)
    monkeypatch.setattr(metadata, "version", lambda _name: "1.41.0")
    with pytest.raises(BuildError, match=r"Envoy 1\.41\.0 may have another interface"):
        find_tools()
