"""`aed-daemon info`: versions, engines, model and classes."""

from __future__ import annotations

import argparse
import json
import platform

from aed_daemon import __version__
from aed_daemon.inference import available_engines, load_classifier
from aed_daemon.manifest import DEFAULT_MODEL


def execute(args: argparse.Namespace) -> int:
    """Load the model as `run` would and print what it is."""
    classifier = load_classifier(args.model, args.engine or "auto")
    manifest = classifier.manifest
    facts = {
        "version": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "engines": available_engines(args.model or DEFAULT_MODEL),
        "engine": classifier.engine,
        "exact": classifier.exact,
        "model": manifest.name,
        "model_version": manifest.version,
        "sha256": manifest.sha256,
        "spec_id": manifest.spec_id,
        "licence": manifest.provenance.licence,
        "held_out": manifest.provenance.held_out,
        "metrics": manifest.metrics,
        "classes": {label.slug: label.threshold_on for label in manifest.labels},
    }
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    for name, value in facts.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, item in value.items():
                print(f"  {key:20} {item}")
        else:
            print(f"{name:14} {', '.join(value) if isinstance(value, list) else value}")
    return 0
