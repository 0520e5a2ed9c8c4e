"""`aed-daemon listen`: level, scores, near misses, spectrogram and events, live in the terminal."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from aed_daemon.cli.settings import configuration, detection_settings
from aed_daemon.config import Config, LogConfig, OutputConfig
from aed_daemon.config_clips import ClipsConfig
from aed_daemon.config_file import find_config
from aed_daemon.inference import load_classifier
from aed_daemon.rules import class_rules
from aed_daemon.terminal.marks import Marks
from aed_daemon.terminal.picture import STYLES
from aed_daemon.terminal.scene import Line, Scene
from aed_daemon.terminal.screen import TerminalScreen

_LAST_LINES = 20


def _settings(args: argparse.Namespace) -> Config:
    source: Mapping[str, Any] = {"type": "microphone", "name": "microphone"}
    if args.file:
        source = {"type": "file", "name": args.file.name, "path": str(args.file)}
    elif args.demo:
        source = {"type": "demo", "name": "soundscape", "loop": False}
    elif args.device is not None:
        device = int(args.device) if args.device.isdigit() else args.device
        source = {**source, "device": device}
    elif args.config or find_config(os.environ):
        config, _ = configuration(args.config)
        return config
    return detection_settings(args.config, args.model, args.engine, dict(source))


def execute(args: argparse.Namespace) -> int:
    """Show what is heard until the source ends or the user has seen enough."""
    from aed_daemon.logs import configure
    from aed_daemon.supervisor import Daemon

    config = _settings(args)
    quiet = {
        "mqtt": config.mqtt.model_copy(update={"enabled": False}),
        "history": config.history.model_copy(update={"enabled": False}),
        "output": OutputConfig(),
        "clips": ClipsConfig(),
    }
    config = config.model_copy(update=quiet)
    marks = Marks(args.marks)
    console = Console(highlight=False)
    picture = console.is_terminal and not console.is_dumb_terminal
    log = io.StringIO()
    configure(LogConfig(level="error"), log if picture else None)
    classifier = load_classifier(config.model.path, config.model.engine)
    scene = Scene(
        classifier.manifest,
        class_rules(config.detection, classifier.manifest),
        [source.name for source in config.source],
        None if picture else lambda line: console.print(Text(line.text, STYLES[line.tone])),
    )
    # The configuration's own companions are the service's, which may be running.
    daemon = Daemon(config, companions=[scene], kinds=(), retry=False)
    daemon.handle_signals()
    if not picture:
        daemon.run()
        return 0
    signal.signal(signal.SIGHUP, lambda *_: daemon.stop())  # the terminal is gone, and with it the picture
    begun_s = time.monotonic()
    try:
        with TerminalScreen(scene, console, daemon.stop, lambda source: marks.add(scene, source)):
            daemon.run()
    finally:
        sys.stderr.write(log.getvalue())
    _sum_up(console, scene, marks, time.monotonic() - begun_s)
    return 0


def _sum_up(console: Console, scene: Scene, marks: Marks, seconds: float) -> None:
    """Leave on the terminal what the picture took with it."""
    for line in scene.lines()[-_LAST_LINES:]:
        console.print(_plain(line))
    counts = scene.counts
    found = f"{counts['start']} sounds, {counts['near miss']} near misses, {counts['mark']} marks"
    console.print(f"{seconds:.0f} s: {found}.")
    for mark in marks.taken:
        console.print(json.dumps(mark, ensure_ascii=False), soft_wrap=True)


def _plain(line: Line) -> Text:
    return Text(line.text, STYLES[line.tone])
