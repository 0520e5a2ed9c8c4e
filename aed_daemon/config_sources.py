"""The kinds of sound source that the configuration knows."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from aed_daemon.audio.identity import IDENTITY, is_identity
from aed_daemon.config_types import FilePath, MisfitError, Section, Text, TopicPart


class _SourceBase(Section):
    name: TopicPart = Field(description="Name of the source in topics and payloads; unique.")
    listening: bool = Field(
        default=True,
        description="Whether it is listened to. What is set over MQTT holds until this is changed.",
    )
    gain_db: float = Field(default=0.0, ge=-60.0, le=60.0, description="Gain before everything else, dB.")
    dc_block_hz: float = Field(
        default=10.0, ge=0.0, le=100.0, description="Cutoff of the DC blocker, Hz; 0 turns it off."
    )
    channel: Literal["mix"] | Annotated[int, Field(ge=0, le=63)] = Field(
        default="mix", description='The channel to listen to, from 0, or "mix" for the mean of all.'
    )


def _check_channel(channel: Literal["mix"] | int, channels: int | None) -> None:
    if channels is not None and isinstance(channel, int) and channel >= channels:
        text = f"channel {channel} does not exist: there are {channels}, counted from 0"
        raise MisfitError((("channel",), text))


class _PcmBase(_SourceBase):
    rate_hz: int = Field(default=16_000, ge=8_000, le=192_000, description="Sampling rate of the PCM, Hz.")
    channels: int = Field(default=1, ge=1, le=64, description="Interleaved channels.")
    sample_format: Literal["s16", "s32", "f32"] = Field(
        default="s16", description="Little-endian sample format."
    )

    @model_validator(mode="after")
    def _channel_exists(self) -> Self:
        _check_channel(self.channel, self.channels)
        return self


def _identity(device: object) -> object:
    if isinstance(device, str) and is_identity(device) and not re.fullmatch(IDENTITY, device):
        raise ValueError(
            'must be "usb:VENDOR:PRODUCT" (four hex digits each), "usb:VENDOR:PRODUCT:SERIAL", '
            '"usb:1-1.3" (a port) or "card:ID"; aed-daemon devices shows it'
        )
    return device


class MicrophoneSource(_SourceBase):
    """A sound card or USB microphone."""

    type: Literal["microphone"] = Field(description="The kind of source.")
    device: Annotated[Text | Annotated[int, Field(ge=0)] | None, BeforeValidator(_identity)] = Field(
        default=None,
        description='What lasts: "usb:VENDOR:PRODUCT[:SERIAL]", "usb:1-1.3" (a port) or "card:ID", as '
        '`aed-daemon devices` shows; else part of its name, an ALSA name such as "hw:1,0", or '
        "PortAudio's index; unset: the default.",
    )
    backend: Literal["auto", "portaudio", "arecord"] = Field(
        default="auto",
        description="What opens it; auto: PortAudio, and arecord where that is missing or fails.",
    )
    rate_hz: int | None = Field(
        default=None, ge=8_000, le=192_000, description="Sampling rate, Hz; unset: the device's own."
    )
    channels: int | None = Field(
        default=None, ge=1, le=64, description="Channels to open; unset: as many as `channel` needs."
    )
    sample_format: Literal["s16", "s32"] = Field(
        default="s16", description="Sample format asked of the device."
    )
    stall_timeout_s: float = Field(
        default=2.0,
        ge=0.2,
        le=60.0,
        description="Seconds without a sample after which the device counts as lost.",
    )
    dead_signal_s: float = Field(
        default=30.0,
        ge=0.0,
        le=86_400.0,
        description="Seconds of one and the same value, such as 0, after which it counts as dead: it goes "
        "offline and is opened again until it varies; 0: never.",
    )

    @property
    def need_channels(self) -> int:
        """One more than the highest channel that is listened to."""
        return self.channel + 1 if isinstance(self.channel, int) else 1

    @model_validator(mode="after")
    def _channel_exists(self) -> Self:
        _check_channel(self.channel, self.channels)
        return self


class FileSource(_SourceBase):
    """A recording: WAV, FLAC or Ogg."""

    type: Literal["file"] = Field(description="The kind of source.")
    path: FilePath = Field(description="The recording.")
    loop: bool = Field(default=False, description="Begin again at the end, for ever.")
    realtime: bool = Field(
        default=True, description="Pace it as a microphone would; false: as fast as it goes."
    )


class StdinSource(_PcmBase):
    """Raw PCM on standard input."""

    type: Literal["stdin"] = Field(description="The kind of source.")


class CommandSource(_PcmBase):
    """A program that writes raw PCM: arecord, ffmpeg for RTSP."""

    type: Literal["command"] = Field(description="The kind of source.")
    command: list[Text] = Field(min_length=1, description="The program and its arguments; no shell.")


class DemoSource(_SourceBase):
    """A soundscape that the package synthesises."""

    type: Literal["demo"] = Field(description="The kind of source.")
    seed: int = Field(default=1, ge=0, description="Seed of the soundscape.")
    realtime: bool = Field(
        default=True, description="Pace it as a microphone would; false: as fast as it goes."
    )
    loop: bool = Field(default=True, description="Begin again at the end, for ever.")


Source = Annotated[
    MicrophoneSource | FileSource | StdinSource | CommandSource | DemoSource, Field(discriminator="type")
]
