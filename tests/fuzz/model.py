"""Manifests and model files with damage, and with lies that are well formed."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import struct
from functools import cache
from pathlib import Path
from typing import Any

import aed_daemon.tflite_file as tflite_file
from aed_daemon.errors import ModelError
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.tflite_file import check_tflite
from tests.fuzz import NUMBERS, clean, damaged
from tests.manifests import manifest_values, write_model

_ODD: tuple[Any, ...] = (None, True, -1, 0, 1e308, "", "x", "\u0000", "../x.tflite", [], [[]], {}, {"a": 1})
_ODD += ("é" * 500, 10**30, [1] * 400, "nan")


def _changed(rng: random.Random, values: Any) -> None:
    """Change one value at any depth, in place."""
    while True:
        keys = list(values) if isinstance(values, dict) else range(len(values))
        key = rng.choice(keys)
        inner = values[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
            values = inner
            continue
        match rng.randrange(4):
            case 0:
                del values[key]
            case 1 if isinstance(values, dict):
                values[rng.choice(("more", key, "name", "Ω"))] = copy.deepcopy(rng.choice(_ODD))
            case 2 if isinstance(inner, int | float) and not isinstance(inner, bool):
                values[key] = rng.choice((inner + 1, -inner, inner * 1e9, 0))
            case _:
                values[key] = copy.deepcopy(rng.choice(_ODD))
        return


def manifest(seed: int, folder: Path) -> bool:
    """Load manifest `seed`."""
    rng = random.Random(seed)
    values = manifest_values()
    for _ in range(rng.choice((1, 1, 2, 5))):
        _changed(rng, values)
    path = write_model(folder, values)
    if rng.random() < 0.3:
        text = path.with_suffix(".json")
        text.write_bytes(damaged(rng, text.read_bytes()))
    try:
        load_manifest(path)
    except ModelError as error:
        clean(error)
        return False
    return True


@cache
def _places() -> tuple[tuple[int, int], ...]:
    """Return every number of the shipped model that the check looks at, as place and bytes."""
    found: set[tuple[int, int]] = set()

    class Watched(tflite_file._Buffer):
        def _unpacked(self, form: str, at: int, count: int) -> tuple[float, ...]:
            size = struct.calcsize(form)
            found.update((at + size * i, size) for i in range(count))
            return super()._unpacked(form, at, count)

    tflite_file._Check(Watched(DEFAULT_MODEL.read_bytes(), "")).model()
    return tuple(sorted(found))


def changed_model(seed: int) -> bytes:
    """Return the shipped model with numbers of its structure changed, or with any damage."""
    rng, data = random.Random(seed), DEFAULT_MODEL.read_bytes()
    if rng.random() < 0.2:
        cut = damaged(rng, data)
        return cut[:4] + b"TFL3" + cut[8:]
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, size = rng.choice(_places())
        old = int.from_bytes(changed[at : at + size], "little")
        near = (old + 1, old - 1, old * 2, old ^ 1 << rng.randrange(8 * size), rng.getrandbits(8 * size))
        new = rng.choice((*near, rng.choice(NUMBERS))) % (1 << 8 * size)
        changed[at : at + size] = new.to_bytes(size, "little")
    return bytes(changed)


def structure(seed: int, folder: Path) -> bool:
    """Check model `seed`."""
    try:
        check_tflite(changed_model(seed), "changed.tflite")
    except ModelError as error:
        clean(error)
        return False
    return True


def with_manifest(seed: int, folder: Path) -> Path:
    """Write model `seed` with a manifest that has its hash, as a hostile one would, and return its path."""
    data = changed_model(seed)
    path = folder / "changed.tflite"
    path.write_bytes(data)
    values = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text(encoding="utf-8"))
    values |= {"file": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(values), encoding="utf-8")
    return path
