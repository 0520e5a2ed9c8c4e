"""The configuration's models: every key with its type, default, unit and meaning.

Reading a file, environment overrides and errors with file and line are in `config_file`.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from aed_daemon.manifest import LOUD_SOUND, Probability, Slug

SCHEMA_VERSION = 1


def _topic_part(text: str) -> str:
    if isinstance(text, str) and re.search(r"[+#/\x00]", text):
        raise ValueError("must not hold +, # or / (it becomes part of an MQTT topic)")
    return text


TopicPart = Annotated[str, BeforeValidator(_topic_part), StringConstraints(min_length=1, max_length=64)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=False)


def default_node_name() -> str:
    """Return the host's name and four hex digits of the machine id, so that two boards differ."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()) or "aed"
    return f"{host}-{machine[-4:] or '0000'}"


class _SourceBase(_Section):
    name: TopicPart = Field(description="Name of the source in topics and payloads; unique.")
    gain_db: float = Field(0.0, ge=-60.0, le=60.0, description="Gain before everything else, dB.")
    dc_block_hz: float = Field(10.0, ge=0.0, le=100.0, description="Cutoff of the DC blocker, Hz; 0 turns it off.")
    channel: Literal["mix"] | Annotated[int, Field(ge=0, le=63)] = Field(
        "mix", description='The channel to listen to, from 0, or "mix" for the mean of all.'
    )


class _PcmBase(_SourceBase):
    rate_hz: int = Field(16_000, ge=8_000, le=192_000, description="Sampling rate of the PCM, Hz.")
    channels: int = Field(1, ge=1, le=64, description="Interleaved channels.")
    sample_format: Literal["s16", "s32", "f32"] = Field("s16", description="Little-endian sample format.")

    @model_validator(mode="after")
    def _channel_exists(self) -> _PcmBase:
        if isinstance(self.channel, int) and self.channel >= self.channels:
            raise ValueError(f"channel {self.channel} does not exist: there are {self.channels}, counted from 0")
        return self


class MicrophoneSource(_SourceBase):
    """A sound card or USB microphone, through PortAudio."""

    type: Literal["microphone"]
    device: str | int | None = Field(
        None, description='Part of its name, an ALSA id such as "hw:1,0", or PortAudio\'s index; unset: the default.'
    )
    rate_hz: int | None = Field(None, ge=8_000, le=192_000, description="Sampling rate, Hz; unset: the device's own.")
    channels: int | None = Field(None, ge=1, le=64, description="Channels to open; unset: as many as `channel` needs.")
    sample_format: Literal["s16", "s32"] = Field("s16", description="Sample format asked of the device.")
    stall_timeout_s: float = Field(
        2.0, ge=0.2, le=60.0, description="Seconds without a sample after which the device counts as lost."
    )


class FileSource(_SourceBase):
    """A recording: WAV, FLAC or Ogg."""

    type: Literal["file"]
    path: Path = Field(description="The recording.")
    loop: bool = Field(False, description="Begin again at the end, for ever.")
    realtime: bool = Field(True, description="Pace it as a microphone would; false: as fast as it goes.")


class StdinSource(_PcmBase):
    """Raw PCM on standard input."""

    type: Literal["stdin"]


class CommandSource(_PcmBase):
    """A program that writes raw PCM: arecord, ffmpeg for RTSP."""

    type: Literal["command"]
    command: list[str] = Field(min_length=1, description="The program and its arguments; no shell.")


class DemoSource(_SourceBase):
    """A soundscape that the package synthesises."""

    type: Literal["demo"]
    seed: int = Field(1, ge=0, description="Seed of the soundscape.")
    realtime: bool = Field(True, description="Pace it as a microphone would; false: as fast as it goes.")
    loop: bool = Field(True, description="Begin again at the end, for ever.")


Source = Annotated[
    MicrophoneSource | FileSource | StdinSource | CommandSource | DemoSource, Field(discriminator="type")
]


class ModelConfig(_Section):
    """Which network listens."""

    path: Path | None = Field(None, description="NAME.tflite with NAME.json beside it; unset: the built-in model.")
    engine: Literal["auto", "litert", "tflite"] = Field(
        "auto", description="What runs it; auto: litert where it is installed, else tflite."
    )
    threads: int = Field(1, ge=1, le=16, description="Threads of one inference.")


class GateConfig(_Section):
    """The energy gate: silence costs no inference. Levels are of the loudest 10 ms of the patch."""

    enabled: bool = Field(True, description="Whether silence spares the network.")
    open_dbfs: float | None = Field(None, ge=-120, le=0, description="Level that opens it, dBFS; unset: the model's.")
    close_dbfs: float | None = Field(
        None, ge=-120, le=0, description="Level under which it closes, dBFS; unset: the model's."
    )

    @model_validator(mode="after")
    def _close_below_open(self) -> GateConfig:
        if self.open_dbfs is not None and self.close_dbfs is not None and self.close_dbfs > self.open_dbfs:
            raise ValueError(f"close_dbfs {self.close_dbfs} is above open_dbfs {self.open_dbfs}")
        return self


class ClassConfig(_Section):
    """How one class becomes events; what is unset comes from [detection], then from the model."""

    enabled: bool | None = Field(None, description="Whether its events are published.")
    threshold_on: Probability | None = Field(None, description="Score at which an event starts.")
    threshold_off: Probability | None = Field(None, description="Score under which it no longer counts as heard.")
    mode: Literal["instant", "confirm"] | None = Field(
        None, description="Start at the first hop over the threshold, or only after `confirm_s` of it."
    )
    confirm_s: float | None = Field(None, ge=0, le=60, description="Seconds over the threshold that `confirm` asks for.")
    smoothing_s: float | None = Field(None, ge=0, le=60, description="Scores are averaged over this time, s.")
    min_duration_s: float | None = Field(
        None, ge=0, le=60, description="A sound shorter than this starts no event: it starts when it has lasted so long."
    )
    cooldown_s: float | None = Field(None, ge=0, le=86_400, description="No new start for so long after an end, s.")
    end_after_s: float | None = Field(None, ge=0, le=3_600, description="Unheard for so long, the event ends, s.")

    @model_validator(mode="after")
    def _off_below_on(self) -> ClassConfig:
        on, off = self.threshold_on, self.threshold_off
        if on is not None and off is not None and off > on:
            raise ValueError(f"threshold_off {off} is above threshold_on {on}")
        return self


class LoudSoundConfig(_Section):
    """The event that depends on the level alone, over an adaptive noise floor."""

    enabled: bool = Field(True, description="Whether it is published.")
    snr_db: float = Field(20.0, ge=3, le=100, description="dB over the floor at which it starts.")
    hysteresis_db: float = Field(6.0, ge=0, le=50, description="It goes on until so many dB lower.")
    min_level_dbfs: float = Field(-50.0, ge=-120, le=0, description="Nothing quieter starts one, dBFS.")
    min_duration_s: float = Field(0.05, ge=0.01, le=60, description="Loud for so long before it starts, s.")
    end_after_s: float = Field(1.0, ge=0.1, le=3_600, description="Quiet for so long, it ends, s.")
    cooldown_s: float = Field(0.0, ge=0, le=86_400, description="No new start for so long after an end, s.")


class DetectionConfig(_Section):
    """From scores to events."""

    hop_frames: int = Field(24, ge=1, le=96, description="Frames of 10 ms between decisions.")
    update_s: float = Field(5.0, ge=1, le=3_600, description="Least time between updates of an event, s.")
    defaults: ClassConfig = Field(ClassConfig(), description="For every class.")
    classes: dict[Slug, ClassConfig] = Field({}, description="By class; wins over `defaults`.")
    gate: GateConfig = Field(GateConfig(), description="The energy gate.")
    loud_sound: LoudSoundConfig = Field(LoudSoundConfig(), description="The loud sound event.")

    @model_validator(mode="after")
    def _no_reserved(self) -> DetectionConfig:
        if LOUD_SOUND in self.classes:
            raise ValueError("classes.loud_sound: set it in [detection.loud_sound]")
        return self


class TlsConfig(_Section):
    """Encryption of the connection to the broker."""

    enabled: bool = Field(False, description="Whether to use TLS.")
    ca_file: Path | None = Field(None, description="Certificate authority, PEM; unset: the system's.")
    cert_file: Path | None = Field(None, description="Client certificate, PEM.")
    key_file: Path | None = Field(None, description="Client key, PEM.")
    insecure: bool = Field(False, description="Accept any certificate. For a test bench only.")

    @model_validator(mode="after")
    def _complete(self) -> TlsConfig:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if not self.enabled and (self.ca_file or self.cert_file or self.insecure):
            raise ValueError("enabled is false, yet TLS is set up; say enabled = true")
        return self


class MqttConfig(_Section):
    """The broker."""

    enabled: bool = Field(False, description="Whether to publish over MQTT.")
    host: str = Field("localhost", min_length=1, description="Host of the broker.")
    port: int | None = Field(None, ge=1, le=65_535, description="Port; unset: 1883, with TLS 8883.")
    protocol: Literal["5", "3.1.1"] = Field("5", description="MQTT version.")
    prefix: TopicPart = Field("aed", description="First part of every topic.")
    client_id: str | None = Field(None, min_length=1, max_length=128, description="Unset: the node's name.")
    username: str | None = Field(None, description="User name.")
    password_file: Path | None = Field(None, description="File whose first line is the password.")
    password_credential: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]+$", description="Name of the systemd credential that holds the password."
    )
    keepalive_s: int = Field(30, ge=5, le=3_600, description="Keep-alive interval, s.")
    queue_events: int = Field(10_000, ge=10, le=1_000_000, description="Events kept while the broker is away.")
    reconnect_max_s: float = Field(60.0, ge=1, le=3_600, description="Longest pause between attempts, s.")
    level_interval_s: float = Field(1.0, ge=0, le=3_600, description="Time between level messages, s; 0: none.")
    health_interval_s: float = Field(60.0, ge=1, le=3_600, description="Time between health messages, s.")
    tls: TlsConfig = Field(TlsConfig(), description="Encryption.")

    @model_validator(mode="after")
    def _one_password(self) -> MqttConfig:
        if self.password_file and self.password_credential:
            raise ValueError("password_file and password_credential are two passwords; keep one")
        if (self.password_file or self.password_credential) and not self.username:
            raise ValueError("there is a password, but no username")
        return self

    @property
    def effective_port(self) -> int:
        """The port that is connected to."""
        return self.port or (8883 if self.tls.enabled else 1883)


class OutputConfig(_Section):
    """Events on standard output."""

    jsonl: bool = Field(False, description="Print every event as a line of JSON.")


class LogConfig(_Section):
    """Messages on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity that is shown.")
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else JSON.")


class Config(_Section):
    """The whole file."""

    node: TopicPart = Field(default_factory=default_node_name, description="Name of this daemon in topics.")
    source: list[Source] = Field(min_length=1, description="Where sound comes from.")
    model: ModelConfig = Field(ModelConfig(), description="The network.")
    detection: DetectionConfig = Field(DetectionConfig(), description="From scores to events.")
    mqtt: MqttConfig = Field(MqttConfig(), description="The broker.")
    output: OutputConfig = Field(OutputConfig(), description="Standard output.")
    log: LogConfig = Field(LogConfig(), description="Messages.")

    @model_validator(mode="after")
    def _sources_fit_together(self) -> Config:
        names = [source.name for source in self.source]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sources are named '{name}'")
            if name == "bridge":
                raise ValueError("a source cannot be named 'bridge': that topic is the daemon's own")
        if sum(source.type == "stdin" for source in self.source) > 1:
            raise ValueError("only one source can read standard input")
        return self
