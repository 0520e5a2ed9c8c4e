"""The parent's side of the capture child: `MicrophoneSource`, and the list of devices."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from aed_daemon.audio import launch
from aed_daemon.audio.child import Child
from aed_daemon.audio.condition import SAMPLE_DTYPE, decode_pcm
from aed_daemon.audio.microphone import ERROR, FORMAT, GAP, HEADER
from aed_daemon.audio.source import Block, PcmFormat
from aed_daemon.errors import AudioError

_HANDSHAKE_S = 10.0
"""PortAudio asks every device for what it can do before it starts; slow boards have many."""


@dataclass(frozen=True)
class InputDevice:
    """A device that can be captured from.

    Attributes
    ----------
    index : int
        PortAudio's; changes when devices come and go.
    name : str
        As PortAudio tells it; ALSA's hardware ends in its id, "(hw:1,0)".
    host_api : str
        "ALSA" on most systems.
    channels : int
        At most so many.
    default_rate_hz : int
        The rate that is used where none is configured.
    """

    index: int
    name: str
    host_api: str
    channels: int
    default_rate_hz: int


def list_devices() -> list[InputDevice]:
    """Return the input devices as they are now.

    Raises
    ------
    AudioError
        Where PortAudio is missing or does not answer.
    """
    try:
        done = subprocess.run(
            launch.command("--list"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_HANDSHAKE_S,
            check=False,
            env=launch.environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise AudioError(
            "cannot list the devices",
            got="no answer from PortAudio",
            hint="A device may be stuck: unplug it.",
        ) from error
    try:
        told = json.loads(done.stdout)
    except ValueError as error:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise AudioError("cannot list the devices", got=said[-1] if said else "no answer") from error
    if "error" in told:
        raise _as_audio_error(told["error"], None)
    return [InputDevice(**device) for device in told["devices"]]


def _as_audio_error(fields: dict[str, Any], where: str | None) -> AudioError:
    known = {key: str(fields[key]) for key in ("expected", "got", "hint") if fields.get(key)}
    return AudioError(str(fields.get("what")), where=where, **known)


class Message(NamedTuple):
    """One message of the child.

    Attributes
    ----------
    first_sample : int
        Index of the first sample; 0 for JSON.
    flags : int
        GAP, FORMAT, ERROR of `microphone`.
    body : bytes
        Interleaved PCM, or JSON.
    """

    first_sample: int
    flags: int
    body: bytes


class MessageParser:
    """Cut the pipe's bytes into messages, however they arrive."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.sample_bytes = 1

    def push(self, data: bytes) -> None:
        """Take bytes from the pipe."""
        self._held += data

    def messages(self) -> Iterator[Message]:
        """Yield the messages that are complete."""
        while len(self._held) >= HEADER.size:
            first, count, flags = HEADER.unpack_from(self._held)
            end = HEADER.size + count * (1 if flags & (FORMAT | ERROR) else self.sample_bytes)
            if len(self._held) < end:
                return
            body = bytes(self._held[HEADER.size : end])
            del self._held[:end]
            yield Message(first, flags, body)


class MicrophoneSource:
    """A sound card, captured by a child process.

    Parameters
    ----------
    device : str, int or None
        A PortAudio index, an ALSA id or PCM name, a part of the name; None: the default.
    rate_hz : int or None
        None: the device's own.
    channels : int or None
        Exactly so many; None: as few as the device takes, but at least `need_channels`.
    need_channels : int
        One more than the highest channel that is listened to.
    sample_format : "s16" or "s32"
        What the device is asked for.
    stall_timeout_s : float
        Seconds without a sample after which the device counts as lost.
    child : Child, optional
        The capture process, where it has been started already, with these same parameters.
    """

    live = True

    def __init__(
        self,
        device: str | int | None = None,
        *,
        rate_hz: int | None = None,
        channels: int | None = None,
        need_channels: int = 1,
        sample_format: Literal["s16", "s32"] = "s16",
        stall_timeout_s: float = 2.0,
        child: Child | None = None,
    ) -> None:
        self.name = launch.microphone_name(device)
        self._child = child or launch.microphone_child(
            device,
            rate_hz=rate_hz,
            channels=channels,
            need_channels=need_channels,
            sample_format=sample_format,
        )
        self._format: Literal["s16", "s32"] = sample_format
        self._channels = 1
        self._stall_timeout_s = stall_timeout_s
        self._parser = MessageParser()
        self._pending: Iterator[Message] = iter(())
        self._arrived_s = 0.0
        self._next = 0
        self.device_name: str | None = None

    def open(self) -> PcmFormat:
        """Start the child and wait for its device.

        Raises
        ------
        AudioError
            Where there is no such device, it is busy or refuses, PortAudio is missing or hangs.
        """
        try:
            return self._handshake()
        except AudioError:
            self.close()
            raise

    def _handshake(self) -> PcmFormat:
        self._child.start()
        message = self._receive(_HANDSHAKE_S, "the device does not open")
        if message is None:
            raise AudioError("closed before it was open", where=self.name)
        if not message.flags & FORMAT:
            raise AudioError("the capture process does not say its format", where=self.name)
        told = json.loads(message.body)
        self._channels, self.device_name = told["channels"], told["device"]
        self._parser.sample_bytes = self._channels * SAMPLE_DTYPE[self._format].itemsize
        return PcmFormat(told["rate_hz"], self._channels)

    def read(self) -> Block | None:
        """Return the next block, about 16 ms.

        Raises
        ------
        AudioError
            Where the device is lost, or says nothing for `stall_timeout_s`.
        """
        message = self._receive(self._stall_timeout_s, "the device has stalled")
        if message is None:
            return None
        samples = decode_pcm(message.body, self._format, self._channels)
        lost = bool(message.flags & GAP) or message.first_sample != self._next
        self._next = message.first_sample + len(samples)
        return Block(message.first_sample, samples, lost, self._arrived_s)

    def close(self) -> None:
        """Kill the child; a waiting `read` returns None."""
        self._child.close()

    def _receive(self, timeout_s: float, what: str) -> Message | None:
        while (message := next(self._pending, None)) is None:
            data = self._child.read(timeout_s)
            self._arrived_s = time.time()
            if data is None:
                self._child.close()
                raise AudioError(
                    what,
                    where=self.name,
                    expected=f"samples within {timeout_s:g} s",
                    got="none",
                    hint="It is closed and tried again.",
                )
            if self._child.closed:
                return None
            if not data:
                raise AudioError("the capture process has ended", where=self.name, got=self._child.ending())
            self._parser.push(data)
            self._pending = self._parser.messages()
        if message.flags & ERROR:
            raise _as_audio_error(json.loads(message.body), self.name)
        return message
