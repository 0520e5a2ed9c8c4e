"""The front end in C against Python's, on the host and on emulated cores."""

from __future__ import annotations

import itertools
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aed_daemon.audio.file import decode
from aed_daemon.errors import AedError, ModelError
from aed_daemon.features import MelStream
from aed_daemon.inference import quantize
from aed_daemon.manifest import TensorSpec
from aed_daemon.spec import YAMNET_256 as SPEC
from aed_daemon.spec import FeatureSpec
from model_tools.export.front_end_c import HEADER, SOURCES, front_end_tables, log_steps, spec_guard
from model_tools.export.toolchain import CORES, arm_object_sizes, host_library, run
from tests.model_tools.export.compilers import need_host
from tests.model_tools.export.front_end import (
    HOP,
    INPUT,
    VARIANTS,
    FrontEnd,
    Pcm,
    Rows,
    checked_program,
    core_program,
    generate,
    library,
    noise,
    python_rows,
    sine,
    square,
)
from tests.recordings import esc10, speech
from tests.sounds import to_s16

EQUAL_BINS = {"float": 0.9999, "fixed": 0.9995}
"""Of recordings. The fixed-point variant rounds each frame to the scale of its loudest sample."""

LARGEST_ERROR = {"float": 1e-6, "fixed": 4e-6}
RMS_ERROR = {"float": 1.5e-7, "fixed": 8e-7}
"""Of magnitudes, in parts of the windowed frame's norm."""


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, variant: str) -> Path:
    return library(tmp_path_factory.mktemp(variant), variant)


@pytest.fixture
def front_end(built: Path) -> FrontEnd:
    return FrontEnd(built)


def differing(ours: Rows, theirs: Rows) -> tuple[int, int]:
    """Return in how many bins and by how much at most two front ends differ."""
    assert ours.shape == theirs.shape
    assert ours.size
    apart = np.abs(ours.astype(np.int64) - theirs)
    return int(np.count_nonzero(apart)), int(apart.max())


def assert_equals_python(front_end: FrontEnd, recordings: list[Pcm], equal: float) -> None:
    bins = apart = 0
    for pcm in recordings:
        front_end.reset()
        pcm = pcm[: len(pcm) // HOP * HOP]
        rows = front_end.push(pcm)
        count, most = differing(rows, python_rows(pcm))
        assert most <= 1
        bins, apart = bins + rows.size, apart + count
    assert apart <= (1 - equal) * bins


@pytest.mark.parametrize("amplitude", [0.3, 1, 3, 10, 100, 1_000, 10_000, 40_000])
def test_equals_python_on_noise_of_any_level(front_end: FrontEnd, amplitude: float) -> None:
    pcm = noise(8.0, amplitude)
    assert len(np.unique(python_rows(pcm))) > 20
    assert_equals_python(front_end, [pcm], 0.9999)


def test_equals_python_on_full_scale_noise(front_end: FrontEnd) -> None:
    pcm = np.random.default_rng(1).integers(-32_768, 32_768, 800 * HOP).astype(np.int16)
    assert_equals_python(front_end, [pcm], 0.9999)


def test_equals_python_on_digital_silence(front_end: FrontEnd) -> None:
    rows = front_end.push(np.zeros(10 * HOP, np.int16))
    assert np.array_equal(rows, python_rows(np.zeros(10 * HOP, np.int16)))


def test_equals_python_on_sound_that_falls_silent(front_end: FrontEnd) -> None:
    pcm = noise(4.0, 3_000.0)
    pcm[12_345:40_000] = 0
    assert_equals_python(front_end, [pcm], 0.9999)


@pytest.mark.data
def test_equals_python_on_speech(front_end: FrontEnd, variant: str) -> None:
    assert_equals_python(front_end, [to_s16(decode(path, 16_000)) for path in speech()], EQUAL_BINS[variant])


@pytest.mark.data
def test_equals_python_on_every_kind_of_clip(front_end: FrontEnd, variant: str) -> None:
    first_of_class = dict(reversed(esc10(fold=1)))
    assert len(first_of_class) == 10
    clips = [to_s16(decode(path, 16_000)) for path in first_of_class.values()]
    assert_equals_python(front_end, clips, EQUAL_BINS[variant])


FULL_SCALE = {
    "constant": np.full(40 * HOP, 32_767, np.int16),
    "constant, negative": np.full(40 * HOP, -32_768, np.int16),
    **{f"square of {period}": square(period) for period in (2, 4, 16, 100, 512)},
    **{f"sine of {hz} Hz": sine(hz) for hz in (125, 440, 1_000, 7_400, 7_900)},
    "impulses": np.where(np.arange(40 * HOP) % 997 == 0, 32_767, 0).astype(np.int16),
}


@pytest.mark.parametrize("name", FULL_SCALE)
def test_is_never_off_by_more_than_one_at_full_scale(front_end: FrontEnd, name: str) -> None:
    # 120 dB below a pure tone, floats of 24 bits have no more digits to be equal in.
    pcm = FULL_SCALE[name]
    _, most = differing(front_end.push(pcm), python_rows(pcm))
    assert most <= 1


def window() -> NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400))


def errors(front_end: FrontEnd, frame: Pcm) -> tuple[NDArray[np.float64], float]:
    """Return the errors of bins 1 to 255, and the norm of the windowed frame."""
    windowed = window() * frame[:400] / 32_768
    expected = np.abs(np.fft.rfft(windowed, 512))[1:256]
    return front_end.magnitudes(frame) - expected, float(np.linalg.norm(windowed))


def test_the_transform_of_each_sample_alone_is_exact(front_end: FrontEnd, variant: str) -> None:
    """Every sample meets its own window weight and all twiddles that lie on its way."""
    for place in range(1, 400):
        frame = np.zeros(424, np.int16)
        frame[place] = 32_767
        found, norm = errors(front_end, frame)
        assert np.abs(found).max() < LARGEST_ERROR[variant] * (norm if variant == "float" else 1.0), place


@pytest.mark.parametrize("amplitude", [1.0, 100.0, 10_000.0, 60_000.0])
def test_the_transforms_error_is_small(front_end: FrontEnd, variant: str, amplitude: float) -> None:
    samples = noise(1.0, amplitude, seed=3)
    pairs = [errors(front_end, samples[at : at + 424]) for at in range(0, 15_000, 150)]
    found = np.concatenate([error / norm for error, norm in pairs])
    assert np.abs(found).max() < LARGEST_ERROR[variant]
    assert np.sqrt(np.mean(found**2)) < RMS_ERROR[variant]


def test_the_transform_uses_no_sample_beyond_its_window(front_end: FrontEnd) -> None:
    frame = noise(0.03, 1_000.0)[:424]
    other = frame.copy()
    other[400:] = -32_768
    assert np.array_equal(front_end.magnitudes(frame), front_end.magnitudes(other))


TENSORS = {
    "default": INPUT,
    "coarse": TensorSpec(shape=(1,), dtype="int8", scale=0.4, zero_point=-3),
    "fine": TensorSpec(shape=(1,), dtype="int8", scale=0.011, zero_point=127),
    "out of reach": TensorSpec(shape=(1,), dtype="int8", scale=1.0, zero_point=-100),
    "nothing but silence": TensorSpec(shape=(1,), dtype="int8", scale=1e-4, zero_point=127),
}


def by_log(bits: NDArray[np.int64], tensor: TensorSpec) -> Rows:
    magnitudes = bits.astype(np.uint32).view(np.float32).astype(np.float64)
    return quantize(np.log(magnitudes + SPEC.log_offset).astype(np.float32), tensor.scale, tensor.zero_point)


@pytest.mark.parametrize("name", TENSORS)
def test_steps_are_the_logarithm_to_the_last_bit(tmp_path: Path, name: str) -> None:
    tensor = TENSORS[name]
    front_end = FrontEnd(library(tmp_path, tensor=tensor))
    steps = log_steps(SPEC, tensor.scale, tensor.zero_point).astype(np.int64)
    assert np.all(np.diff(steps) >= 0)
    near = np.unique(steps[:, None] + np.arange(-300, 301))
    anywhere = np.random.default_rng(0).integers(0, 0x7F800000, 200_000)
    bits = np.concatenate([near[(near >= 0) & (near < 0x7F800000)], anywhere, [0, 0x7F7FFFFF]])
    expected = by_log(bits, tensor)
    assert len(np.unique(expected)) > 2
    assert np.array_equal(front_end.quantise(bits.astype(np.uint32)), expected)


def test_rows_come_with_the_blocks_that_complete_them(front_end: FrontEnd) -> None:
    stream = MelStream(SPEC)
    pcm = noise(0.2, 1_000.0)
    for at in range(0, len(pcm), HOP):
        block = pcm[at : at + HOP]
        theirs = stream.push(block.astype(np.float32) / np.float32(32_768))
        ours = front_end.push(block)
        assert len(ours) == len(theirs) == (at >= 2 * HOP)


def test_the_same_samples_give_the_same_rows_at_any_time(front_end: FrontEnd) -> None:
    pcm = noise(1.0, 3_000.0)
    rows = front_end.push(pcm)
    assert len(rows) == 98
    for first, blocks in itertools.product((1, 2, 7, 50), (3, 4, 20)):
        front_end.reset()
        part = np.concatenate(
            [front_end.push(pcm[at * HOP : (at + 1) * HOP]) for at in range(first, first + blocks)]
        )
        assert np.array_equal(part, rows[first : first + blocks - 2])


@pytest.mark.parametrize("blocks", range(5))
def test_a_reset_leaves_nothing_behind(front_end: FrontEnd, blocks: int) -> None:
    pcm = noise(0.1, 3_000.0)
    expected = front_end.push(pcm)
    front_end.push(square(7, blocks * HOP))
    front_end.reset()
    assert np.array_equal(front_end.push(pcm), expected)


def test_the_state_is_small(front_end: FrontEnd) -> None:
    # 256 complex numbers, and 264 samples of 32 bits.
    assert front_end.size <= 2_048 + 1_056 + 8


SPECS = {
    "fewer bands": replace(SPEC, n_mels=40),
    "bands narrower than a bin": replace(SPEC, n_mels=128, fmin_hz=20.0),
    "all of the spectrum": replace(SPEC, fmin_hz=0.0, fmax_hz=8_000.0, log_offset=1e-3),
    "a full scale of 16 bits": replace(SPEC, pcm_full_scale=32_768.0),
    "a single band": replace(SPEC, n_mels=1),
}


@pytest.mark.parametrize("name", SPECS)
def test_other_features_are_pythons_too(tmp_path: Path, name: str) -> None:
    spec = SPECS[name]
    front_end = FrontEnd(library(tmp_path, spec=spec), spec.n_mels)
    pcm = noise(4.0, 1_000.0)
    expected = python_rows(pcm, spec)
    count, most = differing(front_end.push(pcm), expected)
    assert most <= 1
    assert count <= 1e-4 * expected.size


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_fft": 1_024}, "features.n_fft is not what.*expected 512, got 1024"),
        ({"win_length": 512}, "win_length"),
        ({"hop_length": 128}, "hop_length"),
        ({"power": 2.0}, "power"),
        ({"fmin_hz": 1_001.0, "fmax_hz": 1_010.0}, "no bin"),
    ],
)
def test_what_the_sources_are_not_built_for_is_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        front_end_tables(replace(SPEC, **change), INPUT)  # type: ignore[arg-type]


def test_the_same_header_comes_out_again() -> None:
    assert front_end_tables(SPEC, INPUT) == front_end_tables(FeatureSpec(), INPUT)


@pytest.mark.parametrize("fmin_hz", [125.0, 60.0])
def test_headers_of_other_features_are_refused(tmp_path: Path, fmin_hz: float) -> None:
    need_host()
    made = generate(tmp_path)
    guard = spec_guard(replace(SPEC, fmin_hz=fmin_hz))
    (made / "both.c").write_text(f'{guard}#include "{HEADER}"\nint last;\n')

    def compile_both() -> None:
        host_library([made / "both.c"], made / "both.so", includes=[made])

    if fmin_hz == SPEC.fmin_hz:
        compile_both()
    else:
        with pytest.raises(AedError, match="generated headers of different features"):
            compile_both()


def extremes() -> Pcm:
    """Return whatever is worst for an integer: full scale of all kinds, and single steps."""
    tiny = np.random.default_rng(5).integers(-1, 2, 40 * HOP).astype(np.int16)
    return np.concatenate([*FULL_SCALE.values(), tiny, noise(0.4, 40_000.0), np.zeros(8 * HOP, np.int16)])


def test_nothing_undefined_happens(tmp_path: Path, variant: str, front_end: FrontEnd) -> None:
    pcm = extremes()
    pcm.tofile(tmp_path / "in.pcm")
    command = [str(checked_program(tmp_path, variant)), "in.pcm", "out.rows"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = np.fromfile(tmp_path / "out.rows", np.int8).reshape(-1, SPEC.n_mels)
    assert np.array_equal(rows, front_end.push(pcm))


@pytest.mark.parametrize("core", CORES)
def test_every_core_gives_the_hosts_bytes(
    tmp_path: Path, core: str, variant: str, front_end: FrontEnd
) -> None:
    elf = core_program(tmp_path, variant, CORES[core])
    pcm = np.concatenate([extremes(), noise(2.0, 2.0), noise(2.0, 500.0), noise(2.0, 10_000.0)])
    pcm.tofile(tmp_path / "in.pcm")
    done = run(CORES[core], elf, folder=tmp_path)
    assert done.returncode == 0
    rows = np.fromfile(tmp_path / "out.rows", np.int8).reshape(-1, SPEC.n_mels)
    assert np.array_equal(rows, front_end.push(pcm))
    told = {name: int(value) for name, value in (line.split() for line in done.text.splitlines())}
    if variant == "float":
        assert told["most"] <= 22_500
        assert told["stack"] <= 300
        sizes = [arm_object_sizes(elf)[name] for name in SOURCES]
        assert sum(size["text"] for size in sizes) <= 3_100
        assert sum(size["rodata"] for size in sizes) <= 5_700
        assert sum(size["data"] + size["bss"] for size in sizes) == 0


def test_fixed_point_needs_no_float(tmp_path: Path) -> None:
    without_fpu = replace(CORES["m4"], flags=("-mcpu=cortex-m3",))
    helpers = {
        variant: [
            name
            for name in arm_object_sizes(core_program(tmp_path / variant, variant, without_fpu))
            if "sf" in name
        ]
        for variant in VARIANTS
    }
    assert helpers["float"]
    assert not helpers["fixed"]
