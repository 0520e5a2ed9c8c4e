from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aed_daemon.config import DetectionConfig
from aed_daemon.errors import AudioError, ModelError
from aed_daemon.inference import available_engines, load_classifier
from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.data.clip import Clip
from model_tools.evaluation.listening import Engine, Listeners, of_samples
from model_tools.evaluation.streams import BETWEEN_S, recorded, synthesised
from model_tools.evaluation.trace import record
from tests.model_tools.evaluation.test_trace import bursts

EAGER = DetectionConfig.model_validate({"defaults": {"threshold_on": 0.02, "threshold_off": 0.01}})


@pytest.mark.parametrize("engine", available_engines())
def test_another_process_hears_what_this_one_hears(engine: Engine) -> None:
    sounds = [bursts(15.0, seed) for seed in range(5)]
    streams = [of_samples(f"{i}", "bursts", sound, real=True) for i, sound in enumerate(sounds)]
    with Listeners(2, engine, EAGER) as listeners:
        assert listeners.engine(DEFAULT_MODEL) == (engine, engine == "tflite")
        heard = list(listeners.listen(DEFAULT_MODEL, streams))
    assert [h.stream.name for h in heard] == ["0", "1", "2", "3", "4"]
    classifier = load_classifier(engine=engine)
    for one, sound in zip(heard, sounds, strict=True):
        trace, events = record(classifier, EAGER, [sound])
        assert np.array_equal(one.trace.scores, trace.scores)
        assert np.array_equal(one.trace.rms_cdb, trace.rms_cdb)
        assert one.events == events
        assert one.hours == pytest.approx(15.0 / 3_600)
    assert sum(len(one.events) for one in heard) > 0


def test_what_cannot_be_heard_is_told_with_its_place(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(b"RIFF nothing")
    with Listeners(1) as listeners:
        with pytest.raises(ModelError, match="no such manifest"):
            listeners.engine(tmp_path / "no.tflite")
        with pytest.raises(AudioError, match=r"damaged\.wav"):
            list(listeners.listen(DEFAULT_MODEL, recorded([Clip(damaged, "", 0, "x", "c")])))


def test_short_recordings_are_strung_together_and_the_quiet_between_is_not_counted(tmp_path: Path) -> None:
    import soundfile

    clips = []
    for number in range(4):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.full(8_000, 0.1), 16_000)
        collection = "debian:a" if number < 3 else "espeak-ng"
        clips.append(Clip(path, "", 0, path.stem, collection, kind="speech", duration_s=0.5))
    real, synthetic = recorded(clips)
    assert (real.real, synthetic.real, real.kind) == (True, False, "speech")
    assert sum(len(block) for block in real.blocks()) == 16_000 * (3 * 0.5 + 4 * BETWEEN_S)
    assert real.filler_s == 4 * BETWEEN_S
    assert real.place(2.6) == "debian:a/1.wav 0.1 s"
    with Listeners(1) as listeners:
        (heard, _) = listeners.listen(DEFAULT_MODEL, [real, synthetic])
    assert heard.hours == pytest.approx(1.5 / 3_600)
    assert len(heard.trace.scores) > 0


def test_long_recordings_make_streams_of_their_own() -> None:
    clips = [
        Clip(Path(f"{i}.ogg"), "", 0, str(i), "debian:a", kind="music", duration_s=length)
        for i, length in enumerate([400.0, 150.0, 100.0, 1_800.0, 20.0])
    ]
    assert [len(stream.marks) for stream in recorded(clips)] == [2, 1, 1, 1]


def test_hours_of_synthesised_sound_have_as_many_minutes_and_never_the_same_twice() -> None:
    streams = synthesised("calibration", 0.5, ("hum",))
    assert [stream.name for stream in streams] == ["hum calibration 0", "hum calibration 1"]
    sounds = [np.concatenate(list(stream.blocks())) for stream in streams]
    assert sum(len(sound) for sound in sounds) == 30 * 60 * 16_000
    assert not np.array_equal(sounds[0][:16_000], sounds[1][:16_000])
    (test,) = synthesised("test", 1 / 60, ("hum",))
    assert not np.array_equal(np.concatenate(list(test.blocks()))[:16_000], sounds[0][:16_000])
