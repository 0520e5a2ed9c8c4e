"""Published: what this daemon has left at the broker, so that a later one can clear it away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from aed_daemon.config import MqttConfig
from aed_daemon.config_types import Section
from aed_daemon.sinks.board import RetainedBoard
from aed_daemon.sinks.homeassistant import device, discovery_topic, platforms
from aed_daemon.sinks.protocol import BridgeInfo
from aed_daemon.sinks.topics import Topics
from aed_daemon.state_file import StateFile

FILE_NAME = "published.json"


class _Content(Section):
    version: Literal[1] = 1
    topics: list[str] = Field(default=[])
    components: dict[str, dict[str, str]] = Field(default={})


class Published:
    """Topics that hold a retained message of ours, and the components of Home Assistant's devices.

    Parameters
    ----------
    file : StateFile
        Where it is kept.
    """

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._kept = file.read(_Content.model_validate) or _Content()
        self._present = self._kept

    def begin(self, board: RetainedBoard, config: MqttConfig, topics: Topics, info: BridgeInfo) -> None:
        """Put up the devices for Home Assistant, and clear what an earlier configuration has left.

        Components that a device had and has no longer stay known while it is there: Home Assistant
        may have been away when they went.
        """
        components: dict[str, dict[str, str]] = {}
        for source in info.sources if config.homeassistant.enabled else ():
            topic = discovery_topic(config.homeassistant, topics, source)
            present = platforms(topics, source, info, config.remote_control)
            earlier = self._kept.components.get(topic, {})
            gone = {name: platform for name, platform in earlier.items() if name not in present}
            board.set(
                topic,
                device(
                    config.homeassistant,
                    topics,
                    source,
                    info,
                    controllable=config.remote_control,
                    gone=gone,
                ),
            )
            components[topic] = gone | present
        ours = {*_retained(topics, info), *components}
        left = set(self._kept.topics) - ours
        for topic in sorted(left):
            board.set(topic, "")
        self._present = _Content(topics=sorted(ours), components=components)
        self._keep(_Content(topics=sorted(ours | left), components=self._kept.components | components))

    def settled(self) -> None:
        """Note that the broker has taken everything: what was left is cleared."""
        self._keep(self._present)

    def _keep(self, content: _Content) -> None:
        if content != self._kept:
            self._kept = content
            self._file.write(content.model_dump())


def _retained(topics: Topics, info: BridgeInfo) -> Iterator[str]:
    """Yield the topics of ours that a broker retains."""
    yield from (topics.bridge_state, topics.bridge_info, topics.bridge_health)
    for source in info.sources:
        yield from (topics.availability(source), topics.listening_state(source))
        for slug in info.classes:
            yield from (
                topics.class_state(source, slug),
                topics.class_attributes(source, slug),
                topics.threshold_state(source, slug),
            )
