from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from aed_daemon.errors import AedError
from model_tools.data.clip import PARTS
from model_tools.data.speech import VOICES, speech_clips, synthesise, utterance
from model_tools.data.speech_text import TEXT

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@needs_espeak
def test_speech_is_written_once_and_goes_on(tmp_path: Path) -> None:
    counted: list[float] = []
    few = synthesise(tmp_path, "test", 0.004)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    more = synthesise(tmp_path, "test", 0.012, counted.append)
    assert 1 <= few < more == len(counted)
    assert sum(counted) >= 0.012 * 3_600
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    clips = speech_clips(tmp_path, "test")
    assert len(clips) == more
    assert speech_clips(tmp_path, "training") == []
    for clip in clips:
        samples, rate = soundfile.read(clip.path)
        assert rate == 22_050
        assert soundfile.info(clip.path).subtype == "PCM_16"
        assert clip.duration_s == pytest.approx(len(samples) / rate)
        assert np.sqrt(np.mean(samples**2)) > 1e-3
        assert (clip.kind, clip.part, clip.collection) == ("speech", "test", "espeak-ng")
    assert len({clip.source for clip in clips}) > 1


@needs_espeak
def test_the_same_seed_says_the_same(tmp_path: Path) -> None:
    for name in ("a", "b"):
        synthesise(tmp_path / name, "calibration", 0.003)
    one, other = (sorted((tmp_path / name).rglob("*.wav")) for name in ("a", "b"))
    assert [path.name for path in one] == [path.name for path in other]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


@needs_espeak
def test_espeak_knows_all_voices() -> None:
    def told(option: str) -> str:
        return subprocess.run(["espeak-ng", option], capture_output=True, text=True, check=True).stdout

    languages = {line.split()[1] for line in told("--voices").splitlines()[1:]}
    variants = {
        line.split("!v/")[1].split()[0] for line in told("--voices=variant").splitlines() if "!v/" in line
    }
    for voices in VOICES.values():
        assert set(voices.languages) <= languages
        assert {variant for variant in voices.variants if variant} <= variants


def test_no_voice_is_in_two_parts() -> None:
    for one, other in itertools.combinations(PARTS, 2):
        assert not set(VOICES[one].languages) & set(VOICES[other].languages)
        assert not set(VOICES[one].variants) & set(VOICES[other].variants)


def test_every_language_has_text_and_numbers() -> None:
    for voices in VOICES.values():
        assert {language.partition("-")[0] for language in voices.languages} <= set(TEXT)
    assert all(any("{}" in sentence for sentence in sentences) for sentences in TEXT.values())


def test_utterances_differ_in_voice_text_and_speed() -> None:
    said = [utterance("training", number) for number in range(60)]
    assert said == [utterance("training", number) for number in range(60)]
    assert len({voice for voice, _, _ in said}) > 40
    assert len({text for _, text, _ in said}) == 60
    speeds = [int(options[1]) for _, _, options in said]
    assert np.ptp(speeds) > 80
    assert {voice.partition("+")[0] for voice, _, _ in said} == set(VOICES["training"].languages)


def test_without_espeak_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AedError, match=r"expected espeak-ng.*apt-get install espeak-ng"):
        synthesise(tmp_path, "test", 0.01)


@needs_espeak
def test_a_voice_that_crashes_is_replaced_and_one_that_always_does_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("espeak-ng")
    fake = tmp_path / "bin" / "espeak-ng"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\n[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; exit 139; }}\nexec {real} "$@"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    synthesise(tmp_path, "test", 0.001)
    (clip,) = speech_clips(tmp_path, "test")
    assert clip.path.stem == f"00000-{utterance('test', 0, 1)[0]}"
    fake.write_text("#!/bin/sh\necho no such voice >&2\nexit 1\n")
    with pytest.raises(AedError, match="did not speak: got no such voice"):
        synthesise(tmp_path, "calibration", 0.001)
    assert list(tmp_path.rglob(".speech-*")) == []
