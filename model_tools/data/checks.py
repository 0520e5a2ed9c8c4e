"""What may be wrong with the sounds of a data set, told of each file with a remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from model_tools.data.clip import Clip
from model_tools.data.findings import Finding
from model_tools.data.hearing import Facts

SILENT_DBFS, QUIET_DBFS = -80.0, -50.0
"""A peak below the first is silence, below the second so quiet that noise will cover it."""

CLIPPED_SHARE = 0.002
"""One of ESC-10's 400 clips is above, with 0.7 %."""

SHORT_S, LONG_S = 1.0, 600.0
"""A window of the network lasts 0.975 s."""

FEW_CLIPS = 5


def check_sound(clip: Clip, facts: Facts) -> list[Finding]:
    """Return what is wrong with one sound; a negative may be silent."""
    where, found = str(clip.path), []
    if facts.duration_s == 0.0:
        return [Finding("error", where, "holds no sound", "Record it again, or take it out.")]
    if clip.slug and facts.peak_dbfs < SILENT_DBFS:
        remedy = "It would teach silence as its class: record it again, or move it to background/."
        found.append(Finding("error", where, f"is silent (peak {facts.peak_dbfs:.0f} dBFS)", remedy))
    elif clip.slug and facts.peak_dbfs < QUIET_DBFS:
        remedy = "Record it nearer, or with more gain."
        found.append(Finding("warning", where, f"is very quiet (peak {facts.peak_dbfs:.0f} dBFS)", remedy))
    if facts.clipped_share > CLIPPED_SHARE:
        remedy = "Record it with less gain; distortion is part of what is learnt."
        found.append(
            Finding("warning", where, f"is clipped ({facts.clipped_share:.1%} of its samples)", remedy)
        )
    if facts.duration_s <= SHORT_S:
        remedy = (
            "It is used with silence after it; longer recordings with something before and after teach more."
        )
        found.append(Finding("warning", where, f"is {facts.duration_s:.2f} s long", remedy))
    if facts.duration_s > LONG_S:
        remedy = "It is used whole, on one side of a split. Cut it up if only parts of it hold the sound."
        found.append(Finding("warning", where, f"is {facts.duration_s / 3600:.1f} h long", remedy))
    return found


def check_set(heard: Sequence[tuple[Clip, Facts]]) -> list[Finding]:
    """Return what is wrong with sounds taken together: duplicates, and classes of too few clips."""
    return [*_duplicates(heard), *_counts(clip.slug for clip, _ in heard)]


def _duplicates(heard: Sequence[tuple[Clip, Facts]]) -> list[Finding]:
    found = []
    first: dict[str, Clip] = {}
    for clip, facts in heard:
        other = first.setdefault(facts.sound, clip)
        if other is clip or facts.duration_s == 0.0:
            continue
        if other.slug != clip.slug:
            what = f"is the same sound as {other.path}, which is {_name(other)}, while this is {_name(clip)}"
            found.append(
                Finding("error", str(clip.path), what, "One of the labels is wrong: take that file out.")
            )
        else:
            remedy = "Take one of them out: it counts twice, and may be on both sides of a split."
            found.append(Finding("warning", str(clip.path), f"is the same sound as {other.path}", remedy))
    return found


def _counts(slugs: Iterable[str]) -> list[Finding]:
    found = []
    for slug, count in sorted(Counter(slug for slug in slugs if slug).items()):
        if count == 1:
            remedy = (
                "Nothing is left to measure it on: record more, from other occasions, or leave the class out."
            )
            found.append(Finding("error", f"class {slug}", "has one clip", remedy))
        elif count < FEW_CLIPS:
            remedy = f"It will be learnt badly: {FEW_CLIPS} are a start, 40 are good."
            found.append(Finding("warning", f"class {slug}", f"has {count} clips", remedy))
    return found


def _name(clip: Clip) -> str:
    return clip.slug or "background"
