#!/bin/sh
# Makes the virtual environment .venv from the locked requirements, or brings it to them; a second run does nothing.
#
#   scripts/venv.sh native   the exporter's needs and the supervisor of a stack without containers
#   scripts/venv.sh board    the board's needs on top of that
#   scripts/venv.sh dev      everything `make lint test` needs, the project itself included
#
# Index and proxy are the caller's (PIP_INDEX_URL, HTTP(S)_PROXY, SSL_CERT_FILE). Exit 1 with a sentence when it fails.
set -eu
cd "$(dirname "$0")/.."

which=${1:-}
venv=${EDDIE_VENV:-.venv}
locks=exporter/requirements
native="$locks/server.txt $locks/native.txt exporter/pyproject.toml"
board="$native board/requirements/board.txt board/pyproject.toml"

die() { echo "venv.sh: $*" >&2; exit 1; }
case $which in
    native) locked=$native files="$locks/native.txt" ;;
    board) locked=$board files="$locks/native.txt board/requirements/board.txt" ;;
    dev) locked="$board $locks/dev.txt" files="$locks/dev.txt" ;;
    *) die "expected native, board or dev, got '$which'" ;;
esac

# What is installed contains what is named before it: its stamp is written too, and good as long as its locks are the same.
# shellcheck disable=SC2086  # a list of file names
stamp_of() { cat $1 | sha256sum | cut -d ' ' -f 1; }
stamp=$(stamp_of "$locked")
if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.eddie-$which" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

python=''
for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || die "expected Python 3.11 or newer on PATH, got $(python3 --version 2>&1 || true); install it"

# pip names the certificates differently from everybody else.
if [ -z "${PIP_CERT:-}" ] && [ -n "${SSL_CERT_FILE:-}" ]; then export PIP_CERT="$SSL_CERT_FILE"; fi

if ! "$venv/bin/python" -c '' 2>/dev/null; then
    [ -e "$venv/pyvenv.cfg" ] || [ -z "$(ls -A "$venv" 2>/dev/null)" ] ||
        die "EDDIE_VENV: expected a new folder or a virtual environment, got $venv with other things in it; name another"
    echo "venv.sh: making $venv" >&2
    rm -rf "$venv"
    # A Python without ensurepip (some distributions split it off) still makes an environment; its own pip fills it.
    "$python" -m venv "$venv" >/dev/null 2>&1 || { rm -rf "$venv"; "$python" -m venv --without-pip "$venv"; } ||
        die "expected \`$python -m venv\` to work; install the package python3-venv"
fi
if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    pip() { "$venv/bin/python" -m pip "$@"; }
elif "$python" -m pip --version >/dev/null 2>&1; then
    pip() { "$python" -m pip --python "$venv/bin/python" "$@"; }
else
    die "expected pip in the virtual environment or beside $python, got neither; install the package python3-venv"
fi

echo "venv.sh: installing $files" >&2
# shellcheck disable=SC2046,SC2086  # lists of words
pip install --quiet --disable-pip-version-check --require-hashes $(printf -- '-r %s ' $files) ||
    die "pip could not install the locked requirements, its words are above; is the package index reachable?"
stamp_of "$native" >"$venv/.eddie-native"
if [ "$which" = dev ]; then
    # Without build isolation: its build tool is in the lock, nothing unlocked is fetched.
    pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable exporter --editable board ||
        die "the projects themselves could not be installed from exporter/ and board/, pip's words are above"
    stamp_of "$board" >"$venv/.eddie-board"
fi
echo "$stamp" >"$venv/.eddie-$which"
