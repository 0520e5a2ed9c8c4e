"""From a trained network to what the daemon loads: a fully int8 .tflite and its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError
from aed_daemon.manifest import (
    BACKGROUND,
    DataSource,
    InputSpec,
    LabelSpec,
    ModelManifest,
    Provenance,
    TensorSpec,
    manifest_path,
)
from aed_daemon.spec import FeatureSpec
from model_tools.data import cache
from model_tools.data.esc10 import LABELS, SLUGS
from model_tools.evaluation.clips import clip_patches
from model_tools.training.crops import TRANSIENT
from model_tools.training.feed import CropMaker, FeedRecipe
from model_tools.training.train import OUTPUTS, TrainingSet, write_text

if TYPE_CHECKING:
    import keras

INSTANT = TRANSIENT | {"clock_tick"}
"""Classes that start an event at the first hop over the threshold; the others must be confirmed."""

THRESHOLD_ON, THRESHOLD_OFF = 0.6, 0.35
"""Defaults: fixed in advance, not chosen on any clips."""

EARLY = {"dog": 0.5}
"""Classes that start earlier, at "more likely than not": over 480 starts of held-out barks at all
places in the hop, 0.6 was reached within 1.2 s by 93.5 %, 0.5 by 95.8 %; clips of other classes that
also start `dog` rise from 9 to 17 of 360. To be replaced by calibration."""

UNKNOWN_LICENCE = "unknown"
"""Weights that learnt from such a recording must not be passed on."""

_AUGMENTED_PATCHES = 384


def representative_patches(
    data: TrainingSet, spec: FeatureSpec, cache_dir: Path, feed: FeedRecipe
) -> NDArray[np.float32]:
    """Return patches that show the calibrator every range that the network will meet.

    Digital silence; the second patch of every training clip as it is; and as many crops again as
    the network was trained on: quiet, loud, filtered, of no class.

    Returns
    -------
    ndarray, float32 (n, patch_frames, n_mels)
    """
    sounds = cache.load([*data.clips, *data.negatives], spec.sample_rate_hz, cache_dir)
    silence = np.full((1, spec.patch_frames, spec.n_mels), np.log(spec.log_offset), np.float32)
    clean = [clip_patches(sound, spec)[:2][-1:] for sound in sounds]
    labels = [(SLUGS.index(clip.slug), clip.slug in TRANSIENT) for clip in data.clips]
    recordings = [(sound, *label) for sound, label in zip(sounds, labels, strict=False)]
    maker = CropMaker(recordings, sounds[len(labels) :], len(OUTPUTS), spec, feed)
    # Training counts its chunks from 1; chunk 2^31 is one that no run reaches.
    augmented, _ = maker.chunk(2**31, _AUGMENTED_PATCHES)
    return np.concatenate([silence, *clean, augmented])


def convert(network: keras.Model, patches: NDArray[np.float32]) -> bytes:
    """Return the int8 .tflite of a network: int8 in and out, weights per channel.

    Parameters
    ----------
    patches : ndarray, float32 (n, patch_frames, n_mels)
        What activations are calibrated on.

    Raises
    ------
    AedError
        If the converter refuses the network.
    """
    import tensorflow as tf

    from model_tools.model import deployed

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for patch in patches:
            yield [np.ascontiguousarray(patch.T[None, :, :, None])]

    with TemporaryDirectory() as folder:
        # Not from_keras_model: it prints the whole signature to standard output.
        deployed(network).export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        return _converted(converter, samples)


def _converted(converter: Any, samples: Callable[[], Iterator[list[NDArray[np.float32]]]]) -> bytes:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    try:
        return bytes(converter.convert())
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise AedError(f"the network cannot be converted ({str(error).splitlines()[0]})") from None


def tensors(model: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the input's and the output's shape, scale and zero point as the .tflite states them."""
    from tensorflow.lite.python import schema_py_generated as schema

    graph = schema.Model.GetRootAsModel(model, 0).Subgraphs(0)
    found = []
    for index in (graph.Inputs(0), graph.Outputs(0)):
        tensor = graph.Tensors(index)
        quantization = tensor.Quantization()
        found.append(
            {
                "shape": tuple(int(n) for n in tensor.ShapeAsNumpy()),
                "dtype": "int8",
                "scale": float(quantization.Scale(0)),
                "zero_point": int(quantization.ZeroPoint(0)),
            }
        )
    return found[0], found[1]


def operators(model: bytes) -> list[str]:
    """Return the names of a .tflite's operators in the order in which they run."""
    from tensorflow.lite.python import schema_py_generated as schema

    read = schema.Model.GetRootAsModel(model, 0)
    graph = read.Subgraphs(0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    codes = [read.OperatorCodes(graph.Operators(i).OpcodeIndex()) for i in range(graph.OperatorsLength())]
    return [names[code.BuiltinCode()] for code in codes]


def provenance(config: dict[str, Any], data: TrainingSet) -> Provenance:
    """Return where the weights come from, with the expected share of the crops of each source."""
    feed = config["recipe"]["feed"]
    background = feed["background_share"]
    real = background * feed["real_share"] if data.negatives else 0.0
    sources = [
        DataSource(name="ESC-10, without its CC Sampling+ clips", licence="CC-BY-3.0", share=1 - background)
    ]
    weights = np.sqrt([clip.path.stat().st_size for clip in data.negatives])
    for clip, weight in zip(data.negatives, weights, strict=True):
        share = round(float(real * weight / weights.sum()), 4)
        sources.append(DataSource(name=clip.source, licence=licence_of(clip.path), share=share))
    synthetic = round(background - real, 4)
    sources.append(
        DataSource(name="synthesised noise, hum, tones, clicks", licence="none needed", share=synthetic)
    )
    fold = config["held_out_fold"]
    return Provenance(
        data=sources,
        licence="Apache-2.0",
        redistributable=all(source.licence != UNKNOWN_LICENCE for source in sources),
        held_out=f"ESC-10 fold {fold}" if fold else "",
        seed=config["recipe"]["seed"],
        tools=config["tools"],
    )


def licence_of(path: Path) -> str:
    """Return what the text beside a recording says of its licence, "unknown" without one."""
    beside = path.with_suffix(".txt")
    text = beside.read_text(errors="replace").lower() if beside.exists() else ""
    if "public domain" in text:
        return "public domain"
    for version in ("4.0", "3.0"):
        if f"licenses/by/{version}" in text:
            return f"CC-BY-{version}"
    return UNKNOWN_LICENCE


def write_model(
    out: Path,
    model: bytes,
    *,
    version: str,
    spec: FeatureSpec,
    origin: Provenance,
    metrics: dict[str, Any],
    outputs: Sequence[str] = OUTPUTS,
) -> ModelManifest:
    """Write NAME.tflite and NAME.json.

    Parameters
    ----------
    out : Path
        NAME.tflite.
    model : bytes
        The int8 model.
    metrics : dict
        What was measured.

    Raises
    ------
    AedError
        If a file cannot be written.
    """
    given, got = tensors(model)
    manifest = ModelManifest(
        schema=1,
        name=out.stem,
        version=version,
        file=out.name,
        sha256=hashlib.sha256(model).hexdigest(),
        features=asdict(spec),
        spec_id=spec.spec_id,
        input=InputSpec(**given, layout="mels_frames"),
        output=TensorSpec(**got),
        activation="softmax",
        labels=[label_of(slug) for slug in outputs],
        metrics=metrics,
        provenance=origin,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_suffix(".tflite.tmp")
        temporary.write_bytes(model)
        temporary.replace(out)
        write_text(manifest_path(out), manifest.to_json())
    except OSError as error:
        raise AedError(f"cannot write the model ({error.strerror})", where=str(out)) from None
    return manifest


def label_of(slug: str) -> LabelSpec:
    """Return the manifest's entry for an output of the network."""
    name = "Background" if slug == BACKGROUND else LABELS[slug]
    mode = "instant" if slug in INSTANT else "confirm"
    return LabelSpec(
        slug=slug,
        label=name,
        threshold_on=EARLY.get(slug, THRESHOLD_ON),
        threshold_off=THRESHOLD_OFF,
        mode=mode,
        confirm_s=0.5,
    )
