#!/bin/sh
# Installs the Debian packages named as arguments that are not there yet, where it may.
# Where it may not, it says what to install and goes on: a test that lacks one says so again.
set -eu

missing=""
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Not a Debian system; install the equivalents of:$missing" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "Not allowed to install packages; as root: apt-get install$missing" >&2
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing Debian packages:$missing" >&2
# shellcheck disable=SC2086 # the list is meant to be split
if ! { $as_root apt-get update -q && $as_root apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "Could not install them; as root: apt-get install$missing" >&2
fi
