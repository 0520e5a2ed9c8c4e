"""Hours of synthesised sound of no class, a minute at a time, to measure on what training never heard.

Training draws from `synthetic`: noise that falls with one power of the frequency, hum of random
harmonics, sines, clicks. Here each part has seeds of its own, and the test part also families of its
own: noise as a microphone and its converter make it, exact white, pink and brown noise, mains that
wander and dimmers that buzz, other wave forms, telephones, melodies, key clicks. Calibration has the
families of training in wider ranges, with its own seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from model_tools.data import synthetic
from model_tools.data.clip import Part
from model_tools.data.synthetic import Samples, at_level

Kind = Literal["microphone_noise", "coloured_noise", "hum", "tones", "sweeps", "clicks"]

LEVELS_DBFS: dict[Kind, tuple[float, float]] = {
    "microphone_noise": (-95.0, -40.0),
    "coloured_noise": (-60.0, -15.0),
    "hum": (-80.0, -15.0),
    "tones": (-70.0, -12.0),
    "sweeps": (-70.0, -12.0),
    "clicks": (-50.0, -3.0),
}
"""RMS level of the quietest and the loudest minute of an hour, of clicks the peak; every hour covers
the whole range evenly, in random order."""

KINDS: tuple[Kind, ...] = tuple(LEVELS_DBFS)

CROSSFADE_S = 1.0
"""Minutes differ in level and sound; one turns into the next, so that their border is no event."""

_PARTS: dict[Part, int] = {"training": 11, "calibration": 12, "test": 13}


def hour(
    kind: Kind, part: Part, number: int = 0, rate_hz: int = 16_000, minutes: int = 60
) -> Iterator[Samples]:
    """Yield an hour of one kind, a minute at a time.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    part : str
        Other parts have other seeds, and the test part other families.
    number : int
        Which hour; each number gives another.
    rate_hz : int
        Sample rate.
    minutes : int
        Fewer for less than an hour; the first ones are the same then, but for their levels.

    Yields
    ------
    ndarray, float32 (60 * rate_hz,)
        Within -1 to 1. The minutes join: end to end they are one sound.
    """
    rng = np.random.default_rng([_PARTS[part], KINDS.index(kind), number])
    quietest, loudest = LEVELS_DBFS[kind]
    steps = (np.arange(minutes) + rng.random(minutes)) / minutes
    levels = quietest + (loudest - quietest) * rng.permutation(steps)
    n, fade = 60 * rate_hz, round(CROSSFADE_S * rate_hz)
    ramp = np.sin(np.linspace(0.0, np.pi / 2, fade, endpoint=False)).astype(np.float32)
    tail = np.zeros(fade, np.float32)
    for minute, level in enumerate(levels):
        own = np.random.default_rng([_PARTS[part], KINDS.index(kind), number, minute + 1])
        sound = _make(kind, part, own, n + fade, rate_hz)
        sound = _at_peak(sound, level) if kind == "clicks" else at_level(sound, level)
        out = sound[:n].copy()
        out[:fade] = out[:fade] * ramp + tail
        tail = sound[n:] * ramp[::-1]
        if kind == "microphone_noise" and own.random() < 0.5:
            out = np.rint(out * 32_768.0).astype(np.float32) / np.float32(32_768.0)
        yield np.clip(out, -1.0, 1.0)


def _make(kind: Kind, part: Part, rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    if part == "test":
        return _TEST[kind](rng, n, rate_hz)
    return _AS_TRAINED[kind](rng, n, rate_hz)


def _at_peak(samples: Samples, peak_dbfs: float) -> Samples:
    peak = float(np.max(np.abs(samples), initial=0.0))
    return np.asarray(samples * (10.0 ** (peak_dbfs / 20.0) / peak), np.float32) if peak else samples


def _shaped(
    rng: np.random.Generator,
    n: int,
    rate_hz: int,
    power_of: Callable[[np.ndarray[tuple[int, ...], np.dtype[np.float64]]], Samples],
) -> Samples:
    """Return Gaussian noise whose power spectrum is `power_of(hz)`, at 0 dBFS RMS."""
    size = 1 << (n - 1).bit_length()
    hz = np.fft.rfftfreq(size, 1.0 / rate_hz)
    hz[0] = hz[1]
    spectrum = np.fft.rfft(rng.standard_normal(size)) * np.sqrt(power_of(hz))
    noise = np.fft.irfft(spectrum, size)[:n]
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float32)


def microphone_noise(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return the noise of a microphone: white, 1/f below a corner, a resonance, a converter's filter.

    Sometimes with spurs of the mains or of USB frames (1 kHz), and a level that drifts.
    """
    corner_hz, resonance_hz = 20.0 * 2.0 ** rng.uniform(0, 6), rng.uniform(2_000.0, 7_000.0)
    rise, low_cut_hz, high_cut_hz = rng.uniform(0, 20), rng.uniform(5, 120), rng.uniform(0.3, 1.2) * rate_hz
    order = rng.choice([2, 4, 8])
    noise = _shaped(
        rng,
        n,
        rate_hz,
        lambda hz: np.asarray(
            (1.0 + corner_hz / hz)
            * (1.0 + rise * np.exp(-0.5 * (np.log2(hz / resonance_hz) / 0.3) ** 2))
            / (1.0 + (low_cut_hz / hz) ** 4)
            / (1.0 + (hz / high_cut_hz) ** order)
        ),
    )
    t = np.arange(n) / rate_hz
    if rng.random() < 0.4:
        base_hz = rng.choice([50.0, 60.0, 1_000.0])
        for k in range(1, 6):
            noise += rng.uniform(0, 0.3) * np.sin(2 * np.pi * k * base_hz * t + rng.uniform(0, 6.28))
    drift_db = np.interp(t, np.linspace(0, t[-1], 7), rng.uniform(-2.0, 2.0, 7))
    return np.asarray(noise * 10.0 ** (drift_db / 20.0), np.float32)


def coloured_noise(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return exact white, pink or brown noise, flat below 20 Hz."""
    return power_noise(rng, n, rate_hz, int(rng.integers(0, 3)))


def power_noise(rng: np.random.Generator, n: int, rate_hz: int, power: int) -> Samples:
    """Return noise whose power falls with f to the power of `power`: 0 white, 1 pink, 2 brown."""
    return _shaped(rng, n, rate_hz, lambda hz: np.asarray(np.maximum(hz, 20.0) ** -float(power)))


def mains_hum(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return the mains at 50 or 60 Hz that wander by up to 0.1 Hz: transformer, dimmer, or railway."""
    base_hz = rng.choice([50.0, 60.0, 50.0, 60.0, 16.7, 400.0])
    t = np.arange(n) / rate_hz
    wander_hz = np.interp(t, np.linspace(0, t[-1], 12), rng.uniform(-0.1, 0.1, 12))
    phase = 2 * np.pi * np.cumsum(base_hz + wander_hz) / rate_hz
    if rng.random() < 0.4:  # a dimmer cuts each half wave at the same angle
        cut = rng.uniform(0.3, 2.6)
        wave = np.sin(phase) * ((phase % np.pi) > cut)
        out = np.diff(wave, prepend=wave[:1])
    else:
        odd, fall = rng.uniform(1.0, 4.0), rng.uniform(0.8, 2.0)
        out = np.zeros(n)
        for k in range(1, min(40, int(rate_hz / 2 / base_hz))):
            out += rng.uniform(0.5, 1.0) * (odd if k % 2 else 1.0) * k**-fall * np.sin(k * phase + k * fall)
        out *= 1.0 + rng.uniform(0, 0.3) * np.sin(2 * np.pi * rng.uniform(0.1, 2.0) * t)
    return np.asarray(out, np.float32)


def tones(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return steady wave forms, telephone signals, melodies, or chords that beat."""
    t = np.arange(n) / rate_hz
    kind = rng.integers(0, 4)
    if kind == 0:
        return _wave_form(rng, 80.0 * 2.0 ** rng.uniform(0, 5), t)
    if kind == 1:  # ring-back, busy and dial tones, DTMF: pairs of sines, on and off
        low, high, on_s, off_s = [
            (440, 480, 2.0, 4.0),
            (480, 620, 0.5, 0.5),
            (350, 440, 1.0, 0.0),
            (425, 425, 1.0, 4.0),
            (770, 1336, 0.1, 0.2),
            (941, 1477, 0.2, 0.9),
        ][int(rng.integers(0, 6))]
        gate = (t % (on_s + off_s)) < on_s
        return np.asarray((np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t)) * gate, np.float32)
    if kind == 2:
        return _melody(rng, n, rate_hz)
    root_hz = 110.0 * 2.0 ** rng.uniform(0, 3)
    chord = [root_hz, root_hz * 5 / 4, root_hz * 3 / 2, root_hz * rng.uniform(1.99, 2.01)]
    return np.asarray(sum(np.sin(2 * np.pi * hz * t) for hz in chord), np.float32)


def _wave_form(
    rng: np.random.Generator, hz: float, t: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Samples:
    """Return a triangle, a square or a saw tooth, of the harmonics that fit below half the rate."""
    kind, half_hz, out = rng.integers(0, 3), 0.5 / (t[1] - t[0]), np.zeros(len(t))
    for k in range(1, min(60, int(half_hz / hz)) + 1):
        if kind < 2 and k % 2 == 0:
            continue
        out += np.sin(2 * np.pi * k * hz * t) / (k * k if kind == 0 else k)
    return np.asarray(out, np.float32)


def _melody(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return notes of the tempered scale that die away, of irregular length: never a clock."""
    out, at = np.zeros(n), 0
    while at < n:
        length = int(rate_hz * rng.uniform(0.15, 1.2))
        t = np.arange(min(length, n - at)) / rate_hz
        hz = 110.0 * 2.0 ** (int(rng.integers(0, 44)) / 12)
        note = sum(0.6**k * np.sin(2 * np.pi * (k + 1) * hz * t) for k in range(4) if (k + 1) * hz < 7_500)
        out[at : at + len(t)] = note * np.minimum(1.0, t / 0.01) * np.exp(-t * rng.uniform(1.0, 6.0))
        at += length
    return np.asarray(out, np.float32)


def sweeps(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return chirps, linear or logarithmic, up, down or both ways, each 0.3 to 20 s long."""
    out, at = np.zeros(n), 0
    while at < n:
        length = min(int(rate_hz * 0.3 * 2.0 ** rng.uniform(0, 6)), n - at)
        low, high = np.sort(60.0 * 2.0 ** rng.uniform(0, 7, 2))
        x = np.linspace(0.0, 1.0, length)
        x = [x, 1.0 - x, 1.0 - np.abs(2.0 * x - 1.0)][int(rng.integers(0, 3))]
        hz = low + (high - low) * x if rng.random() < 0.5 else low * (high / low) ** x
        edge = np.minimum(1.0, np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.01 * rate_hz))
        out[at : at + length] = np.sin(2 * np.pi * np.cumsum(hz) / rate_hz) * edge
        at += length + int(rate_hz * rng.choice([0.0, rng.uniform(0.0, 2.0)]))
    return np.asarray(out, np.float32)


def clicks(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    """Return switches, key strokes in bursts, and crackle-free pops, at irregular times.

    Intervals are drawn anew each time: nothing here ticks, and a minute holds 4 to 60 of them, too
    few for rain or fire.
    """
    out, at = np.zeros(n), 0.0
    mean_s = rng.uniform(1.0, 15.0)
    while (at := at + rng.exponential(mean_s) + 0.15) * rate_hz < n - rate_hz:
        for _ in range(int(rng.choice([1, 1, 2]))):  # a key goes down and up again
            length = int(rate_hz * rng.uniform(0.0005, 0.03))
            start = int(at * rate_hz)
            decay = np.exp(-np.arange(length) / (length / rng.uniform(4.0, 10.0)))
            body = rng.standard_normal(length) if rng.random() < 0.6 else np.ones(length)
            out[start : start + length] += rng.uniform(0.3, 1.0) * decay * body
            at += rng.uniform(0.03, 0.12)
    return np.asarray(out, np.float32)


def _sines(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    parts = [synthetic.tone(rng, len(part), rate_hz) for part in np.array_split(np.empty(n), 6)]
    return np.concatenate(parts)


def _few_clicks(rng: np.random.Generator, n: int, rate_hz: int) -> Samples:
    parts = [synthetic.clicks(rng, len(part), rate_hz) for part in np.array_split(np.empty(n), 10)]
    return np.concatenate(parts)


_Maker = Callable[[np.random.Generator, int, int], Samples]

_TEST: dict[Kind, _Maker] = {
    "microphone_noise": microphone_noise,
    "coloured_noise": coloured_noise,
    "hum": mains_hum,
    "tones": tones,
    "sweeps": sweeps,
    "clicks": clicks,
}
"""Families of the test part alone."""

_AS_TRAINED: dict[Kind, _Maker] = {
    "microphone_noise": synthetic.coloured_noise,
    "coloured_noise": synthetic.coloured_noise,
    "hum": synthetic.hum,
    "tones": _sines,
    "sweeps": _sines,
    "clicks": _few_clicks,
}
"""The families that training draws from."""
