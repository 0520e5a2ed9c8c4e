"""The configuration's models: every key with its type, default, unit and meaning.

Reading a file, environment overrides and errors with file and line are in `config_file`.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from aed_daemon.config_clips import ClipsConfig
from aed_daemon.config_history import HistoryConfig
from aed_daemon.config_metrics import MetricsConfig
from aed_daemon.config_sources import (
    CommandSource,
    DemoSource,
    FileSource,
    MicrophoneSource,
    Source,
    StdinSource,
)
from aed_daemon.config_types import FilePath, Host, KeyPath, MisfitError, Origins, Section, Text, TopicPart
from aed_daemon.config_web import WebConfig
from aed_daemon.manifest import BACKGROUND, LOUD_SOUND, Probability, Slug

__all__ = [
    "SCHEMA_VERSION",
    "ClassConfig",
    "ClipsConfig",
    "CommandSource",
    "Config",
    "DemoSource",
    "DetectionConfig",
    "FileSource",
    "GateConfig",
    "HistoryConfig",
    "HomeAssistantConfig",
    "LogConfig",
    "LoudSoundConfig",
    "MetricsConfig",
    "MicrophoneSource",
    "ModelConfig",
    "MqttConfig",
    "OutboxConfig",
    "OutputConfig",
    "Source",
    "StdinSource",
    "TlsConfig",
    "WebConfig",
    "default_node_name",
]

SCHEMA_VERSION = 1


def default_node_name() -> str:
    """Return the host's name and four hex digits of the machine id, so that two boards differ."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()) or "aed"
    return f"{host}-{machine[-4:] or '0000'}"


class ModelConfig(Section):
    """Which network listens."""

    path: FilePath | None = Field(
        default=None, description="NAME.tflite with NAME.json beside it; unset: the built-in model."
    )
    engine: Literal["auto", "native", "litert", "tflite"] = Field(
        default="auto",
        description="What runs it; auto: native where the library of `model-tools native` lies beside it, "
        "else litert where it is installed, else tflite.",
    )
    threads: int = Field(default=1, ge=1, le=16, description="Threads of one inference; native has one.")


class GateConfig(Section):
    """The energy gate: silence costs no inference. Levels are of the loudest 10 ms of the patch."""

    enabled: bool = Field(default=True, description="Whether silence spares the network.")
    open_dbfs: float | None = Field(
        default=None, ge=-120, le=0, description="Level that opens it, dBFS; unset: the model's."
    )
    close_dbfs: float | None = Field(
        default=None, ge=-120, le=0, description="Level under which it closes, dBFS; unset: the model's."
    )

    @model_validator(mode="after")
    def _close_below_open(self) -> GateConfig:
        if self.open_dbfs is not None and self.close_dbfs is not None and self.close_dbfs > self.open_dbfs:
            raise MisfitError(
                (("close_dbfs",), f"close_dbfs {self.close_dbfs} is above open_dbfs {self.open_dbfs}")
            )
        return self


class ClassConfig(Section):
    """How one class becomes events; what is unset comes from [detection], then from the model."""

    enabled: bool | None = Field(default=None, description="Whether its events are published.")
    threshold_on: Probability | None = Field(default=None, description="Score at which an event starts.")
    threshold_off: Probability | None = Field(
        default=None, description="Score under which it no longer counts as heard."
    )
    mode: Literal["instant", "confirm"] | None = Field(
        default=None,
        description="Start at the first hop over the threshold, or only after `confirm_s` of it.",
    )
    confirm_s: float | None = Field(
        default=None, ge=0, le=60, description="Seconds over the threshold that `confirm` asks for."
    )
    smoothing_s: float | None = Field(
        default=None, ge=0, le=60, description="Scores are averaged over this time, s."
    )
    min_duration_s: float | None = Field(
        default=None,
        ge=0,
        le=60,
        description="A sound shorter than this starts no event: it starts when it has lasted so long.",
    )
    cooldown_s: float | None = Field(
        default=None, ge=0, le=86_400, description="No new start for so long after an end, s."
    )
    end_after_s: float | None = Field(
        default=None, ge=0, le=3_600, description="Unheard for so long, the event ends, s."
    )

    @model_validator(mode="after")
    def _off_below_on(self) -> ClassConfig:
        on, off = self.threshold_on, self.threshold_off
        if on is not None and off is not None and off > on:
            raise MisfitError((("threshold_off",), f"threshold_off {off} is above threshold_on {on}"))
        return self


class LoudSoundConfig(Section):
    """The event that depends on the level alone, over an adaptive noise floor."""

    enabled: bool = Field(default=True, description="Whether it is published.")
    snr_db: float = Field(default=20.0, ge=3, le=100, description="dB over the floor at which it starts.")
    hysteresis_db: float = Field(default=6.0, ge=0, le=50, description="It goes on until so many dB lower.")
    min_level_dbfs: float = Field(
        default=-50.0, ge=-120, le=0, description="Nothing quieter starts one, dBFS."
    )
    min_duration_s: float = Field(
        default=0.05, ge=0.01, le=60, description="Loud for so long before it starts, s."
    )
    end_after_s: float = Field(default=1.0, ge=0.1, le=3_600, description="Quiet for so long, it ends, s.")
    cooldown_s: float = Field(
        default=0.0, ge=0, le=86_400, description="No new start for so long after an end, s."
    )


class DetectionConfig(Section):
    """From scores to events."""

    hop_frames: int = Field(default=24, ge=1, le=96, description="Frames of 10 ms between decisions.")
    max_hop_frames: int = Field(
        default=96,
        ge=1,
        le=96,
        description="Up to so many frames between decisions where the machine cannot keep up with a live "
        "source: the hop is doubled while sound piles up, and restored; as `hop_frames`: never.",
    )
    update_s: float = Field(
        default=5.0, ge=1, le=3_600, description="Least time between updates of an event, s."
    )
    defaults: ClassConfig = Field(default=ClassConfig(), description="For every class.")
    classes: dict[Slug, ClassConfig] = Field(default={}, description="By class; wins over `defaults`.")
    gate: GateConfig = Field(default=GateConfig(), description="The energy gate.")
    loud_sound: LoudSoundConfig = Field(default=LoudSoundConfig(), description="The loud sound event.")

    @field_validator("classes", mode="after")
    @classmethod
    def _no_reserved(cls, classes: dict[str, ClassConfig]) -> dict[str, ClassConfig]:
        if LOUD_SOUND in classes:
            raise MisfitError(((LOUD_SOUND,), f"{LOUD_SOUND} is no class: set it in [detection.loud_sound]"))
        if BACKGROUND in classes:
            raise MisfitError(((BACKGROUND,), f"{BACKGROUND} is never published and has no settings"))
        return classes

    @model_validator(mode="after")
    def _off_below_on(self) -> DetectionConfig:
        faults: list[tuple[KeyPath, str]] = []
        for slug, own in self.classes.items():
            on = self.defaults.threshold_on if own.threshold_on is None else own.threshold_on
            off = self.defaults.threshold_off if own.threshold_off is None else own.threshold_off
            if on is not None and off is not None and off > on:
                faults.append(
                    (
                        ("classes", slug),
                        f"{slug} has threshold_off {off} above threshold_on {on} (see [detection.defaults])",
                    )
                )
        if faults:
            raise MisfitError(*faults)
        return self


class TlsConfig(Section):
    """Encryption of the connection to the broker."""

    enabled: bool = Field(default=False, description="Whether to use TLS.")
    ca_file: FilePath | None = Field(
        default=None, description="Certificate authority, PEM; unset: the system's."
    )
    cert_file: FilePath | None = Field(default=None, description="Client certificate, PEM.")
    key_file: FilePath | None = Field(default=None, description="Client key, PEM.")
    insecure: bool = Field(default=False, description="Accept any certificate. For a test bench only.")

    @model_validator(mode="after")
    def _complete(self) -> TlsConfig:
        if (self.cert_file is None) != (self.key_file is None):
            raise MisfitError(
                (("cert_file" if self.cert_file else "key_file",), "cert_file and key_file go together")
            )
        if not self.enabled and (self.ca_file or self.cert_file or self.insecure):
            raise MisfitError((("enabled",), "enabled is false, yet TLS is set up; say enabled = true"))
        return self


class HomeAssistantConfig(Section):
    """How Home Assistant finds the sources: one device each, without anything to set up there."""

    enabled: bool = Field(default=True, description="Whether the sources are described to it.")
    prefix: TopicPart = Field(default="homeassistant", description="Its discovery prefix.")
    suggested_area: Text | None = Field(
        default=None, min_length=1, max_length=64, description="Area that it suggests for new devices."
    )


class MqttConfig(Section):
    """The broker."""

    enabled: bool = Field(default=False, description="Whether to publish over MQTT.")
    host: Host = Field(default="localhost", description="Host of the broker.")
    port: int | None = Field(default=None, ge=1, le=65_535, description="Port; unset: 1883, with TLS 8883.")
    protocol: Literal["5", "3.1.1"] = Field(default="5", description="MQTT version.")
    prefix: TopicPart = Field(default="aed", description="First part of every topic.")
    client_id: Text | None = Field(
        default=None, min_length=1, max_length=128, description="Unset: the node's name."
    )
    username: Text | None = Field(default=None, description="User name.")
    password_file: FilePath | None = Field(default=None, description="File whose first line is the password.")
    password_credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of the systemd credential that holds the password.",
    )
    keepalive_s: int = Field(default=30, ge=5, le=3_600, description="Keep-alive interval, s.")
    queue_events: int = Field(
        default=10_000, ge=10, le=1_000_000, description="Events kept while the broker is away."
    )
    event_expiry_s: float = Field(
        default=0.0,
        ge=0,
        le=31_536_000,
        description="An event older than this is not delivered any more, and the broker is told what is left "
        "of it (MQTT 5), s; 0: events never expire.",
    )
    reconnect_max_s: float = Field(
        default=60.0, ge=1, le=3_600, description="Longest pause between attempts, s."
    )
    level_interval_s: float = Field(
        default=1.0, ge=0, le=3_600, description="Time between level messages, s; 0: none."
    )
    health_interval_s: float = Field(
        default=60.0, ge=1, le=3_600, description="Time between health messages, s."
    )
    remote_control: bool = Field(
        default=True, description="Whether subscribers may send commands: thresholds, listening, reload."
    )
    tls: TlsConfig = Field(default=TlsConfig(), description="Encryption.")
    homeassistant: HomeAssistantConfig = Field(
        default=HomeAssistantConfig(), description="Discovery by Home Assistant."
    )

    @model_validator(mode="after")
    def _one_password(self) -> MqttConfig:
        if self.password_file and self.password_credential:
            text = "password_file and password_credential are two passwords; keep one"
            raise MisfitError((("password_credential",), text))
        if (self.password_file or self.password_credential) and not self.username:
            key = "password_file" if self.password_file else "password_credential"
            raise MisfitError(((key,), "there is a password, but no username"))
        return self

    @property
    def effective_port(self) -> int:
        """The port that is connected to."""
        return self.port or (8883 if self.tls.enabled else 1883)


class OutboxConfig(Section):
    """Where events wait for the broker. What is dropped is announced on `bridge/outbox_dropped`."""

    enabled: bool = Field(
        default=True, description="Whether they wait on disk; false: in memory, and a restart loses them."
    )
    path: FilePath | None = Field(
        default=None,
        description="File that holds them; unset: outbox.db in systemd's state directory, else memory.",
    )
    max_mb: float = Field(default=32.0, ge=1, le=10_000, description="Most that waits, MB.")
    max_age_h: float = Field(
        default=720.0, gt=0, le=87_600, description="An event that has waited for longer is dropped, hours."
    )


class OutputConfig(Section):
    """Events on standard output."""

    jsonl: bool = Field(default=False, description="Print every event as a line of JSON.")


class LogConfig(Section):
    """Messages on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is shown."
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, else JSON."
    )


class Config(Section):
    """The whole file."""

    node: TopicPart = Field(default_factory=default_node_name, description="Name of this daemon in topics.")
    source: list[Source] = Field(min_length=1, description="Where sound comes from.")
    model: ModelConfig = Field(default=ModelConfig(), description="The network.")
    detection: DetectionConfig = Field(default=DetectionConfig(), description="From scores to events.")
    mqtt: MqttConfig = Field(default=MqttConfig(), description="The broker.")
    outbox: OutboxConfig = Field(default=OutboxConfig(), description="Where events wait for the broker.")
    history: HistoryConfig = Field(default=HistoryConfig(), description="What is remembered.")
    output: OutputConfig = Field(default=OutputConfig(), description="Standard output.")
    clips: ClipsConfig = Field(default=ClipsConfig(), description="Recordings.")
    metrics: MetricsConfig = Field(default=MetricsConfig(), description="Figures for Prometheus.")
    web: WebConfig = Field(default=WebConfig(), description="The live page.")
    log: LogConfig = Field(default=LogConfig(), description="Messages.")

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @field_validator("source", mode="after")
    @classmethod
    def _sources_fit_together(cls, sources: list[Source]) -> list[Source]:
        faults: list[tuple[KeyPath, str]] = []
        names: list[str] = []
        for position, source in enumerate(sources):
            if source.name in names:
                faults.append(((position, "name"), f"two sources are named '{source.name}'"))
            if source.name == "bridge":
                faults.append(
                    ((position, "name"), "a source cannot be named 'bridge': that topic is the daemon's own")
                )
            names.append(source.name)
        readers = [position for position, source in enumerate(sources) if source.type == "stdin"]
        faults.extend(
            ((position, "type"), "only one source can read standard input") for position in readers[1:]
        )
        if faults:
            raise MisfitError(*faults)
        return sources

    @property
    def origins(self) -> Origins:
        """Where each key was set; empty unless `config_file.load_config` made this."""
        return self._origins
