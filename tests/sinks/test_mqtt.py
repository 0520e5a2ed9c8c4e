"""check_connection against real brokers: one sentence that says which of the many things it was."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.config import MqttConfig
from aed_daemon.errors import BrokerError, ConfigError
from aed_daemon.sinks import mqtt
from aed_daemon.sinks.credentials import load_credentials
from aed_daemon.sinks.mqtt import Connection, check_connection
from tests.mosquitto import PASSWORD, USER, Mosquitto, free_port

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("plain")) as broker:
        yield broker


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("secure"), tls=True) as broker:
        (broker.folder / "password").write_text(PASSWORD + "\n")
        (broker.folder / "wrong").write_text("guess\n")
        for name in ("password", "wrong"):
            (broker.folder / name).chmod(0o600)
        yield broker


def config(broker: Mosquitto, **changes: Any) -> MqttConfig:
    """What is right for a broker, with something changed."""
    values: dict[str, Any] = {"host": "localhost", "port": broker.port}
    if broker.tls:
        values |= {"username": USER, "password_file": broker.folder / "password"}
        values |= {"tls": {"enabled": True, "ca_file": broker.folder / "ca.crt"}}
    return MqttConfig.model_validate(values | changes)


def refusal(settings: MqttConfig) -> str:
    with pytest.raises(BrokerError) as caught:
        check_connection(settings)
    assert caught.value.exit_code == 5
    return str(caught.value)


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that is no broker: `serve` gets the one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            connection, _ = server.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join(10)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_is_there(plain: Mosquitto, secure: Mosquitto, protocol: str) -> None:
    check_connection(config(plain, protocol=protocol))
    check_connection(config(secure, protocol=protocol))


def test_nothing_listens() -> None:
    text = refusal(MqttConfig(host="127.0.0.1", port=free_port()))
    assert "refused: nothing listens" in text
    assert "mqtt.port" in text


def test_a_name_that_does_not_resolve() -> None:
    text = refusal(MqttConfig(host="broker.invalid"))
    assert "does not resolve" in text
    assert "mqtt.host" in text


@pytest.mark.parametrize("host", ["a" * 70 + ".invalid", ".."])
def test_a_host_that_is_no_name(host: str) -> None:
    assert "unreachable" in refusal(MqttConfig(host=host))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password(secure: Mosquitto, protocol: str) -> None:
    text = refusal(config(secure, password_file=secure.folder / "wrong", protocol=protocol))
    assert "bad credentials" in text
    assert "guess" not in text


def test_no_password_where_one_is_asked_for(secure: Mosquitto) -> None:
    assert "asks for credentials" in refusal(config(secure, username=None, password_file=None))


def test_a_missing_password_file_is_the_configuration_s_fault(secure: Mosquitto) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.password_file"):
        check_connection(config(secure, password_file=secure.folder / "nowhere"))


def test_another_ca(secure: Mosquitto) -> None:
    text = refusal(config(secure, tls={"enabled": True, "ca_file": secure.folder / "other.crt"}))
    assert "certificate is not trusted" in text
    assert "mqtt.tls.ca_file" in text


def test_the_system_s_cas_do_not_know_it(secure: Mosquitto) -> None:
    assert "certificate is not trusted" in refusal(config(secure, tls={"enabled": True}))


def test_a_name_that_is_not_in_the_certificate(secure: Mosquitto) -> None:
    text = refusal(config(secure, host="127.0.0.2"))
    assert "nothing listens" in text or "not trusted" in text


def test_insecure_takes_any_certificate(secure: Mosquitto) -> None:
    check_connection(config(secure, tls={"enabled": True, "insecure": True}))


def test_tls_on_a_plain_port(plain: Mosquitto) -> None:
    text = refusal(config(plain, tls={"enabled": True}))
    assert "TLS" in text
    assert "mqtt.port" in text


def test_plain_on_a_tls_port(secure: Mosquitto) -> None:
    assert "mqtt.tls.enabled = true" in refusal(config(secure, tls={}))


def test_client_certificates(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, tls=True, client_certificates=True) as broker:
        (tmp_path / "password").write_text(PASSWORD)
        (tmp_path / "password").chmod(0o600)
        text = refusal(config(broker))
        assert "client certificate" in text or "closed the connection" in text
        files = {"cert_file": tmp_path / "client.crt", "key_file": tmp_path / "client.key"}
        check_connection(config(broker, tls={"enabled": True, "ca_file": tmp_path / "ca.crt", **files}))


def test_a_port_that_hangs_up() -> None:
    with listener(lambda connection: connection.close()) as port:
        text = refusal(MqttConfig(host="127.0.0.1", port=port))
    assert "closed the connection" in text or "unreachable" in text


def test_a_port_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNACK_TIMEOUT_S", 0.3)
    done = threading.Event()

    def silence(_connection: socket.socket) -> None:
        done.wait(10)

    with listener(silence) as port:
        text = refusal(MqttConfig(host="127.0.0.1", port=port))
        done.set()
    assert "no MQTT answer" in text


def test_a_port_that_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNACK_TIMEOUT_S", 0.5)

    def web_server(connection: socket.socket) -> None:
        connection.recv(4_096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    with listener(web_server) as port:
        assert "MQTT broker 127.0.0.1" in refusal(MqttConfig(host="127.0.0.1", port=port))


def test_an_old_broker_gets_the_advice_to_speak_3_1_1() -> None:
    def old(connection: socket.socket) -> None:
        connection.recv(4_096)
        connection.sendall(b"\x20\x02\x00\x01")  # CONNACK of 3.1.1: unacceptable protocol version

    with listener(old) as port:
        assert 'mqtt.protocol = "3.1.1"' in refusal(MqttConfig(host="127.0.0.1", port=port))


def until_it_ends(connection: Connection) -> None:
    while True:
        connection.pump(5.0)


@pytest.mark.parametrize(
    ("goodbye", "expected"),
    [
        (b"\xe0\x02\x8e\x00", "took over"),
        (b"\xe0\x02\x8b\x00", "Server shutting down"),
        (b"", "closed the connection"),
        (b"\xff\xff\xff\xff\xff\xff", "closed the connection"),
    ],
)
def test_why_a_connection_ended_is_told(goodbye: bytes, expected: str) -> None:
    def leave(connection: socket.socket) -> None:
        connection.recv(4_096)
        connection.sendall(b"\x20\x03\x00\x00\x00" + goodbye)

    with listener(leave) as port:
        settings = MqttConfig(host="127.0.0.1", port=port)
        connection = Connection(settings, load_credentials(settings), "test")
        connection.open()
        with pytest.raises(BrokerError, match=expected):
            until_it_ends(connection)
        connection.drop()


def test_importing_the_sinks_has_no_effects() -> None:
    program = (
        "import socket, threading\n"
        "def refuse(*_, **__): raise RuntimeError('a socket at import')\n"
        "socket.socket.connect = refuse\n"
        "socket.socketpair = refuse\n"
        "import aed_daemon.sinks.mqtt_sink, aed_daemon.sinks.jsonl, aed_daemon.publisher\n"
        "print(threading.active_count())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
