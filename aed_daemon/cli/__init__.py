"""The commands of `aed-daemon`; each in a module of its own, imported only when it is called."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from aed_daemon import __version__
from aed_daemon.errors import AedError

_EPILOG = """exit status: 0 well, 1 failed, 2 configuration, 3 model, 4 audio, 5 broker.
`run` ends by itself only for 2 and 3; it waits for everything else."""

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="aed-daemon",
        description="Listens, and says over MQTT what it hears.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"aed-daemon {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="listen and publish, until stopped")
    _config_option(run)
    run.add_argument(
        "--demo",
        action="store_true",
        help="no configuration: the microphone, or a synthesised soundscape where there is none, a "
        "broker of its own if mosquitto is installed, and every event that arrives over MQTT printed",
    )
    run.add_argument("--soundscape", action="store_true", help="with --demo: the soundscape in any case")
    run.add_argument("--loop", action="store_true", help="with --demo: play the soundscape again and again")

    replay = commands.add_parser("replay", help="detect in recordings, exactly as live")
    replay.add_argument("files", nargs="+", type=Path, metavar="FILE", help="WAV, FLAC or Ogg")
    replay.add_argument("--json", action="store_true", help="events as JSON lines, as they are published")
    replay.add_argument(
        "--speed", type=_speed, default=None, metavar="N|max", help="times real time; default: max"
    )
    _model_options(replay)
    _config_option(replay)

    devices = commands.add_parser("devices", help="list the microphones")
    devices.add_argument("--json", action="store_true", help="as JSON")

    listen = commands.add_parser("listen", help="show level, scores and near misses live in the terminal")
    what = listen.add_mutually_exclusive_group()
    what.add_argument("--device", metavar="NAME", help="microphone: part of its name, ALSA id or index")
    what.add_argument("--file", type=Path, metavar="FILE", help="a recording, in real time")
    what.add_argument("--demo", action="store_true", help="the synthesised soundscape")
    listen.add_argument(
        "--marks",
        type=Path,
        metavar="FILE",
        help="append what the key m marks, as JSON lines",
    )
    _model_options(listen)
    _config_option(listen)

    check = commands.add_parser("check-config", help="check a configuration and say what is wrong")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: where `run` looks")
    check.add_argument("--connect", action="store_true", help="also connect to the broker")
    check.set_defaults(module="check_config")

    info = commands.add_parser("info", help="show versions, engines, model and classes")
    info.add_argument("--json", action="store_true", help="as JSON")
    _model_options(info)

    doctor = commands.add_parser("doctor", help="say what is missing and how to install it")
    _config_option(doctor)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    args = build_parser().parse_args(argv)
    module = importlib.import_module(f"aed_daemon.cli.{getattr(args, 'module', args.command)}")
    try:
        status = int(module.execute(args))
        if sys.stdout:
            sys.stdout.flush()
        return status
    except AedError as error:
        print(f"aed-daemon: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has left
        _silence_stdout()
        return 0
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        _silence_stdout()
        print(f"aed-daemon: standard output cannot be written: got {error.strerror}.", file=sys.stderr)
        return 1


def _silence_stdout() -> None:
    """Point it at nothing: Python's own flush at exit must not complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="default: $AED_CONFIG, ./aed.toml, ~/.config/aed/aed.toml, /etc/aed/aed.toml",
    )


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, metavar="FILE", help="NAME.tflite, with NAME.json beside it")
    parser.add_argument(
        "--engine", choices=["auto", "native", "litert", "tflite"], help="what runs the network"
    )


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.01 <= speed <= 10_000:
        raise argparse.ArgumentTypeError(f"expected max or a number from 0.01 to 10000, got '{text}'")
    return speed
