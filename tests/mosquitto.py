"""A private mosquitto on a free loopback port, and a subscriber that waits on conditions."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.waiting import wait_for

USER = "daemon"
PASSWORD = "correct horse = battery #staple"  # noqa: S105 - of a broker that lives for one test
OBSERVER = "observer"


def program() -> str:
    """Return mosquitto's path; without it, skip with what to install, or fail where CI=true."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = "mosquitto is missing: apt-get install mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """A broker that can be stopped, killed, frozen and started again on the same port.

    Parameters
    ----------
    folder : Path
        Where its files go.
    tls : bool
        TLS with a CA made on the spot, users `daemon` and `observer` with `PASSWORD`, and an ACL.
    acl : str
        Lines of an access control list for `daemon`; only with `tls` or `passwords`.
    passwords : bool
        Users without TLS.
    client_certificates : bool
        Ask clients for a certificate; only with `tls`.
    options : str
        More lines of mosquitto.conf.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tls: bool = False,
        passwords: bool = False,
        acl: str = "topic readwrite #",
        client_certificates: bool = False,
        options: str = "",
    ) -> None:
        self._program = program()
        self.folder = folder
        self.port = free_port()
        self.tls = tls
        self.passwords = passwords or tls
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listener {self.port} 127.0.0.1", "max_queued_messages 100000", options]
        if self.passwords:
            users = folder / "users"
            users.write_text(f"{USER}:{PASSWORD}\n{OBSERVER}:{PASSWORD}\n")
            users.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", users], check=True, capture_output=True)
            (folder / "acl").write_text(f"user {OBSERVER}\ntopic readwrite #\nuser {USER}\n{acl}\n")
            (folder / "acl").chmod(0o600)
            lines += [f"password_file {users}", f"acl_file {folder / 'acl'}", "allow_anonymous false"]
        else:
            lines += ["allow_anonymous true"]
        if tls:
            make_certificates(folder)
            lines += [f"cafile {folder / 'ca.crt'}", f"certfile {folder / 'server.crt'}"]
            lines += [f"keyfile {folder / 'server.key'}"]
            if client_certificates:
                lines += ["require_certificate true"]
        if os.geteuid() == 0:
            lines += ["user root"]  # or it gives up root and cannot read its own files
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it."""
        self.kill()

    def start(self) -> None:
        """Start it and wait until it listens."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", self._config], stdout=log, stderr=subprocess.STDOUT
            )
        wait_for(self._listens, f"mosquitto listens:\n{self.log()}")

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """Return what it has said."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _listens(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            pytest.fail(f"mosquitto ended:\n{self.log()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(10)
            self._process = None


def make_certificates(folder: Path) -> None:
    """Make a CA, a certificate for localhost and one for a client, and another CA; keys on P-256."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for ca in ("ca", "other"):
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", f"{ca}.key", "-out", f"{ca}.crt", "-days", "2", "-subj", f"/CN=test {ca}"),
        )
    (folder / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
        )
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2"),
            *("-CAcreateserial", "-extfile", "san", "-out", f"{name}.crt"),
        )


class Publisher:
    """Publishes to a broker and waits for each acknowledgement.

    Parameters
    ----------
    broker : Mosquitto
        Where to.
    """

    def __init__(self, broker: Mosquitto) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if broker.passwords:
            client.username_pw_set(OBSERVER, PASSWORD)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Publish, and wait until the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10.0)


@dataclass(frozen=True)
class Message:
    """What a subscriber got."""

    topic: str
    payload: str
    retain: bool
    qos: int
    expiry_s: int | None = None

    def json(self) -> Any:
        """Return the payload, parsed."""
        return json.loads(self.payload)


class Subscriber:
    """Subscribes to everything and keeps it; comes back when the broker does.

    Parameters
    ----------
    broker : Mosquitto
        Where to.
    topic : str
        What to.
    session : str
        Name of a session that the broker keeps while the subscriber is away; empty: none.
    """

    def __init__(self, broker: Mosquitto, topic: str = "#", session: str = "") -> None:
        self.messages: list[Message] = []
        self._subscribed = threading.Event()
        self._topic = topic
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=session, protocol=MQTTProtocolVersion.MQTTv5
        )
        if broker.passwords:
            client.username_pw_set(OBSERVER, PASSWORD)
        if broker.tls:
            client.tls_set(
                str(broker.folder / "ca.crt"),
                str(broker.folder / "client.crt"),
                str(broker.folder / "client.key"),
            )
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: self._resubscribe()
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_disconnect = lambda *_: self._subscribed.clear()
        client.on_message = lambda _client, _data, message: self.messages.append(
            Message(
                message.topic,
                message.payload.decode(),
                message.retain,
                message.qos,
                getattr(message.properties, "MessageExpiryInterval", None),
            )
        )
        self._client = client
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        kept.SessionExpiryInterval = 3_600 if session else 0
        client.connect("localhost", broker.port, clean_start=not session, properties=kept)
        client.loop_start()

    def __enter__(self) -> Self:
        """Wait until it is subscribed."""
        self.ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def ready(self) -> None:
        """Wait until it is subscribed."""
        wait_for(self._subscribed.is_set, "subscribed")

    def lost(self) -> None:
        """Wait until it has noticed that the broker is gone, and has taken all that came before."""
        wait_for(lambda: not self._subscribed.is_set(), "disconnected")

    def on(self, topic: str) -> list[Message]:
        """Return what came on a topic so far."""
        return [message for message in list(self.messages) if message.topic == topic]

    def wait_for(self, topic: str, payload: str) -> None:
        """Wait until this is the last payload on a topic."""
        wait_for(
            lambda: (found := self.on(topic)) and found[-1].payload == payload,
            f"{topic} is {payload}; it had {[message.payload for message in self.on(topic)][-3:]}",
        )

    def _resubscribe(self) -> None:
        self._client.subscribe(self._topic, qos=1)
