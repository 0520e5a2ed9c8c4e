"""The compiled operators against PyTorch's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from model_tools.training import fused

EPSILON, MOMENTUM = 1e-4, 0.1


@pytest.fixture(autouse=True)
def compiled() -> None:
    if fused.extension() is None:
        missing = "the operators cannot be compiled: apt-get install g++ python3-dev, pip install ninja"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)


def test_ninja_is_found_where_it_is_not_on_the_path(tmp_path: Path) -> None:
    program = "from model_tools.training import fused; assert fused.extension() is not None"
    (tmp_path / "c++").symlink_to(str(shutil.which("c++")))
    for name in ("g++", "ld", "as", "which"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_compilation_that_was_killed_holds_up_no_later_one(tmp_path: Path) -> None:
    left = tmp_path / "model-tools" / "kernels" / "lock"
    left.parent.mkdir(parents=True)
    left.touch()
    program = "from model_tools.training import fused; assert fused.extension() is not None"
    subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        timeout=240,
    )


@pytest.mark.parametrize("shape", [(3, 32, 5, 7), (2, 24, 48, 32), (1, 8, 1, 300)])
def test_values_gradients_and_statistics_are_pytorchs(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    x = (2.0 * torch.randn(shape, generator=generator) + 0.7).bfloat16()
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    beta = torch.randn(shape[1], generator=generator).requires_grad_()
    gradient = torch.randn(shape, generator=generator).bfloat16()
    mean, variance = torch.zeros(shape[1]), torch.ones(shape[1])
    assert fused.usable(x)
    y = fused.normalise_relu(x, mean, variance, beta, MOMENTUM, EPSILON)
    y.backward(gradient)  # type: ignore[no-untyped-call]

    other_x, other_beta = x.detach().float().requires_grad_(), beta.detach().clone().requires_grad_()
    other_mean, other_variance = torch.zeros(shape[1]), torch.ones(shape[1])
    normal = functional.batch_norm(
        other_x, other_mean, other_variance, None, other_beta, True, MOMENTUM, EPSILON
    )
    expected = functional.relu(normal)
    expected.backward(gradient.float())  # type: ignore[no-untyped-call]

    torch.testing.assert_close(y.float(), expected, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(mean, other_mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(variance, other_variance, rtol=1e-4, atol=1e-5)
    assert x.grad is not None
    assert other_x.grad is not None
    # Where the ReLU's input rounds to zero in one and not in the other, a gradient may differ.
    close = torch.isclose(x.grad.float(), other_x.grad, rtol=2e-2, atol=2e-2)
    assert close.float().mean() > 0.999
    torch.testing.assert_close(beta.grad, other_beta.grad, rtol=1e-2, atol=0.2)


def test_what_it_cannot_take_is_left_to_pytorch() -> None:
    assert not fused.usable(torch.zeros(1, 8, 4, 4))
    assert not fused.usable(torch.zeros(2, 8, 4, 4, dtype=torch.bfloat16))


@pytest.mark.parametrize("shape", [(3, 32, 6, 8), (2, 24, 7, 5)])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolutions_are_pytorchs(shape: tuple[int, ...], stride: int) -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(shape, generator=generator).bfloat16().contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    weight = torch.randn((shape[1], 1, 3, 3), generator=generator).requires_grad_()
    y = fused.depthwise(x, weight, stride)
    other_x, other = x.detach().float().requires_grad_(), weight.detach().clone().requires_grad_()
    expected = functional.conv2d(other_x, other, stride=stride, padding=1, groups=shape[1])
    gradient = torch.randn(expected.shape, generator=generator).bfloat16()
    y.backward(gradient)  # type: ignore[no-untyped-call]
    expected.backward(gradient.float())  # type: ignore[no-untyped-call]
    torch.testing.assert_close(y.float(), expected, rtol=1e-2, atol=2e-2)
    assert x.grad is not None
    assert other_x.grad is not None
    torch.testing.assert_close(x.grad.float(), other_x.grad, rtol=1e-2, atol=2e-2)
    torch.testing.assert_close(weight.grad, other.grad, rtol=1e-4, atol=1e-3)
