"""Track events -> published events: names, times, scores and levels as subscribers read them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import Config
from aed_daemon.events import Event, Level, ModelRef, Reason, iso_utc, new_ulid
from aed_daemon.inference import Classifier
from aed_daemon.manifest import BACKGROUND, TEST_EVENT
from aed_daemon.tracker import Sound, TrackEvent

TOP_CLASSES = 3

NO_EPOCH = "00000000"
"""What an event carries until the outbox gives it its epoch and seq."""


@dataclass
class _Open:
    """What all messages of an id share: its times rest on the clock at its start."""

    id: str
    start_ts: float
    gap_before: bool
    clock_synced: bool
    published_ts: float


class EventReporter:
    """Makes the events of one source.

    Parameters
    ----------
    node, source : str
        Names.
    classifier : Classifier
        Model and engine.
    hop_frames : int
        Frames between decisions.
    utc_of : callable
        Sample index since the source opened -> seconds since 1970.
    clock : callable
        Seconds since 1970, now.
    clock_synced : callable
        Whether the system clock is synchronised; an id keeps what held at its start.
    """

    def __init__(
        self,
        node: str,
        source: str,
        classifier: Classifier,
        hop_frames: int,
        utc_of: Callable[[int], float],
        *,
        clock: Callable[[], float] = time.time,
        clock_synced: Callable[[], bool] = lambda: True,
    ) -> None:
        manifest = classifier.manifest
        self._node, self._source = node, source
        self._manifest = manifest
        self._model = ModelRef(name=manifest.name, sha256=manifest.sha256)
        self._engine = classifier.engine
        spec = manifest.spec
        self._hop_length = spec.hop_length
        window = (spec.patch_frames - 1) * spec.hop_length + spec.win_length
        self._window_s = window / spec.sample_rate_hz
        self._rate_hz = spec.sample_rate_hz
        self.rehop(hop_frames)
        self._utc_of, self._clock, self._clock_synced = utc_of, clock, clock_synced
        self._open: dict[int, _Open] = {}

    def rehop(self, hop_frames: int) -> None:
        """Decisions are so many frames apart from now on."""
        self._hop_s = hop_frames * self._hop_length / self._rate_hz

    def report(
        self,
        event: TrackEvent,
        origin_sample: int,
        decided_sample: int,
        scores: NDArray[np.int8] | None,
        *,
        gap_before: bool,
    ) -> Event:
        """Return the event to publish.

        Parameters
        ----------
        event : TrackEvent
            Frames counted from `origin_sample`.
        origin_sample : int
            Sample index of frame 0.
        decided_sample : int
            The first sample index that the decision did not need.
        scores : ndarray, int8 (classes,), optional
            The network's output at this hop.
        gap_before : bool
            Whether sound was lost shortly before `event`'s start.
        """
        start_sample = origin_sample + event.start_frame * self._hop_length
        end_sample = None if event.end_frame is None else origin_sample + event.end_frame * self._hop_length
        # An id keeps its start for good, whatever the clock does meanwhile.
        if event.track not in self._open:
            start_ts = round(self._utc_of(start_sample), 3)
            self._open[event.track] = _Open(
                new_ulid(start_ts), start_ts, gap_before, self._clock_synced(), start_ts
            )
        known = self._open[event.track]
        start_ts = known.start_ts
        if event.type == "end":
            del self._open[event.track]
        # A recording that is read faster than it sounds is published when it would have been heard;
        # a clock that was set back moves no message of an id before the one that came before it.
        heard_ts = start_ts + (decided_sample - start_sample) / self._rate_hz
        published = max(self._clock(), self._utc_of(decided_sample), heard_ts, known.published_ts)
        known.published_ts = published
        duration_s = None if end_sample is None else (end_sample - start_sample) / self._rate_hz
        return Event(
            type=event.type,
            id=known.id,
            epoch=NO_EPOCH,
            seq=0,
            node=self._node,
            source=self._source,
            class_=event.slug,
            label=event.label,
            score=self._probability(event.score),
            score_max=self._probability(event.score_max),
            score_mean=self._probability(event.score_mean),
            start=iso_utc(start_ts),
            start_ts=start_ts,
            start_sample=start_sample,
            end=None if duration_s is None else iso_utc(start_ts + duration_s),
            end_sample=end_sample,
            duration_s=duration_s,
            reason=cast(Reason | None, event.reason),
            published=iso_utc(published),
            latency_ms=round((published - start_ts) * 1_000),
            level=_level(event.sound),
            top=[] if scores is None else self._top(scores),
            window_s=self._window_s,
            hop_s=self._hop_s,
            model=self._model,
            engine=self._engine,
            clip=None,
            clock_synced=known.clock_synced,
            gap_before=known.gap_before,
            replayed=False,
        )

    def _probability(self, steps: float | None) -> float | None:
        return None if steps is None else round(steps * self._manifest.output.scale, 4)

    def _top(self, scores: NDArray[np.int8]) -> list[tuple[str, float]]:
        output = self._manifest.output
        return top_classes(scores, self._manifest.slugs, output.scale, output.zero_point)


def test_events(
    config: Config, source: str, classifier: Classifier, clock_synced: bool
) -> tuple[Event, Event]:
    """Return the start and the end of an event that shows that events arrive: no sound, no score."""
    spec = classifier.manifest.spec
    now = round(time.time(), 3)
    start = Event(
        type="start",
        id=new_ulid(now),
        epoch=NO_EPOCH,
        seq=0,
        node=config.node,
        source=source,
        class_=TEST_EVENT,
        label="Test event",
        score=None,
        score_max=None,
        score_mean=None,
        start=iso_utc(now),
        start_ts=now,
        start_sample=0,
        end=None,
        end_sample=None,
        duration_s=None,
        reason=None,
        published=iso_utc(now),
        latency_ms=0,
        level=Level(rms_dbfs=-120.0, peak_dbfs=-120.0, floor_dbfs=-120.0, snr_db=0.0, clipped=False),
        top=[],
        window_s=((spec.patch_frames - 1) * spec.hop_length + spec.win_length) / spec.sample_rate_hz,
        hop_s=config.detection.hop_frames * spec.hop_length / spec.sample_rate_hz,
        model=ModelRef(name=classifier.manifest.name, sha256=classifier.manifest.sha256),
        engine=classifier.engine,
        clip=None,
        clock_synced=clock_synced,
        gap_before=False,
        replayed=False,
    )
    over = {"type": "end", "end": start.start, "end_sample": 0, "duration_s": 0.0}
    return start, start.model_copy(update=over)


def top_classes(
    scores: NDArray[np.int8], slugs: tuple[str, ...], scale: float, zero_point: int
) -> list[tuple[str, float]]:
    """Return the best classes with a score above 0, best first, without the background."""
    steps = scores.astype(np.int32) - zero_point
    order = sorted(range(len(slugs)), key=lambda index: (-steps[index], index))
    named = [(slugs[i], round(float(steps[i]) * scale, 4)) for i in order if steps[i] > 0]
    return [pair for pair in named if pair[0] != BACKGROUND][:TOP_CLASSES]


def _level(sound: Sound) -> Level:
    return Level(
        rms_dbfs=sound.rms_cdb / 100,
        peak_dbfs=sound.peak_cdb / 100,
        floor_dbfs=sound.floor_cdb / 100,
        snr_db=(sound.rms_cdb - sound.floor_cdb) / 100,
        clipped=sound.clipped,
    )
