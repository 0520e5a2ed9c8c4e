"""The command `model-tools`: one module per command."""

from __future__ import annotations

import argparse
import json
import os
import sys

from aed_daemon import __version__
from aed_daemon.errors import AedError
from model_tools.cli import (
    calibrate,
    evaluate,
    export,
    fetch,
    native,
    prepare,
    protocol,
    quantize,
    targets,
    train,
    verify,
)

COMMANDS = (
    fetch,
    prepare,
    train,
    quantize,
    calibrate,
    protocol,
    evaluate,
    native,
    targets,
    export,
    verify,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or that of the `AedError` that ended it."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        result = arguments.run_command(arguments)
    except AedError as error:
        print(f"model-tools: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"model-tools: {error.filename or 'system'}: {error.strerror or error}.", file=sys.stderr)
        return AedError.exit_code
    except KeyboardInterrupt:
        print("model-tools: interrupted.", file=sys.stderr)
        return 130
    print(json.dumps(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="model-tools", description="Make the models of aed-daemon: train, quantise, evaluate, export."
    )
    parser.add_argument("--version", action="version", version=f"model-tools {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
