"""The measurement of clips: it sees a clip that is not where it says, and its record keeps the limit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.clips_onset import EVENTS, LIMIT_MS, RATE_HZ, WEB, examine, make_track, place_of
from tests.clips.rooms import room


def test_samples_are_found_by_what_they_are_and_only_whole() -> None:
    heard = np.random.default_rng(1).integers(-500, 500, 20_000).astype(np.int16)
    heard[10_000:10_300] = heard[2_000:2_300]  # what is looked for occurs twice
    clip = heard[9_000:12_000].copy()
    assert place_of(clip, 1_000, heard) == 9_000
    clip[-1] += 1
    assert place_of(clip, 1_000, heard) is None


@pytest.mark.parametrize("wrong_by", [0, 1, 240])
def test_a_clip_that_lies_about_its_place_is_seen(tmp_path: Path, wrong_by: int) -> None:
    track = make_track(tmp_path / "track.wav", 2, RATE_HZ, 3, 0.0)
    with room(tmp_path / "clips", pre_s=1.0) as at:
        at.hear(track.heard)
    event = at.ended()[-1]
    path = at.path(event)
    facts = json.loads(path.with_suffix(".json").read_text())
    facts["first_sample"] += wrong_by
    path.with_suffix(".json").write_text(json.dumps(facts))
    found = examine(event, path, track)
    assert found.placed_ms == wrong_by / 16
    assert (found.onset_ms <= LIMIT_MS) == (wrong_by < 100)


def test_the_record_keeps_the_limit() -> None:
    found = json.loads(WEB.read_text())
    details = found["details"]["clip_onset_error_ms_max"]
    assert found["clip_onset_error_ms_max"] <= LIMIT_MS
    assert details["events"] >= EVENTS
    assert details["placed_ms_max"] == 0
