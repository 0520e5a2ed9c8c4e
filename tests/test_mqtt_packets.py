"""MQTT packets as the recording proxy reads them; examples by hand from the standards, and from paho."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.mqtt_packets import (
    CONNECT,
    PUBACK,
    MalformedPacketError,
    PacketStream,
    Publish,
    protocol_level,
    puback,
    publish,
)
from benchmarks.mqtt_recorder import Conversation

CONNECT_5 = bytes.fromhex("100d 0004 4d515454 05 02 003c 00 0000".replace(" ", ""))
CONNECT_311 = bytes.fromhex("100c 0004 4d515454 04 02 003c 0000".replace(" ", ""))
PINGREQ = bytes.fromhex("c000")


def made(topic: bytes, payload: bytes, packet_id: int, level: int, flags: int = 2) -> bytes:
    """Return a PUBLISH; with MQTT 5 it has a message expiry interval."""
    properties = bytes.fromhex("05020000000a") if level == 5 else b""
    body = len(topic).to_bytes(2, "big") + topic
    body += (packet_id.to_bytes(2, "big") if flags & 6 else b"") + properties + payload
    size, length = len(body), b""
    while True:
        size, digit = size >> 7, size & 127
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([3 << 4 | flags]) + length + body


@given(st.lists(st.tuples(st.binary(max_size=400), st.integers(1, 65_535))), st.data())
def test_packets_are_the_same_however_the_stream_is_divided(
    messages: list[tuple[bytes, int]], data: st.DataObject
) -> None:
    stream = b"".join([CONNECT_5, *(made(b"a/b", payload, mid, 5) for payload, mid in messages), PINGREQ])
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=20)))
    parser = PacketStream()
    packets = [
        packet for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for packet in parser.push(stream[begin:end])
    ]  # fmt: skip
    assert [packet.kind for packet in packets] == [CONNECT, *[3] * len(messages), 12]
    found = [publish(packet, 5) for packet in packets[1:-1]]
    assert [(one.payload, one.packet_id) for one in found] == messages
    assert {one.topic for one in found} <= {"a/b"}


def test_what_is_read_of_each_packet() -> None:
    level_5, level_311 = (PacketStream().push(data)[0] for data in (CONNECT_5, CONNECT_311))
    assert (protocol_level(level_5), protocol_level(level_311)) == (5, 4)
    duplicate = PacketStream().push(made(b"a", b"x", 7, 4, flags=0b1011))[0]
    assert publish(duplicate, 4) == Publish("a", b"x", 1, True, True, 7)
    plain = PacketStream().push(made(b"a", b"x", 7, 4, flags=0))[0]
    assert publish(plain, 4) == Publish("a", b"x", 0, False, False, None)
    short, refused = PacketStream().push(bytes.fromhex("40020007" + "4003000887"))
    assert (short.kind, puback(short), puback(refused)) == (PUBACK, (7, 0), (8, 0x87))


@pytest.mark.parametrize("wrong", ["30ffffffff01", "3003000561", "30020001"])
def test_what_is_not_mqtt_is_said(wrong: str) -> None:
    with pytest.raises(MalformedPacketError):
        publish(PacketStream().push(bytes.fromhex(wrong))[0], 5)


def test_an_acknowledgement_goes_to_the_last_message_with_its_id_on_its_connection() -> None:
    first, second = Conversation(1), Conversation(2)
    old = first.from_client(CONNECT_5 + made(b"a", b"1", 1, 5))
    new = second.from_client(CONNECT_311 + made(b"a", b"1", 1, 4) + made(b"a", b"2", 2, 4))
    second.from_broker(bytes.fromhex("4002"))
    assert new[0].code is None, "not all of it is there"
    second.from_broker(bytes.fromhex("0001"))
    again = second.from_client(made(b"a", b"3", 1, 4))
    second.from_broker(bytes.fromhex("4003000110"))
    assert [one.code for one in (*old, *new, *again)] == [None, 0, None, 0x10]
    with pytest.raises(MalformedPacketError):
        second.from_broker(bytes.fromhex("40020009"))
