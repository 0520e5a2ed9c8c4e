"""PCM in, events out: the C in the emulator beside `aed-daemon replay --engine native`, clip by clip."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import soundfile

from aed_daemon.audio.file import decode
from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.events import EventType, Reason
from aed_daemon.inference import load_classifier
from aed_daemon.loud import LABEL as LOUD_LABEL
from aed_daemon.manifest import DEFAULT_MODEL, LOUD_SOUND, ModelManifest, load_manifest
from aed_daemon.tracker import TrackEvent
from benchmarks.clips import RATE_HZ, to_s16
from benchmarks.mcu_programs import Export, events_on_core
from benchmarks.mcu_sounds import Pcm, esc10
from benchmarks.outcome import UnavailableError
from model_tools.export.dc_blocker import FixedDcBlocker, as_floats
from model_tools.export.native import with_native
from model_tools.export.rules_c import TrackerRules, tracker_rules
from model_tools.export.toolchain import CORES

CLIPS = 30

_TYPES: tuple[str, ...] = get_args(EventType)
_REASONS: tuple[str | None, ...] = (None, *get_args(Reason))

_SAMPLES, _STEPS = 160, 2
"""By which the same event in C and in Python may differ (wire contract), 2 steps of the output."""

Told = dict[str, Any]


def events(made: Export, core: str, work: Path, *, quick: bool) -> dict[str, Any]:
    """Return how many events of how many clips there were, and in how many clips they are the same.

    Both get the same samples of 16 bits, the daemon through a file. Events must be the same in the wire
    contract's sense; `equal_clips` are those whose events the daemon's stages give with every field equal
    behind the C's own DC blocker.
    """
    paths = esc10()
    count = 4 if quick else CLIPS
    chosen = paths[:: len(paths) // count][:count]
    recordings = [to_s16(decode(path, RATE_HZ, dc_block_hz=0.0)) for path in chosen]
    model = with_native(DEFAULT_MODEL, work / "cache")
    detection = DetectionConfig(hop_frames=made.hop_frames)
    manifest = load_manifest(model).for_engine(exact=True)
    rules = tracker_rules(detection, manifest)
    ours: list[list[Told]] = [[] for _ in chosen]
    for clip, *fields in events_on_core(made, CORES[core], recordings, work / "core"):
        ours[clip].append(_of_fields(fields, rules, manifest))
    replayed = _replayed(recordings, model, work)
    staged = [_staged(pcm, model, detection) for pcm in recordings]
    scale = manifest.output.scale
    clips = list(zip(ours, replayed, staged, strict=True))
    different = [path.name for path, clip in zip(chosen, clips, strict=True) if not _same(*clip[:2], scale)]
    return {
        "clips": len(chosen),
        "clips_with_events": sum(bool(clip) for clip in replayed),
        "events": sum(map(len, replayed)),
        "same_clips": len(chosen) - len(different),
        "equal_clips": sum(mine == stages for mine, _, stages in clips),
        "classes": sorted({event["class"] for clip in replayed for event in clip}),
        "different": different,
    }


def _same(ours: Sequence[Told], theirs: Sequence[Told], scale: float) -> bool:
    """Whether events are the same: type, class, order, count and reason; samples and scores nearly."""

    def near(a: float | None, b: float | None, most: float) -> bool:
        return a == b if a is None or b is None else abs(a - b) <= most

    return len(ours) == len(theirs) and all(
        all(a[name] == b[name] for name in ("type", "class", "label", "reason"))
        and all(near(a[name], b[name], _SAMPLES) for name in ("start_sample", "end_sample"))
        # Both are rounded to four digits.
        and all(
            near(a[name], b[name], _STEPS * scale + 1e-4) for name in ("score", "score_max", "score_mean")
        )
        for a, b in zip(ours, theirs, strict=True)
    )


def _staged(pcm: Pcm, model: Path, detection: DetectionConfig) -> list[Told]:
    """Return the events of the daemon's stages behind the C's DC blocker."""
    classifier = load_classifier(model, "native")
    detector, spec = Detector(classifier, detection), classifier.manifest.spec
    samples = FixedDcBlocker(spec.sample_rate_hz).push(pcm)
    decisions = detector.push(as_floats(samples, spec.pcm_full_scale))
    found = [event for decision in decisions for event in decision.events]
    return [_of_track(event, classifier.manifest) for event in found + detector.finish("end_of_input")]


def _of_track(event: TrackEvent, manifest: ModelManifest) -> Told:
    def probability(steps: float | None) -> float | None:
        return None if steps is None else round(steps * manifest.output.scale, 4)

    hop = manifest.spec.hop_length
    return {
        "type": event.type,
        "class": event.slug,
        "label": event.label,
        "start_sample": event.start_frame * hop,
        "end_sample": None if event.end_frame is None else event.end_frame * hop,
        "score": probability(event.score),
        "score_max": probability(event.score_max),
        "score_mean": probability(event.score_mean),
        "reason": event.reason,
        "level": _level(
            event.sound.rms_cdb, event.sound.peak_cdb, event.sound.floor_cdb, clipped=event.sound.clipped
        ),
    }


def _level(rms_cdb: int, peak_cdb: int, floor_cdb: int, *, clipped: bool) -> Told:
    return {
        "rms_dbfs": rms_cdb / 100,
        "peak_dbfs": peak_cdb / 100,
        "floor_dbfs": floor_cdb / 100,
        "snr_db": (rms_cdb - floor_cdb) / 100,
        "clipped": clipped,
    }


def _of_fields(fields: Sequence[int], rules: TrackerRules, manifest: ModelManifest) -> Told:
    """Return the fields of an event in C as the daemon publishes them."""
    (kind, label, _, start, end, score, score_max, score_total, hops, rms, peak, floor, clipped, reason) = (
        fields
    )
    loud = label == len(rules.slugs)
    smoothing = next((rule.smoothing_hops for rule in rules.classes if rule.index == label), 1)
    scale = manifest.output.scale

    def probability(steps: float) -> float | None:
        return None if loud else round(steps * scale, 4)

    return {
        "type": _TYPES[kind],
        "class": LOUD_SOUND if loud else rules.slugs[label],
        "label": LOUD_LABEL if loud else rules.labels[label],
        "start_sample": start * rules.spec.hop_length,
        "end_sample": end * rules.spec.hop_length if _TYPES[kind] == "end" else None,
        "score": probability(score / smoothing),
        "score_max": probability(score_max / smoothing),
        "score_mean": probability(score_total / (max(hops, 1) * smoothing)),
        "reason": _REASONS[reason],
        "level": _level(rms, peak, floor, clipped=bool(clipped)),
    }


def _replayed(recordings: Sequence[Pcm], model: Path, work: Path) -> list[list[Told]]:
    """Return the events of `aed-daemon replay`, clip by clip."""
    files = [_written(pcm, work / f"{number}.wav") for number, pcm in enumerate(recordings)]
    command = [sys.executable, "-m", "aed_daemon", "replay", *map(str, files), "--model", str(model)]
    command += ["--engine", "native", "--speed", "max", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnavailableError(f"aed-daemon replay has ended with {done.returncode}: {done.stderr[-300:]}")
    found: dict[str, list[Told]] = {file.name: [] for file in files}
    for line in done.stdout.splitlines():
        event = json.loads(line)
        found[event["source"]].append(event)
    return [*found.values()]


def _written(pcm: Pcm, path: Path) -> Path:
    soundfile.write(path, pcm, RATE_HZ, subtype="PCM_16")
    return path
