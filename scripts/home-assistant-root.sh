#!/usr/bin/env bash
# Makes a Debian trixie root with a current Home Assistant and mosquitto; as root: home-assistant-root.sh FOLDER
set -euo pipefail
root=${1:?which folder}
certificates=/etc/ssl/certs/ca-certificates.crt
if [ ! -e "$root/.base" ]; then
	# gcc and the headers are for the few packages that have no wheel.
	debootstrap --variant=minbase \
		--include=ca-certificates,python3,python3-dev,python3-venv,gcc,libc6-dev,mosquitto \
		trixie "$root" http://deb.debian.org/debian
	touch "$root/.base"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$certificates" "$root$certificates"
in_root() {
	env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE="$certificates" \
		PIP_CERT="$certificates" PIP_DISABLE_PIP_VERSION_CHECK=1 chroot "$root" "$@"
}
if [ ! -e "$root/.home-assistant" ]; then
	in_root python3 -m venv /ha
	in_root /ha/bin/pip install --quiet --no-compile uv
	# First by itself: it brings the versions that its dependencies are tested in.
	in_root /ha/bin/pip install --quiet --no-compile --no-deps homeassistant
	version=$(in_root /ha/bin/pip show homeassistant | sed -n 's/^Version: //p')
	constraints=$(in_root sh -c 'echo /ha/lib/python3*/site-packages/homeassistant/package_constraints.txt')
	in_root /ha/bin/uv pip install --quiet --python /ha/bin/python -c "$constraints" \
		"homeassistant==$version" paho-mqtt
	touch "$root/.home-assistant"
fi
in_root /ha/bin/pip show homeassistant | sed -n 's/^Version: //p'
