"""Speech by espeak-ng in many languages, voices, speeds and pitches: no class, and seeded.

What is heard in training is never what is measured on: languages (or accents) and variants of the
voice are divided between the parts, and the test part speaks at other speeds and pitches as well.
"""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from aed_daemon.errors import AedError
from model_tools.data.clip import Clip, Part
from model_tools.data.speech_text import TEXT

LICENCE = "CC0-1.0"
"""The sentences are this project's own, and a synthesiser has no rights in what it says."""

_VERSION = 1
"""Changes with texts, voices or parameters, so that old speech is not taken for new."""


@dataclass(frozen=True)
class Voices:
    """The voices of a part.

    Attributes
    ----------
    languages : tuple of str
        Voices of espeak-ng; the text is that of the language before the first dash.
    variants : tuple of str
        Speakers of espeak-ng, "" for its own.
    speed_wpm : (int, int)
        Words per minute; espeak-ng's own is 175.
    pitch : (int, int)
        0 to 99; espeak-ng's own is 50.
    """

    languages: tuple[str, ...]
    variants: tuple[str, ...]
    speed_wpm: tuple[int, int] = (120, 230)
    pitch: tuple[int, int] = (20, 80)


VOICES: dict[Part, Voices] = {
    "training": Voices(
        (
            *(
                "en-us",
                "en-gb-scotland",
                "en-029",
                "de",
                "fr-fr",
                "es",
                "it",
                "pt-br",
                "nl",
                "pl",
                "ru",
                "sv",
            ),
            *("tr", "hu", "hi", "cmn", "vi", "id", "bg", "eo"),
        ),
        (
            *("", "m1", "m2", "m3", "m4", "f1", "f2", "croak", "klatt", "klatt3", "whisper", "Alex", "Andy"),
            *(
                "Annie",
                "belinda",
                "boris",
                "david",
                "Denis",
                "ed",
                "gustave",
                "Jacky",
                "john",
                "linda",
                "max",
            ),
            *("michel", "Mike", "pablo", "quincy", "robosoft3", "sandro", "steph", "zac", "grandma", "anika"),
        ),
    ),
    "calibration": Voices(
        ("en-us-nyc", "fr-be", "da", "cs", "uk", "sw", "es-419"),
        ("m5", "f3", "klatt2", "Alicia", "benjamin", "Diogo", "iven", "Lee", "pedro", "steph2", "victor"),
    ),
    "test": Voices(
        ("en-gb", "en-gb-x-rp", "en-gb-x-gbclan", "fr-ch", "pt", "fi", "et", "nb", "el", "ro", "sk"),
        (
            *("m6", "m7", "m8", "f4", "f5", "klatt4", "whisperf", "Andrea", "Henrique", "Marco", "miguel"),
            *("norbert", "rob", "shelby", "travis", "aunty", "grandpa", "Michael"),
        ),
        speed_wpm=(100, 270),
        pitch=(5, 95),
    ),
}
"""Disjoint in languages and in variants; the test part is wider in speed and pitch."""

HOURS: dict[Part, float] = {"training": 2.0, "calibration": 0.5, "test": 1.0}

_ATTEMPTS = 8
"""Some voices crash espeak-ng on some texts; then another voice says something else."""

_SEEDS: dict[Part, int] = {"training": 1, "calibration": 2, "test": 3}


def folder(cache: Path, part: Part) -> Path:
    """Return where the speech of a part is kept."""
    return cache / f"speech-{_VERSION}" / part


def synthesise(
    cache: Path, part: Part, hours: float | None = None, step: Callable[[float], None] = lambda _: None
) -> int:
    """Write speech until a part has `hours` of it; what is there is kept, so that a run can go on.

    Parameters
    ----------
    cache : Path
        Gets 16-bit WAV files at espeak-ng's 22,050 Hz.
    hours : float, optional
        By default what `HOURS` says.
    step : callable
        Told the seconds of each file.

    Returns
    -------
    int
        Number of files.

    Raises
    ------
    AedError
        If espeak-ng is missing or lacks a voice.
    """
    root = folder(cache, part)
    root.mkdir(parents=True, exist_ok=True)
    wanted_s = 3600.0 * (HOURS[part] if hours is None else hours)
    done_s, number = 0.0, 0
    while done_s < wanted_s:
        there = sorted(root.glob(f"{number:05d}-*.wav"))
        seconds = duration_s(there[0] if there else _speak(part, number, root))
        done_s, number = done_s + seconds, number + 1
        step(seconds)
    return number


def utterance(part: Part, number: int, attempt: int = 0) -> tuple[str, str, list[str]]:
    """Return voice, text and espeak-ng's options of one file; the same for the same numbers always."""
    voices = VOICES[part]
    rng = np.random.default_rng([_VERSION, _SEEDS[part], number, attempt])
    # Each language once per round, so that every stretch of a part is as varied as the whole.
    language = voices.languages[number % len(voices.languages)]
    variant = voices.variants[int(rng.integers(0, len(voices.variants)))]
    sentences = TEXT[language.partition("-")[0]]
    said = [
        sentences[int(i)].format(int(rng.integers(2, 1_000)))
        for i in rng.integers(0, len(sentences), int(rng.integers(2, 6)))
    ]
    options = [
        *("-s", str(rng.integers(*voices.speed_wpm))),
        *("-p", str(rng.integers(*voices.pitch))),
        *("-a", str(rng.integers(40, 120))),
        *("-g", str(int(rng.choice([0, 0, 1, 3, 10])))),
    ]
    return f"{language}+{variant}" if variant else language, " ".join(said), options


def _speak(part: Part, number: int, root: Path) -> Path:
    if shutil.which("espeak-ng") is None:
        raise AedError(
            "cannot synthesise speech",
            expected="espeak-ng",
            got="a system without it",
            hint="Install it: apt-get install espeak-ng.",
        )
    said = ""
    for attempt in range(_ATTEMPTS):
        voice, text, options = utterance(part, number, attempt)
        with TemporaryDirectory(dir=root, prefix=".speech-") as name:
            made = Path(name) / "speech.wav"
            command = ["espeak-ng", "-v", voice, *options, "-w", str(made), "--stdin"]
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
            if done.returncode == 0 and made.exists() and duration_s(made) > 1.0:
                path = root / f"{number:05d}-{voice}.wav"
                made.replace(path)
                return path
            said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0]
    raise AedError(
        "espeak-ng did not speak",
        where=f"voice {voice}",
        got=said,
        hint="espeak-ng 1.51 has this voice; `espeak-ng --voices` tells those that are there.",
    )


def duration_s(path: Path) -> float:
    """Return the length of a WAV file in seconds, from its header."""
    with wave.open(str(path)) as file:
        return float(file.getnframes() / file.getframerate())


def speech_clips(cache: Path, part: Part) -> list[Clip]:
    """Return the speech of a part that has been synthesised."""
    return list(_clips(cache, part))


def _clips(cache: Path, part: Part) -> Iterator[Clip]:
    for path in sorted(folder(cache, part).glob("*.wav")):
        voice = path.stem.partition("-")[2]
        yield Clip(path, "", 0, f"espeak-ng:{voice}", "espeak-ng", LICENCE, part, "speech", duration_s(path))
