"""ModelManifest: what a model file is, in NAME.json beside NAME.tflite, written by the tools."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from aed_daemon.errors import ModelError
from aed_daemon.spec import FeatureSpec

SCHEMA_VERSION = 1
BACKGROUND = "background"
"""The class of everything else; never published."""

DEFAULT_MODEL = Path(__file__).parent / "models" / "yamnet256-esc10.tflite"
"""The model in the package."""

LOUD_SOUND = "loud_sound"
"""Reserved: the event that depends on the level alone."""

TEST_EVENT = "test_event"
"""Reserved: the class of an event that somebody asked for to see that events arrive."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Probability = Annotated[float, Field(gt=0.0, le=1.0)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TensorSpec(_Strict):
    """Shape and quantisation of an int8 tensor: real = scale * (q - zero_point)."""

    shape: tuple[int, ...] = Field(description="Dimensions, batch first.")
    dtype: Literal["int8"] = Field("int8", description="Element type.")
    scale: float = Field(gt=0.0, description="Real value of one step.")
    zero_point: int = Field(ge=-128, le=127, description="The integer that stands for 0.0.")


class InputSpec(TensorSpec):
    """The patch as the network's own tensor lays it out."""

    layout: Literal["mels_frames", "frames_mels"] = Field(
        description="(1, n_mels, patch_frames, 1) or (1, patch_frames, n_mels, 1)."
    )


class Thresholds(_Strict):
    """Where an event starts, and where it is no longer heard."""

    threshold_on: Probability = Field(description="Score at which an event starts.")
    threshold_off: Probability = Field(description="Score under which it no longer counts as heard.")

    @model_validator(mode="after")
    def _off_below_on(self) -> Self:
        _check_thresholds(self.threshold_on, self.threshold_off)
        return self


class LabelSpec(_Strict):
    """One output of the network, with what the daemon does by default."""

    slug: Slug = Field(description="Name in topics and payloads.")
    label: str = Field(min_length=1, max_length=64, description="Name for people.")
    threshold_on: Probability = Field(0.6, description="Score at which an event starts.")
    threshold_off: Probability = Field(0.35, description="Score under which it no longer counts as heard.")
    mode: Literal["instant", "confirm"] = Field(
        "instant", description="Start at the first hop over the threshold, or only after `confirm_s` of it."
    )
    confirm_s: float = Field(
        0.5, ge=0.0, le=60.0, description="Seconds over the threshold that `confirm` asks for."
    )
    smoothing_s: float = Field(0.0, ge=0.0, le=60.0, description="Seconds over which scores are averaged.")
    xnnpack: Thresholds | None = Field(
        None,
        description="In place of the thresholds, on engines whose scores differ from the reference kernels' "
        "in the last steps.",
    )

    @model_validator(mode="after")
    def _off_below_on(self) -> Self:
        _check_thresholds(self.threshold_on, self.threshold_off)
        return self


def _check_thresholds(on: float, off: float) -> None:
    if off > on:
        raise ValueError(f"threshold_off {off} is above threshold_on {on}")


class GateSpec(_Strict):
    """The energy gate: below it the network is spared and every score is 0."""

    open_dbfs: float = Field(
        -65.0, ge=-120.0, le=0.0, description="Loudest 10 ms of the patch that opens it, dBFS."
    )
    close_dbfs: float = Field(
        -70.0, ge=-120.0, le=0.0, description="Loudest 10 ms of the patch under which it closes."
    )

    @model_validator(mode="after")
    def _close_below_open(self) -> GateSpec:
        if self.close_dbfs > self.open_dbfs:
            raise ValueError(f"close_dbfs {self.close_dbfs} is above open_dbfs {self.open_dbfs}")
        return self


class DataSource(_Strict):
    """One source of training material."""

    name: str = Field(description="What it is.")
    licence: str = Field(description="Under what terms.")
    share: float = Field(ge=0.0, le=1.0, description="Part of the training crops that came from it.")


class Provenance(_Strict):
    """Where the weights come from."""

    data: list[DataSource] = Field(description="All training material.")
    licence: str = Field(description="Licence of the weights.")
    redistributable: bool = Field(description="False where a source forbids it.")
    held_out: str = Field("", description="What was left out of training.")
    seed: int = Field(description="Seed of the training run.")
    tools: dict[str, str] = Field(description="Versions of what made it.")


class ModelManifest(_Strict):
    """Everything that the daemon and the exporter must know of a model file."""

    schema_version: Literal[1] = Field(1, alias="schema", description="Version of this format.")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Name of the model.")
    version: str = Field(min_length=1, max_length=32, description="Version of the model.")
    file: str = Field(pattern=r"^[^/\\\x00]+\.tflite$", description="The model file, beside the manifest.")
    sha256: Sha256 = Field(description="SHA-256 of the model file.")
    features: dict[str, Any] = Field(description="The FeatureSpec, every field.")
    spec_id: str = Field(description="Hash of the FeatureSpec.")
    input: InputSpec
    output: TensorSpec
    activation: Literal["softmax", "sigmoid"] = Field(description="What the outputs are.")
    labels: list[LabelSpec] = Field(min_length=1, description="One per output, in order.")
    gate: GateSpec = GateSpec()
    metrics: dict[str, Any] = Field(default_factory=dict, description="What was measured, by name.")
    provenance: Provenance

    @property
    def spec(self) -> FeatureSpec:
        """The feature definition that the model was trained with."""
        return FeatureSpec.from_dict(self.features, where=f"manifest of {self.name}")

    @property
    def slugs(self) -> tuple[str, ...]:
        """The classes in the order of the outputs, background included."""
        return tuple(label.slug for label in self.labels)

    def for_engine(self, *, exact: bool) -> ModelManifest:
        """Return the manifest with the thresholds that hold on an engine.

        Parameters
        ----------
        exact : bool
            Whether the engine gives what TFLite's reference kernels give, but for ties.
        """
        labels = [
            label.model_copy(update=dict(label.xnnpack)) if label.xnnpack and not exact else label
            for label in self.labels
        ]
        return self.model_copy(update={"labels": labels})

    def to_json(self) -> str:
        """Return the text of the manifest file."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=2) + "\n"

    @model_validator(mode="after")
    def _consistent(self) -> ModelManifest:
        try:
            spec = self.spec
        except ModelError as error:
            raise ValueError(str(error).rstrip(".")) from error
        if spec.spec_id != self.spec_id:
            raise ValueError(f"spec_id {self.spec_id} is not that of the features, {spec.spec_id}")
        sizes = (spec.n_mels, spec.patch_frames)
        wanted = (1, *(sizes if self.input.layout == "mels_frames" else sizes[::-1]), 1)
        if self.input.shape != wanted:
            raise ValueError(f"input.shape {self.input.shape} is not {wanted}, as layout and features say")
        if self.output.shape != (1, len(self.labels)):
            raise ValueError(
                f"output.shape {self.output.shape} is not (1, {len(self.labels)}), one per label"
            )
        if len(set(self.slugs)) != len(self.slugs):
            raise ValueError("two labels have the same slug")
        for reserved in (LOUD_SOUND, TEST_EVENT):
            if reserved in self.slugs:
                raise ValueError(f"the slug '{reserved}' is reserved")
        return self


def describe(error: ValidationError) -> str:
    """Return the first fault of a validation, as 'path: what is wrong'."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    return f"{path}: {text}" if path else text


def manifest_path(model: Path) -> Path:
    """Return the manifest's path for NAME.tflite or NAME.json; ModelError for a path that names no file."""
    if not model.name or "\x00" in str(model):
        raise ModelError("not the path of a model", expected="NAME.tflite", got=repr(str(model)))
    return model.with_suffix(".json")


def load_manifest(model: Path) -> ModelManifest:
    """Read and check the manifest of a model, and the model file's hash.

    Parameters
    ----------
    model : Path
        NAME.tflite or NAME.json.

    Raises
    ------
    ModelError
        If either file is missing or unreadable, or the two do not belong together.
    """
    path = manifest_path(model)
    try:
        manifest = ModelManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(
            "no such manifest",
            where=str(path),
            expected="NAME.json beside NAME.tflite",
            hint="model-tools quantize writes it; copy both files together.",
        ) from None
    except OSError as error:
        raise ModelError(f"cannot read the manifest ({error.strerror})", where=str(path)) from None
    except ValidationError as error:
        raise ModelError(
            f"not a valid manifest ({describe(error)})",
            where=str(path),
            hint="Take the manifest that came with the model, or export it again with model-tools.",
        ) from None
    digest = hashlib.sha256(read_model_file(path.with_name(manifest.file))).hexdigest()
    if digest != manifest.sha256:
        raise ModelError(
            "the model file is not the one that its manifest describes",
            where=str(path.with_name(manifest.file)),
            expected=f"sha256 {manifest.sha256[:16]}…",
            got=f"{digest[:16]}…",
            hint="One of the two was changed or cut short; copy both again.",
        )
    return manifest


def read_model_file(path: Path) -> bytes:
    """Return the bytes of a model file; ModelError if it is missing, unreadable or no .tflite."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model ({error.strerror})", where=str(path)) from None
    if data[4:8] != b"TFL3":
        raise ModelError("not a TensorFlow Lite model", where=str(path), expected="the identifier TFL3")
    return data
