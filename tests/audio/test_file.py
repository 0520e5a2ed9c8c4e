"""Reading recordings: whole, cut short, damaged, absent; paced and unpaced."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.audio.condition import Conditioner
from aed_daemon.audio.file import AudioFile, FileSource, decode
from aed_daemon.audio.resample import Resampler
from aed_daemon.errors import AudioError

KINDS = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS"}


def noise(samples: int, channels: int = 1, seed: int = 0) -> NDArray[np.float32]:
    return np.asarray(
        np.random.default_rng(seed).uniform(-0.5, 0.5, (samples, channels)).round(3), np.float32
    )


@pytest.fixture(params=KINDS)
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"clip.{request.param}"
    soundfile.write(path, noise(3 * 44_100, 2), 44_100, subtype=KINDS[request.param])
    return path


def read_all(source: FileSource) -> tuple[NDArray[np.float32], AudioError | None]:
    parts = [np.empty((0, 1), np.float32)]
    try:
        form = source.open()
        parts = [np.empty((0, form.channels), np.float32)]
        while block := source.read():
            assert block.first_sample == sum(map(len, parts))
            assert not block.gap_before
            parts.append(block.samples)
    except AudioError as error:
        return np.concatenate(parts), error
    finally:
        source.close()
    return np.concatenate(parts), None


def test_a_source_delivers_what_the_file_holds(recording: Path) -> None:
    got, error = read_all(FileSource(recording, speed=None))
    assert error is None
    expected, _ = soundfile.read(recording, dtype="float32", always_2d=True)
    np.testing.assert_array_equal(got, expected)


def test_the_length_of_a_file_is_known_before_it_is_read(recording: Path) -> None:
    with AudioFile(recording) as file:
        assert file.duration_s == 3.0


def test_decode_is_the_live_path_in_one_piece(recording: Path) -> None:
    raw, _ = soundfile.read(recording, dtype="float32", always_2d=True)
    conditioner, resampler = Conditioner(44_100), Resampler(44_100, 16_000)
    expected = np.concatenate([resampler.push(conditioner.push(raw)), resampler.flush()])
    got = decode(recording, 16_000)
    assert got.dtype == np.float32
    assert len(got) == 48_000
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("fraction", [0.999, 0.7, 0.3])
def test_a_file_that_was_cut_short_gives_all_it_has_and_then_an_error(
    recording: Path, fraction: float
) -> None:
    whole, _ = soundfile.read(recording, dtype="float32", always_2d=True)
    data = recording.read_bytes()
    recording.write_bytes(data[: int(len(data) * fraction)])
    got, error = read_all(FileSource(recording, speed=None))
    assert error is not None
    assert error.exit_code == 4
    assert error.where == str(recording)
    assert error.expected
    assert error.got
    assert error.hint
    np.testing.assert_array_equal(got, whole[: len(got)])
    # Formats lose at most the block or page in which the cut lies.
    granularity = {".wav": 1, ".flac": 4_608, ".ogg": 32_768}[recording.suffix]
    assert len(got) >= int(len(whole) * fraction) - granularity - 100
    with pytest.raises(AudioError, match="cut short"):
        decode(recording, 16_000)


def test_a_damaged_flac_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    soundfile.write(path, noise(100_000), 16_000, subtype="PCM_16")
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4_000] = bytes(4_000)
    path.write_bytes(data)
    got, error = read_all(FileSource(path, speed=None))
    assert error is not None
    assert len(got) > 40_000
    np.testing.assert_array_equal(got, whole[: len(got)])


def test_a_wav_that_was_streamed_needs_no_length(tmp_path: Path) -> None:
    path = tmp_path / "pipe.wav"
    soundfile.write(path, noise(1_000), 16_000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    got, error = read_all(FileSource(path, speed=None))
    assert error is None
    assert len(got) == 1_000


def test_what_is_no_audio_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound\n" * 100)
    (tmp_path / "header.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    (tmp_path / "page.ogg").write_bytes(b"OggS")
    os.mkfifo(tmp_path / "fifo.wav")
    for path, got in {
        tmp_path / "empty.wav": "empty",
        tmp_path / "text.wav": "recogni",
        tmp_path / "header.wav": "end of the file",
        tmp_path / "page.ogg": "end of the file",
        tmp_path / "absent.wav": "nothing",
        tmp_path: "directory",
        tmp_path / "fifo.wav": "pipe",
    }.items():
        for attempt in (lambda path=path: decode(path, 16_000), FileSource(path).open):
            with pytest.raises(AudioError) as caught:
                attempt()
            assert str(path) in str(caught.value)
            assert got in str(caught.value)
            assert caught.value.hint


def test_a_file_without_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.wav"
    soundfile.write(path, noise(10), 16_000)

    def refuse(*_: object) -> None:  # permissions do not bind the superuser, who may run the tests
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match="Permission denied"):
        decode(path, 16_000)


@pytest.mark.parametrize("rate", [4_000, 400_000])
def test_a_rate_out_of_range_is_refused(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, noise(100), rate)
    with pytest.raises(AudioError, match="8000 to 192000 Hz"):
        decode(path, 16_000)


def test_a_file_without_samples_is_an_end_not_an_error(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    soundfile.write(path, np.empty((0, 1), np.float32), 16_000)
    assert len(decode(path, 16_000)) == 0
    got, error = read_all(FileSource(path, speed=None, loop=True))
    assert (len(got), error) == (0, None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    position=st.integers(0, 60),
    value=st.binary(min_size=1, max_size=8),
    keep=st.integers(0, 300),
)
def test_a_mangled_wav_gives_samples_or_one_clear_error(
    tmp_path: Path, position: int, value: bytes, keep: int
) -> None:
    good = tmp_path / "good.wav"
    if not good.exists():
        soundfile.write(good, noise(120, 2), 16_000, subtype="PCM_16")
    data = bytearray(good.read_bytes())
    data[position : position + len(value)] = value
    path = tmp_path / "mangled.wav"
    path.write_bytes(data[: len(data) - keep])
    got, error = read_all(FileSource(path, speed=None))
    assert np.isfinite(got).all()
    if error is not None:
        assert str(path) in str(error)
        assert "\n" not in str(error)


def test_pacing_follows_the_clock_and_does_not_drift(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(8_000), 16_000)
    source = FileSource(path, speed=1.0, origin_s=1_000.0)
    source.open()
    start = time.monotonic()
    ends = []
    while block := source.read():
        end_s = (block.first_sample + len(block.samples)) / 16_000
        ends.append(time.monotonic() - start - end_s)
        assert block.wall_time_s == 1_000.0 + end_s
    assert len(ends) == 25
    assert min(ends) > -0.005  # never early
    assert min(ends[-5:]) < 0.25  # on a loaded machine late now and then, but lateness does not add up


def test_loop_goes_on_with_the_index(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(1_000), 16_000, subtype="PCM_16")
    source = FileSource(path, loop=True, speed=None)
    source.open()
    blocks = [source.read() for _ in range(3)]
    assert [block and block.first_sample for block in blocks] == [0, 1_000, 2_000]
    source.close()
    assert source.read() is None


def test_close_wakes_a_paced_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(16_000), 16_000)
    source = FileSource(path, speed=0.001)
    source.open()
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(source.read()))
    thread.start()
    source.close()
    source.close()
    thread.join(5.0)
    assert not thread.is_alive()
    assert results == [None]


def test_a_source_closed_before_it_is_opened_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(16_000), 16_000)
    source = FileSource(path, speed=0.001)
    source.close()
    source.open()
    assert source.read() is None
