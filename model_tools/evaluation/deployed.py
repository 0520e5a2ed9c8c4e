"""What a network is worth as deployed: recall, latency, event scores, false alarms.

Everything here counts what `listening` heard through the daemon's own detector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.manifest import BACKGROUND, ModelManifest
from aed_daemon.rules import class_rules, steps_of
from model_tools.evaluation.events import Event
from model_tools.evaluation.listening import RATE_HZ, Heard
from model_tools.evaluation.psds import PsdsParameters, Rates, rates
from model_tools.evaluation.soundscape import Soundscape, Truth
from model_tools.evaluation.statistics import percentile, poisson_upper95
from model_tools.evaluation.trace import Found, Trace, replay

Samples = NDArray[np.float32]

QUIET_DBFS = -75.0
"""RMS level of the quiet microphone around a clip: under the gate."""

AROUND_S = 1.5
GRACE_S = 1.5
"""A start is credited to a sound until so long after its end: the window is a second long."""

WEATHER = frozenset({"rain", "sea_waves"})
BROAD_NOISE = frozenset({"coloured_noise"})
"""White, pink and brown noise, which a person may take for rain or sea: `WEATHER` on it is counted apart."""

OFF_SHARE = 0.6
"""threshold_off as a share of threshold_on, wherever thresholds are tried or chosen."""


def in_quiet(samples: Samples, seed: int) -> Samples:
    """Return a clip as a quiet microphone hears it: its noise before, after and under it."""
    around = np.zeros(round(AROUND_S * RATE_HZ), np.float32)
    scene = np.concatenate([around, samples, around])
    noise = np.random.default_rng(seed).standard_normal(len(scene)) * 10 ** (QUIET_DBFS / 20)
    return np.asarray(scene + noise, np.float32)


class ClipFound(NamedTuple):
    """What a clip alone started: its own class, others, nothing.

    Attributes
    ----------
    slug, clip : str
        Its class and file.
    own : bool
        Whether its class started.
    others : tuple of str
        Other classes that started, once each.
    """

    slug: str
    clip: str
    own: bool
    others: tuple[str, ...]


def clip_found(slug: str, clip: str, events: Sequence[Found]) -> ClipFound:
    """Return what a clip alone started."""
    started = {event.slug for event in events}
    return ClipFound(slug, clip, slug in started, tuple(sorted(started - {slug})))


def latencies_s(truths: Sequence[Truth], events: Sequence[Found]) -> list[float]:
    """Return the time from each true onset to the first decision for its class, s; infinite if missed."""
    found = []
    for truth in truths:
        last = truth.offset_sample + GRACE_S * RATE_HZ
        decided = [
            event.decision_sample
            for event in events
            if event.slug == truth.slug and truth.onset_sample <= event.decision_sample <= last
        ]
        found.append((min(decided) - truth.onset_sample) / RATE_HZ if decided else float("inf"))
    return found


def latency_figures(latencies: list[float]) -> dict[str, float | None]:
    """Return p50 and p95, s; None where that many were missed."""
    p50, p95 = percentile(latencies, 0.5), percentile(latencies, 0.95)
    return {
        "latency_s_p50": round(p50, 3) if np.isfinite(p50) else None,
        "latency_s_p95": round(p95, 3) if np.isfinite(p95) else None,
    }


def true_events(scene: int, soundscape: Soundscape) -> list[Event]:
    """Return the truth of a soundscape for scoring."""
    return [
        Event(scene, t.slug, t.onset_sample / RATE_HZ, t.offset_sample / RATE_HZ) for t in soundscape.truths
    ]


def found_events(scene: int, events: Iterable[Found]) -> list[Event]:
    """Return the events of a soundscape for scoring."""
    return [Event(scene, e.slug, e.onset_sample / RATE_HZ, e.offset_sample / RATE_HZ) for e in events]


def psds_rates(
    manifest: ModelManifest,
    scenes: Sequence[tuple[int, Soundscape, Trace]],
    parameters: PsdsParameters,
    detection: DetectionConfig | None = None,
    thresholds: Sequence[float] = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2)),
) -> dict[str, list[Rates]]:
    """Return the rates of each class over thresholds, by the daemon's tracker on the traces of scenes."""
    rules = class_rules(detection or DetectionConfig(), manifest)
    tried = [
        replace(
            rule,
            slug=f"{rule.slug}@{number}",
            on_steps=steps_of(on, manifest.output),
            off_steps=steps_of(on * OFF_SHARE, manifest.output),
        )
        for rule in rules
        for number, on in enumerate(thresholds)
    ]
    there = [event for scene, soundscape, _ in scenes for event in true_events(scene, soundscape)]
    found: dict[str, list[Event]] = {rule.slug: [] for rule in tried}
    for scene, _, trace in scenes:
        for event in found_events(scene, replay(trace, manifest, tried)):
            found[event.slug].append(event._replace(slug=event.slug.partition("@")[0]))
    hours = sum(len(soundscape.samples) for _, soundscape, _ in scenes) / RATE_HZ / 3_600
    return {
        rule.slug: [
            rates(there, found[f"{rule.slug}@{number}"], rule.slug, hours, parameters)
            for number in range(len(thresholds))
        ]
        for rule in rules
    }


@dataclass
class FalseAlarms:
    """Starts of any class where none sounds.

    Attributes
    ----------
    hours : dict of bool to float
        Listened to, of real recordings (True) and synthesised sound (False).
    kind_hours : dict of (bool, str) to float
        The same by kind.
    starts : dict of bool to Counter
        Starts by (kind, class).
    weather : Counter
        Rain and sea heard in broad noise, by (kind, class); not among `starts`.
    where : list of str
        The first of them: class, score, recording and time.
    scores : dict of bool to ndarray, int64 (256,)
        Hops by the largest score of any class, in steps above score 0.
    """

    hours: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})
    kind_hours: dict[tuple[bool, str], float] = field(default_factory=dict)
    starts: dict[bool, Counter[tuple[str, str]]] = field(
        default_factory=lambda: {True: Counter(), False: Counter()}
    )
    weather: Counter[tuple[str, str]] = field(default_factory=Counter)
    where: list[str] = field(default_factory=list)
    scores: dict[bool, NDArray[np.int64]] = field(
        default_factory=lambda: {real: np.zeros(256, np.int64) for real in (True, False)}
    )

    def add(self, heard: Heard, manifest: ModelManifest) -> None:
        """Count a stream that a network listened to."""
        stream = heard.stream
        columns = [manifest.slugs.index(slug) for slug in classes_of(manifest)]
        largest = heard.trace.scores[:, columns].max(axis=1, initial=-128).astype(np.int64)
        above = np.clip(largest - manifest.output.zero_point, 0, 255)
        self.scores[stream.real] += np.bincount(above, minlength=256)
        self.hours[stream.real] += heard.hours
        kind = (stream.real, stream.kind)
        self.kind_hours[kind] = self.kind_hours.get(kind, 0.0) + heard.hours
        for event in heard.events:
            apart = stream.kind in BROAD_NOISE and event.slug in WEATHER
            (self.weather if apart else self.starts[stream.real])[stream.kind, event.slug] += 1
            if len(self.where) < 200:
                place = stream.place(event.onset_sample / RATE_HZ)
                self.where.append(f"{event.slug} {event.score_max:.2f}: {place}")

    def count(self, *, real: bool) -> int:
        """Return how many there are, of real or of synthesised sound."""
        return sum(self.starts[real].values())

    def on(self, kind: str) -> int:
        """Return the starts on a kind of synthesised sound, rain and sea in broad noise among them."""
        counted = self.starts[False] + self.weather
        return sum(count for (of, _), count in counted.items() if of == kind)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a report: count, hours, rate and bound, by kind and class."""
        parts: dict[str, Any] = {}
        for real, name in ((True, "real"), (False, "synthetic")):
            hours, count = self.hours[real], self.count(real=real)
            parts[name] = {
                "count": count,
                "hours": round(hours, 3),
                "per_hour": round(count / hours, 3) if hours else None,
                "per_hour_upper95": round(poisson_upper95(count, hours), 3) if hours else None,
                "by_class": _totals(self.starts[real], 1),
                "by_kind": {
                    kind: {
                        "hours": round(length, 3),
                        "count": sum(n for (k, _), n in self.starts[real].items() if k == kind),
                    }
                    for (is_real, kind), length in sorted(self.kind_hours.items())
                    if is_real == real
                },
            }
        parts["weather_in_broad_noise"] = {f"{kind}: {slug}": n for (kind, slug), n in self.weather.items()}
        parts["first"] = self.where[:40]
        return parts


def _totals(starts: Counter[tuple[str, str]], part: int) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for key, count in starts.items():
        totals[key[part]] += count
    return dict(totals.most_common())


def classes_of(manifest: ModelManifest) -> list[str]:
    """Return the classes that a network can find, without the background."""
    return [slug for slug in manifest.slugs if slug != BACKGROUND]
