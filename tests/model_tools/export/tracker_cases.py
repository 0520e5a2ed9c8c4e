"""Rules, levels, scores and samples for the tests of the tracker in C."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from aed_daemon.level import LevelFrames, LevelStream
from model_tools.export.rules_c import TrackerRules
from tests.golden.tracker.make import CASES, LOUD, PLAIN
from tests.golden.tracker.make import FOLDER as GOLDEN
from tests.model_tools.export.tracker_script import Script, rules_of

NEAR_THE_WRAP = 2**32 - 1_500
RULES = {
    **{
        name: rules_of(
            case["rules"], case["loud"], hop_frames=case["hop_frames"], update_frames=case["update_frames"]
        )
        for name, case in CASES.items()
    },
    # Ends at once, starts again at once; scores below 0.
    "nervous": rules_of(
        [
            {**PLAIN, "on_steps": 20, "off_steps": 10, "end_after_frames": 48, "smoothing_hops": 2},
            {**PLAIN, "on_steps": 30, "off_steps": 30, "end_after_frames": 0, "smoothing_hops": 5},
            {**PLAIN, "on_steps": 1, "off_steps": 1, "min_duration_frames": 30, "cooldown_frames": 40,
             "confirm_hops": 3},
        ],
        {**LOUD, "snr_cdb": 300, "hysteresis_cdb": 0, "min_duration_frames": 1, "end_after_frames": 1,
         "cooldown_frames": 3, "min_level_cdb": -12_000},
        hop_frames=48, update_frames=100, zero_point=-20, gate_cdb=(-3_000, -5_000),
    ),
}  # fmt: skip


def golden(name: str, frame: int = 0) -> Script:
    case = json.loads((GOLDEN / name / "input.json").read_text())
    script = Script(RULES[name], frame)
    given_cdb = np.array(case["rms_cdb"], np.int32)
    for scores in case["scores"]:
        rms, given_cdb = given_cdb[: script.needed], given_cdb[script.needed :]
        script.levels(LevelFrames(rms, rms + 300, rms > -900))
        script.hop(scores)
    script.finish("shutdown")
    script.lost(0)
    return script


def events_of(rows: list[Any]) -> list[Any]:
    return [row for row in rows if row[0] in ("start", "update", "end")]


Runs = list[tuple[int, int, bool]]
"""Levels as (frames, level, whether they clip), again and again."""

Hops = list[tuple[list[int] | None, tuple[str, int | None] | None]]
"""Scores of each hop, and a finish after it: its reason, and the first frame of a reset, if any."""

QUIET = -6_000
RISES = (-6_000, -601, -600, -1, 0, 1, 599, 600, 601, 1_999, 2_000, 2_001, 2_599, 2_600, 4_000, 4_001, 4_600)
"""Where rules change their mind, over the quiet level."""

runs_of_levels = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([QUIET + rise for rise in RISES]), st.booleans()),
    min_size=1,
    max_size=30,
)
finishes = st.tuples(
    st.sampled_from(["gap", "listening_off"]), st.sampled_from([None, 0, 2**31 - 10, NEAR_THE_WRAP])
)


def scores_of(rules: TrackerRules) -> st.SearchStrategy[list[int]]:
    """Return scores around the thresholds."""
    near = [
        [
            -128,
            127,
            *(
                rules.zero_point + steps + off
                for steps in (rule.on_steps, rule.off_steps)
                for off in (-1, 0, 1)
            ),
        ]
        for rule in rules.classes
    ]
    return st.tuples(*(st.sampled_from(choices) for choices in near)).map(list)


def hops_of(rules: TrackerRules) -> st.SearchStrategy[Hops]:
    """Return hops, of which some are gated and few end in a finish."""
    scores = st.one_of(st.none(), *[scores_of(rules)] * 4)
    return st.lists(st.tuples(scores, st.one_of(*[st.none()] * 5, finishes)), min_size=1, max_size=50)


def scripted(rules: TrackerRules, frame: int, runs: Runs, hops: Hops) -> Script:
    script = Script(rules, frame)
    levels = np.concatenate([np.full(frames, level, np.int32) for frames, level, _ in runs])
    clips = np.concatenate([np.full(frames, clipped) for frames, _, clipped in runs])
    at = 0
    for scores, finish in hops:
        places = np.arange(at, at + script.needed) % len(levels)
        at += len(places)
        script.levels(
            LevelFrames(levels[places], levels[places] + places.astype(np.int32) % 7, clips[places])
        )
        script.hop(scores)
        if finish:
            script.finish(finish[0])
            if finish[1] is not None:
                script.reset(finish[1])
    script.finish("end_of_input")
    script.lost(0)
    return script


def bursts(rules: TrackerRules, seed: int, hops: int = 400) -> Script:
    """Return sounds that come and go, with pauses, over music and over silence."""
    rng = np.random.default_rng(seed)
    runs: Runs = []
    for _ in range(300):
        base = int(rng.choice([-11_900, QUIET, -3_500]))
        runs += [(int(rng.integers(1, 90)), base, False), (int(rng.integers(1, 30)), base + 2_700, True)]
    made: Hops = []
    while len(made) < hops:
        heard = rng.random(len(rules.classes)) < 0.5
        for _ in range(int(rng.integers(1, 9))):
            scores = np.where(heard, rng.integers(40, 128, len(heard)), rng.integers(-128, 40, len(heard)))
            finish = (str(rng.choice(["gap", "device_lost"])), 77) if rng.random() < 0.004 else None
            made.append((scores.tolist(), finish))
    return scripted(rules, NEAR_THE_WRAP, runs, made)


def int16(samples: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.asarray(np.clip(np.rint(samples * 32_768), -32_768, 32_767), np.int16)


def noises() -> NDArray[np.int16]:
    rng = np.random.default_rng(3)
    pieces = [rng.standard_normal(3_200) * 10.0 ** (level / 20) for level in range(-100, 1, 4)]
    time_s = np.arange(3_200) / 16_000
    pieces += [
        10.0 ** (level / 20) * np.sin(2 * np.pi * hz * time_s)
        for level in (-90, -60, -20, 0)
        for hz in (50, 997, 7_000)
    ]
    return int16(np.concatenate(pieces))


def sounds(seconds: int) -> NDArray[np.int16]:
    """Return tones and noise that come and go, first out of silence."""
    rng = np.random.default_rng(8)
    samples = rng.standard_normal(16_000 * seconds) * 1e-4
    for at_s in range(4, seconds - 1, 2):
        part = samples[int(16_000 * (at_s + rng.uniform(0, 0.5))) :][: rng.integers(2_000, 20_000)]
        part += rng.uniform(0.05, 0.5) * np.sin(
            2 * np.pi * rng.uniform(200, 6_000) * np.arange(len(part)) / 16_000
        )
        part += rng.standard_normal(len(part)) * rng.uniform(0, 0.2)
    return int16(samples)


def levels_of(samples: NDArray[np.int16]) -> LevelFrames:
    return LevelStream(160).push(samples.astype(np.float32) / np.float32(32_768))


def recorded(rules: TrackerRules) -> Script:
    script = bursts(rules, 5)
    script.reset(0)
    rng = np.random.default_rng(6)
    samples = np.concatenate([noises()[:16_000], rng.integers(-32_768, 32_768, 16_000).astype(np.int16)])
    script.pcm(samples, levels_of(samples))
    script.finish(None)
    return script
