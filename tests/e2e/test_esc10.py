"""The shipped recipe on real recordings: the network that left fold 5 out, on fold 5."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.audio.file import decode
from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.inference import load_classifier
from aed_daemon.tracker import TrackEvent
from tests.process import aed
from tests.recordings import DATA_DIR, esc10

pytestmark = pytest.mark.data

HELD_OUT = 5
NETWORK = Path(__file__).parents[2] / "evaluation" / "distilled" / f"fold{HELD_OUT}-seed1.tflite"


def detect(samples: NDArray[np.float32]) -> list[TrackEvent]:
    detector = Detector(load_classifier(NETWORK), DetectionConfig())
    return [e for decision in detector.push(samples) for e in decision.events] + detector.finish(
        "end_of_input"
    )


def active_frames(samples: NDArray[np.float32]) -> tuple[int, int]:
    """Return the first 10 ms frame within 20 dB of the clip's peak level, and the one after the last."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(np.float64)
    level_db = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
    active = np.flatnonzero(level_db >= level_db.max() - 20)
    return int(active[0]), int(active[-1]) + 1


def test_the_network_has_not_seen_this_fold() -> None:
    assert load_classifier(NETWORK).manifest.provenance.held_out == f"ESC-10 fold {HELD_OUT}"


def test_a_dog_bark_is_replayed_as_a_start_and_an_end() -> None:
    esc10(1)
    done = aed("replay", DATA_DIR / "esc10" / "001 - Dog bark" / "1-100032-A.ogg", "--json")
    assert done.returncode == 0
    found = [json.loads(line) for line in done.stdout.splitlines()]
    dogs = [(event["type"], event["id"]) for event in found if event["class"] == "dog"]
    assert [kind for kind, _ in dogs if kind != "update"] == ["start", "end"]
    assert len({identity for _, identity in dogs}) == 1


def test_three_quarters_of_the_held_out_clips_start_the_right_class() -> None:
    clips = esc10(HELD_OUT)
    assert len(clips) == 80
    right = sum(any(e.slug == slug for e in detect(decode(path, 16_000))) for slug, path in clips)
    assert right / len(clips) >= 0.75, f"{right} of {len(clips)} clips"


def test_onsets_and_offsets_are_right_on_soundscapes() -> None:
    """Held-out clips at 20 dB SNR in noise, at random places; errors in frames of 10 ms."""
    onsets, offsets = [], []
    for number, (slug, path) in enumerate(esc10(HELD_OUT)):
        rng = np.random.default_rng(number)
        clip = decode(path, 16_000)
        first, last = active_frames(clip)
        clip *= 10 ** (-25 / 20) / np.sqrt((clip[first * 160 : last * 160] ** 2).mean())
        lead = int(rng.integers(20_000, 40_000))
        scene = np.concatenate([np.zeros(lead), clip, np.zeros(32_000)])
        scene += rng.standard_normal(len(scene)) * 10 ** (-45 / 20)
        ends = [e for e in detect(scene.astype(np.float32)) if e.slug == slug and e.type == "end"]
        if ends and ends[-1].end_frame is not None:
            onsets.append(abs(ends[0].start_frame - lead / 160 - first))
            offsets.append(abs(ends[-1].end_frame - lead / 160 - last))
    assert len(onsets) >= 60
    assert np.median(onsets) <= 10
    assert np.median(offsets) <= 10


def test_decoding_is_the_same_for_training_and_listening(tmp_path: Path) -> None:
    """`decode`, which training uses, gives the very samples that a reader puts into the ring."""
    from aed_daemon.audio.file import FileSource
    from aed_daemon.audio.reader import CaptureReader
    from aed_daemon.audio.ring import Stretch

    _, path = esc10(HELD_OUT)[0]
    reader = CaptureReader(lambda: FileSource(path, speed=None), rate_hz=16_000, retry=False)
    reader.start()
    parts = []
    while reader.ring.wait(reader.ring.read_index + 1) == "ready":
        piece = reader.ring.read(16_000)
        assert isinstance(piece, Stretch)
        parts.append(piece.samples)
    assert np.array_equal(np.concatenate(parts), decode(path, 16_000))
