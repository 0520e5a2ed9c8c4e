"""Cost of a second of sound on its way to the model's rate."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from math import gcd

import numpy as np
from numpy.typing import NDArray

from aed_daemon.audio.resample import Resampler, design
from benchmarks.measure import alternate
from benchmarks.outcome import Outcome, Row

RATE_HZ = 16_000
RATES_HZ = (48_000, 44_100)
BLOCKS_S = (0.02, 1.0)
HEADLINE = "48000_20ms"

Push = Callable[[NDArray[np.float32]], object]


def ways(rate_hz: int) -> dict[str, Push]:
    """Return ours and the baselines, each taking a block, float32 (n,).

    scipy's has no state between blocks, so its output is wrong at their seams: a baseline of cost
    alone, once with our filter and once with its own, shorter one (which it designs at each call).
    """
    from scipy import signal

    divisor = gcd(rate_hz, RATE_HZ)
    up, down = RATE_HZ // divisor, rate_hz // divisor
    taps = np.asarray(design(rate_hz, RATE_HZ) / up, np.float32)
    found: dict[str, Push] = {
        "ours": Resampler(rate_hz, RATE_HZ).push,
        "scipy_same_filter": lambda block: signal.resample_poly(block, up, down, window=taps),
        "scipy_default_filter": lambda block: signal.resample_poly(block, up, down),
    }
    if importlib.util.find_spec("soxr"):
        soxr = importlib.import_module("soxr")
        found["soxr_hq"] = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32").resample_chunk
    return found


def run(*, quick: bool) -> Outcome:
    """Measure it."""
    details: dict[str, object] = {"unit": "ms per second of audio"}
    rows = []
    headline = 0.0
    for rate_hz in RATES_HZ:
        second = np.asarray(np.random.default_rng(1).standard_normal(rate_hz) * 0.1, np.float32)
        for block_s in BLOCKS_S:
            step = round(rate_hz * block_s)

            def over(push: Push, second: NDArray[np.float32] = second, step: int = step) -> None:
                for at in range(0, len(second), step):
                    push(second[at : at + step])

            work = {name: (lambda push=push, over=over: over(push)) for name, push in ways(rate_hz).items()}
            taken = {name: t.scaled(1e3) for name, t in alternate(work, 10 if quick else 60).items()}
            key = f"{rate_hz}_{round(block_s * 1e3)}ms"
            details[key] = {name: times.spread() for name, times in taken.items()}
            value = taken["ours"].spread()["median"]
            if key == HEADLINE:
                headline = value
            beside = ", ".join(f"{name} {t.median:.3g}" for name, t in taken.items() if name != "ours")
            rows.append(Row(f"resample {rate_hz} Hz, {block_s * 1e3:g} ms blocks", value, "ms/s", beside))
    return Outcome(figures={"resample_ms_per_audio_s": headline}, details=details, rows=rows)
