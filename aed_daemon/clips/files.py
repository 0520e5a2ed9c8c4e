"""ClipFiles: a take -> the files of a clip, each whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Literal

from aed_daemon import __version__
from aed_daemon.audio.encode import Tag, encode
from aed_daemon.clips.folder import FACTS_SUFFIX, FILE_MODE, PARTIAL_SUFFIX, PICTURE_SUFFIX, ClipFolder
from aed_daemon.clips.picture import MOST_BYTES, spectrogram_png
from aed_daemon.clips.take import Take
from aed_daemon.clips.tape import FULL_SCALE, Pcm
from aed_daemon.events import iso_utc
from aed_daemon.features import log_mel
from aed_daemon.spec import FeatureSpec

FACTS_VERSION = 1

_HEADER_BYTES = 65_536
"""More than any header and tags take."""

_TRY_BYTES = 4_096


def facts(take: Take, samples: int, rate_hz: int) -> dict[str, Any]:
    """Return what is to be known about a clip of so many samples."""
    onset = take.start_sample - take.first_sample
    offset = None if take.end_sample is None else take.end_sample - take.first_sample
    return {
        "schema": FACTS_VERSION,
        "id": take.id,
        "node": take.node,
        "source": take.source,
        "class": take.slug,
        "label": take.label,
        "score_max": take.score_max,
        "start": iso_utc(take.start_ts),
        "start_ts": take.start_ts,
        "start_sample": take.start_sample,
        "end_sample": take.end_sample,
        "reason": take.end_reason,
        "sample_rate_hz": rate_hz,
        "first_sample": take.first_sample,
        "samples": samples,
        "onset_s": onset / rate_hz,
        "offset_s": None if offset is None else offset / rate_hz,
        "cut_short": take.cut_short,
    }


class ClipFiles:
    """Writes clips.

    Parameters
    ----------
    folder : ClipFolder
        Where.
    spec : FeatureSpec
        The model's rate, and what its spectrogram is.
    kind : {"flac", "wav"}
        Format.
    max_samples : int
        Of a clip.
    pictures : bool
        Whether a spectrogram lies beside each.

    Attributes
    ----------
    most_bytes : int
        No clip is larger, with what lies beside it.
    """

    def __init__(
        self,
        folder: ClipFolder,
        spec: FeatureSpec,
        kind: Literal["flac", "wav"],
        max_samples: int,
        *,
        pictures: bool,
    ) -> None:
        self._folder, self._spec, self._kind, self._pictures = folder, spec, kind, pictures
        self._sound_bytes = 2 * max_samples + _HEADER_BYTES
        beside_bytes = (MOST_BYTES if pictures else 0) + _HEADER_BYTES
        self.most_bytes = self._sound_bytes + beside_bytes

    def reserve(self, take: Take) -> None:
        """Take the room that the clip needs at most, under another name; OSError where there is none."""
        path = self._path(take)
        self._folder.make(take.name)
        descriptor = os.open(_partial(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, self._sound_bytes)
        finally:
            os.close(descriptor)

    def write(self, take: Take) -> tuple[list[Path], OSError | None]:
        """Write a clip, the sound last; return its files, and why what lies beside it is not among them.

        Raises
        ------
        OSError, AudioError
            Where the sound cannot be written; nothing of it is there then.
        """
        path, pcm, rate_hz = self._path(take), take.pcm(), self._spec.sample_rate_hz
        told = facts(take, len(pcm), rate_hz)
        text = json.dumps(told, ensure_ascii=False)
        tags: dict[Tag, str] = {
            "title": f"{take.label}, {take.source}, {told['start']}",
            "date": told["start"],
            "software": f"aed-daemon {__version__}",
            "comment": text,
        }
        sound = encode(pcm, rate_hz, self._kind, tags)
        written, problem = [], None
        try:
            written.append(_write_whole(path.with_suffix(FACTS_SUFFIX), f"{text}\n".encode()))
            if self._pictures:
                written.append(_write_whole(path.with_suffix(PICTURE_SUFFIX), self._picture(take, pcm)))
        except OSError as error:  # the room for the sound itself is there
            problem = error
        try:
            written.append(_write_whole(path, sound))
        except OSError:
            for file in written:
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)
            raise
        return written, problem

    def abandon(self, take: Take) -> None:
        """Give back the room of a clip that is not to be."""
        with contextlib.suppress(OSError):
            self._folder.delete(_partial(self._path(take)))

    def try_out(self) -> None:
        """Find out whether there can be clips; OSError where not."""
        self._folder.make()
        partial = _partial(self._folder.root / "try")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, _TRY_BYTES)
        finally:
            os.close(descriptor)
            partial.unlink(missing_ok=True)

    def _picture(self, take: Take, pcm: Pcm) -> bytes:
        spec = self._spec
        rows = log_mel((pcm / FULL_SCALE).astype("float32"), spec)
        offset = None
        if take.end_sample is not None:
            offset = (take.end_sample - take.first_sample) / spec.hop_length
        return spectrogram_png(rows, (take.start_sample - take.first_sample) / spec.hop_length, offset)

    def _path(self, take: Take) -> Path:
        return self._folder.root / take.name


def _partial(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL_SUFFIX)


def _write_whole(path: Path, content: bytes) -> Path:
    """Put a file in its place once it is whole and on the disk; uses room that was reserved for it."""
    partial = _partial(path)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT, FILE_MODE)
    try:
        done = 0
        while done < len(content):
            done += os.write(descriptor, content[done:])
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
    except OSError:
        os.close(descriptor)
        partial.unlink(missing_ok=True)
        raise
    os.close(descriptor)
    return partial.replace(path)
