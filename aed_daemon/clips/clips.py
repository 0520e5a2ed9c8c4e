"""Clips: the companion that records what was detected."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aed_daemon.clips.cutter import Cutter
from aed_daemon.clips.files import ClipFiles
from aed_daemon.clips.folder import ClipFolder
from aed_daemon.clips.never import NEVER_RECORD, REASON
from aed_daemon.clips.quiet_hours import QuietHours
from aed_daemon.clips.retention import Retention
from aed_daemon.clips.take import Take
from aed_daemon.clips.tape import Block, to_pcm
from aed_daemon.clips.writer import ROUND_S, ClipCounters, ClipWriter
from aed_daemon.companions import Companion, Surroundings
from aed_daemon.config import Config, DetectionConfig
from aed_daemon.config_file import located
from aed_daemon.errors import AedError, ConfigError
from aed_daemon.events import Event, new_ulid
from aed_daemon.manifest import ModelManifest
from aed_daemon.rules import class_rules, loud_rule

FOLDER_NAME = "clips"

CAPTURE = "capture"
"""In place of the class, of a clip that was asked for."""

_START_PATIENCE_S = 1.0
_PIECE_S = 1.0
"""A pipeline hands out the samples of a decision at most so long before it decides."""


def make_clips(around: Surroundings) -> Clips:
    """Return what records as the configuration says; ConfigError where it must not or has no place to."""
    config = around.config.clips
    if NEVER_RECORD:
        raise located(ConfigError(REASON, where="clips.enabled"), around.config)
    root = config.folder
    if root is None:
        if around.state is None:
            hint = "Set clips.folder."
            raise located(ConfigError("no folder for clips", where="clips.enabled", hint=hint), around.config)
        root = around.state / FOLDER_NAME
    return Clips(root, around.config, around.classifier.manifest)


def reach_frames(detection: DetectionConfig, manifest: ModelManifest) -> int:
    """Return how long before its start event a sound may have begun, in frames.

    An onset is looked for as far back as two patches; then a sound may have to last, and to be
    confirmed. One that wavers about its threshold for longer than that begins its clip late.
    """
    hop = max(detection.hop_frames, detection.max_hop_frames)
    lasts = [
        rule.min_duration_frames + (rule.confirm_hops - 1) * detection.hop_frames
        for rule in class_rules(detection, manifest)
    ]
    loud = loud_rule(detection, manifest)
    if loud is not None:
        lasts.append(loud.min_duration_frames)
    return 2 * manifest.spec.patch_frames + 2 * hop + max(lasts, default=0)


class Clips(Companion):
    """Records sounds while they are detected, each in a file of its own.

    Parameters
    ----------
    root : Path
        The clips folder.
    config : Config
        What holds.
    manifest : ModelManifest
        The model.
    clock : callable
        Seconds since 1970; quiet hours go by it.
    round_s : float
        As for `ClipWriter`.
    """

    def __init__(
        self,
        root: Path,
        config: Config,
        manifest: ModelManifest,
        *,
        clock: Callable[[], float] = time.time,
        round_s: float = ROUND_S,
    ) -> None:
        clips, spec = config.clips, manifest.spec
        self._config, self._node, self._clock = clips, config.node, clock
        self._rate_hz = spec.sample_rate_hz
        self._quiet = QuietHours.parse(clips.quiet_hours) if clips.quiet_hours else None
        self.files = ClipFolder(root)
        most_samples = self._samples(clips.max_s)
        retention = Retention(
            self.files,
            max_age_s=clips.keep_days * 86_400,
            max_clips=clips.keep_clips,
            min_free_bytes=round(clips.min_free_mb * 1e6),
            clock=clock,
        )
        self._writer = ClipWriter(
            ClipFiles(self.files, spec, clips.format, most_samples, pictures=clips.spectrogram),
            retention,
            round_s,
        )
        self._reach = reach_frames(config.detection, manifest) * spec.hop_length + self._samples(_PIECE_S)
        self._lock = threading.Lock()
        self._cutters: dict[str, Cutter] = {}
        self._open: dict[str, Take] = {}

    # For others

    @property
    def folder(self) -> Path:
        """The clips folder, which the paths in events start from."""
        return self.files.root

    @property
    def counters(self) -> ClipCounters:
        """What became of clips since this was made."""
        return self._writer.counters

    @property
    def problem(self) -> str | None:
        """Why nothing can be recorded now; None where it can."""
        return self._writer.problem

    def find(self, identity: str) -> Path | None:
        """Return the recording of a sound; None where there is none (yet)."""
        return self.files.find(identity)

    def resolve(self, relative: str) -> Path | None:
        """Return the file that a path below the folder names; None for all that is no clip's."""
        return self.files.resolve(relative)

    def capture(self, source: str, duration_s: float) -> Take:
        """Record what a source hears from now on, and `pre_s` before.

        Raises
        ------
        AedError
            Where that is not allowed, or nothing is heard.
        """
        if not self._config.on_request:
            raise AedError("clips.on_request is off", hint="Set it in the configuration to record this way.")
        if self._is_quiet():
            raise AedError("these are quiet hours", hint="clips.quiet_hours has them.")
        if self.problem is not None:
            raise AedError("clips cannot be written", got=self.problem)
        with self._lock:
            cutter = self._cutters.get(source)
            now = cutter.end_sample if cutter else None
            if cutter is None or now is None:
                raise AedError("nothing is heard from this source now", where=source)
            start_ts = round(self._clock(), 3)
            take = self._take(new_ulid(start_ts), source, CAPTURE, "On request", start_ts, now)
            if not cutter.begin(take):
                raise AedError("a class is heard that must not be recorded", where=source)
            cutter.end(take.id, now + self._samples(duration_s))
        self._writer.reserve(take)
        return take

    # A companion

    def start(self) -> None:
        """Begin; waits a second at most for the disk, and records once that answers."""
        self._writer.start(_START_PATIENCE_S)

    def close(self, timeout_s: float) -> None:
        """Write the clips whose sounds are over; those of sounds that go on are given up."""
        with self._lock:
            for cutter in self._cutters.values():
                cutter.drop_open()
                cutter.over("shutdown")
        self._writer.close(timeout_s)

    # An observer

    def sound(self, source: str, first_sample: int, samples: NDArray[np.float32]) -> None:
        """Keep samples for a while; in quiet hours not even that."""
        block = None if self._is_quiet() else Block(first_sample, to_pcm(samples))
        with self._lock:
            cutter = self._cutter(source)
            if block is None:
                cutter.cut("quiet_hours")
            else:
                cutter.push(block)

    def gap(self, source: str, *_: int) -> None:
        """End the clips: what follows does not join on."""
        with self._lock:
            self._cutter(source).cut("gap")

    def over(self, source: str) -> None:
        """End the clips: nothing follows."""
        with self._lock:
            self._cutter(source).over("source_ended")

    def recording(self, draft: Event) -> str | None:
        """Begin or end a clip, and return its path below the folder; None where there is none."""
        with self._lock:
            cutter = self._cutter(draft.source)
            if draft.class_ in self._config.never_classes:
                self._veto(cutter, draft)
                return None
            if draft.type == "start":
                self._begin(cutter, draft)
            take = self._open.get(draft.id)
            if take is None:
                return None
            take.score_max = draft.score_max
            if draft.type == "end":
                del self._open[draft.id]
                take.end_reason = draft.reason
                end_sample = draft.start_sample if draft.end_sample is None else draft.end_sample
                take.end_sample = end_sample
                cutter.end(draft.id, end_sample)
            return None if take.failed else take.name

    def _begin(self, cutter: Cutter, draft: Event) -> None:
        wanted = self._config.classes is None or draft.class_ in self._config.classes
        if not wanted or self._is_quiet():
            return
        if self.problem is not None:
            self._writer.refuse()
            return
        take = self._take(
            draft.id, draft.source, draft.class_, draft.label, draft.start_ts, draft.start_sample
        )
        if cutter.begin(take):
            self._open[draft.id] = take
            self._writer.reserve(take)

    def _veto(self, cutter: Cutter, draft: Event) -> None:
        if draft.type != "end":  # an update may be the first that is heard of it, after a reload
            before = cutter.under_way
            cutter.veto(draft.id, draft.start_sample)
            self._writer.counters.vetoed += before - cutter.under_way
        elif draft.end_sample is not None:
            cutter.lift(draft.id, draft.end_sample)

    def _take(
        self, identity: str, source: str, slug: str, label: str, start_ts: float, start_sample: int
    ) -> Take:
        return Take(
            id=identity,
            node=self._node,
            source=source,
            slug=slug,
            label=label,
            name=self.files.name(source, identity, f".{self._config.format}"),
            start_ts=start_ts,
            start_sample=start_sample,
            first_sample=start_sample,
            limit_sample=start_sample,
        )

    def _cutter(self, source: str) -> Cutter:
        if source not in self._cutters:
            self._cutters[source] = Cutter(
                pre_samples=self._samples(self._config.pre_s),
                post_samples=self._samples(self._config.post_s),
                max_samples=self._samples(self._config.max_s),
                reach_samples=self._reach,
                settle_samples=self._reach if self._config.never_classes else 0,
                done=self._writer.write,
            )
        return self._cutters[source]

    def _is_quiet(self) -> bool:
        return self._quiet is not None and self._quiet.hold(self._clock())

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate_hz)
