"""Recorder: a proxy right before the broker that writes down what is published, and what is acknowledged.

A message is in the record once all of it has come, before the broker gets its last byte; its
acknowledgement once all of that has come from the broker, whether or not it ever reaches the client.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.mqtt_packets import (
    CONNECT,
    PUBACK,
    PUBLISH,
    MalformedPacketError,
    Packet,
    PacketStream,
    Publish,
    protocol_level,
    puback,
    publish,
)

_HIGHEST_LEVEL = 5


@dataclass
class Passed:
    """A message that went to the broker; `code`: the reason code of its PUBACK, None: there was none."""

    message: Publish
    connection: int
    code: int | None = None


class Conversation:
    """What one connection says, read as MQTT."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._level: int | None = None
        self._from_client, self._from_broker = PacketStream(), PacketStream()
        self._under_way: dict[int, Passed] = {}

    def from_client(self, data: bytes) -> list[Passed]:
        """Return the messages that are whole now; raises MalformedPacketError."""
        return [passed for packet in self._from_client.push(data) if (passed := self._sent(packet))]

    def from_broker(self, data: bytes) -> None:
        """Note what is acknowledged now; raises MalformedPacketError."""
        for packet in self._from_broker.push(data):
            if packet.kind == PUBACK:
                packet_id, code = puback(packet)
                passed = self._under_way.pop(packet_id, None)
                if passed is None:
                    raise MalformedPacketError(f"an acknowledgement of {packet_id}, which was not sent")
                passed.code = code

    def _sent(self, packet: Packet) -> Passed | None:
        if packet.kind == CONNECT:
            self._level = protocol_level(packet)
        if packet.kind != PUBLISH:
            return None
        if self._level is None or self._level > _HIGHEST_LEVEL:
            raise MalformedPacketError(f"PUBLISH on a connection of level {self._level}")
        passed = Passed(publish(packet, self._level), self._number)
        if passed.message.packet_id is not None:
            self._under_way[passed.message.packet_id] = passed
        return passed


class Recorder:
    """Passes connections on to a broker on this machine, and keeps a record.

    Parameters
    ----------
    to_port : int
        The broker's.

    Attributes
    ----------
    port : int
        Where to connect to.
    passed : list of Passed
        Every message, in the order in which they went to the broker.
    faults : list of str
        What was not MQTT.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.passed: list[Passed] = []
        self.faults: list[str] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._begin(threading.Thread(target=self._accept, daemon=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut everything and end."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        with self._lock:
            ends = list(self._open)
        for end in ends:
            _hang_up(end)
        for thread in self._threads:
            thread.join(10)

    def _begin(self, thread: threading.Thread) -> None:
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:  # the broker is away, and the client gets to know it
                client.close()
                continue
            self.connections += 1
            conversation = Conversation(self.connections)
            with self._lock:
                self._open |= {client, broker}
            self._begin(threading.Thread(target=self._up, args=(client, broker, conversation), daemon=True))
            self._begin(threading.Thread(target=self._down, args=(broker, client, conversation), daemon=True))

    def _up(self, client: socket.socket, broker: socket.socket, conversation: Conversation) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                self._note(self._take, conversation, data)
                broker.sendall(data)
        self._end(client, broker)

    def _down(self, broker: socket.socket, client: socket.socket, conversation: Conversation) -> None:
        with suppress(OSError):
            while data := broker.recv(65_536):
                self._note(Conversation.from_broker, conversation, data)
                client.sendall(data)
        self._end(client, broker)

    def _take(self, conversation: Conversation, data: bytes) -> None:
        self.passed += conversation.from_client(data)

    def _note(
        self, read: Callable[[Conversation, bytes], None], conversation: Conversation, data: bytes
    ) -> None:
        with self._lock:
            try:
                read(conversation, data)
            except (MalformedPacketError, UnicodeDecodeError) as error:
                self.faults.append(str(error))

    def _end(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open -= set(ends)
        for end in ends:
            _hang_up(end)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):  # the other side may have been first
        end.shutdown(socket.SHUT_RDWR)
    end.close()
