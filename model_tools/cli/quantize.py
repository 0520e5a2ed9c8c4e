"""`model-tools quantize`: turn a run into an int8 model."""

from __future__ import annotations

import argparse
import json
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
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.spec import YAMNET_256
    from model_tools.quantization_report import quantization_report
    from model_tools.quantize import convert, provenance, representative_patches, write_model
    from model_tools.training import bank
    from model_tools.training.feed import FeedRecipe
    from model_tools.training.material import HeldOut, esc10_material
    from model_tools.training.run_folder import read_config, read_weights, write_text
    from model_tools.training.train import feed_source

    folder: Path = arguments.run
    out = arguments.out or folder / f"{MODEL_NAME}.tflite"
    if out.suffix != ".tflite":
        raise AedError("not a name for a model", where=str(out), expected="NAME.tflite")
    config, weights = read_config(folder), read_weights(folder, YAMNET_256)
    held_out = HeldOut.from_config(config)
    material = esc10_material(data_folder(arguments), arguments.cache, held_out)
    recipe = config["recipe"]
    feed = FeedRecipe(**recipe["feed"])
    spectrograms = bank.make(material.clips, bank.BankRecipe(**recipe["bank"]), YAMNET_256, arguments.cache)
    patches = representative_patches(material, spectrograms, YAMNET_256, feed)
    model = convert(weights, YAMNET_256, patches)
    shares = feed_source(material, spectrograms, YAMNET_256).feed(feed).collections
    layers = quantization_report(model, weights, patches, YAMNET_256)
    write_text(
        folder / "quantization.json", json.dumps([layer.as_dict() for layer in layers], indent=1) + "\n"
    )
    worst = min(layers, key=lambda layer: layer.sqnr_db).as_dict()
    summary = {name: worst[name] for name in ("layer", "sqnr_db", "saturated")}
    write_model(
        out,
        model,
        version=arguments.model_version,
        spec=YAMNET_256,
        origin=provenance(config, material, shares),
        metrics={"quantization_worst_layer": summary},
        outputs=config["outputs"],
    )
    return {"model": str(out), "bytes": len(model), "worst_layer": summary}
