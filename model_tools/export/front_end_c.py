"""The front end's tables as a C header: window, transform, mel bands, and steps in place of the logarithm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import ModelError
from aed_daemon.features import hz_to_mel, mel_to_hz
from aed_daemon.inference import quantize
from aed_daemon.manifest import TensorSpec
from aed_daemon.spec import FeatureSpec
from model_tools.export.cwriter import array, header

SOURCES = ("aed_frontend.c", "aed_fft.c")
"""In `csrc/`, to be compiled with the header of `front_end_tables`."""

HEADER = "aed_front_end_tables.h"

_BUILT_FOR = {"n_fft": 512, "win_length": 400, "hop_length": 160, "power": 1.0}
_INFINITY_BITS = 0x7F800000
_BUCKET_SHIFT = 20
"""A bucket is an eighth of a power of two; with the default model's scale two or three steps lie in one."""


def front_end_tables(spec: FeatureSpec, tensor: TensorSpec) -> str:
    """Return the text of `aed_front_end_tables.h`.

    Parameters
    ----------
    spec : FeatureSpec
        What the features are.
    tensor : TensorSpec
        The network's input, of which scale and zero point are used.

    Raises
    ------
    ModelError
        If the C sources are not built for the FFT, the window or the hop, or no bin lies in the mel bands.
    """
    for name, built_for in _BUILT_FOR.items():
        if getattr(spec, name) != built_for:
            raise ModelError(
                f"features.{name} is not what the front end in C is built for",
                expected=f"{built_for:g}",
                got=f"{getattr(spec, name):g}",
                hint="Export a model that was trained with this project's own features.",
            )
    first_bin, bins, shares = mel_segments(spec)
    steps = log_steps(spec, tensor.scale, tensor.zero_point)
    first_bucket, buckets = log_buckets(steps)
    window = half_window(spec)
    tables = {
        "aed_twiddles_256": (_twiddles(32, 8, 256), "W256^(n u), n = 0 .. 31, u = 1 .. 7: re, im"),
        "aed_twiddles_32": (_twiddles(8, 4, 32), "W32^(v b), v = 0 .. 7, b = 1 .. 3: re, im"),
        "aed_cosines": (np.cos(np.arange(129) * (2.0 * np.pi / 512)), "cos(2 pi k / 512), k = 0 .. 128"),
        "aed_mel_shares": (shares, "Weight of each bin in the band that rises there"),
    }
    return header(
        "AED_FRONT_END_TABLES_H",
        [
            "#include <stdint.h>\n",
            spec_guard(spec),
            f"#define AED_HOP {spec.hop_length}\n#define AED_MELS {spec.n_mels}\n",
            f"#define AED_FIRST_BIN {first_bin} /* of the mel bands */",
            f"#define AED_BUCKET_SHIFT {_BUCKET_SHIFT} /* of a float's bits */",
            f"#define AED_FIRST_BUCKET {first_bucket}u\n",
            "#ifndef __cplusplus /* which has no hexadecimal floats before C++17 */\n",
            "#ifdef AED_FIXED_POINT\n",
            array("aed_window", _q31(window), comment="First half of the window and its peak, 2^-31"),
            *(array(name, _q31(values), comment=f"{told}; 2^-31") for name, (values, told) in tables.items()),
            "#else\n",
            array("aed_window", _float(window / 2.0**31), comment="The same, times 2^-31"),
            *(array(name, _float(values), comment=told) for name, (values, told) in tables.items()),
            "#endif\n",
            array("aed_mel_bins", bins, comment="Bins from each mel edge to the next"),
            array(
                "aed_log_steps",
                np.append(steps, np.uint32(2**32 - 1)),
                comment="Bits of the smallest float magnitude m of which rint(log(m + offset) / "
                f"{np.float32(tensor.scale):.9g}) + {tensor.zero_point} is -127 .. 127; the end",
            ),
            array("aed_log_buckets", buckets, comment="Steps below each bucket"),
            "#endif /* __cplusplus */",
        ],
    )


def spec_guard(spec: FeatureSpec) -> str:
    """Return the lines by which generated headers of different features refuse each other."""
    number = f"0x{spec.spec_id[:8]}u"
    return (
        f"/* Features {spec.spec_id} */\n"
        f"#ifndef AED_SPEC_ID\n#define AED_SPEC_ID {number}\n#elif AED_SPEC_ID != {number}\n"
        '#error "generated headers of different features: export them together"\n#endif\n'
    )


def half_window(spec: FeatureSpec) -> NDArray[np.float64]:
    """Return samples 0 to win_length / 2 of the window, which is its own mirror image; float64."""
    phase = np.arange(spec.win_length // 2 + 1) * (2.0 * np.pi / spec.win_length)
    return np.asarray(0.5 - 0.5 * np.cos(phase))


def mel_segments(spec: FeatureSpec) -> tuple[int, NDArray[np.uint8], NDArray[np.float64]]:
    """Return the filter bank by segments, from each mel edge to the next.

    Over a segment the filter of one band rises from 0 to 1, and that of the band before falls from 1 to 0.

    Returns
    -------
    first_bin : int
        Of the first segment.
    bins : ndarray, uint8 (n_mels + 1,)
        How many lie in each segment.
    shares : ndarray, float64 (sum(bins),)
        Weight of each bin in the band that rises.
    """
    edges = mel_to_hz(np.linspace(hz_to_mel(spec.fmin_hz), hz_to_mel(spec.fmax_hz), spec.n_mels + 2))
    hz = np.arange(spec.n_fft // 2) * (spec.sample_rate_hz / spec.n_fft)
    # Bins 0 and n_fft / 2, which the transform leaves out, can only lie on the outermost edges.
    inside = np.flatnonzero((hz > edges[0]) & (hz < edges[-1]))
    if not inside.size:
        raise ModelError(
            "no bin of the FFT lies in the mel bands", got=f"{spec.fmin_hz} to {spec.fmax_hz} Hz"
        )
    segment = np.searchsorted(edges, hz[inside], side="right") - 1
    shares = (hz[inside] - edges[segment]) / np.diff(edges)[segment]
    return int(inside[0]), np.bincount(segment, minlength=spec.n_mels + 1).astype(np.uint8), shares


def log_steps(spec: FeatureSpec, scale: float, zero_point: int) -> NDArray[np.uint32]:
    """Return what replaces the logarithm: at which mel magnitude each int8 value begins.

    Returns
    -------
    ndarray, uint32 (255,)
        Bits of the smallest float32 whose logarithm, as `log_mel` takes it, `quantize` makes -127 .. 127 or
        more; those of infinity for a value that no magnitude reaches. Bits are ordered as their floats are.
    """
    wanted = np.arange(-127, 128)
    low = np.zeros(255, np.int64)
    high = np.full(255, _INFINITY_BITS, np.int64)
    while np.any(low < high):
        middle = (low + high) // 2
        magnitudes = middle.astype(np.uint32).view(np.float32).astype(np.float64)
        logs = np.log(magnitudes + spec.log_offset).astype(np.float32)
        reached = quantize(logs, scale, zero_point) >= wanted
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    return low.astype(np.uint32)


def log_buckets(steps: NDArray[np.uint32]) -> tuple[int, NDArray[np.uint8]]:
    """Return where to begin to look for a magnitude among the steps.

    Returns
    -------
    first_bucket : int
        The upper bits of the first step above 0; what is less belongs to the same bucket.
    buckets : ndarray, uint8
        How many steps lie below each bucket, up to that of the last finite step.
    """
    inner = steps[(steps > 0) & (steps < _INFINITY_BITS)]
    first, last = (int(inner[place]) >> _BUCKET_SHIFT if inner.size else 0 for place in (0, -1))
    begins = np.arange(first, last + 1) << _BUCKET_SHIFT
    return first, np.searchsorted(steps, begins, side="left").astype(np.uint8)


def _twiddles(count: int, radix: int, size: int) -> NDArray[np.float64]:
    """Return W_size^(n u) for n < count and 1 <= u < radix: float64 (count, radix - 1, 2), re and im."""
    angles = np.outer(np.arange(count), np.arange(1, radix)) * (2.0 * np.pi / size)
    return np.stack([np.cos(angles), -np.sin(angles)], axis=-1)


def _float(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _q31(values: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.asarray(np.clip(np.rint(values * 2.0**31), -(2**31) + 1, 2**31 - 1), np.int32)
