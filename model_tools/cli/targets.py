"""`model-tools targets`: what `export` can be for, and the budgets."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("targets", help="list what `export` can be for, with the budgets")
    parser.set_defaults(run_command=run)


def run(_: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from model_tools.export.report_text import columns
    from model_tools.export.targets import TARGETS

    rows = [
        (
            target.name,
            target.part,
            target.processor.name if target.processor else "",
            f"{target.clock_hz / 1e6:g}" if target.clock_hz else "",
            f"{target.ram_bytes:,}" if target.ram_bytes else "",
            f"{target.flash_bytes:,}" if target.flash_bytes else "",
            target.note,
        )
        for target in TARGETS.values()
    ]
    head = ("target", "part", "processor", "MHz", "RAM, B", "flash, B", "")
    print(columns(head, rows, (0, 1, 2, 6)), file=sys.stderr, end="")
    return {
        target.name: {
            "part": target.part,
            "processor": target.processor.name if target.processor else None,
            "clock_hz": target.clock_hz,
            "ram_bytes": target.ram_bytes,
            "flash_bytes": target.flash_bytes,
            "note": target.note,
        }
        for target in TARGETS.values()
    }
