"""Recordings with damage, raw PCM in any portions, and the capture process's messages."""

from __future__ import annotations

import io
import random
from functools import cache
from pathlib import Path

import numpy as np

from aed_daemon.audio.file import AudioFile
from aed_daemon.audio.framing import ERROR, FORMAT, HEADER, MessageParser
from aed_daemon.audio.pcm import CommandSource
from aed_daemon.errors import AudioError
from tests.fuzz import clean, damaged

_FORMATS = (
    ("wav", "WAV", "PCM_16"), ("wav", "WAV", "PCM_24"), ("wav", "WAV", "FLOAT"), ("wav", "WAV", "IMA_ADPCM"),
    ("wav", "WAVEX", "PCM_16"), ("wav", "RF64", "PCM_16"), ("flac", "FLAC", "PCM_16"),
    ("ogg", "OGG", "VORBIS"), ("ogg", "OGG", "OPUS"),
)  # fmt: skip
_MOST_SAMPLES = 1_000_000


@cache
def _recording(kind: int) -> bytes:
    import soundfile

    noise = np.random.default_rng(kind).standard_normal((2_000, 2)) * 0.1
    made = io.BytesIO()
    soundfile.write(made, noise, 16_000, format=_FORMATS[kind][1], subtype=_FORMATS[kind][2])
    return made.getvalue()


def recording(seed: int, folder: Path) -> bool:
    """Read damaged file `seed` to its end."""
    rng = random.Random(seed)
    kind = rng.randrange(len(_FORMATS))
    path = folder / f"damaged.{_FORMATS[kind][0]}"
    path.write_bytes(damaged(rng, _recording(kind), range(120)))
    read = 0
    try:
        with AudioFile(path) as file:
            while read < _MOST_SAMPLES and len(samples := file.read(32_768)):
                assert samples.dtype == np.float32
                assert samples.shape[1] == file.format.channels
                read += len(samples)
    except AudioError as error:
        clean(error)
        return False
    return True


def pcm(seed: int, folder: Path) -> bool:
    """Assemble random bytes, which come in random portions; the samples are those of the whole."""
    rng = random.Random(seed)
    channels, form = rng.randrange(1, 9), rng.choice(("s16", "s32"))
    data = rng.randbytes(rng.randrange(3_000))
    source = CommandSource(["true"], 16_000, channels, form)  # type: ignore[arg-type] # one of two names
    at, blocks = 0, []
    while at < len(data):
        size = rng.choice((1, 3, 64, 700))
        if block := source._assembler.push(data[at : at + size]):
            blocks.append(block.samples)
            assert block.first_sample + len(block.samples) == sum(map(len, blocks))
        at += size
    width = {"s16": 2, "s32": 4}[form] * channels
    assert sum(map(len, blocks)) == len(data) // width
    return bool(blocks)


def messages(seed: int, folder: Path) -> bool:
    """Parse messages with damage, in random portions: whole ones, no byte lost or used twice."""
    rng = random.Random(seed)
    parser, unit = MessageParser(), rng.choice((1, 2, 4, 16))
    parser.sample_bytes = unit
    parts = []
    for _ in range(rng.randrange(1, 8)):
        count, flags = rng.randrange(200), rng.choice((0, 0, 1, FORMAT, ERROR, 0xFFFF))
        size = count * (1 if flags & (FORMAT | ERROR) else unit)
        parts.append(HEADER.pack(rng.getrandbits(64), count, flags) + rng.randbytes(size))
    sent = b"".join(parts)
    if rng.random() < 0.5:
        sent = damaged(rng, sent)
    found, at = [], 0
    while at < len(sent):
        size = rng.choice((1, 5, 4_096))
        parser.push(sent[at : at + size])
        found += list(parser.messages())
        at += size
    again = b"".join(
        HEADER.pack(m.first_sample, len(m.body) // (1 if m.flags & (FORMAT | ERROR) else unit), m.flags)
        + m.body
        for m in found
    )
    assert sent.startswith(again)
    return bool(found)
