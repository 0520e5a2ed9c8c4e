"""Sounds made from formulas, so that the daemon can be tried where nothing is to be heard.

No recording is in them. They are for showing and testing only and MUST NEVER enter training,
calibration or threshold setting: what a model makes of them would then say nothing.

Each recipe takes a random generator and a duration and returns float32 (n,) at `RATE_HZ`, about
full scale; `demo` sets the level. Two draws of a recipe differ as two animals or two engines do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aed_daemon.audio.synth import (
    RATE_HZ,
    Wave,
    curve,
    edges,
    place,
    room,
    shaped,
    times,
    unit,
    voice,
    wander,
)

Recipe = Callable[[np.random.Generator, float], Wave]
"""(random generator, seconds) -> one draw of the sound."""


def dog(rng: np.random.Generator, seconds: float) -> Wave:
    """Bark: a short pitch arch with a hard onset, a rough voice, and breath in it, some times."""
    out = np.zeros(len(times(seconds)))
    base, body = rng.uniform(380, 620), rng.uniform(0.85, 1.2)
    formants = [
        (750 * body, 350, 0),
        (1_500 * body, 500, -3),
        (2_700 * body, 700, -12),
        (4_200 * body, 900, -20),
    ]
    at_s = 0.0
    while at_s < seconds - 0.18:
        t = times(rng.uniform(0.13, 0.2))
        pitch = base * rng.uniform(0.95, 1.05)
        f0 = curve(t, (0, 0.75 * pitch), (0.25, 1.15 * pitch), (0.6, pitch), (1, 0.6 * pitch))
        breath = shaped(rng.normal(size=len(t)), (200, -20), (700, 0), (2_500, -4), (8_000, -22))
        bark = voice(rng, f0, formants, 3.0, 0.35) + 0.25 * unit(breath)
        place(out, bark * curve(t, (0, 0), (0.06, 1), (0.45, 0.8), (0.75, 0.25), (1, 0)), at_s)
        at_s += rng.uniform(0.32, 0.6)
    return room(rng, out, 0.35, 0.5)


def rooster(rng: np.random.Generator, seconds: float) -> Wave:
    """Crow once: two short syllables, a third that rises, and a long one that falls."""
    t = times(seconds)
    top = rng.uniform(720, 920)
    first, second, third = 0.1 + rng.uniform(-0.02, 0.02, 3) + np.array([0.0, 0.15, 0.3])
    f0 = top * curve(
        t, (0, 0.65), (first - 0.02, 0.8), (first + 0.03, 0.75), (second, 0.95), (second + 0.03, 0.85),
        (third, 1.0), (third + 0.12, 1.05), (0.75, 1.0), (0.92, 0.88), (1, 0.75),
    )  # fmt: skip
    level = curve(
        t, (0, 0), (0.015, 0.6), (first - 0.03, 0.4), (first - 0.01, 0.0), (first + 0.04, 0.0),
        (first + 0.05, 0.8), (second - 0.03, 0.6), (second - 0.01, 0.0), (second + 0.02, 0.0),
        (second + 0.03, 0.9), (third - 0.03, 0.6), (third - 0.01, 0.05), (third + 0.03, 1),
        (0.65, 0.7), (0.82, 0.15), (1, 0),
    )  # fmt: skip
    formants = [(1_000, 500, 0), (1_700, 600, 0), (2_700, 900, -10), (4_300, 1_200, -18)]
    crow = voice(rng, f0 * (1 + 0.01 * np.sin(2 * np.pi * 9 * t)), formants, 2.0, rng.uniform(0.3, 0.6))
    breath = shaped(rng.normal(size=len(t)), (200, -24), (900, 0), (2_200, 0), (4_500, -12), (8_000, -20))
    harsh = curve(t, (0, 0.2), (third, 0.5), (0.7, 0.35), (1, 0.05))
    return room(rng, unit((crow + unit(breath) * harsh) * level), 0.4, 0.3)


def crying_baby(rng: np.random.Generator, seconds: float) -> Wave:
    """Wail: arches of pitch of about a second, with a gasp between them."""
    out = np.zeros(len(times(seconds)))
    pitch = rng.uniform(400, 500)
    formants = [(1_100, 400, 0), (1_900, 500, -2), (3_400, 700, -3), (5_200, 900, -14)]
    at_s = 0.0
    while at_s < seconds - 0.6:
        t = times(min(rng.uniform(0.8, 1.2), seconds - at_s))
        f0 = pitch * rng.uniform(0.95, 1.1) * curve(t, (0, 0.8), (0.15, 1.05), (0.6, 1.0), (1, 0.7))
        wail = voice(rng, f0 * (1 + 0.015 * np.sin(2 * np.pi * 6.5 * t)), formants, 2.0, 0.15)
        place(out, wail * curve(t, (0, 0), (0.08, 0.8), (0.4, 1), (0.8, 0.7), (1, 0)), at_s)
        at_s += len(t) / RATE_HZ + 0.06
        gasp = edges(
            shaped(rng.normal(size=round(0.18 * RATE_HZ)), (300, -18), (1_500, 0), (8_000, -8)), 0.06
        )
        place(out, 0.06 * unit(gasp), at_s)
        at_s += rng.uniform(0.2, 0.3)
    return room(rng, out, 0.35, 0.4)


def sneezing(rng: np.random.Generator, seconds: float) -> Wave:
    """Sneeze: a breath drawn in with a voice in it, then the burst and what is left of a vowel."""
    out = np.zeros(len(times(seconds)))
    drawn_s = rng.uniform(0.25, 0.4)
    t = times(drawn_s)
    air = unit(shaped(rng.normal(size=len(t)), (300, -14), (900, 0), (2_500, -2), (8_000, -18)))
    pitch = rng.uniform(180, 320)
    vowel = [(750, 250, 0), (1_300, 300, -4), (2_700, 500, -12)]
    ah = voice(rng, pitch * curve(t, (0, 1), (1, 1.5)), vowel, 4.0, 0.2)
    place(out, (0.1 * air + 0.12 * ah) * curve(t, (0, 0), (0.4, 0.3), (0.7, 1), (0.8, 0.02), (1, 0)), 0.0)
    t = times(rng.uniform(0.28, 0.4))
    burst = unit(shaped(rng.normal(size=len(t)), (150, -8), (700, -2), (1_500, 0), (4_500, 0), (8_000, -4)))
    vowel = [(600, 300, 0), (1_500, 400, 0), (2_600, 500, -2), (4_000, 900, -6)]
    choo = voice(rng, pitch * curve(t, (0, 2.1), (0.3, 1.5), (1, 0.7)), vowel, 2.0, 0.4)
    place(out, burst * curve(t, (0, 0), (0.03, 1), (0.35, 0.7), (0.6, 0.1), (1, 0)), drawn_s)
    place(out, choo * curve(t, (0, 0), (0.06, 0.7), (0.35, 0.8), (0.7, 0.15), (1, 0)), drawn_s)
    return room(rng, out, 0.3, 0.3)


def rain(rng: np.random.Generator, seconds: float) -> Wave:
    """Rain: drops without number make a steady hiss, and nearer ones stand out of it."""
    t = times(seconds)
    hiss = rng.normal(size=len(t)) * (1 + 0.08 * wander(rng, t, 2.0))
    hiss = shaped(hiss, (100, -14), (400, -8), (1_500, -3), (4_000, 0), (8_000, -3))
    drops = np.zeros(len(t))
    for at_s in np.sort(rng.uniform(0, seconds, round(rng.uniform(120, 250) * seconds))):
        d = times(rng.uniform(0.002, 0.008))
        drop = np.sin(2 * np.pi * rng.uniform(1_500, 6_500) * d) * np.exp(-6 * d / d[-1])
        place(drops, drop * rng.lognormal(0.0, 0.7), float(at_s))
    return edges(unit(hiss / hiss.std() + 0.9 * drops / drops.std()), 0.3)


def sea_waves(rng: np.random.Generator, seconds: float) -> Wave:
    """Let waves swell, break and run out over each other, brighter as they get louder."""
    t = times(seconds)
    out = np.zeros(len(t))
    for period_s, share in ((rng.uniform(5.0, 7.0), 1.0), (rng.uniform(2.5, 4.0), 0.5)):
        turn = (t / period_s + rng.uniform(0.1, 0.5)) % 1.0
        swell = np.interp(turn, (0, 0.25, 0.35, 0.6, 1.0), (0.15, 0.6, 1.0, 0.45, 0.15))
        low = shaped(
            rng.normal(size=len(t)), (60, -3), (150, 0), (500, 0), (1_500, -12), (4_000, -25), (8_000, -38)
        )
        high = shaped(rng.normal(size=len(t)), (200, -4), (700, 0), (2_000, -9), (8_000, -21))
        out += share * (low / low.std() * (0.4 + 0.5 * swell) + 0.8 * high / high.std() * swell**2)
    return edges(unit(out), 0.4)


def crackling_fire(rng: np.random.Generator, seconds: float) -> Wave:
    """Burn: a low roar, and cracks of all sizes at random."""
    t = times(seconds)
    roar = shaped(rng.normal(size=len(t)), (60, -4), (150, 0), (600, -14), (3_000, -24), (8_000, -32))
    out = 0.02 * roar / roar.std() * (1 + 0.3 * wander(rng, t, 4.0))
    for at_s in rng.uniform(0, seconds, round(22 * seconds)):
        c = times(rng.uniform(0.003, 0.02))
        crack = shaped(rng.normal(size=len(c)), (300, -12), (1_500, -2), (4_000, 0), (8_000, -4))
        place(out, crack * np.exp(-7 * c / c[-1]) * min(1.0, 0.07 * rng.lognormal(0.0, 1.1)), float(at_s))
    return edges(room(rng, out, 0.15, 0.3), 0.2)


def clock_tick(rng: np.random.Generator, seconds: float) -> Wave:
    """Tick and tock: a few small resonances struck by the escapement."""
    out = np.zeros(len(times(seconds)))
    period_s = float(rng.choice([0.5, 0.4, 0.25]))
    modes = [
        (rng.uniform(low, high), rng.uniform(300, 700))
        for low, high in ((1_200, 2_000), (2_500, 4_000), (4_500, 6_800))
    ]
    t = times(0.06)
    for number in range(int(seconds / period_s)):
        pitch = 1.0 if number % 2 else 0.88
        tick = sum(np.sin(2 * np.pi * hz * pitch * t) * np.exp(-decay * t) for hz, decay in modes)
        tick = tick + 0.8 * rng.normal(size=len(t)) * np.exp(-1_200 * t)
        for delay_s, level in ((0.0, 0.5), (0.008, 1.0), (0.019, 0.35)):
            place(out, tick * level * rng.uniform(0.9, 1.1), number * period_s + delay_s)
    return room(rng, unit(out), 0.12, 0.25)


def _engine(rng: np.random.Generator, firing_hz: Wave, dull_hz: float) -> Wave:
    """Run an engine: explosions at a moving rate, each a little other than the last."""
    phase = np.cumsum(firing_hz) / RATE_HZ
    number = phase.astype(int)
    strength = (1 + 0.18 * rng.normal(size=number[-1] + 1))[number]
    within = (phase - number) / firing_hz
    pulse = strength * np.exp(-within * dull_hz) * np.sin(2 * np.pi * within * dull_hz * 0.6)
    hiss = rng.normal(size=len(phase)) * (0.25 + strength * np.exp(-within * 250))
    return np.asarray(pulse + 0.25 * hiss)


def chainsaw(rng: np.random.Generator, seconds: float) -> Wave:
    """Saw: a small two-stroke engine revs up, is slowed by the wood and revs up again."""
    t = times(seconds)
    revs = curve(t, (0, 80), (0.08, 200), (0.35, 205), (0.42, 160), (0.75, 165), (0.82, 205), (1, 200))
    firing_hz = revs * rng.uniform(0.9, 1.15) * (1 + 0.02 * wander(rng, t, 8.0))
    engine = _engine(rng, firing_hz, 900)
    engine = np.tanh(1.2 * engine / engine.std())
    body = rng.uniform(0.8, 1.25)
    engine = shaped(
        engine, (80, 0), (200 * body, 1), (500 * body, -3), (900 * body, 1), (1_600, -2), (3_000, -1),
        (5_000, -8), (8_000, -14),
    )  # fmt: skip
    return edges(unit(engine), 0.1)


def helicopter(rng: np.random.Generator, seconds: float) -> Wave:
    """Hover: blades slap the air some twenty times a second, over a rumble and a turbine."""
    t = times(seconds)
    phase = 2 * np.pi * (rng.uniform(19, 28) * t + 0.05 * wander(rng, t, 1.0))
    slap = 0.35 + 0.65 * ((np.cos(phase) + 1) / 2) ** 2
    rumble = shaped(rng.normal(size=len(t)), (40, -6), (90, 0), (200, -2), (500, -12), (2_000, -34))
    body = shaped(rng.normal(size=len(t)), (80, -3), (300, 0), (1_200, -11), (3_000, -21), (8_000, -32))
    turbine = shaped(rng.normal(size=len(t)), (1_000, -30), (4_000, -6), (6_500, 0))
    blades = sum(np.cos(k * phase + rng.uniform(0, 6)) / k for k in range(3, 20))
    out = (rumble / rumble.std() + 0.25 * body / body.std()) * slap + 0.3 * blades
    out += rng.uniform(0.0, 0.02) * slap * turbine / turbine.std()
    return edges(unit(out * curve(t, (0, 0.6), (0.5, 1), (1, 0.7))), 0.4)


def siren(rng: np.random.Generator, seconds: float) -> Wave:
    """Distract: a horn whose pitch wails up and down."""
    t = times(seconds)
    sweep = 0.5 - 0.5 * np.cos(2 * np.pi * t / rng.uniform(1.0, 3.0))
    phase = 2 * np.pi * np.cumsum(650 + 800 * sweep) / RATE_HZ
    horn = np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.25 * np.sin(3 * phase) + 0.1 * np.sin(4 * phase)
    return edges(room(rng, unit(horn), 0.8, 0.6), 0.3)


def speech(rng: np.random.Generator, seconds: float) -> Wave:
    """Distract: syllables of vowels and hisses without a meaning."""
    out = np.zeros(len(times(seconds)))
    pitch = rng.uniform(95, 210)
    vowels = (
        (730, 1_090, 2_440),
        (270, 2_290, 3_010),
        (300, 870, 2_240),
        (530, 1_840, 2_480),
        (570, 840, 2_410),
    )
    at_s = 0.0
    while at_s < seconds - 0.3:
        t = times(rng.uniform(0.1, 0.22))
        f1, f2, f3 = vowels[rng.integers(len(vowels))]
        f0 = pitch * rng.uniform(0.85, 1.2) * curve(t, (0, 1.05), (1, 0.92))
        vowel = voice(rng, f0, [(f1, 90, 0), (f2, 120, -6), (f3, 180, -14)], 5.0, 0.05)
        place(out, edges(vowel, 0.03), at_s)
        at_s += len(t) / RATE_HZ
        if rng.random() < 0.5:
            hiss = shaped(
                rng.normal(size=round(0.07 * RATE_HZ)), (500, -30), (3_000, -6), (5_500, 0), (8_000, -4)
            )
            place(out, 0.15 * edges(unit(hiss), 0.02), at_s)
            at_s += 0.06
        at_s += 0.25 if rng.random() < 0.15 else 0.03
    return room(rng, out, 0.3, 0.3)


def knocking(rng: np.random.Generator, seconds: float) -> Wave:
    """Distract: knuckles on a door."""
    out = np.zeros(len(times(seconds)))
    t = times(0.15)
    modes = [(rng.uniform(90, 160), 40), (rng.uniform(220, 400), 60), (rng.uniform(600, 900), 110)]
    at_s = 0.0
    while at_s < seconds - 0.2:
        knock = sum(np.sin(2 * np.pi * hz * t) * np.exp(-decay * t) for hz, decay in modes)
        place(out, (knock + 0.5 * rng.normal(size=len(t)) * np.exp(-400 * t)) * rng.uniform(0.8, 1), at_s)
        at_s += rng.uniform(0.17, 0.22) if rng.random() < 0.75 else 0.7
    return room(rng, unit(out), 0.4, 0.4)


def beeps(rng: np.random.Generator, seconds: float) -> Wave:
    """Distract: an oven that has finished."""
    out = np.zeros(len(times(seconds)))
    hz = rng.uniform(1_900, 2_300)
    beep = np.sign(np.sin(2 * np.pi * hz * times(0.35))) + 0.0
    for number in range(int(seconds / 0.8)):
        place(
            out, edges(shaped(beep, (1_000, -20), (2_000, 0), (6_500, -12), (8_000, -30)), 0.01), 0.8 * number
        )
    return room(rng, unit(out), 0.4, 0.3)
