"""Memory of the daemon with its capture child while it listens."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from aed_daemon.inference import available_engines
from benchmarks.clips import clips, soundtrack
from benchmarks.measure import ProgramError
from benchmarks.outcome import Limit, Outcome, Row, UnavailableError
from benchmarks.rig import rig

LIMIT = Limit(110.0)
_LISTEN_S = 20.0
_PAGE_BYTES = 4_096
_PRESENT = 1 << 63
_FRAME_MASK = (1 << 55) - 1

_BARE = """
import sys
from aed_daemon.inference import load_classifier
import numpy as np
classifier = load_classifier(engine=sys.argv[1])
spec = classifier.manifest.spec
classifier.scores(np.zeros((spec.patch_frames, spec.n_mels), np.float32))
print("ready", flush=True)
sys.stdin.read()
"""
"""The least that any Python program around this network needs."""


def children(pid: int) -> list[int]:
    """Return all descendants of a process."""
    own = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]
    return own + [grandchild for child in own for grandchild in children(child)]


def rollup_mb(pid: int) -> dict[str, float]:
    """Return what a process occupies, MiB.

    Shared pages in part (pss), not at all (uss), in full (rss); only pages of no file (anonymous).
    """
    kept = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, value = line.split(":")
        kept[name] = int(value.split()[0]) / 1_024
    return {
        "pss": kept["Pss"],
        "uss": kept["Private_Clean"] + kept["Private_Dirty"],
        "rss": kept["Rss"],
        "anonymous": kept["Anonymous"],
    }


def alone_mb(pids: Iterable[int]) -> float | None:
    """Return the memory that processes occupy together, MiB, as if nothing else ran; None without root.

    PSS shares a library's pages with every other Python on the machine, such as this benchmark. Here
    each physical page that one of the processes maps counts once and in full.

    Source: Linux, Documentation/admin-guide/mm/pagemap.rst.
    """
    frames: set[int] = set()
    for pid in pids:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
        with Path(f"/proc/{pid}/pagemap").open("rb") as pagemap:
            for line in maps:
                begin, end = (int(part, 16) // _PAGE_BYTES for part in line.split()[0].split("-"))
                if end > 1 << 47 or "[v" in line:
                    continue  # the kernel's own pages
                pagemap.seek(begin * 8)
                entries = np.frombuffer(pagemap.read((end - begin) * 8), np.uint64)
                present = entries[(entries & np.uint64(_PRESENT)) != 0] & np.uint64(_FRAME_MASK)
                frames.update(present.tolist())
    frames.discard(0)
    return len(frames) * _PAGE_BYTES / 2**20 if frames else None


def occupied_mb(pids: list[int]) -> dict[str, float | None]:
    """Return the sums over processes, MiB."""
    each = [rollup_mb(pid) for pid in pids]
    found: dict[str, float | None] = {
        f"{kind}_mb": round(sum(mb[kind] for mb in each), 1) for kind in ("pss", "uss", "rss")
    }
    alone = alone_mb(pids)
    return found | {"alone_mb": None if alone is None else round(alone, 1)}


def bare_mb(engine: str) -> dict[str, float | None]:
    """Return what an interpreter with NumPy, the engine and the network occupies, MiB."""
    with subprocess.Popen(
        [sys.executable, "-c", _BARE, engine],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise UnavailableError(f"the engine {engine} does not start")
        return occupied_mb([process.pid])


def listening_mb(engine: str, listen_s: float) -> dict[str, float | None]:
    """Return what the daemon and its child occupy after a while of listening to barks, MiB."""
    sound = soundtrack(
        clips(5, "Dog bark")[:2], lead_s=1.0, before_s=1.0, after_s=0.5, hop_s=0.0, seed=1
    ).samples
    with rig() as found, found.pulse.playing(sound, loop=True), found.daemon(engine=engine) as daemon:
        daemon.wait_ready()
        time.sleep(listen_s)
        pids = [daemon.pid, *children(daemon.pid)]
        taken = occupied_mb(pids)
        if len(pids) != 2:
            raise ProgramError(f"the daemon and its capture child are {len(pids)} processes")
        parts = zip(("daemon", "capture"), pids, strict=True)
        return taken | {f"pss_{part}_mb": round(rollup_mb(pid)["pss"], 1) for part, pid in parts}


def run(*, quick: bool) -> Outcome:
    """Measure it for each engine; the headline is the one that `auto` takes."""
    engines = available_engines()
    details: dict[str, object] = {"unit": "MiB", "listened_s": 3.0 if quick else _LISTEN_S}
    rows = []
    headline = 0.0
    for engine in engines:
        bare = bare_mb(engine)
        taken = listening_mb(engine, 3.0 if quick else _LISTEN_S)
        details[engine] = taken | {"bare_interpreter": bare}
        pss = float(taken["pss_mb"] or 0.0)
        headline = headline or pss
        beside = f"daemon {taken['pss_daemon_mb']}, capture {taken['pss_capture_mb']}"
        beside += f"; counted as if alone {taken['alone_mb']}; NumPy, engine and network {bare['pss_mb']}"
        rows.append(Row(f"memory (PSS), {engine}", pss, "MiB", beside, LIMIT))
    return Outcome(figures={"pss_mb": headline}, details=details, rows=rows)
