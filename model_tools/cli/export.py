"""`model-tools export`: a model as C for a microcontroller, or as a bundle for the daemon."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_tools.cli.common import positive

if TYPE_CHECKING:
    from aed_daemon.config import DetectionConfig

_UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "Ki": 1 << 10, "Mi": 1 << 20}
_BUDGETS = ("ram", "flash", "clock")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "export",
        help="write a model as C99 for a microcontroller, or as a bundle for the daemon on a board",
        description="Writes C99 that takes 16 kHz PCM and gives events, equal to the Python that was "
        "evaluated; with known answers, a report and the memory map. Refuses what does not fit the target.",
    )
    parser.add_argument(
        "--target", required=True, metavar="NAME", help="stm32u5, host ..: `model-tools targets` lists them"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="int8 model, its manifest beside it (default: the one in the package)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder that is made")
    parser.add_argument("--force", action="store_true", help="replace an export that is there")
    parser.add_argument(
        "--mode",
        choices=("patch", "incremental", "stream"),
        help="patch: as the daemon listens; incremental: the same, what patches share computed once; stream: "
        "a decision every 80 ms (default: the first that the target's clock allows)",
    )
    parser.add_argument(
        "--hop",
        type=positive,
        metavar="FRAMES",
        help="frames of 10 ms between decisions (default: 24, or the least that the target's clock allows)",
    )
    parser.add_argument(
        "--fit",
        type=budgets,
        metavar="BUDGETS",
        help="in place of the target's: ram=64k,flash=256k,clock=80M (k, M: 1000; Ki, Mi: 1024)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration of the daemon, whose [detection] is taken (default: the model's thresholds)",
    )
    parser.add_argument(
        "--no-emulator",
        action="store_true",
        help="do not run the known answers in the emulator, which counts instructions and stack",
    )
    parser.set_defaults(run_command=run)


def budgets(text: str) -> Mapping[str, int]:
    """Read budgets."""
    found: dict[str, int] = {}
    for part in text.split(","):
        match = re.fullmatch(r"(\w+)=(\d+(?:\.\d+)?)(|k|M|Ki|Mi)", part.strip())
        if not match or match[1] not in _BUDGETS or match[1] in found:
            raise argparse.ArgumentTypeError(
                f"{part} is not ram=, flash= or clock= with a number, such as 64k"
            )
        found[match[1]] = int(float(match[2]) * _UNITS[match[3]])
    return found


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.manifest import DEFAULT_MODEL
    from model_tools.export.bundle import bundle
    from model_tools.export.emit import Order, export
    from model_tools.export.targets import target_of

    target, detection = target_of(arguments.target, arguments.fit), _detection(arguments.config)
    configured = detection.hop_frames if "hop_frames" in detection.model_fields_set else None
    order = Order(
        model=arguments.model or DEFAULT_MODEL,
        target=target,
        mode=arguments.mode,
        hop_frames=arguments.hop or configured,
        detection=detection,
        emulator=not arguments.no_emulator,
    )
    out: Path = arguments.out
    if target.kind == "daemon":
        told = bundle(order, out, force=arguments.force)
        print(f"A bundle for the daemon in {out}: sudo sh {out}/install.sh", file=sys.stderr)
        return {"out": str(out), "model": told["model"]["name"], "target": target.name}
    told = export(order, out, force=arguments.force)
    ram, flash, load = told["ram"]["total_bytes"], told["flash"]["total_bytes"], told["load"]
    share = f", {load['share']:.0%} of the clock (estimated)" if load else ""
    chosen = f"{told['mode']} mode, a decision every {told['hop_frames'] * 10} ms"
    used = f"{ram:,} B of RAM, {flash:,} B of flash{share}"
    print(f"{chosen}: {used}. {out}/report.txt says more.", file=sys.stderr)
    return {
        "out": str(out),
        "model": told["model"]["name"],
        "target": target.name,
        "mode": told["mode"],
        "hop_frames": told["hop_frames"],
        "ram_bytes": ram,
        "flash_bytes": flash,
        "load": load["share"] if load else None,
    }


def _detection(config: Path | None) -> DetectionConfig:
    from aed_daemon.config import DetectionConfig
    from aed_daemon.config_file import load_config

    return load_config(config, {}).detection if config else DetectionConfig()
