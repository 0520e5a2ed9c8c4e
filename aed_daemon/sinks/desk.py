"""Desk: where commands come in from the broker and their answers go out."""

from __future__ import annotations

import random
import time
from collections import deque
from typing import Protocol

import structlog

from aed_daemon.control.inbox import Command, Inbox
from aed_daemon.control.requests import answer_topic, response, transaction_of
from aed_daemon.sinks.delivery import Delivery
from aed_daemon.sinks.mqtt import Incoming
from aed_daemon.sinks.ratelimit import OncePer
from aed_daemon.sinks.topics import Topics

_log = structlog.get_logger(__name__)

_ANSWERS_KEPT = 1_000

_AFTER_BIRTH_S = (1.0, 5.0)
"""Home Assistant asks not to be answered by everybody at once."""


class Receiver(Protocol):
    """What a Desk needs of a connection."""

    def subscribe(self, topics: list[str]) -> None:
        """Ask for what is published from now on."""

    def take_incoming(self) -> list[Incoming]:
        """Return what has arrived."""

    def take_refused(self) -> list[str]:
        """Return the subscriptions that were refused."""


class Desk:
    """Puts commands into an inbox, refuses those that must not be done, and keeps answers until they go.

    Parameters
    ----------
    topics : Topics
        Where commands come from.
    inbox : Inbox, optional
        Takes commands; None: nobody may send any.
    birth_topic : str, optional
        Where Home Assistant says that it has started.
    quiet : OncePer
        Limits the log.
    """

    def __init__(self, topics: Topics, inbox: Inbox | None, birth_topic: str | None, quiet: OncePer) -> None:
        self._topics, self._inbox, self._birth_topic = topics, inbox, birth_topic
        self._quiet = quiet
        self._birth_due_s = float("inf")
        self._answers: deque[tuple[str, str]] = deque(maxlen=_ANSWERS_KEPT)

    @property
    def idle(self) -> bool:
        """Whether no answer waits."""
        return not self._answers

    def open(self, connection: Receiver) -> None:
        """Subscribe, on a new connection."""
        topics = list(self._topics.commands) if self._inbox is not None else []
        if self._birth_topic is not None:
            topics.append(self._birth_topic)
        if topics:
            connection.subscribe(topics)

    def respond(self, topic: str, payload: str) -> None:
        """Publish an answer, once; the topic is below prefix/node/. From any thread."""
        self._answers.append((self._topics.below(topic), payload))

    def send(self, delivery: Delivery) -> None:
        """Send the answers for which there is room."""
        while self._answers and delivery.has_room:
            delivery.send(*self._answers.popleft())

    def birth_due_in(self) -> float:
        """Return when to publish everything again for a Home Assistant that has started, s from now."""
        return self._birth_due_s - time.monotonic()

    def take_birth(self) -> bool:
        """Return whether that is now, once."""
        due = self.birth_due_in() <= 0
        if due:
            self._birth_due_s = float("inf")
        return due

    def receive(self, connection: Receiver) -> None:
        """Take what has arrived."""
        for topic in connection.take_refused():
            if (held := self._quiet.due(f"subscribe {topic}")) is not None:
                hint = "Check what the broker's access control list lets this user read."
                _log.error("mqtt_subscription_refused", topic=topic, not_shown=held, hint=hint)
        for message in connection.take_incoming():
            if message.topic == self._birth_topic:
                # A retained one is from before: all was published at the connection already.
                if message.payload == b"online" and not message.retained:
                    self._birth_due_s = time.monotonic() + random.uniform(*_AFTER_BIRTH_S)  # noqa: S311
            elif message.retained:
                self._ignore(message)
            elif self._inbox is not None:
                self._take(self._inbox, message)

    def _ignore(self, message: Incoming) -> None:
        """Pass over a retained command: it would be done again at every connection."""
        if (held := self._quiet.due("retained command")) is not None:
            hint = "Publish commands without the retain flag."
            _log.warning("retained_command_ignored", topic=message.topic[:200], not_shown=held, hint=hint)

    def _take(self, inbox: Inbox, message: Incoming) -> None:
        command = Command(message.topic.removeprefix(self._topics.below("")), message.payload)
        if inbox.put(command):
            return
        problem = "busy: too many commands wait; send it again later"
        self.respond(answer_topic(command.topic), response(transaction_of(command.payload), error=problem))
        if (held := self._quiet.due("busy")) is not None:
            _log.warning("too_many_commands", not_shown=held)
