"""What the outputs mean: one of all, or each by itself; their probabilities and their loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from model_tools.training.folded import Folded
    from model_tools.training.network import Yamnet

Activation = Literal["softmax", "sigmoid"]
"""softmax: one of the classes or the background; sigmoid: any number of them at once."""


def activate(logits: Tensor, activation: Activation) -> Tensor:
    """Return the probabilities, (n, outputs), of logits."""
    return logits.softmax(1) if activation == "softmax" else logits.sigmoid()


def probabilities(
    network: Yamnet | Folded, patches: NDArray[np.float32], activation: Activation = "softmax"
) -> NDArray[np.float64]:
    """Return the probabilities, float64 (n, outputs), of patches, float32 (n, patch_frames, n_mels)."""
    import torch

    where = next(network.parameters()).device
    found = []
    with torch.inference_mode():
        for at in range(0, len(patches), 256):
            logits = network(torch.from_numpy(patches[at : at + 256]).to(where))
            found.append(activate(logits.double(), activation).cpu().numpy())
    return np.concatenate(found)


def label_loss(logits: Tensor, labels: Tensor, activation: Activation, smoothing: float) -> Tensor:
    """Return the mean loss of logits against labels, both (n, outputs).

    Parameters
    ----------
    smoothing : float
        Of the softmax's labels; with independent outputs they are pulled towards a half by as much.
    """
    from torch.nn import functional

    if activation == "softmax":
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    smooth = labels * (1.0 - smoothing) + 0.5 * smoothing
    return functional.binary_cross_entropy_with_logits(logits, smooth) * labels.shape[1]


def teacher_loss(
    logits: Tensor, teachers: Sequence[Tensor], activation: Activation, temperature: float
) -> Tensor:
    """Return the mean loss of logits against the mean opinion of teachers, at a temperature.

    Source: G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015.
    """
    import torch
    from torch.nn import functional

    opinion = torch.stack([activate(theirs / temperature, activation) for theirs in teachers]).mean(0)
    if activation == "softmax":
        loss = functional.cross_entropy(logits / temperature, opinion)
    else:
        loss = functional.binary_cross_entropy_with_logits(logits / temperature, opinion) * logits.shape[1]
    return loss * temperature**2
