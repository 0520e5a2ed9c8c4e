"""Sound from a WAV, FLAC or Ogg file, for replay, for tests and for training.

The only module that imports soundfile, and only where a file is opened.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio.condition import DC_BLOCK_HZ, Conditioner
from aed_daemon.audio.container import missing_end
from aed_daemon.audio.resample import Resampler
from aed_daemon.audio.source import Block, Pacer, PcmFormat
from aed_daemon.errors import AudioError

if TYPE_CHECKING:
    import soundfile

_PACED_BLOCK_S = 0.02
_UNPACED_BLOCK_SAMPLES = 32_768
_HINT = "WAV, FLAC and Ogg files can be read."
_UNREADABLE = "file_unreadable"


class AudioFile:
    """An open file, read once from its start to its end.

    Raises
    ------
    AudioError
        From the constructor for what is missing, unreadable or no audio; from `read`, after
        everything that is there has been returned, for a file that was cut short or is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._missing = self._examine()
        self._failure: AudioError | None = None
        self._file = self._open()
        self.format = PcmFormat(self._file.samplerate, self._file.channels)
        try:
            self.format.checked(str(path))
        except AudioError:
            self.close()
            raise

    def _examine(self) -> tuple[str, str] | None:
        where = str(self.path)
        if self.path.exists() and not self.path.is_file():
            kind = "a directory" if self.path.is_dir() else "a pipe or a device"
            raise AudioError(
                "not an audio file", where=where, expected="a file", got=kind, hint=_HINT, code=_UNREADABLE
            )
        try:
            with self.path.open("rb") as file:
                if not file.read(1):
                    raise AudioError(
                        "not an audio file",
                        where=where,
                        expected="samples",
                        got="an empty file",
                        hint=_HINT,
                        code=_UNREADABLE,
                    )
                return missing_end(file)
        except FileNotFoundError as error:
            raise AudioError(
                "no such file",
                where=where,
                expected="an audio file",
                got="nothing",
                hint="Check the path.",
                code="file_missing",
            ) from error
        except OSError as error:
            raise AudioError(
                "cannot read the file",
                where=where,
                expected="an audio file",
                got=error.strerror or str(error),
                hint="Check its permissions.",
                code=_UNREADABLE,
            ) from error

    def _open(self) -> soundfile.SoundFile:
        try:
            import soundfile
        except (ImportError, OSError) as error:  # OSError: the package without its C library
            raise AudioError(
                "cannot read audio files",
                got=str(error),
                hint="Install the Python package soundfile.",
                code=_UNREADABLE,
            ) from error

        class Forward(soundfile.SoundFile):  # type: ignore[misc]
            """Never seeks: soundfile does so after each block, and that fails where a file was cut."""

            def seekable(self) -> bool:
                return False

        self._read_error: type[Exception] = soundfile.LibsndfileError
        try:
            return Forward(str(self.path))
        except soundfile.LibsndfileError as error:
            what, expected, got = (
                "not an audio file that can be decoded",
                "sound",
                error.error_string.rstrip("."),
            )
            if self._missing:
                what, (expected, got) = "the file was cut short, before any sound", self._missing
            raise AudioError(
                what, where=str(self.path), expected=expected, got=got, hint=_HINT, code=_UNREADABLE
            ) from error

    @property
    def duration_s(self) -> float:
        """What its header says of its length, in seconds; a damaged file may hold less."""
        return float(self._file.frames) / self.format.rate_hz

    def read(self, max_samples: int) -> NDArray[np.float32]:
        """Return the next samples, float32 (n, channels), n <= max_samples; none at the end."""
        if self._failure:
            raise self._failure
        # A decoder that fails has filled the buffer up to there: NaN shows how far.
        buffer = np.full((max_samples, self.format.channels), np.nan, np.float32)
        try:
            samples: NDArray[np.float32] = self._file.read(out=buffer)
        except self._read_error as error:
            samples = buffer[: max_samples - int(np.isnan(buffer[:, 0]).sum())]
            self._failure = self._cut_short("an intact stream", str(error))
        if len(samples) == 0:
            if self._failure:
                raise self._failure
            if self._missing:
                raise self._cut_short(*self._missing)
        return samples

    def _cut_short(self, expected: str, got: str) -> AudioError:
        return AudioError(
            "the file was cut short or is damaged",
            where=str(self.path),
            expected=expected,
            got=got.rstrip("."),
            hint="What is there has been used; copy or record it again for the rest.",
            code="file_damaged",
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decode(
    path: str | Path,
    rate_hz: int,
    *,
    channel: int | Literal["mix"] = "mix",
    gain_db: float = 0.0,
    dc_block_hz: float = DC_BLOCK_HZ,
) -> NDArray[np.float32]:
    """Return a whole file as the daemon would hear it, float32 (n,), full scale 1.0.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC or Ogg.
    rate_hz : int
        Sample rate of the result.
    channel, gain_db, dc_block_hz
        As for `Conditioner`.

    Raises
    ------
    AudioError
        For what is missing, unreadable, no audio, cut short or damaged.
    """
    with AudioFile(path) as file:
        conditioner = Conditioner(file.format.rate_hz, channel, gain_db, dc_block_hz)
        resampler = Resampler(file.format.rate_hz, rate_hz)
        parts = []
        while len(samples := file.read(_UNPACED_BLOCK_SAMPLES)):
            parts.append(resampler.push(conditioner.push(samples)))
        parts.append(resampler.flush())
    return np.concatenate(parts)


class FileSource:
    """A file as a `Source`.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC or Ogg.
    loop : bool
        Begin again at the end, for ever; the sample index goes on.
    speed : float or None
        1.0 is real time, 2.0 twice as fast, None as fast as it is read.
    origin_s : float, optional
        UTC in seconds of its first sample; by default the moment of `open`.
    """

    live = False

    def __init__(
        self,
        path: str | Path,
        *,
        loop: bool = False,
        speed: float | None = 1.0,
        origin_s: float | None = None,
    ) -> None:
        self.path, self.name = Path(path), str(path)
        self.repeatable = loop
        self._loop, self._speed, self._origin_s = loop, speed, origin_s
        self._file: AudioFile | None = None
        self._pacer = Pacer(1, None)
        self._next = 0
        self._closed = False

    def open(self) -> PcmFormat:
        """Open the file; raises AudioError as `AudioFile` does."""
        self._file = AudioFile(self.path)
        form = self._file.format
        self._pacer = Pacer(form.rate_hz, self._speed)
        if self._closed:
            self._pacer.close()
        if self._origin_s is None:
            self._origin_s = time.time()
        unpaced = self._speed is None
        self._block = _UNPACED_BLOCK_SAMPLES if unpaced else round(form.rate_hz * _PACED_BLOCK_S)
        return form

    def read(self) -> Block | None:
        """Return the next block when its last sample is due; AudioError where the file breaks off."""
        if self._file is None or self._origin_s is None:
            raise AudioError("read before open", where=self.name)
        samples = self._file.read(self._block)
        if len(samples) == 0 and self._loop and self._next > 0:
            self._file.close()
            self._file = AudioFile(self.path)
            samples = self._file.read(self._block)
        first, self._next = self._next, self._next + len(samples)
        if len(samples) == 0 or not self._pacer.wait(self._next):
            self._file.close()
            return None
        return Block(first, samples, False, self._origin_s + self._next / self._file.format.rate_hz)

    def close(self) -> None:
        """Wake a waiting `read`, which then returns None."""
        self._closed = True
        self._pacer.close()
