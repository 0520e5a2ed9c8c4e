"""What a history says of a class: the last network under its last rule, and labels by strength."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aed_daemon.history.archive import Archive
from aed_daemon.history.rows import Counts
from aed_daemon.history.tally import Strength
from aed_daemon.tuning.evidence import gather
from tests.history.parts import START_TS, end_of, event, hour, near_miss, written
from tests.tuning.parts import at

NEXT = 1_795_395_600 + 3_600


def found(counts: Counts) -> list[int]:
    return [int(step) for step in np.flatnonzero(counts)]


def test_only_the_last_network_and_rule_count(tmp_path: Path) -> None:
    path = written(
        tmp_path / "history.db",
        hours=[
            hour(strengths=at(100)),
            hour(hour_ts=NEXT, strengths=at(110), on_steps=140),
            hour(rule='{"off_steps":60}', strengths=at(120), heard_s=60.0),
            hour(model_sha256="1" * 64, strengths=at(130), heard_s=120.0),
            hour(engine="tflite", strengths=at(140), heard_s=240.0),
            hour(hour_ts=NEXT, source="yard", strengths=at(150), on_steps=140),
            hour(hour_ts=NEXT, class_="rain", strengths=at(160)),
        ],
    )
    dog, rain = gather(Archive(path))
    assert (dog.class_, dog.on_steps, dog.off_steps) == ("dog", 140, 77)
    assert (dog.heard_s, dog.left_out_s) == (3 * 3_600.0, 420.0)
    assert found(dog.excursions) == [100, 110, 150]
    assert found(rain.excursions) == [160]
    (porch,) = gather(Archive(path), classes=["dog"], sources=["porch"])
    assert found(porch.excursions) == [100, 110]
    (later,) = gather(Archive(path), since_ts=NEXT + 5.0, classes=["dog"])
    assert found(later.excursions) == [110, 150]


def test_labels_count_by_strength(tmp_path: Path) -> None:
    sounds = [event(10.0 * n, engine="litert") for n in range(4)]
    other = event(50.0, engine="tflite")
    near = near_miss(60.0, strength=100 / 256)
    path = written(
        tmp_path / "history.db",
        events=[*sounds, *(end_of(one) for one in sounds), other],
        strengths=[
            Strength("porch", "dog", one.start_sample, (200 + n) / 256) for n, one in enumerate(sounds[:3])
        ],
        near_misses=[near],
        hours=[hour()],
    )
    archive = Archive(path)
    for one in (sounds[0].id, sounds[2].id, other.id, near.id):
        archive.label(one, "right")
    for one in (sounds[1].id, sounds[3].id):
        archive.label(one, "wrong")
    (dog,) = gather(archive)
    assert found(dog.right) == [100, 200, 202]
    assert found(dog.wrong) == [128, 201], "of unknown strength, it reached the threshold at least"


def test_what_was_missed_is_looked_for_among_what_came_near(tmp_path: Path) -> None:
    near = [near_miss(0.0, strength=90 / 256), near_miss(2.0, strength=110 / 256), near_miss(50.0)]
    archive = Archive(written(tmp_path / "history.db", near_misses=near, hours=[hour()]))
    archive.missed("dog", START_TS + 1.0, source="porch")
    archive.missed("dog", START_TS + 30.0)
    archive.missed("rain", START_TS + 50.0)
    (dog,) = gather(archive)
    assert found(dog.missed) == [0, 110]
    assert (dog.true_sounds(), int(dog.missed[0])) == (2, 1)
