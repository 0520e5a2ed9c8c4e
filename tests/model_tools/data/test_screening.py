from __future__ import annotations

import pytest

from model_tools.data.esc10 import SLUGS
from model_tools.data.screening import WORDS, class_in_name, words_of


def test_names_fall_into_words() -> None:
    assert words_of("sounds/RailTrain2-loop.wav") == ["sounds", "rail", "train", "loop", "wav"]
    assert words_of("BIG_explosion01x") == ["big", "explosion", "x"]


def test_every_class_has_words() -> None:
    assert set(WORDS) == set(SLUGS)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("core/sounds/wolf-die-1.ogg", "dog: wolf"),
        ("lugaru/Sounds/BarkGrowl.ogg", "dog: bark"),
        ("sounds/RainHeavy.wav", "rain: rain"),
        ("sounds/waterfall.wav", "rain: waterfall"),
        ("wav/misc/oceanwaves.wav", "sea_waves: oceanwaves"),
        ("ambient/Beach.ogg", "sea_waves: beach"),
        ("vo_cry-01.wv", "crying_baby: cry"),
        ("Sounds/minetick.ogg", "clock_tick: minetick"),
        ("elec_tick.flac", "clock_tick: tick"),
        ("alarm-clock-elapsed.oga", "clock_tick: clock"),
        ("a/sneezing2.ogg", "sneezing: sneezing"),
        ("units/chopper/chopper.ready.wav", "helicopter: chopper"),
        ("misc/apache_1.wav", "helicopter: apache"),
        ("atlanteans/saw/cutting.ogg", "chainsaw: saw"),
        ("tilesets/chicken.ogg", "rooster: chicken"),
        ("Farm1.wav", "rooster: farm"),
        ("ambient/campfire.ogg", "crackling_fire: campfire"),
        ("units/fire_archer/select1.wav", "crackling_fire: fire"),
    ],
)
def test_a_class_in_a_name_is_found(path: str, why: str) -> None:
    assert class_in_name(path) == why


@pytest.mark.parametrize(
    "path",
    [
        "sounds/RailTrain1.wav",
        "stickfighter_attack1.wav",
        "terrain/research.ogg",
        "thence/then.ogg",
        "insects/cricket_loop.ogg",
        "birds/owl.ogg",
        "household/vacuum_cleaner.ogg",
        "laugh02.ogg",
        "footsteps/gravel1.ogg",
        "engine-start.ogg",
        "seven/prayer/brainstem.ogg",
        "buckle/wav/5b-0.wav",
    ],
)
def test_other_sounds_stay(path: str) -> None:
    assert class_in_name(path) is None
