"""Sounds of a user's own as material: read, checked file by file, divided for a check, with negatives."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aed_daemon.errors import AedError, AudioError
from aed_daemon.level import LevelStream
from aed_daemon.manifest import BACKGROUND, LOUD_SOUND
from aed_daemon.spec import FeatureSpec
from model_tools.data.checks import LONG_S, check_set, check_sound
from model_tools.data.clip import Clip
from model_tools.data.findings import Finding
from model_tools.data.folders import READABLE
from model_tools.data.hearing import Facts, Hearing
from model_tools.data.layouts import Layout, read_data
from model_tools.data.split import validation_split
from model_tools.training.feed import KIND_SHARES
from model_tools.training.material import HeldOut, Material, SoundClass
from model_tools.training.sound import longest_run, sounding

SHORT_RUN_S = 2.5
"""A class whose clips sound for less than this at a stretch, in the median, is short: it must be known
from its first fraction of a second, and starts an event at once. Of ESC-10's classes it parts those
that are confirmed (5 s, all of the clip) from the others (0.4 to 1.9 s)."""

CHECK_SOURCES = 4
"""A class with so many recordings can spare some for the check."""

CHECK_SHARE = 0.25
TRAINED, CHECKED = 1, 2
"""Folds of clips that have none of their own: what is learnt from, and what the check is made on."""

SHORTEST_S, LONGEST_BACKGROUND_S = 0.1, 3_600.0

NEGATIVES_S = 2_400.0
"""Of the negatives that were fetched this much is used: the rest would only make the run longer."""

_SLUG = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PHONE = frozenset({".m4a", ".aac", ".3gp", ".amr", ".mp4", ".wma", ".webm", ".mka", ".caf"})


@dataclass(frozen=True)
class OwnSounds:
    """What a folder or table of a user's own holds.

    Attributes
    ----------
    clips : list of Clip
        What can be used; those of no class are of the kind "own".
    classes : mapping
        Slug -> what the class is.
    findings : list of Finding
        What is wrong with any file or class.
    origin : dict
        Where it was, to be read again.
    """

    clips: list[Clip]
    classes: Mapping[str, SoundClass]
    findings: list[Finding]
    origin: dict[str, Any]


def read_own(
    root: Path, spec: FeatureSpec, layout: Layout | None = None, classes: Sequence[str] = ()
) -> OwnSounds:
    """Read and hear all files of a data set; leave out those that cannot be learnt from.

    Raises
    ------
    AudioError
        If there is no data set, a name cannot be a class, two names clash, or a class has no usable clip.
    """
    reading = read_data(root, layout, classes)
    findings = [*reading.findings, *(_strays(root) if reading.layout == "folders" else [])]
    _check_names(reading.clips)
    heard: list[tuple[Clip, Facts]] = []
    runs: dict[str, list[float]] = defaultdict(list)
    for clip in reading.clips:
        try:
            facts, run_s = _hear(clip, spec)
        except AudioError as error:
            what = f"{error.what}: {error.got}" if error.got else error.what
            findings.append(Finding("error", str(clip.path), what, error.hint or "Record it again."))
            continue
        found = check_sound(clip, facts)
        findings += found
        if not any(one.level == "error" for one in found):
            heard.append((replace(clip, sound=facts.sound, duration_s=facts.duration_s), facts))
            runs[clip.slug].append(run_s)
    disputed = _disputed(heard)
    for finding in check_set(heard):
        # One clip of a class can be learnt from, if badly.
        of_class = finding.where.startswith("class ")
        findings.append(replace(finding, level="warning") if of_class else finding)
    clips = [_as_own(clip) for clip, facts in heard if facts.sound not in disputed]
    wanted = sorted({clip.slug for clip in reading.clips if clip.slug})
    _check_classes(root, wanted, clips, findings)
    labels = {clip.slug: clip.label for clip in reversed(clips)}
    short = {slug: float(np.median(runs[slug])) < SHORT_RUN_S for slug in wanted}
    kinds = {slug: SoundClass(_label(labels[slug] or slug), short[slug], short[slug]) for slug in wanted}
    origin = {"root": str(root.resolve()), "layout": reading.layout, "classes": list(classes)}
    return OwnSounds(clips, kinds, findings, origin)


def own_material(
    sounds: OwnSounds, negatives: Sequence[Clip], held_out: HeldOut, clips: Sequence[Clip] | None = None
) -> Material:
    """Return what a run learns from: own classes sorted by name, then the background.

    Parameters
    ----------
    negatives : sequence of Clip
        Recordings of no class beside the user's own.
    held_out : HeldOut
        Folds that are not learnt from.
    clips : sequence of Clip, optional
        The sounds with other folds, as `divided` returns them.
    """
    own = sounds.clips if clips is None else clips
    own = [replace(clip, fold=clip.fold or TRAINED) if clip.slug else clip for clip in own]
    outputs = (*sorted(sounds.classes), BACKGROUND)
    return Material([*own, *negatives], outputs, held_out, sounds.classes, sounds.origin)


def divided(sounds: OwnSounds) -> list[Clip] | None:
    """Return the clips with the folds TRAINED and CHECKED, None if no class can spare any.

    Of each class with enough recordings about a quarter is held out, whole recordings only.
    """
    sources: dict[str, set[str]] = defaultdict(set)
    for clip in sounds.clips:
        sources[clip.slug].add(clip.source)
    few = {slug for slug, names in sources.items() if len(names) < CHECK_SOURCES or not slug}
    bound = {name for slug in few for name in sources[slug]}
    spare = [clip for clip in sounds.clips if clip.slug not in few and clip.source not in bound]
    if len({clip.source for clip in spare}) < CHECK_SOURCES:
        return None
    heard = {clip.path: clip.sound for clip in spare}
    held = {clip.path for clip in validation_split(spare, share=CHECK_SHARE, sounds=heard)[1]}
    return [
        replace(clip, fold=CHECKED if clip.path in held else TRAINED) if clip.slug else clip
        for clip in sounds.clips
    ]


def some_negatives(clips: Sequence[Clip], seconds: float = NEGATIVES_S) -> list[Clip]:
    """Return about so many seconds of recordings, of all kinds, always the same ones."""

    def number(clip: Clip) -> str:
        return hashlib.sha256(f"{clip.collection}/{clip.path.name}".encode()).hexdigest()

    kinds = {clip.kind for clip in clips}
    total = sum(KIND_SHARES.get(kind, 0.1) for kind in kinds)
    left = {kind: seconds * KIND_SHARES.get(kind, 0.1) / total for kind in kinds}
    chosen = set()
    for clip in sorted(clips, key=number):
        if left[clip.kind] > 0.0 and clip.duration_s <= seconds / 10.0:
            left[clip.kind] -= clip.duration_s or 30.0
            chosen.add(clip)
    return [clip for clip in clips if clip in chosen]


def _hear(clip: Clip, spec: FeatureSpec) -> tuple[Facts, float]:
    """Return what is told of a sound, and for how many seconds at a stretch it sounds."""
    from aed_daemon.audio.file import AudioFile

    limit_s = LONG_S if clip.slug else LONGEST_BACKGROUND_S
    with AudioFile(clip.path) as file:
        duration_s = file.duration_s
    if duration_s > limit_s:
        raise AudioError(
            f"is {duration_s / 3600:.1f} h long",
            where=str(clip.path),
            hint=f"Cut out the parts with the sound; a file may last {limit_s / 60:.0f} minutes.",
        )
    hearing, stream = Hearing(clip.path, spec.sample_rate_hz), LevelStream(spec.hop_length)
    level = np.concatenate([stream.push(block).rms_cdb for block in hearing]) / 100.0
    if hearing.facts.duration_s < SHORTEST_S:
        raise AudioError(
            f"is {hearing.facts.duration_s:.2f} s long",
            where=str(clip.path),
            hint="Record it again with something before and after.",
        )
    return hearing.facts, longest_run(sounding(level)) * spec.hop_length / spec.sample_rate_hz


def _as_own(clip: Clip) -> Clip:
    return clip if clip.slug else replace(clip, collection=f"{clip.collection} background", kind="own")


def _disputed(heard: Sequence[tuple[Clip, Facts]]) -> set[str]:
    """Return the sounds that are in more than one class: nobody can tell which is right."""
    slugs: dict[str, set[str]] = defaultdict(set)
    for clip, facts in heard:
        slugs[facts.sound].add(clip.slug)
    return {sound for sound, names in slugs.items() if len(names) > 1}


def _check_names(clips: Sequence[Clip]) -> None:
    names: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.slug:
            names[clip.slug].add(clip.label or clip.slug)
    for slug, labels in names.items():
        first, *others = sorted(labels)
        if others:
            raise AudioError(
                f"two classes have the same name but for signs, `{first}` and `{others[0]}`",
                where=str(next(clip.path.parent for clip in clips if clip.label == others[0])),
                expected="names that differ in letters or digits",
                got=f"{slug} for both",
                hint="Rename one of them, or put their files together.",
            )
        if not _SLUG.fullmatch(slug) or slug == LOUD_SOUND:
            raise AudioError(
                f"`{first}` cannot be the name of a class",
                where=str(next(clip.path.parent for clip in clips if clip.slug == slug)),
                expected=f"at most 63 letters, digits and _ after a letter, and not {LOUD_SOUND}",
                got=slug,
                hint="It becomes an MQTT topic: rename it, `3d printer` to `printer_3d`, say.",
            )


def _check_classes(
    root: Path, wanted: Sequence[str], clips: Sequence[Clip], findings: Sequence[Finding]
) -> None:
    if not wanted:
        raise AudioError(
            "no classes", where=str(root), expected="a folder per class, or a table", got="background only"
        )
    counts = Counter(clip.slug for clip in clips)
    for slug in wanted:
        if not counts[slug]:
            errors = [str(finding) for finding in findings if finding.level == "error"]
            raise AudioError(
                f"no file of the class {slug} can be used",
                where=str(root),
                got=f"{len(errors)} errors, the last is `{errors[-1]}`" if errors else None,
                hint="Mend them, or take the class out.",
            )


def _strays(root: Path) -> list[Finding]:
    """Return what lies about in a folder of classes and is not learnt from."""
    found = []
    loose = [path for path in sorted(root.iterdir()) if path.is_file() and _is_audio(path)]
    if loose:
        what = f"{len(loose)} files, the first is {loose[0].name}, are in no class"
        found.append(Finding("warning", str(root), what, "Move them into the folder of their class."))
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
        other = sorted(path for path in files if path.suffix.lower() not in READABLE)
        if len(other) == len(files):
            what = "holds no sounds, so it is no class"
            found.append(Finding("warning", str(folder), what, "Put WAV, FLAC, Ogg or MP3 files into it."))
        if other:
            what = f"{len(other)} files, the first is {other[0].name}, are ignored"
            phone = any(path.suffix.lower() in _PHONE for path in other)
            remedy = "They are no audio files, to judge by their names."
            if phone:
                remedy = f"Convert what is sound: ffmpeg -i {other[0].name} {other[0].stem}.wav"
            found.append(Finding("warning", str(folder), what, remedy))
    return found


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in READABLE | _PHONE


def _label(name: str) -> str:
    text = " ".join(re.split(r"[\s_-]+", name.strip())).strip()
    return (text[:1].upper() + text[1:])[:64]


def sounds_of(config: Mapping[str, Any], spec: FeatureSpec, root: Path | None = None) -> OwnSounds:
    """Return the sounds that the run of a config.json learnt from, read again.

    Parameters
    ----------
    root : Path, optional
        Where they are now, if they have been moved.

    Raises
    ------
    AedError
        If they are no longer there, or other classes have come out of them.
    """
    origin = config["data"]
    sounds = read_own(root or Path(origin["root"]), spec, origin["layout"], origin["classes"])
    if sorted(sounds.classes) != sorted(config["classes"]):
        raise AedError(
            "the sounds are not those that the run learnt from",
            where=str(root or origin["root"]),
            expected="the classes " + ", ".join(sorted(config["classes"])),
            got=", ".join(sorted(sounds.classes)),
            hint="Give --data the folder as it was, or train again.",
        )
    return sounds
