"""Writes what sed_eval and psds_eval say of random events: `python -m tests.golden.events.make`.

Both are old and no dependency of this project; where they are installed (sed_eval 0.2.1, psds_eval 0.5.3,
pandas below 2.1, which psds_eval needs), a test compares with sed_eval itself too.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from model_tools.evaluation.events import Event

FOLDER = Path(__file__).parent
SLUGS = ("dog", "rain", "rooster")
SCENE_S, SOUNDING_S = 600.0, 60.0
POINTS = 6
CASES = {"sparse": (0, 4, 3), "busy": (1, 25, 4), "crowded": (2, 60, 2), "silent": (3, 6, 3)}
"""Seed, events per scene, scenes."""


def random_events(seed: int, count: int, scenes: int) -> tuple[list[Event], list[list[Event]]]:
    """Return true events, and the answers at a number of thresholds, fewer from one to the next.

    Those of a class in a scene do not overlap: psds_eval refuses them otherwise. Answers are shifted and
    stretched copies, some missing, some of another class, some out of nowhere.
    """
    rng = np.random.default_rng(seed)
    there, answers = [], []
    for scene in range(scenes):
        onsets = np.sort(rng.uniform(0.0, SOUNDING_S, count))
        lengths = rng.uniform(0.2, 5.0, count)
        for onset, length in zip(onsets, lengths, strict=True):
            slug = str(rng.choice(SLUGS))
            there.append(Event(scene, slug, float(onset), float(onset + length)))
            if seed == 3:
                continue
            if rng.random() < 0.8:
                said = slug if rng.random() < 0.85 else str(rng.choice(SLUGS))
                begin = max(0.0, onset + rng.normal(0.0, 0.4))
                answers.append(Event(scene, said, begin, begin + length * rng.uniform(0.5, 1.5) + 0.05))
            if rng.random() < 0.2:
                begin = float(rng.uniform(0.0, SOUNDING_S))
                answers.append(Event(scene, str(rng.choice(SLUGS)), begin, begin + rng.uniform(0.1, 3.0)))
    strength = rng.uniform(0.0, 1.0, len(answers))
    points = [
        _apart([a for a, s in zip(answers, strength, strict=True) if s >= share])
        for share in np.linspace(0.0, 0.9, POINTS)
    ]
    # psds_eval leaves out a point that equals another.
    return _apart(there), [point for i, point in enumerate(points) if point not in points[:i]] or [[]]


def _apart(events: list[Event]) -> list[Event]:
    """Return the events without those that begin before an earlier one of their class has ended."""
    kept: list[Event] = []
    ends: dict[tuple[int, str], float] = {}
    for event in sorted(events, key=lambda e: (e.scene, e.onset_s)):
        if event.onset_s > ends.get((event.scene, event.slug), -1.0):
            kept.append(event)
            ends[event.scene, event.slug] = event.offset_s
    return kept


def sed_eval_counts(there: list[Event], found: list[Event], *, offsets: bool) -> dict[str, Any]:
    """Return what sed_eval makes of it, with a collar of 0.5 s and half the length for offsets."""
    sed_eval = import_module("sed_eval")

    metrics = sed_eval.sound_event.EventBasedMetrics(
        event_label_list=list(SLUGS),
        t_collar=0.5,
        percentage_of_length=0.5,
        evaluate_offset=offsets,
        event_matching_type="optimal",
        empty_system_output_handling="zero_score",
    )
    for scene in sorted({event.scene for event in there}):
        metrics.evaluate(_listed(there, scene), _listed(found, scene))
    counts = {slug: [int(metrics.class_wise[slug][key]) for key in ("Nref", "Nsys", "Ntp")] for slug in SLUGS}
    f1 = {slug: metrics.class_wise_f_measure(slug)["f_measure"] for slug in SLUGS}
    return {
        "counts": counts,
        "f1": f1,
        "f1_macro": metrics.results_class_wise_average_metrics()["f_measure"]["f_measure"],
    }


def _listed(events: list[Event], scene: int) -> list[dict[str, Any]]:
    return [
        {"event_label": event.slug, "event_onset": event.onset_s, "event_offset": event.offset_s}
        for event in events
        if event.scene == scene
    ]


def psds_eval_score(there: list[Event], points: list[list[Event]], scenes: int) -> dict[str, Any]:
    """Return what psds_eval makes of it, with the parameters of the design notes."""
    pd, psds_eval = import_module("pandas"), import_module("psds_eval")

    def table(events: list[Event]) -> Any:
        rows = [[str(e.scene), e.onset_s, e.offset_s, e.slug] for e in events]
        return pd.DataFrame(rows, columns=["filename", "onset", "offset", "event_label"])

    metadata = pd.DataFrame({"filename": [str(i) for i in range(scenes)], "duration": SCENE_S})
    evaluation = psds_eval.PSDSEval(0.7, 0.7, 0.0, ground_truth=table(there), metadata=metadata)
    for point in points:
        evaluation.add_operating_point(table(point))
    slugs = sorted(set(evaluation.class_names) - {"injected_psds_world_label"})
    rates = [
        {slug: [float(row.tpr[i]), float(row.fpr[i])] for i, slug in enumerate(slugs)}
        for row in evaluation.operating_points.itertuples()
    ]
    score = evaluation.psds(alpha_ct=0.0, alpha_st=0.0, max_efpr=100.0).value
    return {"rates": rates, "psds": float(score)}


def main() -> None:
    """Write all cases anew."""
    for name, (seed, count, scenes) in CASES.items():
        there, points = random_events(seed, count, scenes)
        expected: dict[str, Any] = {
            "onset": sed_eval_counts(there, points[0], offsets=False),
            "onset_offset": sed_eval_counts(there, points[0], offsets=True),
        }
        if points[0]:
            expected["psds"] = psds_eval_score(there, points, scenes)
        folder = FOLDER / name
        folder.mkdir(exist_ok=True)
        (folder / "input.json").write_text(
            json.dumps({"scenes": scenes, "there": there, "points": points}) + "\n"
        )
        (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
