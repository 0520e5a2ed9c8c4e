"""The network in C against TFLite's reference kernels, on the host."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aed_daemon.errors import ModelError
from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.export.network_c import network_files
from model_tools.export.plan import Plan
from model_tools.export.toolchain import host_library, host_program
from tests.model_tools.export.compilers import need_host
from tests.model_tools.export.made_models import (
    Edit,
    activation_of,
    edited,
    factor_in,
    head_of,
    logits_in,
    narrowed,
    random_weights,
    sigmoid,
    store_first,
    tensors,
)
from tests.model_tools.export.networks import (
    HERE,
    ROUNDINGS,
    CNetwork,
    Engine,
    Reference,
    Rows,
    noise_patches,
    planned,
    recorded_patches,
    recorded_rows,
    written,
)

SHIPPED = DEFAULT_MODEL.read_bytes()

Build = Callable[..., CNetwork]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    need_host()
    built: dict[object, Path] = {}

    def made(walk: Plan, roundings: Literal[1, 2] = 2) -> CNetwork:
        key = tuple(network_files(walk, "a test", roundings).values())
        if key not in built:
            folder = tmp_path_factory.mktemp("network")
            sources, includes = written(folder, walk, roundings)
            built[key] = host_library(
                [*sources, HERE / "network_driver.c"], folder / "network.so", includes=includes
            )
        return CNetwork(built[key], walk)

    return made


def assert_equal_scores(network: CNetwork, reference: Reference, patches: Rows) -> None:
    wanted = np.stack([reference.scores(patch) for patch in patches])
    found, at = network.walk(np.concatenate([*patches]))
    assert at == list(range(96, 96 * len(patches) + 1, 96))
    assert np.count_nonzero(found != wanted) == 0
    assert len(np.unique(wanted, axis=0)) > 1


@pytest.mark.parametrize("engine", ["tflite", "litert"])
def test_scores_are_those_of_the_reference_kernels(build: Build, engine: Engine) -> None:
    reference = Reference(SHIPPED, engine)
    network = build(planned(SHIPPED), ROUNDINGS[engine])
    assert_equal_scores(network, reference, noise_patches(40, 1))


def test_scores_of_recordings_are_those_of_the_reference_kernels(build: Build) -> None:
    patches = recorded_patches(6)
    reference = Reference(SHIPPED, "tflite")
    assert_equal_scores(build(planned(SHIPPED)), reference, patches)
    assert len({int(np.argmax(reference.scores(patch))) for patch in patches}) >= 3


@pytest.mark.parametrize("edits", [(), (random_weights(5), narrowed(0.5))], ids=["shipped", "random weights"])
def test_every_row_of_every_layer_is_that_of_the_reference_kernels(
    build: Build, edits: tuple[Edit, ...]
) -> None:
    model = edited(*edits)
    network, reference = build(planned(model)), Reference(model)
    for patch in noise_patches(3, 2):
        outputs = reference.run(patch.T[None, :, :, None])
        # A transposition, the stem, then a depthwise and a pointwise layer in turn.
        layers = [outputs[1], *outputs[3:-5:2]]
        seen: list[set[int]] = [set() for _ in layers]
        for row in patch:
            assert network.push_row(row)
            more = True
            while more:
                more = network.step()
                for stage, (number, values) in enumerate(network.newest_rows()):
                    if number >= 0:
                        wrong = np.argwhere(values != layers[stage][number])
                        assert not len(wrong), f"stage {stage}, row {number}, column and channel {wrong[0]}"
                        seen[stage].add(number)
        assert [len(rows) for rows in seen] == [len(layer) for layer in layers]
        assert network.scores() is not None


WIDTHS: dict[str, tuple[Edit, ...]] = {
    "half, two classes": (narrowed(0.5, 2),),
    "three quarters": (narrowed(0.75),),
    "an eighth": (narrowed(0.125),),
    "sigmoid": (sigmoid,),
    "random weights": (random_weights(1),),
    "random weights, 24 channels": (random_weights(2), narrowed(0.75, 3), sigmoid),
}


@pytest.mark.parametrize("edits", WIDTHS.values(), ids=WIDTHS.keys())
def test_other_networks_are_exported_alike(build: Build, edits: tuple[Edit, ...]) -> None:
    model = edited(*edits)
    network = build(planned(model), ROUNDINGS["litert"])
    assert_equal_scores(network, Reference(model), noise_patches(12, 3))


def test_a_smaller_network_is_smaller(build: Build) -> None:
    half = edited(narrowed(0.5, 2))
    assert build(planned(half)).size < 0.6 * build(planned(SHIPPED)).size
    assert planned(half).weights_bytes < 0.3 * planned(SHIPPED).weights_bytes


def test_patches_leave_no_trace(build: Build) -> None:
    network = build(planned(SHIPPED))
    first, second = noise_patches(2, 4)
    alone = network.walk(second)[0]
    both = network.walk(np.concatenate([first, second, second]))[0]
    assert np.array_equal(both[1], alone[0])
    assert np.array_equal(both[2], alone[0])
    network.walk(first[:50])
    network.begin()
    assert np.array_equal(network.walk(second)[0], alone)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=40), st.sampled_from(["patch", "incremental", "stream"])
)
def test_work_may_be_put_off_as_long_as_the_queue_holds(
    build: Build, pauses: list[int], mode: Literal["patch", "incremental", "stream"]
) -> None:
    network = build(planned(edited(narrowed(0.125)), mode, 16))
    rows = np.concatenate([*noise_patches(2, 5)])
    wanted = network.walk(rows)[0]
    network.begin()
    found: list[Rows] = []
    at = refused = 0
    while len(found) < len(wanted):
        pushed = at < len(rows) and network.push_row(rows[at])
        at += pushed
        for _ in range(pauses[(at + refused) % len(pauses)] if pushed else 1):
            network.step()
            scores = network.scores()
            if scores is not None:
                found.append(scores)
        refused += not pushed
        assert refused < 2000
    assert np.array_equal(found, wanted)


def test_a_full_queue_takes_no_row(build: Build) -> None:
    network = build(planned(SHIPPED))
    patch = noise_patches(1, 6)[0]
    wanted = network.walk(patch)[0]
    network.begin()
    assert [network.push_row(row) for row in patch[:6]] == [True] * 4 + [False] * 2
    while network.step():
        pass
    assert np.array_equal(network.walk(patch[4:])[0], wanted)


def test_a_stream_is_one_long_input(build: Build) -> None:
    rows = recorded_rows(2)[: 8 * 110]
    walk = planned(SHIPPED, "stream")
    long = Reference(SHIPPED, frames=len(rows)).run(rows.T[None, :, :, None])
    last = long[-4]
    head = Reference(edited(head_of))
    scores, at = build(walk, ROUNDINGS["litert"]).walk(rows)
    first = 96 + walk.delay_frames
    assert at == list(range(first, len(rows) + 1, 8))
    for number, found in enumerate(scores):
        assert np.array_equal(found, head.run(last[None, number : number + 12])[-1])
    # No decision has seen the padding at the end, and row numbers have repeated.
    assert len(scores) > 90


@pytest.mark.parametrize("hop_frames", [8, 24, 40])
def test_overlapping_patches_have_the_scores_that_they_have_alone(build: Build, hop_frames: int) -> None:
    model = edited(narrowed(0.25)) if hop_frames != 8 else SHIPPED
    rows = np.concatenate([*noise_patches(5 if hop_frames == 8 else 14, hop_frames)])
    scores, at = build(planned(model, "incremental", hop_frames)).walk(rows)
    begins = range(0, len(rows) - 95, hop_frames)
    assert at == [begin + 96 for begin in begins]
    alone = build(planned(model))
    for begin, found in zip(begins, scores, strict=True):
        assert np.array_equal(found, alone.walk(rows[begin : begin + 96])[0][0])


@pytest.mark.parametrize("mode", ["patch", "incremental", "stream"])
def test_the_c_does_nothing_that_c_leaves_undefined(
    build: Build, tmp_path: Path, mode: Literal["patch", "incremental", "stream"]
) -> None:
    walk = planned(edited(random_weights(3), narrowed(0.75, 5)), mode, 24)
    sources, includes = written(tmp_path, walk)
    program = host_program(
        [*sources, HERE / "network_program.c"], tmp_path / "program", includes=includes, sanitize=True
    )
    rows = np.concatenate([*noise_patches(3, 7)])
    (tmp_path / "rows").write_bytes(rows.tobytes())
    subprocess.run([program, tmp_path / "rows", tmp_path / "scores"], check=True)
    found = np.frombuffer((tmp_path / "scores").read_bytes(), np.int8).reshape(-1, 5)
    wanted = build(walk).walk(rows)[0]
    assert len(wanted) >= 3
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    ("scale", "zero_point", "classes", "edits"),
    [
        (0.0812, -31, 11, ()),
        (0.02, 5, 5, ()),
        (0.5, 127, 2, ()),
        (0.0812, -31, 11, (sigmoid,)),
        (0.3, -128, 5, (sigmoid,)),
    ],
)
def test_the_last_layer_is_that_of_the_reference_kernels(
    tmp_path: Path, scale: float, zero_point: int, classes: int, edits: tuple[Edit, ...]
) -> None:
    need_host()
    count = 50_000
    rng = np.random.default_rng(classes)
    logits = rng.normal(rng.normal(0, 60, (count, 1)), rng.exponential(30, (count, 1)), (count, classes))
    logits = np.clip(np.rint(logits), -128, 127).astype(np.int8)
    model = edited(narrowed(0.125, classes), logits_in(scale, zero_point), *edits)
    sources, includes = written(tmp_path, planned(model))
    library = ctypes.CDLL(
        str(host_library([HERE / "activation_driver.c", sources[-1]], tmp_path / "a.so", includes=includes))
    )
    scores = np.zeros((count, classes), np.int8)
    library.activations(
        logits.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(count), scores.ctypes.data_as(ctypes.c_void_p)
    )
    wanted = Reference(edited(activation_of(count), model=model)).outputs(logits)[-1]
    assert np.array_equal(scores, wanted)


@pytest.fixture(scope="module")
def arithmetic(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    need_host()
    folder = tmp_path_factory.mktemp("arithmetic")
    sources, includes = written(folder, planned(edited(narrowed(0.125))))
    driver = [HERE / "activation_driver.c", sources[-1]]
    return ctypes.CDLL(str(host_library(driver, folder / "a.so", includes=includes, sanitize=True)))


numbers = st.one_of(
    st.integers(-(2**31) + 1, 2**31 - 1),
    st.builds(lambda n, k: n << k, st.integers(-9, 9), st.integers(10, 27)),
)
"""Products of the second kind lie half-way often enough."""


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers, numbers, st.integers(0, 31))
def test_signed_numbers_are_rounded_as_tflite_does(
    arithmetic: ctypes.CDLL, a: int, b: int, shift: int
) -> None:
    def nearest(number: int, digits: int) -> int:
        """Return number / 2^digits, halves towards plus infinity."""
        return (number + (1 << digits >> 1)) >> digits

    assert arithmetic.high_product(a, b) == nearest(a * b, 31)
    away = nearest(abs(a), shift)
    assert arithmetic.shifted(a, ctypes.c_uint32(shift)) == (away if a >= 0 else -away)
    assert arithmetic.rounded_once(a, b, ctypes.c_uint32(shift)) == nearest(a * b, 31 + shift)


def test_files_are_the_same_each_time_and_for_each_mode_their_own() -> None:
    texts = {mode: network_files(planned(SHIPPED, mode), "a test") for mode in ("patch", "stream")}
    assert texts["patch"] == network_files(planned(SHIPPED), "a test")
    assert texts["patch"]["aed_weights.h"] != texts["stream"]["aed_weights.h"]
    assert all(text.startswith("/* Network, from a test */") for text in texts["patch"].values())


def test_a_comment_cannot_be_left() -> None:
    files = network_files(planned(edited(narrowed(0.125))), "*/ int x; /*")
    assert files["aed_weights.c"].startswith("/* Network, from * / int x; /* */\n")


def weight_of_minus_128(parsed: object) -> None:
    kernel = tensors(parsed, "CONV_2D", 2)[1]
    store_first(parsed, kernel, np.int8, -128)


def bias_beyond_32_bits(parsed: object) -> None:
    store_first(parsed, tensors(parsed, "DEPTHWISE_CONV_2D", 1)[2], np.int32, 2**31 - 1)


def mean_in_tiny_steps(parsed: object) -> None:
    tensors(parsed, "MEAN")[-1].quantization.scale = [1e-9]


def scores_in_other_steps(parsed: object) -> None:
    tensors(parsed, "SOFTMAX")[-1].quantization.scale = [1 / 128]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (weight_of_minus_128, "got a weight of -128 in layer3_pointwise"),
        (bias_beyond_32_bits, "got sums of more than 32 bits in layer3_depthwise"),
        (factor_in("CONV_2D", 1, 1.5), "got a factor of .* in layer2_pointwise"),
        (mean_in_tiny_steps, "got a factor of .* in the mean"),
        (scores_in_other_steps, "got scores in steps of 0.0078125"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(edit: Edit, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        network_files(planned(edited(edit)), "a test")
