"""`python -m benchmarks.web`: what the page costs, how late it is, and whether axe-core finds fault with it.

Everything is real: the daemon is a process of its own, the page is open in Chromium. Writes
`event_to_page_ms`, `cpu_percent` and `axe_violations` into benchmarks/web.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import psutil
from playwright.sync_api import Browser

from benchmarks import record, reliability
from tests.process import Daemon, free_port, toml
from tests.sounds import quiet, soundscape, write_wav
from tests.waiting import wait_for
from tests.web.axe import violations
from tests.web.chromium import browser

WEB = Path(__file__).with_name("web.json")

Mode = Literal["off", "idle", "viewer"]
MODES: tuple[Mode, ...] = ("off", "idle", "viewer")

_SOURCES = 4
_SETTLE_S = 5.0
_WATCH = """
window.arrived = {};
new MutationObserver((changes) => {
  const now = performance.timeOrigin + performance.now();
  for (const change of changes)
    for (const node of change.addedNodes)
      if (node.dataset?.kind === "event") window.arrived[node.dataset.id] ??= now;
}).observe(document.getElementById("events"), { childList: true });
"""


class Cost(NamedTuple):
    """Processor time of a daemon by mode, a figure a round, % of one core."""

    off: list[float]
    idle: list[float]
    viewer: list[float]

    def over_off(self, mode: Mode) -> list[float]:
        """Return a mode's figures less those of the same round without the page."""
        return [used - base for used, base in zip(getattr(self, mode), self.off, strict=True)]


def _web(port: int, *, enabled: bool = True) -> str:
    return f"[web]\nenabled = {json.dumps(enabled)}\nport = {port}\n"


@contextmanager
def _daemon(config: str) -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder), config) as daemon:
        daemon.wait_ready()
        yield daemon


def _started(daemon: Daemon) -> dict[str, float]:
    """Return when each sound's start was published, ms since 1970, by id."""
    from datetime import datetime

    found = {}
    for line in daemon.stdout:
        if line.endswith("}"):
            event = json.loads(line)
            if event["type"] == "start":
                found[event["id"]] = datetime.fromisoformat(event["published"]).timestamp() * 1000
    return found


def delays_ms(chromium: Browser, events: int) -> list[float]:
    """Return the time from a start's publication to its line on the page, for so many events and more."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        sources = []
        for number in range(_SOURCES):
            pause = quiet(1.0 + 0.37 * number)
            path = Path(folder) / f"{number}.wav"
            write_wav(path, np.concatenate([soundscape(1, 4.0), pause]))
            sources.append(
                f'name = "s{number}"\ntype = "file"\npath = "{path}"\nloop = true\nrealtime = true'
            )
        with _daemon(toml(sources, more=_web(port) + "[output]\njsonl = true\n")) as daemon:
            page = chromium.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector('#link[data-state="live"]')
            page.evaluate(_WATCH)
            wait_for(
                lambda: len(page.evaluate("Object.keys(window.arrived)")) >= events + _SOURCES,
                f"{events} events on the page",
                600.0,
            )
            arrived = page.evaluate("window.arrived")
            page.close()
            published = _started(daemon)
    # A sound that was published before the observer looked came with the list.
    return [arrived[key] - published[key] for key in arrived if key in published][:events]


def processor_percent(chromium: Browser, mode: Mode, measured_s: float) -> float:
    """Return the daemon's share of one core over some seconds of the soundscape's beginning."""
    port = free_port()
    with _daemon(toml(['name = "porch"\ntype = "demo"'], more=_web(port, enabled=mode != "off"))) as daemon:
        if daemon.process is None:
            raise RuntimeError("the daemon was not started")
        process = psutil.Process(daemon.process.pid)
        page = chromium.new_page() if mode == "viewer" else None
        if page:
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector('#link[data-state="live"]')
        time.sleep(_SETTLE_S)
        begun_s, before_s = time.monotonic(), _used_s(process)
        time.sleep(measured_s)
        used = 100 * (_used_s(process) - before_s) / (time.monotonic() - begun_s)
        if page:
            page.close()
    return used


def _used_s(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
    return sum(time_.user + time_.system for time_ in times)


def costs(chromium: Browser, rounds: int, measured_s: float) -> Cost:
    """Measure the modes in turn, each round beginning with another one."""
    found: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    for number in range(rounds):
        for mode in [*MODES[number % 3 :], *MODES[: number % 3]]:
            found[mode].append(processor_percent(chromium, mode, measured_s))
            print(f"  round {number + 1}, {mode}: {found[mode][-1]:.2f} % of a core", flush=True)
    return Cost(**found)


def axe_violations(chromium: Browser) -> list[str]:
    """Return what axe-core finds in light, in dark and on a phone, while a soundscape is heard."""
    found = []
    port = free_port()
    with _daemon(toml(['name = "porch"\ntype = "demo"'], more=_web(port))):
        for scheme, width in (("light", 1380), ("dark", 1380), ("light", 390), ("dark", 390)):
            page = chromium.new_page(
                color_scheme=scheme,  # type: ignore[arg-type] # a literal
                viewport={"width": width, "height": 900},
            )
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("#events > li")
            page.locator("#threshold-dog").fill("0.7")
            page.locator("#table-details summary").click()
            page.locator("button.sound").first.click()
            found += [f"{scheme} {width}: {line}" for line in violations(page)]
            page.close()
    return found


def main() -> int:
    """Measure and record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("--events", type=int, default=60, help="events whose delay is measured")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the three modes")
    parser.add_argument("--seconds", type=float, default=40.0, help="length of each measurement")
    parser.add_argument("--out", type=Path, default=WEB, help="the record")
    given = parser.parse_args()
    with browser() as chromium:
        late = delays_ms(chromium, given.events)
        delays = {"median": statistics.median(late), "p95": float(np.percentile(late, 95))}
        print(f"event to page: median {delays['median']:.0f} ms, 95th percentile {delays['p95']:.0f} ms")
        wrong = axe_violations(chromium)
        print(f"axe-core: {len(wrong)} violations", *wrong, sep="\n  ")
        cost = costs(chromium, given.rounds, given.seconds)
    idle, viewer = cost.over_off("idle"), cost.over_off("viewer")
    figures: dict[str, Any] = {
        "event_to_page_ms": {name: round(value, 1) for name, value in delays.items()},
        "cpu_percent": {
            "idle": round(statistics.median(idle), 2),
            "viewer": round(statistics.median(viewer), 2),
        },
        "axe_violations": len(wrong),
    }
    told = {
        "event_to_page_ms": {"events": len(late), "max": round(max(late), 1)},
        "cpu_percent": {
            "cores": os.cpu_count(),
            "seconds": given.seconds,
            "daemon": {mode: [round(one, 2) for one in getattr(cost, mode)] for mode in MODES},
            "idle_over_off": [round(one, 2) for one in idle],
            "viewer_over_off": [round(one, 2) for one in viewer],
        },
        "axe_violations": {"views": "light and dark, 1380 and 390 pixels wide"},
    }
    for name, figure in figures.items():
        reliability.update({name: figure}, given.out, told[name])
    if given.out == WEB:  # beside what else of the daemon costs processor time
        record.write({**record.read(), "web_cpu_percent": figures["cpu_percent"]})
    print(json.dumps(figures, indent=2))
    return 1 if wrong or delays["median"] > 250 or statistics.median(viewer) > 3 else 0


if __name__ == "__main__":
    sys.exit(main())
