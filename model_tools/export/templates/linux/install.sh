#!/bin/sh
# Install the daemon with this bundle's model as a systemd service. A configuration that is there already is
# kept. Run it from anywhere:
#
#   sudo sh install.sh
#
# Variables: PREFIX (default /opt/aed), DESTDIR (for packages: installs below it and starts nothing),
# PYTHON (default python3), VENV_ARGS (more arguments for python -m venv, such as --system-site-packages),
# PIP_ARGS (more arguments for pip install, such as --no-index).
set -eu

PREFIX=${PREFIX:-/opt/aed}
DESTDIR=${DESTDIR:-}
PYTHON=${PYTHON:-python3}
HERE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
UNITS=$DESTDIR/etc/systemd/system
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
if [ -z "$DESTDIR" ] && [ "$(id -u)" -ne 0 ]; then
    fail "needs root, to write to $PREFIX and /etc. Run it with sudo, or set DESTDIR."
fi

say "Installing to $VENV"
mkdir -p "$VENV"
# shellcheck disable=SC2086 # several arguments on purpose
"$PYTHON" -m venv ${VENV_ARGS:-} "$VENV"
# shellcheck disable=SC2086 # several arguments on purpose
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
    ${PIP_ARGS:-} --upgrade "$HERE/@WHEEL@"
# The scripts' first lines name the place where they will be, not where they were built.
if [ -n "$DESTDIR" ]; then
    for script in "$VENV"/bin/*; do
        [ -L "$script" ] || sed -i "s|$VENV|$PREFIX|g" "$script"
    done
    sed -i "s|$VENV|$PREFIX|g" "$VENV/pyvenv.cfg"
fi
# The service cannot write there itself.
"$VENV/bin/python" -m compileall -q "$VENV/lib" || say "Some files could not be compiled: start takes longer."

for file in "$HERE"/*.tflite; do
    install -D -m 644 "$file" "$VENV/share/models/${file##*/}"
    manifest=${file%.tflite}.json
    install -D -m 644 "$manifest" "$VENV/share/models/${manifest##*/}"
done
# Libraries for the engine native, where `model-tools native` has put some here.
for file in "$HERE"/*.so; do
    [ ! -e "$file" ] || install -D -m 644 "$file" "$VENV/share/models/${file##*/}"
done
install -d "$UNITS"
sed "s|/opt/aed|$PREFIX|g" "$HERE/aed-daemon.service" >"$UNITS/aed-daemon.service.new"
chmod 644 "$UNITS/aed-daemon.service.new"
mv "$UNITS/aed-daemon.service.new" "$UNITS/aed-daemon.service"
install -D -m 644 "$HERE/configuration.md" "$VENV/share/doc/configuration.md"
install -D -m 644 "$HERE/credentials.conf" "$VENV/share/doc/credentials.conf"
sed "s|/opt/aed|$PREFIX|g" "$HERE/aed.toml" >"$VENV/share/doc/aed.toml"
if [ -e "$CONFIG" ]; then
    say "Kept $CONFIG; this bundle's is $VENV/share/doc/aed.toml"
else
    install -D -m 644 "$VENV/share/doc/aed.toml" "$CONFIG"
    say "Wrote $CONFIG: adapt it."
fi

if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    say "Start it with: systemctl enable --now aed-daemon"
fi
