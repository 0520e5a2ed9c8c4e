"""`python -m benchmarks.clips_onset`: clips have the onset where their events say, and cost so much."""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio.file import decode
from aed_daemon.clips.tape import to_pcm
from aed_daemon.events import Event
from benchmarks import record, reliability
from benchmarks.measure import ONE_THREAD, Samples, percentile, significant, take
from benchmarks.rig import aed_daemon

WEB = Path(__file__).with_name("web.json")

LIMIT_MS = 10.0
EVENTS = 100
RATE_HZ = 16_000

_QUIET_DBFS, _LOUD_DBFS = -75.0, -20.0
_ATTACK_S = 0.001
_TRACKS = 4
_NEEDLE = 256
"""Samples from the onset on that are looked for in the source; noise, so they occur once."""


@dataclass(frozen=True)
class Track:
    """A recording whose onsets are known.

    Attributes
    ----------
    path : Path
        The file.
    onsets_s : tuple of float
        When each sound begins.
    heard : ndarray, int16 (n,)
        What the daemon hears of it, at the model's rate; decoded without the daemon's pipeline.
    dc_block_hz : float
        Of the source.
    """

    path: Path
    onsets_s: tuple[float, ...]
    heard: NDArray[np.int16]
    dc_block_hz: float


def make_track(path: Path, sounds: int, rate_hz: int, seed: int, dc_block_hz: float) -> Track:
    """Write sounds of 0.3 to 1.2 s with a sharp attack into the noise of a quiet microphone, 16 bits.

    They are bursts of noise, chords and sweeps in turn; their onsets favour no phase of the decisions.
    """
    import soundfile

    random = np.random.default_rng(seed)
    parts, onsets_s, at = [], [], 0
    for number in range(sounds):
        pause = round(random.uniform(4.0, 5.0) * rate_hz)
        length = round(random.uniform(0.3, 1.2) * rate_hz)
        onsets_s.append((at + pause) / rate_hz)
        at += pause + length
        parts += [np.zeros(pause), _sound(number % 3, length, rate_hz, random)]
    parts.append(np.zeros(4 * rate_hz))
    joined = np.concatenate(parts)
    joined += random.standard_normal(len(joined)) * 10 ** (_QUIET_DBFS / 20)
    soundfile.write(path, joined, rate_hz, subtype="PCM_16")
    return Track(path, tuple(onsets_s), to_pcm(decode(path, RATE_HZ, dc_block_hz=dc_block_hz)), dc_block_hz)


def _sound(kind: int, length: int, rate_hz: int, random: np.random.Generator) -> NDArray[np.float64]:
    time_s = np.arange(length) / rate_hz
    if kind == 0:
        wave = random.standard_normal(length)
    elif kind == 1:
        pitch_hz = random.uniform(200, 900)
        wave = np.sum(
            [np.sin(2 * np.pi * pitch_hz * n * time_s + random.uniform(0, 6)) for n in range(1, 6)], axis=0
        )
    else:
        wave = np.sin(2 * np.pi * (300 + 1_500 * time_s) * time_s)
    envelope = np.minimum(1.0, time_s / _ATTACK_S) * np.minimum(1.0, (time_s[-1] - time_s) / 0.05)
    return np.asarray(wave / np.std(wave) * envelope * 10 ** (_LOUD_DBFS / 20))


def configuration(tracks: dict[str, Track], *, realtime: bool, **clips: object) -> str:
    """Return what listens to tracks; `clips` are keys of [clips]."""
    lines = ["[output]", "jsonl = true", "[clips]", "min_free_mb = 0.0"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in clips.items()]
    for name, track in tracks.items():
        lines += ["[[source]]", f'name = "{name}"', 'type = "file"', f'path = "{track.path}"']
        lines += [f"realtime = {json.dumps(realtime)}", f"dc_block_hz = {track.dc_block_hz}"]
    return "\n".join(lines)


@dataclass(frozen=True)
class Found:
    """A clip against the source that it is of.

    Attributes
    ----------
    slug : str
        Class.
    placed_ms : float
        How far from where it claims to be its samples are found in the source; infinite: nowhere.
    onset_ms : float
        How far the sound's true onset in it is from where the event says.
    """

    slug: str
    placed_ms: float
    onset_ms: float


def examine(event: Event, path: Path, track: Track) -> Found:
    """Compare a clip with its source: where its samples truly are is looked up by their content."""
    import soundfile

    pcm, _ = soundfile.read(io.BytesIO(path.read_bytes()), dtype="int16")
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    onset = event.start_sample - facts["first_sample"]
    true_first = place_of(pcm, min(onset, len(pcm) - _NEEDLE), track.heard)
    if true_first is None:
        return Found(event.class_, math.inf, math.inf)
    true_onsets = [round(onset_s * RATE_HZ) - true_first for onset_s in track.onsets_s]
    nearest = min(true_onsets, key=lambda true: abs(true - onset))
    return Found(
        event.class_,
        abs(true_first - facts["first_sample"]) / RATE_HZ * 1e3,
        abs(nearest - onset) / RATE_HZ * 1e3,
    )


def place_of(pcm: NDArray[np.int16], needle_at: int, heard: NDArray[np.int16]) -> int | None:
    """Return the index at which all samples of a clip stand in its source; None: nowhere."""
    needle, hay = pcm[needle_at : needle_at + _NEEDLE].tobytes(), heard.tobytes()
    at = hay.find(needle)
    while at >= 0:
        first = at // 2 - needle_at
        if at % 2 == 0 and first >= 0 and np.array_equal(heard[first : first + len(pcm)], pcm):
            return first
        at = hay.find(needle, at + 1)
    return None


def events_of(stdout: str) -> Iterator[Event]:
    """Yield the ends of sounds among the lines that a daemon has printed."""
    for line in stdout.splitlines():
        event = Event.model_validate_json(line)
        if event.type == "end":
            yield event


def onsets(folder: Path, sounds: int) -> list[Found]:
    """Run the daemon over tracks as they sound, some as they are and some resampled; examine every clip."""
    tracks = {}
    for seed in range(_TRACKS):
        name = f"{'resampled' if seed % 2 else 'as-it-is'}-{seed}"
        rate_hz, dc_block_hz = (44_100, 10.0) if seed % 2 else (RATE_HZ, 0.0)
        tracks[name] = make_track(folder / f"{name}.wav", sounds // _TRACKS, rate_hz, seed, dc_block_hz)
    config, state = folder / "onsets.toml", folder / "state"
    config.write_text(configuration(tracks, realtime=True, enabled=True), encoding="utf-8")
    env = {**os.environ, "STATE_DIRECTORY": str(state)}
    done = subprocess.run(
        [*aed_daemon(), "run", "--config", config], check=True, capture_output=True, text=True, env=env
    )
    found = []
    for event in events_of(done.stdout):
        path = state / "clips" / event.clip if event.clip else None
        if path is None or not path.exists():
            raise RuntimeError(f"there is no clip of {event.id}: {done.stderr[-2_000:]}")
        found.append(examine(event, path, tracks[event.source]))
    return found


WAYS: dict[str, dict[str, object]] = {
    "off": {"enabled": False},
    "nothing_recorded": {"enabled": True, "classes": []},
    "on": {"enabled": True},
}


def cost(folder: Path, sounds: int, rounds: int) -> dict[str, Any]:
    """Return the processor time of an hour of sound in each of the ways, in turn, and their ratios."""
    tracks = {
        name: make_track(folder / f"{name}.wav", count, RATE_HZ, 7, 10.0)
        for name, count in (("short", 1), ("long", sounds))
    }
    used: dict[str, list[float]] = {name: [] for name in WAYS}
    span_s = (len(tracks["long"].heard) - len(tracks["short"].heard)) / RATE_HZ
    for _ in range(rounds):
        for name, took in used.items():
            short, long = (_cpu_s(folder, name, track, tracks[track]) for track in ("short", "long"))
            took.append((long - short) / span_s * 3_600)

    def ratio(name: str) -> float:
        pairs = zip(used[name], used["off"], strict=True)
        return significant(percentile([this / off for this, off in pairs], 0.5), 3)

    return {
        "cpu_s_per_hour": {name: Samples(tuple(took)).spread(3) for name, took in used.items()},
        "cpu_ratio_to_off": {name: ratio(name) for name in WAYS if name != "off"},
        "sounds_per_hour": round((sounds - 1) / span_s * 3_600),
    }


def _cpu_s(folder: Path, way: str, name: str, track: Track) -> float:
    config = folder / f"{way}-{name}.toml"
    config.write_text(configuration({name: track}, realtime=False, **WAYS[way]), encoding="utf-8")
    with TemporaryDirectory(prefix="aed-clips-cost-", dir=folder) as place:
        command = [*aed_daemon(), "run", "--config", str(config)]
        cpu_s = take(command, environment={**ONE_THREAD, "STATE_DIRECTORY": place})[1]
        written = len(list(Path(place).rglob("*.flac")))
    if written < (len(track.onsets_s) if way == "on" else 0):
        raise RuntimeError(f"only {written} clips were written: what is measured is not what is asked")
    return cpu_s


def main() -> int:
    """Measure, print, and write benchmarks/web.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clips_onset", description=__doc__)
    parser.add_argument("--no-record", action="store_true", help="leave web.json as it is")
    parser.add_argument("--quick", action="store_true", help="fewer sounds, one round; nothing is recorded")
    options = parser.parse_args()
    sounds, rounds = (12, 1) if options.quick else (120, 5)
    with TemporaryDirectory(prefix="aed-clips-onset-") as name:
        found = onsets(Path(name), sounds)
        costs = cost(Path(name), sounds // 2, rounds)
    worst = max(one.onset_ms for one in found)
    details = {
        "events": len(found),
        "by_class": {
            slug: sum(one.slug == slug for one in found) for slug in sorted({one.slug for one in found})
        },
        "onset_ms": {
            "median": significant(percentile([one.onset_ms for one in found], 0.5), 3),
            "p95": significant(percentile([one.onset_ms for one in found], 0.95), 3),
        },
        "placed_ms_max": max(one.placed_ms for one in found),
    }
    print(f"onset in the clip against the event, {len(found)} events: {worst:.2f} ms, limit {LIMIT_MS:g}")
    for what, value in {**details, **costs}.items():
        print(f"  {what:22} {value}")
    kept = worst <= LIMIT_MS and (options.quick or len(found) >= EVENTS)
    if not options.no_record and not options.quick:
        figures = record.finite({"clip_onset_error_ms_max": significant(worst, 3), "clips": costs})
        reliability.update(figures, WEB, record.finite(details))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
