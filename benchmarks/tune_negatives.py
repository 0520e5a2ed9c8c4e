"""`python -m benchmarks.tune_negatives`: whether `tune --assume-wrong` keeps its word on hours of no class.

The default model listens to recordings in which none of its classes sounds, and that no network was
trained or calibrated on: the test part of what `model-tools fetch negatives` fetches. Half of them are
logged, `aed-daemon tune` writes thresholds for a wanted rate, far below what the model does by itself,
and a daemon with these listens to the other half. See `benchmarks.tune` for the daemon's part.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from aed_daemon.history.archive import Archive
from aed_daemon.history.rows import Query
from aed_daemon.manifest import DEFAULT_MODEL
from benchmarks import reliability
from benchmarks.clips import RATE_HZ, decode, quiet, to_s16
from benchmarks.tune import (
    FACTOR,
    LEAST_EXPECTED,
    WEB,
    Count,
    Half,
    configure,
    heard_s,
    listen,
    thresholds,
    tune,
)
from model_tools.data.packages import package_clips

WANTED_PER_HOUR = 15.0
_MOST_OF_ONE_S = 60.0
_BETWEEN_S = 2.5


def halves(paths: Sequence[Path], seed: int) -> tuple[list[Path], list[Path]]:
    """Return the recordings of both halves, in random order."""
    mixed = sorted(paths)
    random.Random(seed).shuffle(mixed)  # noqa: S311
    return mixed[::2], mixed[1::2]


def made(paths: Sequence[Path], path: Path, seconds: float, seed: int) -> Half:
    """Write so much sound: the first minute of one recording after the other, in a quiet room's noise."""
    written, used = 0, 0
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        for number, one in enumerate(paths):
            sound = decode(one, RATE_HZ)[: round(_MOST_OF_ONE_S * RATE_HZ)]
            noise = quiet(len(sound) + round(_BETWEEN_S * RATE_HZ), seed * 1_000_003 + number)
            noise[: len(sound)] += sound
            file.writeframes(to_s16(noise).tobytes())
            written, used = written + len(noise), used + 1
            if written >= seconds * RATE_HZ:
                break
    print(f"{path.name}: {used} recordings, {written / RATE_HZ:.0f} s", file=sys.stderr)
    return Half(path, ())


def started(archive: Archive) -> Count:
    """Return how many events a daemon has started."""
    return Count(len(list(archive.every(Query(limit=1_000)))), heard_s(archive))


def main() -> int:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="of model-tools fetch")
    parser.add_argument("--hours", type=float, default=1.5, help="of each half")
    parser.add_argument("--seed", type=int, default=1, help="of the split")
    parser.add_argument("--engine", default="litert", choices=["tflite", "litert"])
    args = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=io.StringIO()))
    paths = [clip.path for clip in package_clips(args.cache, "test")[0]]
    if not paths:
        print("cannot run here: no negatives; make negatives, or give --cache")
        return 1
    with TemporaryDirectory() as name:
        folder = Path(name)
        first, second = (
            made(half, folder / f"{which}.wav", args.hours * 3_600, args.seed)
            for which, half in zip("ab", halves(paths, args.seed), strict=True)
        )
        archives = []
        for which, half in (("a", first), ("b", second)):
            (folder / which).mkdir()
            archives.append(
                listen(configure(folder / which, DEFAULT_MODEL, half, args.engine), folder / which)
            )
        (folder / "tuned").mkdir()
        config = configure(folder / "tuned", DEFAULT_MODEL, second, args.engine)
        tune(config, archives[0], WANTED_PER_HOUR, "--assume-wrong")
        reached = started(listen(config, folder / "tuned"))
        written = thresholds(config)
        logged, untuned = map(started, archives)
    expected = WANTED_PER_HOUR * reached.heard_s / 3_600
    kept = 1 / FACTOR <= reached.per_hour / WANTED_PER_HOUR <= FACTOR and expected >= LEAST_EXPECTED
    print(f"logged: {logged.false_alarms} in {logged.heard_s:.0f} s, {logged.per_hour:.1f}/h")
    print(f"other half, untuned: {untuned.false_alarms} in {untuned.heard_s:.0f} s, {untuned.per_hour:.1f}/h")
    print(
        f"wanted {WANTED_PER_HOUR:g}/h ({expected:.1f} expected): {reached.false_alarms}, "
        f"{reached.per_hour:.1f}/h: " + ("kept" if kept else "MISSED")
    )
    figures = {
        "wanted_fa_per_hour": WANTED_PER_HOUR,
        "reached_fa_per_hour": round(reached.per_hour, 2),
        "untuned_fa_per_hour": round(untuned.per_hour, 2),
        "expected_false_alarms": round(expected, 1),
        "false_alarms": reached.false_alarms,
        "counted_on_s": round(reached.heard_s, 1),
    }
    details = {
        "engine": args.engine,
        "seed": args.seed,
        "tuned_on_s": round(logged.heard_s, 1),
        "thresholds": written,
    }
    reliability.update({"tune_negatives": figures}, WEB, details)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
