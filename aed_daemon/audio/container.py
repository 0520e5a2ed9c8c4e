"""How much sound an audio file promises, read from its container: what a truncated file lacks.

libsndfile reads a file that was cut short without a word (WAV, Ogg), so the promise is read here.
"""

from __future__ import annotations

import os
from typing import BinaryIO

_STREAMED_SIZES = range(0x7FFF_0000, 0x1_0000_0000)
"""Sizes that a writer to a pipe leaves in the header because it could not go back to it."""

_OGG_HEADER = 27
_OGG_LAST_PAGE = 0x04


def missing_end(file: BinaryIO) -> tuple[str, str] | None:
    """Return (expected, got) where the container was cut short, else None.

    Anything that is not WAV or Ogg gives None: its decoder notices for itself.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(12)
    if magic[:4] in (b"RIFF", b"RF64") and magic[8:] == b"WAVE":
        return _missing_wav(file, size)
    if magic[:4] == b"OggS":
        return _missing_ogg(file, size)
    return None


def _missing_wav(file: BinaryIO, size: int) -> tuple[str, str] | None:
    """Walk the RIFF chunks to the samples. Source: RIFF 1994 specification; EBU Tech 3306 (RF64)."""
    long_size: int | None = None
    at = 12
    while at + 8 <= size:
        file.seek(at)
        header = file.read(8)
        chunk_size = int.from_bytes(header[4:], "little")
        if header[:4] == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        if header[:4] == b"data":
            if long_size is not None and chunk_size == 0xFFFF_FFFF:
                chunk_size = long_size
            elif chunk_size in _STREAMED_SIZES:
                return None
            there = size - at - 8
            return (f"{chunk_size} bytes of samples", str(there)) if there < chunk_size else None
        at += 8 + chunk_size + chunk_size % 2
    return ("a data chunk", "the end of the file")


def _missing_ogg(file: BinaryIO, size: int) -> tuple[str, str] | None:
    """Walk the pages to the one marked as last. Source: RFC 3533, section 6."""
    at, flags = 0, 0
    while at < size:
        file.seek(at)
        header = file.read(_OGG_HEADER)
        if len(header) < _OGG_HEADER or header[:4] != b"OggS":
            break
        segments = file.read(header[26])
        body = sum(segments)
        at += _OGG_HEADER + header[26] + body
        if len(segments) < header[26] or at > size:
            return ("a whole last page", f"{size - (at - body)} of its {body} bytes")
        flags = header[5]
    return None if flags & _OGG_LAST_PAGE else ("a page marked as the last", "the end of the file")
