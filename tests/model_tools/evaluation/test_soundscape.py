from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model_tools.evaluation.soundscape import (
    LASTING,
    Background,
    Ingredient,
    SceneRecipe,
    Soundscape,
    active_frames,
    event_frames,
    soundscapes,
)

RATE = 16_000


def sound(*spans: tuple[float, float, float], seconds: float = 5.0) -> NDArray[np.float32]:
    """Return noise in spans of (begin, end, level) over silence."""
    rng = np.random.default_rng(3)
    samples = np.zeros(int(seconds * RATE))
    for begin, end, level in spans:
        part = slice(int(begin * RATE), int(end * RATE))
        samples[part] = level * rng.choice([-1.0, 1.0], part.stop - part.start)
    return samples.astype(np.float32)


def ingredients() -> list[Ingredient]:
    slugs = ("dog", "rain", "sneezing", "clock_tick", "rooster")
    spans = [(0.5, 1.0, 0.3), (0.0, 5.0, 0.1), (1.0, 1.2, 0.9), (0.2, 4.8, 0.02), (0.3, 2.0, 0.5)]
    return [
        Ingredient(slug, f"{slug}-{take}", sound(span))
        for take in range(3)
        for slug, span in zip(slugs, spans, strict=True)
    ]


def backgrounds() -> list[Background]:
    rng = np.random.default_rng(9)
    return [
        Background("noise", rng.standard_normal(RATE * 20).astype(np.float32)),
        Background("speech", sound((0.0, 2.0, 0.5), (3.0, 3.5, 0.1))),
        Background("speech", sound((1.0, 4.0, 0.05))),
    ]


def scenes(seed: int = 0, **recipe: object) -> list[Soundscape]:
    values = {"seconds": 30.0, **recipe}
    return list(soundscapes(ingredients(), backgrounds(), seed, SceneRecipe(**values)))  # type: ignore[arg-type]


def test_the_truth_is_the_first_and_last_frame_within_20_db() -> None:
    # 19 dB under the peak counts, 21 dB under does not.
    samples = sound((0.5, 1.0, 0.5 * 10 ** (-19 / 20)), (1.0, 1.5, 0.5), (1.5, 2.0, 0.5 * 10 ** (-21 / 20)))
    assert event_frames(samples, "dog") == (50, 150)
    assert active_frames(samples).sum() == 100
    assert not active_frames(np.zeros(RATE, np.float32)).any()


def test_of_single_sounds_the_loudest_stretch_is_the_event_and_a_lasting_sound_is_one() -> None:
    samples = sound((0.5, 0.6, 0.2), (1.6, 1.7, 0.3), (2.9, 3.2, 0.5))
    # 0.6 to 1.6 s is a pause of a second, still one sound; 1.7 to 2.9 s is more.
    assert event_frames(samples, "dog") == (290, 320)
    assert event_frames(samples, "clock_tick") == (50, 320)
    assert event_frames(sound((0.5, 0.6, 0.2), (1.6, 1.7, 0.3)), "dog") == (50, 170)


def test_a_silent_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="silent"):
        event_frames(np.zeros(RATE, np.float32), "dog")


def test_every_clip_is_heard_once_and_the_same_seed_gives_the_same_scenes() -> None:
    first, again, other = scenes(), scenes(), scenes(seed=1)
    assert sorted(t.clip for scene in first for t in scene.truths) == sorted(i.name for i in ingredients())
    assert all(
        np.array_equal(a.samples, b.samples) and a.truths == b.truths
        for a, b in zip(first, again, strict=True)
    )
    assert first[0].truths != other[0].truths
    assert {scene.kind for scene in first} == {"noise", "speech"}


def test_events_do_not_overlap_and_lie_at_least_a_pause_apart() -> None:
    for scene in scenes():
        assert np.abs(scene.samples).max() <= 1.0
        ends = [truth.offset_sample for truth in scene.truths]
        for end, truth in zip(ends, scene.truths[1:], strict=False):
            assert truth.onset_sample - end >= 2.0 * RATE
        assert ends[-1] + 2.0 * RATE < len(scene.samples)


def test_events_overlap_where_asked_but_never_two_of_a_class() -> None:
    overlapping = 0
    for scene in scenes(overlap_share=1.0):
        for one, other in zip(scene.truths, scene.truths[1:], strict=False):
            if other.onset_sample < one.offset_sample:
                overlapping += 1
                assert one.slug != other.slug
    assert overlapping >= 3


def test_the_snr_over_the_active_frames_is_the_one_asked_for() -> None:
    """In noise it is met; over a background that swells, it is never less."""
    for scene in scenes(snr_db=(9.0, 9.0)):
        outside = np.ones(len(scene.samples), bool)
        for truth in scene.truths:
            outside[truth.onset_sample - 3_200 : truth.offset_sample + 9_600] = False
        floor = np.mean(scene.samples[outside].astype(float) ** 2)
        for truth in scene.truths:
            event = scene.samples[truth.onset_sample : truth.offset_sample].astype(float)
            ratio_db = 10 * np.log10(np.mean(event**2) / floor - 1.0)
            if scene.kind == "noise":
                assert ratio_db == pytest.approx(9.0, abs=0.5)
            else:
                assert ratio_db > 7.0


def test_onsets_are_where_they_are_said_to_be() -> None:
    quiet = [Background("noise", backgrounds()[0].samples)]
    loud = SceneRecipe(seconds=30.0, snr_db=(40.0, 40.0), background_dbfs=(-70.0, -70.0))
    (*_, scene) = soundscapes(ingredients(), quiet, 4, loud)
    for truth in scene.truths:
        before = scene.samples[truth.onset_sample - 160 : truth.onset_sample]
        after = scene.samples[truth.onset_sample : truth.onset_sample + 160]
        assert np.mean(after.astype(float) ** 2) > 100 * np.mean(before.astype(float) ** 2)


def test_what_lasts_is_a_class_of_esc10() -> None:
    from model_tools.data.esc10 import SLUGS

    assert set(SLUGS) > LASTING
