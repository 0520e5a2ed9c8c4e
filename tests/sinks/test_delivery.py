"""Delivery: window, order, refusals and the one owner of retransmission, on a link of paper."""

from __future__ import annotations

from aed_daemon.sinks.board import RetainedBoard
from aed_daemon.sinks.delivery import ACK_TIMEOUT_S, WINDOW, Delivery
from aed_daemon.sinks.mqtt import Ack
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.ratelimit import OncePer
from aed_daemon.sinks.topics import Topics
from tests.sinks.parts import draft

TOPICS = Topics("aed", "node")
EVENTS = TOPICS.event("porch")


class Paper:
    """A link that writes down what it is given."""

    def __init__(self, receive_maximum: int = 65_535, maximum_packet_size: int | None = None) -> None:
        self.receive_maximum = receive_maximum
        self.maximum_packet_size = maximum_packet_size
        self.sent: list[tuple[str, str, int, bool]] = []
        self.expiries_s: list[int | None] = []

    def publish(
        self, topic: str, payload: str, *, qos: int, retain: bool, expiry_s: int | None = None
    ) -> int:
        self.expiries_s.append(expiry_s)
        self.sent.append((topic, payload, qos, retain))
        return len(self.sent)

    def numbers(self) -> list[int]:
        return [int(payload.split('"seq":')[1].split(",")[0]) for topic, payload, *_ in self.events()]

    def events(self) -> list[tuple[str, str, int, bool]]:
        return [message for message in self.sent if message[0] == EVENTS]


class Parts:
    """A delivery and what it works on."""

    def __init__(self, link: Paper, events: int = 0, capacity: int = 1_000) -> None:
        self.now = 0.0
        self.link = link
        self.outbox = MemoryOutbox(capacity)
        self.board = RetainedBoard()
        for _ in range(events):
            self.outbox.append(draft())
        self.begin(link)

    def begin(self, link: Paper) -> None:
        self.link = link
        self.delivery = Delivery(link, self.outbox, self.board, TOPICS, OncePer(), clock=lambda: self.now)

    def acknowledge(self, *mids: int, failure: str | None = None) -> None:
        self.delivery.acknowledged([Ack(mid, failure) for mid in mids])


def test_no_more_than_the_window_is_under_way() -> None:
    parts = Parts(Paper(), events=100)
    parts.delivery.fill()
    parts.delivery.fill()
    assert parts.link.numbers() == list(range(WINDOW))
    parts.acknowledge(1, 2)
    parts.delivery.fill()
    assert parts.link.numbers() == list(range(WINDOW + 2))
    assert parts.outbox.depth == 98


def test_the_broker_s_receive_maximum_is_kept_to() -> None:
    parts = Parts(Paper(receive_maximum=3), events=10)
    parts.board.set("state", "online")
    parts.delivery.fill()
    assert len(parts.link.sent) == 3


def test_retained_messages_and_holes_go_before_events() -> None:
    parts = Parts(Paper(), events=10, capacity=5)
    parts.board.set("state", "online")
    parts.delivery.fill()
    assert [topic for topic, *_ in parts.link.sent[:3]] == ["state", TOPICS.outbox_dropped, EVENTS]
    assert parts.link.sent[0][2:] == (1, True)
    assert parts.link.sent[1][2:] == (1, False)
    assert parts.link.sent[2][2:] == (1, False)
    assert parts.link.numbers() == [5, 6, 7, 8, 9]
    assert parts.outbox.holes(), "not before the broker has it"
    parts.acknowledge(2)
    assert not parts.outbox.holes()


def test_nothing_is_sent_twice_on_one_connection() -> None:
    parts = Parts(Paper(), events=3)
    for _ in range(5):
        parts.delivery.fill()
    assert parts.link.numbers() == [0, 1, 2]
    assert not parts.delivery.idle
    parts.acknowledge(1, 2, 3)
    assert parts.delivery.idle


def test_a_new_connection_begins_with_the_oldest_that_was_not_acknowledged() -> None:
    parts = Parts(Paper(), events=6)
    parts.delivery.fill()
    parts.acknowledge(1, 2)
    parts.begin(Paper())
    parts.delivery.fill()
    assert parts.link.numbers() == [2, 3, 4, 5]


def test_a_refused_event_is_put_aside_and_the_next_goes_on() -> None:
    parts = Parts(Paper(receive_maximum=1), events=3)
    parts.delivery.fill()
    parts.acknowledge(1, failure="Not authorized")
    parts.delivery.fill()
    parts.acknowledge(2)
    parts.delivery.fill()
    assert parts.link.numbers() == [0, 1, 2]
    assert [(letter.event.seq, letter.reason) for letter in parts.outbox.refused()] == [(0, "Not authorized")]


def test_a_refused_hole_is_not_announced_for_ever() -> None:
    parts = Parts(Paper(), events=10, capacity=5)
    parts.delivery.fill()
    parts.acknowledge(1, failure="Not authorized")
    assert not parts.outbox.holes()


def test_an_event_that_is_too_large_for_the_broker_is_never_sent() -> None:
    parts = Parts(Paper(maximum_packet_size=2_000))
    parts.outbox.append(draft(label="x" * 3_000))
    parts.outbox.append(draft())
    parts.delivery.fill()
    assert parts.link.numbers() == [1]
    assert "too large" in parts.outbox.refused()[0].reason


def test_a_retained_message_that_is_too_large_does_not_block() -> None:
    parts = Parts(Paper(maximum_packet_size=2_000), events=1)
    parts.board.set("info", "x" * 3_000)
    parts.delivery.fill()
    assert [topic for topic, *_ in parts.link.sent] == [EVENTS]


def test_unknown_acknowledgements_are_left_alone() -> None:
    parts = Parts(Paper(), events=1)
    parts.delivery.fill()
    parts.acknowledge(99)
    assert parts.outbox.depth == 1


def test_an_overdue_acknowledgement_is_noticed() -> None:
    parts = Parts(Paper(), events=2)
    assert not parts.delivery.stuck
    parts.delivery.fill()
    parts.now = ACK_TIMEOUT_S
    assert not parts.delivery.stuck
    parts.now += 1
    assert parts.delivery.stuck
    parts.acknowledge(1, 2)
    assert not parts.delivery.stuck


def test_the_broker_is_told_how_long_an_event_is_still_worth_something() -> None:
    now = [1_000.0]
    parts = Parts(Paper())
    parts.outbox = MemoryOutbox(10, clock=lambda: now[0])
    for _ in range(2):
        parts.outbox.append(draft())
        now[0] += 20.5
    parts.board.set("state", "online")
    parts.delivery = Delivery(parts.link, parts.outbox, parts.board, TOPICS, OncePer(), expiry_s=60.0)
    parts.delivery.fill()
    assert parts.link.expiries_s == [None, 19, 40]
