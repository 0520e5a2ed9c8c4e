"""`aed-daemon replay`: detect in recordings through the very stages that listen live."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from aed_daemon.audio.reader import CaptureReader
from aed_daemon.audio.source import Source
from aed_daemon.cli.settings import detection_settings
from aed_daemon.config import Config
from aed_daemon.config_file import check_against_model
from aed_daemon.detector import Detector
from aed_daemon.errors import AudioError
from aed_daemon.events import Event
from aed_daemon.health import ClockState
from aed_daemon.inference import Classifier, load_classifier
from aed_daemon.observer import Observation, Observer
from aed_daemon.pipeline import Pipeline
from aed_daemon.reporting import EventReporter
from aed_daemon.sinks.outbox import MemoryOutbox
from aed_daemon.sinks.protocol import SourceLevel
from aed_daemon.sources import conditioning_of

_LONG_S = 30.0
"""Recordings from this length on get a progress bar on a terminal."""


class _Printer:
    """Numbers events and prints them."""

    def __init__(self, origin: Callable[[], float | None], *, as_json: bool) -> None:
        self._outbox = MemoryOutbox(0)
        self._origin, self._as_json = origin, as_json

    def event(self, draft: Event) -> Event:
        event = self._outbox.append(draft)
        print(event.to_json() if self._as_json else self._line(event), flush=True)
        return event

    def level(self, level: SourceLevel) -> None:
        """Levels are no events: nothing to print."""

    def _line(self, event: Event) -> str:
        at_s = event.start_ts - (self._origin() or 0.0)
        if event.type == "end":
            at_s += event.duration_s or 0.0
        strength = f"{event.level.snr_db:.0f} dB" if event.score_max is None else f"{event.score_max:.2f}"
        return f"{at_s:10.3f} s  {event.type:6}  {event.class_:16} {strength}"


def replay_file(
    path: Path,
    config: Config,
    classifier: Classifier,
    *,
    speed: float | None,
    as_json: bool,
    observer: Observer | None = None,
) -> None:
    """Print the events of one recording.

    Raises
    ------
    AudioError
        For a recording that cannot be read, after the events of what could be.
    """
    from aed_daemon.audio.file import FileSource

    def source() -> Source:
        return FileSource(path, speed=speed)

    how = conditioning_of(config.source[0])
    spec = classifier.manifest.spec
    reader = CaptureReader(source, rate_hz=spec.sample_rate_hz, conditioning=how, retry=False)

    def utc_of(index: int) -> float:
        return reader.clock.utc_s(index) or 0.0

    clock_state = ClockState()
    clock_state.refresh()
    pipeline = Pipeline(
        path.name,
        reader.ring,
        Detector(classifier, config.detection),
        EventReporter(
            config.node,
            path.name,
            classifier,
            config.detection.hop_frames,
            utc_of,
            clock_synced=clock_state,
        ),
        _Printer(lambda: reader.clock.utc_s(0), as_json=as_json),
        clips=reader.clips,
        observer=observer,
    )
    reader.start()
    try:
        pipeline.run()
    finally:
        reader.stop()
    if reader.error:
        raise reader.error


def execute(args: argparse.Namespace) -> int:
    """Replay all files; one that cannot be read is reported and the others still are."""
    stand_in = {"type": "file", "name": "replay", "path": str(args.files[0])}
    config = detection_settings(args.config, args.model, args.engine, stand_in)
    classifier = load_classifier(config.model.path, config.model.engine, config.model.threads)
    check_against_model(config, classifier.manifest)
    status = 0
    for path in args.files:
        try:
            with _Progress(path, classifier.manifest.spec.sample_rate_hz) as progress:
                replay_file(
                    path,
                    config,
                    classifier,
                    speed=args.speed,
                    as_json=args.json,
                    observer=progress,
                )
        except AudioError as error:
            print(f"aed-daemon: {error}", file=sys.stderr)
            status = error.exit_code
    return status


class _Progress(Observer):
    """A progress bar on standard error, for long recordings on a terminal."""

    def __init__(self, path: Path, rate_hz: int) -> None:
        self._path, self._rate_hz = path, rate_hz
        self._show: Callable[[float], None] | None = None
        self._leave = ExitStack()

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty():
            from aed_daemon.audio.file import AudioFile

            with AudioFile(self._path) as file:
                length_s = file.duration_s
            if length_s >= _LONG_S:
                self._start(length_s)
        return self

    def _start(self, length_s: float) -> None:
        from rich.console import Console
        from rich.progress import Progress

        bar = self._leave.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = bar.add_task(self._path.name, total=length_s)
        self._show = lambda heard_s: bar.update(task, completed=heard_s)

    def hop(self, observation: Observation) -> None:
        """Show how far the recording has been heard."""
        if self._show:
            self._show(observation.end_sample / self._rate_hz)

    def __exit__(self, *_: object) -> None:
        self._leave.close()
