from __future__ import annotations

from pathlib import Path

import numpy as np

from aed_daemon.audio.file import decode
from aed_daemon.features import log_mel
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.babble import babble, babble_clips
from model_tools.data.licences import redistributable
from model_tools.data.synthetic import rms_dbfs
from model_tools.training.sound import frame_dbfs

RATE_HZ = 16_000


def voices(count: int = 6) -> list[np.ndarray[tuple[int], np.dtype[np.float32]]]:
    return [babble(np.random.default_rng(seed), 10 * RATE_HZ) for seed in range(count)]


def test_it_comes_in_syllables_and_pauses() -> None:
    for sound in voices():
        assert abs(rms_dbfs(sound) + 20.0) < 0.1
        level = frame_dbfs(sound, SPEC)
        loud = level > level.max() - 25.0
        assert 0.3 < loud.mean() < 0.98
        starts = np.count_nonzero(loud[1:] & ~loud[:-1]) / 10.0
        assert 1.0 < starts < 10.0, "syllables per second"


def test_most_of_it_is_voiced_and_the_rest_hisses() -> None:
    """The centre of the spectrum is low in vowels and high in fricatives."""
    for sound in voices(4):
        rows = np.exp(log_mel(sound, SPEC).astype(np.float64))
        loud = rows.sum(axis=1) > 0.1 * rows.sum(axis=1).max()
        centre = (rows[loud] * np.arange(SPEC.n_mels)).sum(axis=1) / rows[loud].sum(axis=1)
        assert 0.4 < np.mean(centre < 32) < 0.99
        assert np.any(centre > 45)


def test_voices_differ_and_each_is_always_the_same() -> None:
    one, other = (babble(np.random.default_rng(seed), RATE_HZ) for seed in (1, 2))
    assert np.array_equal(one, babble(np.random.default_rng(1), RATE_HZ))
    assert not np.array_equal(one, other)
    assert np.isfinite(one).all()


def test_clips_are_made_once(tmp_path: Path) -> None:
    clips = babble_clips(tmp_path)
    assert len({clip.path for clip in clips}) == len({clip.source for clip in clips}) == len(clips)
    assert {clip.kind for clip in clips} == {"speech"}
    assert redistributable(clip.licence for clip in clips)
    times = [clip.path.stat().st_mtime_ns for clip in clips]
    sound = decode(clips[0].path, RATE_HZ)
    assert len(sound) == clips[0].duration_s * RATE_HZ
    assert babble_clips(tmp_path) == clips
    assert [clip.path.stat().st_mtime_ns for clip in clips] == times
