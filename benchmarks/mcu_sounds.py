"""Sounds, rows and patches for what runs on a microcontroller: recordings, noise, and what no sound is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aed_daemon.features import log_mel
from aed_daemon.inference import quantize
from aed_daemon.manifest import ModelManifest
from benchmarks.clips import DATA_DIR, RATE_HZ, clips, decode, to_s16
from benchmarks.outcome import UnavailableError

Pcm = NDArray[np.int16]
Rows = NDArray[np.int8]

FOLDS = range(1, 6)


def recording(path: Path) -> Pcm:
    """Return a file's samples at 16 kHz, int16."""
    return to_s16(decode(path, RATE_HZ))


def negatives() -> list[Path]:
    """Return the recordings of no class; UnavailableError where they are not."""
    found = sorted((DATA_DIR / "negatives" / "clips").glob("*.ogg"))
    if not found:
        raise UnavailableError("the negatives are missing: set AED_DATA_DIR to the folder that holds them")
    return found


def speech() -> list[Path]:
    """Return those that are read speech."""
    return [path for path in negatives() if path.stem.replace("-", "").isdigit()]


def esc10() -> list[Path]:
    """Return all clips of ESC-10."""
    return [path for fold in FOLDS for path in clips(fold)]


def noises(seconds: float) -> list[Pcm]:
    """Return noise from a fraction of a step to clipping."""
    rng = np.random.default_rng(1)
    count = round(seconds * RATE_HZ)
    levels = (0.3, 1, 3, 10, 100, 1_000, 10_000, 40_000)
    made = [to_s16(rng.standard_normal(count).astype(np.float32) * level / 32_768) for level in levels]
    return [*made, rng.integers(-32_768, 32_768, count).astype(np.int16)]


def silences(seconds: float) -> list[Pcm]:
    """Return digital silence, and noise that falls silent."""
    faded = noises(seconds)[4].copy()
    faded[len(faded) // 3 : len(faded) // 2] = 0
    return [np.zeros(round(seconds * RATE_HZ), np.int16), faded]


def rows_of(pcm: Pcm, manifest: ModelManifest) -> Rows:
    """Return what the daemon gives to the network, int8 (t, n_mels)."""
    spec, tensor = manifest.spec, manifest.input
    samples = pcm.astype(np.float32) * np.float32(spec.pcm_full_scale / 32_768)
    return quantize(log_mel(samples, spec), tensor.scale, tensor.zero_point)


def stream(seconds: float) -> Pcm:
    """Return clips of ESC-10 one behind the other, of all classes."""
    parts = [recording(path) for path in esc10()[:: 400 // int(seconds / 5 + 1)]]
    return np.concatenate(parts)[: round(seconds * RATE_HZ)]


def patches(manifest: ModelManifest, count: int) -> dict[str, Rows]:
    """Return patches by kind, int8 (n, patch_frames, n_mels): about `count` of recordings, and 320 others."""
    frames, mels = manifest.spec.patch_frames, manifest.spec.n_mels
    sources, each = {"esc10": esc10(), "negatives": negatives()}, {}
    for (kind, paths), share in zip(sources.items(), (0.8, 0.2), strict=True):
        wanted = max(1, round(share * count / len(paths)))
        chosen = paths[:: max(1, round(len(paths) / (share * count)))]
        each[kind] = np.concatenate([_cut(rows_of(recording(p), manifest), frames, wanted) for p in chosen])
    return each | {"noise": _noise_patches(200, frames, mels), "extremes": _extremes(frames, mels)}


def _cut(rows: Rows, frames: int, count: int) -> Rows:
    """Return patches spread over rows, at most as many as there are places for."""
    begins = np.unique(np.linspace(0, len(rows) - frames, count).astype(int))
    return np.stack([rows[at : at + frames] for at in begins])


def _noise_patches(count: int, frames: int, mels: int) -> Rows:
    rng = np.random.default_rng(2)
    made = []
    for number in range(count):
        level, depth = rng.uniform(-128, 127), rng.uniform(0, 80)
        noise = level + rng.normal(0, depth, (frames, mels))
        walk = level + np.cumsum(rng.normal(0, depth / 8, (frames, mels)), axis=number % 2)
        made.append((noise, walk, rng.integers(-128, 128, (frames, mels)))[number % 3])
    return np.clip(np.rint(made), -128, 127).astype(np.int8)


def _extremes(frames: int, mels: int) -> Rows:
    """Return patches of the smallest and largest values: all alike, boards, stripes, single ones."""
    row, column = np.indices((frames, mels))
    made = [np.full((frames, mels), value) for value in (-128, -127, -1, 0, 1, 126, 127)]
    for period in (1, 2, 3, 4, 8, 16, 32):
        for pattern in (row // period, column // period, row // period + column // period):
            board = np.where(pattern % 2 == 0, -128, 127)
            made += [board, -1 - board]
    rng = np.random.default_rng(3)
    while len(made) < 120:
        one = np.full((frames, mels), -128)
        one[rng.integers(frames), rng.integers(mels)] = 127
        made.append(one if len(made) % 2 else -1 - one)
    return np.array(made, np.int8)
