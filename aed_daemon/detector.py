"""Detector: samples in, decisions out; the stages from the spectrogram to the tracker in one chain.

The same object serves the daemon, `replay`, the evaluation of models and the tests. It knows sample
indices only: no clock, no thread, no network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.features import MelStream, Patch, PatchStream
from aed_daemon.gate import EnergyGate
from aed_daemon.inference import Classifier
from aed_daemon.level import LevelFrames, LevelStream
from aed_daemon.loud import LoudTracker
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import ClassRule, class_rules, gate_cdb, loud_rule
from aed_daemon.tracker import Hop, Tracker, TrackEvent

Stage = Literal["begin", "features", "inference"]
"""A stage of the work that has just ended; "begin": none, what is timed begins now."""


class Decision(NamedTuple):
    """What one hop came to.

    Attributes
    ----------
    end_sample : int
        The first sample, counted from the last reset, that it did not need.
    scores : ndarray, int8 (classes,)
        The network's output; all at score 0 where it was gated.
    gated : bool
        Whether the network was spared.
    rms_cdb, peak_cdb, floor_cdb : int
        Loudest frame and largest sample since the last hop, and the noise floor, 0.01 dBFS.
    clipped : bool
        Whether a sample since the last hop reached full scale.
    events : list of TrackEvent
        Starts, updates and ends.
    patch : Patch
        The log-mel rows that it looked at.
    """

    end_sample: int
    scores: NDArray[np.int8]
    gated: bool
    rms_cdb: int
    peak_cdb: int
    floor_cdb: int
    clipped: bool
    events: list[TrackEvent]
    patch: Patch


class Detector:
    """One source's stages and their state.

    Parameters
    ----------
    classifier : Classifier
        The network; may be shared by detectors that run in one thread.
    config : DetectionConfig
        Thresholds and times.
    gain_db : float
        Gain that the samples have been through, dB.
    lap : callable, optional
        Called with each stage as it ends, for whoever has a clock.

    Attributes
    ----------
    hop_samples : int
        Samples between decisions.
    hop_range : tuple of int
        Frames between decisions as configured, and at most under overload.
    next_decision : int
        Sample count, since the last reset, at which the next decision falls.
    """

    def __init__(
        self,
        classifier: Classifier,
        config: DetectionConfig,
        gain_db: float = 0.0,
        lap: Callable[[Stage], None] | None = None,
    ) -> None:
        manifest = classifier.manifest
        spec = manifest.spec
        self.spec = spec
        self._classifier, self._config = classifier, config
        self._lap = lap or _untimed
        self._silence = np.full(len(manifest.labels), manifest.output.zero_point, np.int8)
        self._mel = MelStream(spec)
        self._patches = PatchStream(spec, config.hop_frames)
        self._level = LevelStream(spec.hop_length, spec.pcm_full_scale, gain_db)
        self._gate = EnergyGate(*gate_cdb(config, manifest))
        # Twice the patch, for onsets that lie before it, and what a hop adds.
        self._history = LevelHistory(3 * spec.patch_frames)
        update_frames = round(config.update_s * spec.frames_per_second)
        self._tracker = Tracker(
            class_rules(config, manifest), self._history, manifest.output.zero_point, update_frames
        )
        self._loud = LoudTracker(loud_rule(config, manifest), self._history, self._tracker.tracks)
        self._rules_to_come: list[ClassRule] = []
        self.hop_samples = config.hop_frames * spec.hop_length
        self.hop_range = (config.hop_frames, max(config.hop_frames, config.max_hop_frames))
        self._patch_end = (spec.patch_frames - 1) * spec.hop_length + spec.window_offset + spec.win_length
        self.reset()

    def reset(self) -> None:
        """Begin anew at sample 0, as after a gap; `finish` first, or open sounds are lost."""
        for stage in (self._mel, self._patches, self._level, self._gate, self._history):
            stage.reset()
        if self._rules_to_come:
            self._tracker.retime(self._rules_to_come)
            self._rules_to_come = []
        self._tracker.reset()
        self._loud.reset()
        self._waiting = [LevelFrames.none()]
        self.next_decision = self._patch_end

    def rehop(self, hop_frames: int) -> None:
        """Decide at another interval from the next decision but one on; nothing is lost or ended.

        Times of the configuration keep their length: those that are counted in hops are counted
        anew, rounded up to whole ones.
        """
        self._patches.rehop(hop_frames)
        self._rules_to_come = self._class_rules()
        self.hop_samples = hop_frames * self.spec.hop_length

    def _class_rules(self) -> list[ClassRule]:
        """Return the rules for the hop of the moment."""
        config = self._config.model_copy(update={"hop_frames": self._patches.hop_frames})
        return class_rules(config, self._classifier.manifest)

    def retune(self, config: DetectionConfig) -> None:
        """Go on with the thresholds of another configuration that is the same otherwise."""
        self._config = config
        rules = self._class_rules()
        if self._rules_to_come:
            self._rules_to_come = rules
        self._tracker.retune(rules)
        self._loud.retune(loud_rule(config, self._classifier.manifest))

    def push(
        self, samples: NDArray[np.float32], clipped: Sequence[tuple[int, int]] | None = None
    ) -> list[Decision]:
        """Take samples, float32 (n,) at the model's rate, and return the decisions that fall.

        `clipped` as for `LevelStream.push`.
        """
        self._lap("begin")
        self._waiting.append(self._level.push(samples, clipped))
        patches = self._patches.push(self._mel.push(samples))
        self._lap("features")
        return [self._decide(patch) for patch in patches]

    def finish(self, reason: str | None) -> list[TrackEvent]:
        """End all open sounds where they were last audible."""
        events = self._loud.push(self._take_levels(None))
        return events + self._loud.finish(reason) + self._tracker.finish(reason)

    def _decide(self, patch: Patch) -> Decision:
        end_sample = patch.first_frame * self.spec.hop_length + self._patch_end
        last_frame = end_sample // self.spec.hop_length
        fresh = self._take_levels(last_frame - self._history.end)
        events = self._loud.push(fresh)
        gated = not self._gate.passes(self._history.loudest_cdb(patch.first_frame, last_frame))
        scores = self._silence if gated else self._scores(patch)
        events += self._tracker.push(Hop(patch.first_frame, last_frame, scores))
        if self._rules_to_come:  # the hops that follow are of the new length
            self._tracker.retime(self._rules_to_come)
            self._rules_to_come = []
        self.next_decision = end_sample + self.hop_samples
        return Decision(
            end_sample,
            scores,
            gated,
            int(fresh.rms_cdb.max()),
            int(fresh.peak_cdb.max()),
            self._history.floor.estimate_cdb,
            bool(fresh.clipped.any()),
            events,
            patch,
        )

    def _scores(self, patch: Patch) -> NDArray[np.int8]:
        self._lap("begin")
        scores = self._classifier.scores(patch.rows)
        self._lap("inference")
        return scores

    def _take_levels(self, frames: int | None) -> LevelFrames:
        """Return the first `frames` level frames that wait for their hop; all of them for None."""
        joined = LevelFrames.join(self._waiting)
        self._waiting = [joined.cut(slice(len(joined.rms_cdb) if frames is None else frames, None))]
        return joined.cut(slice(frames))


def _untimed(stage: Stage) -> None:
    """Nobody has a clock."""
