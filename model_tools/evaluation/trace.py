"""What a network said to a stream, hop by hop: enough to run the daemon's tracker again without it.

The network is the costly part and depends on no threshold. Its scores and the level of each 10 ms frame
are all that the tracker works on, so one pass serves every threshold that is to be tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.inference import Classifier
from aed_daemon.level import LevelFrames, LevelStream
from aed_daemon.manifest import LOUD_SOUND, ModelManifest
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import ClassRule
from aed_daemon.spec import FeatureSpec
from aed_daemon.tracker import Hop, Tracker, TrackEvent

Samples = NDArray[np.float32]


class Found(NamedTuple):
    """An event that the daemon would have published.

    Attributes
    ----------
    slug : str
        Its class.
    onset_sample, offset_sample : int
        Where it is stated to begin and end.
    decision_sample : int
        First sample, counted from the stream's first, that the start did not need.
    score_max : float
        Highest score, 0 to 1.
    """

    slug: str
    onset_sample: int
    offset_sample: int
    decision_sample: int
    score_max: float


@dataclass(frozen=True)
class Trace:
    """A stream as the tracker knows it.

    Attributes
    ----------
    scores : ndarray, int8 (hops, outputs)
        The network's output; all at score 0 where the gate was closed.
    rms_cdb : ndarray, int16 (frames,)
        Level of each 10 ms frame, 0.01 dBFS.
    samples : int
        Length of the stream.
    hop_frames : int
        Frames between decisions.
    """

    scores: NDArray[np.int8]
    rms_cdb: NDArray[np.int16]
    samples: int
    hop_frames: int

    def probabilities(self, manifest: ModelManifest) -> NDArray[np.float64]:
        """Return the scores as probabilities, float64 (hops, outputs)."""
        output = manifest.output
        return (self.scores.astype(np.float64) - output.zero_point) * output.scale


def record(
    classifier: Classifier, detection: DetectionConfig, blocks: Iterable[Samples]
) -> tuple[Trace, list[Found]]:
    """Run a stream through a new detector; return the trace and the events, but for the loud sound's.

    Parameters
    ----------
    classifier : Classifier
        The network.
    detection : DetectionConfig
        Thresholds and times, as the daemon has them.
    blocks : iterable of ndarray, float32 (n,)
        The stream at the model's rate, in pieces of any size.
    """
    detector, manifest = Detector(classifier, detection), classifier.manifest
    spec = manifest.spec
    level = LevelStream(spec.hop_length, spec.pcm_full_scale)
    scores: list[NDArray[np.int8]] = []
    levels: list[NDArray[np.int16]] = []
    events: list[tuple[int, TrackEvent]] = []
    count = 0
    for block in blocks:
        count += len(block)
        levels.append(level.push(block).rms_cdb.astype(np.int16))
        for decision in detector.push(block):
            scores.append(decision.scores)
            events += [(decision.end_sample, event) for event in decision.events]
    events += [(count, event) for event in detector.finish("end_of_input")]
    trace = Trace(
        np.array(scores, np.int8).reshape(-1, len(manifest.labels)),
        np.concatenate([*levels, np.empty(0, np.int16)]),
        count,
        detection.hop_frames,
    )
    return trace, founds(events, manifest)


def replay(trace: Trace, manifest: ModelManifest, rules: Sequence[ClassRule]) -> list[Found]:
    """Return the events that the daemon's tracker makes of a trace under other rules.

    The same as `record` gives where the rules are those of its configuration; what Detector does
    between network and tracker is done here too, and a test holds the two equal.
    """
    levels = LevelHistory(3 * manifest.spec.patch_frames)
    tracker = Tracker(rules, levels, manifest.output.zero_point, 1 << 30)
    events: list[tuple[int, TrackEvent]] = []
    for hop, end_sample in hops(trace, manifest.spec, levels):
        events += [(end_sample, event) for event in tracker.push(hop)]
    levels.push(level_frames(trace.rms_cdb[levels.end :]))
    events += [(trace.samples, event) for event in tracker.finish("end_of_input")]
    return founds(events, manifest)


def hops(trace: Trace, spec: FeatureSpec, levels: LevelHistory) -> Iterator[tuple[Hop, int]]:
    """Yield each hop and the sample at which it was decided, its levels pushed to the history before."""
    patch_end = (spec.patch_frames - 1) * spec.hop_length + spec.window_offset + spec.win_length
    for number, scores in enumerate(trace.scores):
        first = number * trace.hop_frames
        end_sample = first * spec.hop_length + patch_end
        last = end_sample // spec.hop_length
        levels.push(level_frames(trace.rms_cdb[levels.end : last]))
        yield Hop(first, last, scores), end_sample


def level_frames(rms_cdb: NDArray[np.int16]) -> LevelFrames:
    """Return levels as the history takes them; onset and offset depend on the RMS level alone."""
    rms = rms_cdb.astype(np.int32)
    return LevelFrames(rms, rms, np.zeros(len(rms), np.bool_))


def founds(events: Iterable[tuple[int, TrackEvent]], manifest: ModelManifest) -> list[Found]:
    """Join starts and ends, each with the sample at which it was decided, to events in order of start."""
    hop_length, scale = manifest.spec.hop_length, manifest.output.scale
    started: dict[int, int] = {}
    found: dict[int, Found] = {}
    for decided, event in events:
        if event.slug == LOUD_SOUND:
            continue
        if event.type == "start":
            started[event.track] = decided
        elif event.type == "end" and event.end_frame is not None and event.score_max is not None:
            found[event.track] = Found(
                event.slug,
                event.start_frame * hop_length,
                event.end_frame * hop_length,
                started[event.track],
                event.score_max * scale,
            )
    return [found[track] for track in sorted(found)]
