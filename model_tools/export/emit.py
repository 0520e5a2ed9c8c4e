"""From a model to a folder of C: written, compiled where possible, checked, and only then put in place."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aed_daemon.config import DetectionConfig
from aed_daemon.errors import ModelError
from aed_daemon.manifest import ModelManifest, load_manifest, read_model_file
from model_tools.export import fit, footprint, memory_map, report, report_text
from model_tools.export.folder import check_free, whole, write
from model_tools.export.footprint import Flash
from model_tools.export.graph import Network, read_network
from model_tools.export.measure import Measured, measured
from model_tools.export.plan import Mode, Plan, plan
from model_tools.export.rules_c import tracker_rules
from model_tools.export.sources import project_files, source_files
from model_tools.export.targets import Target
from model_tools.export.toolchain import MissingToolError
from model_tools.export.vectors import vector_files, vectors


@dataclass(frozen=True)
class Order:
    """What is to be exported.

    Attributes
    ----------
    model : Path
        NAME.tflite with NAME.json beside it.
    target : Target
        For what.
    mode : {"patch", "incremental", "stream"} or None
        How the network walks; None for what fits.
    hop_frames : int or None
        Frames from decision to decision; None for what fits.
    detection : DetectionConfig
        Thresholds and times.
    emulator : bool
        Whether to run the known answers in the emulator, where it is installed.
    """

    model: Path
    target: Target
    mode: Mode | None
    hop_frames: int | None
    detection: DetectionConfig
    emulator: bool = True


@dataclass(frozen=True)
class Model:
    """A model that has been read."""

    manifest: ModelManifest
    network: Network


def export(order: Order, out: Path, *, force: bool = False) -> dict[str, Any]:
    """Write an export and return its report.

    Raises
    ------
    ModelError
        If the model cannot be exported, or is not what its manifest says.
    ConfigError
        If the configuration leaves nothing to listen for.
    AedError
        If it does not fit the target, or the folder is taken.
    """
    check_free(out, force=force)
    model = read_model(order.model)
    chosen = fit.choices(model.network, order.target, order.mode, order.hop_frames)
    for choice in chosen[:-1]:
        try:
            return _export(order, model, choice, out, force=force)
        except fit.MisfitError:
            continue
    return _export(order, model, chosen[-1], out, force=force)


def read_model(path: Path) -> Model:
    """Return a model's manifest, with the thresholds of exact engines, and its network; ModelError."""
    manifest = load_manifest(path)
    file = path.with_name(manifest.file)
    network = read_network(read_model_file(file), where=str(file))
    _check_agreement(manifest, network, str(file))
    return Model(manifest.for_engine(exact=True), network)


def _export(order: Order, model: Model, choice: fit.Choice, out: Path, *, force: bool) -> dict[str, Any]:
    target, manifest = order.target, model.manifest
    walk = plan(model.network, choice.mode, choice.hop_frames)
    detection = order.detection.model_copy(update={"hop_frames": choice.hop_frames})
    rules = tracker_rules(detection, manifest)
    waiting = footprint.buffers(walk, rules)
    bearable = fit.load(walk, target)
    # What is estimated is enough to refuse without writing anything.
    guessed = footprint.estimated_state(walk, rules, waiting)
    if bearable and bearable.share > fit.MOST_LOAD:
        _check(model, choice, target, walk, guessed, footprint.estimated_flash(walk))
    sources = dict(source_files(walk, manifest, rules, waiting, target))
    with whole(out, force=force) as folder, tempfile.TemporaryDirectory() as work:
        for name, text in sources.items():
            write(folder, f"src/{name}", text)
        sizes = footprint.state_sizes(folder / "src", Path(work))
        flash, method = _flash(folder / "src", target, walk, Path(work))
        _check(model, choice, target, walk, sizes or guessed, flash)
        known = vectors(walk, manifest, detection)
        for name, text in vector_files(known, rules, walk).items():
            sources[name] = text
            write(folder, f"src/{name}", text)
        ran = _measured(order, folder / "src", Path(work))
        facts = report.Facts(
            manifest, walk, choice, target, waiting, sizes or guessed, sizes is not None, flash, method,
            bearable, ran, known,
        )  # fmt: skip
        told = report.as_dict(facts)
        mode = f"{choice.mode}, a decision every {choice.hop_frames * 10} ms"
        around = {"MODE": mode, "STATE": f"{(sizes or guessed)['state']:,}"}
        for name, text in project_files(manifest, target, sources, around).items():
            write(folder, name, text)
        write(folder, "report.json", report.as_json(told))
        write(folder, "report.txt", report_text.as_text(told))
        write(folder, "memory.svg", report_text.as_picture(told))
    return told


def _check(
    model: Model,
    choice: fit.Choice,
    target: Target,
    walk: Plan,
    sizes: Mapping[str, int],
    flash: list[Flash],
) -> None:
    needs = fit.Needs(
        memory_map.total(memory_map.ram(walk, sizes)),
        memory_map.total(memory_map.flash(flash)),
        fit.load(walk, target),
    )
    fit.check(model.network, choice, needs, target)


def _flash(source: Path, target: Target, walk: Plan, work: Path) -> tuple[list[Flash], str]:
    core = target.processor.emulated if target.processor else footprint.reference_core()
    if core is None:
        return footprint.estimated_flash(walk), "estimated: the emulator has no such processor"
    try:
        told = f"compiled for {core.name} with -O2 by arm-none-eabi-gcc, linked, unused functions left out"
        return footprint.flash(source, core, work), told
    except MissingToolError as error:
        return footprint.estimated_flash(walk), f"estimated: {error}"


def _measured(order: Order, source: Path, work: Path) -> Measured | str:
    """Return what the emulator says, or why it was not asked."""
    processor = order.target.processor
    core = processor.emulated if processor else footprint.reference_core()
    if not order.emulator:
        return "not measured: --no-emulator"
    if core is None:
        return "not measured: the emulator has no such processor"
    try:
        return measured(source, core, work)
    except MissingToolError as error:
        return f"not measured: {error}"


def _check_agreement(manifest: ModelManifest, network: Network, where: str) -> None:
    """Refuse a network that is not the one that the manifest tells of."""
    layout = "mels_frames" if network.transposed else "frames_mels"
    spec = manifest.spec
    facts: dict[str, tuple[object, object]] = {
        "layout": (layout, manifest.input.layout),
        "patch": ((network.input.rows, network.input.columns), (spec.patch_frames, spec.n_mels)),
        "input's scale": (network.input.scale, float(np.float32(manifest.input.scale))),
        "input's zero point": (network.input.zero_point, manifest.input.zero_point),
        "number of classes": (network.output.channels, len(manifest.labels)),
        "output's scale": (network.output.scale, float(np.float32(manifest.output.scale))),
        "output's zero point": (network.output.zero_point, manifest.output.zero_point),
        "activation": (network.activation, manifest.activation),
    }
    for name, (got, expected) in facts.items():
        if got != expected:
            raise ModelError(
                f"the network's {name} is not the manifest's",
                where=where,
                expected=str(expected),
                got=str(got),
                hint="Model and manifest do not belong together.",
            )
