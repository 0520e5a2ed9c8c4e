"""`model-tools verify`: whether an export computes what it was made to."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from aed_daemon.errors import AedError
from model_tools.cli.common import positive


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "verify",
        help="compile an export, and compare it with its known answers here and on emulated cores",
        description="Builds an export for this machine with sanitizers and for Cortex-M33, M4 and M7, runs "
        "its known answers here and in the emulator, counts instructions and stack, and compares the network "
        "layer by layer with TFLite's reference kernels.",
    )
    parser.add_argument("export", type=Path, metavar="DIR", help="folder that export made")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="the model that it was made from (default: the one in the package, if it is that)",
    )
    parser.add_argument(
        "--patches", type=positive, default=20, metavar="N", help="to compare with the model (default: 20)"
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from model_tools.export.verify import failures, table, verify

    export: Path = arguments.export
    found = verify(
        export, arguments.model, arguments.patches, lambda line: print(f"{line} ...", file=sys.stderr)
    )
    print(table(found), file=sys.stderr, end="")
    wrong = failures(found)
    if wrong:
        raise AedError("the export does not compute what it should", where=str(export), got="; ".join(wrong))
    return found
