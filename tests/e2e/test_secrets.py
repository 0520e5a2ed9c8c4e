"""The broker's password is in one file and nowhere else: not in logs, arguments, environments or state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.mosquitto import PASSWORD, USER, Mosquitto, Subscriber
from tests.process import Daemon, aed, toml
from tests.waiting import wait_for

pytestmark = pytest.mark.system

SOURCES = [
    'name = "scape"\ntype = "demo"',
    'name = "porch"\ntype = "microphone"\ndevice = "none of that name"',
]
"""One that starts events, and one whose child process is started again and again."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker", tls=True) as running:
        yield running


def configuration(folder: Path, broker: Mosquitto, password: str) -> str:
    (folder / "password").write_text(password + "\n")
    (folder / "password").chmod(0o600)
    mqtt = [
        '[mqtt]\nenabled = true\nhost = "localhost"', f"port = {broker.port}", f'username = "{USER}"',
        f"password_file = {json.dumps(str(folder / 'password'))}", "health_interval_s = 1",
        f'[mqtt.tls]\nenabled = true\nca_file = "{broker.folder / "ca.crt"}"',
    ]  # fmt: skip
    return toml(SOURCES, more="\n".join(mqtt) + '\n[log]\nlevel = "debug"\n[output]\njsonl = true\n')


def family(pid: int) -> Iterator[Path]:
    """Yield the /proc folders of a process and of all that it has started, now."""
    for process in (parent := psutil.Process(pid), *parent.children(recursive=True)):
        yield Path("/proc", str(process.pid))


class Places:
    """Everything that others than the daemon could read of it, collected while it runs."""

    def __init__(self, daemon: Daemon, state: Path) -> None:
        self._daemon, self._state = daemon, state
        self.seen: dict[str, bytes] = {}

    def look(self) -> None:
        assert self._daemon.process
        for folder in family(self._daemon.process.pid):
            for name in ("cmdline", "environ", "comm"):
                try:
                    self.seen[f"{folder}/{name}"] = (folder / name).read_bytes()
                except OSError:
                    continue  # it has ended meanwhile
        for path in self._state.rglob("*"):
            if path.is_file():
                self.seen[str(path)] = path.read_bytes()
                assert path.stat().st_mode & 0o077 == 0, f"others may read {path}"
        self.seen["log"] = self._daemon.log.encode()
        self.seen["stdout"] = "\n".join(self._daemon.stdout).encode()

    def with_password(self, password: str) -> list[str]:
        return [name for name, content in self.seen.items() if password.encode() in content]


def test_the_password_is_nowhere_to_be_read(tmp_path: Path, broker: Mosquitto) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    config = configuration(tmp_path, broker, PASSWORD)
    with (
        Subscriber(broker) as watcher,
        Daemon(tmp_path, config, env={"STATE_DIRECTORY": str(state)}) as daemon,
    ):
        places = Places(daemon, state)

        def turned() -> bool:
            places.look()
            return len(watcher.on("aed/test/bridge/health")) >= 3 and any(
                "microphone" in n for n in arguments()
            )

        def arguments() -> list[str]:
            return [text.decode() for name, text in places.seen.items() if name.endswith("cmdline")]

        daemon.wait_ready()
        wait_for(turned, "it publishes, and has tried the microphone", 30.0)
        before = len(watcher.on("aed/test/bridge/health"))
        broker.restart()
        wait_for(lambda: len(watcher.on("aed/test/bridge/health")) >= before + 2, "it has come back", 30.0)
        places.look()
        published = "\n".join(message.payload for message in watcher.messages)
    assert places.with_password(PASSWORD) == []
    assert PASSWORD not in published
    assert b'"mqtt_' in places.seen["log"]
    assert places.with_password(USER), "the search finds what is there"


def test_a_refused_password_is_not_told(tmp_path: Path, broker: Mosquitto) -> None:
    config = configuration(tmp_path, broker, "wrong s3cret")
    with Daemon(tmp_path, config) as daemon:
        wait_for(lambda: "mqtt.username and the password" in daemon.log, "the refusal", 30.0)
        log = daemon.log
    done = aed("check-config", "--connect", tmp_path / "aed.toml")
    assert done.returncode == 5
    assert "password" in done.stderr
    assert "s3cret" not in log + done.stdout + done.stderr


def test_a_password_that_stands_in_the_configuration_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "aed.toml"
    path.write_text('[mqtt]\nusername = "aed"\npassword = "s3cret"\n[[source]]\nname = "a"\ntype = "demo"\n')
    done = aed("check-config", path, env={"AED__MQTT__PASSWORD": "s3cret too"})
    assert done.returncode == 2
    assert "mqtt.password" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
