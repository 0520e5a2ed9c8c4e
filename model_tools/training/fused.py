"""What PyTorch 2.13 computes slowly on a CPU, compiled on the spot where there is a compiler.

Batch normalisation with its ReLU, and strided depthwise convolutions, were two thirds of a training
step on two cores. Without a compiler, or on a GPU, PyTorch's own operators do it.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

_SOURCE = Path(__file__).with_name("kernels.cpp")
_BUILT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "model-tools" / "kernels"
_FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp"]


@functools.cache
def extension() -> Any:
    """Return the compiled operators, None where they cannot be compiled."""
    if not (shutil.which("c++") and find_spec("ninja")):
        return None
    import ninja
    from torch.utils.cpp_extension import load

    # A virtual environment that is not activated has its programs beside the path.
    os.environ["PATH"] = os.pathsep.join([ninja.BIN_DIR, os.environ.get("PATH", "")])
    try:
        _BUILT.mkdir(parents=True, exist_ok=True)
        with (_BUILT / "building").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            # PyTorch waits for ever for the lock file of a process that was killed while it compiled.
            (_BUILT / "lock").unlink(missing_ok=True)
            return load(
                "aed_training",
                [str(_SOURCE)],
                extra_cflags=_FLAGS,
                extra_ldflags=["-fopenmp"],
                build_directory=str(_BUILT),
            )
    except (RuntimeError, OSError, ImportError):
        return None


class _NormaliseRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        y, mean, variance, inverse = extension().forward(x, beta, epsilon)
        ctx.save_for_backward(x, y, mean, inverse)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, y, mean, inverse = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        dx, beta = extension().backward(gradient, x, y, mean, inverse)
        return dx, beta, None


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        kernel = weight[:, 0].permute(1, 2, 0).contiguous()
        ctx.save_for_backward(x, kernel)
        ctx.stride = stride
        return cast(Tensor, extension().depthwise_forward(x, kernel, stride))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, kernel = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        dx, weight = extension().depthwise_backward(gradient, x, kernel, ctx.stride)
        return dx, weight.permute(2, 0, 1)[:, None], None


_wanted = True


@contextmanager
def switched(on: bool) -> Iterator[None]:
    """Use these operators, or PyTorch's own, within the block: to compare them."""
    global _wanted
    before, _wanted = _wanted, on
    try:
        yield
    finally:
        _wanted = before


def usable(x: Tensor) -> bool:
    """Return whether the operators of this module can take a tensor."""
    return (
        _wanted
        and x.device.type == "cpu"
        and x.dtype == torch.bfloat16
        and x.is_contiguous(memory_format=torch.channels_last)
        and extension() is not None
    )


def normalise_relu(
    x: Tensor, running_mean: Tensor, running_variance: Tensor, beta: Tensor, momentum: float, epsilon: float
) -> Tensor:
    """Return relu(batch_norm(x)) of bfloat16 (n, c, h, w), channels last, and update the running statistics.

    Source: S. Ioffe and C. Szegedy, "Batch normalization", 2015; without scale.
    """
    y: Tensor
    y, mean, variance = _NormaliseRelu.apply(x, beta, epsilon)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        n = x.numel() // x.shape[1]
        running_mean.lerp_(mean, momentum)
        running_variance.lerp_(variance * (n / max(1, n - 1)), momentum)
    return y


def depthwise(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Return the 3x3 depthwise convolution, border of one zero, of bfloat16 (n, c, h, w), channels last.

    Parameters
    ----------
    weight : Tensor, float32 (c, 1, 3, 3)
        The kernels.
    """
    return cast(Tensor, _Depthwise.apply(x, weight, stride))  # type: ignore[no-untyped-call]
