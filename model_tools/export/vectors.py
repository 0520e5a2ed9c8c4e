"""Known answers of an export, for `aed_selftest.c`: a sound, its rows, the network's scores, the events.

They come from the daemon's own features, levels and tracker, and from the network in NumPy.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Decision, Detector
from aed_daemon.events import EventType, Reason
from aed_daemon.features import log_mel
from aed_daemon.inference import quantize
from aed_daemon.manifest import ModelManifest
from aed_daemon.spec import FeatureSpec
from aed_daemon.tracker import TrackEvent
from model_tools.export.cwriter import array, header
from model_tools.export.dc_blocker import FixedDcBlocker, as_floats
from model_tools.export.known_sound import Block, Generator, distinct, noise_rows
from model_tools.export.plan import Plan
from model_tools.export.reference import Outcome, walk
from model_tools.export.rules_c import TrackerRules

_PATCHES = 3
"""Of the network's vectors: the first of the sound, the others of noise."""

_BLOCK_TYPE = """/* Amplitudes from peak to peak, and the step of the sawtooth's phase, 2^-16 cycles. */
struct aed_vector_block {
    uint16_t noise, wave, step;
};
"""

_FIRST_ROW = 296
"""Of the sound that is compared: the rotor follows, the burst, and the quiet behind it."""

_TYPES: tuple[str, ...] = get_args(EventType)
_REASONS: tuple[str | None, ...] = (None, *get_args(Reason))


@dataclass(frozen=True)
class Vectors:
    """Inputs and what must come of them.

    Attributes
    ----------
    blocks : sequence of Block
        The sound.
    rows : ndarray, int8 (patch_frames, n_mels)
        Some of its rows, from quiet to clipping; the network's first inputs.
    scores : ndarray, int8 (decisions, classes)
        Of the network's inputs: `rows`, and noise for two patches more.
    checks : sequence of int
        CRC-32 of the rows that each stage but the last makes of them, q + 128.
    events : sequence of TrackEvent
        Of the sound.
    """

    blocks: Sequence[Block]
    rows: NDArray[np.int8]
    scores: NDArray[np.int8]
    checks: Sequence[int]
    events: Sequence[TrackEvent]


def vectors(plan: Plan, manifest: ModelManifest, detection: DetectionConfig) -> Vectors:
    """Return the known answers.

    Parameters
    ----------
    plan : Plan
        The network's walk.
    manifest : ModelManifest
        With the thresholds of exact engines.
    detection : DetectionConfig
        With the hop of the export.
    """
    spec, tensor = manifest.spec, manifest.input
    blocks = distinct(scene(spec), spec, tensor)
    samples = as_floats(FixedDcBlocker(spec.sample_rate_hz).push(sound(blocks, spec)), spec.pcm_full_scale)
    rows = quantize(log_mel(samples, spec), tensor.scale, tensor.zero_point)
    length = spec.patch_frames
    known = rows[_FIRST_ROW : _FIRST_ROW + length]
    inputs = np.concatenate([known, noise_rows(0, (_PATCHES - 1) * length, spec.n_mels)])
    outcomes = _walked(plan, inputs)
    stages = [stage.producer.name for stage in plan.stages[:-1]]
    return Vectors(
        blocks,
        known,
        np.concatenate([outcome.scores for outcome in outcomes]),
        [_check([outcome.planes[name] for outcome in outcomes]) for name in stages],
        _events(plan, manifest, detection, samples, rows),
    )


def scene(spec: FeatureSpec) -> list[Block]:
    """Return a sound with silence, a quiet background, wails, a rotor, and a burst that clips."""
    silence, quiet = Block(0, 0, 0), Block(24, 0, 0)
    wails = [*_wail(50, 450.0, 650.0, spec), *[quiet] * 20] * 2
    burst = [Block(60_000, 20_000, _step(60.0 + 20.0 * i, spec)) for i in range(16)]
    loud = [*wails, *_rotor(110, spec), *burst]
    return [*[silence] * 6, *[quiet] * 104, *loud, *[quiet] * 100, *[silence] * 6]


def sound(blocks: Sequence[Block], spec: FeatureSpec) -> NDArray[np.int16]:
    """Return the samples of blocks, int16 (n,)."""
    generator, parts = Generator(spec.hop_length), []
    for block in blocks:
        parts.append(generator.made(block))
        generator.go_on(block)
    return np.concatenate(parts)


def vector_files(known: Vectors, rules: TrackerRules, plan: Plan) -> Mapping[str, str]:
    """Return the texts of `aed_vectors.h` and `aed_vectors.c`, by name."""
    sizes = {
        "BLOCKS": len(known.blocks),
        "FIRST_ROW": _FIRST_ROW,
        "ROWS": len(known.rows),
        "INPUTS": _PATCHES * len(known.rows),
        "DECISIONS": len(known.scores),
        "EVENTS": len(known.events),
        "STAGE_BYTES": max(stage.columns * stage.channels for stage in plan.stages[:-1]),
    }
    first = f"/* Known answers of {rules.origin.replace('*/', '* /')} */\n"
    blocks = ",\n".join(f"    {{{b.noise}, {b.wave}, {b.step}}}" for b in known.blocks)
    events = ",\n".join([*(_event(event, rules) for event in known.events), "    {0}"])
    declared = "".join(
        f"extern const {array_};\n"
        for array_ in (
            "struct aed_vector_block aed_vector_blocks[AED_VECTOR_BLOCKS]",
            "int8_t aed_vector_rows[AED_VECTOR_ROWS][AED_MELS]",
            "int8_t aed_vector_scores[AED_VECTOR_DECISIONS][AED_CLASSES]",
            "uint32_t aed_vector_checks[AED_STAGES - 1]",
            "struct aed_event aed_vector_events[AED_VECTOR_EVENTS + 1]",
        )
    )
    body = [
        '#include "aed_event.h"\n#include "aed_network.h"\n',
        "".join(f"#define AED_VECTOR_{name} {value}\n" for name, value in sizes.items()),
        _BLOCK_TYPE,
        declared,
    ]
    tables = [
        '#include "aed_vectors.h"\n',
        f"const struct aed_vector_block aed_vector_blocks[AED_VECTOR_BLOCKS] = {{\n{blocks}}};\n",
        _table("aed_vector_rows[AED_VECTOR_ROWS][AED_MELS]", known.rows),
        _table("aed_vector_scores[AED_VECTOR_DECISIONS][AED_CLASSES]", known.scores),
        array("aed_vector_checks", np.array(known.checks, np.uint32), linkage=""),
        "/* Without score_total and hops. */",
        f"const struct aed_event aed_vector_events[AED_VECTOR_EVENTS + 1] = {{\n{events}}};\n",
    ]
    return {
        "aed_vectors.h": first + header("AED_VECTORS_H", body),
        "aed_vectors.c": first + "\n".join(tables),
    }


class _Network:
    """A classifier: the network in NumPy; in stream mode the decision `at` of the whole sound."""

    def __init__(self, plan: Plan, manifest: ModelManifest, rows: NDArray[np.int8]) -> None:
        self.manifest, self.engine, self.exact = manifest, "numpy", True
        self.at = 0
        self._plan = plan
        self._stream = walk(plan, rows).scores if plan.mode == "stream" else None

    @property
    def decisions(self) -> int | None:
        """How many there are, None for as many as patches."""
        return None if self._stream is None else len(self._stream)

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.int8]:
        if self._stream is not None:
            return np.asarray(self._stream[self.at])
        tensor = self.manifest.input
        patch = quantize(rows, tensor.scale, tensor.zero_point)
        return np.asarray(walk(self._plan, patch).scores[0])


def _events(
    plan: Plan,
    manifest: ModelManifest,
    detection: DetectionConfig,
    samples: NDArray[np.float32],
    rows: NDArray[np.int8],
) -> list[TrackEvent]:
    network = _Network(plan, manifest, rows)
    detector = Detector(network, detection)
    decisions: list[Decision] = []
    for block in samples.reshape(-1, manifest.spec.hop_length):
        if network.at == network.decisions:
            break
        decisions += detector.push(block)
        network.at = len(decisions)
    return [event for decision in decisions for event in decision.events]


def _walked(plan: Plan, inputs: NDArray[np.int8]) -> list[Outcome]:
    if plan.mode == "patch":
        return [walk(plan, patch) for patch in np.split(inputs, _PATCHES)]
    return [walk(plan, inputs)]


def _check(planes: Sequence[NDArray[np.int8]]) -> int:
    values = np.concatenate([plane.reshape(-1) for plane in planes]).astype(np.int16) + 128
    return zlib.crc32(values.astype(np.uint8).tobytes())


def _event(event: TrackEvent, rules: TrackerRules) -> str:
    smoothing = next((rule.smoothing_hops for rule in rules.classes if rule.slug == event.slug), 1)
    label = rules.slugs.index(event.slug) if event.slug in rules.slugs else len(rules.slugs)
    scores = [round((score or 0) * smoothing) for score in (event.score, event.score_max)]
    sound = event.sound
    fields = {
        "track": event.track,
        "start_frame": event.start_frame,
        "end_frame": event.end_frame or 0,
        "score": scores[0],
        "score_max": scores[1],
        "sound": f"{{{sound.rms_cdb}, {sound.peak_cdb}, {sound.floor_cdb}, {int(sound.clipped)}}}",
        "label": label,
        "type": _TYPES.index(event.type),
        "reason": _REASONS.index(event.reason),
    }
    return "    {" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "}"


def _table(declared: str, values: NDArray[np.int8]) -> str:
    rows = ",\n".join(f"    {{{', '.join(map(str, row))}}}" for row in values.tolist())
    return f"const int8_t {declared} = {{\n{rows}}};\n"


def _wail(blocks: int, first_hz: float, last_hz: float, spec: FeatureSpec) -> list[Block]:
    """Return a tone that swells, rises and fades over noise."""
    made = []
    for i in range(blocks):
        wave = round(12_000 * math.sin(math.pi * (i + 0.5) / blocks))
        made.append(Block(24, wave, _step(first_hz + (last_hz - first_hz) * i / blocks, spec)))
    return made


def _rotor(blocks: int, spec: FeatureSpec) -> list[Block]:
    """Return noise that beats twelve times a second over a hum."""
    beats = (0.6 + 0.4 * math.sin(2 * math.pi * 12 * i / spec.frames_per_second) for i in range(blocks))
    return [Block(round(6_000 * beat), 3_000, _step(60.0, spec)) for beat in beats]


def _step(hz: float, spec: FeatureSpec) -> int:
    return round(hz / spec.sample_rate_hz * 65_536)
