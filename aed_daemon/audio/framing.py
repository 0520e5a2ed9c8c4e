"""The messages between the capture child and its parent, and both ends of the pipe.

A message has at most 4,096 bytes, which a pipe takes whole or not at all: a header (first native
sample's index, count, flags), then `count` samples of interleaved PCM, or `count` bytes of JSON
where the flags say FORMAT (the first message) or ERROR (the last). A full pipe loses the message,
never holds up the device; the next one that fits carries the flag GAP.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

HEADER = struct.Struct("<QHH")
MESSAGE_BYTES = 4_096  # PIPE_BUF of Linux: larger writes are not taken whole
GAP, FORMAT, ERROR = 1, 2, 4

_PIPE_BYTES = 1 << 20


class Pipe:
    """The way to the parent: whole messages or none, without waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._gap = False
        os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):  # more than the system allows: the usual size will do
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def tell(self, flags: int, fields: Mapping[str, Any]) -> None:
        """Send fields as JSON, cut to what fits."""
        room = MESSAGE_BYTES - HEADER.size
        text = json.dumps(fields).encode()
        if len(text) > room:
            text = json.dumps({**fields, "got": str(fields.get("got"))[: room // 8]}).encode()
        os.set_blocking(self._descriptor, True)
        os.writev(self._descriptor, [HEADER.pack(0, len(text), flags), text])
        os.set_blocking(self._descriptor, False)

    def send(self, first_sample: int, pcm: memoryview, sample_bytes: int, overflowed: bool) -> None:
        """Send samples of `sample_bytes` bytes (all channels), in as many messages as it takes."""
        self._gap |= overflowed
        step = (MESSAGE_BYTES - HEADER.size) // sample_bytes * sample_bytes
        for at in range(0, len(pcm), step):
            part = pcm[at : at + step]
            flags = GAP if self._gap else 0
            header = HEADER.pack(first_sample + at // sample_bytes, len(part) // sample_bytes, flags)
            try:
                os.writev(self._descriptor, [header, part])
            except BlockingIOError:
                self._gap = True
            else:
                self._gap = False


class Message(NamedTuple):
    """One message of the child.

    Attributes
    ----------
    first_sample : int
        Index of the first sample; 0 for JSON.
    flags : int
        GAP, FORMAT, ERROR.
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
