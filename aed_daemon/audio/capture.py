"""The parent's side of the capture child: `MicrophoneSource`, and the list of devices."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from aed_daemon.audio import launch
from aed_daemon.audio.child import Child
from aed_daemon.audio.condition import SAMPLE_DTYPE, decode_pcm
from aed_daemon.audio.framing import ERROR, FORMAT, GAP, Message, MessageParser
from aed_daemon.audio.launch import Request
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
    channels : int or None
        At most so many; None where it is not known before it is opened.
    default_rate_hz : int or None
        The rate that is used where none is configured.
    """

    index: int
    name: str
    host_api: str
    channels: int | None
    default_rate_hz: int | None


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


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _as_audio_error(fields: dict[str, Any], where: str | None) -> AudioError:
    known = {key: str(fields[key]) for key in ("expected", "got", "hint", "code") if fields.get(key)}
    return AudioError(str(fields.get("what")), where=where, **known)


class MicrophoneSource:
    """A sound card, captured by a child process.

    Parameters
    ----------
    request : Request
        Which device, and how.
    stall_timeout_s : float
        Seconds without a sample after which the device counts as lost.
    patience_s : float
        How long the child itself looks for a device that is not there, again and again: that takes
        a fifth of the processor time of new children.
    child : Child, optional
        The capture process, where it has been started already, for this request.
    """

    live = True
    repeatable = True

    def __init__(
        self,
        request: Request,
        *,
        stall_timeout_s: float = 2.0,
        patience_s: float = 0.0,
        child: Child | None = None,
    ) -> None:
        self.name = launch.microphone_name(request.device)
        self._request = request
        self._lock = threading.Lock()
        self._child = child
        self._closed = False
        self._channels = 1
        self._stall_timeout_s, self._patience_s = stall_timeout_s, patience_s
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
        with self._lock:
            if self._closed:
                raise AudioError("closed before it was opened", where=self.name)
            if self._child is None:
                self._child = launch.microphone_child(self._request, self._patience_s)
            child = self._child
        child.start()
        message = self._receive(child, _HANDSHAKE_S + self._patience_s, "the device does not open")
        if message is None:
            raise AudioError("closed before it was open", where=self.name)
        if not message.flags & FORMAT:
            raise AudioError("the capture process does not say its format", where=self.name)
        told = self._fields(message)
        rate_hz, channels, self.device_name = told.get("rate_hz"), told.get("channels"), told.get("device")
        if not (_is_count(rate_hz) and _is_count(channels)):
            raise self._not_understood(message)
        self._channels = channels
        self._parser.sample_bytes = self._channels * SAMPLE_DTYPE[self._request.sample_format].itemsize
        return PcmFormat(rate_hz, self._channels)

    def read(self) -> Block | None:
        """Return the next block, about 16 ms.

        Raises
        ------
        AudioError
            Where the device is lost, or says nothing for `stall_timeout_s`.
        """
        if self._child is None:
            raise AudioError("read before open", where=self.name)
        message = self._receive(self._child, self._stall_timeout_s, "the device has stalled")
        if message is None:
            return None
        if message.flags & FORMAT:
            raise self._not_understood(message)
        samples = decode_pcm(message.body, self._request.sample_format, self._channels)
        lost = bool(message.flags & GAP) or message.first_sample != self._next
        self._next = message.first_sample + len(samples)
        return Block(message.first_sample, samples, lost, self._arrived_s)

    def close(self) -> None:
        """Kill the child; a waiting `read` returns None."""
        with self._lock:
            self._closed = True
            child = self._child
        if child:
            child.close()

    def _receive(self, child: Child, timeout_s: float, what: str) -> Message | None:
        while (message := next(self._pending, None)) is None:
            data = child.read(timeout_s)
            self._arrived_s = time.time()
            if data is None:
                child.close()
                raise AudioError(
                    what,
                    where=self.name,
                    expected=f"samples within {timeout_s:g} s",
                    got="none",
                    hint="It is closed and tried again.",
                )
            if child.closed:
                return None
            if not data:
                raise AudioError("the capture process has ended", where=self.name, got=child.ending())
            self._parser.push(data)
            self._pending = self._parser.messages()
        if message.flags & ERROR:
            raise _as_audio_error(self._fields(message), self.name)
        return message

    def _fields(self, message: Message) -> dict[str, Any]:
        """Return what a message that is no sound says."""
        try:
            told = json.loads(message.body)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise self._not_understood(message)
        return told

    def _not_understood(self, message: Message) -> AudioError:
        return AudioError(
            "the capture process cannot be understood",
            where=self.name,
            got=repr(message.body[:80]),
            hint="It is of another version, or broken; it is started again.",
        )
