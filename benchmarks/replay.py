"""How much faster than real time a recording is replayed, by the command that users type."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from aed_daemon.inference import available_engines
from benchmarks.clips import write_recording
from benchmarks.measure import ONE_THREAD, Samples, significant, take
from benchmarks.outcome import Limit, Outcome, Row, UnavailableError
from benchmarks.rig import aed_daemon

LIMITS = {"litert": Limit(100.0, at_least=True), "tflite": Limit(30.0, at_least=True)}
_SHORT_S = 1.0
_GATE_OFF = '[[source]]\nname = "replay"\ntype = "demo"\n[detection.gate]\nenabled = false\n'
_ONE_CORE = ("taskset", "--cpu-list", "0")


@dataclass
class Case:
    """One way to work through the recording.

    Attributes
    ----------
    rate_hz : int
        Of the recording.
    before, after : sequence of str
        The command around the file's name.
    """

    rate_hz: int
    before: Sequence[str]
    after: Sequence[str]
    _whole: list[float] = field(default_factory=list)
    _processing: list[float] = field(default_factory=list)
    _per_cpu: list[float] = field(default_factory=list)

    def measure(self, folder: Path, length_s: float) -> None:
        """Run it on the recording and on one second.

        The difference is what the sound took: interpreter, imports and loading the model are in both.
        """
        short, long = (self._take(folder / f"{self.rate_hz}-{s:g}.wav") for s in (_SHORT_S, length_s))
        sound_s = length_s - _SHORT_S
        self._whole.append(length_s / long[0])
        self._processing.append(sound_s / (long[0] - short[0]))
        self._per_cpu.append(sound_s / (long[1] - short[1]))

    def _take(self, file: Path) -> tuple[float, float]:
        return take([*self.before, file, *self.after], environment=ONE_THREAD)

    @property
    def speed(self) -> float:
        """Times real time."""
        return significant(Samples(tuple(self._processing)).median, 3)

    def details(self) -> dict[str, dict[str, float]]:
        """Return the speeds with their spread: of the sound, of the command, and per processor second."""
        kinds = {
            "processing": self._processing,
            "whole_command": self._whole,
            "per_cpu_second": self._per_cpu,
        }
        return {name: Samples(tuple(speeds)).spread(3) for name, speeds in kinds.items()}


def cases(engine: str, gate_off: Path) -> dict[str, Case]:
    """Return the ways, the headline's first."""
    command = [*aed_daemon(), "replay"]
    options = ["--speed", "max", "--json", "--engine", engine]
    return {
        engine: Case(44_100, command, options),
        f"{engine}_16000_hz": Case(16_000, command, options),
        f"{engine}_gate_off": Case(44_100, command, [*options, "--config", str(gate_off)]),
        f"{engine}_one_core": Case(44_100, [*_ONE_CORE, *command], options),
        f"{engine}_librosa_whole_windows": Case(44_100, [sys.executable, "-m", "benchmarks.naive"], [engine]),
    }


def run(*, quick: bool) -> Outcome:
    """Measure it."""
    length_s, rounds = (60.0, 1) if quick else (600.0, 3)
    engines = available_engines()
    if not engines:
        raise UnavailableError("neither litert nor tflite is installed")
    with TemporaryDirectory(prefix="aed-bench-") as name:
        folder = Path(name)
        for rate_hz in (44_100, 16_000):
            for seconds in (_SHORT_S, length_s):
                write_recording(folder / f"{rate_hz}-{seconds:g}.wav", rate_hz, seconds)
        gate_off = folder / "gate_off.toml"
        gate_off.write_text(_GATE_OFF, encoding="utf-8")
        ways = {name: case for engine in engines for name, case in cases(engine, gate_off).items()}
        for turn in range(rounds):
            for name, case in ways.items():
                if turn == 0 or name in engines or name.endswith("windows"):
                    case.measure(folder, length_s)
    rows = []
    for engine in engines:
        naive = ways[f"{engine}_librosa_whole_windows"].speed
        own = ways[engine].details()
        beside = f"per processor second {own['per_cpu_second']['median']:g}, with the interpreter's start "
        beside += f"{own['whole_command']['median']:g}; librosa on each window {naive:g}"
        rows.append(Row(f"replay, {engine}", ways[engine].speed, "x real time", beside, LIMITS[engine]))
        rows += [
            Row(f"  {name.removeprefix(engine).replace('_', ' ').strip()}", case.speed, "x real time")
            for name, case in ways.items()
            if name.startswith(f"{engine}_") and not name.endswith("windows")
        ]
    return Outcome(
        figures={"replay_x_realtime": {engine: ways[engine].speed for engine in engines}},
        details={
            "unit": "times real time",
            "recording_s": length_s,
            "recording": "ESC-10 fold 5 over again, 44100 Hz, 16 bits, one channel; gate on, hop 24 frames",
            **{name: case.details() for name, case in ways.items()},
        },
        rows=rows,
    )
