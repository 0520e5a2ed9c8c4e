"""Samples -> FLAC or WAV, in memory, with what is to be known about them inside."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AudioError

Tag = Literal["title", "artist", "date", "software", "comment"]


def encode(
    pcm: NDArray[np.int16], rate_hz: int, kind: Literal["flac", "wav"], tags: Mapping[Tag, str]
) -> bytes:
    """Return a whole file of one channel, 16 bits.

    Parameters
    ----------
    pcm : ndarray, int16 (n,)
        The samples; a decoder gives back the same.
    rate_hz : int
        Their rate.
    kind : {"flac", "wav"}
        The format.
    tags : mapping
        Vorbis comments of FLAC, the LIST chunk of WAV.

    Raises
    ------
    AudioError
        Where soundfile or its library is missing, or refuses.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package without its C library
        raise AudioError(
            "cannot write audio files", got=str(error), hint="Install the Python package soundfile."
        ) from error
    whole = io.BytesIO()
    try:
        with soundfile.SoundFile(whole, "w", rate_hz, 1, "PCM_16", format=kind.upper()) as file:
            for name, text in tags.items():
                setattr(file, name, text)
            file.write(pcm)
    except soundfile.LibsndfileError as error:
        raise AudioError("cannot encode the sound", got=str(error).rstrip(".")) from error
    return whole.getvalue()
