"""`aed-daemon events`: what was heard, nearly heard and missed, and how the scores were by the hour."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from aed_daemon.cli.history_file import archive_of
from aed_daemon.events import iso_utc
from aed_daemon.history.archive import Archive
from aed_daemon.history.quantiles import scores_of
from aed_daemon.history.rows import KINDS, MAX_LIMIT, Query, Sound

_TITLES = {
    "when": "WHEN", "what": "WHAT", "class": "CLASS", "score": "SCORE", "lasted": "LASTED",
    "level": "LEVEL", "source": "SOURCE", "label": "LABEL", "id": "ID",
}  # fmt: skip
_HOUR_TITLES = {
    "when": "HOUR", "source": "SOURCE", "class": "CLASS", "heard": "HEARD", "over": "OVER", "near": "NEAR",
    "median": "MEDIAN", "p95": "P95", "p99": "P99", "max": "MAX", "on": "NEEDS",
}  # fmt: skip

SHOWN_OF_ID = 8
"""Its last characters, which are random: enough for `aed-daemon label`."""


def execute(args: argparse.Namespace) -> int:
    """Print what the history holds, oldest first."""
    archive = archive_of(args)
    if args.by_hour:
        return _print(_hours(archive, args), args, _HOUR_TITLES, _hour_line)
    found = list(_sounds(archive, args))[::-1]
    status = _print((sound.as_json() for sound in found), args, _TITLES, _line)
    if not found and not (args.json or args.csv):
        print(f"nothing of that kind in {archive.path}", file=sys.stderr)
    return status


def _sounds(archive: Archive, args: argparse.Namespace) -> Iterator[Sound]:
    kinds: tuple[str, ...] = tuple(args.kind or ["event"])
    if "missed" in args.labels and not args.kind:
        kinds = ("event", "near_miss", "missed")
    query = Query(
        since_ts=args.since,
        until_ts=args.until,
        classes=tuple(args.classes),
        sources=tuple(args.source),
        min_score=args.min_score,
        labels=tuple(args.labels),
        kinds=KINDS if "all" in kinds else kinds,
        limit=min(args.limit or MAX_LIMIT, MAX_LIMIT),
    )
    return islice(archive.every(query), args.limit or None)


def _hours(archive: Archive, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for hour in archive.hours(args.since, args.until, args.classes, args.source):
        yield {
            "start_ts": hour.hour_ts,
            "start": iso_utc(hour.hour_ts),
            "source": hour.source,
            "class": hour.class_,
            "heard_s": round(hour.heard_s, 2),
            "hops": hour.hops,
            "over_threshold": int(hour.strengths[hour.on_steps :].sum()),
            "near_misses": int(hour.strengths[: hour.on_steps].sum()),
            **scores_of(hour),
            "threshold_on": round(hour.on_steps * hour.scale, 4),
            "model_sha256": hour.model_sha256,
            "engine": hour.engine,
        }


def _print(
    rows: Iterable[dict[str, Any]],
    args: argparse.Namespace,
    titles: Mapping[str, str],
    line: Any,
) -> int:
    if args.json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif args.csv:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
    else:
        _table([titles, *map(line, rows)])
    return 0


def _table(lines: list[Mapping[str, str]]) -> None:
    widths = {key: max(len(line[key]) for line in lines) for key in lines[0]}
    if len(lines) > 1:
        for line in lines:
            print("  ".join(line[key].ljust(width) for key, width in widths.items()).rstrip())


def _local(ts: float) -> str:
    return datetime.fromtimestamp(ts).strftime("%Y-%m-%d %H:%M:%S")


def _number(value: float | None, form: str = "{:.2f}") -> str:
    return "" if value is None else form.format(value)


def _line(sound: Mapping[str, Any]) -> dict[str, str]:
    ended = sound["duration_s"] is not None or sound["kind"] != "event" or sound["reason"]
    lasted = _number(sound["duration_s"], "{:.1f} s") if ended else "goes on"
    return {
        "when": _local(sound["start_ts"]),
        "what": "" if sound["kind"] == "event" else sound["kind"].replace("_", " "),
        "class": sound["class"],
        "score": _number(sound["score_max"]),
        "lasted": f"{lasted} ({sound['reason']})".strip() if sound["reason"] else lasted,
        "level": _number(sound["rms_dbfs"], "{:.0f} dBFS"),
        "source": sound["source"] or "",
        "label": sound["label"] or "",
        "id": sound["id"][-SHOWN_OF_ID:],
    }


def _hour_line(hour: Mapping[str, Any]) -> dict[str, str]:
    quantiles = {name: _number(hour[name]) for name in ("median", "p95", "p99", "max")}
    return {
        "when": _local(hour["start_ts"])[:-3],
        "source": hour["source"],
        "class": hour["class"],
        "heard": f"{hour['heard_s'] / 60:.1f} min",
        "over": str(hour["over_threshold"]),
        "near": str(hour["near_misses"]),
        **quantiles,
        "on": _number(hour["threshold_on"]),
    }
