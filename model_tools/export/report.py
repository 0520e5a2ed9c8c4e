"""What an export is, takes and costs, as report.json has it; each estimate says how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aed_daemon import __version__
from aed_daemon.manifest import ModelManifest
from model_tools.export import fit, memory_map
from model_tools.export.footprint import Buffers, Flash
from model_tools.export.graph import Convolution, Dense, Plane
from model_tools.export.measure import Measured
from model_tools.export.plan import Plan
from model_tools.export.targets import Target
from model_tools.export.vectors import Vectors

REFERENCE = (
    "TensorFlow Lite's reference kernels (BUILTIN_REF) as tflite-runtime 2.14 has them: they round twice "
    "where sums become values of the next layer. LiteRT's round the logits once; XNNPACK rounds once "
    "everywhere, and differs in about 2 % of the values by one step."
)

_KIB = 1_024
_ST = {
    "activations": round(109.57 * _KIB),
    "runtime's RAM": round(7.61 * _KIB),
    "weights and biases": round(135.91 * _KIB),
    "code": round(57.74 * _KIB),
    "cycles per multiply-accumulate": 1.885,
}
_ST_SOURCE = (
    "STMicroelectronics' model card of Yamnet-256 int8 with ten classes on B-U585I-IOT02A; there features, "
    "audio buffers and event logic come on top"
)
_RAM_METHOD = {
    True: "sizeof, by this machine's compiler (the state holds no pointers)",
    False: "estimated: gcc is not installed",
}


@dataclass(frozen=True)
class Facts:
    """What a report is made of.

    Attributes
    ----------
    manifest, plan, choice, target, waiting, known
        What was exported, and how.
    sizes : mapping of str to int
        Bytes of the state and its parts.
    exact : bool
        Whether a compiler has told them.
    flash : sequence of Flash
        Parts of the program.
    flash_method : str
        How they were found.
    load : Load or None
        None where the target has no clock.
    measured : Measured or str
        What the emulator says, or why it was not asked.
    """

    manifest: ModelManifest
    plan: Plan
    choice: fit.Choice
    target: Target
    waiting: Buffers
    sizes: Mapping[str, int]
    exact: bool
    flash: Sequence[Flash]
    flash_method: str
    load: fit.Load | None
    measured: Measured | str
    known: Vectors


def as_dict(facts: Facts) -> dict[str, Any]:
    """Return the report as it goes into report.json."""
    ram, flash = memory_map.ram(facts.plan, facts.sizes), memory_map.flash(facts.flash)
    return {
        "schema": 1,
        "generator": f"model-tools {__version__}",
        "model": _model(facts.manifest),
        "target": _target(facts.target),
        "mode": facts.choice.mode,
        "hop_frames": facts.choice.hop_frames,
        "latency": _latency(facts),
        "reference": REFERENCE,
        "layers": _layers(facts),
        "stages": [_stage_name(stage) for stage in facts.plan.stages] + ["mean, logits and scores"],
        "macs_per_patch": sum(facts.plan.macs.values()),
        "macs_per_s": round(facts.plan.macs_per_s),
        "load": _load(facts),
        "ram": {
            "regions": [region._asdict() for region in ram],
            "network_bytes": facts.sizes["network"],
            "state_bytes": facts.sizes["state"],
            "total_bytes": memory_map.total(ram),
            "method": _RAM_METHOD[facts.exact] + "; the stack's part is reserved",
        },
        "flash": {
            "regions": [region._asdict() for region in flash],
            "weights_bytes": facts.plan.weights_bytes,
            "total_bytes": memory_map.total(flash),
            "method": facts.flash_method,
        },
        "buffers": facts.waiting._asdict(),
        "measured": _measured(facts),
        "known_answers": _known(facts.known),
        "st": {**_ST, "source": _ST_SOURCE},
    }


def as_json(report: Mapping[str, Any]) -> str:
    """Return the text of report.json."""
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


def _model(manifest: ModelManifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": manifest.sha256,
        "spec_id": manifest.spec_id,
        "classes": list(manifest.slugs),
        "activation": manifest.activation,
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "name": target.name,
        "part": target.part,
        "processor": target.processor.name if target.processor else None,
        "core": target.processor.core if target.processor else None,
        "clock_hz": target.clock_hz,
        "ram_bytes": target.ram_bytes,
        "flash_bytes": target.flash_bytes,
    }


def _latency(facts: Facts) -> dict[str, Any]:
    walk = facts.plan
    return {
        "patch_ms": 10 * walk.network.input.rows,
        "decision_every_ms": 10 * facts.choice.hop_frames,
        "delay_ms": 10 * walk.delay_frames,
        "method": "from the last frame of a patch to its decision, less what the computation takes",
    }


def _layers(facts: Facts) -> list[dict[str, Any]]:
    network, each = facts.plan.network, facts.plan.macs_per_decision()
    layers: list[Convolution | Dense] = [*network.convolutions, network.dense]
    return [
        {
            "name": layer.name,
            "input": _shape(layer.input),
            "output": _shape(layer.output),
            "macs": layer.macs,
            "macs_per_decision": round(each[layer.name]),
            "weights_bytes": int(layer.weights.kernel.size),
            "biases_bytes": 4 * int(layer.weights.bias.size),
        }
        for layer in layers
    ]


def _shape(plane: Plane) -> list[int]:
    return [plane.rows, plane.columns, plane.channels]


def _stage_name(stage: Any) -> str:
    return " and ".join(layer.name for layer in (stage.producer, stage.consumer) if layer)


def _load(facts: Facts) -> dict[str, Any] | None:
    processor = facts.target.processor
    if facts.load is None or processor is None:
        return None
    return {
        "share": round(facts.load.share, 4),
        "limit": fit.MOST_LOAD,
        "macs_per_s": round(facts.load.macs_per_s),
        "cycles_per_mac": round(processor.cycles_per_mac, 3),
        "network_cycles_per_s": round(facts.load.network_cycles_per_s),
        "other_cycles_per_s": round(facts.load.other_cycles_per_s),
        "method": f"an estimate: {processor.method}",
    }


def _measured(facts: Facts) -> dict[str, Any] | str:
    found = facts.measured
    if isinstance(found, str):
        return found
    decisions_per_s = facts.manifest.spec.frames_per_second / facts.choice.hop_frames
    per_s = round(found.network_instructions * decisions_per_s)
    return {**found.as_dict(), "network_instructions_per_audio_s": per_s}


def _known(known: Vectors) -> dict[str, Any]:
    kinds = [f"{event.type} {event.slug}" for event in known.events]
    return {
        "sound_blocks": len(known.blocks),
        "rows": len(known.rows),
        "decisions": len(known.scores),
        "events": kinds,
    }
