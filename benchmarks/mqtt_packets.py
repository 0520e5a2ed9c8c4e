"""MQTT packets as they are on the wire, 3.1.1 and 5: cut out of a stream of bytes, and read.

Source: MQTT Version 3.1.1 and MQTT Version 5.0, OASIS standards, sections 2.1, 3.1, 3.3 and 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

CONNECT, PUBLISH, PUBACK = 1, 3, 4

SUCCESS = 0x00
FAILURE = 0x80
"""Reason codes from here on are failures."""


class MalformedPacketError(Exception):
    """What came is not MQTT."""


@dataclass(frozen=True)
class Packet:
    """One packet; `flags` are the lower four bits of its first byte."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True)
class Publish:
    """A PUBLISH; `packet_id` is None with QoS 0."""

    topic: str
    payload: bytes
    qos: int
    duplicate: bool
    retain: bool
    packet_id: int | None


class PacketStream:
    """Cuts packets out of what one side of a connection sends, however it is divided."""

    def __init__(self) -> None:
        self._rest = b""

    def push(self, data: bytes) -> list[Packet]:
        """Return the packets that are whole now.

        Raises
        ------
        MalformedPacketError
            A length of more than four bytes.
        """
        self._rest += data
        packets = []
        while (found := self._first()) is not None:
            packet, size = found
            packets.append(packet)
            self._rest = self._rest[size:]
        return packets

    def _first(self) -> tuple[Packet, int] | None:
        if len(self._rest) < 2:
            return None
        length = _variable(self._rest, 1)
        if length is None or len(self._rest) < length[1] + length[0]:
            return None
        end = length[1] + length[0]
        return Packet(self._rest[0] >> 4, self._rest[0] & 15, self._rest[length[1] : end]), end


def protocol_level(connect: Packet) -> int:
    """Return 4 for MQTT 3.1.1 and 5 for MQTT 5; raises MalformedPacketError."""
    _, at = _text(connect.body, 0)
    return _take(connect.body, at, 1)[0]


def publish(packet: Packet, level: int) -> Publish:
    """Read a PUBLISH of a protocol level; raises MalformedPacketError."""
    qos = packet.flags >> 1 & 3
    topic, at = _text(packet.body, 0)
    packet_id = None
    if qos:
        packet_id = int.from_bytes(_take(packet.body, at, 2), "big")
        at += 2
    if level >= 5:
        properties = _variable(packet.body, at)
        if properties is None:
            raise MalformedPacketError("PUBLISH ends in its properties")
        _take(packet.body, properties[1], properties[0])
        at = properties[1] + properties[0]
    duplicate, retain = bool(packet.flags & 8), bool(packet.flags & 1)
    return Publish(topic, packet.body[at:], qos, duplicate, retain, packet_id)


def puback(packet: Packet) -> tuple[int, int]:
    """Return packet id and reason code of a PUBACK; without a code it is success."""
    packet_id = int.from_bytes(_take(packet.body, 0, 2), "big")
    return packet_id, packet.body[2] if len(packet.body) > 2 else SUCCESS


def _variable(data: bytes, at: int) -> tuple[int, int] | None:
    """Return a variable byte integer and where it ends; None where there is no end yet."""
    value = 0
    for index in range(4):
        if at + index >= len(data):
            return None
        byte = data[at + index]
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, at + index + 1
    raise MalformedPacketError("a length of more than four bytes")


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(_take(data, at, 2), "big")
    return _take(data, at + 2, end - at - 2).decode(), end


def _take(data: bytes, at: int, count: int) -> bytes:
    if at + count > len(data):
        raise MalformedPacketError(f"{at + count} bytes expected, got {len(data)}")
    return data[at : at + count]
