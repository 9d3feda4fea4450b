#!/bin/sh
# Debian packages that the tests need beside Python: PostgreSQL's server, Node.js and npm, SoftHSM and OpenSC,
# openssl, git, a server of Redis's protocol, the rule files of the OWASP Core Rule Set, Chromium with its driver, and a C compiler.
# As root they are installed; otherwise what is missing is named, and under CI=true that is an error.
set -eu

missing=""
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null || missing="$missing postgresql"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
command -v curl >/dev/null || missing="$missing curl"
command -v pkcs11-tool >/dev/null || missing="$missing opensc"
command -v softhsm2-util >/dev/null || missing="$missing softhsm2"
command -v openssl >/dev/null || missing="$missing openssl"
command -v redis-server >/dev/null || command -v valkey-server >/dev/null || missing="$missing redis-server"
[ -d /usr/share/modsecurity-crs/rules ] || missing="$missing modsecurity-crs"
command -v git >/dev/null || missing="$missing git"
command -v "${CC:-cc}" >/dev/null || missing="$missing gcc libc6-dev"
case "$(command -v python3)" in
/usr/bin/*) ls /usr/include/python3*/Python.h >/dev/null 2>&1 || missing="$missing libpython3-dev" ;;
esac
command -v chromium >/dev/null || missing="$missing chromium"
command -v chromedriver >/dev/null || missing="$missing chromium-driver"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "test needs: installing Debian's$missing"
    apt-get update -q >/dev/null
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null
    exit 0
fi

echo "test needs: missing:$missing (on Debian, as root: apt install$missing)" >&2
case "${CI:-}" in
1 | true | yes) exit 1 ;;
esac
echo "test needs: the tests that use them will be skipped, each with its reason" >&2
