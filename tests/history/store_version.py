"""Store a file of the present version, for the versions to come: python -m tests.history.store_version."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from aed_daemon.history.archive import Archive
from aed_daemon.history.rows import STEPS
from aed_daemon.history.schema import APPLICATION_ID, MIGRATIONS
from aed_daemon.history.tally import Strength
from tests.history.parts import START_TS, end_of, event, hour, near_miss, written


def _fill(path: Path) -> None:
    dog = event(0.0, id="01KAR3X0XM0000000000000001")
    rain = event(20.0, id="01KAR3XMDM0000000000000002", class_="rain", label="Rain")
    scores, strengths = np.zeros(STEPS, np.uint32), np.zeros(STEPS, np.uint32)
    scores[200], strengths[240] = 7, 1
    written(
        path,
        events=[dog, end_of(dog), rain, end_of(rain, 9.0)],
        strengths=[Strength("porch", "dog", dog.start_sample, 0.9375)],
        near_misses=[near_miss(40.0, id="01KAR3Y7XM0000000000000003")],
        hours=[hour(scores=scores, strengths=strengths)],
    )
    archive = Archive(path)
    archive.label(dog.id, "right")
    archive.label(rain.id, "wrong")
    archive.missed("dog", START_TS + 60.0, source="porch", node="hall-3f2a")


def _main() -> None:
    target = Path(__file__).parent / "versions" / f"{len(MIGRATIONS)}.sql"
    with TemporaryDirectory() as folder:
        path = Path(folder, "history.db")
        _fill(path)
        db = sqlite3.connect(path)
        dump = "\n".join(db.iterdump())
        db.close()
    pragmas = f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {len(MIGRATIONS)};\n"
    target.write_text(f"{pragmas}{dump}\n", encoding="utf-8")


if __name__ == "__main__":
    _main()
