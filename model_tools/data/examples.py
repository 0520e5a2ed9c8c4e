"""More recordings of the ten classes, from Debian packages: other microphones, other rooms, other dogs.

Games ship barks, rain and helicopters, most of them short and rough; they are what ESC-10's few recordings
per class lack. They are learnt from only, never measured on. Labels are by name: nobody has listened to
them, networks that had not learnt from them agreed on most, and a few that no network took for their class
at all were left out. Some such sounds were made of the very recordings of freesound that ESC-10 is cut
from, and would tell a network what the left-out folds hold: `alike` finds them, and they are left out of
every run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from model_tools.data.alike import RATE_HZ, SAME, likeness
from model_tools.data.clip import Clip
from model_tools.data.licences import is_free, spdx
from model_tools.data.package_table import SOURCES
from model_tools.data.packages import entries, folder, is_fetched, sounds_of_later_parts

SHORTEST_S = 0.4
"""Of less, nobody can tell whether it is a recording that is measured on."""

_FORMAT = 2


@dataclass(frozen=True)
class Example:
    """Files of one class in a package.

    Attributes
    ----------
    package, slug : str
        The Debian package and the class.
    only : tuple of str
        Shell patterns of paths in the package.
    licence : str
        Stated licence where the copyright file is not machine-readable.
    """

    package: str
    slug: str
    only: tuple[str, ...]
    licence: str = ""


_GPL = "GPL-1.0-or-later"
"""The GPL, whose version the copyright file does not name."""

EXAMPLES = (
    Example("lugaru-data", "dog", ("*/Bark.ogg", "*/Bark2.ogg", "*/Bark3.ogg")),
    Example("mate-media-common", "dog", ("*/bark.ogg",)),
    Example("qabcs-data", "dog", ("*/noises/dog.ogg",)),
    Example("scorched3d-data", "dog", ("*/misc/dog2.wav", "*/misc/dog3.wav")),
    Example("trophy-data", "dog", ("*/dog.wav",)),
    Example("tuxpaint-stamps-default", "dog", ("*/dogs/dog.ogg",)),
    Example("7kaa-data", "rain", ("*/RAIN.WAV",)),
    Example("0ad-data", "rain", ("*/weather/rain_1?.ogg",)),
    Example("ardentryst", "rain", ("*/Rain_Loop.ogg",)),
    Example("flare-game", "rain", ("*/environment/rain.ogg",)),
    Example("flightgear-data-base", "rain", ("*/Sounds/rain.wav",)),
    Example("redeclipse-data", "rain", ("*/morph/rain.ogg", "*/morph/stormrain.ogg")),
    Example("plee-the-bear-data", "rain", ("*/weather/rain.ogg",), "CC-BY-SA-3.0"),
    Example("scorched3d-data", "rain", ("*/misc/rain.wav",)),
    Example("supertux-data", "rain", ("*/sounds/rain.wav",)),
    Example("tuxpaint-plugins-default", "rain", ("*/magic/rain.ogg",)),
    Example("0ad-data", "sea_waves", ("*/water/wave*_21.ogg",)),
    Example("csoundqt-examples", "sea_waves", ("*/Seashore.wav",)),
    Example("scorched3d-data", "sea_waves", ("*/oceanwaves.wav",)),
    Example("scratch", "crying_baby", ("*/BabyCry.mp3",)),
    Example("xemacs21-basesupport", "crying_baby", ("*/cry.wav",), _GPL),
    Example("gnome-shell-pomodoro-data", "clock_tick", ("*/clock.ogg",)),
    Example("heroes-sound-effects", "clock_tick", ("*/clock01.wav", "*/clock02.wav")),
    Example("jag", "clock_tick", ("*/clock.wav",)),
    Example("scratch", "sneezing", ("*/Sneeze-female.wav", "*/Sneeze-male.wav")),
    Example("flightgear-data-base", "helicopter", ("*/Sounds/rotor.wav", "*/Sounds/rotor-2blade.wav")),
    Example("qabcs-data", "helicopter", ("*/noises/helicopter.ogg",)),
    Example("scorched3d-data", "helicopter", ("*/misc/helicopter.wav",)),
    Example(
        "searchandrescue-data",
        "helicopter",
        ("*/helicopter_engine_*side*.wav", "*/helicopter_engine_start.wav"),
        _GPL,
    ),
    Example("cube2-data", "chainsaw", ("*/chainsaw/attack.ogg", "*/chainsaw/idle.ogg")),
    Example("qabcs-data", "rooster", ("*/noises/rooster.ogg",)),
    Example("scorched3d-data", "rooster", ("*/misc/rooster.wav",)),
    Example("scratch", "rooster", ("*/Rooster.wav",)),
    Example("tuxpaint-stamps-default", "rooster", ("*/birds/rooster.ogg",)),
    Example("ardentryst", "crackling_fire", ("*/fire_loop.ogg",)),
    Example("flare-game", "crackling_fire", ("*/environment/open_fire*.ogg",)),
    Example("lugaru-data", "crackling_fire", ("*/Sounds/Fire.ogg",)),
    Example("minetest-data", "crackling_fire", ("*/fire_fire.*.ogg",)),
    Example(
        "redeclipse-data",
        "crackling_fire",
        ("*/ambience/fire.ogg", "*/sfx/burnfire.ogg", "*/sfx/burning.ogg"),
    ),
    Example("wesnoth-1.16-data", "crackling_fire", ("*/ambient/campfire.ogg",), "GPL-2.0-or-later"),
)


def example_packages() -> list[str]:
    """Return the names of the packages, each once."""
    return list(dict.fromkeys(example.package for example in EXAMPLES))


def examples(cache: Path, known: Sequence[Clip], table: Sequence[Example] = EXAMPLES) -> list[Clip]:
    """Return the examples that have been fetched and are none of the recordings of `known`.

    Parameters
    ----------
    cache : Path
        Holds packages/, as `model-tools fetch examples` fetched them, and what was found alike.
    known : sequence of Clip
        Recordings that something is measured on.

    Returns
    -------
    list of Clip
        In the order of the table; of fold 0, which is never left out.
    """
    found: dict[str, Clip] = {}
    measured = sounds_of_later_parts(cache, "training", SOURCES)
    for example in table:
        if not is_fetched(example.package, cache):
            continue
        for entry in entries(example.package, cache):
            licence = example.licence or spdx(entry.licence)
            named = any(fnmatchcase(entry.path, pattern) for pattern in example.only)
            if not named or entry.error or not is_free(licence):
                continue
            if entry.duration_s < SHORTEST_S or entry.sound in measured:
                continue
            clip = Clip(
                folder(cache) / example.package / entry.file,
                example.slug,
                0,
                f"debian:{example.package}:{entry.path}",
                f"debian:{example.package}, examples",
                licence,
                duration_s=entry.duration_s,
                sound=entry.sound,
            )
            found.setdefault(entry.sound, clip)
    clips = list(found.values())
    same = _likenesses(cache, clips, known)
    return [clip for clip in clips if same[clip.sound] < SAME]


def _likenesses(cache: Path, clips: Sequence[Clip], known: Sequence[Clip]) -> dict[str, float]:
    """Return how much each clip is like one of `known`; kept in the cache, for it takes a minute."""
    if not clips:
        return {}
    names = sorted(f"{clip.collection}/{clip.path.name} {clip.path.stat().st_size}" for clip in known)
    text = json.dumps([_FORMAT, RATE_HZ, sorted(clip.sound for clip in clips), names])
    path = cache / f"alike-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if path.exists():
        return {str(sound): float(value) for sound, value in json.loads(path.read_text()).items()}
    found = likeness([clip.path for clip in clips], [clip.path for clip in known])
    values = {clip.sound: round(value, 4) for clip, value in zip(clips, found, strict=True)}
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(values))
    temporary.replace(path)
    return values
