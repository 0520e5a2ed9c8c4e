#!/bin/sh
# Install the daemon as a systemd service: a virtual environment in PREFIX, the unit, the example
# configuration. What is configured already is never overwritten. Run it from anywhere:
#
#   sudo systemd/install.sh
#
# Variables: PREFIX (default /opt/aed), DESTDIR (for packages: installs below it and starts nothing),
# PYTHON (default python3), VENV_ARGS (more arguments for python -m venv, such as --system-site-packages),
# PIP_ARGS (more arguments for pip install, such as --no-index), NEVER_RECORD (anything: what is
# installed cannot record sounds, whatever its configuration says).
set -eu

PREFIX=${PREFIX:-/opt/aed}
DESTDIR=${DESTDIR:-}
PYTHON=${PYTHON:-python3}
SOURCE=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
UNIT_DIR=$DESTDIR/etc/systemd/system
CONFIG=$DESTDIR/etc/aed/aed.toml
VENV=$DESTDIR$PREFIX

say() { printf '%s\n' "$*" >&2; }
fail() { say "install.sh: $*"; exit 1; }

case $PREFIX in
/*) ;;
*) fail "PREFIX must be an absolute path, got '$PREFIX'." ;;
esac
command -v "$PYTHON" >/dev/null || fail "no $PYTHON. Install Python 3.11 or newer: apt install python3 python3-venv"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$PYTHON is $("$PYTHON" -V 2>&1), but 3.11 or newer is needed. Name another: PYTHON=python3.11"
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$PYTHON cannot make virtual environments. apt install python3-venv"
if [ -z "$DESTDIR" ] && [ "$(id -u)" -ne 0 ]; then
    fail "needs root, to write to $PREFIX and /etc. Run it with sudo, or set DESTDIR."
fi

say "Installing to $VENV"
mkdir -p "$VENV"
# shellcheck disable=SC2086 # several arguments on purpose
"$PYTHON" -m venv ${VENV_ARGS:-} "$VENV"
# Built from a copy: pip leaves files beside the sources, which would then belong to root.
COPY=$(mktemp -d)
trap 'rm -rf "$COPY"' EXIT
for part in pyproject.toml README.md LICENSE NOTICE aed_daemon model_tools; do
    [ ! -e "$SOURCE/$part" ] || cp -R "$SOURCE/$part" "$COPY/"
done
[ -z "${NEVER_RECORD:-}" ] || sh "$SOURCE/scripts/never-record.sh" "$COPY/aed_daemon"
# shellcheck disable=SC2086 # several arguments on purpose
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
    ${PIP_ARGS:-} --upgrade "$COPY"
# The scripts' first lines name the place where they will be, not where they were built.
if [ -n "$DESTDIR" ]; then
    for script in "$VENV"/bin/*; do
        [ -L "$script" ] || sed -i "s|$VENV|$PREFIX|g" "$script"
    done
    sed -i "s|$VENV|$PREFIX|g" "$VENV/pyvenv.cfg"
fi
# The service cannot write there itself.
"$VENV/bin/python" -m compileall -q "$VENV/lib" || say "Some files could not be compiled: start takes longer."

install -D -m 644 "$SOURCE/docs/configuration.md" "$VENV/share/doc/configuration.md"
install -d "$UNIT_DIR"
sed "s|/opt/aed|$PREFIX|g" "$SOURCE/systemd/aed-daemon.service" >"$UNIT_DIR/aed-daemon.service.new"
chmod 644 "$UNIT_DIR/aed-daemon.service.new"
mv "$UNIT_DIR/aed-daemon.service.new" "$UNIT_DIR/aed-daemon.service"
install -D -m 644 "$SOURCE/systemd/credentials.conf" "$VENV/share/doc/credentials.conf"
if [ -e "$CONFIG" ]; then
    say "Kept $CONFIG; the example is $VENV/share/doc/aed.toml"
else
    install -D -m 644 "$SOURCE/systemd/aed.toml" "$CONFIG"
    say "Wrote $CONFIG: adapt it."
fi
install -D -m 644 "$SOURCE/systemd/aed.toml" "$VENV/share/doc/aed.toml"

if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    say "Start it with: systemctl enable --now aed-daemon"
fi
