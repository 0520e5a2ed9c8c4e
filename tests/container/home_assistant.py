"""A real Home Assistant and a mosquitto of today, in a Debian root made by scripts/home-assistant-root.sh."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.mosquitto import free_port

_START_S = 300.0
_CLIENT = Path(__file__).with_name("ha_client.py")


class StartError(Exception):
    """A part in the root does not come up."""


def until(condition: Callable[[], object], what: str, timeout_s: float) -> None:
    """Wait for a condition; StartError where it does not come."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise StartError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.1)


class Root:
    """Starts programs in the root.

    Parameters
    ----------
    folder : Path
        The root; this process may enter it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *command: str, **how: Any) -> subprocess.Popen[str]:
        """Start a program in a process group of its own."""
        certificates = "/etc/ssl/certs/ca-certificates.crt"
        path = "/ha/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"HOME": "/root", "PATH": path, "SSL_CERT_FILE": certificates, "LANG": "C.UTF-8"}
        return subprocess.Popen(
            ["chroot", str(self.folder), *command], env=environment, start_new_session=True, text=True, **how
        )


def end(process: subprocess.Popen[str]) -> None:
    """End a process group, politely at first."""
    for number, patience_s in ((signal.SIGTERM, 60.0), (signal.SIGKILL, 10.0)):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue


class Broker:
    """The root's mosquitto on a free loopback port; has what the tests' `Subscriber` needs of one."""

    passwords = tls = False

    def __init__(self, root: Root) -> None:
        self.port = free_port()
        self.folder = root.folder
        config = root.folder / "tmp" / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n")
        self._process = root.start("mosquitto", "-c", "/tmp/mosquitto.conf", stderr=subprocess.DEVNULL)  # noqa: S108

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)


class HomeAssistant:
    """One with an empty configuration, from `with` to its end.

    Parameters
    ----------
    root : Root
        Where it is installed.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._port = free_port()
        self._url = f"http://127.0.0.1:{self._port}"
        self._folder = root.folder / "config"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        (self._folder / "configuration.yaml").write_text(
            f"http:\n  server_host: 127.0.0.1\n  server_port: {self._port}\n"
            "api:\nconfig:\nonboarding:\nlogger:\n  default: warning\n  logs:\n"
            "    homeassistant.components.mqtt: info\n"
        )
        shutil.copy(_CLIENT, root.folder / "ha_client.py")

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def restart(self) -> None:
        """End it and start it again."""
        self._end()
        self._begin()

    def _begin(self) -> None:
        with (self._root.folder / "home-assistant.log").open("ab") as log:
            self._process = self._root.start(
                "/ha/bin/hass", "--config", "/config", stdout=log, stderr=subprocess.STDOUT
            )
        until(self._answers, f"Home Assistant answers; see {self._root.folder}/home-assistant.log", _START_S)
        self._client = self._root.start(
            "/ha/bin/python", "/ha_client.py", self._url, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._read() != "ready":
            raise StartError("its API lets nobody in")

    def _end(self) -> None:
        for pipe in (self._client.stdin, self._client.stdout):
            if pipe:
                pipe.close()
        end(self._client)
        end(self._process)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise StartError(f"Home Assistant ended; see {self._root.folder}/home-assistant.log")
        try:
            with urllib.request.urlopen(f"{self._url}/api/onboarding", timeout=5.0) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _ask(self, kind: str, what: str, body: Any) -> Any:
        if self._client.stdin is None:
            raise StartError("there is no client")
        self._client.stdin.write(json.dumps([kind, what, body]) + "\n")
        self._client.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        line = self._client.stdout.readline() if self._client.stdout else ""
        if not line:
            raise StartError("the client has ended")
        return json.loads(line)

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer's body; StartError for a status of 400 and more."""
        answer = self._ask(method, path, body)
        if answer["status"] >= 400:
            raise StartError(f"{method} {path}: {answer}")
        return answer["body"]

    def command(self, kind: str, **fields: Any) -> Any:
        """Return the result of a WebSocket command."""
        answer = self._ask("ws", kind, fields)
        if not answer.get("success"):
            raise StartError(f"{kind}: {answer}")
        return answer["result"]

    def connect(self, broker: Broker) -> None:
        """Add the MQTT integration, as a user does."""
        flow = self.rest("POST", "/api/config/config_entries/flow", {"handler": "mqtt"})
        answers = {"broker": "127.0.0.1", "port": broker.port}
        while flow["type"] != "create_entry":
            if flow["type"] == "menu":
                flow = self._step(flow, {"next_step_id": "broker"})
            elif flow["type"] == "form" and not flow["errors"]:
                flow = self._step(flow, answers)
            else:
                raise StartError(f"the MQTT integration: {flow}")

    def _step(self, flow: dict[str, Any], answers: dict[str, Any]) -> Any:
        return self.rest("POST", f"/api/config/config_entries/flow/{flow['flow_id']}", answers)

    def call(self, domain: str, service: str, **data: Any) -> None:
        """Call a service."""
        self.rest("POST", f"/api/services/{domain}/{service}", data)

    def devices(self) -> list[dict[str, Any]]:
        """Return the devices that MQTT brought."""
        registry = self.command("config/device_registry/list")
        return [device for device in registry if ["mqtt"] in [found[:1] for found in device["identifiers"]]]

    def entities(self) -> dict[str, dict[str, Any]]:
        """Return the entities that MQTT brought, by unique id."""
        registry = self.command("config/entity_registry/list")
        return {entity["unique_id"]: entity for entity in registry if entity["platform"] == "mqtt"}

    def state(self, entity_id: str) -> dict[str, Any] | None:
        """Return the state of an entity with its attributes; None where it has none."""
        states = self.rest("GET", "/api/states")
        return next((state for state in states if state["entity_id"] == entity_id), None)

    @property
    def version(self) -> str:
        """Its version."""
        return str(self.rest("GET", "/api/config")["version"])

    @property
    def log(self) -> str:
        """What it has said."""
        return (self._root.folder / "home-assistant.log").read_text(errors="replace")
