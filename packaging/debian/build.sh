#!/bin/sh
# Build a Debian 12 package of the daemon:
#
#   packaging/debian/build.sh [amd64|arm64|armhf]
#
# For another architecture nothing is compiled: wheels of PyPI for it are put in. The same source gives the
# same bytes. Variables: PYTHON (with pip; default python3), OUT (default build), MAINTAINER (name and address of
# whoever hands the package out), SOURCE_DATE_EPOCH (default: the last commit's), NEVER_RECORD (anything: the
# package cannot record sounds, whatever its configuration says).
set -eu

HERE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
SOURCE=$(CDPATH='' cd -- "$HERE/../.." && pwd)
PYTHON=${PYTHON:-python3}
OUT=${OUT:-$SOURCE/build}
ARCHITECTURE=${1:-$(dpkg --print-architecture)}
MAINTAINER=${MAINTAINER:-aed-daemon developers <aed-daemon@localhost>}
PACKAGE=aed-daemon

fail() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }

case $ARCHITECTURE in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
armhf) machine=armv7l ;;
*) fail "no wheels for $ARCHITECTURE; expected amd64, arm64 or armhf" ;;
esac
command -v dpkg-deb >/dev/null || fail "no dpkg-deb: apt install dpkg"
"$PYTHON" -m pip --version >/dev/null 2>&1 || fail "$PYTHON has no pip: apt install python3-pip, or set PYTHON"
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    SOURCE_DATE_EPOCH=$(git -C "$SOURCE" log -1 --format=%ct 2>/dev/null) ||
        fail "no git here to say when the source was changed: set SOURCE_DATE_EPOCH"
fi
export SOURCE_DATE_EPOCH
VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$SOURCE/aed_daemon/__init__.py")
[ -n "$VERSION" ] || fail "aed_daemon/__init__.py does not say its version"

umask 022
ROOT=$(mktemp -d)
trap 'rm -rf "$ROOT"' EXIT
chmod 755 "$ROOT"
LIB=$ROOT/usr/lib/$PACKAGE
DOC=$ROOT/usr/share/doc/$PACKAGE

# The lines of requirements.txt that name packages, each with its hashes, in two files: with machine code and
# without. What Debian has is left out, and so is what other versions of Python need.
DEBIANS='numpy|cffi|pycparser'
COMPILED='pydantic-core|tflite-runtime'
"$PYTHON" - "$HERE/requirements.txt" "$ROOT/pure" "$ROOT/compiled" "$DEBIANS" "$COMPILED" <<'EOF'
import re
import sys
from pathlib import Path

source, pure, compiled, debians, with_code = sys.argv[1:]
entries = re.findall(r"^\S.*?(?=^\S|\Z)", Path(source).read_text(), re.M | re.S)
kept = {pure: [], compiled: []}
for entry in entries:
    name = re.match(r"[\w.-]+", entry)[0]
    if ">= '3.12'" in entry or re.fullmatch(debians, name):
        continue
    kept[compiled if re.fullmatch(with_code, name) else pure].append(entry)
for path, lines in kept.items():
    Path(path).write_text("".join(lines))
EOF
put() {
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
        --only-binary=:all: --implementation cp --python-version 3.11 --target "$LIB" --upgrade "$@"
}
put --platform any --requirement "$ROOT/pure"
put --platform "manylinux_2_34_$machine" --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" \
    --platform "manylinux2014_$machine" --requirement "$ROOT/compiled"
rm -rf "$ROOT/pure" "$ROOT/compiled" "$LIB/bin" "$LIB/share"
# What pip notes of this installation: places and times.
find "$LIB" \( -name direct_url.json -o -name REQUESTED -o -name INSTALLER -o -name RECORD \) -delete
cp -R "$SOURCE/aed_daemon" "$LIB/"
find "$LIB" -name __pycache__ -prune -exec rm -rf {} +
find "$LIB/aed_daemon" -name '*.so' -delete
[ -z "${NEVER_RECORD:-}" ] || sh "$SOURCE/scripts/never-record.sh" "$LIB/aed_daemon"
# Libraries are no programs, and what is no program is no script.
find "$LIB" -type f -exec chmod 644 {} +

install -D -m 755 "$HERE/aed-daemon" "$ROOT/usr/bin/aed-daemon"
install -D -m 644 "$SOURCE/systemd/aed.toml" "$ROOT/etc/aed/aed.toml"
install -d "$ROOT/lib/systemd/system" "$DOC" "$ROOT/usr/share/lintian/overrides" "$ROOT/DEBIAN"
sed -e 's|/opt/aed/bin/|/usr/bin/|' -e "s|/opt/aed/share/doc/|/usr/share/doc/$PACKAGE/|" \
    "$SOURCE/systemd/aed-daemon.service" >"$ROOT/lib/systemd/system/aed-daemon.service"
install -m 644 "$SOURCE/docs/configuration.md" "$SOURCE/docs/event.schema.json" \
    "$SOURCE/systemd/credentials.conf" "$HERE/README.Debian" "$DOC/"
install -m 644 "$HERE/lintian-overrides" "$ROOT/usr/share/lintian/overrides/$PACKAGE"
install -d "$ROOT/usr/share/man/man1"
gzip -9n <"$HERE/aed-daemon.1" >"$ROOT/usr/share/man/man1/aed-daemon.1.gz"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n'
    printf 'Upstream-Name: aed-daemon\n\nFiles: *\nCopyright: 2026 the aed-daemon developers\nLicense: Apache-2.0\n'
    printf ' On Debian systems, see /usr/share/common-licenses/Apache-2.0.\n\n'
    printf 'Files: usr/lib/aed-daemon/*\nCopyright: 2001-2026 the authors of the packages there\nLicense: of-each-package\n'
    printf ' Each has its licence in its *.dist-info folder:\n'
    for info in "$LIB"/*.dist-info; do
        info=${info##*/}
        printf ' %s\n' "${info%.dist-info}"
    done
} >"$DOC/copyright"
{
    printf '%s (%s) bookworm; urgency=medium\n\n  * See https://keepachangelog.com and the source.\n\n' \
        "$PACKAGE" "$VERSION"
    printf ' -- %s  %s\n' "$MAINTAINER" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$DOC/changelog.gz"

for script in postinst prerm postrm; do
    install -m 755 "$HERE/$script" "$ROOT/DEBIAN/$script"
done
printf '/etc/aed/aed.toml\n' >"$ROOT/DEBIAN/conffiles"
SIZE=$(find "$ROOT" -path "$ROOT/DEBIAN" -prune -o -type f -printf '%k\n' | awk '{ sum += $1 } END { print sum }')
sed -e "s|@VERSION@|$VERSION|" -e "s|@ARCHITECTURE@|$ARCHITECTURE|" -e "s|@SIZE@|$SIZE|" -e "s|@MAINTAINER@|$MAINTAINER|" "$HERE/control.in" \
    >"$ROOT/DEBIAN/control"
(cd "$ROOT" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
chmod 644 "$ROOT/DEBIAN/md5sums" "$ROOT/DEBIAN/control" "$ROOT/DEBIAN/conffiles"
find "$ROOT" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$OUT"
FILE=$OUT/${PACKAGE}_${VERSION}_$ARCHITECTURE.deb
dpkg-deb --root-owner-group -Zxz --build "$ROOT" "$FILE" >/dev/null
printf '%s\n' "$FILE"
