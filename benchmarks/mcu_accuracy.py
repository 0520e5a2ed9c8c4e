"""Clip accuracy of the C on ESC-10, in two modes: five networks, each on the fold that it has not heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.features import log_mel
from aed_daemon.gate import EnergyGate
from aed_daemon.inference import quantize
from aed_daemon.level import LevelStream
from aed_daemon.manifest import ModelManifest, load_manifest
from benchmarks.clips import DATA_DIR
from benchmarks.mcu_programs import on_host, scores_on_host
from benchmarks.mcu_sounds import FOLDS, Rows
from benchmarks.outcome import UnavailableError
from model_tools.data.esc10 import SLUGS
from model_tools.evaluation.clip_scores import FoldClip, fold_clips
from model_tools.evaluation.clips import clip_patches
from model_tools.evaluation.statistics import wilson
from model_tools.export import network_c
from model_tools.export.graph import read_network
from model_tools.export.plan import Mode, plan
from model_tools.export.sources import CSRC

ROOT = Path(__file__).parents[1]
NETWORKS = ROOT / "evaluation" / "distilled"
MODES: Sequence[Mode] = ("patch", "stream")

_GATE_DBFS = (-65.0, -70.0)
"""As `clip_patches` has it."""

_DECISION_FRAMES = 8
"""Between decisions of a stream."""


def accuracy(work: Path, *, quick: bool) -> dict[str, Any]:
    """Return the clips that came out right, by mode, and in how many clips the modes agree."""
    right: dict[Mode, list[bool]] = {mode: [] for mode in MODES}
    agree = 0
    clips = _clips()
    for fold in FOLDS:
        model = NETWORKS / f"fold{fold}-seed1.tflite"
        if not model.exists():
            raise UnavailableError(f"{model} is missing: make train-folds")
        own = [clip for clip in clips if clip.fold == fold][:: 20 if quick else 1]
        found = {mode: _found(model, mode, own, work / f"{fold}-{mode}") for mode in MODES}
        for mode in MODES:
            pairs = zip(found[mode], own, strict=True)
            right[mode] += [SLUGS[best] == clip.slug for best, clip in pairs]
        agree += sum(a == b for a, b in zip(found["patch"], found["stream"], strict=True))
    told: dict[str, Any] = {mode: _told(right[mode]) for mode in MODES}
    return told | {"agreeing_clips": agree}


def _clips() -> Sequence[FoldClip]:
    return fold_clips(DATA_DIR / "esc10", ROOT / "cache")


def _told(right: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson(sum(right), len(right))
    return {
        "clip_accuracy": sum(right) / len(right),
        "clips": len(right),
        "ci95": [round(low, 4), round(high, 4)],
    }


def _found(model: Path, mode: Mode, clips: Sequence[FoldClip], work: Path) -> list[int]:
    """Return the class of each clip: the largest mean probability over its decisions."""
    manifest = load_manifest(model)
    walk = plan(read_network(model.read_bytes()), mode)
    work.mkdir(parents=True)
    for name, text in network_c.network_files(walk, manifest.name).items():
        (work / name).write_text(text)
    sources = [*(CSRC / name for name in network_c.SOURCES), work / "aed_weights.c"]
    program = on_host(sources, [CSRC, work], "network_host.c", work)
    columns = [manifest.slugs.index(slug) for slug in SLUGS]
    decide = _in_patches if mode == "patch" else _streamed
    means = (decide(program, manifest, clip.samples).astype(np.float64).mean(axis=0) for clip in clips)
    return [int(np.argmax(mean[columns])) for mean in means]


def _in_patches(program: Path, manifest: ModelManifest, samples: NDArray[np.float32]) -> Rows:
    patches = clip_patches(samples, manifest.spec)
    return scores_on_host(program, _quantised(np.concatenate([*patches]), manifest), len(manifest.slugs))


def _streamed(program: Path, manifest: ModelManifest, samples: NDArray[np.float32]) -> Rows:
    """Return the scores of the decisions that pass the gate; if none does, of the loudest."""
    spec = manifest.spec
    rows = _quantised(log_mel(samples, spec), manifest)
    scores = scores_on_host(program, rows, len(manifest.slugs))
    level = LevelStream(spec.hop_length).push(samples).rms_cdb
    gate = EnergyGate(*(round(100 * dbfs) for dbfs in _GATE_DBFS))
    begins = range(0, _DECISION_FRAMES * len(scores), _DECISION_FRAMES)
    loudest = [int(level[begin : begin + spec.patch_frames].max()) for begin in begins]
    kept = [score for score, cdb in zip(scores, loudest, strict=True) if gate.passes(cdb)]
    return np.array(kept or [scores[int(np.argmax(loudest))]])


def _quantised(rows: NDArray[np.float32], manifest: ModelManifest) -> Rows:
    return quantize(rows, manifest.input.scale, manifest.input.zero_point)
