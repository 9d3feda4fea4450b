"""Keeps one ``garrison`` process for as long as whoever started it lives: ``python -m garrison.testing.keeper serve --dev ...``.

Its standard input is a pipe that the tests' process holds. When that process is gone, however it went, the pipe ends, and the
server with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

_SECONDS = 10.0
"""For the server to end by itself."""


def main() -> None:
    """Start the server, and end it when the standard input ends; ends with the server's status where that ends first."""
    command = [sys.executable, "-m", "garrison", *sys.argv[1:]]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the interpreter that runs this, and its own arguments
    threading.Thread(target=_follow, args=(server,), daemon=True).start()
    while os.read(0, 4096):
        pass
    server.terminate()
    try:
        server.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _follow(server: subprocess.Popen[bytes]) -> None:
    os._exit(server.wait() & 0xFF)


if __name__ == "__main__":
    main()
