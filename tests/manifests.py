"""A small valid manifest and model file, to be taken as they are or broken on purpose."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aed_daemon.manifest import ModelManifest
from aed_daemon.spec import YAMNET_256

MODEL = b"\x1c\x00\x00\x00TFL3 nothing that an interpreter could load"
"""The least that passes for a .tflite: its identifier."""


def manifest_values() -> dict[str, Any]:
    """Return a valid manifest as JSON's types."""
    return {
        "schema": 1,
        "name": "tiny",
        "version": "1",
        "file": "tiny.tflite",
        "sha256": hashlib.sha256(MODEL).hexdigest(),
        "features": asdict(YAMNET_256),
        "spec_id": YAMNET_256.spec_id,
        "input": {
            "shape": [1, 64, 96, 1],
            "dtype": "int8",
            "scale": 0.05,
            "zero_point": -3,
            "layout": "mels_frames",
        },
        "output": {"shape": [1, 3], "dtype": "int8", "scale": 0.00390625, "zero_point": -128},
        "activation": "softmax",
        "labels": [
            {"slug": "dog", "label": "Dog"},
            {"slug": "rain", "label": "Rain", "threshold_on": 0.5, "threshold_off": 0.25, "mode": "confirm"},
            {"slug": "background", "label": "Background"},
        ],
        "gate": {"open_dbfs": -60.0, "close_dbfs": -65.0},
        "metrics": {},
        "provenance": {
            "data": [{"name": "noise", "licence": "CC0-1.0", "share": 1.0}],
            "licence": "Apache-2.0",
            "redistributable": True,
            "seed": 1,
            "tools": {"python": "3.11"},
        },
    }


def a_manifest() -> ModelManifest:
    """Return the valid manifest."""
    return ModelManifest.model_validate_json(json.dumps(manifest_values()))


def write_model(folder: Path, values: dict[str, Any] | None = None, model: bytes = MODEL) -> Path:
    """Write tiny.tflite and tiny.json, and return the path of the first."""
    (folder / "tiny.tflite").write_bytes(model)
    (folder / "tiny.json").write_text(json.dumps(values if values is not None else manifest_values()))
    return folder / "tiny.tflite"
