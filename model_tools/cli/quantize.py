"""`model-tools quantize`: turn a run into an int8 model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aed_daemon.errors import AedError
from model_tools.cli.common import MODEL_NAME, add_data_options, data_folder

if TYPE_CHECKING:
    from model_tools.training.material import Material


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("quantize", help="turn a run into an int8 .tflite and its manifest")
    add_data_options(parser)
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder that train made")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"default: RUN/{MODEL_NAME}.tflite, or the name of your own sounds",
    )
    parser.add_argument(
        "--model-version", default="1", help="version of the model in its manifest (default: 1)"
    )
    parser.add_argument(
        "--keep-float",
        action="store_true",
        help="also leave the weights beside the model in half precision, for `evaluate`",
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do it and return what is printed."""
    from aed_daemon.spec import YAMNET_256
    from model_tools.half_precision import write_half
    from model_tools.quantization_report import quantization_report
    from model_tools.quantize import convert, provenance, representative_patches, write_model
    from model_tools.training import bank
    from model_tools.training.feed import FeedRecipe
    from model_tools.training.material import classes_of
    from model_tools.training.run_folder import digest, family_of, read_config, read_weights, write_text
    from model_tools.training.train import feed_source

    folder: Path = arguments.run
    config, weights = read_config(folder), read_weights(folder, YAMNET_256)
    out = arguments.out or folder / f"{_name(config)}.tflite"
    if out.suffix != ".tflite":
        raise AedError("not a name for a model", where=str(out), expected="NAME.tflite")
    material = _material(arguments, config)
    recipe = config["recipe"]
    feed = FeedRecipe(**recipe["feed"])
    spectrograms = bank.make(material.clips, bank.BankRecipe(**recipe["bank"]), YAMNET_256, arguments.cache)
    patches = representative_patches(material, spectrograms, YAMNET_256, feed)
    model = convert(weights, YAMNET_256, patches, recipe["activation"])
    shares = feed_source(material, spectrograms, YAMNET_256).feed(feed).collections
    layers = quantization_report(model, weights, patches, YAMNET_256, recipe["activation"])
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
        activation=recipe["activation"],
        origin=provenance(config, material, shares),
        metrics={
            **_checked(folder),
            "quantization_worst_layer": summary,
            "recipe": {"sha256": digest(recipe), **family_of(config)},
        },
        outputs=config["outputs"],
        classes=classes_of(config),
    )
    if arguments.keep_float:
        write_half(out, weights)
    return {"model": str(out), "bytes": len(model), "worst_layer": summary}


def _name(config: dict[str, Any]) -> str:
    from model_tools.cli.own_sounds import model_name

    return model_name(config["data"]["root"]) if "data" in config else MODEL_NAME


def _material(arguments: argparse.Namespace, config: dict[str, Any]) -> Material:
    """Return what the run learnt from, read again."""
    from aed_daemon.spec import YAMNET_256
    from model_tools.cli.own_sounds import own_negatives
    from model_tools.training.material import HeldOut, esc10_material
    from model_tools.training.own import own_material, sounds_of

    held_out = HeldOut.from_config(config)
    if "data" not in config:
        return esc10_material(data_folder(arguments), arguments.cache, held_out)
    sounds = sounds_of(config, YAMNET_256, arguments.data)
    return own_material(sounds, own_negatives(arguments.cache), held_out)


def _checked(folder: Path) -> dict[str, Any]:
    """Return what `train` measured on sounds of a user's own that were held out."""
    path = folder / "check.json"
    return {"check": json.loads(path.read_text())} if path.exists() else {}
