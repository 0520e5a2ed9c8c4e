"""Connection: one connection to an MQTT broker, used from one thread. The only importer of paho.

paho's own reconnecting, queueing and retransmitting are not used: a connection that is lost is
thrown away with all that was under way on it, and whoever owns the messages sends them again.
"""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from aed_daemon.config import MqttConfig, default_node_name
from aed_daemon.sinks.broker_errors import cannot_connect, lost, no_answer, refused
from aed_daemon.sinks.credentials import Credentials, load_credentials

TCP_TIMEOUT_S = 5.0
"""Longest wait for a TCP connection, and again for a TLS handshake."""

CONNACK_TIMEOUT_S = 10.0
"""Longest wait for the broker's answer once there is a connection."""

MAX_INCOMING_BYTES = 65_536
"""With MQTT 5 a broker keeps larger packets to itself."""

_FLUSH_S = 0.5
_UNLIMITED = 65_535


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker's word on a message with QoS 1; `failure` is its reason where it refused."""

    mid: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that we are subscribed to; `retained`: it was not meant for now."""

    topic: str
    payload: bytes
    retained: bool


class Wake:
    """Lets any thread end another one's wait on a socket."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._reader.fileno()

    def wake(self) -> None:
        """End the wait. Never blocks; a closed one is left alone."""
        try:
            self._writer.send(b"\0")
        except OSError:  # full: a wake-up is under way already; or closed: nobody waits
            return

    def clear(self) -> None:
        """Swallow the wake-ups that have come."""
        try:
            while self._reader.recv(4_096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Let go of the descriptors."""
        self._reader.close()
        self._writer.close()


class Connection:
    """One connection, from `open` to `close` or to the first `NoConnectionError`.

    Parameters
    ----------
    config : MqttConfig
        Where the broker is.
    credentials : Credentials
        What it takes to be let in.
    client_id : str
        Unique at the broker.
    will : (str, str), optional
        Topic and payload of the last will: retained, QoS 1.
    wake : Wake, optional
        Ends a `pump` early.
    """

    def __init__(
        self,
        config: MqttConfig,
        credentials: Credentials,
        client_id: str,
        *,
        will: tuple[str, str] | None = None,
        wake: Wake | None = None,
    ) -> None:
        self._config = config
        self._wake = wake
        self._acks: list[Ack] = []
        self._incoming: list[Incoming] = []
        self._refused: list[str] = []
        self._asked: dict[int, list[str]] = {}
        self._answer: ReasonCode | None = None
        self._goodbye: str | None = None
        self._detail: str | None = None
        self.receive_maximum = _UNLIMITED
        self.maximum_packet_size: int | None = None
        self._v5 = config.protocol == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._v5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if self._v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = TCP_TIMEOUT_S
        client.max_inflight_messages_set(0)  # the owner of the messages bounds them
        if credentials.username is not None:
            client.username_pw_set(credentials.username, credentials.password)
        if credentials.tls is not None:
            client.tls_set_context(credentials.tls)
        if will is not None:
            client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_log = self._on_log
        self._client = client

    def open(self, give_up: Callable[[], bool] = lambda: False) -> None:
        """Connect and wait for the broker's answer; `give_up` is asked while waiting.

        Raises
        ------
        NoConnectionError
            There is no connection; says why.
        """
        config = self._config
        properties = None
        if self._v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = MAX_INCOMING_BYTES
        try:
            self._client.connect(
                config.host,
                config.effective_port,
                keepalive=config.keepalive_s,
                clean_start=True if self._v5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
            )
        except (OSError, ValueError) as error:
            raise cannot_connect(config, error) from error
        deadline = time.monotonic() + CONNACK_TIMEOUT_S
        while self._answer is None:
            if self._client.socket() is None:
                raise no_answer(config, self._detail, closed=True)
            if time.monotonic() > deadline or give_up():
                self.drop()
                raise no_answer(config, self._detail, closed=False)
            self._turn(0.1)
        if self._answer.is_failure:
            self.drop()
            raise refused(config, self._answer.value, str(self._answer))

    @property
    def congested(self) -> bool:
        """Whether bytes wait for the broker to take them: no time for what may be left out."""
        return self._client.want_write()

    def publish(
        self, topic: str, payload: str, *, qos: int, retain: bool, expiry_s: int | None = None
    ) -> int:
        """Send a message and return its id; `pump` returns the acknowledgement of one with QoS 1.

        With MQTT 5, a broker that cannot pass it on within `expiry_s` forgets it.
        """
        properties = None
        if expiry_s is not None and self._v5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = expiry_s
        return self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties).mid

    def subscribe(self, topics: list[str]) -> None:
        """Ask for what is published from now on; `take_incoming` returns it.

        With MQTT 5 the broker sends nothing that it retains, and marks what is published as retained;
        with 3.1.1 it sends what it retains, marked.
        """
        if self._v5:
            options = SubscribeOptions(
                qos=1, retainAsPublished=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND
            )
            _, mid = self._client.subscribe([(topic, options) for topic in topics])
        else:
            _, mid = self._client.subscribe([(topic, 1) for topic in topics])
        if mid is not None:
            self._asked[mid] = topics

    def take_incoming(self) -> list[Incoming]:
        """Return what has arrived since the last call."""
        incoming, self._incoming = self._incoming, []
        return incoming

    def take_refused(self) -> list[str]:
        """Return the subscriptions that the broker has refused since the last call."""
        refused, self._refused = self._refused, []
        return refused

    def pump(self, timeout_s: float) -> list[Ack]:
        """Read and write until something happens, `Wake` or `timeout_s`; return what was acknowledged.

        Raises
        ------
        NoConnectionError
            The connection is lost, and every acknowledgement before that was returned.
        """
        if self._client.socket() is not None:
            self._turn(timeout_s)
        acks, self._acks = self._acks, []
        if not acks and self._client.socket() is None:
            raise lost(self._config, self._goodbye, self._detail)
        return acks

    def close(self) -> None:
        """Say goodbye, so that the broker does not publish the last will, and let go."""
        self._client.disconnect()
        deadline = time.monotonic() + _FLUSH_S
        while self._client.socket() is not None and self._client.want_write() and time.monotonic() < deadline:
            self._turn(0.05)
        self.drop()

    def drop(self) -> None:
        """Close the socket at once. Without a DISCONNECT before it, the broker publishes the will."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _turn(self, timeout_s: float) -> None:
        sock: Any = self._client.socket()
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        if self._wake is not None:
            poll.register(self._wake, select.POLLIN)
        pending = getattr(sock, "pending", lambda: 0)  # what TLS has read ahead is not seen by poll
        ready = dict(poll.poll(0 if pending() else max(0.0, timeout_s) * 1_000))
        if self._wake is not None and self._wake.fileno() in ready:
            self._wake.clear()
        events = ready.get(sock.fileno(), 0)
        if events & ~select.POLLOUT or pending():
            self._client.loop_read()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()

    def _on_connect(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._answer = code
        self.receive_maximum = getattr(properties, "ReceiveMaximum", _UNLIMITED)
        self.maximum_packet_size = getattr(properties, "MaximumPacketSize", None)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: Any,
        flags: paho.DisconnectFlags,
        code: ReasonCode,
        _properties: Any,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._goodbye = str(code)

    def _on_publish(
        self, _client: paho.Client, _data: Any, mid: int, code: ReasonCode, _properties: Any
    ) -> None:
        self._acks.append(Ack(mid, str(code) if code.is_failure else None))

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no command has such a topic
            return
        self._incoming.append(Incoming(topic, bytes(message.payload), bool(message.retain)))

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        topics = self._asked.pop(mid, [])
        self._refused += [topic for topic, code in zip(topics, codes, strict=False) if code.is_failure]

    def _on_log(self, _client: paho.Client, _data: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:  # the only place where paho says what went wrong
            self._detail = text


def check_connection(config: MqttConfig) -> None:
    """Connect to the broker once, as the daemon would, and disconnect again.

    Uses a client id of its own, so that a daemon that runs meanwhile is not thrown out.

    Raises
    ------
    ConfigError
        A password or certificate file is missing or unreadable.
    NoConnectionError
        Unreachable, refused, bad credentials or a TLS failure: says which, and what to do.
    """
    client_id = f"{config.client_id or default_node_name()}-check-{secrets.token_hex(3)}"
    connection = Connection(config, load_credentials(config), client_id)
    connection.open()
    connection.close()
