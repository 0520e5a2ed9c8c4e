"""Delivery: what is under way on one connection. The one owner of (re)transmission.

A message with QoS 1 is under way from its first byte to its acknowledgement. When the connection
is lost, a new Delivery begins with the oldest event that the outbox still holds, so nothing is
lost and the order stays; what was under way may arrive twice, with the same `seq`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog

from aed_daemon.sinks.board import RetainedBoard
from aed_daemon.sinks.mqtt import Ack
from aed_daemon.sinks.outbox import Entry, Hole, Outbox
from aed_daemon.sinks.ratelimit import OncePer
from aed_daemon.sinks.topics import Topics, hole_payload

_log = structlog.get_logger(__name__)

WINDOW = 16
"""Most messages with QoS 1 under way at once, where the broker's receive maximum is not less."""

ACK_TIMEOUT_S = 30.0
"""A broker that answers pings but leaves a message unacknowledged for so long is reconnected."""

_PACKET_OVERHEAD = 16  # fixed header, lengths, message id and properties of a PUBLISH, at most


class Link(Protocol):
    """What a Delivery needs of a connection."""

    receive_maximum: int
    maximum_packet_size: int | None

    def publish(
        self, topic: str, payload: str, *, qos: int, retain: bool, expiry_s: int | None = None
    ) -> int:
        """Send a message and return its id; the broker forgets it after `expiry_s`."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    sent: float
    topic: str
    entry: Entry | None = None
    hole: Hole | None = None


class Delivery:
    """Sends what is retained, what was dropped and what waits, in this order, through one connection.

    Parameters
    ----------
    link : Link
        An open connection.
    outbox : Outbox
        The events.
    board : RetainedBoard
        The retained messages.
    topics : Topics
        Where they go.
    quiet : OncePer
        Limits the log.
    clock : callable
        Monotonic seconds.
    expiry_s : float, optional
        Events are worth nothing that long after they were committed, s: the broker is told how much
        of it is left.
    """

    def __init__(
        self,
        link: Link,
        outbox: Outbox,
        board: RetainedBoard,
        topics: Topics,
        quiet: OncePer,
        clock: Callable[[], float] = time.monotonic,
        *,
        expiry_s: float | None = None,
    ) -> None:
        self._link = link
        self._outbox = outbox
        self._board = board
        self._topics = topics
        self._quiet = quiet
        self._clock = clock
        self._expiry_s = expiry_s
        self._window = max(1, min(WINDOW, link.receive_maximum))
        self._under_way: dict[int, _Ticket] = {}  # by message id, oldest first
        self._hole_under_way = False

    @property
    def idle(self) -> bool:
        """Whether everything was acknowledged and nothing waits."""
        return (
            not self._under_way
            and self._board.settled
            and not self._outbox.holes()
            and not self._outbox.depth
        )

    @property
    def stuck(self) -> bool:
        """Whether an acknowledgement is overdue."""
        oldest = next(iter(self._under_way.values()), None)
        return oldest is not None and self._clock() - oldest.sent > ACK_TIMEOUT_S

    def fill(self) -> None:
        """Send as much as the window takes."""
        while len(self._under_way) < self._window and (message := self._board.take()) is not None:
            self._send(message[0], message[1], retain=True)
        if not self._hole_under_way and len(self._under_way) < self._window:
            for hole in self._outbox.holes()[:1]:  # one at a time: it may grow meanwhile
                self._hole_under_way = True
                self._send(self._topics.outbox_dropped, hole_payload(hole), hole=hole)
        while (room := self._window - len(self._under_way)) > 0:
            under_way = {ticket.entry.position for ticket in self._under_way.values() if ticket.entry}
            entries = self._outbox.pending(room, under_way)
            if not entries:
                return
            for entry in entries:
                self._send_event(entry)

    @property
    def has_room(self) -> bool:
        """Whether another message may be under way."""
        return len(self._under_way) < self._window

    def send(self, topic: str, payload: str) -> None:
        """Send what is not repeated should the connection be lost; only while there is room."""
        self._send(topic, payload)

    def acknowledged(self, acks: Iterable[Ack]) -> None:
        """Let go of what the broker has taken, and put aside what it refuses."""
        for ack in acks:
            ticket = self._under_way.pop(ack.mid, None)
            if ticket is not None:
                self._settle(ticket, ack.failure)

    def _send_event(self, entry: Entry) -> None:
        self._send(self._topics.event(entry.event.source), entry.event.to_json(), entry=entry)

    def _send(
        self,
        topic: str,
        payload: str,
        *,
        retain: bool = False,
        entry: Entry | None = None,
        hole: Hole | None = None,
    ) -> None:
        limit = self._link.maximum_packet_size
        size = len(topic.encode()) + len(payload.encode()) + _PACKET_OVERHEAD
        ticket = _Ticket(self._clock(), topic, entry, hole)
        if limit is not None and size > limit:  # the broker would hang up, again and again
            self._settle(ticket, f"Packet too large: {size} bytes, the broker takes {limit}")
            return
        mid = self._link.publish(topic, payload, qos=1, retain=retain, expiry_s=self._left_s(entry))
        self._under_way[mid] = ticket

    def _left_s(self, entry: Entry | None) -> int | None:
        if entry is None or self._expiry_s is None:
            return None
        return max(1, math.ceil(self._expiry_s - entry.age_s))

    def _settle(self, ticket: _Ticket, failure: str | None) -> None:
        if ticket.entry is not None:
            if failure is None:
                self._outbox.acknowledge(ticket.entry.position)
            else:
                self._outbox.dead_letter(ticket.entry.position, failure)
        if ticket.hole is not None:
            self._hole_under_way = False
            self._outbox.announced(ticket.hole)
        if failure is not None:
            self._refused(ticket.topic, failure)

    def _refused(self, topic: str, reason: str) -> None:
        if (held := self._quiet.due(f"refused {topic}")) is not None:
            _log.error(
                "mqtt_message_refused",
                topic=topic,
                reason=reason,
                not_shown=held,
                hint="Check what the broker's access control list lets this user publish.",
            )
