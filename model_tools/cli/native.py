"""`model-tools native`: the network of a model as a library that the daemon runs as engine `native`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "native",
        help="compile the network of a model to a library that the daemon runs without a TFLite runtime",
        description="Writes the network as C and compiles it to NAME.MACHINE.so beside NAME.tflite, where "
        "the daemon finds it. Its scores are those of TFLite's reference kernels, bit for bit.",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="int8 model, its manifest beside it (default: the one in the package)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the library (default: NAME.MACHINE.so beside the model)"
    )
    parser.add_argument(
        "--compiler", default="gcc", metavar="PROGRAM", help="such as aarch64-linux-gnu-gcc (default: gcc)"
    )
    parser.add_argument(
        "--machine",
        metavar="NAME",
        help="what the compiler compiles for, as uname -m says it there (default: this machine)",
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
    from aed_daemon.native import machine
    from model_tools.export.native import build_native

    model = arguments.model or DEFAULT_MODEL
    made = build_native(model, arguments.out, compiler=arguments.compiler, target=arguments.machine)
    return {
        "library": str(made),
        "machine": arguments.machine or machine(),
        "bytes": made.stat().st_size,
        "model": load_manifest(model).name,
    }
