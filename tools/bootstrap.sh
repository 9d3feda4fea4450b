#!/bin/sh
# Makes .venv with uv in it, from a Python 3.11+ and nothing else. Prints only what it does.
# Usage: tools/bootstrap.sh    (environment: PYTHON, default python3)
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
uv_wanted="uv>=0.13,<0.14"

fail() {
    echo "bootstrap: $*" >&2
    exit 1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "\`$python\` must be Python 3.11 or newer (another one: make PYTHON=/path/to/python3 ...)"

make_venv() {
    "$python" -m venv .venv >/dev/null 2>&1 && return 0
    rm -rf .venv # venv leaves a half behind where ensurepip is missing
    if "$python" -m virtualenv --version >/dev/null 2>&1; then
        "$python" -m virtualenv -q .venv && return 0
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "bootstrap: installing Debian's python3-venv"
        apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
            python3-venv ca-certificates >/dev/null
        "$python" -m venv .venv && return 0
    fi
    if "$python" -m pip --version >/dev/null 2>&1; then
        echo "bootstrap: installing virtualenv for this user"
        "$python" -m pip install -q --user --break-system-packages virtualenv &&
            "$python" -m virtualenv -q .venv && return 0
    fi
    return 1
}

[ -x .venv/bin/python ] || make_venv ||
    fail "no virtual environment could be made; on Debian: apt install python3-venv (as root), then try again"

# uv installs exactly what uv.lock says; it comes from PyPI like everything else.
if ! .venv/bin/python -m uv --version >/dev/null 2>&1; then
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null 2>&1 ||
        fail "there is no pip in .venv; remove .venv and try again"
    .venv/bin/python -m pip install -q --disable-pip-version-check "$uv_wanted"
fi
