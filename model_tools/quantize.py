"""From a trained network to what the daemon loads: a fully int8 .tflite and its manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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
from model_tools.architecture import Arrays
from model_tools.data.licences import redistributable
from model_tools.training.activation import Activation
from model_tools.training.feed import FeedRecipe
from model_tools.training.material import ESC10_CLASSES, HeldOut, Material, SoundClass
from model_tools.training.run_folder import write_text
from model_tools.training.train import feed_source

THRESHOLD_ON, BRIEF_THRESHOLD_ON = 0.45, 0.5
"""Before calibration, of sounds that last and of brief ones. On validation soundscapes of two networks and on
7.6 h of calibration negatives, lasting sounds at 0.6 gave 16 alarms an hour in all and an event F1 of 0.53,
at 0.45 25 and 0.60, at 0.35 33 and 0.65."""

OFF_SHARE = 0.6
"""A sound ends under this share of what it starts at."""

OWN_THRESHOLD_ON = 0.7
"""Of classes that were learnt from a few clips: of 26 starts in a quarter of an hour of sounds of no class
16 remain that 0.6 gave, and of 48 recordings 46 are found in place of 47."""

BRIEF_CONFIRM_S, LASTING_CONFIRM_S, LASTING_SMOOTHING_S = 0.24, 0.5, 0.48
"""A bark starts with its second hop over the threshold, rain with its fourth, scores averaged over two. On
validation soundscapes of two pairs of networks the event F1 is 0.66 and 0.68 so, and 0.64 and 0.63 where
brief sounds start at once and nothing is averaged."""

_PATCHES = 384


def representative_patches(
    material: Material, bank: Path, spec: FeatureSpec, feed: FeedRecipe
) -> NDArray[np.float32]:
    """Return patches that show the calibrator every range that the network will meet.

    Digital silence; and crops as the network was trained on, without masks: half of them as they
    were recorded, half quiet, loud, filtered, through channels, of no class.

    Returns
    -------
    ndarray, float32 (n, patch_frames, n_mels)
    """
    source = feed_source(material, bank, spec)
    silence = np.full((1, spec.patch_frames, spec.n_mels), np.log(spec.log_offset), np.float32)
    plain = replace(
        feed, masks=False, mixed_share=0.0, accompanied_share=0.0, channelled_share=0.0,
        background_share=0.15, equaliser_db=0.0, low_pass_share=0.0, high_pass_share=0.0, noise_share=0.3,
    )  # fmt: skip
    # Training counts its chunks from 1; chunk 2^31 is one that no run reaches.
    chunks = [source.feed(recipe).chunk(2**31, _PATCHES) for recipe in (plain, replace(feed, masks=False))]
    return silence_on_a_step(np.concatenate([silence, *(patches for patches, _ in chunks)]), spec)


def silence_on_a_step(patches: NDArray[np.float32], spec: FeatureSpec) -> NDArray[np.float32]:
    """Return patches whose range gives digital silence a value of int8, and 0 another.

    The converter makes 255 steps of the range. Silence may then lie on the edge between two values, and
    what is left of a microphone's offset, or a last bit of the FFT, decides for all bands at once.
    """
    lowest, highest = np.log(spec.log_offset), float(patches.max())
    below_zero = int(255 * -lowest / (highest - lowest))
    widest = np.array(patches[np.argmax(patches.max(axis=(1, 2)))][None])
    widest[np.unravel_index(np.argmax(widest), widest.shape)] = lowest + 255 * -lowest / below_zero
    return np.concatenate([patches, widest])


def convert(
    weights: Arrays, spec: FeatureSpec, patches: NDArray[np.float32], activation: Activation = "softmax"
) -> bytes:
    """Return the int8 .tflite of a network: int8 in and out, weights per channel.

    Parameters
    ----------
    weights : Arrays
        What a run leaves.
    patches : ndarray, float32 (n, patch_frames, n_mels)
        What activations are calibrated on.

    Raises
    ------
    AedError
        If the converter refuses the network.
    """
    import tensorflow as tf

    from model_tools.model import build, deployed

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for patch in patches:
            yield [np.ascontiguousarray(patch.T[None, :, :, None])]

    with TemporaryDirectory() as folder:
        # Not from_keras_model: it prints the whole signature to standard output.
        deployed(build(spec, weights), activation).export(folder, verbose=False)
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


def provenance(config: dict[str, Any], material: Material, shares: Mapping[str, float]) -> Provenance:
    """Return where the weights come from.

    Parameters
    ----------
    config : dict
        The run's config.json.
    shares : mapping
        Collection of negatives -> its part of the real background; see `Feed.collections`.
    """
    feed = config["recipe"]["feed"]
    background = feed["background_share"]
    real = background * feed["real_share"] if shares else 0.0
    licences: dict[str, set[str]] = {}
    for clip in material.seen:
        licences.setdefault(clip.collection, set()).add(clip.licence)
    parts = {name: (1.0 - background) * part for name, part in class_shares(material).items()}
    parts |= {name: real * part for name, part in shares.items()}
    sources = [
        DataSource(name=name, licence=" and ".join(sorted(licences[name])), share=round(share, 4))
        for name, share in parts.items()
    ]
    warped = round(background * feed["warped_share"], 4)
    sources.append(DataSource(name="clips warped beyond recognition", licence="as the clips", share=warped))
    rest = round(background - real - warped, 4)
    sources.append(
        DataSource(name="synthesised noise, hum, tones, clicks", licence="none needed", share=rest)
    )
    return Provenance(
        data=sources,
        licence="Apache-2.0",
        redistributable=redistributable({licence for found in licences.values() for licence in found}),
        held_out=HeldOut.from_config(config).named("" if "data" in config else "ESC-10 "),
        seed=config["recipe"]["seed"],
        tools=config["tools"],
    )


def class_shares(material: Material) -> dict[str, float]:
    """Return the part of each collection in the crops of classes: a class is drawn, then a clip of it."""
    clips = [clip for clip in material.seen if clip.slug]
    of_class = Counter(clip.slug for clip in clips)
    shares: dict[str, float] = {}
    for clip in clips:
        share = 1.0 / len(of_class) / of_class[clip.slug]
        shares[clip.collection] = shares.get(clip.collection, 0.0) + share
    return shares


def write_model(
    out: Path,
    model: bytes,
    *,
    version: str,
    spec: FeatureSpec,
    origin: Provenance,
    metrics: dict[str, Any],
    activation: Activation = "softmax",
    outputs: Sequence[str],
    classes: Mapping[str, SoundClass] = ESC10_CLASSES,
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
    outputs : sequence of str
        The network's outputs in order.
    classes : mapping
        Slug -> what the class is.

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
        activation=activation,
        labels=[label_of(slug, classes) for slug in outputs],
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


def label_of(slug: str, classes: Mapping[str, SoundClass] = ESC10_CLASSES) -> LabelSpec:
    """Return the manifest's entry for an output of the network."""
    known = SoundClass("Background", False, False) if slug == BACKGROUND else classes[slug]
    own = classes is not ESC10_CLASSES
    on = OWN_THRESHOLD_ON if own else BRIEF_THRESHOLD_ON if known.instant else THRESHOLD_ON
    return LabelSpec(
        slug=slug,
        label=known.label,
        threshold_on=on,
        threshold_off=round(OFF_SHARE * on, 2),
        mode="confirm",
        confirm_s=BRIEF_CONFIRM_S if known.instant else LASTING_CONFIRM_S,
        smoothing_s=0.0 if own or known.instant else LASTING_SMOOTHING_S,
    )
