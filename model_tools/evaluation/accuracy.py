"""Everything that is claimed of the networks, from their files: what `make evaluate` computes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from model_tools.data.esc10 import SLUGS
from model_tools.data.negatives import negatives
from model_tools.evaluation import openset
from model_tools.evaluation.channels import CHANNELS, apply
from model_tools.evaluation.clip_scores import (
    ClipTable,
    FoldClip,
    accuracy,
    compared,
    float_means,
    int8_means,
    joined,
    score_clips,
)
from model_tools.evaluation.clips import Scores, float_scores, run_scores
from model_tools.evaluation.deployed import (
    ClipFound,
    FalseAlarms,
    clip_found,
    found_events,
    in_quiet,
    latencies_s,
    psds_rates,
    true_events,
)
from model_tools.evaluation.events import Event, score_events
from model_tools.evaluation.listening import RATE_HZ, Heard, Listeners, of_samples
from model_tools.evaluation.networks import Network
from model_tools.evaluation.psds import PsdsParameters, Rates
from model_tools.evaluation.soundscape import Background, Ingredient, Soundscape, soundscapes
from model_tools.evaluation.streams import QUIET_KINDS, recorded, synthesised
from model_tools.half_precision import read_half

Tell = Callable[[str], None]

SCENE_SEED = 1
BACKGROUNDS_OF_A_KIND = 6
"""Recordings of speech and of music under soundscapes and clips, the longest of the test part."""

_CODECS = ("opus_12k", "gsm")
"""The worse of them is the figure."""


@dataclass(frozen=True)
class Bench:
    """What evaluations share.

    Attributes
    ----------
    root, cache : Path
        Data, and what was fetched and decoded.
    listeners : Listeners
        Run the networks.
    clips : sequence of FoldClip
        All clips of ESC-10.
    tell : callable
        Told what is being done.
    """

    root: Path
    cache: Path
    listeners: Listeners
    clips: Sequence[FoldClip]
    tell: Tell = lambda _: None

    def of_fold(self, fold: int) -> list[FoldClip]:
        """Return the clips of a fold."""
        return [clip for clip in self.clips if clip.fold == fold]


def int8_tables(bench: Bench, seeds: Mapping[int, Sequence[Network]]) -> dict[int, ClipTable]:
    """Return what the networks of each seed say to the folds that they have not seen."""
    tables = {}
    for seed, networks in seeds.items():
        parts = []
        for network in networks:
            bench.tell(f"clips: {network.name}")
            clips = bench.of_fold(network.fold)
            means = int8_means(bench.listeners, network.path, [clip.samples for clip in clips])
            parts.append(score_clips(clips, network.manifest.slugs, means))
        tables[seed] = joined(parts)
    return tables


def float_tables(
    bench: Bench, seeds: Mapping[int, Sequence[Network]], runs: Mapping[tuple[str, int, int], Path]
) -> dict[int, ClipTable]:
    """Return the same by the networks before quantisation; no seed of which one is missing.

    Parameters
    ----------
    runs : mapping of (str, int, int) to Path
        Run folders by family, fold and seed, for models without weights in half precision beside them.
    """
    tables = {}
    for seed, networks in seeds.items():
        parts = []
        for network in networks:
            clips, spec = bench.of_fold(network.fold), network.manifest.spec
            scores = _before_quantisation(network, runs.get((network.family, network.fold, seed)))
            if scores is None:
                break
            bench.tell(f"clips before quantisation: {network.name}")
            means = float_means(scores, [clip.samples for clip in clips], spec)
            parts.append(score_clips(clips, network.manifest.slugs, means))
        else:
            tables[seed] = joined(parts)
    return tables


def _before_quantisation(network: Network, run: Path | None) -> Scores | None:
    weights = read_half(network.path)
    if weights is not None:
        return float_scores(weights, network.manifest.activation)
    return run_scores(run, network.manifest.spec) if run else None


def int8_against_float(
    floats: Mapping[int, ClipTable], int8s: Mapping[int, ClipTable]
) -> dict[str, dict[str, Any]]:
    """Return how int8 and float differ on the same clips, by seed."""
    return {str(seed): compared(int8s[seed], floats[seed]) for seed in floats}


def robust(bench: Bench, seeds: Mapping[int, Sequence[Network]]) -> dict[str, dict[str, Any]]:
    """Return clip accuracy through each test channel, over seeds; the same channel for every network."""
    backgrounds = [b.samples for b in backgrounds_of(bench) if b.kind != "noise"]
    found = {}
    for channel in CHANNELS:
        sounds: dict[int, list[Any]] = {}
        tables = {}
        for seed, networks in seeds.items():
            parts = []
            for network in networks:
                clips = bench.of_fold(network.fold)
                if network.fold not in sounds:
                    bench.tell(f"channel {channel}: fold {network.fold}")
                    sounds[network.fold] = [
                        apply(channel, clip.samples, RATE_HZ, _seed_of(clip.name), backgrounds)
                        for clip in clips
                    ]
                means = int8_means(bench.listeners, network.path, sounds[network.fold])
                parts.append(score_clips(clips, network.manifest.slugs, means))
            tables[seed] = joined(parts)
        found[channel] = accuracy(tables)
    return found


def _seed_of(name: str) -> int:
    return zlib.crc32(name.encode())


def backgrounds_of(bench: Bench) -> list[Background]:
    """Return noise, and speech and music of the test part, for soundscapes and mixtures."""
    from aed_daemon.audio.file import decode

    rng = np.random.default_rng(SCENE_SEED)
    found = [Background("noise", np.asarray(rng.standard_normal(60 * RATE_HZ), np.float32))]
    test = negatives(bench.root, bench.cache, "test")
    for kind in ("speech", "music"):
        longest = sorted((c for c in test if c.kind == kind), key=lambda c: (-c.duration_s, c.path.name))
        chosen = longest[:BACKGROUNDS_OF_A_KIND]
        found += [Background(kind, decode(c.path, RATE_HZ)[: 240 * RATE_HZ]) for c in chosen]
    return found


@dataclass
class FoldEvents:
    """What fold networks find on the folds that they have not seen, as deployed.

    Attributes
    ----------
    there, found : list of Event
        Of all soundscapes.
    latencies : list of float
        Onset to decision of each event, s.
    clips : list of ClipFound
        Every clip alone.
    rates : dict of str to list of list of Rates
        By class, for PSDS: of each network over the thresholds.
    hours : float
        Length of the soundscapes.
    """

    there: list[Event] = field(default_factory=list)
    found: list[Event] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    clips: list[ClipFound] = field(default_factory=list)
    rates: list[dict[str, list[Rates]]] = field(default_factory=list)
    hours: float = 0.0


def events_of_folds(bench: Bench, networks: Sequence[Network]) -> FoldEvents:
    """Run soundscapes of each network's left-out fold, and its clips one by one, as deployed."""
    result = FoldEvents()
    backgrounds = backgrounds_of(bench)
    for network in networks:
        bench.tell(f"soundscapes: {network.name}")
        clips = bench.of_fold(network.fold)
        sources = [Ingredient(clip.slug, clip.name, clip.samples) for clip in clips]
        scenes = list(soundscapes(sources, backgrounds, SCENE_SEED + network.fold))
        streams = [of_samples(f"scene {i}", s.kind, s.samples, real=False) for i, s in enumerate(scenes)]
        kept: list[tuple[int, Soundscape, Any]] = []
        for scene, heard in zip(scenes, bench.listeners.listen(network.path, streams), strict=True):
            number = len(result.kinds)
            result.kinds.append(scene.kind)
            result.there += true_events(number, scene)
            result.found += found_events(number, heard.events)
            result.latencies += latencies_s(scene.truths, heard.events)
            result.hours += len(scene.samples) / RATE_HZ / 3_600
            kept.append((number, scene, heard.trace))
        result.rates.append(psds_rates(network.manifest, kept, PsdsParameters()))
        for clip, heard in zip(clips, hear_clips(bench, network, clips), strict=True):
            result.clips.append(clip_found(clip.slug, clip.name, heard.events))
    return result


def hear_clips(bench: Bench, network: Network, clips: Sequence[FoldClip]) -> Iterable[Heard]:
    """Yield what a network makes of each clip by itself, as a quiet microphone hears it."""
    streams = (
        of_samples(clip.name, clip.slug, in_quiet(clip.samples, _seed_of(clip.name)), real=True)
        for clip in clips
    )
    return bench.listeners.listen(network.path, streams)


def event_figures(result: FoldEvents) -> dict[str, Any]:
    """Return event-based scores, by onset, by onset and offset, and by kind of background."""
    onset = score_events(result.there, result.found, SLUGS)
    both = score_events(result.there, result.found, SLUGS, offset_share=0.5)
    by_kind = {}
    for kind in sorted(set(result.kinds)):
        scenes = {number for number, name in enumerate(result.kinds) if name == kind}
        there, found = ([e for e in events if e.scene in scenes] for events in (result.there, result.found))
        by_kind[kind] = round(score_events(there, found, SLUGS).macro_f1, 4)
    return {
        "collar_s": 0.5,
        "hours": round(result.hours, 3),
        "onset": onset.as_dict(),
        "onset_offset": both.as_dict(),
        "f1_macro_by_background": by_kind,
    }


def false_alarms(bench: Bench, network: Network, hours: float) -> FalseAlarms:
    """Run the negatives of the test part: real recordings, speech, so many hours of each synthesised kind."""
    streams = [*recorded(negatives(bench.root, bench.cache, "test")), *synthesised("test", hours)]
    alarms = FalseAlarms()
    for number, heard in enumerate(bench.listeners.listen(network.path, streams), start=1):
        bench.tell(f"negatives: {number} of {len(streams)}")
        alarms.add(heard, network.manifest)
    return alarms


def quiet(alarms: FalseAlarms) -> dict[str, int | None]:
    """Return the events on what must not start any, None where less than an hour of it was heard."""
    return {
        kind: alarms.on(kind) if alarms.kind_hours.get((False, kind), 0.0) > 0.99 else None
        for kind in QUIET_KINDS
    }


def open_rotations(bench: Bench, networks: Sequence[Network]) -> list[openset.Rotation]:
    """Return what each network that leaves classes out makes of its left-out fold."""
    found = []
    for network in networks:
        bench.tell(f"open set: {network.name}")
        manifest = network.manifest
        parts = {}
        for fold in (network.fold, network.validation_fold):
            clips = bench.of_fold(fold) if fold else []
            parts[fold] = [
                openset.open_clip(manifest, clip.slug, heard)
                for clip, heard in zip(clips, hear_clips(bench, network, clips), strict=True)
            ]
        validation = parts[network.validation_fold] if network.validation_fold else []
        found.append(openset.Rotation(network.name, network.strangers, parts[network.fold], validation))
    return found
