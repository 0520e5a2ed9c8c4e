"""Rooms to test in: the reflections between the walls of a box, by image sources.

Another family than the rooms of training (`channel.room`), which have no geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model_tools.channel.room import reverberation_time_s

Samples = NDArray[np.float32]
Vector = tuple[float, float, float]

SPEED_M_S = 343.0
LEAD_S = 0.002
"""Time before the direct sound, so that the filters' ringing ahead of it is kept."""

BAND_EDGES_HZ = (177.0, 354.0, 707.0, 1_414.0, 2_828.0, 5_657.0)
"""Between the octaves 125 Hz to 8 kHz."""

_FINE = 4
"""Arrivals are placed on a grid this much finer than the result's."""


@dataclass(frozen=True)
class Box:
    """A room with a source and a microphone in it.

    Attributes
    ----------
    size_m : (float, float, float)
        Inner dimensions.
    source_m, microphone_m : (float, float, float)
        Where they are, from a corner.
    wall_weights : (6 floats)
        How much each wall absorbs relative to the others: x = 0, x = size, y = 0 and so on.
    decays_s : (7 floats)
        Reverberation time of the octaves from 125 Hz to 8 kHz.
    """

    size_m: Vector
    source_m: Vector
    microphone_m: Vector
    wall_weights: tuple[float, ...]
    decays_s: tuple[float, ...]


def random_box(rng: np.random.Generator, rt60_s: float) -> Box:
    """Return a room of 3 x 2.6 x 2.3 to 8 x 6 x 3.4 m with source and microphone 0.8 to 3.5 m apart.

    Both are at least 0.4 m from every wall. No wall absorbs more than three times as much as another.
    `rt60_s` holds at 500 and 1,000 Hz; treble lasts up to a sixth less, bass a tenth longer by the energy
    of the images, and more where they add up to modes of the room.
    """
    size = rng.uniform([3.0, 2.6, 2.3], [8.0, 6.0, 3.4])
    while True:
        source, microphone = rng.uniform(0.4, size - 0.4), rng.uniform(0.4, size - 0.4)
        if 0.8 <= float(np.linalg.norm(source - microphone)) <= 3.5:
            break
    bass, treble = rng.uniform(1.0, 1.1), rng.uniform(0.84, 1.0)
    factors = np.interp(np.arange(7.0), [0.0, 2.0, 3.0, 6.0], [bass, 1.0, 1.0, treble])
    return Box(
        _vector(size),
        _vector(source),
        _vector(microphone),
        tuple(rng.uniform(0.5, 1.5, 6).tolist()),
        tuple((rt60_s * factors).tolist()),
    )


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = values.tolist()
    return x, y, z


def image_sources(box: Box, longest_s: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the image sources that are heard within a time of leaving.

    Returns
    -------
    ndarray, float32 (k,)
        Distances to the microphone in m; the first is that of the source itself.
    ndarray, float32 (k,)
        How often each was reflected, a reflection at a wall counting as its weight.

    Source: J. B. Allen, D. A. Berkley, "Image method for efficiently simulating small-room acoustics",
    1979, equations 8 to 10.
    """
    reach_m = SPEED_M_S * longest_s
    squares, hits = [], []
    for axis in range(3):
        size, source, microphone = box.size_m[axis], box.source_m[axis], box.microphone_m[axis]
        near, far = box.wall_weights[2 * axis : 2 * axis + 2]
        turns = np.arange(-int(reach_m / (2.0 * size)) - 1, int(reach_m / (2.0 * size)) + 2)
        n, mirrored = np.meshgrid(turns, [0, 1], indexing="ij")
        place = (1 - 2 * mirrored) * source + 2.0 * n * size
        squares.append(((place - microphone) ** 2).ravel().astype(np.float32))
        hits.append((np.abs(n - mirrored) * near + np.abs(n) * far).ravel().astype(np.float32))
    square = squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :]
    weight = hits[0][:, None, None] + hits[1][None, :, None] + hits[2][None, None, :]
    heard = square <= np.float32(reach_m**2)
    distances, weights = np.sqrt(square[heard]), weight[heard]
    first = int(np.argmin(distances))
    distances[[0, first]], weights[[0, first]] = distances[[first, 0]], weights[[first, 0]]
    return distances, weights


def _loss(distances: NDArray[np.float32], weights: NDArray[np.float32], rt60_s: float) -> float:
    """Return the loss in nepers per reflection of weight 1 that gives a reverberation time.

    The time is that of the images' energies, added up without regard to phase, 1 ms to a bin.
    """
    bins = (distances * np.float32(1_000.0 / SPEED_M_S)).astype(np.int64)

    def time_s(loss: float) -> float:
        energy = np.exp(np.float32(-2.0 * loss) * weights) / distances**2
        heard = np.sqrt(np.bincount(bins, energy))[bins[0] :]
        return reverberation_time_s(heard.astype(np.float32), 1_000)

    # The time is nearly proportional to 1 / loss (Eyring), so each step gets much closer.
    loss = 0.05 / rt60_s
    for _ in range(8):
        now = time_s(loss)
        if abs(now / rt60_s - 1.0) < 0.01:
            break
        loss *= now / rt60_s
    return loss


def box_response(rng: np.random.Generator, box: Box, rate_hz: int) -> Samples:
    """Return the impulse response of a room, float32 (m,), of unit energy, direct sound at `LEAD_S`.

    Source: Allen and Berkley as in `image_sources`; each image moved at random by up to 8 cm, against
    the sweeping echoes of a perfect box: E. De Sena et al., "On the modeling of rectangular geometries
    in room acoustic simulations", 2015.
    """
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.signal import resample_poly

    longest_s = 1.1 * max(box.decays_s)
    distances, weights = image_sources(box, longest_s)
    moved = distances + rng.uniform(-0.08, 0.08, len(distances)).astype(np.float32)
    moved[0] = distances[0]
    fine_hz = _FINE * rate_hz
    late = np.maximum(moved - moved[0], np.float32(0.0)) / np.float32(SPEED_M_S) + np.float32(LEAD_S)
    at = np.rint(late * np.float32(fine_hz)).astype(np.int64)
    n = int(longest_s * rate_hz)
    size = next_fast_len(2 * n, real=True)
    hz = np.fft.rfftfreq(size, 1.0 / rate_hz)
    spectrum = np.zeros(len(hz), np.complex128)
    for shape, decay_s in zip(_bands(hz), box.decays_s, strict=True):
        loss = _loss(distances, weights, decay_s)
        arrivals = np.bincount(at, np.exp(np.float32(-loss) * weights) / moved, fine_hz)
        spectrum += rfft(resample_poly(arrivals, 1, _FINE)[:n], size) * shape
    # All images have the same sign: without this they would add up to a slow swell.
    spectrum *= 1.0 / np.sqrt(1.0 + (60.0 / np.maximum(hz, 1e-3)) ** 8)
    response = irfft(spectrum, size)[:n]
    return np.asarray(response / np.sqrt(np.sum(response**2)), np.float32)


def _bands(hz: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return seven gains by frequency that add up to one: octaves, a third of an octave into each other."""
    octave = np.log2(np.maximum(hz, 1.0))
    steps = [np.clip((octave - np.log2(edge)) * 3.0 + 0.5, 0.0, 1.0) for edge in BAND_EDGES_HZ]
    rise = [np.ones_like(octave), *(0.5 - 0.5 * np.cos(np.pi * step) for step in steps)]
    return [low - high for low, high in zip(rise, [*rise[1:], np.zeros_like(octave)], strict=True)]


def measured_s(response: Samples, rate_hz: int) -> tuple[float, float]:
    """Return a response's reverberation time: over all frequencies, and of the octaves 500 and 1,000 Hz."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(2 * len(response), real=True)
    bands = _bands(np.fft.rfftfreq(size, 1.0 / rate_hz))
    middle = irfft(rfft(response, size) * (bands[2] + bands[3]), size)[: len(response)]
    return reverberation_time_s(response, rate_hz), reverberation_time_s(middle, rate_hz)


@lru_cache(maxsize=64)
def numbered_room(number: int, rt60_s: float, rate_hz: int) -> Samples:
    """Return the response of a room that the number decides, float32 (m,); read-only, since it is kept.

    Rooms are drawn until one has its reverberation time within 12 %, over all frequencies and in the
    middle: in some boxes modes sound on for longer than the images' energies say.

    Raises
    ------
    ValueError
        If fifty rooms have not had such a time: it is not one of rooms of this size.
    """
    rng = np.random.default_rng([number, 0x726F6F6D])
    for _ in range(50):
        response = box_response(rng, random_box(rng, rt60_s), rate_hz)
        if all(abs(time_s / rt60_s - 1.0) <= 0.12 for time_s in measured_s(response, rate_hz)):
            response.setflags(write=False)
            return response
    raise ValueError(f"no room of 3 to 8 m has a reverberation time of {rt60_s} s")
