"""MqttSink: events, states and levels over MQTT, on a thread of its own that never gives up."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from aed_daemon.config import MqttConfig
from aed_daemon.control.inbox import Inbox
from aed_daemon.sinks.board import RetainedBoard
from aed_daemon.sinks.broker_errors import NoConnectionError, broker_address
from aed_daemon.sinks.credentials import load_credentials
from aed_daemon.sinks.delivery import ACK_TIMEOUT_S, Delivery
from aed_daemon.sinks.desk import Desk
from aed_daemon.sinks.homeassistant import birth_topic
from aed_daemon.sinks.mqtt import Connection, Wake
from aed_daemon.sinks.outbox import Outbox
from aed_daemon.sinks.published import Published
from aed_daemon.sinks.ratelimit import OncePer
from aed_daemon.sinks.topics import (
    OFFLINE,
    ONLINE,
    Topics,
    attributes_payload,
    availability_payload,
    health_payload,
    info_payload,
    level_payload,
)
from aed_daemon.state_file import StateFile

if TYPE_CHECKING:
    from aed_daemon.events import Event
    from aed_daemon.sinks.protocol import BridgeInfo, Health, SourceLevel

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.5
_LASTING_S = 10.0  # a connection that was up for so long was a good one: back off from the start again
_CLOSING_PAUSE_S = 0.2
_LEAST_LEVEL_INTERVAL_S = 1.0
_GOODBYE_S = 0.5


class MqttSink:
    """Publishes to an MQTT broker whenever there is one.

    Parameters
    ----------
    config : MqttConfig
        The broker.
    node : str
        Name of the daemon: part of every topic, and the client id unless the configuration has one.
    info : BridgeInfo
        What the daemon is; its sources and classes get their retained topics.
    outbox : Outbox
        Where the events are that this sink delivers: the Publisher's.
    inbox : Inbox, optional
        Takes commands; None: nobody may send any.
    published : Published, optional
        What earlier processes have left at the broker; None: nothing.

    Attributes
    ----------
    settled : bool
        Whether a broker has taken everything once.

    Raises
    ------
    ConfigError
        A password or certificate file is missing or unreadable.

    Notes
    -----
    The public methods only write to bounded places: the board (one payload a topic), the newest
    level a source, the newest health, the outbox. Everything that touches the network, name
    resolution included, happens on the thread that `start` starts; it is a daemon thread, so that
    a connect that hangs inside the system cannot keep the process from ending.
    """

    def __init__(
        self,
        config: MqttConfig,
        node: str,
        info: BridgeInfo,
        outbox: Outbox,
        *,
        inbox: Inbox | None = None,
        published: Published | None = None,
    ) -> None:
        self._config = config
        self._credentials = load_credentials(config)
        self._client_id = config.client_id or node
        self._topics = Topics(config.prefix, node)
        self._info = info
        self._outbox = outbox
        self._board = RetainedBoard()
        self._quiet = OncePer()
        birth = birth_topic(config.homeassistant) if config.homeassistant.enabled else None
        self._desk = Desk(self._topics, inbox if config.remote_control else None, birth, self._quiet)
        self._published = published or Published(StateFile(None))
        self.settled = False
        self._lock = threading.Lock()
        self._levels: dict[str, SourceLevel] = {}
        self._level_sent: dict[str, float] = {}
        self._health: Health | None = None
        self._health_unsent = False
        self._connected = False
        self._connections = 0
        self._problem: str | None = None
        self._deadline = float("inf")
        self._closing = threading.Event()
        self._wake = Wake()
        outbox.wake_on_more(self._wake.wake)
        self._thread: threading.Thread | None = None
        self._board.set(self._topics.bridge_state, ONLINE)
        self._epoch = outbox.epoch
        self._board.set(self._topics.bridge_info, info_payload(info, self._epoch))
        for source in info.sources:
            self._board.set(self._topics.availability(source), availability_payload(False, "starting"))
            for slug in info.classes:
                self._board.set(self._topics.class_state(source, slug), "OFF")
                self._board.set(self._topics.class_attributes(source, slug), attributes_payload(None))

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""
        return self._connected

    @property
    def reconnects(self) -> int:
        """How often a connection came about again after the first one."""
        return max(0, self._connections - 1)

    @property
    def problem(self) -> str | None:
        """Why there is no connection, in one sentence; None while there is one."""
        return self._problem

    def start(self) -> None:
        """Begin to connect, on a thread of its own."""
        if self._thread is None:
            self._published.begin(self._board, self._config, self._topics, self._info)
            self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
            self._thread.start()

    def event(self, event: Event) -> None:
        """Put up the class's new state; the event itself is in the outbox already."""
        # A test event has no state, and a source that a reload has taken away none any more.
        if event.class_ not in self._info.classes or event.source not in self._info.sources:
            self._wake.wake()
            return
        state = "OFF" if event.type == "end" else "ON"
        self._board.set(self._topics.class_state(event.source, event.class_), state)
        self._board.set(self._topics.class_attributes(event.source, event.class_), attributes_payload(event))
        self._wake.wake()

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Put up whether a source can be heard; one that a reload has taken away leaves no trace."""
        if source in self._info.sources and self._board.set(
            self._topics.availability(source), availability_payload(online, reason)
        ):
            self._wake.wake()

    def level(self, level: SourceLevel) -> None:
        """Keep the newest level of a source, with the peak since the last one sent, until one is due."""
        if self._config.level_interval_s > 0:
            with self._lock:
                held = self._levels.get(level.source) if self._connected else None
                self._levels[level.source] = _with_peak_of(held, level) if held else level
            if self._level_due_in(level.source) <= 0:
                self._wake.wake()

    def retain(self, topic: str, payload: str) -> None:
        """Put up a retained message; the topic is below prefix/node/."""
        if self._board.set(self._topics.below(topic), payload):
            self._wake.wake()

    def respond(self, topic: str, payload: str) -> None:
        """Publish an answer, once; the oldest goes where too many wait for a connection."""
        self._desk.respond(topic, payload)
        self._wake.wake()

    def health(self, health: Health) -> None:
        """Publish how the daemon is, with this sink's own figures filled in."""
        with self._lock:
            self._health, self._health_unsent = health, True
        self._wake.wake()

    def close(self, timeout_s: float) -> None:
        """Deliver what waits, publish offline and disconnect, within `timeout_s`."""
        if not self._closing.is_set():
            self._deadline = time.monotonic() + timeout_s
            self._closing.set()
            self._wake.wake()
        if self._thread is None:
            self._wake.close()
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive() or self._outbox.depth:
            _log.warning("mqtt_closed_early", events_not_delivered=self._outbox.depth, problem=self._problem)

    def _run(self) -> None:
        attempt = 0
        try:
            while not self._done():
                began = time.monotonic()
                lasting = False
                try:
                    self._session()
                    return
                except NoConnectionError as error:
                    lasting = error.lasting
                    self._report(error)
                except Exception as error:  # a defect must not end delivery for good
                    self._problem = f"unexpected: {error!r}"
                    if (held := self._quiet.due("unexpected")) is not None:
                        _log.exception("mqtt_failed_unexpectedly", not_shown=held)
                was_up, self._connected = self._connected, False
                if was_up and time.monotonic() - began > _LASTING_S:
                    attempt = 0
                self._pause(attempt, lasting)
                attempt += 1
        finally:
            self._connected = False
            self._wake.close()

    def _session(self) -> None:
        """Connect and deliver until closed; raises NoConnectionError when that ends early."""
        will = (self._topics.bridge_state, OFFLINE)
        connection = Connection(self._config, self._credentials, self._client_id, will=will, wake=self._wake)
        try:
            connection.open(give_up=self._done)
            self._connected = True
            self._connections += 1
            self._problem = None
            if (held := self._quiet.due("connected")) is not None:
                _log.info("mqtt_connected", broker=broker_address(self._config), not_shown=held)
            self._deliver(connection)
            connection.close()
            _log.info("mqtt_disconnected", broker=broker_address(self._config))
        finally:
            connection.drop()

    def _deliver(self, connection: Connection) -> None:
        self._everything_again()
        self._desk.open(connection)
        delivery = Delivery(
            connection,
            self._outbox,
            self._board,
            self._topics,
            self._quiet,
            expiry_s=self._config.event_expiry_s or None,
        )
        while not self._closing.is_set() or (
            not (delivery.idle and self._desk.idle) and time.monotonic() < self._last_moment()
        ):
            self._renew_info()
            self._desk.send(delivery)
            delivery.fill()
            self._send_health(connection)
            self._send_levels(connection)
            delivery.acknowledged(connection.pump(self._patience()))
            self._desk.receive(connection)
            if self._desk.take_birth():
                self._everything_again()
            if not self.settled and delivery.idle:
                self._published.settled()
                self.settled = True
            if delivery.stuck:
                raise NoConnectionError(
                    f"it left a message unacknowledged for {ACK_TIMEOUT_S:.0f} s",
                    where=broker_address(self._config),
                )
        self._board.set(self._topics.bridge_state, OFFLINE)
        while not delivery.idle and time.monotonic() < self._deadline:
            delivery.fill()
            delivery.acknowledged(connection.pump(min(0.1, max(0.0, self._deadline - time.monotonic()))))

    def _everything_again(self) -> None:
        """Publish all that is retained: the broker or Home Assistant may not have it."""
        self._board.all_unsent()
        with self._lock:
            self._health_unsent = self._health is not None

    def _renew_info(self) -> None:
        """Say so when the outbox had to begin a new epoch."""
        if self._epoch != (epoch := self._outbox.epoch):
            self._epoch = epoch
            self._board.set(self._topics.bridge_info, info_payload(self._info, epoch))

    def _done(self) -> bool:
        """Whether to stop trying: closed, and either nothing waits or the time is up."""
        return self._closing.is_set() and (not self._outbox.depth or time.monotonic() > self._deadline)

    def _last_moment(self) -> float:
        """Return when draining must end to leave time for the goodbye."""
        return self._deadline - _GOODBYE_S

    def _pause(self, attempt: int, lasting: bool) -> None:
        longest = self._config.reconnect_max_s
        pause = longest if lasting else min(longest, _FIRST_PAUSE_S * 2.0 ** min(attempt, 20))
        pause *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter, so that a fleet does not come back at once
        if self._closing.wait(pause) and not self._done():
            time.sleep(min(_CLOSING_PAUSE_S, max(0.0, self._deadline - time.monotonic())))

    def _patience(self) -> float:
        """Return how long the loop may wait when nothing happens, s."""
        if self._closing.is_set():
            return min(0.1, max(0.0, self._last_moment() - time.monotonic()))
        with self._lock:
            sources = list(self._levels)
        waits = [self._desk.birth_due_in(), *(self._level_due_in(source) for source in sources)]
        return min([1.0, *(max(0.0, wait) for wait in waits)])

    def _level_due_in(self, source: str) -> float:
        interval = max(_LEAST_LEVEL_INTERVAL_S, self._config.level_interval_s)
        return self._level_sent.get(source, float("-inf")) + interval - time.monotonic()

    def _send_levels(self, connection: Connection) -> None:
        with self._lock:
            due = [source for source in self._levels if self._level_due_in(source) <= 0]
            levels = [self._levels.pop(source) for source in due]
        if connection.congested:  # left out, not kept: the next one says more than this one
            return
        for level in levels:
            self._level_sent[level.source] = time.monotonic()
            connection.publish(self._topics.level(level.source), level_payload(level), qos=0, retain=False)

    def _send_health(self, connection: Connection) -> None:
        if connection.congested:
            return
        with self._lock:
            health, unsent = self._health, self._health_unsent
            self._health_unsent = False
        if health is None or not unsent:
            return
        state = self._outbox.state
        own = replace(
            health,
            outbox=state.kind,
            outbox_problem=state.problem,
            outbox_oldest_s=state.oldest_s,
            outbox_depth=self._outbox.depth,
            dead_letters=self._outbox.dead_letters,
            reconnects=self.reconnects,
        )
        connection.publish(self._topics.bridge_health, health_payload(own), qos=0, retain=True)

    def _report(self, error: NoConnectionError) -> None:
        self._problem = str(error)
        what = "mqtt_connection_lost" if self._connected else "mqtt_broker_unavailable"
        if (held := self._quiet.due(what)) is not None:
            waiting = self._outbox.depth
            _log.warning(what, problem=self._problem, not_shown=held, events_waiting=waiting)


def _with_peak_of(before: SourceLevel, now: SourceLevel) -> SourceLevel:
    peak_dbfs = max(before.peak_dbfs, now.peak_dbfs)
    return replace(now, peak_dbfs=peak_dbfs, clipped=before.clipped or now.clipped)
