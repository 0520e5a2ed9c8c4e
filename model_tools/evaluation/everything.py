"""All figures of `benchmarks/accuracy.json`, in its order, and what the report shows beside them.

What cannot be computed because a network or a recording is missing is null, and `reasons` says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_tools.evaluation import openset
from model_tools.evaluation.accuracy import (
    Bench,
    FoldEvents,
    event_figures,
    events_of_folds,
    false_alarms,
    float_tables,
    int8_against_float,
    int8_tables,
    open_rotations,
    quiet,
    robust,
)
from model_tools.evaluation.clip_scores import ClipTable, accuracy, by_class
from model_tools.evaluation.deployed import FalseAlarms, latency_figures
from model_tools.evaluation.networks import FAMILIES, Network, of_family, rotations
from model_tools.evaluation.psds import PsdsParameters, psds
from model_tools.evaluation.psds import as_dict as psds_dict
from model_tools.evaluation.statistics import poisson_upper95, wilson

ROBUST = {
    "phone_8k": ("phone_8k",),
    "codec": ("opus_12k", "gsm"),
    "reverb": ("reverb",),
    "quiet_30db": ("quiet_30db",),
    "snr_10db": ("snr_10db",),
}
"""Each figure is the worst of its channels."""

_CLIP_KEYS = ("clip_accuracy", "n", "ci95", "per_fold")
_OPEN_KEYS = ("unknown_clips_firing", "known_clip_recall", "auroc", "n")
_QUIET = ("microphone_noise", "hum", "tones", "speech")


@dataclass
class Everything:
    """The figures, and what the report draws.

    Attributes
    ----------
    figures : dict
        What benchmarks/accuracy.json holds.
    tables : dict of str to ClipTable
        Clips by family: int8, the first seed.
    rotations : list of openset.Rotation
        The open set.
    events : FoldEvents or None
        Soundscapes and clips as deployed.
    alarms : FalseAlarms or None
        The default model on negatives.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, ClipTable] = field(default_factory=dict)
    rotations: list[openset.Rotation] = field(default_factory=list)
    events: FoldEvents | None = None
    alarms: FalseAlarms | None = None


def compute(
    bench: Bench,
    networks: Sequence[Network],
    shipped: Network | None,
    runs: Mapping[tuple[str, int, int], Path],
    *,
    recipe: str,
    hours: float,
) -> Everything:
    """Compute all figures.

    Parameters
    ----------
    networks : sequence of Network
        All there are; what each is for its manifest says.
    shipped : Network or None
        The default model, measured on negatives only.
    runs : mapping of (str, int, int) to Path
        Run folders by family, fold and seed, for the networks before quantisation.
    recipe : str
        Family of the shipped recipe: what channels and soundscapes are measured on.
    hours : float
        Of each kind of synthesised negatives.
    """
    work = _Computation(bench, recipe, details={"recipe": recipe, "networks": [n.name for n in networks]})
    seeds = of_family(networks, recipe)
    esc10 = {family: work.esc10(family, of_family(networks, family), runs) for family in FAMILIES}
    open_set = work.open_set(rotations(networks))
    deployed = {**work.false_alarms(shipped, hours), **work.events(seeds)}
    work.result.figures = {
        "esc10": esc10,
        "robust": work.robust(seeds),
        "open_set": open_set,
        "deployed": deployed,
        "quiet": work.quiet(),
        "details": work.details,
        "reasons": work.reasons,
    }
    return work.result


@dataclass
class _Computation:
    """The parts of the figures, with what they leave for the report and why one of them is missing."""

    bench: Bench
    recipe: str
    details: dict[str, Any]
    reasons: dict[str, str] = field(default_factory=dict)
    result: Everything = field(default_factory=Everything)

    def esc10(
        self,
        family: str,
        seeds: Mapping[int, Sequence[Network]],
        runs: Mapping[tuple[str, int, int], Path],
    ) -> dict[str, Any]:
        key = f"esc10.{family}"
        if not seeds:
            self.reasons[key] = f"there are no fold networks of the family {family}"
            return {"float": None, "int8": None}
        for seed, found in seeds.items():
            missing = sorted({1, 2, 3, 4, 5} - {network.fold for network in found})
            if missing:
                text = f"there is no network for fold {', '.join(map(str, missing))}"
                self.reasons[f"{key}, seed {seed}"] = text
        int8s, floats = int8_tables(self.bench, seeds), float_tables(self.bench, seeds, runs)
        table = self.result.tables[family] = next(iter(int8s.values()))
        told: dict[str, Any] = {"int8": accuracy(_whole(int8s)), "by_class": by_class(table)}
        figures: dict[str, Any] = {"float": None, "int8": _only(told["int8"], _CLIP_KEYS)}
        if floats:
            told["float"] = accuracy(_whole(floats))
            told["int8_against_float"] = int8_against_float(floats, int8s)
            figures["float"] = _only(told["float"], _CLIP_KEYS)
        else:
            text = "neither weights in half precision beside the models nor run folders (--runs)"
            self.reasons[f"{key}.float"] = text
        self.details.setdefault("esc10", {})[family] = told
        return figures

    def robust(self, seeds: Mapping[int, Sequence[Network]]) -> dict[str, Any]:
        if not seeds:
            self.reasons["robust"] = f"there are no fold networks of the shipped recipe, {self.recipe}"
            return {name: {"clip_accuracy": None} for name in ROBUST}
        found = self.details["robust"] = robust(self.bench, seeds)
        return {
            name: {"clip_accuracy": min(found[channel]["clip_accuracy"] for channel in channels)}
            for name, channels in ROBUST.items()
        }

    def open_set(self, networks: Sequence[Network]) -> dict[str, Any]:
        self.result.rotations = open_rotations(self.bench, networks)
        found = openset.evaluate(self.result.rotations) if networks else None
        if found is None:
            self.reasons["open_set"] = (
                "a single network leaves classes out, and nothing but its test clips could choose a threshold"
                if networks
                else "there are no networks that leave classes out"
            )
            return dict.fromkeys(_OPEN_KEYS)
        self.details["open_set"] = found
        return _only(found, _OPEN_KEYS)

    def false_alarms(self, shipped: Network | None, hours: float) -> dict[str, Any]:
        if shipped is None:
            self.reasons["deployed.false_alarms"] = "no default model was given (--default)"
            return dict.fromkeys(("false_alarms", "hours_real", "hours_synthetic", "fa_per_hour_upper95"))
        alarms = self.result.alarms = false_alarms(self.bench, shipped, hours)
        self.details["false_alarms"] = alarms.as_dict()
        count = alarms.count(real=True) + alarms.count(real=False)
        real, synthetic = alarms.hours[True], alarms.hours[False]
        return {
            "false_alarms": count,
            "hours_real": round(real, 3),
            "hours_synthetic": round(synthetic, 3),
            "fa_per_hour_upper95": round(poisson_upper95(count, real + synthetic), 3),
        }

    def events(self, seeds: Mapping[int, Sequence[Network]]) -> dict[str, Any]:
        if not seeds:
            text = f"there are no fold networks of the shipped recipe, {self.recipe}"
            self.reasons["deployed.event_f1_macro"] = text
            return dict.fromkeys(("event_f1_macro", "clip_recall", "latency_s_p50", "latency_s_p95"))
        seed, networks = next(iter(seeds.items()))
        events = self.result.events = events_of_folds(self.bench, networks)
        told, latency = event_figures(events), latency_figures(events.latencies)
        for name, value in latency.items():
            if value is None:
                self.reasons[f"deployed.{name}"] = "so many events were missed that it is infinite"
        parameters = PsdsParameters()
        scores = [psds(rates, parameters) for rates in events.rates]
        own = sum(clip.own for clip in events.clips)
        self.details["events"] = {
            **told,
            "seed": seed,
            "psds": psds_dict(sum(scores) / len(scores), parameters),
            "clip_recall_ci95": [round(bound, 4) for bound in wilson(own, len(events.clips))],
            "clips": len(events.clips),
            "clips_that_start_another_class": sum(bool(clip.others) for clip in events.clips),
        }
        return {
            "event_f1_macro": told["onset"]["f1_macro"],
            "clip_recall": round(own / len(events.clips), 4),
            **latency,
        }

    def quiet(self) -> dict[str, int | None]:
        if self.result.alarms is None:
            self.reasons["quiet"] = "no default model was given (--default)"
            return dict.fromkeys(_QUIET)
        found = quiet(self.result.alarms)
        for kind, count in found.items():
            if count is None:
                text = "less than an hour of it was heard (--hours, model-tools fetch)"
                self.reasons[f"quiet.{kind}"] = text
        return {kind: found[kind] for kind in _QUIET}


def _whole(tables: Mapping[int, ClipTable]) -> dict[int, ClipTable]:
    """Return the seeds that have the most clips: one of which folds are missing is not averaged in."""
    most = max(len(table.names) for table in tables.values())
    return {seed: table for seed, table in tables.items() if len(table.names) == most}


def _only(figures: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: figures[key] for key in keys}


def shipped_recipe(shipped: Network, networks: Sequence[Network]) -> str:
    """Return by which recipe the default model was made: as its manifest says, else as there are networks."""
    if "recipe" in shipped.manifest.metrics:
        return shipped.family
    return next((family for family in ("distilled", "scratch") if of_family(networks, family)), FAMILIES[0])


def find_runs(place: Path) -> dict[tuple[str, int, int], Path]:
    """Return the finished runs in a folder by family, fold and seed, as their configurations say."""
    found = {}
    for path in sorted(place.rglob("config.json")) if place.is_dir() else []:
        config = json.loads(path.read_text())
        held_out = config.get("held_out")
        if (
            isinstance(held_out, dict)
            and not held_out.get("slugs")
            and (path.parent / "network.npz").exists()
        ):
            family = path.parent.parent.name
            key = (family if family in FAMILIES else FAMILIES[0], int(held_out["fold"]))
            found[*key, int(config["recipe"]["seed"])] = path.parent
    return found


def write_figures(path: Path, figures: Mapping[str, Any]) -> None:
    """Write the figures, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
