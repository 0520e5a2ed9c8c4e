"""One HTML file with everything in it: figures, tables, pictures; nothing is loaded from elsewhere."""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from model_tools.evaluation import figures
from model_tools.evaluation.everything import Everything

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #ffffff; --faint: #6a6a72; --line: #d5d5dc; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6ea; --paper: #16161a; --faint: #9a9aa4; --line: #3a3a42; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); }
td + td { text-align: right; } td:last-child { text-align: left; }
img { max-width: 100%; background: #fff; border-radius: 8px; padding: 6px; box-sizing: border-box; }
p.note, li { color: var(--faint); } h2 { margin-top: 2.5rem; } pre { white-space: pre-wrap; }
"""

Row = Sequence[object]


def write_report(
    path: Path, everything: Everything, runs: Mapping[str, Path], facts: Mapping[str, str]
) -> None:
    """Write the report, whole or not at all.

    Parameters
    ----------
    runs : mapping of str to Path
        Run folders whose training curves are drawn.
    facts : mapping of str to str
        What it was computed with.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(page(everything, runs, facts), encoding="utf-8")
    temporary.replace(path)


def page(everything: Everything, runs: Mapping[str, Path], facts: Mapping[str, str]) -> str:
    """Return the report as HTML."""
    parts = [
        "<h1>What the networks are worth</h1>",
        _note(" · ".join(f"{name} {value}" for name, value in facts.items())),
        *_clips(everything),
        *_channels(everything),
        *_deployed(everything),
        *_alarms(everything),
        *_open_set(everything),
        *_training(runs),
        *_missing(everything),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    title = "<title>Accuracy of aed-daemon's networks</title>"
    return f"<!doctype html><html lang=en><head>{head}{title}</head><body>{''.join(parts)}</body></html>\n"


def _clips(everything: Everything) -> list[str]:
    found = everything.figures["details"].get("esc10", {})
    rows: list[Row] = []
    for family, told in found.items():
        for kind in ("float", "int8"):
            if kind in told:
                one = told[kind]
                spread = f"{one['spread']:.2%} over {len(one['per_seed'])} seeds"
                rows.append((family, kind, _share(one["clip_accuracy"]), _interval(one), one["n"], spread))
    parts = [
        "<h2>Clips of ESC-10, by networks that have not seen their fold</h2>",
        _table(("recipe", "", "clip accuracy", "95 % interval", "clips", "spread"), rows),
    ]
    for family, told in found.items():
        against = told.get("int8_against_float", {})
        parts += [
            _note(
                f"{family}, seed {seed}: int8 less float {one['difference']:+.2%}, "
                f"McNemar p = {one['mcnemar_p']}"
            )
            for seed, one in against.items()
        ]
    for family, table in everything.tables.items():
        per_class = found[family]["by_class"]
        parts += [
            f"<h3>{escape(family)}: int8, first seed</h3>",
            _table(
                ("class", "precision", "recall", "F1"),
                [(slug, *map(_share, one.values())) for slug, one in per_class.items()],
            ),
            _image(figures.confusion(table), "Confusion matrix"),
            _image(figures.pr_curves(table), "Precision against recall"),
            _image(figures.score_distributions(table, everything.alarms), "Distribution of the scores"),
        ]
    return parts


def _channels(everything: Everything) -> list[str]:
    details = everything.figures["details"]
    if "robust" not in details:
        return []
    clean = details.get("esc10", {}).get(details["recipe"], {}).get("int8", {}).get("clip_accuracy")
    return [
        "<h2>Through other channels</h2>",
        _note(f"Recipe {details['recipe']}; the same clips through fixed, seeded channels."),
        _image(figures.channels(details["robust"], clean), "Clip accuracy by channel"),
    ]


def _deployed(everything: Everything) -> list[str]:
    if everything.events is None:
        return []
    figures_, told = everything.figures["deployed"], everything.figures["details"]["events"]
    onset, both = told["onset"], told["onset_offset"]
    backgrounds = ", ".join(f"{kind} {_share(f1)}" for kind, f1 in told["f1_macro_by_background"].items())
    rows: list[Row] = [
        ("event F1, macro, onset within 0.5 s", _share(onset["f1_macro"]), backgrounds),
        ("the same, offsets too", _share(both["f1_macro"]), ""),
        (
            "PSDS",
            told["psds"]["psds"],
            ", ".join(f"{name} {value:g}" for name, value in told["psds"].items() if name != "psds"),
        ),
        ("clips that start their class", _share(figures_["clip_recall"]), f"of {told['clips']}"),
        ("clips that start another", told["clips_that_start_another_class"], ""),
        ("onset to decision, median", _seconds(figures_["latency_s_p50"]), ""),
        ("onset to decision, 95th percentile", _seconds(figures_["latency_s_p95"]), "misses are infinite"),
    ]
    per_class = [(slug, _share(f1), _share(both["f1"].get(slug))) for slug, f1 in onset["f1"].items()]
    return [
        "<h2>As deployed: soundscapes and single clips</h2>",
        _note(
            f"{told['hours']:.2f} h of continuous audio, {onset['events']} events at 6 to 20 dB over noise, "
            f"speech and music, {onset['found']} found, through the daemon's gate and tracker at the "
            "thresholds of each network's manifest."
        ),
        _table(("", "", ""), rows),
        _table(("class", "F1, onset", "F1, onset and offset"), per_class),
        _image(figures.latency(everything.events.latencies), "Distribution of the latency"),
    ]


def _alarms(everything: Everything) -> list[str]:
    if everything.alarms is None:
        return []
    told = everything.figures["details"]["false_alarms"]
    rows: list[Row] = []
    for name in ("real", "synthetic"):
        part = told[name]
        rows.append(
            (
                f"all {name}",
                part["count"],
                f"{part['hours']:.2f}",
                part["per_hour"],
                part["per_hour_upper95"],
                "",
            )
        )
        rows += [
            (f"{kind}, {name}", one["count"], f"{one['hours']:.2f}", "", "", "")
            for kind, one in part["by_kind"].items()
        ]
    quiet = [(kind, count) for kind, count in everything.figures["quiet"].items()]
    first = "".join(f"<li>{escape(line)}</li>" for line in told["first"])
    weather = told["weather_in_broad_noise"]
    return [
        "<h2>False alarms of the default model, where no class sounds</h2>",
        _table(("heard in", "alarms", "hours", "per hour", "95 % upper bound", ""), rows),
        _note(
            f"By class: real {json.dumps(told['real']['by_class'])}, "
            f"synthesised {json.dumps(told['synthetic']['by_class'])}."
        ),
        _note(f"Rain and sea in white, pink and brown noise, not counted above: {json.dumps(weather)}."),
        _table(("an hour of", "events"), quiet),
        f"<details><summary>The first of them</summary><ul>{first}</ul></details>" if first else "",
    ]


def _open_set(everything: Everything) -> list[str]:
    found = everything.figures["details"].get("open_set")
    if not found:
        return []
    rows: list[Row] = [
        (
            one["network"],
            ", ".join(one["strangers"]),
            one["threshold"],
            _share(one["unknown_clips_firing"]),
            _share(one["known_clip_recall"]),
            "",
        )
        for one in found["rotations"]
    ]
    areas = ", ".join(
        f"{name} {one['auroc']} ({one['ci95'][0]} to {one['ci95'][1]})"
        for name, one in found["auroc_by_score"].items()
    )
    return [
        "<h2>Open set: classes left out of training</h2>",
        _note(
            f"{_share(found['unknown_clips_firing'])} of {found['n']} unknown clips start any event, "
            f"{_share(found['known_clip_recall'])} of {found['n_known']} known ones their own. "
            f"AUROC: {areas}."
        ),
        _table(("network", "strangers", "threshold", "unknown that start", "known that start", ""), rows),
        _image(figures.open_set(everything.rotations), "Known against unknown clips"),
    ]


def _training(runs: Mapping[str, Path]) -> list[str]:
    histories = {}
    for name, run in runs.items():
        path = run / "history.csv"
        if path.exists():
            with path.open(newline="") as file:
                histories[name] = list(csv.DictReader(file))
    histories = {name: rows for name, rows in histories.items() if rows}
    return ["<h2>Training</h2>", _image(figures.training(histories), "Training curves")] if histories else []


def _missing(everything: Everything) -> list[str]:
    reasons = everything.figures["reasons"]
    lines = "".join(f"<li>{escape(key)}: {escape(text)}.</li>" for key, text in reasons.items())
    return ["<h2>What is missing</h2>", f"<ul>{lines}</ul>"] if lines else []


def _table(head: Row, rows: Sequence[Row]) -> str:
    def line(cells: Row, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(_text(cell))}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def _text(cell: object) -> str:
    return "-" if cell is None else str(cell)


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _image(png: bytes, text: str) -> str:
    return f'<p><img alt="{escape(text)}" src="data:image/png;base64,{b64encode(png).decode()}"></p>'


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _seconds(value: float | None) -> str:
    return "missed" if value is None else f"{value:.2f} s"


def _interval(one: Mapping[str, Any]) -> str:
    return f"{one['ci95'][0]:.1%} to {one['ci95'][1]:.1%}"
