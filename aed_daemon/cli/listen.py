"""`aed-daemon listen`: level, scores, near misses and events, live in the terminal."""

from __future__ import annotations

import argparse
import os
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from aed_daemon.cli.settings import configuration, detection_settings
from aed_daemon.companions import Companion
from aed_daemon.config import Config, LogConfig, OutputConfig
from aed_daemon.config_file import find_config
from aed_daemon.detector import Decision
from aed_daemon.events import Event
from aed_daemon.inference import load_classifier
from aed_daemon.near_misses import NearMisses
from aed_daemon.observer import Observation
from aed_daemon.rules import ClassRule, class_rules

_LINES = 12
_CLASSES = 6
_QUIETEST_DBFS = -90.0
_REFRESH_HZ = 8


class View(Companion):
    """What is on the screen; filled from the pipelines' threads, drawn from the main one."""

    def __init__(self, rules: list[ClassRule], zero_point: int, scale: float) -> None:
        self._rules, self._zero_point, self._scale = rules, zero_point, scale
        self._near = NearMisses(rules, zero_point)
        self._lock = threading.Lock()
        self._decision: Decision | None = None
        self._lines: deque[Text] = deque(maxlen=_LINES)
        self._state = Text("waiting for the source", "yellow")
        self.plain: Console | None = None

    def hop(self, observation: Observation) -> None:
        """Take a decision."""
        decision = observation.decision
        with self._lock:
            self._decision = decision
            for rule, best in self._near.push(decision):
                score, needed = best * self._scale, rule.on_steps * self._scale
                self._say(Text(f"near miss  {rule.slug:16} {score:.2f}, needs {needed:.2f}", "yellow"))

    def event(self, event: Event) -> None:
        """Take an event."""
        strength = f"{event.level.snr_db:.0f} dB" if event.score_max is None else f"{event.score_max:.2f}"
        style = {"start": "bold green", "end": "cyan"}.get(event.type, "")
        at = event.end or event.start
        with self._lock:
            self._say(Text(f"{event.type:9}  {event.class_:16} {strength:>6}  {at[11:-1]}", style))

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        """Take that the source came or went."""
        with self._lock:
            text = f"{source}: listening" if online else f"{source}: {reason or 'away'}"
            self._state = Text(text, "green" if online else "red")

    def __rich__(self) -> Group:
        with self._lock:
            return Group(self._state, self._meter(), self._scores(), *self._lines)

    def _say(self, line: Text) -> None:
        self._lines.append(line)
        if self.plain:
            self.plain.print(line)

    def _meter(self) -> Table:
        table = Table.grid(padding=(0, 1))
        if self._decision:
            level, floor = self._decision.rms_cdb / 100, self._decision.floor_cdb / 100
            bar = ProgressBar(total=-_QUIETEST_DBFS, completed=max(0.0, level - _QUIETEST_DBFS), width=40)
            gated = "  gated" if self._decision.gated else ""
            table.add_row(Text(f"{'level':16}"), bar, f"{level:6.1f} dBFS, floor {floor:.1f}{gated}")
        return table

    def _scores(self) -> Table:
        table = Table.grid(padding=(0, 1))
        if self._decision is None:
            return table
        steps = [(int(self._decision.scores[rule.index]) - self._zero_point, rule) for rule in self._rules]
        for value, rule in sorted(steps, key=lambda pair: -pair[0])[:_CLASSES]:
            style = (
                "bold green" if value >= rule.on_steps else "yellow" if value >= rule.off_steps else "blue"
            )
            bar = ProgressBar(total=1.0, completed=value * self._scale, width=40, complete_style=style)
            on = rule.on_steps * self._scale
            table.add_row(Text(f"{rule.slug:16}", style), bar, f"{value * self._scale:.2f} of {on:.2f}")
        return table


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
    quiet = {"mqtt": config.mqtt.model_copy(update={"enabled": False}), "output": OutputConfig()}
    config = config.model_copy(update=quiet)
    configure(LogConfig(level="error"))
    classifier = load_classifier(config.model.path, config.model.engine)
    output = classifier.manifest.output
    view = View(class_rules(config.detection, classifier.manifest), output.zero_point, output.scale)
    daemon = Daemon(config, companions=[view], retry=False)
    daemon.handle_signals()
    console = Console()
    if not console.is_terminal:
        view.plain = console
        daemon.run()
        return 0
    with Live(view, console=console, refresh_per_second=_REFRESH_HZ, screen=False):
        daemon.run()
    return 0
