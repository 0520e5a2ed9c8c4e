#!/bin/sh
# Make a copy of the package unable to record, whatever its configuration says:
#
#   scripts/never-record.sh FOLDER/aed_daemon
set -eu
FILE=$1/clips/never.py
[ -f "$FILE" ] || { printf 'never-record.sh: no %s\n' "$FILE" >&2; exit 1; }
sed -i 's/^NEVER_RECORD: bool = False$/NEVER_RECORD: bool = True/' "$FILE"
grep -q '^NEVER_RECORD: bool = True$' "$FILE" || { printf 'never-record.sh: %s has not changed\n' "$FILE" >&2; exit 1; }
