"""The commands of `aed-daemon`; each in a module of its own, imported only when it is called."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
import time
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

    _history_commands(commands)
    _tune_command(commands)

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


def _history_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    events = commands.add_parser("events", help="show what was heard, nearly heard and missed")
    _history_options(events)
    events.add_argument("--min-score", type=float, metavar="S", help="with at least this best score")
    events.add_argument(
        "--labels", type=_names, default=[], metavar="L", help="right, wrong, missed, none; several: a,b"
    )
    kinds = events.add_mutually_exclusive_group()
    kinds.add_argument(
        "--kind", type=_names, metavar="K", help="event, near_miss, missed or all; default: event"
    )
    kinds.add_argument("--by-hour", action="store_true", help="quantiles of all scores, hour by hour")
    form = events.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON lines")
    form.add_argument("--csv", action="store_true", help="as CSV")
    events.add_argument(
        "--limit", type=_count, default=100, metavar="N", help="the last N; 0: all; default: 100"
    )

    label = commands.add_parser("label", help="say what was right, wrong or missed")
    label.add_argument("id", nargs="?", metavar="ID", help="as `events` shows it")
    label.add_argument("verdict", nargs="?", choices=["right", "wrong", "none"], help="none: take it back")
    label.add_argument("--missed", action="store_true", help="it sounded and was not reported")
    label.add_argument("--at", type=_when, metavar="T", help="when that was: 20:15, 10m, 2026-11-23T20:15")
    _history_options(label, times=False)


def _tune_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    tune = commands.add_parser("tune", help="propose thresholds for a wanted rate of false alarms")
    tune.add_argument(
        "--false-alarms-per-day",
        type=_rate,
        required=True,
        metavar="N",
        help="in 24 hours of sound, all classes together",
    )
    tune.add_argument(
        "--assume-wrong",
        action="store_true",
        help="whatever is not labelled right was a false alarm: for a time in which nothing of it sounded",
    )
    tune.add_argument("--plot", type=Path, metavar="FILE", help="the trade-off as FILE.svg or FILE.html")
    tune.add_argument("--write", action="store_true", help="show what changes in the configuration, and ask")
    tune.add_argument("--yes", action="store_true", help="with --write: do not ask")
    _history_options(tune)


def _history_options(parser: argparse.ArgumentParser, *, times: bool = True) -> None:
    if times:
        text = "2h, 7d, 20:15, 2026-11-23T20:00"
        parser.add_argument("--since", type=_when, metavar="T", help=f"from then on: {text}")
        parser.add_argument("--until", type=_when, metavar="T", help="before then")
    parser.add_argument(
        "--class", dest="classes", type=_names, default=[], metavar="C", help="of a class; several: a,b"
    )
    parser.add_argument("--source", type=_names, default=[], metavar="S", help="of a source; several: a,b")
    parser.add_argument("--file", type=Path, metavar="FILE", help="the history; default: the daemon's")
    _config_option(parser)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _when(text: str) -> float:
    from aed_daemon.when import parse_when

    try:
        return parse_when(text, time.time())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1e-3 <= rate <= 1e6:
        raise argparse.ArgumentTypeError(f"expected a number from 0.001 to 1000000, got '{text}'")
    return rate


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0 or more, got '{text}'")
    return int(text)


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
