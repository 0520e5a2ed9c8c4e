"""Plays the same levels and scores to the daemon's trackers and to those in C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from aed_daemon.events import EventType, Reason
from aed_daemon.gate import EnergyGate
from aed_daemon.level import LevelFrames
from aed_daemon.loud import LoudTracker
from aed_daemon.onset import LevelHistory
from aed_daemon.rules import ClassRule, LoudRule
from aed_daemon.spec import FeatureSpec
from aed_daemon.tracker import Hop, Tracker, TrackEvent
from model_tools.export.rules_c import SOURCES, TrackerRules, rules_files

HERE = Path(__file__).parent
CSRC = Path(__file__).parents[3] / "model_tools" / "export" / "csrc"
PLAYER = HERE / "play_tracker.c"
ROW, ROOM = 16, 12_000
_LEVEL, _PCM, _GATE, _HOP, _FINISH, _RESET, _POLL, _JUMP, _LOST, _ASK = range(10)
_TYPES: tuple[str, ...] = get_args(EventType)
_REASONS: tuple[str | None, ...] = (None, *get_args(Reason))

Rows = NDArray[np.int32]

TrackerLibrary = Callable[[TrackerRules], Path]
"""Builds the tracker with its player for this machine, once for each set of rules."""


def rules_of(
    classes: Sequence[Mapping[str, int]],
    loud: Mapping[str, int] | None,
    *,
    hop_frames: int,
    update_frames: int,
    zero_point: int = -128,
    gate_cdb: tuple[int, int] = (-6_500, -7_000),
) -> TrackerRules:
    """Return rules of classes 0, 1 .. from the fields of their ClassRule."""
    made = tuple(
        ClassRule(slug=f"class_{index}", label=f"Class {index}", index=index, **fields)
        for index, fields in enumerate(classes)
    )
    return TrackerRules(
        spec=FeatureSpec(),
        slugs=tuple(rule.slug for rule in made),
        labels=tuple(rule.label for rule in made),
        zero_point=zero_point,
        classes=made,
        loud=LoudRule(**loud) if loud else None,
        gate_cdb=gate_cdb,
        hop_frames=hop_frames,
        update_frames=update_frames,
        origin="a test",
    )


def written(rules: TrackerRules, folder: Path) -> tuple[list[Path], list[Path]]:
    """Write the generated files and return all sources with the player's, and the include folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rules_files(rules).items():
        (folder / name).write_text(text)
    return [*(CSRC / name for name in SOURCES), folder / "aed_rules.c", PLAYER], [CSRC, folder]


def play(library: Path, code: Sequence[int]) -> Rows:
    """Return the rows that the C writes."""
    function = ctypes.CDLL(str(library)).aed_play
    function.restype = ctypes.c_long
    given, rows = coded(code), np.empty((ROOM, ROW), np.int32)
    pointer = ctypes.POINTER(ctypes.c_int32)
    found = function(
        given.ctypes.data_as(pointer),
        ctypes.c_long(len(given)),
        rows.ctypes.data_as(pointer),
        ctypes.c_long(ROOM),
    )
    assert found >= 0, "more rows than there is room for"
    return rows[:found]


def coded(code: Sequence[int]) -> NDArray[np.int32]:
    """Return instructions as the player reads them; frame numbers are unsigned there."""
    return (np.asarray(code, np.int64) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


class Script:
    """Tells the daemon's trackers what it writes down for the C.

    Parameters
    ----------
    rules : TrackerRules
        Of both.
    frame : int
        What the C numbers the first frame; the daemon begins at 0.
    poll : bool
        Poll the C's queue after each call, or never.

    Attributes
    ----------
    code : list of int
        Instructions for `play`.
    expected : list
        What `read` should make of the rows.
    """

    def __init__(self, rules: TrackerRules, frame: int = 0, *, poll: bool = True) -> None:
        self.rules, self.code, self.expected = rules, [_RESET, frame], list[Any]()
        self._levels = LevelHistory(rules.history_frames)
        self._tracker = Tracker(rules.classes, self._levels, rules.zero_point, rules.update_frames)
        self._tracker.tracks = count()
        self._loud = LoudTracker(rules.loud, self._levels, self._tracker.tracks)
        self._gate = EnergyGate(*rules.gate_cdb)
        self._base, self._poll, self._first = frame, poll, 0

    @property
    def needed(self) -> int:
        """Level frames until the next hop can be pushed."""
        return self._first + self.rules.window_frames - self._levels.end

    def levels(self, frames: LevelFrames) -> None:
        """Push levels."""
        for rms, peak, clipped in zip(*(part.tolist() for part in frames), strict=True):
            self.code += [_LEVEL, rms, peak, int(clipped)]
        self._came(self._loud.push(frames))

    def pcm(self, samples: NDArray[np.int16], frames: LevelFrames) -> None:
        """Push samples, whose levels the C is to compute."""
        for piece, rms, peak, clipped in zip(
            samples.reshape(-1, 160).tolist(), *(part.tolist() for part in frames), strict=True
        ):
            self.code += [_PCM, *piece]
            self.expected.append(("level", rms, peak, clipped))
        self._came(self._loud.push(frames))

    def hop(self, scores: Sequence[int] | None) -> None:
        """Ask the gate, and push scores, None for a gated hop."""
        first, last = self._first, self._first + self.rules.window_frames
        numbers = [self._base + first, self._base + last]
        self.code += [_GATE, *numbers]
        self.expected.append(("gate", self._gate.passes(self._levels.loudest_cdb(first, last))))
        values = [self.rules.zero_point] * len(self.rules.slugs) if scores is None else scores
        self.code += [_HOP, *numbers, int(scores is not None), *(0 if scores is None else s for s in values)]
        self._came(self._tracker.push(Hop(first, last, np.array(values, np.int8))))
        self._first += self.rules.hop_frames

    def finish(self, reason: str | None) -> None:
        """End what is open."""
        self.code += [_FINISH, _REASONS.index(reason)]
        self._came(self._loud.finish(reason) + self._tracker.finish(reason))

    def reset(self, frame: int) -> None:
        """Begin anew; the C numbers the next frame so."""
        self.code += [_RESET, frame]
        self._levels.reset()
        self._tracker.reset()
        self._loud.reset()
        self._gate.reset()
        self._base, self._first = frame, 0

    def jump(self, frames: int) -> None:
        """Let time pass in which nothing is heard, not even by the history."""
        self.code += [_JUMP, frames]
        self._levels.end += frames
        self._first += frames

    def again(self) -> None:
        """Let the next hop be the last one once more."""
        self._first -= self.rules.hop_frames

    def ask(self, first: int, last: int, earliest: int) -> None:
        """Ask the history of a window, in frames back from the newest."""
        end = self._levels.end
        numbers = [end - first, end - last, end - earliest]
        self.code += [_ASK, *(self._base + number for number in numbers)]
        frames, floor = self._levels.between(*numbers[:2]), self._levels.floor
        found = self._levels.onset(*numbers), self._levels.offset(*numbers[:2])
        loudest, peak = int(frames.rms_cdb.max()), int(frames.peak_cdb.max())
        clipped = bool(frames.clipped.any())
        self.expected.append(
            ("history", *map(self._numbered, found), loudest, peak, clipped, floor.cdb, floor.estimate_cdb)
        )

    def lost(self, expected: int) -> None:
        """Ask how many events were lost."""
        self.code.append(_LOST)
        self.expected.append(("lost", expected))

    def poll(self) -> None:
        """Take what waits in the C's queue."""
        self.code.append(_POLL)

    def _came(self, events: list[TrackEvent]) -> None:
        self.expected += [self._row(event) for event in events]
        if self._poll:
            self.poll()

    def _row(self, event: TrackEvent) -> tuple[Any, ...]:
        end = None if event.end_frame is None else self._numbered(event.end_frame)
        fields = event._replace(start_frame=self._numbered(event.start_frame), end_frame=end)
        return tuple(fields)

    def _numbered(self, frame: int) -> int:
        return (self._base + frame) % 2**32


def read(rows: Rows, rules: TrackerRules) -> list[Any]:
    """Return rows as `Script.expected` has them."""
    return [_read(row.tolist(), rules) for row in rows]


def _read(row: list[int], rules: TrackerRules) -> Any:
    kind = row[0]
    if kind == 1:
        return ("level", row[1], row[2], bool(row[3]))
    if kind == 2:
        return ("gate", bool(row[1]))
    if kind == 3:
        return ("lost", row[1])
    if kind == 4:
        return ("history", row[1] % 2**32, row[2] % 2**32, row[3], row[4], bool(row[5]), row[6], row[7])
    loud = row[2] == len(rules.slugs)
    hops, total = row[11], row[9] * 1_000_000 + row[10]
    smoothing = 1 if loud else next(r.smoothing_hops for r in rules.classes if r.index == row[2])
    scores = (None,) * 3 if loud else (row[7] / smoothing, row[8] / smoothing, total / (hops * smoothing))
    unsigned = [value % 2**32 for value in row]
    return (
        _TYPES[row[1]],
        "loud_sound" if loud else rules.slugs[row[2]],
        "Loud sound" if loud else rules.labels[row[2]],
        unsigned[4],
        unsigned[5],
        unsigned[6] if _TYPES[row[1]] == "end" else None,
        *scores,
        (row[12], row[13], row[14], bool(row[15])),
        _REASONS[row[3]],
    )
