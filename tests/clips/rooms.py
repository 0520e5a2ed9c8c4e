"""Clips behind the real stages: sound files through the daemon's own pipeline, clips on a real disk."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from aed_daemon.audio.ring import Ring
from aed_daemon.clips.clips import Clips
from aed_daemon.config import Config
from aed_daemon.detector import Detector
from aed_daemon.events import Event
from aed_daemon.inference import load_classifier
from aed_daemon.pipeline import Pipeline
from aed_daemon.reporting import EventReporter
from aed_daemon.sinks.protocol import SourceLevel
from tests.sounds import soundscape, to_s16

CLASSIFIER = load_classifier()
RATE_HZ = 16_000
NOW_S = 1_795_396_461.0

Part = NDArray[np.int16] | int | Callable[[], object]


def scape(seed: int = 1, seconds: float = 12.0) -> NDArray[np.int16]:
    """Return the package's soundscape as a 16-bit source delivers it."""
    return to_s16(soundscape(seed, seconds))


def config(**clips: Any) -> Config:
    data = {"min_free_mb": 0.0, **clips, "enabled": True}
    return Config.model_validate(
        {"node": "node", "source": [{"type": "demo", "name": "porch"}], "clips": data}
    )


@dataclass
class Room:
    """A source that is listened to, and its clips."""

    clips: Clips
    config: Config
    source: str = "porch"
    events: list[Event] = field(default_factory=list)
    begun_s: float = NOW_S

    def event(self, draft: Event) -> Event:
        self.events.append(draft)
        return draft

    def level(self, level: SourceLevel) -> None:
        """Take a level."""

    def hear(self, *parts: Part) -> list[Event]:
        """Hear samples, a minute after the last ones, and gaps of so many where a number stands."""
        ring = Ring(RATE_HZ * 4)
        detector = Detector(CLASSIFIER, self.config.detection)
        hop = self.config.detection.hop_frames
        self.begun_s += 60.0
        begun_s = self.begun_s
        reporter = EventReporter(
            "node", self.source, CLASSIFIER, hop, lambda index: begun_s + index / RATE_HZ
        )
        pipeline = Pipeline(self.source, ring, detector, reporter, self, observer=self.clips)
        before = len(self.events)
        for part in parts:
            if callable(part):
                part()
            elif isinstance(part, int):
                ring.cut(ring.written + part, "gap")
            else:
                for at in range(0, len(part), 3_200):
                    ring.write(part[at : at + 3_200].astype(np.float32) / 32_768, wait=False)
                    if ring.written >= pipeline._origin + detector.next_decision:
                        pipeline._turn()
        ring.close("ended")
        pipeline.run()
        return self.events[before:]

    def ended(self, slug: str | None = None) -> list[Event]:
        """Return the ends, of one class if it is named."""
        return [e for e in self.events if e.type == "end" and slug in (None, e.class_)]

    def path(self, event: Event) -> Path:
        assert event.clip is not None
        found = self.clips.resolve(event.clip)
        assert found is not None, f"{event.clip} is not there"
        return found


@dataclass(frozen=True)
class Clip:
    """A clip as it lies on the disk."""

    facts: dict[str, Any]
    comment: dict[str, Any]
    pcm: NDArray[np.int16]
    title: str

    @property
    def span(self) -> slice:
        """Which samples of the source it claims to be."""
        first = self.facts["first_sample"]
        return slice(first, first + self.facts["samples"])


def read(path: Path) -> Clip:
    with soundfile.SoundFile(io.BytesIO(path.read_bytes())) as file:
        assert (file.samplerate, file.channels, file.subtype) == (RATE_HZ, 1, "PCM_16")
        comment, title = json.loads(file.comment), file.title
        pcm = file.read(dtype="int16")
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert len(pcm) == facts["samples"]
    return Clip(facts, comment, pcm, title)


@contextmanager
def room(
    folder: Path, *, clock: Callable[[], float] = lambda: NOW_S, round_s: float = 0.05, **clips: Any
) -> Iterator[Room]:
    """Record into a folder; on leaving everything has been written."""
    made = config(**clips)
    recorder = Clips(folder, made, CLASSIFIER.manifest, clock=clock, round_s=round_s)
    recorder.start()
    try:
        yield Room(recorder, made)
    finally:
        recorder.close(30.0)
