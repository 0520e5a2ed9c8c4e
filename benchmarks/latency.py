"""From the onset of a bark at the microphone to its message at an MQTT subscriber, in real time."""

from __future__ import annotations

import json
import math
import statistics
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import numpy as np
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from aed_daemon.audio.condition import Conditioner
from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.errors import ModelError
from aed_daemon.inference import load_classifier
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from benchmarks.clips import RATE_HZ, Soundtrack, Span, clips, soundtrack
from benchmarks.measure import ProgramError, percentile, significant
from benchmarks.outcome import Limit, Outcome, Row, UnavailableError
from benchmarks.rig import SOURCE, missing_parts_told, rig
from tests.mosquitto import Mosquitto

CLASS = "dog"
FOLDER = "Dog bark"
MEDIAN_LIMIT, P95_LIMIT, N_LIMIT = Limit(0.7), Limit(1.2), Limit(30, at_least=True)
_NETWORKS = Path(__file__).parents[1] / "evaluation" / "distilled"
_LEAD_S, _BEFORE_S, _AFTER_S = 12.0, 2.0, 1.5
_GRACE_S = 0.5


class Start(NamedTuple):
    """A start message.

    Attributes
    ----------
    at_s : float
        When it arrived, or was decided.
    onset_s : float
        The onset that it states, on the same clock.
    """

    at_s: float
    onset_s: float


@dataclass(frozen=True)
class Trial:
    """One clip.

    Attributes
    ----------
    fold : int
        Left out of its network's training.
    clip : str
        File name.
    latency_s : float
        Onset to arrival; infinite where no message came before the quiet after the clip ended.
    decision_s : float
        Onset to decision in sample time, no machine between: window, hop and network alone.
    onset_error_s : float
        Stated onset less the true one; not a number where it was missed.
    """

    fold: int
    clip: str
    latency_s: float
    decision_s: float
    onset_error_s: float


def networks(candidates: Iterable[Path]) -> dict[int, Path]:
    """Return, per fold, the first network whose manifest says that the fold was left out."""
    found: dict[int, Path] = {}
    for path in candidates:
        try:
            fold = load_manifest(path).provenance.held_out.rpartition(" ")[2]
        except ModelError:
            continue  # being written
        if fold.isdecimal() and 1 <= int(fold) <= 5:
            found.setdefault(int(fold), path)
    return dict(sorted(found.items()))


def first_within(starts: Iterable[Start], span: Span, begin_s: float) -> Start | None:
    """Return the first start between a clip's begin and its end, in a track that began at `begin_s`."""
    inside = [s for s in starts if span.begin <= (s.at_s - begin_s) * RATE_HZ <= span.end]
    return min(inside, default=None)


class Arrivals:
    """Subscribes to all events and keeps the starts of a class with the time at which each came."""

    def __init__(self, port: int) -> None:
        self._starts: dict[str, list[Start]] = {}
        self.gaps = 0
        self.engines: set[str] = set()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(f"aed/+/{SOURCE}/event", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._received
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        if not self._subscribed.wait(10.0):
            raise ProgramError("the broker does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def of(self, node: str) -> list[Start]:
        """Return what came from a daemon."""
        return list(self._starts.get(node, []))

    def _received(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        now_s = time.time()
        event = json.loads(message.payload)
        self.engines.add(event["engine"])
        self.gaps += bool(event["gap_before"])
        if event["class"] == CLASS and event["type"] == "start":
            self._starts.setdefault(event["node"], []).append(Start(now_s, event["start_ts"]))


def decisions(track: Soundtrack, model: Path) -> list[Start]:
    """Return the starts in sample time: when the last sample that each decision needed had sounded."""
    detector = Detector(load_classifier(model), DetectionConfig())
    sound = Conditioner(RATE_HZ).push((track.samples[:, np.newaxis] / 32_768).astype(np.float32))
    hop_s = detector.spec.hop_length / RATE_HZ
    return [
        Start(decision.end_sample / RATE_HZ, event.start_frame * hop_s)
        for decision in detector.push(sound)
        for event in decision.events
        if event.slug == CLASS and event.type == "start"
    ]


def listen(fold: int, model: Path, track: Soundtrack, broker: Mosquitto, arrivals: Arrivals) -> float:
    """Play a soundtrack to a daemon; return when, in UTC, its first sample sounded."""
    node = f"fold{fold}"
    with (
        rig(broker) as room,
        room.pulse.playing(track.samples) as writer,
        room.daemon(node, model=model) as daemon,
    ):
        daemon.wait_ready()
        if time.time() > writer.started_s + _LEAD_S:
            raise ProgramError("the daemon was not ready before the first clip")
        if not writer.done.wait(len(track.samples) / RATE_HZ + 30.0):
            raise ProgramError("the microphone does not take its samples in time")
        time.sleep(_GRACE_S)
    if not arrivals.engines:
        raise ProgramError(f"no event at all from {node}")
    return writer.started_s


def trials(
    fold: int, track: Soundtrack, begin_s: float, live: list[Start], ideal: list[Start]
) -> list[Trial]:
    """Return what became of each clip."""
    found = []
    for span in track.spans:
        heard, decided = first_within(live, span, begin_s), first_within(ideal, span, 0.0)
        onset_s = span.onset / RATE_HZ
        found.append(
            Trial(
                fold,
                span.clip,
                math.inf if heard is None else heard.at_s - begin_s - onset_s,
                math.inf if decided is None else decided.at_s - onset_s,
                math.nan if heard is None else heard.onset_s - begin_s - onset_s,
            )
        )
    return found


def summary(latencies: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile (nearest rank) and count; a miss is infinite."""
    found = {"median": statistics.median(latencies), "p95": percentile(latencies, 0.95)}
    return {name: significant(value) for name, value in found.items()} | {"n": len(latencies)}


def run(*, quick: bool) -> Outcome:
    """Measure it, all folds at once, each with a daemon and a microphone of its own."""
    models = networks(sorted(_NETWORKS.glob("*-seed1.tflite")))
    if quick:
        models = dict(list(models.items())[-1:])
    if not models:
        raise UnavailableError("no network says which fold was left out of its training")
    hop_s = DetectionConfig().hop_frames / load_manifest(DEFAULT_MODEL).spec.frames_per_second
    tracks = {
        fold: soundtrack(
            clips(fold, FOLDER)[: 2 if quick else None],
            lead_s=_LEAD_S,
            before_s=_BEFORE_S,
            after_s=_AFTER_S,
            hop_s=hop_s,
            seed=fold,
        )
        for fold in models
    }
    with (
        TemporaryDirectory(prefix="aed-bench-") as folder,
        missing_parts_told(),
        Mosquitto(Path(folder)) as broker,
        Arrivals(broker.port) as arrivals,
    ):
        with ThreadPoolExecutor(len(models)) as pool:
            begun = {
                fold: pool.submit(listen, fold, model, tracks[fold], broker, arrivals)
                for fold, model in models.items()
            }
        begin_s = {fold: future.result() for fold, future in begun.items()}
    found = [
        trial
        for fold, model in models.items()
        for trial in trials(
            fold, tracks[fold], begin_s[fold], arrivals.of(f"fold{fold}"), decisions(tracks[fold], model)
        )
    ]
    return _outcome(found, arrivals, None if quick else N_LIMIT)


def _outcome(found: Sequence[Trial], arrivals: Arrivals, n_limit: Limit | None) -> Outcome:
    live = summary([trial.latency_s for trial in found])
    ideal = summary([trial.decision_s for trial in found])
    misses = sum(math.isinf(trial.latency_s) for trial in found)
    errors = [abs(trial.onset_error_s) for trial in found if not math.isnan(trial.onset_error_s)]
    folds = sorted({trial.fold for trial in found})
    details = {
        "unit": "s",
        "clips": f"ESC-10's dog barks of folds {folds}, each by a network that never saw its fold",
        "engine": "/".join(sorted(arrivals.engines)),
        "misses": misses,
        "events_after_a_gap": arrivals.gaps,
        "in_sample_time": ideal,
        "onset_error_median": significant(statistics.median(errors)) if errors else math.inf,
        "trials": [
            {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(t).items()}
            for t in found
        ],
    }
    beside = f"{misses} of {live['n']} missed; in sample time {ideal['median']:.3f}"
    rows = [
        Row("onset to MQTT, median", live["median"], "s", beside, MEDIAN_LIMIT),
        Row("onset to MQTT, 95 %", live["p95"], "s", f"in sample time {ideal['p95']:.3f}", P95_LIMIT),
        Row("  clips of held-out folds", live["n"], "", f"folds {folds}", n_limit),
    ]
    return Outcome({"latency_s": live | {"misses": misses}}, details, rows)
