"""`model-tools quantize`: turn a run into an int8 model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from aed_daemon.errors import AedError
from model_tools.cli.common import MODEL_NAME, add_data_options, data_folder


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("quantize", help="turn a run into an int8 .tflite and its manifest")
    add_data_options(parser)
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder that train made")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"default: RUN/{MODEL_NAME}.tflite")
    parser.add_argument(
        "--model-version", default="1", help="version of the model in its manifest (default: 1)"
    )
    parser.add_argument(
        "--no-metrics", action="store_true", help="do not evaluate the left-out fold for the manifest"
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.inference import available_engines
    from aed_daemon.spec import YAMNET_256
    from model_tools.cli.evaluate import measure
    from model_tools.quantize import convert, provenance, representative_patches, write_model
    from model_tools.training.feed import FeedRecipe
    from model_tools.training.train import load_weights, read_config, training_set

    run: Path = arguments.run
    out = arguments.out or run / f"{MODEL_NAME}.tflite"
    if out.suffix != ".tflite":
        raise AedError("not a name for a model", where=str(out), expected="NAME.tflite")
    network, config = load_weights(run, YAMNET_256), read_config(run)
    data = training_set(data_folder(arguments), config["held_out_fold"])
    feed = FeedRecipe(**config["recipe"]["feed"])
    model = convert(network, representative_patches(data, YAMNET_256, arguments.cache, feed))
    facts = {"spec": YAMNET_256, "version": arguments.model_version, "origin": provenance(config, data)}
    write_model(out, model, metrics={}, **facts)
    metrics: dict[str, Any] = {}
    if config["held_out_fold"] and not arguments.no_metrics:
        metrics = measure(arguments, run, out, config["held_out_fold"], available_engines())
        write_model(out, model, metrics=metrics, **facts)
    return {"model": str(out), "bytes": len(model), "metrics": metrics}
