"""`python -m benchmarks.package [amd64|arm64|armhf]`: the Debian package in a Debian 12 of its own, as root.

A fresh root by debootstrap, the package and what it depends on, its commands, a recording; the events must be
those of this checkout; then the daemon itself, from its start to SIGTERM. On this machine's own architecture
systemd boots it as well: start, watchdog, reload, stop, purge. The last result is kept in
benchmarks/reliability.json: CI has no privileges for this.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aed_daemon import __version__
from aed_daemon.events import Event, comparable
from benchmarks.exposure import UNIT, exposure
from benchmarks.record import occasion
from benchmarks.reliability import RELIABILITY, update
from tests.process import NotifySocket
from tests.sounds import soundscape, write_wav

_ROOT = Path(__file__).parents[1]
_BUILD = _ROOT / "build"
_SCRIPT = _ROOT / "packaging" / "debian" / "try-in-container.sh"
_INCLUDED = "systemd,systemd-sysv,dbus,ca-certificates,procps"
_SAMPLES, _SCORE = 160, 2 / 256 + 1e-4
"""How far events of two machines may differ and be the same, as the wire contract has it."""

_EXPECTED = {
    "after_installation": "disabled inactive",
    "started": "active enabled",
    "user": "dynamic",
    "state": "700 own",
    "watchdog": "30s",
    "reloaded": "yes",
    "after_watchdog": "active 1",
    "stopped": "inactive success",
    "upgraded": "0 inactive",
    "removed": "0 configuration kept",
    "purged": "0",
    "left": "",
    "failed": "0",
}
"""What the service's script notes in the container."""

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_EMULATORS = {"arm64": "qemu-aarch64", "armhf": "qemu-arm"}

_START_S = 300.0
"""For a start in an emulator."""

_CONFIGURATION = """
source = [{ type = "file", name = "clip", path = "/root/clip.wav", loop = true }]
output = { jsonl = true }
"""

_ABSENT = {"microphones", "broker", "clock"}
"""What `doctor` rightly misses in a container."""


class FailedError(Exception):
    """Something about the package is not as it should be."""


Command = Sequence[str | Path]


def run(command: Command, *, statuses: tuple[int, ...] = (0,)) -> str:
    """Run a command and return what it prints; FailedError where its exit status is another."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode not in statuses:
        raise FailedError(
            f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}"
        )
    return done.stdout


def emulate(architecture: str) -> None:
    """Have programs of another architecture run here, where the system does not see to that by itself."""
    if architecture not in _EMULATORS or run(["dpkg", "--print-architecture"]).strip() == architecture:
        return
    if not (_BINFMT / "register").exists():
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", _BINFMT])
    if not (_BINFMT / _EMULATORS[architecture]).exists():
        run(["update-binfmts", "--enable", _EMULATORS[architecture]])


def base(architecture: str, folder: Path) -> Path:
    """Return a minimal Debian 12, made where it is not there yet."""
    made = folder / f"bookworm-{architecture}"
    if not made.exists():
        scratch = folder / f"bookworm-{architecture}.new"
        shutil.rmtree(scratch, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        kind = ["--variant=minbase", f"--arch={architecture}", f"--include={_INCLUDED}"]
        run(["debootstrap", *kind, "bookworm", scratch])
        scratch.rename(made)
    return made


@contextlib.contextmanager
def mounted(root: Path) -> Iterator[None]:
    """Give a root its /proc and /dev for as long as it is used."""
    run(["mount", "-t", "proc", "proc", root / "proc"])
    try:
        run(["mount", "--bind", "/dev", root / "dev"])
        try:
            yield
        finally:
            run(["umount", root / "dev"])
    finally:
        run(["umount", root / "proc"])


def events(text: str) -> list[dict[str, Any]]:
    """Return what two runs must agree on, from events as JSON lines."""
    return [comparable(Event.model_validate_json(line)) for line in text.splitlines()]


def same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    """Whether events of two machines are the same by the wire contract."""

    def near(a: float | None, b: float | None, most: float) -> bool:
        return a == b if a is None or b is None else abs(a - b) <= most

    return len(ours) == len(theirs) and all(
        all(a[key] == b[key] for key in ("type", "class", "reason"))
        and all(near(a[key], b[key], _SAMPLES) for key in ("start_sample", "end_sample"))
        and all(near(a[key], b[key], _SCORE) for key in ("score", "score_max", "score_mean"))
        for a, b in zip(ours, theirs, strict=True)
    )


def installed(root: Path, package: Path) -> dict[str, Any]:
    """Install the package, try its commands, and compare what it hears with this checkout."""
    shutil.copy(package, root / "root")
    clip = write_wav(root / "root" / "clip.wav", soundscape(1, 30.0))
    inside: Command = ["chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"]
    run([*inside, "apt-get", "update", "-q"])
    run([*inside, "apt-get", "install", "-y", "-q", "--no-install-recommends", f"/root/{package.name}"])
    info = json.loads(run([*inside, "aed-daemon", "info", "--json"]))
    run([*inside, "aed-daemon", "check-config", "/etc/aed/aed.toml"])
    told = run([*inside, "aed-daemon", "doctor", "--config", "/etc/aed/aed.toml"], statuses=(0, 1, 4, 5))
    missing = {line.split()[1].rstrip(":") for line in told.splitlines() if line.startswith("MISS")}
    if missing - _ABSENT:
        raise FailedError(f"doctor misses {', '.join(sorted(missing - _ABSENT))}:\n{told}")
    theirs = events(run([*inside, "aed-daemon", "replay", "/root/clip.wav", "--json"]))
    command = [sys.executable, "-m", "aed_daemon", "replay", clip, "--json", "--engine", info["engine"]]
    ours = events(run(command))
    if len(ours) < 4 or not same(ours, theirs):
        raise FailedError(f"other events: {len(ours)} here, {len(theirs)} there\n{ours[:3]}\n{theirs[:3]}")
    return {
        "architecture": info["machine"],
        "engine": info["engine"],
        "events": len(ours),
        "events_equal": True,
        "events_identical": _without_place(ours) == _without_place(theirs),
    }


def started(root: Path) -> dict[str, Any]:
    """Start the daemon there on the clip, hear it say that it is ready and what it hears, and stop it."""
    home = root / "root"
    (home / "try.toml").write_text(_CONFIGURATION)
    listener = NotifySocket(home)
    inside: Command = ["chroot", root, "env", "NOTIFY_SOCKET=/root/notify", "STATE_DIRECTORY=/root/state"]
    with (home / "events").open("wb") as out, (home / "log").open("wb") as err:
        daemon = subprocess.Popen(
            [*inside, "aed-daemon", "run", "--config", "/root/try.toml"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
    try:
        begun_s = time.monotonic()
        while not ("READY=1" in listener.lines and (home / "events").stat().st_size):
            if daemon.poll() is not None or time.monotonic() - begun_s > _START_S:
                raise FailedError(
                    f"it does not start: {listener.lines}\n{(home / 'log').read_text()[-3_000:]}"
                )
            time.sleep(0.1)
        daemon.terminate()
        status, said = daemon.wait(_START_S), listener.lines
    finally:
        daemon.kill()
        daemon.wait()
        listener.close()
    told = [Event.model_validate_json(line) for line in (home / "events").read_text().splitlines()]
    unended = {event.id for event in told} - {event.id for event in told if event.type == "end"}
    if status != 0 or "STOPPING=1" not in said or unended:
        raise FailedError(
            f"it does not stop as it should: status {status}, {len(unended)} sounds without an end"
        )
    return {"started": True}


def _without_place(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in event.items() if key not in ("node", "source")} for event in found]


def booted(root: Path) -> dict[str, Any]:
    """Boot the root, let the script try the service there, and return what it noted."""
    script = shutil.copy(_SCRIPT, root / "root" / "try.sh")
    Path(script).chmod(0o755)
    unit = root / "etc/systemd/system/try.service"
    unit.write_text("[Service]\nType=exec\nExecStart=/root/try.sh\n[Install]\nWantedBy=multi-user.target\n")
    run(["systemctl", "--root", root, "enable", "try.service"])
    nspawn: Command = ["systemd-nspawn", "--quiet", "--directory", root, "--register=no", "--keep-unit"]
    run(["timeout", "600", *nspawn, "--private-network", "--boot", "--console=pipe"], statuses=(0, 133))
    lines = (root / "root" / "noted").read_text(errors="replace").splitlines()
    noted = dict(line.split("=", 1) for line in lines if "=" in line)
    wrong = {key: noted.get(key) for key, value in _EXPECTED.items() if noted.get(key) != value}
    if wrong or "missed" in noted:
        journal = (root / "root" / "journal").read_text(errors="replace")
        raise FailedError(f"in the container: {wrong}, {noted}\n{journal[-3_000:]}")
    return {"booted": True, "stop_s": int(noted["stop_s"]), "exposure": float(noted["exposure"])}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try a package; exit status 1 where anything about it is wrong."""
    here = run(["dpkg", "--print-architecture"]).strip()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.package", description=__doc__)
    parser.add_argument("architecture", nargs="?", default=here, choices=["amd64", "arm64", "armhf"])
    parser.add_argument("--package", type=Path, metavar="FILE", help="default: the one of `make deb`")
    parser.add_argument("--roots", type=Path, default=_BUILD / "roots", help="where minimal systems are kept")
    parser.add_argument("--output", type=Path, default=RELIABILITY, metavar="FILE", help="the record")
    options = parser.parse_args(arguments)
    name = f"aed-daemon_{__version__}_{options.architecture}.deb"
    package = options.package or _BUILD / name
    found: dict[str, Any] = {}
    try:
        emulate(options.architecture)
        minimal = base(options.architecture, options.roots)
        with tempfile.TemporaryDirectory(dir=options.roots) as folder:
            root = Path(folder, "root")
            run(["cp", "-a", minimal, root])
            with mounted(root):
                found |= installed(root, package)
                found |= started(root)
            if options.architecture == here:
                found |= booted(root)
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    when = occasion(0.0)
    found |= {"date": when["date"], "commit": when["commit"], "bytes": package.stat().st_size}
    print(json.dumps(found, indent=2))
    update({"package": {f"deb_{options.architecture}": found}}, options.output)
    update({"systemd_exposure": exposure(UNIT)}, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
