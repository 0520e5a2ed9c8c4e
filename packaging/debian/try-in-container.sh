#!/bin/sh
# Runs as a service of a Debian 12 that systemd has booted, and notes line by line what the package did there;
# `python -m benchmarks.package` reads the lines. Its last act is to switch the machine off.
set -u
exec >/root/noted 2>&1

note() { printf '%s=%s\n' "$1" "$2"; }
shown() { systemctl show aed-daemon --property="$1" --value; }
wait_for() { # what, seconds, command
    what=$1
    tries=$(($2 * 5))
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { note "missed" "$what"; return 1; }
        sleep 0.2
    done
}
said() { journalctl --no-pager -u aed-daemon | grep -q "$1"; }
other_process() { [ "$(shown MainPID)" != "$1" ] && [ "$(shown ActiveState)" = active ]; }

note after_installation "$(systemctl is-enabled aed-daemon) $(systemctl is-active aed-daemon)"

# A source without a device, no broker: both are states and no failures.
cat >/etc/aed/aed.toml <<'EOF'
[[source]]
name = "scape"
type = "demo"
[mqtt]
enabled = true
host = "127.0.0.1"
EOF
systemctl enable --now aed-daemon
note started "$(shown ActiveState) $(systemctl is-enabled aed-daemon)"
wait_for heard 60 sh -c 'systemctl show aed-daemon --property=StatusText | grep -q scape'
note status "$(shown StatusText)"
uid=$(ps -o uid= -p "$(shown MainPID)" | tr -d ' ')
note user "$([ "$uid" -ge 61184 ] && [ "$uid" -le 65519 ] && echo dynamic)"
note state "$(stat -c %a /var/lib/private/aed) $([ "$(stat -c %u /var/lib/private/aed)" = "$uid" ] && echo own)"
note watchdog "$(shown WatchdogUSec)"

sed -i 's/^name = "scape"/name = "other"/' /etc/aed/aed.toml
systemctl reload aed-daemon
wait_for reloaded 30 said '"reloaded"'
note reloaded "$(said '"reloaded"' && echo yes)"

main=$(shown MainPID)
kill -STOP "$main"
wait_for "the watchdog" 120 other_process "$main"
note after_watchdog "$(shown ActiveState) $(shown NRestarts)"

begun=$(date +%s)
systemctl stop aed-daemon
note stopped "$(shown ActiveState) $(shown Result)"
note stop_s "$(($(date +%s) - begun))"
note exposure "$(systemd-analyze security --no-pager aed-daemon 2>/dev/null | grep -o 'level for aed-daemon.service: [0-9.]*' | grep -o '[0-9.]*$')"

dpkg -i /root/*.deb >/root/again.log 2>&1
note upgraded "$? $(shown ActiveState)"
dpkg --remove aed-daemon >/root/remove.log 2>&1
note removed "$? $(test -e /etc/aed/aed.toml && echo configuration kept)"
dpkg --purge aed-daemon >/root/purge.log 2>&1
note purged "$?"
note left "$(find / -xdev \( -name '*aed-daemon*' -o -path '*/aed' -o -path '*/private/aed' \) \
    ! -path '/proc/*' ! -path '/sys/*' ! -path '/root/*' ! -path '/var/cache/*' ! -path '/tmp/*' ! -path '/run/*' \
    ! -path '/var/log/*' 2>/dev/null | tr '\n' ' ')"
note failed "$(systemctl --failed --no-legend | grep -c aed-daemon)"
journalctl --no-pager -u aed-daemon >/root/journal 2>&1
sync
systemctl poweroff --force
