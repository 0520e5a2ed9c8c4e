"""How long, how fast, on what: everything that a run depends on besides its clips."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import cos, pi

from model_tools.training.activation import Activation
from model_tools.training.bank import BankRecipe
from model_tools.training.feed import FeedRecipe


@dataclass(frozen=True)
class Closing:
    """A second stage of a run: what is no class learnt better than by chance.

    It begins with the weights of the first stage, and looks up what they take for a class.

    Attributes
    ----------
    epochs, learning_rate
        As of a run.
    feed : FeedRecipe
        Its crops.
    """

    epochs: int
    learning_rate: float
    feed: FeedRecipe


@dataclass(frozen=True)
class TrainRecipe:
    """Everything that a run depends on besides its clips.

    Attributes
    ----------
    epochs, crops_per_epoch, batch : int
        Length of the run; an epoch is a number of random crops, not a pass over the clips.
    learning_rate, weight_decay, warmup_epochs
        AdamW; the rate rises linearly, then falls to zero as a cosine.
    label_smoothing : float
        Keeps the logits in a range that eight bits resolve.
    averaging : float
        Decay per step of the running average of the weights; the average is what a run leaves.
    distillation_share : float
        Weight of the teachers' opinion in the loss, the labels having the rest.
    temperature : float
        Of the softmax in which teachers and network are compared.
    activation : str
        "softmax", one of the classes or the background; or "sigmoid", each output by itself.
    patience : int
        With a validation fold, looks at it without a better clip accuracy after which the run ends
        with the best weights; 0 for never. For clips of one's own, not for published figures.
    frozen : bool
        Whether only the last layer learns.
    fixed_statistics : bool
        Whether the batch normalisation keeps the statistics that it starts with: for few clips, and
        for weights in which it has been folded.
    seed : int
        Of weights and crops.
    width : float
        Channels, as a multiple of Yamnet-256's.
    closing : Closing, optional
        A second stage.
    """

    epochs: int = 110
    crops_per_epoch: int = 1_664
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_epochs: int = 3
    label_smoothing: float = 0.04
    averaging: float = 0.998
    distillation_share: float = 0.0
    temperature: float = 2.0
    activation: Activation = "softmax"
    patience: int = 0
    frozen: bool = False
    fixed_statistics: bool = False
    seed: int = 1
    width: float = 1.0
    bank: BankRecipe = field(default_factory=BankRecipe)
    feed: FeedRecipe = field(default_factory=FeedRecipe)
    closing: Closing | None = None

    @property
    def stages(self) -> list[TrainRecipe]:
        """The stages of a run, one after the other, as recipes without a second stage."""
        first = replace(self, closing=None)
        if self.closing is None:
            return [first]
        last = self.closing
        return [first, replace(first, epochs=last.epochs, learning_rate=last.learning_rate, feed=last.feed)]

    @property
    def all_epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch."""
        return self.crops_per_epoch // self.batch

    def learning_rate_at(self, step: int) -> float:
        """Return the rate of optimiser step `step`, counted from 0."""
        warmup, total = self.warmup_epochs * self.steps_per_epoch, self.epochs * self.steps_per_epoch
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        return self.learning_rate * 0.5 * (1.0 + cos(pi * (step - warmup) / max(1, total - warmup)))


_WARY = Closing(
    epochs=25,
    learning_rate=1e-3,
    feed=FeedRecipe(
        background_share=0.5,
        real_share=0.8,
        warped_share=0.08,
        kind_shares={"music": 0.4, "effects": 0.35, "speech": 0.2, "ambience": 0.05},
        edge_share=0.5,
        hard_share=0.4,
    ),
)

SCRATCH = TrainRecipe(closing=_WARY)
"""From random weights, without a teacher."""

PRETRAINED = TrainRecipe(epochs=50, learning_rate=1e-3, closing=_WARY)
"""From the pretrained backbone."""

_FEW = FeedRecipe(
    background_share=0.6,
    real_share=0.6,
    warped_share=0.0,
    mixed_share=0.15,
    accompanied_share=0.25,
    accompanied_db=(3.0, 25.0),
)
ADAPTED = TrainRecipe(
    epochs=24,
    crops_per_epoch=1_024,
    batch=64,
    learning_rate=0.1,
    weight_decay=1e-3,
    warmup_epochs=1,
    averaging=0.98,
    frozen=True,
    fixed_statistics=True,
    bank=BankRecipe(clean=6, channelled=6, warped=0, synthetic=1_000),
    feed=_FEW,
)
"""From a finished network to classes of one's own, few clips each: a new last layer, the rest as it is."""

UNFROZEN = replace(ADAPTED, learning_rate=2e-3, weight_decay=0.05, averaging=0.995, frozen=False)
"""The same, but every layer learns, at a low rate."""

DISTILLED = TrainRecipe(distillation_share=0.7, closing=_WARY)
"""From random weights, with teachers that saw the same clips."""
