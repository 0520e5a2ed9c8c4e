"""Whether an export computes what it was made to: on this machine with sanitizers, and on emulated cores."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aed_daemon.config_file import load_config
from aed_daemon.errors import AedError
from aed_daemon.inference import load_classifier
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from model_tools.export import trace
from model_tools.export.folder import MARK
from model_tools.export.footprint import STACK_BYTES
from model_tools.export.measure import measured, numbers, told
from model_tools.export.report_text import columns
from model_tools.export.toolchain import CORES, MissingToolError, host_program

Tell = Callable[[str], None]
"""Takes a line about what is being done."""

EQUAL = "equal"


def verify(
    export: Path, model: Path | None = None, patches: int = 20, tell: Tell = lambda _: None
) -> dict[str, Any]:
    """Check an export, and return what was found.

    Parameters
    ----------
    export : Path
        Its folder.
    model : Path, optional
        Its NAME.tflite, to compare the network layer by layer; the one in the package if it is of that.
    patches : int
        How many to compare.
    tell : callable
        Takes a line when a part of the work begins.

    Returns
    -------
    dict
        "host", "cores" by name and "network": each with "difference", "" where nothing differs, or "skipped"
        with what is missing; for a bundle of the daemon "bundle".

    Raises
    ------
    AedError
        If there is no export, or a compiler refuses it.
    """
    report = read_report(export)
    if "daemon" in report:
        return {"bundle": _bundle(export, report)}
    found: dict[str, Any] = {}
    source = export / "src"
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        tell("this machine, with sanitizers")
        found["host"] = _tried(lambda: {"difference": _on_host(export, work)})
        found["cores"] = {}
        for name, core in CORES.items():
            tell(f"{name} on {core.machine}")
            found["cores"][name] = _tried(
                lambda core=core: measured(source, core, work).as_dict()  # type: ignore[misc]
            )
        model = model or _shipped(report)
        if model is not None:
            tell(f"layer by layer, {patches} patches")
            found["network"] = _tried(lambda: _network(trace.compared(export, report, model, patches, work)))
    return found


def _shipped(report: Mapping[str, Any]) -> Path | None:
    """Return the model in the package where an export is of it."""
    return DEFAULT_MODEL if load_manifest(DEFAULT_MODEL).sha256 == report["model"]["sha256"] else None


def read_report(export: Path) -> dict[str, Any]:
    """Return an export's report.json; AedError."""
    try:
        report = json.loads((export / MARK).read_bytes())
        return dict(report) if {"target", "mode"} <= set(report) else _refuse(export)
    except (OSError, ValueError, TypeError):
        return _refuse(export)


def _refuse(export: Path) -> dict[str, Any]:
    raise AedError(
        "no export here",
        where=str(export),
        expected=f"a folder with {MARK}",
        hint="model-tools export makes it.",
    )


def failures(found: Mapping[str, Any]) -> list[str]:
    """Return what differs, a line for each."""
    parts = {**{k: v for k, v in found.items() if k != "cores"}, **found.get("cores", {})}
    lines = [f"{name}: {part['difference']}" for name, part in parts.items() if part.get("difference")]
    for name, core in found.get("cores", {}).items():
        if core.get("stack_bytes", 0) > STACK_BYTES:
            lines.append(f"{name}: {core['stack_bytes']} bytes of stack, {STACK_BYTES} are reserved")
    return lines


def table(found: Mapping[str, Any]) -> str:
    """Return what was found as text."""
    if "bundle" in found:
        return f"bundle: {found['bundle']['difference'] or 'complete'}\n"
    rows: list[tuple[str, ...]] = [("this machine, sanitizers", _outcome(found["host"]), "", "", "", "")]
    for name, core in found["cores"].items():
        counts = (
            "network_instructions",
            "front_end_instructions_per_frame",
            "step_instructions_max",
            "stack_bytes",
        )
        rows.append(
            (
                f"{name} in the emulator",
                _outcome(core),
                *(f"{core[c]:,}" if c in core else "" for c in counts),
            )
        )
    head = ("known answers", "", "network/decision", "front end/frame", "aed_step at most", "stack, B")
    text = columns(head, rows, (0, 1))
    if "network" in found:
        network = found["network"]
        text += f"\nlayer by layer: {_outcome(network)}"
        if "bytes" in network:
            counted = f"{network['differing']:,} of {network['bytes']:,} bytes differ"
            text += f"; {counted} over {network['patches']} patches from {network['reference']}"
        text += "\n"
    return text + "Instructions are the emulator's: they are not cycles.\n"


def _outcome(part: Mapping[str, Any]) -> str:
    return str(part.get("skipped") or part["difference"] or EQUAL)


def _tried(check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return check()
    except MissingToolError as error:
        return {"skipped": str(error)}


def _on_host(export: Path, work: Path) -> str:
    """Return the difference from the known answers, or what the sanitizers say."""
    source = export / "src"
    sources = [*sorted(source.glob("*.c")), export / "test" / "known_answers.c"]
    # The sanitizers see the same with less optimisation, in half of the time.
    program = host_program(sources, work / "known_answers", includes=[source], sanitize=True, optimise="-O1")
    done = subprocess.run([str(program)], capture_output=True, text=True, errors="replace", check=False)
    found = numbers(done.stdout)
    if "found" not in found:
        return f"stopped: {' '.join(done.stderr.split())[:300]}"
    return told(found)


def _network(found: trace.Comparison) -> dict[str, Any]:
    return {
        "difference": found.first,
        "reference": found.reference,
        "patches": found.patches,
        "bytes": found.bytes,
        "differing": found.differing,
    }


def _bundle(export: Path, report: Mapping[str, Any]) -> dict[str, Any]:
    """Check that the daemon would run what is in a bundle."""
    model = next(export.glob("*.tflite"), None)
    if model is None:
        return {"difference": "there is no model"}
    manifest = load_classifier(model).manifest
    config = load_config(export / "aed.toml", {})
    if manifest.sha256 != report["model"]["sha256"]:
        return {"difference": f"{model.name} is another model than the report's"}
    configured = config.model.path.name if config.model.path else "no model"
    if configured != model.name:
        return {"difference": f"aed.toml names {configured}, not {model.name}"}
    if not (export / report["daemon"]).is_file():
        return {"difference": f"{report['daemon']} is missing"}
    return {"difference": ""}
