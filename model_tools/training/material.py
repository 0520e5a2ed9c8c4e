"""What a run learns from: which clips, under which labels, and which it must not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aed_daemon.errors import AedError
from aed_daemon.manifest import BACKGROUND
from model_tools.data.clip import Clip
from model_tools.data.esc10 import LABELS, SLUGS, read_esc10, whole_esc10
from model_tools.data.examples import examples
from model_tools.data.negatives import negatives
from model_tools.data.split import check_leaks
from model_tools.training.sound import INSTANT, TRANSIENT


@dataclass(frozen=True)
class HeldOut:
    """What a run must not see.

    Attributes
    ----------
    fold : int
        Fold left out for the final evaluation, 0 for none.
    validation_fold : int
        Fold on which recipes are compared, 0 for none; never the one above.
    slugs : tuple of str
        Classes left out, to be strangers.
    """

    fold: int = 0
    validation_fold: int = 0
    slugs: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> HeldOut:
        """Return what the run of a config.json did not see."""
        stored = config["held_out"]
        return cls(stored["fold"], stored["validation_fold"], tuple(stored["slugs"]))

    def named(self, data_set: str) -> str:
        """Return what is left out, as text; `data_set` stands before the word fold."""
        parts = [f"{data_set}fold {fold}" for fold in (self.fold, self.validation_fold) if fold]
        return ", ".join([*parts, *(f"class {slug}" for slug in self.slugs)])

    def __str__(self) -> str:
        return self.named("ESC-10 ")


@dataclass(frozen=True)
class SoundClass:
    """What a class is besides its clips.

    Attributes
    ----------
    label : str
        Its name for people.
    transient : bool
        Whether its sound must be known from its first fraction of a second.
    instant : bool
        Whether the daemon starts its events as soon as may be.
    """

    label: str
    transient: bool
    instant: bool


ESC10_CLASSES: Mapping[str, SoundClass] = {
    slug: SoundClass(label, slug in TRANSIENT, slug in INSTANT) for slug, label in LABELS.items()
}


def classes_of(config: dict[str, Any]) -> Mapping[str, SoundClass]:
    """Return the classes of the run of a config.json."""
    if "classes" not in config:
        return ESC10_CLASSES
    return {slug: SoundClass(**facts) for slug, facts in config["classes"].items()}


@dataclass(frozen=True)
class Material:
    """The clips of a run.

    Attributes
    ----------
    clips : sequence of Clip
        All that the spectrogram bank holds, of classes and of none, seen or not: runs that leave
        out different folds share one bank.
    outputs : tuple of str
        The network's outputs in order, the last is the background.
    held_out : HeldOut
        What is not learnt from.
    classes : mapping
        Slug -> what the class is.
    origin : dict
        Of sounds of one's own, what `model_tools.training.own` needs to read them again.
    """

    clips: Sequence[Clip]
    outputs: tuple[str, ...]
    held_out: HeldOut
    classes: Mapping[str, SoundClass] = field(default_factory=lambda: ESC10_CLASSES)
    origin: dict[str, Any] = field(default_factory=dict)

    def label(self, clip: Clip) -> int | None:
        """Return the output that a clip teaches, None if it is not to be seen."""
        if not clip.slug:
            return len(self.outputs) - 1
        left_out = {self.held_out.fold, self.held_out.validation_fold} - {0}
        if clip.slug not in self.outputs or clip.fold in left_out:
            return None
        return self.outputs.index(clip.slug)

    def describe(self) -> dict[str, Any]:
        """Return what a run's config.json says of outputs and data; of classes if they are a user's own."""
        facts: dict[str, Any] = {"outputs": list(self.outputs), "held_out": asdict(self.held_out)}
        if not self.origin:
            return facts
        classes = {slug: asdict(kind) for slug, kind in self.classes.items()}
        return facts | {"classes": classes, "data": self.origin}

    @property
    def seen(self) -> list[Clip]:
        """The clips that the run learns from."""
        return [clip for clip in self.clips if self.label(clip) is not None]

    @property
    def validation(self) -> list[int]:
        """Indices of the clips of the validation fold whose class the network knows."""
        fold = self.held_out.validation_fold
        return [
            i for i, clip in enumerate(self.clips) if fold and clip.fold == fold and clip.slug in self.outputs
        ]


def esc10_material(data: Path, cache: Path, held_out: HeldOut) -> Material:
    """Return ESC-10, more examples of its classes, and the negatives for training.

    Parameters
    ----------
    data : Path
        Holds esc10/ and negatives/.
    cache : Path
        Holds what was fetched and synthesised.

    Raises
    ------
    AudioError
        If there is no ESC-10 under `data`.
    AedError
        If a recording has clips both in a left-out fold and outside it, or a class does not exist.
    """
    unknown = set(held_out.slugs) - set(SLUGS)
    if unknown:
        raise AedError(f"no class is called {min(unknown)}", expected=", ".join(SLUGS))
    clips = read_esc10(data / "esc10")
    for fold in (held_out.fold, held_out.validation_fold):
        check_leaks(
            [clip for clip in clips if clip.fold != fold], [clip for clip in clips if clip.fold == fold]
        )
    outputs = (*(slug for slug in SLUGS if slug not in held_out.slugs), BACKGROUND)
    others = [*examples(cache, whole_esc10(data / "esc10")), *negatives(data, cache, "training")]
    return Material([*clips, *others], outputs, held_out)
