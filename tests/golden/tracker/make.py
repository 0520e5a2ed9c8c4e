"""Writes the golden cases of the trackers: `python -m tests.golden.tracker.make`.

Only for a new case, or for a change of the rules that is meant: what firmware generates is held to
these files, so a difference in them is a change of the contract, to be told in CHANGELOG.md.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from aed_daemon.level import LevelFrames
from aed_daemon.loud import LoudTracker
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import ClassRule, LoudRule
from aed_daemon.tracker import Hop, Tracker

FOLDER = Path(__file__).parent
PATCH_FRAMES, HISTORY_FRAMES = 97, 288

PLAIN: dict[str, Any] = {
    "on_steps": 150, "off_steps": 90, "smoothing_hops": 1, "confirm_hops": 1, "min_duration_frames": 0,
    "cooldown_frames": 0, "end_after_frames": 100,
}  # fmt: skip
LOUD = {
    "snr_cdb": 2_000, "hysteresis_cdb": 600, "min_level_cdb": -5_000, "min_duration_frames": 5,
    "end_after_frames": 100, "cooldown_frames": 0,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "instant": {"rules": [PLAIN, PLAIN], "loud": LOUD, "hop_frames": 24, "update_frames": 500},
    "confirm_and_smooth": {
        "rules": [
            {**PLAIN, "smoothing_hops": 3, "confirm_hops": 2},
            {**PLAIN, "confirm_hops": 4, "min_duration_frames": 80},
        ],
        "loud": {**LOUD, "min_duration_frames": 20, "cooldown_frames": 300},
        "hop_frames": 8,
        "update_frames": 200,
    },
    "cooldown_and_long_hop": {
        "rules": [{**PLAIN, "cooldown_frames": 400, "end_after_frames": 30}, PLAIN],
        "loud": None,
        "hop_frames": 96,
        "update_frames": 300,
    },
}


def stimulus(seed: int, hop_frames: int) -> tuple[list[list[int]], list[int]]:
    """Return scores int8 (hops, 2) and levels in 0.01 dBFS of 40 s with sounds that come and go."""
    rng = np.random.default_rng(seed)
    frames = 4_000
    level = -6_000 + rng.integers(-200, 200, frames)
    strength = np.zeros((frames, 2))
    for _ in range(14):
        at, length, which = rng.integers(0, frames), rng.integers(5, 400), rng.integers(0, 2)
        level[at : at + length] = rng.integers(-4_500, -800) + rng.integers(
            -500, 500, len(level[at : at + length])
        )
        strength[at : at + length, which] = rng.uniform(0.4, 1.0)
    hops = range(0, frames - PATCH_FRAMES, hop_frames)
    heard = [strength[first : first + PATCH_FRAMES].max(axis=0) for first in hops]
    noisy = np.clip(np.array(heard) * 255 - 128 + rng.integers(-25, 25, (len(heard), 2)), -128, 127)
    return noisy.astype(int).tolist(), level.tolist()


def play(case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events that the trackers make of a case, as JSON knows them."""
    levels = LevelHistory(HISTORY_FRAMES)
    rules = [
        ClassRule(slug=f"class_{index}", label=f"Class {index}", index=index, **rule)
        for index, rule in enumerate(case["rules"])
    ]
    tracker = Tracker(rules, levels, -128, case["update_frames"])
    tracker.tracks = count()
    loud = LoudTracker(LoudRule(**case["loud"]) if case["loud"] else None, levels, tracker.tracks)
    events = []
    for number, scores in enumerate(case["scores"]):
        first = number * case["hop_frames"]
        rms = np.array(case["rms_cdb"][levels.end : first + PATCH_FRAMES], np.int32)
        events += loud.push(LevelFrames(rms, rms + 300, rms > -900))
        events += tracker.push(Hop(first, first + PATCH_FRAMES, np.array(scores, np.int8)))
    events += loud.finish("shutdown") + tracker.finish("shutdown")
    return [{**event._asdict(), "sound": event.sound._asdict()} for event in events]


def main() -> None:
    """Write all cases anew."""
    for seed, (name, settings) in enumerate(CASES.items()):
        scores, rms_cdb = stimulus(seed, settings["hop_frames"])
        case = {**settings, "scores": scores, "rms_cdb": rms_cdb}
        folder = FOLDER / name
        folder.mkdir(exist_ok=True)
        (folder / "input.json").write_text(json.dumps(case) + "\n")
        (folder / "events.json").write_text(json.dumps(play(case), indent=1) + "\n")


if __name__ == "__main__":
    main()
